"""An agent that learns while it controls: the outer loop of the paper, one observation period at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.hooks import hookimpl
from netsim.report import PeriodReport
from rl import draws
from rl.agents import Agent
from rl.loops import Groups, Reader
from rl.replay import Floats


class LearningController:
    """A controller that explores, remembers and learns through the hooks of a run.

    At the end of a period it remembers (s, a, U, s') and updates its agent; before the next one it takes a random
    allocation with probability epsilon and the agent's greedy one otherwise.
    """

    def __init__(self, agent: Agent, updates_per_interaction: int = 1) -> None:
        self.agent = agent
        self.interactions = 0
        """Periods played on the plant under an allocation of this controller."""
        self.loss: float | None = None
        """Of the last update."""
        self._updates = updates_per_interaction
        self._state: Floats = np.zeros(agent.task.n_slices, np.float32)
        self._action: int | None = None
        self._exploring = draws.Uniforms(agent.task.seed, draws.EXPLORATION, 2)

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        """Remember what the last allocation led to, and learn."""
        state = self.agent.task.encoder.state(report)
        if self._action is not None:
            self.agent.remember(self._state, self._action, report.utility, state)
            self.interactions += 1
            for _ in range(self._updates):
                self.loss = self.agent.update(self.interactions)
        self._state, self._action = state, None

    @hookimpl
    def decide_allocation(self) -> tuple[int, ...]:
        """The next period's units per slice."""
        task = self.agent.task
        explore, which = self._exploring(self.interactions)
        if explore < self.epsilon:
            self._action = int(which * task.n_actions)
        else:
            self._action = int(self.agent.act(self._state[None])[0])
        return task.allocation(self._action)

    @property
    def epsilon(self) -> float:
        """Probability that the next allocation is random."""
        return self.agent.config.epsilon(self.interactions)

    # -- what a training asks of a loop ------------------------------------------------------------------------------

    def ledger(self) -> dict[str, int]:
        """Nothing was imagined."""
        return {"imagined_transitions": 0, "gradient_steps": self.agent.updates}

    def figures(self) -> dict[str, Any]:
        """Nothing beside what every training tells."""
        return {}

    def seconds(self) -> dict[str, float]:
        """Nothing is timed apart."""
        return {}

    def to_groups(self) -> Groups:
        """The agent, its memory, and where the controller stands."""
        where: dict[str, NDArray[Any]] = {"interactions": np.array([self.interactions], np.int64), "state": self._state}
        return {"agent": self.agent.to_arrays(), "replay": self.agent.memory.to_arrays(), "controller": where}

    def restore(self, groups: Reader) -> None:
        """Become what :meth:`to_groups` kept."""
        self.agent.restore(groups.arrays("agent"))
        self.agent.memory.restore(groups.arrays("replay"))
        where = groups.arrays("controller")
        self.interactions = int(where["interactions"][0])
        self._state = np.array(where["state"], np.float32)
