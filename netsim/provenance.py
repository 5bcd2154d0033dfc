"""What a run was asked for, and with which versions: enough to run it again to the same bytes."""

import importlib.metadata
import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsim.files import sha256
from netsim.loadobject import module_digest
from netsim.plugins import registered_names

if TYPE_CHECKING:
    from netsim.scenario import Scenario

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_PACKAGES = ("slicetwin", "numpy", "numba", "scipy", "simpy", "pyarrow", "pydantic", "pluggy")


@dataclass(frozen=True)
class Request:
    """What was asked for: two runs of equal requests leave equal bytes."""

    scenario: Mapping[str, Any]
    """The resolved scenario."""
    scenario_hash: str
    files: Mapping[str, str | None]
    """SHA-256 of each file or module that the scenario names."""
    seed: int
    controller: str
    plugins: tuple[str, ...]
    """Specifications or names of the plugins named for the run, in order."""
    sources: Mapping[str, str]
    """SHA-256 of each file or module of a plugin named in ``controller`` and ``plugins``."""
    periods: int
    packets: bool
    on_fault: str
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As the manifest holds it."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]


def request_of(
    scenario: "Scenario",
    *,
    seed: int,
    controller: str,
    plugins: Sequence[str],
    periods: int,
    packets: bool,
    on_fault: str,
) -> Request:
    """The request, with what it implies: the resolved scenario, digests of plugin files, versions."""
    return Request(
        scenario=scenario.to_dict(),
        scenario_hash=scenario.hash,
        files=scenario.files(),
        seed=seed,
        controller=controller,
        plugins=tuple(plugins),
        sources=_sources(controller, plugins),
        periods=periods,
        packets=packets,
        on_fault=on_fault,
        versions=versions(),
    )


def versions(*more: str) -> dict[str, str]:
    """Versions of Python, of the packages that results depend on, and of further ones."""
    return {"python": platform.python_version(), **{name: _version(name) for name in (*_PACKAGES, *more)}}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _sources(controller: str, plugins: Sequence[str]) -> dict[str, str]:
    """The digests that can be taken."""
    digests = {spec: source_digest(spec) for spec in (*plugins, *_code_in(controller))}
    return {spec: digest for spec, digest in digests.items() if digest is not None}


def _code_in(controller: str) -> Iterator[str]:
    """The ``file.py:Class`` and ``pkg.module:Class`` of a controller, also in the text that a named one is given.

    What a text means is known to its controller alone; in those of this package, as ``explore:0.2/mine.py:A`` and
    ``mixed:mine.py:A|other.py:B``, a controller ends at a bar and begins after a slash or colon.
    """
    names, (name, _, text) = registered_names("controllers"), controller.partition(":")
    if name not in names:
        yield controller
        return
    for part in text.split("|"):
        begins = (0, *(match.end() for match in re.finditer(r"[/:]", part)))
        inner = (part[begin:] for begin in begins)
        found = (each for each in inner if each.partition(":")[0] not in names and source_digest(each) is not None)
        yield from islice(found, 1)


def source_digest(spec: str) -> str | None:
    """SHA-256 of the file or module of ``file.py:Class`` or ``pkg.module:Class``; ``None`` if there is none."""
    where = spec.rpartition(":")[0]
    if where.endswith(".py"):
        return sha256(Path(where)) if Path(where).is_file() else None
    return module_digest(where) if _MODULE.fullmatch(where) else None


def differences(
    there: object, asked: object, where: str = "", words: tuple[str, str] = ("there", "asked for")
) -> list[str]:
    """Where two requests differ, a line each; ``words`` say whose value it is."""
    if isinstance(there, Mapping) and isinstance(asked, Mapping):
        keys = [*there, *(key for key in asked if key not in there)]
        return [
            line
            for key in keys
            for line in differences(there.get(key), asked.get(key), f"{where}.{key}".lstrip("."), words)
        ]
    return [] if there == asked else [f"{where}: {json.dumps(there)} {words[0]}, {json.dumps(asked)} {words[1]}"]
