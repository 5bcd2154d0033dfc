"""Noticing that a network has changed, from what its twin gets wrong: CUSUM charts of sequential ranks.

Each residual is ranked among all that came before it, the reference first. As long as nothing changes, such ranks are
independent and uniform whatever the residuals' distribution is and however few there were to begin with (E. Parent,
1965; D. McDonald, A CUSUM procedure based on sequential ranks, Naval Research Logistics 37, 1990). The normal score of
a rank is then a standard normal number, and the threshold that holds a rate of false alarms is known without a
parameter having been estimated. What such a chart does not notice soon it takes for normal: a shift of one deviation
needs some 300 periods of reference, one of two deviations 100.

Residuals that follow one another (voices that go on talking, queues carried over) are first predicted from those
before; what is ranked is what surprised, and a chart rises the slower the less is known of the prediction.

The recursion is that of E. S. Page (Continuous inspection schemes, Biometrika 41, 1954), once for each direction; the
Page-Hinkley test is the same statistic, written as a cumulative sum above its least value so far.
"""

import math
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.linalg import toeplitz
from scipy.optimize import brentq
from scipy.special import ndtr

from netsim.errors import InputError, RunError
from rl.replay import Arrays
from rl.settings import Settings

FloatArray = NDArray[np.float64]
NORMAL = NormalDist()
SHORTEST_REFERENCE = 30
"""Periods."""
LONGEST_MEMORY = 10
"""Periods that a residual may be predicted from."""
NODES = 256
"""Of the integral equation."""
DIRECTIONS: tuple[Literal["up", "down"], ...] = ("up", "down")


class DriftConfig(Settings):
    """What counts as a change, and how often one may be reported that is none."""

    periods_between_false_alarms: Annotated[float, Field(ge=20, le=1e7)] = 10_000.0
    """Mean, over all channels and both directions together, while the network does not change."""
    smallest_shift_sd: Annotated[float, Field(ge=0.25, le=3)] = 1.0
    """The shift of a residual's mean that is noticed soonest, in its standard deviations."""

    @property
    def allowance(self) -> float:
        """What a score must exceed for a chart to rise: half of that shift."""
        return self.smallest_shift_sd / 2

    def threshold(self, channels: int) -> float:
        """Of every chart; rates of alarms add up, so each of the two charts a channel has its part of the rate."""
        return threshold_for(2 * channels * self.periods_between_false_alarms, self.allowance)


@dataclass(frozen=True)
class Alarm:
    """A change that was noticed."""

    channel: int
    """Of the residuals; the one furthest beyond the threshold if there are several."""
    direction: Literal["up", "down"]
    """Which way the residual's mean went."""
    statistic: float
    threshold: float
    lasted_periods: int
    """Since when the chart has been above 0, this period included: the change is estimated to have come just before."""


class DriftDetector:
    """Watches the residuals of a twin, period by period.

    >>> reference = np.random.Generator(np.random.Philox(1)).normal(size=(200, 2))
    >>> detector = DriftDetector(reference, DriftConfig())
    >>> [detector.update([0.0, 9.0]) is None for _ in range(6)]
    [True, True, True, True, False, True]
    """

    def __init__(self, reference: ArrayLike, config: DriftConfig) -> None:
        """Begin after a reference of shape ``(R, K)``: residuals of K channels while nothing changed, in order of time.

        They must be held out: a model's errors on what it was fitted to are smaller than those to come.

        Raises
        ------
        InputError
            It is shorter than 30 periods, has no channel, or holds a value that is not finite.
        """
        rows = _checked(reference)
        self.threshold = config.threshold(rows.shape[1])
        self._allowance = config.allowance
        predictions = [predicting(column, min(LONGEST_MEMORY, len(rows) // 20)) for column in rows.T]
        weights = np.array([each.weights for each in predictions])
        memory = int(np.flatnonzero(weights.any(axis=0)).max(initial=-1)) + 1
        self._weights = weights[:, :memory]
        self._scale = np.array([1.0 + each.doubt for each in predictions])
        self._recent = rows[:memory]
        self._ranked: list[list[float]] = [[] for _ in range(rows.shape[1])]
        for row in rows[memory:]:
            for ranked, surprise in zip(self._ranked, self._surprises(row), strict=True):
                insort(ranked, surprise)
        self._start_over()

    def _start_over(self) -> None:
        self._sums = np.zeros((len(DIRECTIONS), self.channels))
        self._lasted = np.zeros(self._sums.shape, np.int64)

    @property
    def channels(self) -> int:
        """K."""
        return len(self._ranked)

    @property
    def statistics(self) -> FloatArray:
        """The charts, shape ``(2, K)``: rises, then falls; an alarm is one above ``threshold``."""
        return self._sums.copy()

    def update(self, residuals: ArrayLike) -> Alarm | None:
        """Take in the residuals of one period, shape ``(K,)``; all charts start over after an alarm.

        Raises
        ------
        RunError
            There are not K, or one is not finite.
        """
        row = np.asarray(residuals, np.float64)
        if row.shape != (self.channels,) or not np.isfinite(row).all():
            raise RunError(f"residuals must be {self.channels} finite numbers, got {row.tolist()}")
        scores = self._scores(row)
        self._sums = np.maximum(0.0, self._sums + np.array([scores, -scores]) - self._allowance)
        self._lasted = np.where(self._sums > 0.0, self._lasted + 1, 0)
        return self._alarm() if (self._sums > self.threshold).any() else None

    def _scores(self, row: FloatArray) -> FloatArray:
        """Of a period's residuals, which then join those that the next ones are ranked among."""
        surprises = self._surprises(row)
        for ranked, surprise in zip(self._ranked, surprises, strict=True):
            insort(ranked, surprise)
        scores = np.array([normal_score(*pair) for pair in zip(self._ranked, surprises, strict=True)])
        scaled: FloatArray = scores / self._scale
        return scaled

    def _surprises(self, row: FloatArray) -> list[float]:
        """What could not be predicted from the residuals before, which then are those before the next."""
        surprises = row.copy()
        for lag in range(1, len(self._recent) + 1):  # one by one: equal residuals must give equal surprises
            surprises -= self._weights[:, lag - 1] * self._recent[-lag]
        self._recent = np.vstack([self._recent, row])[1:]
        listed: list[float] = surprises.tolist()
        return listed

    def _alarm(self) -> Alarm:
        way, channel = np.unravel_index(np.argmax(self._sums), self._sums.shape)
        alarm = Alarm(
            channel=int(channel),
            direction=DIRECTIONS[way],
            statistic=float(self._sums[way, channel]),
            threshold=self.threshold,
            lasted_periods=int(self._lasted[way, channel]),
        )
        self._start_over()
        return alarm

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on."""
        return {
            "ranked": np.array(self._ranked),
            "weights": self._weights.copy(),
            "scale": self._scale.copy(),
            "recent": self._recent.copy(),
            "sums": self._sums.copy(),
            "lasted": self._lasted.copy(),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: DriftConfig) -> Self:
        """The detector that :meth:`to_arrays` gave, to the bit."""
        detector = cls.__new__(cls)
        detector._allowance = config.allowance
        detector._ranked = arrays["ranked"].tolist()
        detector._weights, detector._scale = arrays["weights"].copy(), arrays["scale"].copy()
        detector._recent = arrays["recent"].copy()
        detector._sums, detector._lasted = arrays["sums"].copy(), arrays["lasted"].copy()
        detector.threshold = config.threshold(detector.channels)
        return detector


def _checked(reference: ArrayLike) -> FloatArray:
    rows = np.array(reference, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 1 or len(rows) < SHORTEST_REFERENCE:
        rule = f"residuals of at least {SHORTEST_REFERENCE} periods and 1 channel, shape (R, K)"
        raise InputError(
            f"reference must be {rule}, got shape {rows.shape}; keep more periods of the network as it was"
        )
    if not np.isfinite(rows).all():
        period, channel = np.argwhere(~np.isfinite(rows))[0].tolist()
        raise InputError(f"reference must be finite, got {rows[period, channel]} in row {period}, channel {channel}")
    return rows


def normal_score(ranked: list[float], value: float) -> float:
    """The mean of a standard normal number between the quantiles that a value takes up among ``ranked``.

    The value is one of those ranked. Equal values share theirs, so that a score is 0 in the mean also where residuals
    are counts or never differ.

    >>> [round(normal_score([1.0, 2.0, 3.0], value), 3) for value in (1.0, 2.0, 3.0)], normal_score([5.0, 5.0], 5.0)
    ([-1.091, 0.0, 1.091], 0.0)
    """
    low, high = (side(ranked, value) / len(ranked) for side in (bisect_left, bisect_right))
    return (_density_at(low) - _density_at(high)) / (high - low)


def _density_at(quantile: float) -> float:
    return NORMAL.pdf(NORMAL.inv_cdf(quantile)) if 0.0 < quantile < 1.0 else 0.0


@dataclass(frozen=True)
class Prediction:
    """How a residual follows from those before it."""

    weights: FloatArray
    """Of the residuals before, the last one first."""
    doubt: float = 0.0
    """Standard error of the sum of the weights, over what it lacks to 1: how much of slow swings may have escaped."""


def predicting(residuals: FloatArray, memory: int) -> Prediction:
    """An autoregression on up to ``memory`` residuals before, fitted by Yule-Walker, of the order Akaike chooses.

    There is none unless residuals above their mean are followed by such: where they alternate, charts of the residuals
    themselves give fewer false alarms than they may, not more.
    """
    nothing = Prediction(np.zeros(memory))
    spread = np.ptp(residuals)
    if spread == 0.0:
        return nothing
    centred = (residuals - residuals.mean()) / spread
    products = np.array([centred[lag:] @ centred[: len(centred) - lag] for lag in range(memory + 1)])
    _, best = min(
        ((0.0, nothing), *(_of_order(order, products / products[0], residuals.size) for order in range(1, memory + 1))),
        key=lambda pair: pair[0],
    )
    return best if best.weights.sum() > 0.0 else nothing


def _of_order(order: int, correlations: FloatArray, periods: int) -> tuple[float, Prediction]:
    """Akaike's criterion, 0 for no prediction, and the weights."""
    between = toeplitz(correlations[:order])
    weights = np.linalg.solve(between, correlations[1 : order + 1])
    unexplained = 1.0 - float(weights @ correlations[1 : order + 1])
    variance = unexplained / periods * float(np.linalg.inv(between).sum())
    padded = np.pad(weights, (0, len(correlations) - 1 - order))
    doubt = math.sqrt(variance) / (1.0 - float(weights.sum()))
    return periods * math.log(unexplained) + 2 * order, Prediction(padded, doubt)


@cache
def threshold_for(periods: float, allowance: float) -> float:
    """The threshold of one chart that a standard normal stream passes every so many periods in the mean.

    >>> round(threshold_for(930.887, 0.5), 3)
    5.0
    """
    most = 1.0 + math.log(1.0 + 2.0 * allowance**2 * periods) / (2.0 * allowance)
    return float(brentq(lambda threshold: math.log(run_length(threshold, allowance) / periods), 0.0, most))


def run_length(threshold: float, allowance: float, shift: float = 0.0) -> float:
    """Mean periods until a chart of a normal stream with mean ``shift`` and variance 1 passes its threshold.

    Page's integral equation, L(s) = 1 + L(0) P(Z <= k - s) + int_0^h L(x) phi(x + k - s) dx, at the nodes of
    Gauss and Legendre.

    >>> round(run_length(4.0, 0.5), 1), round(run_length(4.0, 0.5, shift=1.0), 2)
    (335.4, 8.38)
    """
    nodes, weights = _nodes()
    places = np.append(0.0, threshold * (nodes + 1.0) / 2.0)
    drift = allowance - shift
    density = np.exp(-((places + drift - places[:, None]) ** 2) / 2.0) / math.sqrt(2.0 * math.pi)
    system = np.eye(len(places)) - density * np.append(0.0, weights * threshold / 2.0)
    system[:, 0] -= ndtr(drift - places)
    return float(np.linalg.solve(system, np.ones(len(places)))[0])


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    return np.polynomial.legendre.leggauss(NODES)
