"""What this package adds to the command line of netsim, as a plugin like anybody's."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from netsim.hooks import hookimpl

if TYPE_CHECKING:
    import click

    from netsim.scenario import Scenario


class Plugin:
    """The digital twin: commands to collect data, to fit and ask twins, to learn from data, and the plant twin:DIR."""

    @hookimpl
    def commands(self) -> "Iterable[click.Command]":
        """``netsim collect``, ``dataset``, ``twin``, ``whatif``, ``offline`` and ``ope``."""
        from twin.commands import COMMANDS

        return COMMANDS

    @hookimpl
    def plants(self) -> Mapping[str, Callable[..., object]]:
        """``twin:DIR``."""
        return {"twin": _plant}

    @hookimpl
    def listings(self) -> Mapping[str, Mapping[str, str]]:
        """The agents of ``netsim list agents`` in the loop with a twin."""
        from rl.agent_lines import agent_lines

        return {
            "agents": {
                f"{name}-dt": f"{name} with a digital twin to practise on, Algorithm 1." for name in agent_lines()
            }
        }


def _plant(text: str, *, scenario: "Scenario") -> object:
    """The twin in a folder, of `netsim twin fit` or of a training of an agent in -dt, written twin:DIR."""
    from twin.plant import load_plant

    return load_plant(text, scenario)
