"""When a measured figure agrees with theory: |z| <= 4, and a 95 % half-width of at most 1 % of the value.

The half-width makes the rule one that can fail: a figure that was hardly measured has a small z as well.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.stats import t as student

MOST_STANDARD_ERRORS = 4.0
HALF_WIDTH = 0.01
SSR_HALF_WIDTH = 0.005
FEWEST_REPLICATIONS = 30


class Check(Protocol):
    """A figure held against theory."""

    of: str
    expected: float

    @property
    def measured(self) -> float: ...

    @property
    def z(self) -> float: ...

    @property
    def half_width(self) -> float: ...

    @property
    def accepted(self) -> bool: ...


@dataclass(frozen=True)
class Ratio:
    """The ratio of two sums over independent replications or batches, with its standard error.

    With n and d the sums in one batch and r the ratio of all, the variance of r is that of n - r d, over the batches,
    over the square of the sum of d. A mean is the ratio with d = 1; the mean latency of batches with a random number of
    packets is one with d their number, which a mean of means would get wrong by the covariance of the two.
    """

    of: str
    expected: float
    numerators: np.ndarray
    denominators: np.ndarray | float = 1.0
    limit: float = HALF_WIDTH
    """The largest half-width of the 95 % interval, as a share of ``scale``."""
    scale: float | None = None
    """What the half-width is a share of, for figures that theory says are 0; the expected value otherwise."""

    @cached_property
    def measured(self) -> float:
        """The ratio."""
        return float(np.sum(self.numerators) / np.sum(self._divisors))

    @cached_property
    def _divisors(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.denominators, float), np.shape(self.numerators))

    @cached_property
    def standard_error(self) -> float:
        """Of the ratio, from the batches alone."""
        n = np.size(self.numerators)
        residuals = self.numerators - self.measured * self._divisors
        return float(math.sqrt(n / (n - 1) * np.sum(residuals**2)) / np.sum(self._divisors))

    @property
    def z(self) -> float:
        """Standard errors by which the measured figure exceeds the expected one."""
        excess = self.measured - self.expected
        return excess / self.standard_error if self.standard_error > 0 else math.copysign(math.inf, excess)

    @property
    def half_width(self) -> float:
        """Of the 95 % interval, as a share of the scale."""
        quantile = float(student.ppf(0.975, np.size(self.numerators) - 1))
        return quantile * self.standard_error / abs(self.expected if self.scale is None else self.scale)

    @property
    def accepted(self) -> bool:
        """Whether the rule is met."""
        enough = np.size(self.numerators) >= FEWEST_REPLICATIONS
        return enough and abs(self.z) <= MOST_STANDARD_ERRORS and self.half_width <= self.limit


@dataclass(frozen=True)
class Exact:
    """A figure without any randomness."""

    of: str
    expected: float
    measured: float

    half_width = 0.0

    @property
    def z(self) -> float:
        """0 or infinite."""
        return 0.0 if self.accepted else math.copysign(math.inf, self.measured - self.expected)

    @property
    def accepted(self) -> bool:
        """Whether the two are equal."""
        return self.measured == self.expected


def ssr(of: str, expected: float, satisfied: np.ndarray, resolved: np.ndarray) -> Ratio:
    """A share of satisfied packets, which is held to half the half-width."""
    return Ratio(of, expected, satisfied, resolved, limit=SSR_HALF_WIDTH)


def rejected(checks: list[Check]) -> list[Check]:
    """Those that do not meet the rule."""
    return [check for check in checks if not check.accepted]
