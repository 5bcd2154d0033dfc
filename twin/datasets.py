"""Data sets on disk: Parquet parts under a manifest with their SHA-256.

A part is a row per period, with a list per figure of the slices in the manifest's order. A data set is appended to by
a new part and then a new manifest, each written whole or not at all; a part that no manifest names does not exist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from netsim.errors import InputError
from netsim.report import PeriodReport
from netsim.results import PERIODS, read_manifest
from netsim.scenario import Scenario
from netsim.seals import Kind, intact
from netsim.tables import ParquetFile
from twin.history import PER_CELL, PER_SLICE, History

KIND = Kind("slicetwin-history", 1, "data set", "data set")

_INTEGERS = ("arrived", "satisfied", "resolved", "backlog_packets", "backlog_bits")


def schema(n: int) -> pa.Schema:
    """The columns of a part for N slices."""
    per_slice = {name: pa.int64() if name in _INTEGERS else pa.float64() for name in PER_SLICE}
    lists = {"allocation": pa.int64(), **per_slice}
    return pa.schema(
        [
            ("run", pa.int64()),
            ("period", pa.int64()),
            ("time_s", pa.float64()),
            *((name, pa.list_(kind, n)) for name, kind in lists.items()),
            *((name, pa.float64()) for name in PER_CELL),
        ]
    )


def write_part(path: Path, run: int, reports: Sequence[PeriodReport]) -> None:
    """Write some periods of a run.

    Raises
    ------
    RunError
        It cannot be written.
    """
    names = ("period", "time_s", "allocation", *PER_SLICE, *PER_CELL)
    figures = {name: np.array([getattr(report, name) for report in reports]) for name in names}
    write_figures(path, run, figures)


def write_figures(path: Path, run: int, figures: Mapping[str, NDArray[Any]]) -> None:
    """Write some periods of a run from arrays, shape ``(T,)`` or ``(T, N)``, named as the columns are.

    Raises
    ------
    RunError
        It cannot be written.
    """
    periods, n = figures["allocation"].shape
    wanted = schema(n)
    columns: dict[str, pa.Array] = {"run": pa.array([run] * periods, pa.int64())}
    for name, values in figures.items():
        if values.ndim == 1:
            columns[name] = pa.array(values, wanted.field(name).type)
        else:
            flat = pa.array(values.ravel(), wanted.field(name).type.value_type)
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, n)
    file = ParquetFile(path, wanted)
    file.write(columns)
    file.close()


# -- the manifest ------------------------------------------------------------------------------------------------------


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """The manifest of a data set, ``None`` where there is none.

    Raises
    ------
    InputError
        It is damaged, or of another format.
    """
    return KIND.read_if_there(folder)


def new_manifest(scenario: Scenario) -> dict[str, Any]:
    """The manifest of a data set without parts."""
    return {
        "scenario": scenario.to_dict(),
        "scenario_hash": scenario.hash,
        "slices": list(scenario.slice_names),
        "units": scenario.carrier.units,
        "runs": [],
        "parts": [],
    }


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Put a manifest in place of the one before."""
    KIND.write(folder, content)


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Origin:
    """What was played where."""

    scenario: Mapping[str, Any]
    """The resolved scenario, as :meth:`Scenario.from_dict` reads it."""
    scenario_hash: str
    runs: tuple[Mapping[str, Any], ...]
    """``run``, ``seed`` and ``controller`` of each run; the controller is ``None`` where nobody told."""

    def played_on(self, folder: Path, files: Path | None = None) -> Scenario:
        """The scenario of the data in ``folder``, the files that it names taken from ``files``.

        Raises
        ------
        InputError
            The files are not those that were there.
        """
        scenario = Scenario.from_dict(dict(self.scenario), files)
        if scenario.hash != self.scenario_hash:
            raise InputError(f"{folder}: its scenario names files that are not the same in --folder ({files})")
        return scenario


def origin(folder: Path) -> Origin:
    """What was played in a data set or a run directory of ``netsim run``.

    Raises
    ------
    InputError
        It is neither, or damaged.
    """
    if (folder / PERIODS).exists():
        request = read_manifest(folder)["request"]
        runs: list[dict[str, Any]] = [{"run": 0, "seed": request["seed"], "controller": request["controller"]}]
        return Origin(request["scenario"], request["scenario_hash"], tuple(runs))
    content = _manifest(folder)
    return Origin(content["scenario"], content["scenario_hash"], tuple(content["runs"]))


def _manifest(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give a data set, or a run directory of `netsim run`")
    content = manifest_of(folder)
    if content is None:
        raise InputError(f"{folder} holds neither a data set nor the {PERIODS} of a run")
    return content


def read(folder: Path) -> History:
    """The history in a data set or in a run directory of ``netsim run``.

    Raises
    ------
    InputError
        It is neither, or damaged.
    """
    if (folder / PERIODS).exists():
        return _of_run(folder)
    content = _manifest(folder)
    tables = [_part(folder, part) for part in content["parts"]]
    if not tables:
        raise InputError(f"{folder} is a data set without a period")
    table = pa.concat_tables(tables)
    n = len(content["slices"])
    lists = {name: _matrix(table, name, n) for name in ("allocation", *PER_SLICE)}
    columns = {name: table[name].to_numpy() for name in ("run", "period", *PER_CELL)}
    return History(slices=tuple(content["slices"]), units=content["units"], **columns, **lists)


def _part(folder: Path, part: Mapping[str, Any]) -> pa.Table:
    path = folder / part["name"]
    if not intact(path, part):
        raise InputError(f"{path} is missing, or not the file that was written")
    return pq.read_table(path)


def _matrix(table: pa.Table, name: str, n: int) -> NDArray[Any]:
    flat: NDArray[Any] = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, n)


def _of_run(folder: Path) -> History:
    """``periods.parquet`` has a row per period and slice; a run directory is a history of one run."""
    manifest = read_manifest(folder)
    scenario = Scenario.from_dict(manifest["request"]["scenario"])
    table = pq.read_table(folder / PERIODS)
    n = len(scenario.slices)
    rows = {name: table[name].to_numpy().reshape(-1, n) for name in table.column_names if name != "slice"}
    rows["resolved"] = sum(rows[name] for name in ("satisfied", "slow", "late", "dropped"))
    lists = {name: rows[name] for name in ("allocation", *PER_SLICE)}
    lists["allocation"] = lists["allocation"].astype(np.int64)
    cell = {name: rows[name][:, 0] for name in ("period", *PER_CELL)}
    run = np.zeros(len(rows["period"]), np.int64)
    return History(slices=scenario.slice_names, units=scenario.carrier.units, run=run, **cell, **lists)
