"""Recorded traces: the gaps and sizes of packets, from a CSV or Parquet file beside the scenario."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netsim import limits
from netsim.errors import ScenarioError
from netsim.faults import printable, shortened, shown_text
from netsim.loading import resolve_inside
from netsim.report import IntArray

if TYPE_CHECKING:
    import pyarrow as pa

_HEADER_BYTES = 1 << 16
_WHOLE = "^[0-9]{1,19}$"  # whatever matches fits into 64 bits without a sign


@dataclass(frozen=True)
class _Column:
    """A column of a trace: whole numbers from ``low`` to ``high``."""

    name: str
    low: int
    high: int
    advice: str

    @property
    def rule(self) -> str:
        return f"must be a whole number from {self.low} to {self.high}"


_COLUMNS = (
    _Column(
        "gap_ns",
        0,
        limits.MAX_TIME_NS,
        "it is the time since the row before, so rows must be in order of time; 1.5 us is written 1500",
    ),
    _Column("size_bits", 1, limits.MAX_PACKET_BITS, "a byte is 8 bits; leave out packets that carry nothing"),
)
_NAMES = [column.name for column in _COLUMNS]


class _Block(NamedTuple):
    """Consecutive rows of a file: one array per column, and where the first of them stands."""

    columns: tuple["pa.Array", ...]
    first: int


def read(file: str, folder: Path | None, *, repeat: bool = True) -> tuple[IntArray, IntArray]:
    """The gaps in ns and the sizes in bits of a recorded trace, one array each, row for row.

    Parameters
    ----------
    file
        A ``.csv`` file with a header, or a ``.parquet`` file, in the scenario's folder. It has the columns ``gap_ns``
        and ``size_bits`` of whole numbers; others are ignored.
    folder
        The scenario's folder; ``None`` if the scenario was not a file.
    repeat
        Whether the trace is played again and again, so that its gaps must not all be 0.

    Raises
    ------
    ScenarioError
        Naming the file, the line (of CSV, the header being line 1) or row, the column, the rule and the value.
    """
    path = resolve_inside(folder, file)
    blocks = list(_bounded(file, _blocks(file, path)))
    if not blocks:
        raise _fault(file, "must have at least one row")
    gap_ns, size_bits = (np.concatenate([block[c] for block in blocks]) for c in range(len(_COLUMNS)))
    if repeat and not gap_ns.any():
        raise _fault(file, "gap_ns: must not be 0 in every row, a repeated trace would never end")
    return gap_ns, size_bits


def _blocks(file: str, path: Path) -> Iterator[_Block]:
    """The rows of a file, block after block."""
    import pyarrow as pa  # here, because it takes longer to import than a short run

    readers = {".csv": _csv_blocks, ".parquet": _parquet_blocks}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise _fault(file, f"must end in {' or '.join(readers)}")
    try:
        yield from reader(file, path)
    except (pa.ArrowException, OSError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise _fault(file, f"cannot be read: {shortened(text)}") from None


def _bounded(file: str, blocks: Iterator[_Block]) -> Iterator[tuple[IntArray, ...]]:
    """The numbers of each block that has any, as long as there are not too many."""
    rows = 0
    for block in blocks:
        rows += len(block.columns[0])
        if rows > limits.MAX_TRACE_PACKETS:
            raise _fault(file, f"must have at most {limits.MAX_TRACE_PACKETS} rows")
        if len(block.columns[0]):
            yield tuple(_numbers(file, block, c) for c in range(len(_COLUMNS)))


def _numbers(file: str, block: _Block, c: int) -> IntArray:
    """A column of a block as int64, every value in range."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column, values = _COLUMNS[c], block.columns[c]
    text = pa.types.is_string(values.type)
    good = pc.match_substring_regex(values, _WHOLE) if text else pc.is_valid(values)
    _refuse_first(file, block, c, ~good.to_numpy(zero_copy_only=False))
    numbers = values.cast(pa.uint64() if text else values.type).to_numpy()
    _refuse_first(file, block, c, (numbers < column.low) | (numbers > column.high))
    return np.asarray(numbers, np.int64)


def _refuse_first(file: str, block: _Block, c: int, wrong: Any) -> None:
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    value = block.columns[c][row].as_py()
    shown = "nothing" if value is None or value == "" else shown_text(value) if isinstance(value, str) else str(value)
    column = _COLUMNS[c]
    raise _fault(f"{file}:{block.first + row}", f"{column.name}: {column.rule}, got {shown} ({column.advice})")


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _csv_blocks(file: str, path: Path) -> Iterator[_Block]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    header = _csv_header(path)
    _check_header(file, header)
    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    line = 2  # below the header
    try:
        with arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(use_threads=False),  # threads would not know the number of a wrong row
            parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=refuse),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=_NAMES, column_types=dict.fromkeys(_NAMES, pa.string()), strings_can_be_null=False
            ),
        ) as reader:
            for batch in reader:
                yield _Block(tuple(batch.columns), line)
                line += batch.num_rows
    except pa.ArrowInvalid:
        if not ragged:
            raise
        where = f"{file}:{ragged[0].number}"
        rule = f"must have {len(header)} columns like the header, got {ragged[0].actual_columns}"
        raise _fault(where, rule) from None


def _csv_header(path: Path) -> list[str]:
    with path.open("rb") as stream:
        first = stream.readline(_HEADER_BYTES).decode("utf-8-sig", errors="replace")
    return next(csv.reader([first]), [])


def _check_header(file: str, names: list[str]) -> None:
    for name in _NAMES:
        if names.count(name) != 1:
            there = shortened(", ".join(names)) or "none"
            raise _fault(file, f"must have one column {name}, its columns are: {there}")


# -- Parquet -----------------------------------------------------------------------------------------------------------


def _parquet_blocks(file: str, path: Path) -> Iterator[_Block]:
    import pyarrow as pa
    from pyarrow import parquet

    row = 1
    with parquet.ParquetFile(path) as stored:
        schema = stored.schema_arrow
        _check_header(file, schema.names)
        for name in _NAMES:
            if not pa.types.is_integer(kind := schema.field(name).type):
                raise _fault(file, f"{name}: must be a column of whole numbers, is of type {kind}: cast it to int64")
        for batch in stored.iter_batches(columns=_NAMES):
            yield _Block(tuple(batch.column(name) for name in _NAMES), row)
            row += batch.num_rows


def _fault(where: str, rule: str) -> ScenarioError:
    return ScenarioError(f"{printable(where)}: {rule}")
