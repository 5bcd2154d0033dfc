"""What a run shows: its progress on standard error, its figures on standard output."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from netsim.faults import printable

if TYPE_CHECKING:
    from netsim.beststatic import Best

WIDTH = 120
"""Columns that the tables need; a narrower terminal wraps lines, which keeps every figure."""


@contextmanager
def progress_bar(hidden: bool, what: str = "periods") -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error, where that is a terminal; gives what is called after each of what is counted."""
    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_summary(summary: Mapping[str, Any], out: str | None) -> None:
    """The tables of a run: its slices, then the cell, with 95 % intervals."""
    console = wide()
    console.print(_heading(summary))
    console.print(_slice_table(summary["slices"]))
    console.print(_cell_table(summary))
    worst = summary["worst_slice"]
    if worst is not None:
        console.print(f"worst slice: {safe(worst['name'])}, SSR {interval(worst['ssr'], 4)}")
    if summary["faults"]:
        console.print(f"the controller was at fault in {summary['faults']} periods, which it played as the one before")
    if out is not None:
        console.print(f"results: {safe(out)}")


def print_best(name: str, best: "Best") -> None:
    """The outcome of a race, with the lines that a scenario file takes."""
    low, high = best.utility_ci95
    units = ",".join(map(str, best.allocation))
    click.echo(f"{name}: best static allocation {units}, U {best.utility:.4f} ({low:.4f} .. {high:.4f})")
    click.echo(f"random policy: median U {best.random_median_utility:.4f}")
    click.echo(f"reward: {{gmin: {best.gmin:.3f}, gmax: {best.gmax:.3f}}}")


def _heading(summary: Mapping[str, Any]) -> str:
    names = f"{safe(summary['scenario'])}, controller {safe(summary['controller'])}"
    return f"{names}, {summary['periods']} periods, seed {summary['seed']}"


def _slice_table(slices: Mapping[str, Mapping[str, Any]]) -> Table:
    table = table_of("slice", "arrived", "SSR", "slow", "late", "dropped", "latency mean / p99, ms", "carried, Mbit/s")
    for name, figures in slices.items():
        latencies = (number(figures[which]["mean"], 3) for which in ("latency_mean_ms", "latency_p99_ms"))
        table.add_row(
            safe(name),
            str(figures["arrived"]),
            interval(figures["ssr"], 4),
            *(str(figures[count]) for count in ("slow", "late", "dropped")),
            " / ".join(latencies),
            number(figures["carried_mbps"]["mean"], 3),
        )
    return table


def _cell_table(summary: Mapping[str, Any]) -> Table:
    table = table_of("cell", "mean", "95 % interval")
    for label, name, digits in (
        ("SE capacity, bit/s/Hz", "se_capacity", 2),
        ("SE carried, bit/s/Hz", "se_carried", 4),
        ("utility U", "utility", 4),
        ("reward", "reward", 4),
        ("U over best static", "share_of_best_static", 4),
    ):
        figure = summary[name]
        if figure is not None and figure["mean"] is not None:
            table.add_row(label, number(figure["mean"], digits), span(figure["ci95"], digits))
    return table


# -- what other tables are made of -------------------------------------------------------------------------------------


def wide() -> Console:
    """A console whose tables are not cut."""
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    return console


def table_of(first: str, *headings: str) -> Table:
    """A table with figures to the right of its first column."""
    table = Table(first, box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def safe(text: str) -> str:
    """Foreign text: control characters escaped, and no markup."""
    return escape(printable(text))


def number(value: float | None, digits: int) -> str:
    """A figure for a table, a dash where there is none.

    >>> number(0.66349, 3), number(None, 3)
    ('0.663', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


def decimals(*values: float | None) -> int:
    """How many decimals tell figures of one kind apart.

    Four, none where one of them is in the hundreds, and up to six where one would look like zero that is not.

    >>> decimals(0.1655, -0.0003, None), decimals(4160.0, 3866.7, 4450.0), decimals(0.0206, 0.00004, 0.0394)
    (4, 0, 5)
    """
    sizes = [abs(value) for value in values if value]
    if any(size >= 100 for size in sizes):
        return 0
    return next((digits for digits in (4, 5) if all(round(size, digits) for size in sizes)), 6)


def interval(figure: Mapping[str, Any], digits: int) -> str:
    """A figure with the half-width of its interval.

    >>> interval({"mean": 0.966, "ci95": [0.963, 0.969]}, 4)
    '0.9660 ± 0.0030'
    """
    if figure["ci95"] is None:
        return number(figure["mean"], digits)
    low, high = figure["ci95"]
    return f"{number(figure['mean'], digits)} ± {number((high - low) / 2, digits)}"


def span(ends: Sequence[float] | None, digits: int) -> str:
    """Both ends of an interval, dashes where there is none.

    >>> span([0.963, 0.969], 2), span(None, 2)
    ('0.96 .. 0.97', '- .. -')
    """
    low, high = ends or (None, None)
    return f"{number(low, digits)} .. {number(high, digits)}"
