"""What this package adds to the command line and the controllers of netsim, as a plugin like anybody's."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from netsim.hooks import hookimpl
from rl.agent_lines import agent_lines

if TYPE_CHECKING:
    import click

    from netsim.checkups import Checkup


class Plugin:
    """Agents: the commands that make, play and take them along, and the controllers agent:RUN_DIR and student:DIR."""

    @hookimpl
    def commands(self) -> "Iterable[click.Command]":
        """``netsim train``, ``evaluate``, ``export``, ``distill``, ``landscape``."""
        from rl import commands, derived_commands

        return (*commands.COMMANDS, *derived_commands.COMMANDS)

    @hookimpl
    def controllers(self) -> Mapping[str, Callable[..., object]]:
        """``agent:RUN_DIR`` and ``student:DIR``."""
        return {"agent": _agent, "student": _student}

    @hookimpl
    def listings(self) -> Mapping[str, Mapping[str, str]]:
        """``netsim list agents``."""
        return {"agents": agent_lines()}

    @hookimpl
    def checkups(self, measure: bool) -> "Mapping[str, Callable[[], Checkup]]":
        """PyTorch and its devices; with ``measure`` how fast an agent learns."""
        from rl.checkups import checkups

        return checkups(measure)


def _agent(text: str, *, scenario: object) -> object:
    """The greedy policy of an agent that was trained in a folder, written agent:RUN_DIR."""
    from rl.policy import AgentController

    return AgentController(text, scenario=scenario)  # type: ignore[arg-type]


def _student(text: str, *, scenario: object) -> object:
    """A student that was distilled into a folder, written student:DIR."""
    from rl.students import StudentController

    return StudentController(text, scenario=scenario)  # type: ignore[arg-type]
