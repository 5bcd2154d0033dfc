"""The reward model of a twin: what the next period brings, given the state and an allocation.

It is an ensemble of small networks, each fitted to a bootstrap sample of the transitions. Their mean predicts SSR, SE,
backlog and latency, and from SSR and SE follows U (eq. 5); how far they disagree says what is not known yet. One member
without a bootstrap is the paper's DNN R (eq. 7, second line), which may also predict the reward itself.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from netsim.scenario import Scenario
from rl.agents.base import Width, arrays_into_tensors, tensors_to_arrays
from rl.replay import Arrays
from rl.settings import Settings
from twin.fitting import FitConfig, FitReport, Scaling
from twin.models.members import PER_SLICE, SE, Joint, Sliced

LEAST_DEVIATION = 1e-3
"""Of a utility: the Gaussian head says no less, so that one period that was foreseen exactly decides nothing."""


class OutcomeConfig(Settings):
    """How outcomes are predicted."""

    target: Literal["outcome", "reward"] = "outcome"
    """What is predicted: SSR, SE and with them U; or, as the paper writes, the reward alone."""
    head: Literal["gaussian", "point"] = "gaussian"
    """Whether the spread of U is predicted for each state and allocation, or one spread is taken for all."""
    structure: Literal["sliced", "joint"] = "sliced"
    """Whether a slice's outcome is predicted from its own load and share, or from those of all slices."""
    members: Annotated[int, Field(ge=1, le=100)] = 8
    """Networks, each fitted to a bootstrap sample if there are several."""
    hidden: tuple[Width, ...] = (32, 32)
    """Widths of the hidden layers of each."""
    fit: FitConfig = FitConfig()

    @model_validator(mode="after")
    def _rewards_are_of_all_slices(self) -> Self:
        if self.target == "reward" and self.structure == "sliced":
            raise ValueError("a reward is no sum over slices: a target `reward` needs a structure `joint`")
        return self


@dataclass(frozen=True)
class Objective:
    """U = alpha se + sum of beta_n SSR_n (eq. 5)."""

    alpha: float
    weights: tuple[float, ...]
    carried: bool
    """Whether se is what was carried, not the capacity."""

    @classmethod
    def of(cls, scenario: Scenario) -> "Objective":
        """That of a scenario."""
        settings = scenario.utility
        count = len(scenario.slices) if settings.alpha_per_slice else 1
        return cls(
            settings.alpha * count, tuple(part.weight for part in scenario.slices.values()), settings.se == "carried"
        )

    def __call__(self, ssr: Tensor, se: Tensor) -> Tensor:
        """U for SSR of shape ``(..., N)`` and both SE, capacity and carried, of shape ``(..., 2)``."""
        return ssr @ ssr.new_tensor(self.weights) + self.alpha * se[..., int(self.carried)]


class Spread(NamedTuple):
    """What U may be in B periods."""

    mean: Tensor
    """Shape ``(B,)``."""
    deviation: Tensor
    """Shape ``(B,)``: of the period's own chances, and of the members' disagreement."""


class Outcome(NamedTuple):
    """What is predicted for B periods: means over the ensemble, shape ``(B,)`` or ``(B, N)``."""

    utility: Spread
    """U; the reward where that is what is predicted, and then all that follow are NaN."""
    ssr: Tensor
    se_capacity: Tensor
    se_carried: Tensor
    backlog_packets: Tensor
    backlog_bits: Tensor
    latency_mean_ms: Tensor


class OutcomeModel:
    """Predicts outcomes; :mod:`twin.models.outcome_fit` fits it."""

    def __init__(self, config: OutcomeConfig, objective: Objective, n_slices: int) -> None:
        self.config, self.objective, self.n = config, objective, n_slices
        self.network: Joint | Sliced
        if config.structure == "sliced":
            self.network = Sliced(config.members, n_slices, config.hidden)
        else:
            self.network = Joint(config.members, n_slices, config.hidden, self._outputs)
        self.inputs, self.continuous = (Scaling(torch.zeros(k), torch.ones(k)) for k in (n_slices, self._continuous))
        self.spread = torch.tensor(1.0)
        """Standard deviation of U, or of the reward, in what the model was fitted to; a point head's only one."""
        self.residuals = torch.tensor([-1.0, 1.0])
        """(U - predicted) / deviation of transitions that the members which predicted had not seen, in order."""
        self.fitted: FitReport | None = None

    @property
    def _continuous(self) -> int:
        """Columns that are predicted by squared error: two SE, and backlog in packets and bits and latency a slice."""
        return 1 if self.config.target == "reward" else SE + PER_SLICE * self.n

    @property
    def _outputs(self) -> int:
        """Those of a network, its deviation apart."""
        return 1 if self.config.target == "reward" else self.n + self._continuous

    # -- predicting --------------------------------------------------------------------------------------------------

    def features(self, states: Tensor, shares: Tensor) -> Tensor:
        """State, share and logarithm of the share of each slice on comparable scales, shape ``(B, N, 3)``."""
        return torch.stack([self.inputs(states), 2.0 * shares - 0.6, shares.log() / 2.0 + 0.75], dim=-1)

    def members_outputs(self, features: Tensor) -> Tensor:
        """Outputs of all members for the same features, shape ``(E, B, outputs + 1)``."""
        outputs: Tensor = self.network(features.expand(self.config.members, -1, -1, -1))
        return outputs

    @torch.no_grad()
    def predict(self, states: Tensor, shares: Tensor) -> Outcome:
        """Outcomes of B allocations in B states, both of shape ``(B, N)``."""
        x = self.features(states, shares)
        outputs = self.members_outputs(x)
        utility = self._spread_of(*self.utilities_of(outputs))
        if self.config.target == "reward":
            nothing = torch.full_like(states, math.nan)
            return Outcome(utility, nothing, nothing[:, 0], nothing[:, 0], nothing, nothing, nothing)
        ssr, continuous = self.parted(outputs)
        means = self.continuous.back(continuous).mean(dim=0)
        se, (packets, bits, latency) = means[:, :2], torch.chunk(means[:, 2:], 3, dim=1)
        # Backlog and latency are predicted as logarithms.
        logarithms = [torch.expm1(part).clamp_min(0.0) for part in (packets, bits, latency)]
        return Outcome(utility, torch.sigmoid(ssr).mean(dim=0), se[:, 0], se[:, 1], *logarithms)

    @torch.no_grad()
    def utility(self, states: Tensor, shares: Tensor) -> Spread:
        """U alone of B allocations in B states, both of shape ``(B, N)``."""
        features = self.features(states, shares)
        outputs = self.network.brief(features.expand(self.config.members, -1, -1, -1))
        return self._spread_of(*self.utilities_of(outputs))

    @torch.no_grad()
    def sweep(self, states: Tensor, shares: Tensor) -> Spread:
        """U of every one of A allocations, shape ``(A, N)``, in each of B states, shape ``(B, N)``: both ``(B, A)``."""
        each = [self._spread_of(*self.utilities_of(outputs)) for outputs in self._of_all(states, shares)]
        return Spread(*(torch.stack(part) for part in zip(*each, strict=True)))

    def _of_all(self, states: Tensor, shares: Tensor) -> Iterator[Tensor]:
        if not isinstance(self.network, Sliced):
            yield from (self.members_outputs(self.features(state.expand(len(shares), -1), shares)) for state in states)
            return
        levels, which = torch.unique(shares, return_inverse=True)
        every = (len(states), len(levels), self.n)
        x = self.features(states[:, None].expand(every), levels[:, None].expand(every))
        yield from self.network.of_all(x.expand(self.config.members, *x.shape), which)

    def utilities_of(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Each member's mean and deviation of U, shape ``(E, B)``."""
        deviation = self.spread * torch.ones_like(outputs[..., -1])
        if self.config.head == "gaussian":
            deviation = self.spread * outputs[..., -1] + LEAST_DEVIATION
        if self.config.target == "reward":
            return self.continuous.back(outputs[..., :1])[..., 0], deviation
        se = outputs[..., self.n : self.n + SE] * self.continuous.deviation[:SE] + self.continuous.mean[:SE]
        return self.objective(torch.sigmoid(outputs[..., : self.n]), se), deviation

    def _spread_of(self, means: Tensor, deviations: Tensor) -> Spread:
        """The ensemble's mean and deviation: a mixture's."""
        variance = (deviations**2).mean(dim=0) + means.var(dim=0, correction=0)
        return Spread(means.mean(dim=0), variance.sqrt())

    def parted(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of SSR, and what is predicted by squared error."""
        return outputs[..., : self.n], outputs[..., self.n : self.n + self._continuous]

    def residual(self, levels: Tensor) -> Tensor:
        """Quantiles at levels from 0 to 1 of (U - mean) / deviation, same shape.

        What was left unexplained in transitions that nothing was fitted to says how U spreads about its mean, so the
        quantiles hold whatever the shape of that spread is.
        """
        at = levels * (len(self.residuals) - 1)
        below = at.floor().long().clamp(0, len(self.residuals) - 2)
        left, right = self.residuals[below], self.residuals[below + 1]
        return left + (right - left) * (at - below)

    def quantile(self, utility: Spread, levels: Tensor) -> Tensor:
        """Quantiles of U, shape ``(B,)``, at levels of that shape or one for all."""
        return utility.mean + utility.deviation * self.residual(levels)

    def interval(self, utility: Spread, level: float) -> tuple[Tensor, Tensor]:
        """The central interval that holds U with probability ``level``, shape ``(B,)`` both ends."""
        tail = (1.0 - level) / 2.0
        low, high = (self.quantile(utility, utility.mean.new_tensor(q)) for q in (tail, 1.0 - tail))
        return low, high

    # -- keeping -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, scaling, residuals, and how the fit went."""
        arrays = tensors_to_arrays(dict(self.network.named_parameters()))
        arrays |= {"spread": self.spread.numpy().reshape(1).copy(), "residuals": self.residuals.numpy().copy()}
        arrays |= self.inputs.to_arrays("inputs") | self.continuous.to_arrays("continuous")
        if self.fitted is not None:
            arrays["fitted"] = self.fitted.to_array()
        return arrays

    @classmethod
    def from_arrays(cls, config: OutcomeConfig, objective: Objective, n: int, arrays: Arrays) -> "OutcomeModel":
        """What :meth:`to_arrays` gave.

        Raises
        ------
        KeyError, ValueError
            An array is missing, or of another shape or type.
        """
        model = cls(config, objective, n)
        with torch.no_grad():
            arrays_into_tensors(arrays, dict(model.network.named_parameters()))
        model.fitted = FitReport.from_array(arrays["fitted"]) if "fitted" in arrays else None
        model.spread = torch.from_numpy(np.array(arrays["spread"])).reshape(())
        model.residuals = torch.from_numpy(np.array(arrays["residuals"]))
        model.inputs = Scaling.from_arrays("inputs", arrays)
        model.continuous = Scaling.from_arrays("continuous", arrays)
        return model
