"""A state model from a network that reads sequences, and what it says of the next state."""

import math
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self

import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from torch import Tensor
from torch.nn.functional import softplus

from rl.agents.base import tensors_to_arrays
from rl.settings import Settings, Whole
from twin.fitting import FitConfig, FitReport, Scaling
from twin.models.lstm import Lstm, LstmSteps
from twin.models.transformer import Transformer, TransformerSteps

FLOOR = 0.01
"""Least deviation a Gaussian head may say, as a share of how much the states vary that it was fitted to."""
OF_SEQUENCES: dict[str, Any] = {"batch_size": 32, "learning_rate": 5e-4, "patience": 6}
"""Of a fit. Batches of sequences have many transitions each, so that six looks tell as much as twelve of others do."""
AT_ONE = math.log(math.expm1(1.0 - FLOOR))
"""What makes a deviation 1 of an output 0."""


class StateConfig(Settings):
    """What a state model is and how it is fitted."""

    kind: Literal["lstm", "transformer"] = "lstm"
    """The paper's LSTM, or a causal Transformer."""
    head: Literal["point", "gaussian"] = "gaussian"
    """``point`` says a mean, fitted by squared error, eq. 7; ``gaussian`` a mean and a deviation, by likelihood."""
    hidden: Annotated[int, Field(ge=1, le=4096)] = 128
    """Width of the LSTM's state, or of the Transformer's elements."""
    context: Annotated[int, Field(ge=0, le=1024)] = 16
    """Transitions read before the present one."""
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    """Of the Transformer; they share ``hidden`` equally."""
    layers: Whole = 1
    """Of the Transformer."""
    linear: bool = True
    """Whether the last layer sees the present transition beside what the network made of it; fitting then begins with
    a linear regression, which a load that moves needs. Without, the network is the paper's, and begins with the mean.
    """
    fit: FitConfig = FitConfig(**OF_SEQUENCES)
    """A batch counts sequences, each of ``context + 1`` transitions; its size, the step size and the patience have
    other defaults."""

    @field_validator("fit", mode="before")
    @classmethod
    def _with_its_own_defaults(cls, given: Any) -> Any:
        """Settings of a fit that are given as plain values leave the others as they are here."""
        return {**OF_SEQUENCES, **given} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _heads_share_equally(self) -> Self:
        if self.kind == "transformer" and self.hidden % self.heads:
            raise ValueError(f"hidden must be a multiple of heads, got {self.hidden} and {self.heads}")
        return self


class NextState(NamedTuple):
    """What the next state may be: independent normal distributions."""

    mean: Tensor
    """Shape ``(B, N)``."""
    deviation: Tensor
    """Shape ``(B, N)``; zeros for a point head."""


class Memory(Protocol):
    """What a model carries on from the transitions it has read, for B sequences."""

    @property
    def inputs(self) -> Tensor:
        """Where the present transition is written, shape ``(B, 2 N)``."""

    def rows(self, places: Tensor) -> Self:
        """Copies of some of the sequences, and of one as often as it is named."""


class _Steps(Protocol):
    def begin(self, x: Tensor, there: Tensor) -> Any: ...

    def advance(self, memory: Any) -> Tensor: ...


class SequenceModel:
    """A state model from a network that reads sequences."""

    def __init__(
        self,
        config: StateConfig,
        network: Lstm | Transformer,
        inputs: Scaling,
        targets: Scaling,
        seen: Tensor,
        fitted: FitReport | None,
    ) -> None:
        """Use a network that is not going to change any more.

        ``seen`` are the least and the greatest states of what it was fitted to, shape ``(2, N)``. Means stay within
        their range and once that range beyond either end, so that no roll-out runs away however long it is.
        """
        self.config, self.fitted = config, fitted
        self.network, self.inputs, self.targets, self.seen = network, inputs, targets, seen
        self._least, self._greatest = (2.0 * seen[0] - seen[1]).clamp(min=0.0), 2.0 * seen[1] - seen[0]
        self._steps: _Steps = LstmSteps(network) if isinstance(network, Lstm) else TransformerSteps(network)

    @property
    def n_slices(self) -> int:
        """N."""
        return len(self.targets.mean)

    @torch.no_grad()
    def begin(self, states: Tensor, shares: Tensor, there: Tensor) -> Memory:
        """See :meth:`StateModel.begin`."""
        memory: Memory = self._steps.begin(self._scaled(states, shares), there)
        return memory

    @torch.no_grad()
    def advance(self, memory: Memory, states: Tensor, shares: Tensor) -> NextState:
        """See :meth:`StateModel.advance`."""
        memory.inputs.copy_(self._scaled(states, shares))
        return self._back(self._steps.advance(memory))

    @torch.no_grad()
    def forecast(self, states: Tensor, shares: Tensor, there: Tensor) -> NextState:
        """The same at every transition of whole sequences at once, shapes ``(B, L, N)``: the readable form."""
        return self._back(self.network(self._scaled(states, shares), there))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, scaling, what was seen, and how the fit went."""
        arrays = tensors_to_arrays(dict(self.network.named_parameters()))
        arrays |= (
            self.inputs.to_arrays("inputs") | self.targets.to_arrays("targets") | {"seen": self.seen.numpy().copy()}
        )
        if self.fitted is not None:
            arrays["fitted"] = self.fitted.to_array()
        return arrays

    def _scaled(self, states: Tensor, shares: Tensor) -> Tensor:
        return self.inputs(torch.cat([states, shares], dim=-1))

    def _back(self, outputs: Tensor) -> NextState:
        mean, deviation = distribution(outputs, self.n_slices)
        mean = self.targets.back(mean).clamp(self._least, self._greatest)
        return NextState(mean, deviation * self.targets.deviation)


def distribution(outputs: Tensor, n_slices: int) -> NextState:
    """What a network's outputs say of the scaled next state; outputs 0 say that nothing is known of it.

    >>> _, deviation = distribution(torch.zeros(1, 4), 2)
    >>> [round(float(each), 6) for each in deviation[0]]
    [1.0, 1.0]
    """
    mean, spread = outputs[..., :n_slices], outputs[..., n_slices:]
    return NextState(mean, softplus(spread + AT_ONE).add(FLOOR) if spread.numel() else torch.zeros_like(mean))


def losses(head: str, said: NextState, targets: Tensor) -> Tensor:
    """Squared errors, or negative log likelihoods in nats, of each number of ``targets``."""
    errors = targets - said.mean
    if head == "point":
        return errors.square()
    return said.deviation.log() + 0.5 * (errors / said.deviation).square() + 0.5 * math.log(2.0 * math.pi)


def network_of(config: StateConfig, n_slices: int) -> Lstm | Transformer:
    """Not yet begun; torch's own generator, which its layers draw from, stays as it is."""
    outputs = n_slices if config.head == "point" else 2 * n_slices
    with torch.random.fork_rng(devices=[]):
        if config.kind == "lstm":
            return Lstm(2 * n_slices, config.hidden, outputs, config.linear)
        return Transformer(
            2 * n_slices, config.hidden, config.heads, config.layers, config.context + 1, outputs, config.linear
        )
