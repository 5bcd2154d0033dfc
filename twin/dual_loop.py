"""Algorithm 1 of the paper: an agent that controls the network, and one that practises on a twin of it.

:class:`DualLoop` is a controller; the method :meth:`DualLoop._algorithm_1` is the listing, line by line. It is a
generator that yields the allocation of the next period and is sent the report of it.
"""

from collections.abc import Generator, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from netsim.hooks import hookimpl
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from rl import draws
from rl.agents import AgentConfig, Task, make_agent
from rl.loops import Groups, Reader
from rl.replay import Floats
from twin.digital_twin import DigitalTwin
from twin.experience import Log
from twin.loop_config import DualLoopConfig
from twin.practice import Practice, imagined_task
from twin.synchronisation import Watch
from twin.timing import CpuTimes

SECOND = "second agent"
"""Keeps the draws of the agent that practises apart from those of the one that controls."""
Play = Generator[tuple[int, ...], PeriodReport, None]


@dataclass
class Place:
    """Where Algorithm 1 stands, between two periods of the network."""

    iteration: int = 1
    """I."""
    collected: int = 0
    """Transitions of line 3 in this iteration."""
    practised: int = 0
    """1 once lines 4 to 12 of this iteration are done."""
    trained: int = 0
    """Steps of line 14 in this iteration."""


class DualLoop:
    """Two agents and a twin; the first agent controls the network through the hooks of a run."""

    Config: ClassVar[type[DualLoopConfig]] = DualLoopConfig

    def __init__(
        self,
        scenario: Scenario,
        task: Task,
        agent: str,
        config: AgentConfig,
        settings: DualLoopConfig,
        device: str = "cpu",
    ) -> None:
        self._scenario, self._task, self.settings = scenario, task, settings
        self.agent = make_agent(agent, _rewarded(task, settings.real_threshold), config, device)
        # Line 1: theta_2 = theta_1.
        imagined = imagined_task(_rewarded(task, settings.twin_threshold), settings)
        self.second = make_agent(agent, imagined, config, device, SECOND)
        self.second.empower(self.agent.parameters.flat, keep=0.0)
        self.twin: DigitalTwin | None = None
        self.interactions = 0
        self.loss: float | None = None
        self._log = Log(task.n_slices, settings.memory)
        self._watch = Watch(settings.drift) if settings.refit == "drift" else None
        self._place = Place()
        self._spent = {"imagined_transitions": 0, "twin_fits": 0, "twin_gradient_steps": 0, "alarms": 0}
        self._times = CpuTimes("twin_fit", "practice")
        self._exploring = draws.Uniforms(task.seed, draws.EXPLORATION, 2)
        self._shares = task.shares()
        self._state: Floats = np.zeros(task.n_slices, np.float32)
        self._playing: Play | None = None
        self._decided: tuple[int, ...] = ()
        self._asked = False

    # -- a controller ------------------------------------------------------------------------------------------------

    @hookimpl
    def decide_allocation(self) -> tuple[int, ...]:
        """The next period's units per slice."""
        if self._playing is None:  # at the beginning, where a checkpoint stood, or after another's period
            self._playing = self._algorithm_1()
            self._decided = next(self._playing)
        self._asked = True
        return self._decided

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        """Go on with Algorithm 1 until the next allocation is to be decided."""
        if self._playing is not None and self._asked:
            self._decided = self._playing.send(report)
        else:  # nobody asked: period 0, or one that another controller decided
            self._playing, self._state = None, self._task.encoder.state(report)
        self._asked = False

    @property
    def epsilon(self) -> float:
        """Probability that the next allocation is random."""
        settings = self.settings
        if settings.epsilon is None:
            return self.agent.config.epsilon(self.interactions)
        return settings.epsilon if self._place.practised else settings.collect_epsilon

    # -- the listing -------------------------------------------------------------------------------------------------

    def _algorithm_1(self) -> Play:
        """Algorithm 1 from where it stands."""
        place = self._place
        while True:  # 2
            while place.collected < self._to_collect and not place.practised:  # 3
                yield from self._interact(learning=self.settings.share_collected)
                place.collected += 1
            if not place.practised:
                self._fit_twin()  # 4
                self._practise()  # 5 to 11
                self.agent.empower(self.second.parameters.flat, keep=self.settings.zeta)  # 12, eq. 8
                place.practised = 1
            while self._goes_on():  # 13, 14
                yield from self._interact(learning=True)  # 15 to 18
                place.trained += 1
            self.second.empower(self.agent.parameters.flat, keep=0.0)  # 20
            self._forget_what_was()
            place.iteration, place.collected, place.practised, place.trained = place.iteration + 1, 0, 0, 0

    def _goes_on(self) -> bool:
        """Whether another step of agent 1 on the network belongs to this iteration."""
        if self._watch is None:
            return self._place.trained < self.settings.real_steps
        return not self._watch.alarmed

    def _forget_what_was(self) -> None:
        """After a change, what was recorded before it is of another network."""
        if self._watch is None or self._watch.alarm is None:
            return
        self._spent["alarms"] += 1
        self._log.keep(self._watch.alarm.lasted_periods)
        self._watch.end()
        self.twin = None
        for agent in (self.agent, self.second):
            agent.memory.forget()

    def _interact(self, *, learning: bool) -> Play:
        """One period of the network: choose, play, record, and learn from it (lines 15 to 18)."""
        state, action = self._state, self._choose()
        report = yield self._task.allocation(action)
        self._state = self._task.encoder.state(report)
        self.interactions += 1
        self._log.add(state, self._shares[action], report, self._state)
        if self._watch is not None:
            self._watch.see(state, self._shares[action], report.utility, self._state)
        if learning:
            self.agent.remember(state, action, report.utility, self._state)
            for _ in range(self.settings.real_updates):
                self.loss = self.agent.update(self.interactions)

    def _choose(self) -> int:
        explore, which = self._exploring(self.interactions)
        if explore < self.epsilon:
            return int(which * self._task.n_actions)
        return int(self.agent.act(self._state[None])[0])

    def _fit_twin(self) -> None:
        """Line 4: fit the twin to what was recorded (eq. 7)."""
        settings, place = self.settings, self._place
        experience = self._log.experience()
        thresholds = _rewarded(self._task, settings.twin_threshold).thresholds
        rewards = thresholds.reward(experience.utility, self.interactions)
        with self._times.of("twin_fit"):
            self.twin = DigitalTwin.fit(
                experience,
                self._scenario,
                self._task.encoder,
                settings.twin,
                self._task.seed,
                f"iteration {place.iteration}",
                rewards,
                self.twin if settings.warm else None,
            )
        self._spent["twin_gradient_steps"] += self.twin.gradient_steps
        self._spent["twin_fits"] += 1
        if self._watch is not None:
            self._watch.begin(self.twin, experience)

    def _practise(self) -> None:
        """Lines 5 to 11: agent 2 learns in the twin."""
        assert self.twin is not None
        if not self.settings.keep_imagined:
            self.second.memory.forget()
        whose = f"iteration {self._place.iteration}"
        with self._times.of("practice"):
            practice = Practice(self.twin, self.second, self.settings, self._shares, self.interactions, whose)
            practice.run()
        self._spent["imagined_transitions"] += practice.imagined

    @property
    def _to_collect(self) -> int:
        """M; where there is no twin, at first or after a change, it may be another number."""
        first = self.settings.first_collect
        return self.settings.collect if self.twin is not None or first is None else first

    # -- what a training asks of a loop ------------------------------------------------------------------------------

    def ledger(self) -> dict[str, int]:
        """Imagined transitions, gradient steps of both agents, and fits of the twin with their gradient steps."""
        return {"gradient_steps": self.agent.updates + self.second.updates, **self._spent}

    def figures(self) -> dict[str, Any]:
        """The iteration, and the held-out losses of the twin's last fit."""
        twin = self.twin
        fitted = [None, None] if twin is None else [twin.states.fitted, twin.outcomes.fitted]
        losses = [None if each is None else each.loss for each in fitted]
        return {
            "iteration": self._place.iteration,
            "twin": dict(zip(("state_loss", "outcome_loss"), losses, strict=True)),
        }

    def seconds(self) -> dict[str, float]:
        """Process time of fitting twins and of practising in them."""
        return self._times.to_dict()

    def to_groups(self) -> Groups:
        """Both agents and memories, what was recorded, the twin, and where the algorithm stands."""
        counts = [self.interactions, *astuple(self._place), *self._spent.values()]
        groups: dict[str, Mapping[str, NDArray[Any]]] = {
            "agent": self.agent.to_arrays(),
            "replay": self.agent.memory.to_arrays(),
            "second": self.second.to_arrays(),
            "second_replay": self.second.memory.to_arrays(),
            "experience": self._log.to_arrays(),
            "loop": {"counts": np.array(counts, np.int64), "state": self._state},
            "twin": {} if self.twin is None else self.twin.to_arrays(),
        }
        if self._watch is not None:
            groups["watch"] = self._watch.to_arrays()
        return groups

    def restore(self, groups: Reader) -> None:
        """Become what :meth:`to_groups` kept."""
        for agent, name in ((self.agent, ""), (self.second, "second_")):
            agent.restore(groups.arrays("agent" if not name else "second"))
            agent.memory.restore(groups.arrays(f"{name}replay"))
        where = groups.arrays("loop")
        counts = [int(count) for count in where["counts"]]
        self.interactions, self._place = counts[0], Place(*counts[1:5])
        self._spent = dict(zip(self._spent, counts[5:], strict=True))
        self._state = np.array(where["state"], np.float32)
        self._log.restore(groups.arrays("experience"))
        if len(arrays := groups.arrays("twin")):
            self.twin = DigitalTwin.from_arrays(self.settings.twin, self._scenario, self._task.encoder, arrays)
        if self._watch is not None:
            self._watch.restore(groups.arrays("watch"), self.twin)


def _rewarded(task: Task, threshold: str) -> Task:
    """The task with the reward's threshold as it grows, or at its final value from the start."""
    if threshold == "growing":
        return task
    return replace(task, thresholds=task.thresholds.settled)
