"""A simulation in one file: a zip of plain arrays, a header, and a SHA-256 of each.

No pickle is ever read. The arrays' types and shapes must be those that the header's scenario gives.
"""

import hashlib
import io
import json
import os
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from netsim import __version__
from netsim.errors import RunError
from netsim.files import write_atomic
from netsim.model import Model
from netsim.provenance import differences
from netsim.scenario import Scenario
from netsim.state import TABLES, WORK, Array, Cell, Stack

FORMAT = 2
_PLUGGED = ("share_address", "draw_address")


def write(path: str | PathLike[str], header: dict[str, Any], cell: Cell) -> None:
    """Write a cell and what is needed to go on with it."""
    members = {name: _array_bytes(array) for name, array in zip(Cell._fields, cell, strict=True) if _kept(name)}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    text = json.dumps({"format": FORMAT, **header, "sha256": digests})  # the order of slices counts
    seal = hashlib.sha256(text.encode()).hexdigest()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {"header.json": text.encode(), "seal": seal.encode(), **members}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    try:
        write_atomic(Path(path), out.getvalue())
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error


def read(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and arrays of a saved simulation.

    Raises
    ------
    RunError
        The file cannot be read, is damaged, or is of another format.
    """
    try:
        with zipfile.ZipFile(os.fspath(path)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        text = members.pop("header.json")
        if hashlib.sha256(text).hexdigest().encode() != members.pop("seal"):
            raise RunError(f"{path}: is damaged: its header does not match its checksum")
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise RunError(f"{path}: is of format {header['format']}, this version reads {FORMAT}")
        for name, digest in header["sha256"].items():
            if hashlib.sha256(members[name]).hexdigest() != digest:
                raise RunError(f"{path}: is damaged: {name} does not match its checksum")
        arrays = {name: np.load(io.BytesIO(members[name]), allow_pickle=False) for name in header["sha256"]}
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise RunError(f"{path}: is not a saved simulation, or is damaged: {error}") from error
    return header, arrays


def refuse_another(
    path: str | PathLike[str], header: dict[str, Any], stored: Scenario, scenario: Scenario | None, seed: int | None
) -> None:
    """Refuse a state that is not of this version, of the scenario and seed asked for, and of the files as they are.

    Raises
    ------
    RunError
        With a line per difference.
    """
    there = {"version": header["version"], "files": header["files"]}
    asked: dict[str, Any] = {"version": __version__, "files": stored.files()}
    if seed is not None:
        there["seed"], asked["seed"] = header["seed"], seed
    different = differences(there, asked)
    if scenario is not None and scenario.hash != stored.hash:
        different += [f"holds scenario {stored.name!r}, which differs from {scenario.name!r}"]
        different += differences(stored.to_dict(), scenario.to_dict())
    if different:
        raise RunError("\n".join([f"{path}: is of another run, going on from it is refused:", *different]))


def restore(stack: Stack, model: Model, arrays: dict[str, Array], path: str | PathLike[str]) -> None:
    """Put saved arrays into an empty stack of one cell of the same scenario."""
    stack.fit(arrays["latencies"].shape[1], arrays["log"].shape[0])
    addresses = {name: model.slices_at_start()[name] for name in _PLUGGED}
    for name, array in zip(Cell._fields, stack.cell(0), strict=True):
        if not _kept(name):
            continue
        stored = arrays.get(name)
        if stored is None or stored.dtype != array.dtype or stored.shape != array.shape:
            raise RunError(f"{path}: {name} is not what this version keeps for the scenario")
        array[...] = stored
    for name, values in addresses.items():
        stack.cell(0).slices[name] = values


def _kept(name: str) -> bool:
    return name not in TABLES and name not in WORK


def _array_bytes(array: Array) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()
