"""Slicing as a Gymnasium environment, over any plant."""

from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

import netsim
from netsim import allocations
from netsim.errors import InputError
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from netsim.simulation import Plant
from rl.observation import Encoder
from rl.reward import Thresholds

ActionMode = Literal["discrete", "shares"]
RewardMode = Literal["reshaped", "utility"]


class Decisions:
    """What an environment of a scenario offers: its spaces, and what an action means.

    Raises
    ------
    InputError
        An unknown mode, or episodes of no period.
    """

    def __init__(self, scenario: Scenario, action_mode: ActionMode, reward_mode: RewardMode, horizon: int) -> None:
        if action_mode not in ("discrete", "shares"):
            raise InputError(f"action_mode must be 'discrete' or 'shares', got {action_mode!r}")
        if reward_mode not in ("reshaped", "utility"):
            raise InputError(f"reward must be 'reshaped' or 'utility', got {reward_mode!r}")
        if horizon < 1:
            raise InputError(f"periods must be at least 1, got {horizon}")
        self.units, self.n = scenario.carrier.units, len(scenario.slices)
        self.encoder = Encoder.of(scenario)
        self.thresholds = Thresholds.of(scenario, horizon) if reward_mode == "reshaped" else None
        self.observation_space = spaces.Box(np.zeros(self.n, np.float32), self.encoder.high, dtype=np.float32)
        self.action_space: spaces.Space[Any] = spaces.Box(0.0, 1.0, (self.n,), np.float32)
        if action_mode == "discrete":
            self.action_space = spaces.Discrete(allocations.count(self.units, self.n))

    def allocation(self, action: Any) -> tuple[int, ...]:
        """The allocation that an action stands for: its number, or weights rounded by largest remainder.

        Raises
        ------
        InputError
            It is not in the action space.
        """
        if isinstance(self.action_space, spaces.Discrete):
            if not self.action_space.contains(action):
                raise InputError(f"action must be a whole number from 0 to {self.action_space.n - 1}, got {action!r}")
            return allocations.unrank(int(action), self.units, self.n)
        weights = np.asarray(action, np.float64)
        if weights.shape != (self.n,) or not np.isfinite(weights).all() or (weights < 0).any():
            raise InputError(f"action must be {self.n} finite weights of at least 0, got {action!r}")
        return allocations.largest_remainder(weights, self.units)

    def reward(self, utility: float, period: int) -> float:
        """The reward of a period: U, or U reshaped by the threshold of that period (eq. 6)."""
        return utility if self.thresholds is None else float(self.thresholds.reward(utility, period))


class SlicingEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """Splits a carrier between slices, once per observation period.

    The observation is log(1 + packets arrived) per slice on a fixed scale, shape ``(N,)``. The task has no end;
    episodes are truncated after ``periods``. A reset without a seed goes on with the next seed.

    Parameters
    ----------
    scenario
        A scenario, a shipped name, or a file.
    action_mode
        ``"discrete"``: the number of an allocation, in lexicographic order. ``"shares"``: a weight per slice, rounded
        to units by largest remainder.
    reward
        ``"reshaped"``: eq. 6, t the period of the episode, the threshold full-grown at two thirds of it unless the
        scenario gives its growth. ``"utility"``: U.
    periods
        Length of an episode; without it the scenario's ``control.periods``.
    plant
        What to act on, instead of a simulation of the scenario.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # as gymnasium declares it

    def __init__(
        self,
        scenario: Scenario | str = "table1",
        *,
        action_mode: ActionMode = "discrete",
        reward: RewardMode = "reshaped",
        periods: int | None = None,
        plant: Plant | None = None,
    ) -> None:
        loaded = scenario if isinstance(scenario, Scenario) else netsim.load_scenario(scenario)
        self.scenario = loaded
        self.periods = loaded.control.periods if periods is None else periods
        self.decisions = Decisions(loaded, action_mode, reward, self.periods)
        self.observation_space, self.action_space = self.decisions.observation_space, self.decisions.action_space
        self.plant: Plant = netsim.Simulation(loaded) if plant is None else plant
        self._plant_seed: int | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start again at time 0 and run period 0 under the scenario's initial allocation."""
        super().reset(seed=seed)
        self._plant_seed = next_seed(self._plant_seed, seed)
        report = self.plant.reset(self._plant_seed)
        return self.decisions.encoder.state(report), info_of(report)

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Run the next period under an allocation."""
        report = self.plant.step(self.decisions.allocation(action))
        reward = self.decisions.reward(report.utility, report.period)
        return self.decisions.encoder.state(report), reward, False, report.period >= self.periods, info_of(report)


def next_seed(before: int | None, given: int | None) -> int:
    """The seed of the next episode: the one given, else the one after that of the episode before."""
    if given is not None:
        return given
    return 0 if before is None else before + 1


def info_of(report: PeriodReport) -> dict[str, Any]:
    """What a step tells beside observation and reward."""
    return {"utility": report.utility, "ssr": report.ssr, "allocation": report.allocation, "report": report}
