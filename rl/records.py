"""The folder of a training: its manifest, a line of metrics at a time, checkpoints, and in the end a summary.

``metrics.jsonl`` holds nothing that depends on the clock, so that a resumed training leaves the same bytes;
``timing.json`` says how long it took. Where TensorBoard is installed, the same figures go to ``tensorboard/``.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from netsim.errors import InputError, RunError
from netsim.files import lock, sha256, temporary, to_json, write_atomic
from netsim.provenance import differences
from netsim.reports import NAME as REPORT
from netsim.seals import MANIFEST, Kind, Written, intact, written
from rl.board import Board
from rl.checkpoints import Checkpoint, Checkpoints

KIND = Kind("slicetwin-training", 1, "training", "training", "`--force` replaces the training")
METRICS, SUMMARY, TIMING = "metrics.jsonl", "summary.json", "timing.json"
BOARD = "tensorboard"


class Records:
    """What a training writes into its folder."""

    def __init__(
        self, folder: Path, request: Mapping[str, Any], checkpoint_every: int, clock: str = "interactions"
    ) -> None:
        """Take the folder, which holds nothing or a training of the same request.

        Parameters
        ----------
        clock
            What checkpoints are numbered by, and the field of a line of metrics that says when it was.

        Raises
        ------
        InputError
            The folder cannot be written, another run is writing it, or it holds something else.
        """
        self.folder, self.clock = folder, clock
        self._request = json.loads(json.dumps(request))
        self.checkpoints = Checkpoints(folder / "checkpoints", checkpoint_every)
        self._started = time.perf_counter()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(folder)
            try:
                self._take()
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
        self._board: Board | None = None

    def _take(self) -> None:
        if (self.folder / MANIFEST).exists():
            _refuse_another(self.folder, read_manifest(self.folder), self._request)
        elif not _names(self.folder) <= {".lock", temporary(Path(MANIFEST)).name}:
            raise InputError(f"{self.folder} holds other things than a training; give another --out")
        else:
            self._write_manifest(finished=False)
        self._metrics = (self.folder / METRICS).open("ab")

    # -- metrics -----------------------------------------------------------------------------------------------------

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line of metrics."""
        try:
            self._metrics.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._metrics.flush()
        except OSError as error:
            raise RunError(f"cannot write {self.folder / METRICS}: {error.strerror or error}") from None
        try:
            if self._board is not None:
                self._board.add(_scalars(line), line[self.clock])
        except OSError as error:
            raise RunError(f"cannot write {self.folder / BOARD}: {error.strerror or error}") from None

    def mark(self) -> dict[str, Any]:
        """Where the metrics stand, made durable: their length and digest.

        Raises
        ------
        RunError
            They cannot be written.
        """
        path = self.folder / METRICS
        try:
            self._metrics.flush()
            os.fsync(self._metrics.fileno())
            return {"bytes": path.stat().st_size, "sha256": sha256(path)}
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror or error}") from None

    def rewind(self, mark: Mapping[str, Any], when: int) -> None:
        """Cut the metrics back to the mark that was made then.

        Raises
        ------
        RunError
            If they are not those that stood there when the mark was made.
        """
        path = self.folder / METRICS
        content = path.read_bytes()[: mark["bytes"]]
        if hashlib.sha256(content).hexdigest() != mark["sha256"]:
            raise RunError(f"{path} is not the file that was written; `--force` starts again from the beginning")
        self._metrics.truncate(mark["bytes"])
        self._begin_board(when + 1)

    def begin_again(self) -> None:
        """Empty the metrics of a training that was stopped before its first checkpoint."""
        self._metrics.truncate(0)
        self._begin_board(0)

    def _begin_board(self, when: int) -> None:
        try:
            self._board = Board(self.folder / BOARD, when)
        except ImportError:
            self._board = None
        except OSError as error:
            raise RunError(f"cannot write {self.folder / BOARD}: {error.strerror or error}") from None

    # -- the end -----------------------------------------------------------------------------------------------------

    def finish(self, summary: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
        """Write the summary and how long parts of the training took, and mark it finished."""
        try:
            self.mark()
            write_atomic(self.folder / SUMMARY, to_json(summary))
            self._write_timing(seconds)
            self._write_manifest(finished=True)
        except OSError as error:
            raise RunError(f"cannot write {self.folder}: {error.strerror or error}") from None

    def close(self) -> None:
        """Let the folder go. What could not be written has been told before."""
        with suppress(OSError):
            self._metrics.close()
        if self._board is not None:
            self._board.close()
        (self.folder / ".lock").unlink(missing_ok=True)
        os.close(self._lock)

    def _write_timing(self, parts: Mapping[str, float]) -> None:
        wall = time.perf_counter() - self._started
        timing = {"wall_s": wall, **{f"{name}_cpu_s": seconds for name, seconds in parts.items()}}
        write_atomic(self.folder / TIMING, to_json({name: round(value, 3) for name, value in timing.items()}))

    def _write_manifest(self, *, finished: bool) -> None:
        KIND.write(
            self.folder,
            {"finished": finished, "request": self._request, "files": self._written() if finished else {}},
        )

    def _written(self) -> dict[str, Written]:
        """What a finished training leaves, by its path in the folder; timing and TensorBoard differ between equals."""
        own = [path for path in (self.folder / METRICS, self.folder / SUMMARY) if path.exists()]
        kept = sorted(path for path in self.checkpoints.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): written(path) for path in (*own, *kept)}


class Resumable(Protocol):
    """A training that goes on from its checkpoints."""

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint stands.

        Raises
        ------
        KeyError, ValueError
            An array is missing, or of another shape or type.
        """

    def run(self, progress: Any) -> dict[str, Any]:
        """Go on to the end and return the summary."""


def carried_out(
    records: Records,
    made: Callable[[Records], Resumable],
    progress: Any,
    notice: Callable[[str], None],
    *,
    resume: bool,
) -> dict[str, Any]:
    """The summary of a training that is kept, run to its end from its newest whole checkpoint if it has one.

    Raises
    ------
    InputError, RunError
        The training's own; and the arrays of the checkpoint do not fit the request.
    """
    try:
        training = made(records)
        found = records.checkpoints.newest()
        if found is None:
            if resume:
                notice(f"{records.folder} has no checkpoint, the training begins at the beginning")
            records.begin_again()
        else:
            for line in found.skipped:
                notice(line)
            notice(f"going on after {found.interactions} {records.clock}")
            _restored(training, found)
            records.rewind(found.state["metrics"], found.interactions)
        return training.run(progress)
    finally:
        records.close()


def _restored(training: Resumable, found: Checkpoint) -> None:
    try:
        training.restore(found)
    except (KeyError, ValueError) as error:
        raise RunError(f"{found.folder} does not fit what was asked for: {error}") from None


def clear(folder: Path, force: bool, noun: str = "training", names: Set[str] | None = None) -> None:
    """Refuse a folder that exists; with ``force`` empty one of nothing but ``names``, and refuse any other.

    Raises
    ------
    InputError
        Saying what to do instead.
    """
    if not os.path.lexists(folder):
        return
    if not force:
        resume = "" if names else "or --resume, "
        raise InputError(f"{folder} exists; give another --out, {resume}or --force to replace the {noun} in it")
    if not folder.is_dir() or not _names(folder) <= (names or _own_names()):
        raise InputError(f"{folder} holds other things than a {noun}, --force does not replace them")
    descriptor = lock(folder)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise InputError(f"cannot replace {folder}: {error.strerror or error}") from None
    finally:
        os.close(descriptor)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _own_names() -> set[str]:
    """What a training may leave in its folder, also if it was killed."""
    atomic = (MANIFEST, SUMMARY, TIMING, REPORT)
    partial = (temporary(Path(name)).name for name in atomic)
    return {*atomic, *partial, METRICS, ".lock", "checkpoints", BOARD}


def finished_summary(folder: Path, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The summary of a training that is done; ``None`` if the folder holds none that is.

    Raises
    ------
    InputError
        It is a training of another request.
    RunError
        Its files are not those that were written.
    """
    if not (folder / MANIFEST).exists():
        return None
    manifest = read_manifest(folder)
    _refuse_another(folder, manifest, request)
    if not manifest["finished"]:
        return None
    for name, kept in manifest["files"].items():
        if not intact(folder / name, kept):
            raise RunError(f"{folder / name} is not the file that was written; `--force` starts again")
    return json.loads((folder / SUMMARY).read_bytes())  # type: ignore[no-any-return]


def _refuse_another(folder: Path, manifest: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    different = differences(manifest["request"], json.loads(json.dumps(request)))
    if different:
        raise InputError(f"{folder} holds another training, it cannot be resumed:\n" + "\n".join(different))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a training.

    Raises
    ------
    InputError
        If the folder has none, or it is damaged.
    """
    return KIND.read(folder)


def _scalars(line: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Every number of a line of metrics, by a name with slashes."""
    found = []
    for name, value in line.items():
        if isinstance(value, Mapping):
            found += _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            found.append((prefix + name, float(value)))
    return found
