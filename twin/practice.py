"""Lines 5 to 11 of Algorithm 1: an agent learns in a twin."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rl import draws
from rl.agents import Agent, Task
from rl.replay import Floats, Transitions
from rl.reward import Thresholds
from twin.digital_twin import DigitalTwin
from twin.imagination import Rollouts, Sweeps
from twin.loop_config import PracticeConfig

CHOICES = "twin-choices"
"""Purpose of random draws."""


class AsPredicted(Thresholds):
    """The reward of a twin that predicts rewards: what it says."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, 0.0)

    def reward(self, utility: ArrayLike, step: int) -> NDArray[np.float64]:
        """What was predicted."""
        return np.asarray(utility, np.float64)


def imagined_task(task: Task, settings: PracticeConfig) -> Task:
    """The task of an agent that practises: rewarded by U, or as the twin says where rewards are what it predicts."""
    return replace(task, thresholds=AsPredicted()) if settings.twin.outcome.target == "reward" else task


class Practice:
    """One agent's learning in one twin."""

    def __init__(
        self, twin: DigitalTwin, agent: Agent, settings: PracticeConfig, shares: Floats, step: int, whose: str
    ) -> None:
        """Prepare.

        Parameters
        ----------
        shares
            Of every allocation, shape ``(A, N)``.
        step
            Real interactions so far: the moment at which a growing threshold is taken.
        whose
            Keeps apart the draws of several practices of one agent.
        """
        self._twin, self._agent, self._settings = twin, agent, settings
        self._shares, self._step, self._whose = shares, step, whose
        self.imagined = 0
        """Imagined transitions so far; a sweep of B states and A allocations imagines B A."""

    def run(self) -> None:
        """All updates of one iteration."""
        if self._settings.practice == "sweeps":
            self._sweep()
        else:
            self._roll_out()

    # -- sweeps ------------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        settings, agent = self._settings, self._agent
        states = min(settings.sweep_states, agent.config.batch_size)
        reward = partial(agent.task.thresholds.reward, step=self._step)
        pool, seed = settings.sweep_pool, agent.task.seed
        sweeps = Sweeps(self._twin, self._shares, reward, pool, seed, self._whose, sampled=settings.sampled)
        for _ in range(settings.practice_updates):
            seen, rewards, following = sweeps.next(states)
            agent.sweep(seen, rewards, following)
            self.imagined += rewards.size

    # -- roll-outs ---------------------------------------------------------------------------------------------------

    def _roll_out(self) -> None:
        settings, agent = self._settings, self._agent
        rollouts = Rollouts(
            self._twin, settings.rollouts, settings.horizon, agent.task.seed, self._whose, sampled=settings.sampled
        )
        been_due = 0
        while been_due < settings.practice_updates:
            self._imagine(rollouts)
            due = min(self.imagined // settings.imagined_per_update, settings.practice_updates)
            for _ in range(due - been_due):
                agent.update(self._step)
            been_due = due

    def _imagine(self, rollouts: Rollouts) -> None:
        """One period of all roll-outs, remembered (lines 7 to 10)."""
        states, actions = rollouts.states, self._choose(rollouts)
        imagined = rollouts.step(self._shares[actions])
        self._agent.memory.extend(Transitions(states, actions, imagined.utilities, imagined.next_states))
        self.imagined += len(actions)

    def _choose(self, rollouts: Rollouts) -> NDArray[np.int64]:
        count = len(rollouts.states)
        actions = self._agent.act(rollouts.states)
        if self._settings.twin_epsilon:
            u = draws.uniform(self._agent.task.seed, CHOICES, rollouts.steps, 2 * count, self._whose)
            random = (u[count:] * len(self._shares)).astype(np.int64)
            actions = np.where(u[:count] < self._settings.twin_epsilon, random, actions)
        return actions
