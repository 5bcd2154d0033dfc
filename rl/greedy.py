"""How good an agent's greedy policy is, on seeds it has not learned from: many cells of a scenario in lockstep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import netsim
from netsim.scenario import Scenario
from netsim.statistics import Figure, proportion, ratio
from rl.agents import Policy

HELD_OUT_SEED = 1 << 62
"""Seeds from here on are for evaluation while training goes on; users choose from below."""


@dataclass(frozen=True)
class Played:
    """What B cells gave, each with a seed of its own."""

    utilities: NDArray[np.float64]
    """Mean U of each cell, shape ``(B,)``."""
    rewards: NDArray[np.float64]
    """Mean reward of each cell at the full-grown threshold, g = gmax, shape ``(B,)``."""
    satisfied: NDArray[np.int64]
    """Packets per cell and slice, shape ``(B, N)``."""
    resolved: NDArray[np.int64]
    """Shape ``(B, N)``."""
    se_capacity: NDArray[np.float64]
    """Mean SE granted in each cell, bit/s/Hz, shape ``(B,)``."""
    se_carried: NDArray[np.float64]
    """Mean SE of what was sent in each cell, bit/s/Hz, shape ``(B,)``."""

    @property
    def utility(self) -> Figure:
        """Mean U, with its interval over cells."""
        return mean_over_seeds(self.utilities)

    def figures(self, slice_names: Sequence[str]) -> dict[str, Any]:
        """U and SSR per slice, with their intervals over cells, as plain values."""
        ssr = {name: self.ssr(n).to_dict() for n, name in enumerate(slice_names)}
        return {"utility": self.utility.to_dict(), "ssr": ssr}

    def summary(self, slice_names: Sequence[str]) -> dict[str, Any]:
        """U, reward, SE and SSR per slice as the summary of a run has them, the intervals over cells."""
        cells = {
            "utility": self.utilities,
            "reward": self.rewards,
            "se_capacity": self.se_capacity,
            "se_carried": self.se_carried,
        }
        slices = {name: {"ssr": self.ssr(n).to_dict()} for n, name in enumerate(slice_names)}
        return {**{name: mean_over_seeds(each).to_dict() for name, each in cells.items()}, "slices": slices}

    def ssr(self, n: int) -> Figure:
        """SSR of a slice, pooled, with its interval over cells."""
        return proportion(self.satisfied[:, n], self.resolved[:, n])


class GreedyEvaluation:
    """Plays greedy policies on the same held-out cells, so that policies meet the same packets and fading."""

    def __init__(self, scenario: Scenario, seeds: Sequence[int], periods: int) -> None:
        """Use one cell per seed, for ``periods`` periods after the one under the initial allocation."""
        self.scenario, self.periods = scenario, periods
        self._batch = netsim.SimulationBatch(scenario, seeds)

    def play(self, agent: Policy) -> Played:
        """Play the greedy policy of an agent, or a student's, from time 0."""
        columns = self._batch.reset().columns
        settled = agent.task.thresholds.settled
        total, rewards, se_capacity, se_carried = sums = np.zeros((4, len(self._batch)))
        satisfied, resolved = (np.zeros(columns["arrived"].shape, np.int64) for _ in range(2))
        for _ in range(self.periods):
            actions = agent.act(agent.task.encoder(columns["arrived"]))
            columns = self._batch.step([agent.task.allocation(action) for action in actions]).columns
            total += columns["utility"]
            rewards += settled.reward(columns["utility"], 0)
            se_capacity += columns["se_capacity"]
            se_carried += columns["se_carried"]
            satisfied += columns["satisfied"]
            resolved += columns["satisfied"] + columns["slow"] + columns["late"] + columns["dropped"]
        utilities, rewards, se_capacity, se_carried = sums / self.periods
        return Played(utilities, rewards, satisfied, resolved, se_capacity, se_carried)


@dataclass(frozen=True)
class HeldOutSeeds:
    """Seeds that nothing was learned from, and how long policies are played on each."""

    periods: int
    first_seed: int
    seeds: int

    def evaluation(self, scenario: Scenario) -> GreedyEvaluation:
        """What plays policies on them."""
        return GreedyEvaluation(scenario, range(self.first_seed, self.first_seed + self.seeds), self.periods)

    def to_dict(self) -> dict[str, Any]:
        """As results hold it: the periods, the first seed and the last."""
        return {"periods": self.periods, "seeds": [self.first_seed, self.first_seed + self.seeds - 1]}


def mean_over_seeds(values: ArrayLike) -> Figure:
    """The mean of independent runs with Student's 95 % interval.

    >>> mean_over_seeds([1.0, 2.0, 3.0]).mean
    2.0
    """
    return ratio(values, np.ones(np.shape(values)))
