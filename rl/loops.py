"""Loops around an agent: what a training runs beside learning from each interaction.

``netsim train --agent ddqn`` learns from every interaction and does nothing else. A name such as ``ddqn-dt`` names an
agent and, after the last dash, a loop that another package brings through the entry-point group ``rl.loops``.
"""

import functools
import importlib.metadata
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray
from pydantic import BaseModel

from netsim.loadobject import blamed
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from rl.agents import Agent, AgentConfig, Task, agent_names, no_agent
from rl.replay import Arrays

GROUP = "rl.loops"

Groups = Mapping[str, Mapping[str, NDArray[Any]]]
"""Arrays of a checkpoint, a file for each group."""


class Loop(Protocol):
    """A controller that a training runs: it decides, sees what came of it, and learns."""

    agent: Agent
    """The agent that is trained, evaluated and kept."""
    interactions: int
    """Periods played on the plant under an allocation of this controller."""
    loss: float | None
    """Of the last update."""

    @property
    def epsilon(self) -> float:
        """Probability that the next allocation is random."""

    def decide_allocation(self) -> tuple[int, ...]:
        """The next period's units per slice."""

    def period_ended(self, report: PeriodReport) -> None:
        """See what the last allocation led to, and learn."""

    def ledger(self) -> dict[str, int]:
        """What has been spent: ``imagined_transitions``, ``gradient_steps`` and more, the real interactions apart."""

    def figures(self) -> dict[str, Any]:
        """What a line of metrics says of the loop beside what it says of every training."""

    def seconds(self) -> dict[str, float]:
        """Process time that parts of the loop took so far."""

    def to_groups(self) -> Groups:
        """All that is needed to go on at the end of a period."""

    def restore(self, groups: "Reader") -> None:
        """Become what :meth:`to_groups` kept."""


class Reader(Protocol):
    """Reads the arrays of a checkpoint."""

    def arrays(self, name: str) -> Arrays:
        """Those of one group."""


class LoopKind(Protocol):
    """What the entry point of a loop names."""

    @property
    def Config(self) -> type[BaseModel]:
        """Its settings."""

    def __call__(
        self, scenario: Scenario, task: Task, agent: str, config: AgentConfig, settings: BaseModel, device: str
    ) -> Loop:
        """A loop around an agent that it makes."""


@functools.cache
def loops() -> Mapping[str, LoopKind]:
    """Name -> kind of each loop that is installed.

    Raises
    ------
    PluginError
        One cannot be loaded.
    """
    found: dict[str, LoopKind] = {}
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda each: each.name):
        with blamed(f"loop {entry.name!r} cannot be loaded"):
            found[entry.name] = entry.load()
    return found


def parted(name: str) -> tuple[str, str | None]:
    """An agent's name and its loop's, from ``agent`` or ``agent-loop``.

    >>> parted("gan-ddqn"), parted("gan-ddqn-dt"), parted("my-agents.py:Mine-dt")
    (('gan-ddqn', None), ('gan-ddqn', 'dt'), ('my-agents.py:Mine', 'dt'))

    A class in a file or module is not loaded by this.

    Raises
    ------
    InputError
        There is no such agent, or no such loop.
    """
    agent, dash, loop = name.rpartition("-")
    if name in agent_names():
        return name, None
    if dash and loop in loops() and (agent in agent_names() or ":" in agent):
        return agent, loop
    if ":" in name:
        return name, None
    raise no_agent(name, tuple(names()))


def names() -> Iterator[str]:
    """Every agent alone, and in every loop."""
    yield from agent_names()
    yield from (f"{agent}-{loop}" for loop in loops() for agent in agent_names())
