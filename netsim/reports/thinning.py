"""Many periods on few points, honestly: a point is the mean over its periods, beside the lowest and highest of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
MOST_PERIODS = 500
"""That are drawn one by one."""
MOST_BINS = 240
"""Of what is longer; a curve of a few hundred pixels shows no more."""


@dataclass(frozen=True)
class Thinned:
    """A quantity over bins of consecutive periods; NaN where a bin has no value."""

    middle: Floats
    low: Floats
    high: Floats


class Bins:
    """Bins of ``width`` consecutive rows each; the last may be shorter."""

    def __init__(self, rows: int, most: int) -> None:
        """Share ``rows`` among at most ``most`` bins."""
        self.rows, self.width = rows, max(1, -(-rows // most))
        self.starts = np.arange(0, rows, self.width)

    @classmethod
    def drawn(cls, rows: int) -> "Bins":
        """Those of a curve: each row by itself, or few enough bins to be seen."""
        return cls(rows, MOST_PERIODS if rows <= MOST_PERIODS else MOST_BINS)

    def sums(self, values: ArrayLike) -> Floats:
        """Sums over the bins of values of shape ``(rows, ...)``."""
        return np.add.reduceat(np.asarray(values, np.float64), self.starts, axis=0)

    def means(self, values: ArrayLike) -> Floats:
        """Means over the bins."""
        counts = np.diff(np.append(self.starts, self.rows))
        return self.sums(values) / counts.reshape(-1, *[1] * (np.ndim(values) - 1))

    def thinned(self, values: Floats) -> Thinned:
        """Mean, lowest and highest of values of shape ``(rows,)``.

        >>> Bins(5, most=3).thinned(np.array([1.0, 3, 5, 5, 9]))
        Thinned(middle=array([2., 5., 9.]), low=array([1., 5., 9.]), high=array([3., 5., 9.]))
        """
        return Thinned(self.means(values), *self._ends(values, values))

    def shares(self, parts: ArrayLike, wholes: ArrayLike) -> Thinned:
        """Sum of parts over sum of wholes of each bin, and the lowest and highest share of one of its rows."""
        part, whole = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
        with np.errstate(invalid="ignore"):
            each, pooled = part / whole, self.sums(part) / self.sums(whole)
        there = ~np.isnan(each)
        low, high = self._ends(np.where(there, each, np.inf), np.where(there, each, -np.inf))
        return Thinned(pooled, np.where(np.isinf(low), np.nan, low), np.where(np.isinf(high), np.nan, high))

    def _ends(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        return np.minimum.reduceat(low, self.starts), np.maximum.reduceat(high, self.starts)


def plain(values: ArrayLike, digits: int = 7) -> Sequence[float | int | None]:
    """Values for a file: whole numbers as they are, others to so many significant digits, ``None`` for none.

    >>> plain([1 / 3, float("nan")]), plain(np.array([1, 2]))
    ([0.3333333, None], [1, 2])
    """
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.tolist()  # type: ignore[no-any-return]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in array.tolist()]
