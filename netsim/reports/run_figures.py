"""The figures of a run."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from netsim.beststatic import Best
from netsim.reports.charts import Form, Level, Line, Panel, below_one, from_zero
from netsim.reports.document import Figure
from netsim.reports.figures import figure
from netsim.reports.latency import Distribution, distributions
from netsim.reports.promises import NS_PER_MS, Promise, event_periods
from netsim.reports.run_data import RunData
from netsim.reports.starvation import Scale
from netsim.reports.thinning import Bins, Thinned
from netsim.reports.words import listed, percent, share, significant, slug

BOUNDS = (
    "Packets were not kept, so the curve is only known to run within the band: it follows from the median, the 99th "
    "percentile and the maximum of each period. With `--packets` a run keeps every packet, and the curve is exact."
)


class Course(NamedTuple):
    """What a strip shows over the periods, and what to hold it against."""

    thinned: Thinned
    y_label: str
    levels: Sequence[Level] = ()
    y_range: tuple[float, float] | None = None


class Courses:
    """Figures over the periods of a run; of a long one over bins of periods."""

    def __init__(self, run: RunData, best: Best | None, scale: Scale | None) -> None:
        self._run, self._best, self._scale = run, best, scale
        self._bins = Bins.drawn(len(run.periods))
        self._x = self._bins.means(run.periods)
        width = self._bins.width
        binned = f"Each point stands for {width} periods; the band runs from the lowest of them to the highest. "
        events = [at for at in event_periods(run.scenario) if at <= run.periods[-1]]
        self._about = (binned if width > 1 else "") + ("Upright lines are events of the scenario." if events else "")
        self._events = [Level("", at, across=False) for at in events]

    def allocation(self) -> Figure:
        """Units of each slice."""
        units = self._run.of_slices("allocation")
        played = len(np.unique(units, axis=0))
        told = "The allocation never changed" if played == 1 else f"{played} different allocations were played"
        means = listed(f"{name} {mean:.1f}" for name, mean in zip(self._run.names, units.mean(axis=0), strict=True))
        best = [] if self._best is None else [(Level("best static", each, 1),) for each in self._best.allocation]
        most = from_zero([units.max(), *(level.value for [level] in best)])
        courses = {
            name: Course(self._bins.thinned(units[:, n]), "units", best[n] if best else (), most)
            for n, name in enumerate(self._run.names)
        }
        return self._figure("allocation", "Allocation", f"{told}; mean units: {means}.", courses, "steps")

    def ssr(self) -> Figure:
        """SSR of each slice."""
        satisfied, resolved, names = self._run.of_slices("satisfied"), self._run.resolved, self._run.names
        shares = [self._bins.shares(satisfied[:, n], resolved[:, n]) for n in range(len(names))]
        courses = {name: Course(each, "SSR", (), below_one(each.low)) for name, each in zip(names, shares, strict=True)}
        told = listed(f"{name} {share(total)}" for name, total in zip(names, self._run.ssr.tolist(), strict=True))
        return self._figure("ssr", "Satisfied packets (SSR)", f"Over the whole run: {told}.", courses)

    def queue(self) -> Figure:
        """Packets queued at the ends of periods."""
        queued = dict(zip(self._run.names, self._run.of_slices("backlog_packets").T, strict=True))
        courses = {
            name: Course(self._bins.thinned(each), "packets", (), from_zero(each)) for name, each in queued.items()
        }
        told = listed(f"{name} {significant(each.mean(), 3)} (most {each.max():.0f})" for name, each in queued.items())
        return self._figure("queue", "Queues at the end of each period", f"Mean packets queued: {told}.", courses)

    def utility(self) -> Figure:
        """U, beside gmin, gmax and the best static allocation."""
        utility = self._run.of_cell("utility")
        marks = {} if self._scale is None else {"gmin": self._scale.gmin, "gmax": self._scale.gmax}
        if self._best is not None:
            marks["best static"] = self._best.utility
        levels = [Level(name, value, kind) for kind, (name, value) in enumerate(marks.items())]
        beside = f", beside {listed(f'{name} {value:.3f}' for name, value in marks.items())}" if marks else ""
        course = Course(self._bins.thinned(utility), "U", levels)
        return self._figure("utility", "Utility U", f"Mean U {utility.mean():.3f}{beside}.", {"U": course})

    def efficiency(self) -> Figure:
        """Spectral efficiency: what could have been sent, and what was."""
        capacity, carried = self._run.of_cell("se_capacity"), self._run.of_cell("se_carried")
        used = percent(carried.mean() / capacity.mean()) if capacity.any() else "nothing"
        counted = "capacity" if self._run.scenario["utility"]["se"] == "capacity" else "carried one"
        told = (
            f"{significant(capacity.mean())} bit/s/Hz were granted on average, {significant(carried.mean())} were "
            f"carried: {used} of it. U counts the {counted}."
        )
        both = {"capacity granted": capacity, "carried": carried}
        courses = {name: Course(self._bins.thinned(each), "bit/s/Hz") for name, each in both.items()}
        return self._figure("efficiency", "Spectral efficiency, capacity and carried", told, courses)

    def _figure(
        self, name: str, heading: str, finding: str, courses: Mapping[str, Course], form: Form = "line"
    ) -> Figure:
        panels = [self._panel(label, course, kind, form) for kind, (label, course) in enumerate(courses.items())]
        return figure(name, heading, finding, panels, "period", self._about)

    def _panel(self, label: str, course: Course, kind: int, form: Form) -> Panel:
        middle, low, high = course.thinned.middle, course.thinned.low, course.thinned.high
        if self._bins.width == 1:
            line = Line(label, self._x, middle, kind=kind, form=form)
        else:
            line = Line(label, self._x, middle, low, high, kind)
        return Panel(label, [line], [*course.levels, *self._events], course.y_label, course.y_range)


# -- latency -----------------------------------------------------------------------------------------------------------


def latency_figures(run: RunData) -> list[Figure]:
    """How the latencies of each slice are distributed, with the limit that was promised."""
    found = distributions(run)
    return [_latency(n, name, found[name], run.promises[name]) for n, name in enumerate(run.names) if name in found]


def _latency(n: int, slice_name: str, distribution: Distribution, promise: Promise) -> Figure:
    shown = distribution.trimmed()
    levels = [
        Level(f"limit {limit}", limit_ns / NS_PER_MS, kind, across=False)
        for kind, (limit, limit_ns) in enumerate(zip(promise.limits, promise.limits_ns, strict=True))
    ]
    if shown.exact:
        line = Line(slice_name, shown.at_ms, shown.low, kind=n)
    else:
        line = Line(slice_name, shown.at_ms, shown.low, shown.low, shown.high, n, "band")
    panel = Panel("", [line], levels, "share of packets sent", (0.0, 1.02), log_x=True)
    return figure(
        f"latency-{n + 1}-{slug(slice_name)}",
        f"Latency of {slice_name}",
        _within(distribution, promise),
        [panel],
        "latency at most, ms",
        "" if shown.exact else BOUNDS,
    )


def _within(distribution: Distribution, promise: Promise) -> str:
    """The share within the limit, in words."""
    low, high = map(percent, distribution.within(promise.limits_ns[0]))
    told = low if low == high else f"Between {low} and {high}"
    return f"{told} of {distribution.sent:,} packets sent took at most {promise.limits[0]}, the limit."
