"""How latencies are distributed: from every packet where packets were kept, else between bounds from each period.

A point of a distribution is the share of the packets sent whose latency is at most so much. Packets that were never
sent have none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import ArrowException, parquet
from pyarrow import compute as pc

from netsim.errors import InputError
from netsim.reports.promises import NS_PER_MS
from netsim.reports.run_data import RunData
from netsim.reports.thinning import Floats
from netsim.results import PACKETS

POINTS_PER_DECADE = 100
LEAST_NS = 1_000
DECADES = 9


@dataclass(frozen=True)
class Distribution:
    """Shares of the packets of a slice that were sent within each of some latencies."""

    at_ms: Floats
    low: Floats
    """The share, or where only periods are known the least that it can be."""
    high: Floats
    """The share, or the most that it can be."""
    sent: int
    exact: bool

    def within(self, limit_ns: int) -> tuple[float, float]:
        """The share sent within a limit that is one of the points: least and most."""
        k = int(np.searchsorted(self.at_ms, limit_ns / NS_PER_MS))
        return float(self.low[k]), float(self.high[k])

    def trimmed(self) -> "Distribution":
        """Without the points at which nothing is to be seen yet, or any more, but for one on either side."""
        last = len(self.at_ms) - 1
        first = int(np.searchsorted(self.high, self.high[0], side="right")) - 1
        end = min(last, int(np.searchsorted(self.low, 1.0))) + 1
        rows = slice(max(0, min(first, last - 1)), max(end, first + 2))
        return Distribution(self.at_ms[rows], self.low[rows], self.high[rows], self.sent, self.exact)


def distributions(run: RunData) -> dict[str, Distribution]:
    """Those of all slices of which anything was sent, by name; every latency limit is one of the points."""
    if (run.folder / PACKETS).is_file():
        return _of_packets(run)
    return dict(_of_periods(run))


def _points_ns(run: RunData, name: str) -> Floats:
    even = LEAST_NS * 10.0 ** (np.arange(DECADES * POINTS_PER_DECADE + 1) / POINTS_PER_DECADE)
    return np.unique(np.append(even, run.promises[name].limits_ns))


# -- from packets ------------------------------------------------------------------------------------------------------


def _of_packets(run: RunData) -> dict[str, Distribution]:
    points = {name: _points_ns(run, name) for name in run.names}
    counts = {name: np.zeros(len(each) + 1, np.int64) for name, each in points.items()}
    for name, latencies_ns in _latencies(run):
        # Place k counts latencies above point k - 1 and at most point k.
        places = np.searchsorted(points[name], latencies_ns)
        counts[name] += np.bincount(places, minlength=len(counts[name]))
    return {name: _exact(points[name], counts[name]) for name in run.names if counts[name].any()}


def _exact(points_ns: Floats, counts: NDArray[np.int64]) -> Distribution:
    shares = np.cumsum(counts)[:-1] / counts.sum()
    return Distribution(points_ns / NS_PER_MS, shares, shares, int(counts.sum()), exact=True)


def _latencies(run: RunData) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Latencies of the packets sent in controlled periods, a slice of a row group at a time."""
    path = run.folder / PACKETS
    try:
        with parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, ["period", "slice", "arrival_ns", "departure_ns"])
                table = table.filter(_sent(table))
                latencies = table["departure_ns"].to_numpy() - table["arrival_ns"].to_numpy()
                slices = table["slice"].combine_chunks()
                for code, name in enumerate(slices.dictionary.to_pylist()):
                    yield name, latencies[slices.indices.to_numpy() == code]
    except (OSError, ArrowException, KeyError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}") from None


def _sent(table: Any) -> Any:
    return pc.and_(pc.is_valid(table["departure_ns"]), pc.greater(table["period"], 0))


# -- from periods ------------------------------------------------------------------------------------------------------


def _of_periods(run: RunData) -> Iterator[tuple[str, Distribution]]:
    """Bounds on the shares, from the median, the 99th percentile and the largest latency of each period."""
    figures = [run.of_slices(f"latency_{name}_ms") for name in ("p50", "p99", "max")]
    departed = run.of_slices("departed").astype(np.int64)
    for n, name in enumerate(run.names):
        there = departed[:, n] > 0
        if there.any():
            points_ms = _points_ns(run, name) / NS_PER_MS
            quantiles = np.stack([figure[there, n] for figure in figures])
            yield name, bounds(points_ms, quantiles, departed[there, n])


def bounds(points_ms: Floats, quantiles_ms: Floats, departed: NDArray[np.int64]) -> Distribution:
    """What the shares can be, where of each period the median, the 99th percentile and the maximum are known.

    Of n packets at least ceil(n/2) are at most at their median, and at most ceil(n/2) - 1 are below it; and so on.

    >>> found = bounds(np.array([1.0, 2, 3]), np.array([[1.0], [2.0], [3.0]]), np.array([200]))
    >>> found.low.tolist(), found.high.tolist()
    ([0.5, 0.99, 1.0], [0.985, 0.995, 1.0])

    Parameters
    ----------
    quantiles_ms
        Shape ``(3, periods)``.
    departed
        Packets sent, at least one each, shape ``(periods,)``.
    """
    ranks = np.stack([-(-departed // 2), -(-99 * departed // 100), departed])
    places = np.searchsorted(points_ms, quantiles_ms)
    least = np.diff(ranks, axis=0, prepend=0)
    most = np.diff(np.append(ranks[1:], departed[None] + 1, axis=0), axis=0, prepend=ranks[:1])
    total, before = departed.sum(), (ranks[0] - 1).sum()
    low, high = (_steps(places, counts, len(points_ms)) for counts in (least, most))
    return Distribution(points_ms, low / total, (before + high) / total, int(total), exact=False)


def _steps(places: NDArray[np.int64], counts: NDArray[np.int64], length: int) -> Floats:
    """Counts added up from their places on."""
    return np.cumsum(np.bincount(places.ravel(), counts.ravel(), minlength=length)[:length])
