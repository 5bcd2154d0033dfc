"""The Parquet files of a run, streamed: memory does not grow with their length.

Each is written under a temporary name and renamed when it is closed, so a file of its final name is whole. Page
checksums are on; dictionaries hold names, times are stored as differences.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from netsim.errors import RunError
from netsim.files import sync_folder, temporary
from netsim.goingon import Stream, going_on
from netsim.report import LAYERS, NEVER, SLICE_FIELDS, VERDICTS, PeriodReport

PERIODS_IN_GROUP = 1024
SHOWN_EVERY_S = 1.0
"""How often at most what a run has done is shown while it goes on."""
PACKETS_IN_GROUP = 1_000_000


class ParquetFile:
    """A Parquet file that takes its final name when it is closed."""

    def __init__(self, path: Path, schema: pa.Schema, **options: Any) -> None:
        """Open the temporary file.

        Raises
        ------
        RunError
            If it cannot be written, here and in all that follows: the disk is full, the folder is read-only.
        """
        self._path, self._schema = path, schema
        with _told(path):
            self._writer = pq.ParquetWriter(
                temporary(path), schema, compression="zstd", write_page_checksum=True, store_schema=True, **options
            )

    def write(self, columns: Mapping[str, pa.Array]) -> None:
        """Append a row group."""
        batch = pa.record_batch([columns[name] for name in self._schema.names], schema=self._schema)
        with _told(self._path):
            self._writer.write_batch(batch, row_group_size=max(1, batch.num_rows))

    def close(self) -> None:
        """Write the footer, make it durable, and give the file its name."""
        with _told(self._path):
            self._writer.close()
            with temporary(self._path).open("rb") as file:
                os.fsync(file.fileno())
            temporary(self._path).replace(self._path)
            sync_folder(self._path.parent)


class _told:
    """Turns an error of the operating system into one line that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise RunError(f"cannot write {self._path}: {error.strerror or error}") from None


def _names(codes: NDArray[np.integer[Any]], names: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string()))


_NAME = pa.dictionary(pa.int8(), pa.string())


class PeriodWriter:
    """``periods.parquet``: one row per period and slice, with the figures of the cell repeated.

    The marks of :mod:`netsim.fingerprint` are null where the plant has none. A Parquet file cannot be read before its
    end is written, so until then the periods are, every second, in a stream beside it too, :func:`going_on`.
    """

    def __init__(self, path: Path, slice_names: Sequence[str]) -> None:
        """Open the files."""
        self._slice_names, n = tuple(slice_names), len(slice_names)
        self._stream = Stream(
            going_on(path), pa.schema([pair for pair in _PERIOD_COLUMNS.items() if pair[0] not in _MARKS])
        )
        self._shown, self._next_s = 0, time.monotonic() + SHOWN_EVERY_S
        self._file = ParquetFile(path, pa.schema(list(_PERIOD_COLUMNS.items())))
        others = ("slice", *_MARKS)
        row = [(name, kind.to_pandas_dtype()) for name, kind in _PERIOD_COLUMNS.items() if name not in others]
        self._rows = np.zeros((PERIODS_IN_GROUP, n), dtype=row)
        self._marks = np.zeros((PERIODS_IN_GROUP, n, len(_MARKS)), np.uint64)
        self._figures = [name for name, _ in row]
        self._marked = True
        self._filled = 0

    def add(self, report: PeriodReport, marks: NDArray[np.uint64] | None = None) -> None:
        """Append a period and its marks, ``(N, layers)``; all are copied, so they may change afterwards."""
        row = self._rows[self._filled]
        for name in self._figures:
            row[name] = getattr(report, name)
        self._marked = marks is not None
        if marks is not None:
            self._marks[self._filled] = marks
        self._filled += 1
        if self._filled == PERIODS_IN_GROUP:
            self._show()
            self._flush()
        elif time.monotonic() >= self._next_s:
            self._show()

    def _flush(self) -> None:
        rows, self._filled, self._shown = self._rows[: self._filled], 0, 0
        columns = self._columns(rows)
        marks = self._marks[: len(rows)].reshape(-1, len(_MARKS))
        for layer, name in enumerate(_MARKS):
            columns[name] = pa.array(marks[:, layer]) if self._marked else pa.nulls(rows.size, pa.uint64())
        self._file.write(columns)

    def _show(self) -> None:
        """Append to the stream what is not in it yet, but for the marks, which are as large as all the rest."""
        rows, self._shown = self._rows[self._shown : self._filled], self._filled
        self._next_s = time.monotonic() + SHOWN_EVERY_S
        self._stream.append(self._columns(rows))

    def _columns(self, rows: NDArray[np.void]) -> dict[str, pa.Array]:
        codes = np.tile(np.arange(len(self._slice_names), dtype=np.int8), len(rows))
        columns = {name: pa.array(rows[name].ravel(), from_pandas=True) for name in self._figures}
        return {**columns, "slice": _names(codes, self._slice_names)}

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._filled:
            self._flush()
        self._file.close()
        self._stream.remove()


_MARKS = [f"{layer}_mark" for layer in LAYERS]
_KINDS = {"ssr": pa.float64(), "idle": pa.bool_()}
_PERIOD_COLUMNS = {
    "period": pa.int64(),
    "time_s": pa.float64(),
    "slice": _NAME,
    "allocation": pa.int32(),
    **{name: _KINDS.get(name, pa.float64() if name.startswith("latency_") else pa.int64()) for name in SLICE_FIELDS},
    "utility": pa.float64(),
    "se_capacity": pa.float64(),
    "se_carried": pa.float64(),
    **dict.fromkeys(_MARKS, pa.uint64()),
}


class PacketWriter:
    """``packets.parquet``: one row per packet, in the order in which they left the base station.

    What never happened is null: the departure and rate of a packet that was dropped or still waits, and the ``period``
    in which it left of one that never did. The rate is rounded down, see :func:`rounded_kbps`. A packet's latency is
    its departure less its arrival; packets of a user are numbered by arrival.
    """

    SCHEMA = pa.schema(
        [
            ("period", pa.int32()),
            ("slice", _NAME),
            ("user", pa.int32()),
            ("arrival_ns", pa.int64()),
            ("departure_ns", pa.int64()),
            ("size_bits", pa.int64()),
            ("rate_kbps", pa.float32()),
            ("verdict", _NAME),
        ]
    )
    ENCODING = {  # noqa: RUF012
        "arrival_ns": "DELTA_BINARY_PACKED",
        "departure_ns": "DELTA_BINARY_PACKED",
        "rate_kbps": "BYTE_STREAM_SPLIT",
        "user": "BYTE_STREAM_SPLIT",
    }

    def __init__(self, path: Path, slice_names: Sequence[str]) -> None:
        """Open the file."""
        self._slice_names = tuple(slice_names)
        self._file = ParquetFile(
            path,
            self.SCHEMA,
            compression_level=1,
            use_dictionary=["period", "slice", "size_bits", "verdict"],
            column_encoding=self.ENCODING,
            write_statistics=["period", "arrival_ns", "departure_ns"],
        )
        self._pieces: list[NDArray[np.void]] = []
        self._periods: list[int] = []
        self._waiting = 0

    def write(self, rows: NDArray[np.void], period: int = NEVER) -> None:
        """Append packets (dtype ``PACKET``) that left in a period. The rows must not change afterwards."""
        while rows.size:
            piece, rows = np.split(rows, [PACKETS_IN_GROUP - self._waiting])
            self._pieces.append(piece)
            self._periods.append(period)
            self._waiting += piece.size
            if self._waiting == PACKETS_IN_GROUP:
                self._flush()

    def _flush(self) -> None:
        pieces, periods = self._pieces, self._periods
        self._pieces, self._periods, self._waiting = [], [], 0
        columns: dict[str, pa.Array] = {}
        for name in ("user", "arrival_ns", "size_bits"):
            columns[name] = pa.array(_column(pieces, name))
        departure_ns = _column(pieces, "departure_ns")
        stayed = departure_ns == NEVER
        columns["departure_ns"] = _with_nulls(departure_ns, stayed)
        columns["rate_kbps"] = _with_nulls(rounded_kbps(_column(pieces, "rate_bps")), stayed)
        columns["slice"] = _names(_column(pieces, "slice"), self._slice_names)
        columns["verdict"] = _names(_column(pieces, "verdict"), VERDICTS)
        period = np.repeat(np.array(periods, dtype=np.int32), [piece.size for piece in pieces])
        columns["period"] = _with_nulls(period, period == NEVER)
        self._file.write(columns)

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._pieces:
            self._flush()
        self._file.close()


def rounded_kbps(rate_bps: NDArray[np.int64]) -> NDArray[np.float32]:
    """Whole kbit/s, rounded down to 16 significant bits: at most 0.003 % or 1 kbit/s below the rate.

    A floor that is itself such a number, like any whole kbit/s up to 65 Mbit/s, or 100 Mbit/s, is reached after
    rounding if it was before. The bits left out carry no more than noise, and cost a quarter of the file.

    >>> rounded_kbps(np.array([51_999, 100_000_000, 99_999_999, 123_456_789]))
    array([5.10000e+01, 1.00000e+05, 9.99980e+04, 1.23456e+05], dtype=float32)
    """
    whole = (rate_bps // 1000).astype(np.float64)
    return (whole.view(np.int64) & ~((1 << 37) - 1)).view(np.float64).astype(np.float32)


def _column(pieces: Sequence[NDArray[np.void]], name: str) -> NDArray[Any]:
    return np.concatenate([piece[name] for piece in pieces])


def _with_nulls(values: NDArray[Any], null: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=null) if null.any() else pa.array(values)
