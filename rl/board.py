"""Figures for TensorBoard, where it is installed."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = "events.out.tfevents.0.slicetwin"


class Board:
    """A file of events that TensorBoard shows.

    TensorBoard's own writer does its work in a thread, where a full disk ends in a traceback nobody asked for; this
    one writes at once, and whoever calls it is told.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Go on with the file in a folder; what it has from ``step`` on is not shown any more.

        Raises
        ------
        ImportError
            TensorBoard is not installed.
        OSError
            The file cannot be written.
        """
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        folder.mkdir(exist_ok=True)
        self._file = (folder / FILE).open("ab", buffering=0)
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        self._write(step=step, session_log=SessionLog(status=SessionLog.START))

    def add(self, figures: Iterable[tuple[str, float]], step: int) -> None:
        """Show figures at a step.

        Raises
        ------
        OSError
            They cannot be written.
        """
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in figures]
        self._write(step=step, summary=self._summary(value=values))

    def _write(self, **what: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), **what).SerializeToString())

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
