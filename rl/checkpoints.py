"""Checkpoints: folders of files with their SHA-256 in a manifest, written so that a kill never leaves a broken one.

A checkpoint is written under a temporary name, every file and the folder are made durable, and only then is it given
its name. What is read is checked first. Arrays are safetensors, the rest JSON; no pickle is read.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.errors import RunError
from netsim.files import sha256, sync_folder
from netsim.seals import MANIFEST, sealed, unsealed
from rl.replay import Arrays

FORMAT = 1
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a checkpoint that is not whole may raise."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and is whole."""

    interactions: int
    folder: Path
    state: Mapping[str, Any]
    """What is not an array."""
    skipped: tuple[str, ...] = ()
    """Why newer ones were not used."""

    def arrays(self, name: str) -> Arrays:
        """The arrays of one file.

        Raises
        ------
        RunError
            It holds something else.
        """
        return read_arrays(self.folder / f"{name}.safetensors")


class Checkpoints:
    """The checkpoints of a run: the newest ``keep`` of those that are due every ``every`` interactions."""

    def __init__(self, folder: Path, every: int, keep: int = 2) -> None:
        self.folder, self.every, self.keep = folder, every, keep

    def due(self, interactions: int) -> bool:
        """Whether one is to be written now."""
        return interactions % self.every == 0

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, interactions: int, state: Mapping[str, Any], groups: Mapping[str, Arrays], files: Any) -> None:
        """Keep arrays by group, a state of plain values, and what ``files(folder)`` writes.

        A whole checkpoint of the same number is left as it is: equal requests go through equal states, and replacing
        it would leave a moment without any.

        Raises
        ------
        RunError
            If it cannot be written; checkpoints that were there are still there.
        """
        partial, place = self.folder / f".{interactions:010d}.partial", self.folder / f"{interactions:010d}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not _is_whole(place):
                self._sweep()
                partial.mkdir()
                for name, arrays in groups.items():
                    write_arrays(partial / f"{name}.safetensors", arrays)
                files(partial)
                self._seal(partial, interactions, state)
                shutil.rmtree(place, ignore_errors=True)
                partial.rename(place)
                sync_folder(self.folder)
            self._drop_old(interactions)
            self._sweep()
        except (OSError, RunError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            why = error.strerror or error if isinstance(error, OSError) else error
            raise RunError(f"cannot write a checkpoint to {self.folder}: {why}") from None

    def _sweep(self) -> None:
        """Remove what a kill left half written or half removed."""
        for partial in self.folder.glob(".*.partial"):
            shutil.rmtree(partial)

    def _seal(self, folder: Path, interactions: int, state: Mapping[str, Any]) -> None:
        digests = {path.name: sha256(path) for path in sorted(folder.iterdir())}
        content = {"format": FORMAT, "interactions": interactions, "state": state, "files": digests}
        _write_durably(folder / MANIFEST, sealed(content).encode())
        sync_folder(folder)

    def _drop_old(self, newest: int) -> None:
        """Keep the newest that were due; one written because the run was stopped goes when the next is written."""
        there = [int(path.name) for path in self._named() if int(path.name) <= newest]
        due = [n for n in there if self.due(n) and n != newest]
        for n in set(there) - {newest, *sorted(due)[max(0, len(due) - self.keep + 1) :]}:
            # Under its name there is a whole checkpoint or none, also while it is removed.
            (self.folder / f"{n:010d}").rename(self.folder / f".{n:010d}.partial")

    # -- reading -----------------------------------------------------------------------------------------------------

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; ``None`` if none was ever written.

        Raises
        ------
        RunError
            If there are some and none is whole.
        """
        skipped: list[str] = []
        for path in self._named():
            try:
                read = _read(path)
            except DAMAGE as error:
                skipped.append(f"checkpoint {path} is damaged and was passed over: {error}")
                continue
            return Checkpoint(read["interactions"], path, read["state"], tuple(skipped))
        if skipped:
            raise RunError("\n".join([*skipped, "no checkpoint is whole; `--force` starts again from the beginning"]))
        return None

    def _named(self) -> Iterator[Path]:
        """Folders of checkpoints, the newest first."""
        names = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        for name in sorted((n for n in names if n.isdigit() and len(n) == 10), reverse=True):
            yield self.folder / name


def _is_whole(folder: Path) -> bool:
    try:
        _read(folder)
    except DAMAGE:
        return False
    return True


def _read(folder: Path) -> dict[str, Any]:
    manifest = unsealed((folder / MANIFEST).read_bytes())
    if manifest["format"] != FORMAT or f"{manifest['interactions']:010d}" != folder.name:
        raise ValueError("its manifest is not the one that was written")
    for name, digest in manifest["files"].items():
        if sha256(folder / name) != digest:
            raise ValueError(f"{name} is not the file that was written")
    return manifest


def read_arrays(path: Path) -> Arrays:
    """The arrays of a file of safetensors.

    Raises
    ------
    RunError
        It cannot be read, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file of safetensors, durably."""
    from safetensors.numpy import save

    _write_durably(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
