"""What a long run takes: resident memory and the cost of a period, sampled as it goes on.

`python -m tests.soak.endurance HOW PERIODS [LEAK]` runs ``table1`` in a process of its own and prints the samples as
JSON. ``HOW`` is ``simulation`` (nothing but steps), ``run`` (the loop of `netsim run`, with its files) or ``packets``
(the same with every packet written).
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import netsim
from netsim.hooks import hookimpl
from netsim.report import PeriodReport
from netsim.run import run

SPLIT = [3, 70, 27]
USER_SLOTS = 100 * 400
"""Of a period of ``table1``."""
CHUNK = 250
"""Periods between two samples: 10^7 user-slots."""
MIB = 1 << 20


class Sample(NamedTuple):
    """How a run stood after some periods."""

    user_slots: int
    rss_mib: float
    cost: float
    """CPU time of the periods since the last sample over that of a new simulation's, measured in the same breath."""


class Sampler:
    """A plugin that takes a sample every ``CHUNK`` periods."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._fresh = netsim.Simulation(netsim.load_scenario("table1"), seed=1)
        self._reference()
        self._started_s = time.process_time()

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        if report.period and report.period % CHUNK == 0:
            cost = (time.process_time() - self._started_s) / self._reference()
            self.samples.append(Sample(report.period * USER_SLOTS, resident_mib(), cost))
            self._started_s = time.process_time()

    def _reference(self) -> float:
        """CPU time of a new simulation's first periods."""
        self._fresh.reset()
        started_s = time.process_time()
        for _ in range(CHUNK // 5):
            self._fresh.step(SPLIT)
        return time.process_time() - started_s


class KeepsReports:
    """A leak: every report stays."""

    def __init__(self) -> None:
        self.kept: list[object] = []

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        self.kept.append(report)


class KeepsALittle(KeepsReports):
    """A leak of 2 MiB in 10^8 user-slots, twice what is allowed."""

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        self.kept.append(bytearray(2 * MIB * USER_SLOTS // 10**8))


class LooksBack(KeepsReports):
    """Slower and slower: every report is looked at again in every period."""

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        self.kept += [report.period] * 4
        sum(self.kept)  # type: ignore[arg-type]


LEAKS: dict[str, Callable[[], object]] = {"reports": KeepsReports, "little": KeepsALittle, "back": LooksBack}


def resident_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def endured(how: str, periods: int, leak: str | None = None) -> list[Sample]:
    """Run ``table1`` for so many periods, and take samples."""
    sampler = Sampler()
    more = [LEAKS[leak]()] if leak else []
    if how == "simulation":
        simulation = netsim.Simulation(netsim.load_scenario("table1"), seed=1)
        report = simulation.reset()
        for _ in range(periods):
            report = simulation.step(SPLIT)
            for plugin in (*more, sampler):
                plugin.period_ended(report)  # type: ignore[attr-defined]
    else:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            run("table1", "fixed:3,70,27", periods=periods, plugins=[*more, sampler], out=out, packets=how == "packets")
    return sampler.samples


def growth_mib(samples: list[Sample], peaks_of: int = 1) -> float:
    """MiB of resident memory gained in 10^8 user-slots: the slope of a straight line through all but the first tenth.

    With ``peaks_of`` above 1 the line goes through the highest of as many samples, for memory that is filled and
    emptied in turn.
    """
    settled = samples[len(samples) // 10 :]
    groups = [settled[i : i + peaks_of] for i in range(0, len(settled) - peaks_of + 1, peaks_of)]
    x = [group[0].user_slots / 1e8 for group in groups]
    y = [max(sample.rss_mib for sample in group) for group in groups]
    return float(np.polyfit(x, y, 1)[0])


def slowed(samples: list[Sample]) -> float:
    """Cost of the cheapest chunk of the last tenth over that of the dearest one of the first; above 1: it slows down.

    Were the two alike, this would exceed 1 once in C(20, 10) = 184 756 runs of 100 chunks.
    """
    tenth = len(samples) // 10
    return min(s.cost for s in samples[-tenth:]) / max(s.cost for s in samples[:tenth])


def median_costs(samples: list[Sample]) -> tuple[float, float]:
    """Of the first and of the last tenth."""
    tenth = len(samples) // 10
    first, last = samples[:tenth], samples[-tenth:]
    return statistics.median(s.cost for s in first), statistics.median(s.cost for s in last)


if __name__ == "__main__":
    print(json.dumps(endured(sys.argv[1], int(sys.argv[2]), *sys.argv[3:4])))  # noqa: T201
