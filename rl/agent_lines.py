"""Names of agents, and a line about each: known without loading any, for that takes a second."""

import functools
import importlib.metadata
from collections.abc import Mapping

from netsim.errors import PluginError

GROUP = "rl.agents"
"""The entry-point group through which another package brings agents."""

AGENT_LINES: Mapping[str, str] = {
    "dqn": "DQN: Q(s, .), an output per allocation, from r + λ max Q'(s', .).",
    "ddqn": "Double DQN: the same from r + λ Q'(s', argmax Q(s', .)).",
    "gan-ddqn": "Dueling GAN-DDQN: particles of the return, judged by a Wasserstein critic, and a dueling advantage.",
    "feature-ddqn": "Double DQN of Q(s, w), told what an allocation is: its shares w are an input.",
}
"""Agent of this package -> a line about it."""


def agent_lines() -> dict[str, str]:
    """A line about every agent that is installed."""
    return {**AGENT_LINES, **{name: _line(entry) for name, entry in installed().items()}}


def _line(entry: importlib.metadata.EntryPoint) -> str:
    package = "another package" if entry.dist is None else entry.dist.name
    return f"{entry.value}, an agent of {package}."


@functools.cache
def installed() -> Mapping[str, importlib.metadata.EntryPoint]:
    """Name -> entry point of each agent that another package brings.

    Raises
    ------
    PluginError
        Two have one name, one has the name of an agent of this package, or a colon in it.
    """
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        if entry.name in AGENT_LINES or entry.name in found or ":" in entry.name:
            rule = "a name without a colon that no other agent has"
            raise PluginError(f"entry point {entry.name!r} of {GROUP} ({entry.value}): its name must be {rule}")
        found[entry.name] = entry
    return found
