"""What a run directory holds, as arrays over its controlled periods."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ArrowException, parquet

from netsim.errors import InputError
from netsim.goingon import going_on, read_so_far
from netsim.reports.folders import read_json
from netsim.reports.partial import figures_of
from netsim.reports.promises import Promise
from netsim.reports.thinning import Floats
from netsim.results import PERIODS, SUMMARY, read_manifest
from netsim.seals import intact
from netsim.units import TIME


@dataclass(frozen=True)
class RunData:
    """A run directory that was opened."""

    folder: Path
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    """``None`` where the run has not finished."""
    damaged: tuple[str, ...]
    """Files that are not those that were written."""

    @classmethod
    def open(cls, folder: Path) -> "RunData":
        """Read what does not grow with the run.

        Raises
        ------
        InputError
            The folder is no run directory, or damaged.
        """
        manifest = read_manifest(folder)
        summary = read_json(folder / SUMMARY) if manifest["finished"] else None
        damaged = (name for name, kept in manifest["files"].items() if not intact(folder / name, kept))
        return cls(folder, manifest, summary, tuple(damaged))

    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked for."""
        return self.manifest["request"]  # type: ignore[no-any-return]

    @property
    def scenario(self) -> Mapping[str, Any]:
        """The scenario as it is written."""
        return self.request["scenario"]  # type: ignore[no-any-return]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the slices."""
        return tuple(self.scenario["slices"])

    @cached_property
    def promises(self) -> dict[str, Promise]:
        """What each slice was promised."""
        return {name: Promise.of(self.scenario, name) for name in self.names}

    @property
    def period_s(self) -> float:
        """Seconds of a period."""
        control = self.scenario["control"]
        return TIME.parse_whole(control["slot"]) * int(control["slots_per_period"]) / 1e9

    @property
    def readable(self) -> bool:
        """Whether there are periods yet."""
        return ((self.folder / PERIODS).is_file() or self.goes_on) and len(self.periods) > 0

    @cached_property
    def goes_on(self) -> bool:
        """Whether the periods are those of a run that goes on, or was killed."""
        return not (self.folder / PERIODS).is_file() and going_on(self.folder / PERIODS).is_file()

    @cached_property
    def periods(self) -> NDArray[np.int64]:
        """Numbers of the controlled periods, shape ``(T,)``: period 0 is not the controller's."""
        return self._column("period")[1:, 0]

    def of_cell(self, column: str) -> Floats:
        """A figure of the cell, shape ``(T,)``."""
        return self._column(column)[1:, 0].astype(np.float64)

    def of_slices(self, column: str) -> Floats:
        """A figure of the slices, shape ``(T, N)``."""
        return self._column(column)[1:].astype(np.float64)

    @cached_property
    def resolved(self) -> Floats:
        """Packets that got a verdict, shape ``(T, N)``."""
        return sum((self.of_slices(name) for name in ("slow", "late", "dropped")), self.of_slices("satisfied"))

    @cached_property
    def ssr(self) -> Floats:
        """SSR of each slice over all periods, shape ``(N,)``; NaN where nothing was resolved."""
        with np.errstate(invalid="ignore"):
            return self.of_slices("satisfied").sum(axis=0) / self.resolved.sum(axis=0)  # type: ignore[no-any-return]

    @property
    def worst(self) -> str | None:
        """The slice of the lowest SSR, the first of equals; ``None`` if no slice resolved a packet."""
        return None if np.isnan(self.ssr).all() else self.names[int(np.nanargmin(self.ssr))]

    @cached_property
    def figures(self) -> Mapping[str, Any]:
        """The figures of the run as ``summary.json`` has them; of an unfinished one as far as its periods tell."""
        return figures_of(self) if self.summary is None else self.summary

    @cached_property
    def _so_far(self) -> pa.Table:
        """What a run that goes on has done: all columns at once, so that they are of the same periods."""
        return read_so_far(going_on(self.folder / PERIODS))

    def _column(self, name: str) -> NDArray[Any]:
        path = self.folder / PERIODS
        try:
            table = self._so_far if self.goes_on else parquet.read_table(path, columns=[name])
            values = table[name].to_numpy()
        except (OSError, ArrowException, KeyError) as error:
            raise InputError(f"cannot read {path}: {' '.join(str(error).split())}") from None
        if len(values) % len(self.names):
            raise InputError(f"{path} has {len(values)} rows, which its {len(self.names)} slices do not share evenly")
        return values.reshape(-1, len(self.names))  # type: ignore[no-any-return]
