"""The state model of a digital twin: P(s' | s, w, past), eq. 9 of the paper, fitted by eq. 7 or by likelihood.

A model reads a sequence of states and of the shares that were given in them, and says after each what the next state
may be: independent normal distributions, one for each slice. A squared-error model knows their means only; fed those,
an imagined network becomes ever calmer than the real one, so roll-outs draw from what the Gaussian head says.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from torch.nn.functional import softplus

from netsim.errors import InputError
from rl.agents.base import arrays_into_tensors, tensors_to_arrays
from twin.experience import Experience
from twin.fitting import FitConfig, FitReport, Scaling, Whole, draw_weights, fit, split
from twin.models.lstm import Lstm, LstmSteps
from twin.models.transformer import Transformer, TransformerSteps

FLOOR = 0.01
"""Least deviation a Gaussian head may say, as a share of how much the states vary that it was fitted to."""
AT_ONE = math.log(math.expm1(1.0 - FLOOR))
"""What makes a deviation 1 of an output 0."""

Arrays = Mapping[str, NDArray[Any]]


class StateConfig(BaseModel):
    """What a state model is and how it is fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    fit: FitConfig = FitConfig(batch_size=32, learning_rate=2e-3)
    """A batch counts sequences, each of ``context + 1`` transitions."""

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


class StateModel(Protocol):
    """What roll-outs, fidelity and Algorithm 1 know of a state model."""

    config: StateConfig
    fitted: FitReport | None
    """How its fit went."""

    def begin(self, states: Tensor, shares: Tensor, there: Tensor) -> Any:
        """Read past transitions (s, w): shapes ``(B, L, N)``, ``(B, L, N)`` and ``(B, L)``, L from 0.

        Transitions that are not ``there`` precede those that are, and do not count.
        """

    def advance(self, memory: Any, states: Tensor, shares: Tensor) -> NextState:
        """P(s' | s, w, past) of present states and the shares of the coming period, both of shape ``(B, N)``.

        Updates ``memory``: this transition is then past.
        """

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that :func:`state_model_from_arrays` needs."""


class _Steps(Protocol):
    def begin(self, x: Tensor, there: Tensor) -> Any: ...

    def advance(self, memory: Any) -> Tensor: ...


class SequenceModel:
    """A state model from a network that reads sequences."""

    def __init__(
        self, config: StateConfig, network: torch.nn.Module, inputs: Scaling, targets: Scaling, fitted: FitReport | None
    ) -> None:
        """Use a network that is not going to change any more."""
        self.config, self.fitted = config, fitted
        self.network, self.inputs, self.targets = network, inputs, targets
        self._steps = _steps(network)

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
        """Weights, scaling, and how the fit went."""
        arrays = tensors_to_arrays(dict(self.network.named_parameters()))
        arrays |= self.inputs.to_arrays("inputs") | self.targets.to_arrays("targets")
        if (fitted := self.fitted) is not None:
            arrays["fitted"] = np.array([fitted.steps, fitted.best_step, fitted.loss])
        return arrays

    def _scaled(self, states: Tensor, shares: Tensor) -> Tensor:
        return self.inputs(torch.cat([states, shares], dim=-1))

    def _back(self, outputs: Tensor) -> NextState:
        mean, deviation = distribution(outputs, self.n_slices)
        return NextState(self.targets.back(mean), deviation * self.targets.deviation)


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


def fit_state_model(
    experience: Experience, config: StateConfig, seed: int, whose: str = "", warm: StateModel | None = None
) -> StateModel:
    """A state model of what was experienced.

    Sequences end at transitions that are drawn from all but the held-out tail, and every transition of a sequence
    counts: so one reading gives ``context + 1`` targets, and the model learns to say what it can after a shorter past
    too, as at the beginning of a run. When to stop is decided by the last transition of sequences that end in the
    held-out tail: each of its transitions counts once, with the whole past that roll-outs read.

    Losses are of states scaled to unit variance per slice, so that each slice weighs the same; the mean that has the
    least squared error is that of eq. 7.

    Parameters
    ----------
    whose
        Keeps apart the draws of several models with one seed.
    warm
        Go on from this model's weights, with its scaling. The result is no worse on the held-out tail.

    Raises
    ------
    InputError
        There are fewer than two transitions, or ``warm`` is another kind of model.
    RunError
        A loss is not finite.
    """
    if len(experience) < 2:
        raise InputError(f"a state model needs at least 2 transitions to learn from, got {len(experience)}")
    begun = _begun(experience, config, seed, f"{whose} state") if warm is None else _again(warm, experience, config)
    loss, held_out, rows = _training(begun, experience)
    fitted = fit(begun.network, loss, held_out, rows, config.fit, seed, f"{whose} state")
    return SequenceModel(config, begun.network, begun.inputs, begun.targets, fitted)


def state_model_from_arrays(config: StateConfig, n_slices: int, arrays: Arrays) -> StateModel:
    """The model that :meth:`StateModel.to_arrays` kept.

    Raises
    ------
    KeyError, ValueError
        An array is missing, or of another shape or type.
    """
    network = _network(config, n_slices)
    with torch.no_grad():
        arrays_into_tensors(arrays, dict(network.named_parameters()))
    inputs, targets = (Scaling.from_arrays(name, arrays) for name in ("inputs", "targets"))
    fitted = None
    if "fitted" in arrays:
        steps, best_step, loss = map(float, arrays["fitted"])
        fitted = FitReport(int(steps), int(best_step), loss)
    return SequenceModel(config, network, inputs, targets, fitted)


def forecasts(model: StateModel, experience: Experience) -> NextState:
    """What a model says of the next state in each of M transitions, each with its own past; shape ``(M, N)``."""
    rows, there = experience.contexts(model.config.context + 1)
    states, shares = torch.from_numpy(experience.states), torch.from_numpy(experience.shares)
    past = torch.from_numpy(rows[:, :-1])
    memory = model.begin(states[past], shares[past], torch.from_numpy(there[:, :-1]))
    return model.advance(memory, states, shares)


def _begun(experience: Experience, config: StateConfig, seed: int, whose: str) -> SequenceModel:
    network = _network(config, experience.states.shape[1])
    draw_weights(network, seed, whose)
    network.start()
    cut = split(len(experience), config.fit.held_out_share)
    inputs = Scaling.of(np.concatenate([experience.states, experience.shares], axis=1)[:cut])
    return SequenceModel(config, network, inputs, Scaling.of(experience.next_states[:cut]), None)


def _again(warm: StateModel, experience: Experience, config: StateConfig) -> SequenceModel:
    """A copy, which may be changed."""
    n_slices, arrays = experience.states.shape[1], warm.to_arrays()
    for key, value in config.model_dump(exclude={"fit"}).items():
        if value != (had := getattr(warm.config, key)):
            raise InputError(f"{key}: a warm start goes on with the model it starts from, {had!r}; got {value!r}")
    try:
        copied = state_model_from_arrays(config, n_slices, arrays)
    except ValueError as error:
        raise InputError(f"a warm start needs a model of the same number of slices: {error}") from None
    assert isinstance(copied, SequenceModel)
    return copied


def _training(
    model: SequenceModel, experience: Experience
) -> tuple[Callable[[NDArray[np.int64]], Tensor], Callable[[], Tensor], int]:
    """The loss of given sequences, the loss of the held-out tail, and how many sequences there are before it."""
    config, network, cut = model.config, model.network, split(len(experience), model.config.fit.held_out_share)
    x = model.inputs(torch.from_numpy(np.concatenate([experience.states, experience.shares], axis=1)))
    y = model.targets(torch.from_numpy(experience.next_states))
    rows, there = (torch.from_numpy(each) for each in experience.contexts(config.context + 1))

    def each(sequences: Tensor) -> Tensor:
        read, present = rows[sequences], there[sequences]
        said = distribution(network(x[read], present), model.n_slices)
        return losses(config.head, said, y[read])

    def loss(sequences: NDArray[np.int64]) -> Tensor:
        chosen = torch.from_numpy(sequences)
        return each(chosen)[there[chosen]].mean()

    def held_out() -> Tensor:
        return each(torch.arange(cut, len(rows)))[:, -1].mean()

    return loss, held_out, cut


def _network(config: StateConfig, n_slices: int) -> Lstm | Transformer:
    """Not yet begun; torch's own generator, which its layers draw from, stays as it is."""
    outputs = n_slices if config.head == "point" else 2 * n_slices
    with torch.random.fork_rng(devices=[]):
        if config.kind == "lstm":
            return Lstm(2 * n_slices, config.hidden, outputs)
        return Transformer(2 * n_slices, config.hidden, config.heads, config.layers, config.context + 1, outputs)


def _steps(network: torch.nn.Module) -> _Steps:
    if isinstance(network, Lstm):
        return LstmSteps(network)
    assert isinstance(network, Transformer)
    return TransformerSteps(network)
