"""How far predictions are from the truth: errors, skill, coverage and distances, with intervals over groups of periods.

Every interval is the jackknife's over groups, which are seeds or long blocks of periods: the figure is worked out again
without each group in turn, and Student's t over the pseudo-values gives its 95 % interval (Efron and Stein, 1981). So
one way serves means, quotients, rank correlations and distances alike.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import wasserstein_distance

from netsim.statistics import UNKNOWN, Figure, around, student_quantile

Values = NDArray[np.float64]
Kept = NDArray[np.bool_]
"""Which groups count, shape ``(G,)``."""


def jackknife(groups: int, statistic: Callable[[Kept], float]) -> Figure:
    """A statistic of all groups and its 95 % interval; unknown where the statistic is NaN.

    >>> values = np.array([1.0, 2.0, 3.0])
    >>> jackknife(3, lambda kept: float(values[kept].mean())).mean
    2.0
    """
    whole = statistic(np.ones(groups, bool))
    if math.isnan(whole):
        return UNKNOWN
    if groups < 2:
        return Figure(whole, None)
    without = np.array([statistic(np.arange(groups) != g) for g in range(groups)])
    deviation = math.sqrt((groups - 1) / groups * float(((without - without.mean()) ** 2).sum()))
    return Figure(whole, None) if math.isnan(deviation) else around(whole, student_quantile(groups - 1) * deviation)


@dataclass(frozen=True)
class Error:
    """How far point predictions are off."""

    rmse: Figure
    mae: Figure
    skill: Figure
    """1 - mean squared error / variance: 1 for the truth, 0 for one who always says the mean of what is measured."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {name: getattr(self, name).to_dict() for name in ("rmse", "mae", "skill")}


@dataclass(frozen=True)
class Sums:
    """What errors are worked out from, summed over each group: shape ``(G,)`` all."""

    rows: Values
    squares: Values
    absolute: Values
    truth: Values
    truth_squares: Values
    """Of the truth less its mean over everything, which keeps the variance exact."""

    @classmethod
    def of(cls, predicted: ArrayLike, truth: ArrayLike, groups: NDArray[np.int64], count: int) -> "Sums":
        """Those of M predictions, shape ``(M,)`` all."""
        said, true = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
        off, about = said - true, true - true.mean()
        columns = (np.ones_like(true), off**2, np.abs(off), about, about**2)
        return cls(*(_summed(column, groups, count) for column in columns))

    def skill(self, kept: Kept) -> float:
        """1 - mean squared error / variance; NaN where nothing varies."""
        n = self.rows[kept].sum()
        variance = self.truth_squares[kept].sum() / n - (self.truth[kept].sum() / n) ** 2
        return float(1.0 - self.squares[kept].sum() / n / variance) if variance > 1e-12 else math.nan

    def mean(self, kept: Kept, column: Values) -> float:
        """Mean of a column per row."""
        return float(column[kept].sum() / self.rows[kept].sum())

    def error(self) -> Error:
        """All figures with their intervals."""
        count = len(self.rows)
        return Error(
            rmse=jackknife(count, lambda kept: math.sqrt(self.mean(kept, self.squares))),
            mae=jackknife(count, lambda kept: self.mean(kept, self.absolute)),
            skill=jackknife(count, self.skill),
        )


def _summed(column: ArrayLike, groups: NDArray[np.int64], count: int) -> Values:
    return np.bincount(groups, np.asarray(column, np.float64), count).astype(np.float64)


def mean_skill(parts: Mapping[str, Sums]) -> Figure:
    """Mean skill of several figures, those left out that do not vary; unknown if none does."""
    every = list(parts.values())

    def statistic(kept: Kept) -> float:
        skills = [skill for part in every if not math.isnan(skill := part.skill(kept))]
        return float(np.mean(skills)) if skills else math.nan

    return jackknife(len(every[0].rows), statistic)


# -- intervals and quantiles -------------------------------------------------------------------------------------------

LEVELS: Values = np.arange(1, 20) / 20
"""Levels of the quantiles that predictions are asked for: 0.05 to 0.95."""
WITHIN: Values = np.arange(1, 10) / 10
"""What central intervals between those levels should hold: 0.1 to 0.9."""


def covered(quantiles: Values, truth: Values) -> NDArray[np.bool_]:
    """Whether each central interval holds the truth: quantiles at ``LEVELS`` of shape ``(M, 19)`` to ``(M, 9)``."""
    low, high = quantiles[:, 8::-1], quantiles[:, 10:]
    return (low <= truth[:, None]) & (truth[:, None] <= high)


def coverage(quantiles: Values, truth: Values, groups: NDArray[np.int64], count: int) -> list[Figure]:
    """The share of truths that each central interval holds."""
    rows = _summed(np.ones_like(truth), groups, count)

    def share(held: Values) -> Figure:
        return jackknife(count, lambda kept: float(held[kept].sum() / rows[kept].sum()))

    return [share(_summed(column, groups, count)) for column in covered(quantiles, truth).T]


def pinball(quantiles: Values, truth: Values) -> Values:
    """Loss of quantiles at ``LEVELS``, ``(M, 19)``: twice its mean over levels is the CRPS, here of shape ``(M,)``.

    Continuous ranked probability score, Gneiting and Raftery, 2007, section 4.2: the lower, the nearer and the surer.
    """
    above = truth[:, None] - quantiles
    losses: Values = 2.0 * np.maximum(LEVELS * above, (LEVELS - 1.0) * above).mean(axis=1)
    return losses


def climatology(truth: Values) -> Values:
    """The quantiles of everything measured, said of each of M periods, shape ``(M, 19)``."""
    return np.broadcast_to(np.quantile(truth, LEVELS), (len(truth), len(LEVELS)))


def spread_skill(quantiles: Values, truth: Values, groups: NDArray[np.int64], count: int) -> Figure:
    """1 - CRPS / CRPS of the climatology: 1 for one who knows the truth for sure, 0 for the climatology."""
    said, known = (_summed(pinball(each, truth), groups, count) for each in (quantiles, climatology(truth)))

    def statistic(kept: Kept) -> float:
        whole = known[kept].sum()
        return float(1.0 - said[kept].sum() / whole) if whole > 0.0 else math.nan

    return jackknife(count, statistic)


# -- distributions -----------------------------------------------------------------------------------------------------


def distance(some: Values, others: Values) -> float:
    """Mean Wasserstein-1 distance of the rows of two arrays of samples, shapes ``(C, ...)``."""
    pairs = zip(some.reshape(len(some), -1), others.reshape(len(others), -1), strict=True)
    return float(np.mean([wasserstein_distance(*pair) for pair in pairs]))
