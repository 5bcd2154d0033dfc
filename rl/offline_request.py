"""What is asked of learning from a data set, and what may be given to an agent before it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, Field

from netsim.provenance import versions
from netsim.scenario import Scenario
from rl.agents import Agent, AgentConfig, Task
from rl.course import CourseConfig
from rl.loops import Groups, Reader
from rl.replay import Transitions
from rl.settings import Whole
from rl.training import identified, sourced

Method = Literal["plain", "cql", "bc"]


class OfflineConfig(CourseConfig):
    """How an agent learns from a data set, apart from its own hyper-parameters. All frequencies are in epochs."""

    method: Method = "plain"
    """The agent's own update; conservative Q-learning; or behaviour cloning."""
    epochs: Annotated[int, Field(ge=0)] = 200
    """Traversals of the data set."""
    caution: Annotated[float, Field(ge=0)] = 1.0
    """Weight of mean (log sum_b exp Q(s, b) - Q(s, a)) in ``cql``, its alpha."""
    evaluate_every: Annotated[int, Field(ge=0)] = 10
    checkpoint_every: Whole = 50


@dataclass(frozen=True)
class Recorded:
    """A data set to learn from."""

    transitions: Transitions
    controllers: tuple[str, ...] = ()
    """Who played, as far as told."""

    def __len__(self) -> int:
        return len(self.transitions.actions)

    def to_dict(self) -> dict[str, Any]:
        """As a manifest holds it: a digest tells data sets apart wherever they lie."""
        digest = hashlib.sha256()
        for array in self.transitions:
            digest.update(np.ascontiguousarray(array).tobytes())
        return {"transitions": len(self), "controllers": list(self.controllers), "sha256": digest.hexdigest()}


@dataclass(frozen=True)
class OfflineRequest:
    """What was asked for: two trainings of equal requests leave equal bytes."""

    scenario: Scenario
    agent: str
    config: AgentConfig
    settings: OfflineConfig
    data: Recorded
    seed: int
    device: str = "cpu"
    loop: BaseModel | None = None
    """Settings of the prior that the agent's name ends in."""

    def to_dict(self) -> dict[str, Any]:
        """As the manifest holds it; the interactions of the training are those that were recorded."""
        return {
            **identified(self.scenario),
            "agent": self.agent,
            **sourced(self.agent),
            "config": self.config.model_dump(mode="json"),
            **({} if self.loop is None else {"loop": self.loop.model_dump(mode="json")}),
            "training": {"interactions": len(self.data), **self.settings.model_dump(mode="json")},
            "data": self.data.to_dict(),
            "seed": self.seed,
            "device": self.device,
            "versions": versions("torch", "safetensors"),
        }


class Prior(Protocol):
    """What an agent is given before the first epoch."""

    def give(self, agent: Agent) -> None:
        """Give it."""

    def figures(self, agent: Agent) -> dict[str, Any]:
        """What a line of metrics says of it."""

    def ledger(self) -> dict[str, int]:
        """What has been spent on it: ``imagined_transitions``, ``gradient_steps`` and more."""

    def seconds(self) -> dict[str, float]:
        """Process time that parts of it took."""

    def to_groups(self) -> Groups:
        """All that is needed to go on."""

    def restore(self, groups: Reader, agent: Agent) -> None:
        """Become what :meth:`to_groups` kept; the agent has its parameters already."""


PriorOf = Callable[[OfflineRequest, Task], Prior]
