"""The figures of a run that was stopped: what ``summary.json`` would say, as far as the kept periods tell."""

from typing import TYPE_CHECKING, Any

from netsim.reports.thinning import Bins, Floats
from netsim.statistics import MOST_BATCHES, UNKNOWN, Figure, proportion, ratio

if TYPE_CHECKING:
    from netsim.reports.run_data import RunData

CELL = ("utility", "se_capacity", "se_carried")
COUNTS = ("arrived", "slow", "late", "dropped")


def figures_of(run: "RunData") -> dict[str, Any]:
    """Means over batches of periods with their intervals, as in a summary; percentiles of latency are left unknown."""
    bins = Bins(len(run.periods), MOST_BATCHES)
    periods = bins.sums(run.periods * 0 + 1)
    return {
        **{name: ratio(bins.sums(run.of_cell(name)), periods).to_dict() for name in CELL},
        "slices": {name: _slice(run, bins, periods, n) for n, name in enumerate(run.names)},
    }


def _slice(run: "RunData", bins: Bins, periods: Floats, n: int) -> dict[str, Any]:
    departed, mean_ms = run.of_slices("departed")[:, n], run.of_slices("latency_mean_ms")[:, n]
    latency_ms = departed * mean_ms
    latency_ms[departed == 0] = 0.0
    return {
        "ssr": proportion(bins.sums(run.of_slices("satisfied")[:, n]), bins.sums(run.resolved[:, n])).to_dict(),
        "latency_mean_ms": ratio(bins.sums(latency_ms), bins.sums(departed)).to_dict(),
        "latency_p99_ms": UNKNOWN.to_dict(),
        "carried_mbps": _mbps(run, bins, periods, n).to_dict(),
        **{name: int(run.of_slices(name)[:, n].sum()) for name in COUNTS},
    }


def _mbps(run: "RunData", bins: Bins, periods: Floats, n: int) -> Figure:
    return ratio(bins.sums(run.of_slices("carried_bits")[:, n]) / 1e6, periods * run.period_s)
