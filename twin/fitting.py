"""Fitting networks to recorded transitions: Adam, batches drawn by number, early stopping on a held-out tail."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from netsim.errors import RunError
from rl import draws
from rl.networks import Parameters
from rl.optimiser import Adam
from rl.settings import Settings, Whole

Gradient = Callable[[NDArray[np.int64]], None]
"""Writes dL/dtheta of the transitions whose numbers it is given over every parameter's ``grad``."""

BATCHES, WEIGHTS = "twin-batches", "twin-weights"
"""Purposes of random draws."""


class FitConfig(Settings):
    """How a network of a twin is fitted."""

    steps: Whole = 2000
    """Gradient steps at most."""
    batch_size: Whole = 128
    """Transitions in each."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    """Step size of Adam."""
    held_out_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """The newest share of the transitions, on which it is decided when to stop."""
    held_out_most: Whole = 512
    """Those of them that are looked at, evenly spread; looks at all would take longer than a long record's fit."""
    check_every: Whole = 25
    """Steps between looks at the held-out loss; the last step is followed by one in any case."""
    patience: Whole = 12
    """Looks without an improvement after which fitting ends."""


@dataclass(frozen=True)
class FitReport:
    """How a fit went."""

    steps: int
    """Gradient steps done."""
    best_step: int
    """After which the weights that were kept stood."""
    loss: float
    """Held-out loss of those weights."""

    def to_array(self) -> NDArray[np.float64]:
        """To be kept with the weights."""
        return np.array([self.steps, self.best_step, self.loss])

    @classmethod
    def from_array(cls, kept: NDArray[np.float64]) -> "FitReport":
        """What :meth:`to_array` gave."""
        steps, best_step, loss = map(float, kept)
        return cls(int(steps), int(best_step), loss)


def split(rows: int, share: float) -> int:
    """Where the held-out tail begins: at least one transition on either side where there are two."""
    return max(1, min(rows - 1, round(rows * (1.0 - share))))


def looked_at(rows: int, config: FitConfig) -> NDArray[np.int64]:
    """The held-out transitions that decide, of ``rows``.

    >>> looked_at(100, FitConfig(held_out_share=0.1, held_out_most=4)).tolist()
    [90, 92, 95, 97]
    """
    tail = np.arange(split(rows, config.held_out_share), rows)
    most = min(config.held_out_most, len(tail))
    return tail[np.arange(most) * len(tail) // most]


def batch_of(rows: int, config: FitConfig) -> int:
    """Transitions in a batch where there are ``rows``."""
    return min(config.batch_size, rows)


def fit(
    network: torch.nn.Module,
    loss: Callable[[NDArray[np.int64]], Tensor],
    held_out: Callable[[], Tensor],
    rows: int,
    config: FitConfig,
    seed: int,
    whose: str,
    gradient: Gradient | None = None,
) -> FitReport:
    """Fit a network, and leave it with the weights of the lowest held-out loss.

    Parameters
    ----------
    loss
        Of the transitions whose numbers it is given.
    held_out
        Loss on the held-out tail.
    rows
        Transitions to learn from, numbered from 0.
    seed, whose
        Of the batches: a function of both and of the step.
    gradient
        That of ``loss``, where it is written out; else it is autograd's.

    Raises
    ------
    RunError
        A loss is not finite.
    """
    theta = _flattened(network)
    adam = Adam(theta, config.learning_rate)
    for name, weight in network.named_parameters():
        weight.grad = adam.gradients[name]
    best, best_step, kept = _checked(held_out, whose), 0, theta.flat.clone()
    gradient = gradient or _autograd(loss, adam.gradients)
    step, batch = 0, batch_of(rows, config)
    while step < config.steps and step - best_step < config.patience * config.check_every:
        drawn = draws.uniform(seed, BATCHES, step, batch, whose)
        gradient((drawn * rows).astype(np.int64))
        adam.step()
        step += 1
        if step % config.check_every and step != config.steps:
            continue
        if (now := _checked(held_out, whose)) < best:
            best, best_step, kept = now, step, theta.flat.clone()
    theta.flat.copy_(kept)
    for weight in network.parameters():
        weight.grad = None
    return FitReport(step, best_step, best)


def _autograd(loss: Callable[[NDArray[np.int64]], Tensor], gradients: Parameters) -> Gradient:
    """The gradient of a loss that is given in the form that autograd follows."""

    def gradient(places: NDArray[np.int64]) -> None:
        gradients.flat.zero_()
        loss(places).backward()  # type: ignore[no-untyped-call]

    return gradient


def _flattened(network: torch.nn.Module) -> Parameters:
    """The network's parameters, now views of one vector."""
    theta = Parameters({name: tuple(weight.shape) for name, weight in network.named_parameters()})
    for name, weight in network.named_parameters():
        theta[name].copy_(weight.detach())
        weight.data = theta[name]
    return theta


def _checked(held_out: Callable[[], Tensor], whose: str) -> float:
    with torch.no_grad():
        loss = float(held_out())
    if not math.isfinite(loss):
        raise RunError(f"{whose}: the held-out loss is {loss}; try a smaller learning_rate")
    return loss


def draw_weights(network: torch.nn.Module, seed: int, whose: str) -> None:
    """Matrices uniform within 1 / sqrt(columns); vectors that are called bias 0, others as they are.

    The columns of weights are inputs. The biases of an ensemble are matrices too, a row for each member: their columns
    are outputs.
    """
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() >= 2:
                u = draws.uniform(seed, WEIGHTS, 0, weight.numel(), f"{whose} {name}")
                bound = 1.0 / math.sqrt(weight.shape[-1])
                weight.copy_(torch.from_numpy((2.0 * u - 1.0) * bound).view(weight.shape))
            elif name.endswith("bias"):
                weight.zero_()


@dataclass(frozen=True)
class Scaling:
    """Columns brought to mean 0 and standard deviation 1, as they were in what a network was fitted to."""

    mean: Tensor
    """Shape ``(columns,)``."""
    deviation: Tensor
    """Shape ``(columns,)``, at least a small share of the mean."""

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Scaling":
        """That of the rows of ``values``, NaN left out; columns that do not vary keep their unit."""
        there = ~np.isnan(values)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, values, 0.0).sum(axis=0, dtype=np.float64) / count
        deviation = np.sqrt((np.where(there, values - mean, 0.0) ** 2).sum(axis=0, dtype=np.float64) / count)
        deviation = np.where(deviation > 1e-6 * (1.0 + np.abs(mean)), deviation, 1.0)
        return cls(torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32))

    def __call__(self, values: Tensor) -> Tensor:
        """Scaled values."""
        return (values - self.mean) / self.deviation

    def back(self, values: Tensor) -> Tensor:
        """What was scaled."""
        return values * self.deviation + self.mean

    def to_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """To be kept with the weights."""
        return {f"{name}.mean": self.mean.numpy().copy(), f"{name}.deviation": self.deviation.numpy().copy()}

    @classmethod
    def from_arrays(cls, name: str, arrays: Any) -> "Scaling":
        """What :meth:`to_arrays` gave."""
        return cls(*(torch.from_numpy(np.array(arrays[f"{name}.{part}"])) for part in ("mean", "deviation")))
