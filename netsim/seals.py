"""Manifests: JSON files that carry a SHA-256 of themselves and of the files they name, so a flipped bit is noticed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsim.errors import InputError
from netsim.files import sha256, to_json, write_atomic

MANIFEST = "manifest.json"
Written = Mapping[str, str | int]
"""SHA-256 and bytes of a file."""


def sealed(content: Mapping[str, Any]) -> str:
    """The text of a manifest: its content and, last, the SHA-256 of that.

    >>> unsealed(sealed({"runs": [1, 2]}).encode())
    {'runs': [1, 2]}
    """
    return to_json({**content, "sha256": _digest(content)})


def unsealed(text: bytes) -> dict[str, Any]:
    """The content of a manifest, without its seal.

    Raises
    ------
    ValueError
        It is not what was written.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        whole = content.pop("sha256") == _digest(content)
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise ValueError("its manifest is not the one that was written")
    return content


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(content).encode()).hexdigest()


@dataclass(frozen=True)
class Kind:
    """A kind of folder that has a manifest."""

    format: str
    version: int
    what: str
    """What the folder holds, as in "a run"."""
    folder: str
    """What the folder is called, as in "run directory"."""
    remedy: str = ""
    """What to do about one that is damaged."""
    reader: str = "version"

    def write(self, folder: Path, content: Mapping[str, Any]) -> None:
        """Put a manifest in place of the one before, after its format."""
        text = sealed({"format": self.format, "format_version": self.version, **content})
        write_atomic(folder / MANIFEST, text)

    def read(self, folder: Path) -> dict[str, Any]:
        """The manifest of a folder, without its seal.

        Raises
        ------
        InputError
            The folder has none, or it is damaged, of another kind or of another version.
        """
        content = self.read_if_there(folder)
        if content is None:
            raise InputError(f"{folder} is no {self.folder}: it has no {MANIFEST}")
        return content

    def read_if_there(self, folder: Path) -> dict[str, Any] | None:
        """The same, ``None`` where there is none."""
        path = folder / MANIFEST
        try:
            content = unsealed(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except ValueError:
            remedy = f"; {self.remedy}" if self.remedy else ""
            raise InputError(f"{path} is damaged or no manifest of a {self.what}{remedy}") from None
        if (content.get("format"), content.get("format_version")) != (self.format, self.version):
            told = f"{self.format} version {self.version}, which this {self.reader} reads"
            raise InputError(f"{path} is not of the format {told}")
        return content


def format_of(folder: Path) -> str | None:
    """The format that the manifest of a folder gives, whole or not; ``None`` where there is none that gives one."""
    try:
        named = json.loads((folder / MANIFEST).read_bytes())["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return named if isinstance(named, str) else None


# -- the files that a manifest names -----------------------------------------------------------------------------------


def written(path: Path) -> dict[str, str | int]:
    """What a manifest keeps of a file: its SHA-256 and its bytes."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def all_written(paths: Iterable[Path]) -> dict[str, dict[str, str | int]]:
    """The same of several files, by name."""
    return {path.name: written(path) for path in paths}


def intact(path: Path, kept: Written) -> bool:
    """Whether a file is there and the one that was written."""
    return path.is_file() and path.stat().st_size == kept["bytes"] and sha256(path) == kept["sha256"]
