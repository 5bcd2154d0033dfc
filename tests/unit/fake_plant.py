"""A plant without physics: counts drawn from a seed, conserving packets, for tests of what stands around a plant."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.report import NEVER, PACKET, IntArray, PeriodReport
from netsim.scenario import Scenario


class FakePlant:
    """Counts and latencies are a function of (seed, period); each slice keeps a few packets pending."""

    def __init__(self, scenario: Scenario, fail_at: int | None = None) -> None:
        self.scenario, self.fail_at = scenario, fail_at
        self.seed = 0
        self.allocations: list[tuple[int, ...]] = []

    def reset(self, seed: int | None = None) -> PeriodReport:
        self.seed = self.seed if seed is None else seed
        self.allocations = []
        self._pending = np.zeros(len(self.scenario.slices), dtype=np.int64)
        return self._period(self.scenario.initial_allocation)

    def step(self, allocation: Sequence[int]) -> PeriodReport:
        if len(self.allocations) == self.fail_at:
            raise OSError("the plant is on fire")
        return self._period(tuple(allocation))

    def latencies_ns(self) -> tuple[IntArray, ...]:
        return self._latencies

    def take_packets(self) -> NDArray[np.void]:
        rows = np.zeros(sum(len(each) for each in self._latencies), dtype=PACKET)
        rows["slice"] = np.repeat(np.arange(len(self._latencies)), [len(each) for each in self._latencies])
        rows["departure_ns"] = self._end_ns
        rows["arrival_ns"] = self._end_ns - np.concatenate(self._latencies)
        return rows

    def queued_packets(self) -> NDArray[np.void]:
        rows = np.zeros(int(self._pending.sum()), dtype=PACKET)
        rows["departure_ns"] = rows["resolved_ns"] = NEVER
        rows["verdict"] = 4
        return rows

    def _period(self, allocation: tuple[int, ...]) -> PeriodReport:
        number, n = len(self.allocations), len(self.scenario.slices)
        self.allocations.append(allocation)
        draw = np.random.default_rng([self.seed, number])
        before = self._pending
        arrived = draw.integers(5, 50, n)
        self._pending = draw.integers(0, 4, n)
        resolved = before + arrived - self._pending
        slow, late, dropped = (draw.binomial(resolved, p) for p in (0.02, 0.03, 0.01))
        departed = resolved - dropped
        self._latencies = tuple(500_000 + draw.integers(0, 2_000_000, d) for d in departed)
        self._end_ns = (number + 1) * self.scenario.control.period_ns
        satisfied = resolved - slow - late - dropped
        ssr = satisfied / resolved
        return PeriodReport(
            period=number,
            time_s=self._end_ns / 1e9,
            slices=self.scenario.slice_names,
            allocation=allocation,
            utility=float(ssr.sum()),
            se_capacity=50.0 + float(draw.normal()),
            se_carried=0.5,
            arrived=_sealed(arrived),
            satisfied=_sealed(satisfied),
            slow=_sealed(slow),
            late=_sealed(late),
            dropped=_sealed(dropped),
            pending=_sealed(self._pending),
            ssr=_sealed(ssr),
            idle=_sealed(resolved == 0),
            backlog_packets=_sealed(self._pending),
            backlog_bits=_sealed(self._pending * 320),
            departed=_sealed(departed),
            latency_mean_ms=_sealed(np.array([each.mean() / 1e6 for each in self._latencies])),
            latency_p50_ms=_sealed(np.array([np.median(each) / 1e6 for each in self._latencies])),
            latency_p99_ms=_sealed(np.array([np.quantile(each, 0.99) / 1e6 for each in self._latencies])),
            latency_max_ms=_sealed(np.array([each.max() / 1e6 for each in self._latencies])),
            offered_bits=_sealed(arrived * 320),
            carried_bits=_sealed(departed * 320),
            discarded_bits=_sealed(dropped * 320),
            prb_slots_granted=_sealed(departed),
            prb_slots_used=_sealed(departed),
        )


def _sealed(values: NDArray[Any]) -> NDArray[Any]:
    values = values.copy()
    values.flags.writeable = False
    return values
