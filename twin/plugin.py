"""What this package adds to the command line of netsim, as a plugin like anybody's."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from netsim.hooks import hookimpl

if TYPE_CHECKING:
    import click


class Plugin:
    """The digital twin: the commands collect, dataset and whatif."""

    @hookimpl
    def commands(self) -> "Iterable[click.Command]":
        """``netsim collect``, ``netsim dataset``, ``netsim whatif``."""
        from twin.commands import COMMANDS

        return COMMANDS
