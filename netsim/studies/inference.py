"""What can be concluded from few runs: small samples of learning curves, paired by seed.

Every random draw is a function of (purpose, sample, index), so an interval is the same wherever it is worked out.
"""

import bisect
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim.statistics import LEVEL, Figure
from netsim.streams import stream_word, uniforms

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Along the first axis of an array of runs."""

RESAMPLES = 2000
POINTS = 100
"""Of a curve that are resampled at once."""
BOOTSTRAP, FLIPS = "study-bootstrap", "study-flips"
EXACT = 12
"""Up to so many pairs all changes of sign are tried."""
LEAST_PAIRS = 6
"""Fewer than that have no interval of 95 % without the assumption of a normal distribution: 2 / 2^5 > 0.05."""


# -- means and intervals -----------------------------------------------------------------------------------------------


def iqm(values: ArrayLike) -> Floats:
    """Interquartile mean along the first axis: the mean of what is left without the lowest and highest n // 4.

    >>> float(iqm([0.0, 1.0, 2.0, 99.0]))
    1.5
    """
    ordered = np.sort(np.asarray(values, np.float64), axis=0)
    cut = len(ordered) // 4
    mean: Floats = ordered[cut : len(ordered) - cut].mean(axis=0)
    return mean


class Interval(NamedTuple):
    """Estimates with their 95 % intervals, arrays of one shape."""

    estimate: Floats
    low: Floats
    high: Floats

    def figure(self) -> Figure:
        """The same of a single number."""
        return Figure(float(self.estimate), (float(self.low), float(self.high)))


def bootstrap(strata: Sequence[ArrayLike], statistic: Statistic = iqm, resamples: int = RESAMPLES) -> Interval:
    """Percentile interval of a statistic of all runs, resampled within each stratum (Agarwal et al., 2021).

    Parameters
    ----------
    strata
        Runs of each task, shape ``(runs,)`` or ``(runs, points)``.
    statistic
        Of runs along the first axis, whatever their stratum, for all that stands along the others at once.

    >>> bootstrap([[1.0, 1.0], [3.0, 3.0]], lambda runs: runs.mean(axis=0)).figure()
    Figure(mean=2.0, ci95=(2.0, 2.0))
    """
    runs = [np.asarray(stratum, np.float64) for stratum in strata]
    shape = runs[0].shape[1:]
    runs = [each.reshape(len(each), -1) for each in runs]
    drawn = [_resampled(len(stratum), resamples, f"{k}") for k, stratum in enumerate(runs)]
    together = np.concatenate(runs)
    ends = np.empty((2, together.shape[1]))
    for part in _parts(together):  # so that memory does not grow with the points of a curve
        again = statistic(np.concatenate([s[:, part][rows.T] for s, rows in zip(runs, drawn, strict=True)]))
        ends[:, part] = np.quantile(again, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    estimate = np.asarray(statistic(together))
    return Interval(*(each.reshape(shape) for each in (estimate, *ends)))


def _parts(runs: Floats) -> Iterator[slice]:
    return (slice(begin, begin + POINTS) for begin in range(0, runs.shape[1], POINTS))


def _resampled(n: int, resamples: int, whose: str) -> NDArray[np.int64]:
    """Rows drawn with replacement, shape ``(resamples, n)``."""
    u = uniforms(0, stream_word(BOOTSTRAP, whose), np.arange((n * resamples + 1) // 2))
    rows: NDArray[np.int64] = (u.ravel()[: n * resamples].reshape(resamples, n) * n).astype(np.int64)
    return rows


def probability_of_improvement(better: Sequence[ArrayLike], worse: Sequence[ArrayLike]) -> Figure:
    """P(X > Y) + P(X = Y) / 2 for a run of each, mean over strata, with its stratified bootstrap interval.

    It is the Mann-Whitney U over the product of the sample sizes.

    >>> probability_of_improvement([[3.0, 4.0]], [[1.0, 3.0]]).mean
    0.875
    """
    xs, ys = ([np.asarray(stratum, np.float64) for stratum in side] for side in (better, worse))
    wins = [np.sign(x[:, None] - y[None, :]) / 2 + 0.5 for x, y in zip(xs, ys, strict=True)]
    again = np.zeros(RESAMPLES)
    for k, win in enumerate(wins):
        rows, columns = (_resampled(n, RESAMPLES, f"{side}{k}") for n, side in zip(win.shape, "xy", strict=True))
        again += win[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2)) / len(wins)
    low, high = np.quantile(again, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(float(np.mean([win.mean() for win in wins])), (float(low), float(high)))


# -- pairs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paired:
    """The mean difference of pairs that met the same random numbers."""

    effect: float
    low: float
    """Ends of the 95 % interval; infinite where there are too few pairs for one."""
    high: float
    p: float
    """Of no difference but ``nothing``, two-sided."""
    pairs: int
    method: str


def paired(differences: ArrayLike, nothing: float = 0.0) -> Paired:
    """Mean of paired differences, its 95 % interval, and the probability of one as far from ``nothing`` by chance.

    From six pairs on nothing is assumed but that without an effect a difference is as likely as its negative, which
    pairing makes true: the interval holds the values that a test by all changes of sign does not refuse. Its ends are
    means of subsets of the differences (Hartigan, 1969), and it covers exactly. Fewer pairs have Student's interval,
    which assumes a normal distribution.

    >>> found = paired([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> found.effect, found.low, found.high, found.p
    (3.5, 1.0, 6.0, 0.03125)
    """
    d = np.asarray(differences, np.float64)
    if not len(d):
        return Paired(math.nan, -math.inf, math.inf, 1.0, 0, "no pairs")
    if len(d) < LEAST_PAIRS:
        return _student(d, nothing)
    means = np.sort(_subset_means(d))
    all_signs = len(means) + 1
    skipped = math.floor(all_signs * (1 - LEVEL) / 2 + 1e-9)
    below, above = int((means <= nothing).sum()), int((means >= nothing).sum())
    p = min(1.0, 2 * (1 + min(below, above)) / all_signs)
    return Paired(float(d.mean()), float(means[skipped - 1]), float(means[-skipped]), p, len(d), "changes of sign")


def _student(d: Floats, nothing: float) -> Paired:
    from scipy.special import stdtr, stdtrit

    mean, n = float(d.mean()), len(d)
    error = float(d.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    if not error:  # few pairs that agree, as times in rounds do, say nothing about how far others lie
        return Paired(mean, -math.inf, math.inf, 1.0, n, "no spread to judge by")
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * error
    p = 2 * float(stdtr(n - 1, -abs(mean - nothing) / error))
    return Paired(mean, mean - half, mean + half, p, n, "Student's t")


def _subset_means(d: Floats) -> Floats:
    """Means of the subsets of the differences but the empty one."""
    chosen = _subsets(len(d))
    means: Floats = chosen @ d / chosen.sum(axis=1)
    return means


@functools.lru_cache(8)
def _subsets(n: int) -> NDArray[np.bool_]:
    """Subsets of n, shape ``(subsets, n)``: all but the empty one, or of many things as many drawn at random."""
    if n <= EXACT:
        every: NDArray[np.bool_] = (np.arange(1, 1 << n)[:, None] >> np.arange(n)) & 1 == 1
        return every
    u = uniforms(0, stream_word(FLIPS, f"{n}"), np.arange(((1 << EXACT) - 1) * n))
    chosen: NDArray[np.bool_] = u[:, 0].reshape(-1, n) < 0.5
    chosen[~chosen.any(axis=1), 0] = True
    return chosen


def holm(probabilities: Sequence[float]) -> list[float]:
    """Holm's adjustment of several p values: below 0.05 they are wrong together with probability 5 % at most.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(probabilities), 0.0
    for rank, k in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        highest = max(highest, (len(probabilities) - rank) * probabilities[k])
        adjusted[k] = min(1.0, highest)
    return adjusted


def seeds_needed(effect: float, deviation: float, power: float = 0.8, most: int = 100_000) -> int | None:
    """Pairs that a paired t test of 5 % needs to notice an effect with this power.

    ``None`` if they are more than ``most``, or there is no effect or no spread to judge by.

    ``deviation`` is the standard deviation of a paired difference. The power is that of the noncentral t.

    >>> seeds_needed(1.0, 1.0)
    10
    """
    if effect == 0 or deviation == 0:
        return None
    pairs = range(2, most + 1)
    found = bisect.bisect_left(pairs, power, key=lambda n: power_of(n, effect, deviation))
    return pairs[found] if found < len(pairs) else None


def power_of(pairs: int, effect: float, deviation: float) -> float:
    """Probability that a two-sided paired t test of 5 % notices an effect."""
    from scipy.special import nctdtr, stdtrit

    shift, critical = abs(effect) / deviation * math.sqrt(pairs), float(stdtrit(pairs - 1, (1 + LEVEL) / 2))
    return float(1 - nctdtr(pairs - 1, shift, critical) + nctdtr(pairs - 1, shift, -critical))


# -- times that may not come -------------------------------------------------------------------------------------------


def kaplan_meier(times: ArrayLike, reached: ArrayLike) -> tuple[Floats, Floats]:
    """The product-limit estimate of P(T > t): the times at which it falls, and its values from there on.

    ``times`` are those at which runs got there, or ended without having got there (``reached`` false).

    >>> [each.tolist() for each in kaplan_meier([1, 2, 3, 4], [True, False, True, False])]
    [[1.0, 3.0], [0.75, 0.375]]
    """
    t, events = np.asarray(times, np.float64), np.asarray(reached, bool)
    moments = np.unique(t[events])
    at_risk = (t[None, :] >= moments[:, None]).sum(axis=1)
    fallen = ((t[None, :] == moments[:, None]) & events).sum(axis=1)
    return moments, np.cumprod(1 - fallen / at_risk)


def restricted_mean(times: ArrayLike, reached: ArrayLike, limit: float) -> float:
    """Mean of min(T, limit): the area below the product-limit estimate up to a limit.

    >>> restricted_mean([1, 2, 3, 4], [True, False, True, False], 4.0)
    2.875
    """
    moments, survival = kaplan_meier(times, reached)
    inside = moments < limit
    edges = np.concatenate([[0.0], moments[inside], [limit]])
    return float(np.diff(edges) @ np.concatenate([[1.0], survival[inside]]))


def median_time(times: ArrayLike, reached: ArrayLike) -> float | None:
    """The time by which half of the runs got there; ``None`` if they did not.

    >>> median_time([1, 2, 3], [True, True, False])
    2.0
    """
    moments, survival = kaplan_meier(times, reached)
    fallen = moments[survival <= 0.5]
    return float(fallen[0]) if len(fallen) else None
