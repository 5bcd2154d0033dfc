"""What is known of a network: periods that were played and what came of them, as arrays.

A history is read from data sets that :class:`twin.recorder.Recorder` wrote and from run directories of ``netsim run``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netsim.errors import InputError
from netsim.report import PeriodReport

PER_SLICE = ("arrived", "satisfied", "resolved", "ssr", "backlog_packets", "backlog_bits", "latency_mean_ms")
"""Figures of a period that a history keeps for each slice, beside its allocation."""
PER_CELL = ("utility", "se_capacity", "se_carried")
"""Figures of a period that a history keeps for the cell."""


@dataclass(frozen=True)
class History:
    """T periods in order; arrays have a row per period, those of slices a column per slice."""

    slices: tuple[str, ...]
    """Names, N of them."""
    units: int
    """What an allocation sums to."""
    run: NDArray[np.int64]
    """Number of the run that a period belongs to, shape ``(T,)``: no transition leads from one run to another."""
    period: NDArray[np.int64]
    """Shape ``(T,)``, counted from 0 in each run."""
    allocation: NDArray[np.int64]
    """Units, shape ``(T, N)``, as all that follow down to the cell's figures."""
    arrived: NDArray[np.int64]
    satisfied: NDArray[np.int64]
    resolved: NDArray[np.int64]
    ssr: NDArray[np.float64]
    backlog_packets: NDArray[np.int64]
    backlog_bits: NDArray[np.int64]
    latency_mean_ms: NDArray[np.float64]
    """NaN where no packet departed."""
    utility: NDArray[np.float64]
    """Shape ``(T,)``."""
    se_capacity: NDArray[np.float64]
    se_carried: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.run)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Allocations as shares w / W of the carrier."""
        return self.allocation / self.units

    @property
    def starts(self) -> NDArray[np.int64]:
        """The periods t after which the next one, t + 1, is known: the transitions (s_t, w_(t+1), U_(t+1), s_(t+1))."""
        follows = (self.run[1:] == self.run[:-1]) & (self.period[1:] == self.period[:-1] + 1)
        return np.flatnonzero(follows)

    @classmethod
    def of(cls, reports: Sequence[PeriodReport], units: int, run: int = 0) -> Self:
        """The history of one run, from its reports.

        Raises
        ------
        InputError
            There is no report.
        """
        if not reports:
            raise InputError("a history needs at least one period")
        columns: dict[str, NDArray[Any]] = {
            "run": np.full(len(reports), run, np.int64),
            "period": np.array([report.period for report in reports], np.int64),
            "allocation": np.array([report.allocation for report in reports], np.int64),
        }
        for name in (*PER_SLICE, *PER_CELL):
            columns[name] = np.array([getattr(report, name) for report in reports])
        return cls(slices=reports[0].slices, units=units, **columns)

    @classmethod
    def joined(cls, parts: "Iterable[History]") -> Self:
        """Several histories as one, each with runs of its own.

        Raises
        ------
        InputError
            There is none, or they are of different slices or carriers.
        """
        kept = list(parts)
        if not kept:
            raise InputError("there is no history to join")
        first = kept[0]
        columns: dict[str, list[NDArray[Any]]] = {name: [] for name in _ARRAYS}
        runs = 0
        for part in kept:
            if (part.slices, part.units) != (first.slices, first.units):
                raise InputError(
                    f"histories of different networks cannot be joined: slices {', '.join(first.slices)} of "
                    f"{first.units} units, and {', '.join(part.slices)} of {part.units}"
                )
            for name in _ARRAYS:
                columns[name].append(getattr(part, name))
            columns["run"][-1] = runs + np.unique(part.run, return_inverse=True)[1]
            runs = int(columns["run"][-1].max(initial=runs - 1)) + 1
        arrays = {name: np.concatenate(column) for name, column in columns.items()}
        return cls(slices=first.slices, units=first.units, **arrays)

    @classmethod
    def read(cls, *folders: str | Path) -> Self:
        """The history in data sets and run directories.

        Raises
        ------
        InputError
            A folder holds neither, is damaged, or they are of different networks.
        """
        from twin.datasets import read

        return cls.joined(read(Path(folder)) for folder in folders)


_ARRAYS = tuple(field.name for field in fields(History) if field.name not in ("slices", "units"))
