"""Files that are old or new, never in between, and what they hold."""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from netsim.errors import InputError


def cache_root() -> Path:
    """Where compiled kernels and measured baselines are kept: ``SLICETWIN_CACHE``, else the user's cache folder."""
    if chosen := os.environ.get("SLICETWIN_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "slicetwin"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slicetwin"


def temporary(path: Path) -> Path:
    """The name a file has while it is written, in the same folder."""
    return path.with_name(f".{path.name}.partial")


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file durably: whatever happens, the old content or the new one stands under its name."""
    with temporary(path).open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    temporary(path).replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in the folder durable, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_json(value: Any) -> str:
    """JSON with a line per entry, keys in the order given, no NaN; the same text for the same value."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def lock(folder: Path) -> int:
    """Hold a folder against other runs until this process ends or closes the descriptor that is returned.

    Raises
    ------
    InputError
        If another run holds it.
    """
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on this system
        return descriptor
    except OSError:
        os.close(descriptor)
        raise InputError(f"another run is writing {folder}") from None
    return descriptor
