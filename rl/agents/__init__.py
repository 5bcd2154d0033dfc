"""The agents: one algorithm a file, all behind :class:`rl.agents.base.Agent`."""

from collections.abc import Mapping
from typing import Any

from netsim.errors import InputError
from netsim.loadobject import suggestion
from rl.agents.base import Agent, AgentConfig, Policy, Task
from rl.agents.ddqn import DoubleDqn
from rl.agents.dqn import Dqn
from rl.agents.feature_ddqn import FeatureDdqn
from rl.agents.gan_ddqn import GanDdqn
from rl.settings import checked

AGENTS: Mapping[str, type[Dqn | GanDdqn | FeatureDdqn]] = {
    kind.name: kind for kind in (Dqn, DoubleDqn, GanDdqn, FeatureDdqn)
}
"""Name -> class of each agent."""

__all__ = ["AGENTS", "Agent", "AgentConfig", "Policy", "Task", "configured", "make_agent"]


def configured(name: str, settings: Mapping[str, Any]) -> AgentConfig:
    """The hyper-parameters of an agent, those in ``settings`` in place of its defaults.

    Raises
    ------
    InputError
        If there is no such agent, or a setting is unknown or wrong; the message has a line for each.
    """
    if name not in AGENTS:
        raise InputError(f"there is no agent {name!r}{suggestion(name, AGENTS)}; known: {', '.join(AGENTS)}")
    return checked(name, AGENTS[name].Config, dict(settings))


def make_agent(name: str, task: Task, config: AgentConfig | None = None, device: str = "cpu", whose: str = "") -> Agent:
    """An agent by its name.

    Parameters
    ----------
    name
        One of :data:`AGENTS`.
    task
        What it decides.
    config
        Its hyper-parameters, from :func:`configured`; without them the defaults.
    device
        Where its networks are: ``"cpu"``, ``"cuda"``.
    whose
        Keeps the random draws of several agents of one seed apart.
    """
    return AGENTS[name](task, config or configured(name, {}), device, whose)  # type: ignore[arg-type]
