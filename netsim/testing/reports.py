"""Reports made by hand, for trying out what reads reports."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from netsim.report import SLICE_FIELDS, IntArray, PeriodReport
from netsim.scenario import Scenario

_FLOATS = {"ssr": 1.0, "latency_mean_ms": 0.8, "latency_p50_ms": 0.7, "latency_p99_ms": 2.0, "latency_max_ms": 4.0}


def sample_reports(scenario: Scenario) -> Iterator[tuple[str, PeriodReport]]:
    """Reports that a run of the scenario could give, each with what is special about it.

    An ordinary period, one in which nothing arrived (rates of nothing are NaN), one in which a single slice is busy,
    one that is overloaded, and an ordinary one again.
    """
    n = len(scenario.slices)
    loads = {
        "an ordinary period": np.arange(1, n + 1) * 100,
        "a period without packets": np.zeros(n, dtype=np.int64),
        "a period in which only the first slice has packets": np.eye(n, dtype=np.int64)[0] * 50,
        "an overloaded period": np.full(n, 2_000_000),
        "a second ordinary period": np.arange(n, 0, -1) * 100,
    }
    for period, (what, arrived) in enumerate(loads.items()):
        yield what, report_of(scenario, period, arrived)


def report_of(scenario: Scenario, period: int, arrived: IntArray) -> PeriodReport:
    """A period in which ``arrived`` packets came to each slice and at most 10 000 of them were satisfied."""
    arrived = arrived.astype(np.int64)
    satisfied = np.minimum(arrived, 10_000)
    arrays: dict[str, Any] = {name: np.zeros(arrived.size, dtype=np.int64) for name in SLICE_FIELDS}
    arrays |= {name: np.where(arrived > 0, value, np.nan) for name, value in _FLOATS.items()}
    ssr = np.divide(satisfied, arrived, out=np.ones(arrived.size), where=arrived > 0)
    arrays |= {"arrived": arrived, "satisfied": satisfied, "dropped": arrived - satisfied, "departed": satisfied}
    arrays |= {"ssr": ssr, "idle": arrived == 0, "offered_bits": arrived * 1000, "carried_bits": satisfied * 1000}
    for array in arrays.values():
        array.flags.writeable = False
    return PeriodReport(
        period=period,
        time_s=(period + 1) * scenario.control.period_ns / 1e9,
        slices=scenario.slice_names,
        allocation=scenario.initial_allocation,
        utility=float(ssr.sum()),
        se_capacity=40.0,
        se_carried=0.5,
        **arrays,
    )
