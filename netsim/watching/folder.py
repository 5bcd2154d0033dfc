"""What is looked at: a folder that grows, and what was last made of it."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from netsim.errors import InputError

LOOK_EVERY_S = 1.0
"""How often at most files are looked at."""
SHARE = 0.1
"""Of a core, that making what is shown may take: what goes on needs the rest."""
DEPTH = 4
"""Folders within folders that are looked into: a study has its runs in ``jobs/NAME/out``."""
PASSED_OVER = ("report.html", ".lock", "checkpoints", "tensorboard")
"""Names of files and folders that say nothing that is shown."""

T = TypeVar("T")
State = tuple[tuple[str, int, int], ...]


def state_of(folder: Path) -> State:
    """Paths, sizes and times of change of the files in a folder; what vanishes meanwhile is left out."""
    return tuple(sorted(_files(folder, DEPTH)))


def _files(folder: Path | str, depth: int) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name in PASSED_OVER:
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, depth - 1) if depth else ()
            else:
                status = entry.stat(follow_symlinks=False)
                yield entry.path, status.st_size, status.st_mtime_ns
        except OSError:
            continue


class Shown(Generic[T]):
    """What is made of a folder, made anew when its files have changed, but no more often than is cheap.

    While a file is being replaced, what is in a folder may not fit together; then what was made before stands.
    """

    def __init__(self, folder: Path, make: Callable[[Path], T]) -> None:
        """Make it for the first time.

        Raises
        ------
        InputError
            Nothing can be made of the folder.
        """
        self._folder, self._make = folder, make
        self._renewing = threading.Lock()
        self._state: State | None = state_of(folder)
        self.latest = make(folder)
        self._due_s = time.monotonic() + LOOK_EVERY_S  # what the first one took went into imports

    @property
    def wait_s(self) -> float:
        """How long until it is time to look again."""
        return max(0.0, self._due_s - time.monotonic())

    def renew(self) -> bool:
        """Look at the files if it is time to, and make it anew if they have changed; whether it was."""
        with self._renewing:
            if self.wait_s > 0.0:
                return False
            begin, state = time.thread_time(), state_of(self._folder)
            try:
                if state == self._state:
                    return False
                self.latest = self._make(self._folder)
                self._state = state
                return True
            except InputError:
                return False
            finally:
                took = time.thread_time() - begin
                self._due_s = time.monotonic() + max(LOOK_EVERY_S, took * (1 - SHARE) / SHARE)


def version_of(text: str) -> str:
    """Stands for a text: two that differ have different ones."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
