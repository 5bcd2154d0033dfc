"""Algorithm 2 of the paper: an agent learns from a data set alone, held to one that practised in a twin of that data.

The twin is fitted to the recorded transitions (eq. 7), agent 2 practises in it and empowers agent 1 (eq. 8), and agent
1 then learns from the data set on

    L' = L_Q + upsilon / 2 |theta_1 - theta_2|^2        (eq. 13)

whose second term keeps it from what single transitions would have it believe of allocations that were hardly tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netsim import allocations
from netsim.errors import InputError
from netsim.scenario import Scenario
from rl.agents import Agent, AgentConfig, Task, make_agent
from rl.loops import Groups, Reader, parted
from rl.observation import Encoder
from rl.offline_request import OfflineConfig, OfflineRequest, PriorOf, Recorded
from rl.replay import Transitions
from twin.datasets import origin
from twin.digital_twin import DigitalTwin
from twin.dual_loop import SECOND
from twin.experience import Experience
from twin.history import History
from twin.loop_config import PracticeConfig
from twin.practice import Practice, imagined_task
from twin.timing import CpuTimes

LOOP = "dt"
"""The end of an agent's name that asks for a twin."""
WHOSE = "offline"
"""Keeps the draws of this practice apart from those of Algorithm 1."""


class OfflineTwinConfig(PracticeConfig):
    """Settings of Algorithm 2 and of the practice before it; the paper's letters in brackets."""

    upsilon: Annotated[float, Field(ge=0)] = 100.0
    """Strength of the pull towards agent 2 (eq. 13). Where an allocation is a share f of the data and h the last hidden
    layer, data that differ by e from what agent 2 holds of it move Q by 2 f e h^2 / upsilon: below about 10 the chances
    of a few periods decide again, whatever was practised."""


@dataclass(frozen=True)
class DataSet:
    """One or several data sets of a network: what a twin is fitted to, and what an agent learns from."""

    scenario: Scenario
    encoder: Encoder
    experience: Experience
    recorded: Recorded

    @classmethod
    def read(cls, folders: Sequence[Path], files: Path | None = None) -> "DataSet":
        """Those of ``netsim collect``, or run directories of ``netsim run``.

        Parameters
        ----------
        files
            Where the files are that the scenario names.

        Raises
        ------
        InputError
            A folder holds no data, is damaged, or they are of different scenarios.
        """
        about = [origin(folder) for folder in folders]
        for folder, other in zip(folders, about, strict=True):
            if other.scenario_hash != about[0].scenario_hash:
                raise InputError(f"{folder} is of another scenario than {folders[0]}; give data sets of one")
        scenario = about[0].played_on(folders[0], files)
        history, encoder = History.read(*folders), Encoder.of(scenario)
        experience = Experience.of(history, encoder)
        played = history.allocation[history.starts + 1]
        known, which = np.unique(played, axis=0, return_inverse=True)
        numbers = np.array([allocations.rank(row) for row in known.tolist()], np.int64)
        actions = numbers[which.reshape(-1)]
        controllers = {run["controller"] for each in about for run in each.runs} - {None}
        transitions = Transitions(experience.states, actions, experience.utility, experience.next_states)
        return cls(scenario, encoder, experience, Recorded(transitions, tuple(sorted(controllers))))


class TwinPrior:
    """What a twin gives an agent before it learns from data: parameters to begin with, and to be held to."""

    def __init__(self, request: OfflineRequest, task: Task, experience: Experience) -> None:
        """Prepare; ``task`` has the threshold at its final value."""
        assert isinstance(request.loop, OfflineTwinConfig)
        self.settings: OfflineTwinConfig = request.loop
        self._scenario, self._task, self._experience = request.scenario, task, experience
        imagined = imagined_task(task, self.settings)
        self.second = make_agent(parted(request.agent)[0], imagined, request.config, request.device, SECOND)
        self.twin: DigitalTwin | None = None
        self._spent = {"imagined_transitions": 0, "twin_gradient_steps": 0}
        self._times = CpuTimes("twin_fit", "practice")

    def give(self, agent: Agent) -> None:
        """Fit the twin, let agent 2 practise in it, empower the agent (lines 4 to 12), and pull it from then on."""
        self.second.empower(agent.parameters.flat, keep=0.0)
        rewards = self._task.thresholds.reward(self._experience.utility, 0)
        with self._times.of("twin_fit"):
            self.twin = DigitalTwin.fit(
                self._experience,
                self._scenario,
                self._task.encoder,
                self.settings.twin,
                self._task.seed,
                WHOSE,
                rewards,
            )
        self._spent["twin_gradient_steps"] += self.twin.gradient_steps
        with self._times.of("practice"):
            practice = Practice(self.twin, self.second, self.settings, self._task.shares(), 0, WHOSE)
            practice.run()
        self._spent["imagined_transitions"] = practice.imagined
        agent.empower(self._anchor, self.settings.zeta)
        agent.pull_towards(self._anchor, self.settings.upsilon)

    @property
    def _anchor(self) -> Tensor:
        return self.second.parameters.flat

    # -- what a training asks of a prior -----------------------------------------------------------------------------

    def figures(self, agent: Agent) -> dict[str, Any]:
        """The second term of eq. 13, and |theta_1 - theta_2|."""
        distance = float(torch.linalg.vector_norm((agent.parameters.flat - self._anchor).double()))
        return {"penalty": self.settings.upsilon / 2.0 * distance**2, "distance": distance}

    def ledger(self) -> dict[str, int]:
        """Imagined transitions, and gradient steps of agent 2 and of the twin."""
        return {**self._spent, "gradient_steps": self.second.updates}

    def seconds(self) -> dict[str, float]:
        """Process time of fitting the twin and of practising in it."""
        return self._times.to_dict()

    def to_groups(self) -> Groups:
        """Agent 2, the twin, and what was spent."""
        assert self.twin is not None
        return {
            "second": self.second.to_arrays(),
            "twin": self.twin.to_arrays(),
            "prior": {"spent": np.array(list(self._spent.values()), np.int64)},
        }

    def restore(self, groups: Reader, agent: Agent) -> None:
        """Become what :meth:`to_groups` kept, and pull the agent."""
        self.second.restore(groups.arrays("second"))
        self.twin = DigitalTwin.from_arrays(
            self.settings.twin, self._scenario, self._task.encoder, groups.arrays("twin")
        )
        self._spent = dict(zip(self._spent, map(int, groups.arrays("prior")["spent"]), strict=True))
        agent.pull_towards(self._anchor, self.settings.upsilon)


def request_of(
    data: DataSet,
    agent: str,
    config: AgentConfig,
    settings: OfflineConfig,
    loop: OfflineTwinConfig | None,
    seed: int,
    device: str = "cpu",
) -> OfflineRequest:
    """A request to learn from a data set; ``loop`` is for agents in -dt and for no others, which have the default.

    Raises
    ------
    InputError
        The agent is in no twin and has settings of one, or it is in a loop that knows nothing of data sets.
    """
    around = parted(agent)[1]
    if around is None and loop is not None:
        raise InputError(f"settings of a twin are for agents in one, as {agent}-{LOOP}; {agent} has none")
    if around not in (None, LOOP):
        raise InputError(f"{agent}: only a twin ({LOOP}) can be had from data alone, not the loop {around!r}")
    given = OfflineTwinConfig() if around is not None and loop is None else loop
    return OfflineRequest(data.scenario, agent, config, settings, data.recorded, seed, device, given)


def prior_of(data: DataSet, request: OfflineRequest) -> PriorOf | None:
    """What makes the prior that a request asks for; ``None`` where it asks for none."""
    if request.loop is None:
        return None
    return lambda asked, task: TwinPrior(asked, task, data.experience)
