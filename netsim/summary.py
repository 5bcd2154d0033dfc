"""The figures of a run, gathered period by period in memory that does not grow."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netsim.report import FloatArray, IntArray, PeriodReport
from netsim.statistics import UNKNOWN, BatchedSums, Figure, LatencyHistogram, proportion, quotient, ratio

if TYPE_CHECKING:
    from netsim.scenario import Scenario

_CELL = ("utility", "se_capacity", "se_carried", "reward")
_SLICE = ("satisfied", "resolved", "latency_sum_ms", "departed", "carried_bits")
_BITS = ("offered_bits", "carried_bits", "discarded_bits")
_COUNTS = ("arrived", "satisfied", "slow", "late", "dropped", "departed", *_BITS)
_NS_PER_MS = 1e6


class Tally:
    """Counts and sums over the controlled periods of a run."""

    def __init__(self, scenario: "Scenario", periods: int) -> None:
        """Expect ``periods`` controlled periods of the scenario."""
        self._scenario, self._periods = scenario, periods
        n = len(scenario.slices)
        self._sums = BatchedSums(len(_CELL) + len(_SLICE) * n)
        self._latencies = [LatencyHistogram() for _ in range(n)]
        self._counts = {name: np.zeros(n, dtype=np.int64) for name in _COUNTS}
        self._pending_before = np.zeros(n, dtype=np.int64)
        self._pending = np.zeros(n, dtype=np.int64)
        self.counted = 0
        self.faults = 0

    def begin(self, report: PeriodReport) -> None:
        """Take period 0, which is not counted: it says what was pending before the first counted period."""
        self._pending_before, self._pending = report.pending.copy(), report.pending.copy()

    def add(self, report: PeriodReport, latencies_ns: tuple[IntArray, ...] | None) -> None:
        """Count a period. Without the latencies of its departures the run has no percentiles."""
        cell = [report.utility, report.se_capacity, report.se_carried, self._reward(report.utility)]
        slices = [report.satisfied, report.resolved, _latency_sums_ms(report, latencies_ns), report.departed]
        self._sums.add(np.concatenate([cell, *slices, report.carried_bits]))
        for histogram, latencies in zip(self._latencies, latencies_ns or (), strict=False):
            histogram.add(latencies)
        for name, total in self._counts.items():
            total += getattr(report, name)
        self._pending = report.pending.copy()
        self.counted += 1

    def _reward(self, utility: float) -> float:
        thresholds = self._scenario.reward
        if thresholds is None:
            return 0.0
        from netsim.sla import reshaped_reward

        sigma = thresholds.sigma
        if sigma is None:
            sigma = (thresholds.gmax - thresholds.gmin) / (2 / 3 * self._periods)
        return float(reshaped_reward(utility, self.counted, thresholds.gmin, thresholds.gmax, sigma))

    def summary(self) -> dict[str, Any]:
        """The part of ``summary.json`` that is measured."""
        slices = {name: self._slice(i) for i, name in enumerate(self._scenario.slice_names)}
        cell = {name: self._sums.mean(i) for i, name in enumerate(_CELL)}
        if self._scenario.reward is None:
            cell["reward"] = UNKNOWN
        return {
            "utility": cell["utility"].to_dict(),
            "reward": cell["reward"].to_dict(),
            "se_capacity": cell["se_capacity"].to_dict(),
            "se_carried": cell["se_carried"].to_dict(),
            "share_of_best_static": _share_of_best_static(self._scenario, cell["utility"]),
            "worst_slice": _worst(slices),
            "slices": slices,
        }

    def _columns(self, i: int) -> dict[str, FloatArray]:
        sums, n = self._sums.sums, len(self._scenario.slices)
        return {name: sums[:, len(_CELL) + k * n + i] for k, name in enumerate(_SLICE)}

    def _slice(self, i: int) -> dict[str, Any]:
        sums = self._columns(i)
        seconds = self._sums.periods * (self._scenario.control.period_ns / 1e9)
        return {
            "ssr": proportion(sums["satisfied"], sums["resolved"]).to_dict(),
            "latency_mean_ms": ratio(sums["latency_sum_ms"], sums["departed"]).to_dict(),
            "latency_p99_ms": self._latencies[i].percentile_ns(0.99).scaled(1 / _NS_PER_MS).to_dict(),
            "carried_mbps": ratio(sums["carried_bits"] / 1e6, seconds).to_dict(),
            "pending_before": int(self._pending_before[i]),
            **{name: int(total[i]) for name, total in self._counts.items()},
            "pending": int(self._pending[i]),
        }


def _latency_sums_ms(report: PeriodReport, latencies_ns: tuple[IntArray, ...] | None) -> FloatArray:
    if latencies_ns is None:
        return np.where(report.departed > 0, np.nan_to_num(report.latency_mean_ms) * report.departed, 0.0)
    return np.array([int(latencies.sum()) for latencies in latencies_ns]) / _NS_PER_MS


def _worst(slices: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The slice of the lowest pooled SSR, the first of equals; ``None`` if no slice resolved a packet."""
    measured = {name: s["ssr"] for name, s in slices.items() if s["ssr"]["mean"] is not None}
    if not measured:
        return None
    name = min(measured, key=lambda each: float(measured[each]["mean"]))
    return {"name": name, "ssr": measured[name]}


def _share_of_best_static(scenario: "Scenario", utility: Figure) -> dict[str, object] | None:
    """The utility over that of the best static allocation, where that one is known."""
    from netsim import beststatic

    best = beststatic.cached(scenario)
    if best is None:
        return None
    return quotient(utility, Figure(best.utility, best.utility_ci95)).to_dict()
