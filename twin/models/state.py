"""The state model of a digital twin: P(s' | s, w, past), eq. 9 of the paper, fitted by eq. 7 or by likelihood.

A model reads a sequence of states and of the shares that were given in them, and says after each what the next state
may be: independent normal distributions, one for each slice. A squared-error model knows their means only; fed those,
an imagined network becomes ever calmer than the real one, so roll-outs draw from what the Gaussian head says.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netsim.errors import InputError
from rl.agents.base import arrays_into_tensors
from twin.experience import Experience
from twin.fitting import FitReport, Scaling, draw_weights, fit, looked_at, split
from twin.models.sequence import (
    AT_ONE,
    FLOOR,
    Memory,
    NextState,
    SequenceModel,
    StateConfig,
    distribution,
    losses,
    network_of,
)

__all__ = ["NextState", "StateConfig", "StateModel", "fit_state_model", "forecasts", "state_model_from_arrays"]

Arrays = Mapping[str, NDArray[Any]]


class StateModel(Protocol):
    """What roll-outs, fidelity and Algorithm 1 know of a state model."""

    config: StateConfig
    fitted: FitReport | None
    """How its fit went."""

    def begin(self, states: Tensor, shares: Tensor, there: Tensor) -> Memory:
        """Read past transitions (s, w): shapes ``(B, L, N)``, ``(B, L, N)`` and ``(B, L)``, L from 0.

        Transitions that are not ``there`` precede those that are, and do not count.
        """

    def advance(self, memory: Memory, states: Tensor, shares: Tensor) -> NextState:
        """P(s' | s, w, past) of present states and the shares of the coming period, both of shape ``(B, N)``.

        Updates ``memory``: this transition is then past.
        """

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that :func:`state_model_from_arrays` needs."""


def fit_state_model(
    experience: Experience, config: StateConfig, seed: int, whose: str = "", warm: StateModel | None = None
) -> SequenceModel:
    """A state model of what was experienced.

    Sequences end at transitions that are drawn from all but the held-out tail, and every transition of a sequence
    counts: so one reading gives ``context + 1`` targets, and the model learns to say what it can after a shorter past
    too, as at the beginning of a run. When to stop is decided by the last transition of sequences that end in the
    held-out tail: each one that is looked at counts once, with the whole past that roll-outs read.

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
    whose = f"{whose} state model".lstrip()
    begun = _begun(experience, config, seed, whose) if warm is None else _again(warm, experience, config)
    loss, held_out, rows = _training(begun, experience)
    fitted = fit(begun.network, loss, held_out, rows, config.fit, seed, whose)
    return SequenceModel(config, begun.network, begun.inputs, begun.targets, begun.seen, fitted)


def state_model_from_arrays(config: StateConfig, n_slices: int, arrays: Arrays) -> SequenceModel:
    """The model that :meth:`StateModel.to_arrays` kept.

    Raises
    ------
    KeyError, ValueError
        An array is missing, or of another shape or type.
    """
    network, seen = network_of(config, n_slices), torch.empty(2, n_slices)
    with torch.no_grad():
        arrays_into_tensors(arrays, {**dict(network.named_parameters()), "seen": seen})
    inputs, targets = (Scaling.from_arrays(name, arrays) for name in ("inputs", "targets"))
    fitted = FitReport.from_array(arrays["fitted"]) if "fitted" in arrays else None
    return SequenceModel(config, network, inputs, targets, seen, fitted)


def forecasts(model: StateModel, experience: Experience) -> NextState:
    """What a model says of the next state in each of M transitions, each with its own past; shape ``(M, N)``."""
    rows, there = experience.contexts(model.config.context + 1)
    states, shares = torch.from_numpy(experience.states), torch.from_numpy(experience.shares)
    past = torch.from_numpy(rows[:, :-1])
    memory = model.begin(states[past], shares[past], torch.from_numpy(there[:, :-1]))
    return model.advance(memory, states, shares)


def _begun(experience: Experience, config: StateConfig, seed: int, whose: str) -> SequenceModel:
    network = network_of(config, experience.states.shape[1])
    draw_weights(network, seed, whose)
    network.start()
    cut = split(len(experience), config.fit.held_out_share)
    x = np.concatenate([experience.states, experience.shares], axis=1)[:cut]
    y = experience.next_states[:cut]
    inputs, targets = Scaling.of(x), Scaling.of(y)
    if config.linear:
        _regress(network.head, inputs(torch.from_numpy(x)), targets(torch.from_numpy(y)))
    return SequenceModel(config, network, inputs, targets, _seen(experience), None)


def _seen(experience: Experience) -> Tensor:
    states = np.concatenate([experience.states, experience.next_states])
    return torch.from_numpy(np.stack([states.min(axis=0), states.max(axis=0)]))


@torch.no_grad()
def _regress(head: torch.nn.Linear, x: Tensor, y: Tensor) -> None:
    """Begin with the regression of y on x, rows scaled, and with the deviations it leaves.

    The ridge is worth one row: it decides between columns that say the same, as shares do, which sum to 1.
    """
    (_, inputs), n_slices = x.shape, y.shape[1]
    coefficients = torch.linalg.solve(x.t() @ x + torch.eye(inputs), x.t() @ y)
    head.weight[:n_slices, -inputs:] = coefficients.t()
    left = (y - x @ coefficients).square().mean(dim=0).sqrt().clamp(min=2.0 * FLOOR)
    head.bias[n_slices:] = torch.expm1(left - FLOOR).log()[: len(head.bias) - n_slices] - AT_ONE


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
    seen = _seen(experience)
    copied.seen[0].clamp_(max=seen[0])
    copied.seen[1].clamp_(min=seen[1])
    return copied


def _training(
    model: SequenceModel, experience: Experience
) -> tuple[Callable[[NDArray[np.int64]], Tensor], Callable[[], Tensor], int]:
    """The loss of given sequences, the loss of the held-out tail, and how many sequences there are before it."""
    config, network, cut = model.config, model.network, split(len(experience), model.config.fit.held_out_share)
    x = model.inputs(torch.from_numpy(np.concatenate([experience.states, experience.shares], axis=1)))
    y = model.targets(torch.from_numpy(experience.next_states))
    rows, there = (torch.from_numpy(each) for each in experience.contexts(config.context + 1))
    decisive = torch.from_numpy(looked_at(len(experience), config.fit))

    def each(sequences: Tensor) -> Tensor:
        read, present = rows[sequences], there[sequences]
        said = distribution(network(x[read], present), model.n_slices)
        return losses(config.head, said, y[read])

    def loss(sequences: NDArray[np.int64]) -> Tensor:
        chosen = torch.from_numpy(sequences)
        return each(chosen)[there[chosen]].mean()

    def held_out() -> Tensor:
        return each(decisive)[:, -1].mean()

    return loss, held_out, cut
