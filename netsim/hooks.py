"""Every hook of netsim, in the order a run calls them.

A plugin is any object with methods marked ``@netsim.hookimpl``; it implements the hooks it needs and no others, with
the arguments it needs. Hooks are called once per run or per observation period, never per slot or packet.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from netsim.checkups import Checkup
    from netsim.report import PeriodReport
    from netsim.scenario import Scenario
    from netsim.simulation import Simulation

PROJECT = "netsim"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hook specifications."""

    # -- what a plugin adds, asked for when a name is looked up ----------------------------------------------------

    @hookspec
    def controllers(self) -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
        """Name -> factory of controllers. ``NAME:TEXT`` on the command line calls the factory with the text."""

    @hookspec
    def traffic_kinds(self) -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
        """Name -> factory of traffic kinds; called with the scenario's ``options`` as keywords."""

    @hookspec
    def schedulers(self) -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
        """Name -> factory of schedulers; called with the scenario's ``options`` as keywords."""

    @hookspec
    def path_loss_models(self) -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
        """Name -> factory of path-loss models; called with the scenario's ``options`` as keywords."""

    @hookspec
    def plants(self) -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
        """Name -> factory of plants beside the simulator. ``NAME:TEXT`` calls it with the text and ``scenario``."""

    @hookspec
    def commands(self) -> Iterable["click.Command"]:  # type: ignore[empty-body]
        """Further commands of ``netsim``."""

    @hookspec
    def listings(self) -> Mapping[str, Mapping[str, str]]:  # type: ignore[empty-body]
        """Heading -> name -> a line about it, for ``netsim list``: things that no other hook names."""

    @hookspec
    def checkups(self, measure: bool) -> Mapping[str, Callable[[], "Checkup"]]:  # type: ignore[empty-body]
        """Name -> what looks at this machine for ``netsim doctor``, with ``measure`` also what takes a few seconds.

        A :class:`~netsim.errors.RunError` says what does not work, and what to do about it.
        """

    # -- a run -----------------------------------------------------------------------------------------------------

    @hookspec
    def run_started(self, scenario: "Scenario", seed: int) -> None:
        """Called once, before period 0."""

    @hookspec
    def processes(self, simulation: "Simulation") -> Iterable[Any]:  # type: ignore[empty-body]
        """A list of SimPy process generators to run beside the base station: ``return [self.my_process(simulation)]``.

        ``simulation.env`` has its clock in nanoseconds. They look on. A training runs them too, and begins them anew
        where it goes on from a checkpoint.
        """

    @hookspec(firstresult=True)
    def decide_allocation(self, report: "PeriodReport") -> Sequence[int] | None:
        """Choose the next period's units per slice; ``None`` lets the next plugin decide."""

    @hookspec
    def period_ended(self, report: "PeriodReport") -> None:
        """Called after every period, period 0 included, before the next decision."""

    @hookspec
    def run_ended(self, summary: Mapping[str, Any]) -> None:
        """Called once, with what ``summary.json`` will hold."""
