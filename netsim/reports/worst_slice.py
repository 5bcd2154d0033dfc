"""What a run's page says of its worst slice, and of slices that pay for U."""

from collections.abc import Iterator, Sequence

from netsim.console import interval
from netsim.reports.document import Section, Table
from netsim.reports.run_data import RunData
from netsim.reports.starvation import FEWEST_PACKETS, FULL, PAYS, STRETCHES, Paying, Scale, paying
from netsim.reports.words import share

RULE = (
    "U adds up what slices get, so the gain of one can hide the loss of another. How good U looks is measured by "
    "u = (U - gmin) / (gmax - gmin), within 0 and 1; gmin is {gmin:.3f} and gmax {gmax:.3f}, {origin}. "
    f"A slice is said to pay for U where its own SSR is below {FULL} u over at least {FEWEST_PACKETS} packets, in the "
    f"whole run or in one of {STRETCHES} stretches of it."
)


def starved(run: RunData, scale: Scale | None) -> Iterator[str]:
    """A warning for each slice that pays for U over the whole run."""
    for each in _paying(run, scale, stretches=1):
        ssr, percent = share(each.ssr), 100 * each.score
        yield PAYS.format(name=each.name, ssr=ssr, utility=each.utility, percent=percent)


def _paying(run: RunData, scale: Scale | None, stretches: int) -> list[Paying]:
    if scale is None:
        return []
    cell, kept = run.of_cell("utility"), run.of_slices("satisfied")
    return paying(scale, run.names, cell, kept, run.resolved, stretches)


def worst_section(run: RunData, scale: Scale | None) -> Section:
    """The worst slice, and where in the run one pays for U."""
    worst = run.worst
    told = (
        []
        if worst is None
        else [f"The worst slice is {worst}, with an SSR of {interval(run.figures['slices'][worst]['ssr'], 4)}."]
    )
    if scale is None:
        told.append(
            "Whether a slice pays for U cannot be told: the scenario has no thresholds of the reward, and none were "
            "measured by `netsim calibrate`."
        )
        return Section("worst", "Worst slice", told)
    told.append(RULE.format(gmin=scale.gmin, gmax=scale.gmax, origin=scale.origin))
    found = _paying(run, scale, STRETCHES)
    if not found:
        told.append("Nowhere in this run does a slice pay for U.")
    return Section("worst", "Worst slice", told, [_paying_table(run, found)] if found else ())


def _paying_table(run: RunData, found: Sequence[Paying]) -> Table:
    rows = [
        [
            f"{run.periods[each.rows][0]} to {run.periods[each.rows][-1]}",
            each.name,
            share(each.ssr),
            f"{each.utility:.3f}",
            f"{each.score:.2f}",
        ]
        for each in found
    ]
    return Table("Stretches in which a slice pays for U", ["periods", "slice", "SSR", "U", "u"], rows, frozenset({1}))
