"""What a run leaves on disk: a folder that says what it holds and can be checked.

``manifest.json`` names every file with its SHA-256, the resolved scenario, and whether the run finished. Nothing in the
folder depends on the time of day or on where it is, so the same inputs and versions give the same bytes.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from netsim.errors import InputError, RunError
from netsim.files import lock, sync_folder, temporary, to_json, write_atomic
from netsim.fingerprint import Fingerprint
from netsim.provenance import Request, differences
from netsim.report import PeriodReport
from netsim.reports import NAME as REPORT
from netsim.seals import MANIFEST, Kind, all_written, intact

if TYPE_CHECKING:
    from numpy.typing import NDArray


KIND = Kind("netsim-run", 1, "run", "run directory", "`--force` replaces the run", "netsim")
SUMMARY, EVENTS = "summary.json", "events.jsonl"
PERIODS, PACKETS = "periods.parquet", "packets.parquet"
OWN_FILES = (SUMMARY, EVENTS, PERIODS, PACKETS, MANIFEST)
"""Files that a run writes, the manifest last."""


# -- an existing folder ------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run directory.

    Raises
    ------
    InputError
        If the folder has none, or it is damaged.
    """
    return KIND.read(folder)


def verify(folder: str | Path) -> list[str]:
    """Compare the files of a run directory with its manifest; a line for each that is missing or differs."""
    folder = Path(folder)
    found = []
    for name, expected in read_manifest(folder)["files"].items():
        path = folder / name
        if not path.is_file():
            found.append(f"{path} is missing")
        elif not intact(path, expected):
            found.append(f"{path} is not the file that was written: its SHA-256 differs from the manifest's")
    return found


def finished_summary(folder: Path, request: Request) -> dict[str, Any] | None:
    """The summary of a finished run of this request, ``None`` if the folder holds an unfinished one or nothing.

    Raises
    ------
    InputError
        If the folder holds something else, or a run of another request.
    RunError
        If its files are not those that were written.
    """
    if not folder.exists() or _is_untouched(folder):
        return None
    manifest = read_manifest(folder)
    different = differences(manifest.get("request"), request.to_dict())
    if different:
        raise InputError(f"{folder} holds another run, it cannot be resumed:\n" + "\n".join(different))
    damaged = verify(folder)
    if not manifest.get("finished"):
        return None
    if damaged:
        raise RunError("\n".join([*damaged, "`--force` runs it again"]))
    return json.loads((folder / SUMMARY).read_bytes())  # type: ignore[no-any-return]


def _is_untouched(folder: Path) -> bool:
    """Whether a folder is empty, or a run was killed in it before it had written its first manifest."""
    return folder.is_dir() and _names(folder) <= {".lock", *_own_names()} - set(OWN_FILES)


def refuse_existing(folder: Path, force: bool) -> None:
    """Refuse a folder that exists; with ``force`` one that holds something else than a run.

    Raises
    ------
    InputError
        Saying what to do instead.
    """
    if not os.path.lexists(folder):
        return
    if not force:
        raise InputError(f"{folder} exists; give another --out, or --resume, or --force to replace the run in it")
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder, --force does not replace it")
    if not _is_replaceable(folder):
        raise InputError(
            f"{folder} holds other files and no {MANIFEST} of a run, --force does not replace them; give another --out"
        )


def _is_replaceable(folder: Path) -> bool:
    """Whether the manifest is that of a run; without one that can be read, whether all files are named as a run's.

    Much other software calls a file ``manifest.json`` too, and so does a training.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return _names(folder) <= {".lock", *_own_names()}
    return isinstance(manifest, dict) and manifest.get("format") == KIND.format


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _own_names() -> set[str]:
    from netsim.goingon import going_on

    names = (*OWN_FILES, REPORT)
    return {*names, *(temporary(Path(name)).name for name in names), going_on(Path(PERIODS)).name}


# -- writing -----------------------------------------------------------------------------------------------------------


class RunDirectory:
    """The folder of a run while it is written."""

    def __init__(self, folder: Path, request: Request, slice_names: Sequence[str]) -> None:
        """Take the folder, remove what an earlier run left there, and write an unfinished manifest.

        Raises
        ------
        InputError
            If the folder cannot be written, or another run is writing it.
        """
        self.folder, self._request = folder, request
        self._fingerprint = Fingerprint(slice_names)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(folder)
            for name in sorted(_own_names()):
                (folder / name).unlink(missing_ok=True)
            self._write_manifest(finished=False, summary=None)
            self._open(slice_names)
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from None

    def _open(self, slice_names: Sequence[str]) -> None:
        from netsim.tables import PacketWriter, PeriodWriter

        self._periods: PeriodWriter = PeriodWriter(self.folder / PERIODS, slice_names)
        self._packets: PacketWriter | None = None
        if self._request.packets:
            self._packets = PacketWriter(self.folder / PACKETS, slice_names)
        self._events: IO[str] = temporary(self.folder / EVENTS).open("w", encoding="utf-8", newline="\n")

    def add(self, report: PeriodReport, marks: "NDArray[Any] | None" = None) -> None:
        """Keep a period and its marks, ``(N, layers)``, if the plant has them."""
        self._periods.add(report, marks)
        if marks is not None:
            self._fingerprint.add(marks)

    def add_packets(self, rows: "NDArray[Any]", period: int) -> None:
        """Keep the packets that left in a period."""
        if self._packets is not None:
            self._packets.write(rows, period)

    def event(self, **what: object) -> None:
        """Keep something dated; ``what`` begins with the period it happened in."""
        try:
            self._events.write(json.dumps(what, ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            raise RunError(f"cannot write {self.folder / EVENTS}: {error.strerror or error}") from None

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Close all files and mark the run finished."""
        self._close_files()
        try:
            write_atomic(self.folder / SUMMARY, to_json(summary))
            self._write_manifest(finished=True, summary=summary)
        except OSError as error:
            raise RunError(f"cannot write {self.folder}: {error.strerror or error}") from None
        self._release()

    def abandon(self) -> None:
        """Close all files as far as they go and leave the run marked unfinished, with the digests of what there is.

        Errors are passed over: this is called while another one is on its way to the user.
        """
        for close in (self._close_files, lambda: self._write_manifest(finished=False, summary=None), self._release):
            try:
                close()
            except (OSError, RunError):
                continue

    def _close_files(self) -> None:
        writers = [self._close_events, self._periods.close, *([self._packets.close] if self._packets else [])]
        errors = []
        for close in writers:
            try:
                close()
            except (OSError, RunError) as error:
                errors.append(error)
        if errors:
            raise RunError(str(errors[0])) from None

    def _close_events(self) -> None:
        try:
            self._events.flush()
            os.fsync(self._events.fileno())
        finally:
            self._events.close()
        path = self.folder / EVENTS
        temporary(path).replace(path)
        sync_folder(self.folder)

    def _write_manifest(self, *, finished: bool, summary: Mapping[str, Any] | None) -> None:
        written = [self.folder / name for name in OWN_FILES[:-1] if (self.folder / name).exists()]
        manifest = {
            "finished": finished,
            "faults": 0 if summary is None else summary["faults"],
            "fingerprint": self._fingerprint.digests(),
            "request": self._request.to_dict(),
            "files": all_written(written),
        }
        KIND.write(self.folder, manifest)

    def _release(self) -> None:
        (self.folder / ".lock").unlink(missing_ok=True)
        os.close(self._lock)
