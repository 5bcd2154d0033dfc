"""``netsim csv``: the tables of a folder as rows of text, for whatever reads CSV."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from netsim.errors import InputError, RunError

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULTS = ("periods", "metrics")
"""Tables that are written unless another one is named: that of a run, that of a training."""


@click.command("csv")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("table", required=False)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.  [default: print it]")
@click.option("--force", is_flag=True, help="Replace FILE.")
def write_csv(folder: Path, table: str | None, out: Path | None, force: bool) -> None:
    """Print a TABLE of DIR as CSV: periods, packets or events of a run, metrics of a training.

    Columns are those of the Parquet or JSON file in DIR of that name, one more for each value within another, as in
    greedy.utility.mean. What is not known is empty; numbers read back as they were. Of a run that goes on it has the
    periods so far.
    """
    path = table_of(folder, table)
    if out is None:
        write_rows(path, sys.stdout.buffer)
        return
    if os.path.lexists(out) and not force:
        raise InputError(f"{out} exists; give another --out, or --force to replace it")
    with _written_whole(out) as file:
        write_rows(path, file)


def table_of(folder: Path, table: str | None) -> Path:
    """The file of a table.

    Raises
    ------
    InputError
        There is none of that name; the message has those that there are.
    """
    from netsim.goingon import going_on  # here, because `netsim --help` must not wait for pyarrow
    from netsim.results import PERIODS

    found = {path.stem: path for path in sorted(folder.glob("*")) if path.suffix in (".parquet", ".jsonl")}
    if (so_far := going_on(folder / PERIODS)).is_file():
        found.setdefault(Path(PERIODS).stem, so_far)
    wanted = next((name for name in DEFAULTS if name in found), None) if table is None else table
    if wanted in found:
        return found[wanted]
    if not found:
        raise InputError(f"{folder} is no folder of a run or a training: it has no table")
    got = "" if table is None else f", got {table!r}"
    raise InputError(f"name one of the tables of {folder}: {', '.join(found)}{got}")


def write_rows(path: Path, file: IO[bytes]) -> None:
    """Write a table; memory does not grow with its length.

    Raises
    ------
    InputError
        It is damaged, or holds lists.
    """
    write = _write_json_lines if path.suffix == ".jsonl" else _write_parquet
    write(path, file)


@contextmanager
def _written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when all of it is written."""
    from netsim.files import sync_folder, temporary

    partial = temporary(path)
    try:
        try:
            with partial.open("wb") as file:
                yield file
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.absolute().parent)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None


# -- Parquet -----------------------------------------------------------------------------------------------------------


def _write_parquet(path: Path, file: IO[bytes]) -> None:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with _batches(path) as (stored, batches):
        schema = _flat(path, stored)
        options = arrow_csv.WriteOptions(quoting_style="needed")
        with arrow_csv.CSVWriter(file, schema, write_options=options) as writer:
            for batch in batches:
                writer.write_batch(pa.record_batch([batch[field.name].cast(field.type) for field in schema], schema))


@contextmanager
def _batches(path: Path) -> "Iterator[tuple[pa.Schema, Iterable[pa.RecordBatch]]]":
    """The columns and the rows of a Parquet file, or of the stream of a run that goes on."""
    import pyarrow as pa
    from pyarrow import parquet

    from netsim.goingon import read_so_far

    try:
        source = parquet.ParquetFile(path) if path.suffix == ".parquet" else read_so_far(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if isinstance(source, pa.Table):
        yield source.schema, source.to_batches()
        return
    with source:
        yield source.schema_arrow, source.iter_batches()


def _flat(path: Path, schema: "pa.Schema") -> "pa.Schema":
    """The schema with names in place of their numbers."""
    import pyarrow as pa

    fields = []
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_nested(kind):
            raise InputError(
                f"{path}: {field.name} holds lists, which CSV has no form for; a data set is exported by "
                "`netsim dataset export DIR --csv FILE`"
            )
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


# -- JSON lines --------------------------------------------------------------------------------------------------------


def _write_json_lines(path: Path, file: IO[bytes]) -> None:
    columns: dict[str, None] = {}
    for row in _json_rows(path):
        columns |= dict.fromkeys(row)
    text = _Encoded(file)
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_json_rows(path))


class _Encoded:
    """Takes text for a binary file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write it as UTF-8."""
        self._file.write(text.encode())


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):  # it is being written, or its writer was killed
                return
            try:
                value = json.loads(line)
            except ValueError:
                raise InputError(f"{path}:{number} is damaged: it is not JSON") from None
            yield dict(_flattened("", value))


def _flattened(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Values within values by dotted names and numbers from 0.

    >>> dict(_flattened("", {"ssr": {"video": 0.5}, "allocation": [1, 2], "loss": None}))
    {'ssr.video': 0.5, 'allocation.0': 1, 'allocation.1': 2, 'loss': None}
    """
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flattened(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, json.dumps(value) if isinstance(value, bool) else value
