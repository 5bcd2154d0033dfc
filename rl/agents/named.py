"""Agents by their names: those of this package, of installed ones, and classes in files and modules.

Another package brings agents through the entry-point group ``rl.agents``; ``pkg.module:Class`` and
``path/file.py:Class`` name a class where it is.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from netsim.errors import InputError, PluginError
from netsim.loadobject import blamed, load_object, suggestion
from netsim.provenance import source_digest
from rl.agent_lines import installed
from rl.agents.base import Agent, AgentConfig, Task
from rl.agents.ddqn import DoubleDqn
from rl.agents.dqn import Dqn
from rl.agents.feature_ddqn import FeatureDdqn
from rl.agents.gan_ddqn import GanDdqn


class AgentKind(Protocol):
    """What the name of an agent stands for: usually its class."""

    @property
    def Config(self) -> type[AgentConfig]:
        """Its hyper-parameters."""

    def __call__(self, task: Task, config: Any, device: str, whose: str) -> Agent:
        """An agent for a task; the same arguments draw the same weights."""


AGENTS: Mapping[str, type[Dqn | GanDdqn | FeatureDdqn]] = {
    kind.name: kind for kind in (Dqn, DoubleDqn, GanDdqn, FeatureDdqn)
}
"""Name -> class of each agent of this package."""
UNASKED: Mapping[type, tuple[str, ...]] = {
    Dqn: ("q", "next_values", "loss", "sweep_loss", "cautious_loss"),
    FeatureDdqn: ("q", "q_of", "loss", "sweep_loss"),
    GanDdqn: ("target_particles", "critic_loss", "loss", "sweep_loss"),
}
"""Equations of agents whose gradients are written out: their updates compute the same and do not call these."""
UPDATES = ("learn", "learn_cautiously", "sweep")


def agent_names() -> tuple[str, ...]:
    """Agents of this package and installed ones; classes in files are agents too."""
    return (*AGENTS, *installed())


def agent_kind(name: str) -> AgentKind:
    """What a name stands for.

    Raises
    ------
    InputError
        There is no such agent.
    PluginError
        It is somebody else's, and cannot be loaded or is no agent.
    """
    if name not in AGENTS:
        return _foreign(name)
    return AGENTS[name]


def speaking_of(name: str) -> AbstractContextManager[None]:
    """Within it an exception of somebody else's agent is a :class:`PluginError` that names the agent."""
    return nullcontext() if name in AGENTS else blamed(f"agent {name!r} raised")


def sources_of(name: str) -> dict[str, str]:
    """SHA-256 of the file or module that the name of an agent points to; of installed ones too."""
    if name in AGENTS:
        return {}
    entry = installed().get(name)
    digest = source_digest(name if entry is None else entry.value)
    return {} if digest is None else {name: digest}


def no_agent(name: str, known: Sequence[str]) -> InputError:
    """The error that there is none of a name."""
    return InputError(
        f"there is no agent {name!r}{suggestion(name, known)}; known: {', '.join(known)}, or one of yours as "
        "path/file.py:Class"
    )


def _foreign(name: str) -> AgentKind:
    if name in installed():
        with blamed(f"agent {name!r} cannot be loaded"):
            kind = installed()[name].load()
    elif ":" in name:
        kind = load_object(name)
    else:
        raise no_agent(name, agent_names())
    if fault := next(_faults(kind), None):
        raise PluginError(f"agent {name!r}: {fault}")
    return kind  # type: ignore[no-any-return]


def _faults(kind: object) -> Iterator[str]:
    """What keeps something from being an agent."""
    if not isinstance(kind, type):
        yield f"must be a class, got {kind!r}"
        return
    config = getattr(kind, "Config", None)
    if not (isinstance(config, type) and issubclass(config, AgentConfig)):
        yield f"its Config must be a subclass of rl.agents.AgentConfig, got {config!r}"
    if missing := ", ".join(sorted(getattr(kind, "__abstractmethods__", ()))):
        yield f"has to define {missing}"
    for method in METHODS:
        if not callable(getattr(kind, method, None)):
            yield f"has no method {method}, see rl.agents.Agent; a subclass of rl.agents.QAgent has them all"
    yield from _untold(kind)


METHODS = tuple(name for name, value in vars(Agent).items() if inspect.isfunction(value) and not name.startswith("_"))
"""What every agent can do."""


def _untold(kind: type) -> Iterator[str]:
    """Equations that a subclass changes while the updates it inherits go on with those of the class."""
    for ours, equations in UNASKED.items():
        if ours not in kind.__mro__:
            continue
        changed = {
            name
            for base in kind.__mro__
            if base not in AGENTS.values() and issubclass(base, ours)
            for name in vars(base)
        }
        told = ", ".join(equation for equation in equations if equation in changed)
        inherited = ", ".join(update for update in UPDATES if update not in changed)
        if told and inherited:
            yield (
                f"changes {told} of {ours.__name__}, but its {inherited} have the gradients written out and would not "
                "ask; define them too, or derive from rl.agents.QAgent, where they follow from q and next_values"
            )
