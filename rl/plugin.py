"""What this package adds to the command line and the controllers of netsim, as a plugin like anybody's."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from netsim.hooks import hookimpl

if TYPE_CHECKING:
    import click


class Plugin:
    """Agents: the commands train, evaluate and export, and the controller agent:RUN_DIR."""

    @hookimpl
    def commands(self) -> "Iterable[click.Command]":
        """``netsim train``, ``netsim evaluate``, ``netsim export``."""
        from rl.commands import COMMANDS

        return COMMANDS

    @hookimpl
    def controllers(self) -> Mapping[str, Callable[..., object]]:
        """``agent:RUN_DIR``."""
        return {"agent": _agent}


def _agent(text: str, *, scenario: object) -> object:
    """The greedy policy of an agent that was trained in a folder, written agent:RUN_DIR."""
    from rl.policy import AgentController

    return AgentController(text, scenario=scenario)  # type: ignore[arg-type]
