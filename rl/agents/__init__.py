"""The agents: one algorithm a file, all behind :class:`rl.agents.base.Agent`; and those of others."""

from collections.abc import Mapping
from typing import Any

from rl.agents.base import Agent, AgentConfig, Policy, Task
from rl.agents.ddqn import DoubleDqn
from rl.agents.dqn import Dqn
from rl.agents.feature_ddqn import FeatureDdqn
from rl.agents.gan_ddqn import GanDdqn
from rl.agents.named import AGENTS, AgentKind, agent_kind, agent_names, no_agent, sources_of, speaking_of
from rl.agents.q_agent import QAgent, QConfig
from rl.settings import checked

__all__ = [
    "AGENTS",
    "Agent",
    "AgentConfig",
    "AgentKind",
    "DoubleDqn",
    "Dqn",
    "FeatureDdqn",
    "GanDdqn",
    "Policy",
    "QAgent",
    "QConfig",
    "Task",
    "agent_kind",
    "agent_names",
    "configured",
    "make_agent",
    "no_agent",
    "sources_of",
    "speaking_of",
]


def configured(name: str, settings: Mapping[str, Any]) -> AgentConfig:
    """The hyper-parameters of an agent, those in ``settings`` in place of its defaults.

    Raises
    ------
    InputError
        If there is no such agent, or a setting is unknown or wrong; the message has a line for each.
    PluginError
        It is somebody else's, and cannot be loaded or is no agent.
    """
    return checked(name, agent_kind(name).Config, dict(settings))


def make_agent(name: str, task: Task, config: AgentConfig | None = None, device: str = "cpu", whose: str = "") -> Agent:
    """An agent by its name.

    Parameters
    ----------
    name
        One of :data:`rl.agents.named.AGENTS`, one that is installed, or ``pkg.module:Class`` or ``path/file.py:Class``.
    task
        What it decides.
    config
        Its hyper-parameters, from :func:`configured`; without them the defaults.
    device
        Where its networks are: ``"cpu"``, ``"cuda"``.
    whose
        Keeps the random draws of several agents of one seed apart.

    Raises
    ------
    InputError, PluginError
        As :func:`configured`; or the agent raised when it was made.
    """
    kind, config = agent_kind(name), config or configured(name, {})
    with speaking_of(name):
        return kind(task, config, device, whose)
