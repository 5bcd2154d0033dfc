"""Tell the author of a scheduler what is wrong with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netsim.errors import NetsimError, PluginError
from netsim.hooks import hookimpl

NAME = "the-scheduler"


def check_scheduler(
    scheduler: str | type[object],
    *,
    options: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    examples: int = 50,
) -> list[str]:
    """Audit a scheduler in cells that Hypothesis draws; what is wrong with it, in the smallest cell that shows it.

    Parameters
    ----------
    scheduler
        A class, or what scenarios call it: a registered name, ``pkg.module:Class``, or ``file.py:Class``.
    options
        As a scenario would give them.
    folder
        Where ``file.py:Class`` is looked for.
    examples
        Cells to draw, always the same ones.

    Returns
    -------
    list of str
        A text for the fault found, none if there is none.

    Raises
    ------
    ImportError
        Hypothesis is not installed.

    Examples
    --------
    >>> class Greedy:
    ...     def share(self, prb, slot, active, grants):
    ...         grants[active["backlog_bits"].argmax()] = prb
    >>> check_scheduler(Greedy, examples=20)
    []
    """
    from netsim.testing import strategies  # isort: skip  # says what to install where Hypothesis is missing
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    from netsim.plugins import Named, plugin_set, using
    from netsim.testing.audit import audit_played

    kind = scheduler if isinstance(scheduler, str) else NAME
    tried = st.just({"kind": kind} if options is None else {"kind": kind, "options": dict(options)})
    found: list[str] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.cells(schedulers=tried, slots=(1, 20), folder=None if folder is None else Path(folder)))
    def holds(cell: strategies.Played) -> None:
        try:
            audit_played(cell.scenario, cell.seed, cell.allocations)
        except NetsimError as error:
            found.append(_told(error, cell))
            raise

    with using(plugin_set([] if isinstance(scheduler, str) else [Named(kind, _Offer(scheduler))])):
        try:
            holds()
        except NetsimError:
            return found[-1:]  # the last failure is the smallest, shown once more
    return []


def _told(error: NetsimError, cell: Any) -> str:
    users = {name: part.users for name, part in cell.scenario.slices.items()}
    drawn = f"users {users}, seed {cell.seed}, allocations {list(cell.allocations)}"
    cause = error.__cause__ if isinstance(error, PluginError) else None
    return f"{error}\nin a cell of {drawn}" + (f"\nraised by {cause!r}" if cause is not None else "")


class _Offer:
    """A plugin that offers the scheduler under its name."""

    def __init__(self, scheduler: type[object]) -> None:
        self._scheduler = scheduler

    @hookimpl
    def schedulers(self) -> Mapping[str, Any]:
        """The scheduler."""
        return {NAME: self._scheduler}
