"""Controllers of every temperament, as values that Hypothesis can show and make smaller."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from netsim import allocations as numbered
from netsim.hooks import hookimpl
from netsim.report import PeriodReport


@dataclass(frozen=True)
class Scripted:
    """Allocations one after the other, round and round; each number counts through the allocations that there are."""

    ranks: tuple[int, ...]

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> Sequence[int]:
        """The allocation of the period to come."""
        return _numbered(self.ranks[(report.period + 1) % len(self.ranks)], report)


@dataclass(frozen=True)
class Random:
    """Any allocation, drawn anew for every period from the seed and the period's number alone."""

    seed: int

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> Sequence[int]:
        """The allocation of the period to come."""
        generator = np.random.Generator(np.random.Philox(key=self.seed, counter=report.period + 1))
        return _numbered(int(generator.integers(1 << 62)), report)


@dataclass
class Reacting:
    """Moves units from one slice to another by what a report says, and remembers for how long it did.

    It takes from the slice with the highest ``figure`` and gives to the one with the lowest, or the other way round;
    after ``patience`` moves it goes back to the allocation it started from.
    """

    figure: str
    towards_highest: bool
    step: int
    patience: int
    _start: tuple[int, ...] | None = field(default=None, init=False, repr=False)
    _moves: int = field(default=0, init=False, repr=False)

    @hookimpl
    def run_started(self) -> None:
        """Forget earlier runs."""
        self._start, self._moves = None, 0

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> Sequence[int]:
        """The allocation of the period to come."""
        self._start = self._start or report.allocation
        if self._moves == self.patience:
            self._moves = 0
            return self._start
        self._moves += 1
        units, values = list(report.allocation), getattr(report, self.figure)
        low, high = int(values.argmin()), int(values.argmax())
        giver, taker = (low, high) if self.towards_highest else (high, low)
        moved = min(self.step, units[giver] - 1)
        units[giver] -= moved
        units[taker] += moved
        return units


def _numbered(rank: int, report: PeriodReport) -> tuple[int, ...]:
    units, n = sum(report.allocation), len(report.allocation)
    return numbered.unrank(rank % numbered.count(units, n), units, n)


def controllers() -> st.SearchStrategy[object]:
    """Controllers that always decide validly, for any scenario.

    Among them are fixed ones, sequences of allocations, ones that are random by a seed of their own, and ones with a
    memory that react to the SSR, the arrivals or the backlog. Each is deterministic; one object plays one run at a
    time, and starts afresh with ``run_started``.
    """
    ranks = st.lists(st.integers(0, 10_000), min_size=1, max_size=5).map(tuple)
    figures = st.sampled_from(["ssr", "arrived", "backlog_bits"])
    return st.one_of(
        st.builds(Scripted, ranks),
        st.builds(Random, st.integers(0, 2**32 - 1)),
        st.builds(Reacting, figures, st.booleans(), st.integers(1, 3), st.integers(1, 4)),
    )
