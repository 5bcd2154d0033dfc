"""What a run was asked for, and with which versions: enough to run it again to the same bytes."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsim.scenario import Scenario

_PACKAGES = ("slicetwin", "numpy", "numba", "scipy", "simpy", "pyarrow", "pydantic", "pluggy")


@dataclass(frozen=True)
class Request:
    """What was asked for: two runs of equal requests leave equal bytes."""

    scenario: Mapping[str, Any]
    """The resolved scenario."""
    scenario_hash: str
    files: Mapping[str, str | None]
    """SHA-256 of each file that the scenario names."""
    seed: int
    controller: str
    plugins: tuple[str, ...]
    """Specifications or names of the plugins named for the run, in order."""
    sources: Mapping[str, str]
    """SHA-256 of each plugin file named in ``controller`` and ``plugins``."""
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
        sources=_sources((controller, *plugins)),
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


def _sources(specs: Sequence[str]) -> dict[str, str]:
    files = {spec: Path(spec.rpartition(":")[0]) for spec in specs if ".py:" in spec}
    return {spec: hashlib.sha256(path.read_bytes()).hexdigest() for spec, path in files.items() if path.is_file()}


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
