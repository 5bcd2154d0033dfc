"""The periods of a run while it goes on, for whoever looks on: an Arrow stream, which can be read before its end.

It lies beside ``periods.parquet``, which takes its place when the run has ended. A run does not depend on it: where it
cannot be written, the run goes on without.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from netsim.files import temporary


def going_on(path: Path) -> Path:
    """The stream that stands for a Parquet file until that is there."""
    return temporary(path.with_suffix(".arrows"))


class Stream:
    """A stream of record batches, begun with the first one."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._given_up = False

    def append(self, columns: Mapping[str, pa.Array]) -> None:
        """Append rows, to be read at once; after an error of the system there is no stream any more."""
        if self._given_up:
            return
        try:
            if self._writer is None:
                self._file = self._path.open("wb", buffering=0)
                options = pa.ipc.IpcWriteOptions(compression="zstd")
                self._writer = pa.ipc.new_stream(self._file, self._schema, options=options)
            self._writer.write_batch(pa.record_batch([columns[name] for name in self._schema.names], self._schema))
        except OSError:
            self._given_up = True
            self.remove()

    def remove(self) -> None:
        """Let the stream go: what it held is in its place."""
        if self._writer is None:
            return
        try:
            self._file.close()
            self._path.unlink(missing_ok=True)
        except OSError:  # the run does not fail for what it does not need
            return


def read_so_far(path: Path) -> pa.Table:
    """What is in a stream by now; a batch that is being written, or was cut off, is not.

    Raises
    ------
    OSError, pa.ArrowInvalid
        There is no such file, or it is no stream.
    """
    batches: list[pa.RecordBatch] = []
    with path.open("rb") as file, pa.ipc.open_stream(file) as reader:
        while True:
            try:
                batches.append(reader.read_next_batch())
            except (StopIteration, pa.ArrowInvalid, OSError):
                return pa.Table.from_batches(batches, reader.schema)
