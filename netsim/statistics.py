"""Means and percentiles of a run with 95 % intervals, in memory that does not grow with its length.

The periods of a run are no independent sample, for queues carry over. So they are gathered into batches of consecutive
periods; when all places are taken, neighbours are merged and batches are twice as long. Batches are nearly independent
once they are long against the memory of the queues, and Student's t over them gives the interval.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim.report import FloatArray, IntArray

LEVEL = 0.95
MOST_BATCHES = 40


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % interval; ``None`` where there is nothing to estimate it from."""

    mean: float | None
    ci95: tuple[float, float] | None

    def to_dict(self) -> dict[str, object]:
        """As results are written: ``{"mean": ..., "ci95": [low, high]}``."""
        return {"mean": self.mean, "ci95": None if self.ci95 is None else list(self.ci95)}

    def scaled(self, factor: float) -> "Figure":
        """The same in another unit."""
        if self.mean is None:
            return self
        return Figure(self.mean * factor, self.ci95 and (self.ci95[0] * factor, self.ci95[1] * factor))


UNKNOWN = Figure(None, None)


def student_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t.

    >>> round(student_quantile(10), 4)
    2.2281
    """
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + LEVEL / 2))


def ratio(numerators: ArrayLike, denominators: ArrayLike) -> Figure:
    """Sum over sum of paired batches, with the interval of the delta method.

    With r the ratio and d_i = y_i - r x_i: half-width = t(m-1) sqrt(m/(m-1) sum d_i^2) / sum x
    (Cochran, Sampling Techniques, section 2.11). With x = 1 it is the interval of a plain mean. Batches without
    weight (x = 0) are left out.

    >>> ratio([1.0, 2.0, 3.0], [1, 1, 1]).mean
    2.0
    """
    y, x = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    y, x = y[x > 0], x[x > 0]
    if x.size == 0:
        return UNKNOWN
    mean = float(y.sum() / x.sum())
    if x.size == 1:
        return Figure(mean, None)
    spread = math.sqrt(x.size / (x.size - 1) * float(((y - mean * x) ** 2).sum())) / float(x.sum())
    return around(mean, student_quantile(x.size - 1) * spread)


def around(mean: float, half_width: float) -> Figure:
    """An interval by its middle and half-width."""
    return Figure(mean, (mean - half_width, mean + half_width))


def proportion(successes: ArrayLike, trials: ArrayLike) -> Figure:
    """A share pooled over batches: :func:`ratio` within 0..1.

    Where every batch has the same share, as when nothing failed, the batches say nothing about the spread, and the
    interval is Wilson's.

    >>> low, high = proportion([500, 500], [500, 500]).ci95
    >>> round(low, 4), high
    (0.9962, 1.0)
    """
    figure = ratio(successes, trials)
    if figure.mean is None or figure.ci95 is None:
        return figure
    if figure.ci95[1] - figure.ci95[0] <= 1e-12:
        return wilson(figure.mean, float(np.sum(trials)))
    return Figure(figure.mean, (max(0.0, figure.ci95[0]), min(1.0, figure.ci95[1])))


def wilson(share: float, trials: float) -> Figure:
    """Wilson's score interval of a share of independent trials."""
    from scipy.special import ndtri

    z = float(ndtri(0.5 + LEVEL / 2))
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Figure(share, (max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))))


def quotient(a: Figure, b: Figure) -> Figure:
    """``a / b`` of two independent estimates, their relative half-widths added in squares."""
    if a.mean is None or not b.mean:
        return UNKNOWN
    mean = a.mean / b.mean
    if a.ci95 is None or b.ci95 is None:
        return Figure(mean, None)
    halves = (a.ci95[1] - a.ci95[0]) / 2 / b.mean, mean * (b.ci95[1] - b.ci95[0]) / 2 / b.mean
    return around(mean, math.hypot(*halves))


def spearman(x: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; ``None`` where all of one are equal.

    With ``groups``, a number for each pair, ranks are those within its group less their mean there, so that what tells
    groups apart plays no part.

    >>> spearman([1, 2, 3, 4], [2, 4, 8, 6])
    0.8
    """
    from scipy.stats import rankdata

    some, others = np.asarray(x, np.float64), np.asarray(y, np.float64)
    belongs = np.zeros(some.size) if groups is None else np.asarray(groups)
    a, b = np.empty((2, some.size))
    for group in np.unique(belongs):
        own = belongs == group
        middle = (np.count_nonzero(own) + 1) / 2
        a[own], b[own] = rankdata(some[own]) - middle, rankdata(others[own]) - middle
    length = math.sqrt(float(a @ a) * float(b @ b))
    return max(-1.0, min(1.0, float(a @ b) / length)) if length else None


def rank_correlation(x: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Figure:
    """:func:`spearman` with the interval of Bonett and Wright (2000).

    It is tanh(artanh r +- z sqrt((1 + r^2 / 2) / (n - G - 2))) of n pairs in G groups. It was chosen for samples of a
    few pairs with ties: of 6 to 40 normal pairs with correlations 0 to 0.9, as they are and in five classes, it holds
    the truth at least 94 times in 100, with 1.06 for 1 + r^2 / 2 (Fieller, Hartley and Pearson, 1957) 92 times, and the
    percentiles of a bootstrap 90 times. There is none where r is 1 or -1: that all agree does not say how far it could
    be otherwise.

    >>> low, high = rank_correlation(range(12), [0, 1, 3, 2, 4, 5, 7, 6, 8, 11, 10, 9]).ci95
    >>> round(low, 3), round(high, 3)
    (0.812, 0.991)
    """
    from scipy.special import ndtri

    r = spearman(x, y, groups)
    if r is None:
        return UNKNOWN
    degrees = np.size(x) - (1 if groups is None else np.unique(groups).size) - 2
    if degrees < 1 or abs(r) == 1.0:
        return Figure(r, None)
    half = float(ndtri(0.5 + LEVEL / 2)) * math.sqrt((1 + r * r / 2) / degrees)
    return Figure(r, (math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)))


class BatchedSums:
    """Sums of some quantities over batches of consecutive periods."""

    def __init__(self, width: int) -> None:
        """Make room for ``width`` quantities."""
        self._sums = np.zeros((MOST_BATCHES, width))
        self._periods = np.zeros(MOST_BATCHES, dtype=np.int64)
        self._clock = BatchClock()

    def add(self, values: ArrayLike) -> None:
        """Add the quantities of one period, shape ``(width,)``."""
        place, merge = self._clock.next()
        if merge:
            merge_pairs(self._sums)
            merge_pairs(self._periods)
        self._sums[place] += values
        self._periods[place] += 1

    @property
    def sums(self) -> FloatArray:
        """Sums of the batches in order, shape ``(batches, width)``."""
        return self._sums[: self._clock.batches].copy()

    @property
    def periods(self) -> IntArray:
        """Periods in each batch."""
        return self._periods[: self._clock.batches].copy()

    def mean(self, column: int) -> Figure:
        """Mean of a quantity per period."""
        return ratio(self.sums[:, column], self.periods)


class BatchClock:
    """Tells each period its batch. When all places are taken, batches are merged in pairs and are twice as long."""

    def __init__(self) -> None:
        self._length, self._in_batch, self.batches = 1, 0, 0

    def next(self) -> tuple[int, bool]:
        """The batch of the next period, and whether to merge pairs before it is added."""
        merge = False
        if self.batches == 0 or self._in_batch == self._length:
            merge = self.batches == MOST_BATCHES
            if merge:
                self._length, self.batches = 2 * self._length, MOST_BATCHES // 2
            self.batches, self._in_batch = self.batches + 1, 0
        self._in_batch += 1
        return self.batches - 1, merge


def merge_pairs(batches: NDArray[Any]) -> None:
    """Sum neighbours along the first axis into its first half; the second half becomes zero."""
    half = len(batches) // 2
    batches[:half] = batches[0::2] + batches[1::2]
    batches[half:] = 0


class LatencyHistogram:
    """Counts of latencies in buckets of at most 0.1 % relative width, in batches of consecutive periods.

    A bucket is the exponent and the first ten bits of the fraction of the latency as a float64, so that 1024 buckets
    of equal width fill each octave.
    """

    _SHIFT = 42
    _FIRST = 1023 << 10  # the bucket of 1 ns

    def __init__(self) -> None:
        self._counts = np.zeros((MOST_BATCHES, 0), dtype=np.int64)
        self._clock = BatchClock()
        self._least, self._most = math.inf, -math.inf

    def add(self, latencies_ns: IntArray) -> None:
        """Add the latencies of one period, each at least 1 ns."""
        place, merge = self._clock.next()
        if merge:
            merge_pairs(self._counts)
        if latencies_ns.size == 0:
            return
        buckets = (latencies_ns.astype(np.float64).view(np.int64) >> self._SHIFT) - self._FIRST
        self._make_room(int(buckets.max()) + 1)
        np.add.at(self._counts[place], buckets, 1)
        self._least = min(self._least, int(latencies_ns.min()))
        self._most = max(self._most, int(latencies_ns.max()))

    def _make_room(self, buckets: int) -> None:
        missing = buckets - self._counts.shape[1]
        if missing > 0:
            self._counts = np.pad(self._counts, ((0, 0), (0, missing + 1024)))

    @property
    def total(self) -> int:
        """Latencies added."""
        return int(self._counts.sum())

    def percentile_ns(self, q: float) -> Figure:
        """The smallest latency that a share ``q`` of all do not exceed, to 0.05 %, and its interval over batches."""
        counts = self._counts[: self._clock.batches]
        pooled = self._percentile(counts.sum(axis=0), q)
        each = [self._percentile(batch, q) for batch in counts if batch.any()]
        if pooled is None or len(each) < 2:
            return Figure(pooled, None)
        half = student_quantile(len(each) - 1) * float(np.std(np.array(each) - each[0], ddof=1)) / math.sqrt(len(each))
        return around(pooled, half)

    def _percentile(self, counts: IntArray, q: float) -> float | None:
        total = int(counts.sum())
        if total == 0:
            return None
        bucket = int(np.searchsorted(np.cumsum(counts), math.ceil(q * total)))
        low, high = (np.array([bucket, bucket + 1]) + self._FIRST << self._SHIFT).view(np.float64)
        return float(np.clip((low + high) / 2, self._least, self._most))
