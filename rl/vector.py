"""Many cells of a scenario as one Gymnasium vector environment, stepped together in one compiled call."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

import netsim
from netsim.errors import InputError
from netsim.scenario import Scenario
from rl.env import ActionMode, Decisions, RewardMode


class SlicingVectorEnv(VectorEnv[NDArray[np.float32], Any, NDArray[np.float64]]):
    """B cells, cell b with seed ``seed + b``; each is what :class:`rl.env.SlicingEnv` is with that seed.

    All episodes have the same length, so all are truncated in the same step, and all are reset in the next one, whose
    actions are not used (``AutoresetMode.NEXT_STEP``). Every episode has seeds that none before it had.

    Parameters are those of :class:`~rl.env.SlicingEnv`, and

    num_envs
        B.
    threads
        How many threads share the cells; results do not depend on it.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        scenario: Scenario | str = "table1",
        *,
        num_envs: int = 1,
        action_mode: ActionMode = "discrete",
        reward: RewardMode = "reshaped",
        periods: int | None = None,
        threads: int = 1,
    ) -> None:
        loaded = scenario if isinstance(scenario, Scenario) else netsim.load_scenario(scenario)
        if num_envs < 1:
            raise InputError(f"num_envs must be at least 1, got {num_envs}")
        self.scenario, self.num_envs = loaded, num_envs
        self.periods = loaded.control.periods if periods is None else periods
        self.decisions = Decisions(loaded, action_mode, reward, self.periods)
        self.single_observation_space = self.decisions.observation_space
        self.single_action_space = self.decisions.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._batch = netsim.SimulationBatch(loaded, range(num_envs), threads=threads)
        self._first_seed: int | None = None
        self._over = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start all cells at time 0; ``seed`` is the first cell's, the others have those after it."""
        if isinstance(seed, list):
            raise InputError("seed must be one whole number, cell b has seed + b; got a list")
        if seed is None:
            seed = 0 if self._first_seed is None else self._first_seed + self.num_envs
        self._first_seed, self._over = seed, False
        reports = self._batch.reset(range(seed, seed + self.num_envs))
        return self._observation(reports.columns), self._info(reports)

    def step(self, actions: Any) -> tuple[Any, ...]:
        """Run the next period of every cell, or start all again where the last step ended the episodes."""
        if self._over:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), self._flags(False), self._flags(False), info
        if len(actions) != self.num_envs:
            raise InputError(f"there must be one action per cell, {self.num_envs}, got {len(actions)}")
        reports = self._batch.step([self.decisions.allocation(action) for action in actions])
        period = reports[0].period
        self._over = period >= self.periods
        rewards = np.array([self.decisions.reward(u, period) for u in reports.columns["utility"].tolist()])
        observation = self._observation(reports.columns)
        return observation, rewards, self._flags(False), self._flags(self._over), self._info(reports)

    def _flags(self, value: bool) -> NDArray[np.bool_]:
        return np.full(self.num_envs, value)

    def _observation(self, columns: dict[str, Any]) -> NDArray[np.float32]:
        return self.decisions.encoder(columns["arrived"])

    def _info(self, reports: netsim.simulation.Reports) -> dict[str, Any]:
        """``utility`` of shape ``(B,)``, ``ssr`` and ``allocation`` of shape ``(B, N)``, ``report`` B reports."""
        columns = reports.columns
        info = {"utility": columns["utility"], "ssr": columns["ssr"], "report": reports}
        return info | {"allocation": np.array([report.allocation for report in reports])}

    def close_extras(self, **kwargs: Any) -> None:
        """Let the threads go."""
        self._batch.close()
