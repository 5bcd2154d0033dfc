"""What a training's folder holds: lines of metrics, of which the last may still be written, and its summary."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.errors import InputError
from netsim.reports.folders import TRAINING, read_json
from netsim.reports.thinning import Floats
from netsim.seals import Kind, intact

KIND = Kind(TRAINING, 1, "training", "training")
METRICS, SUMMARY, TIMING = "metrics.jsonl", "summary.json", "timing.json"
FIDELITY = ("fidelity.json", "fidelity/fidelity.json")
"""Where ``netsim twin fidelity --out`` may have been told to put what it found."""
GREEDY = "greedy"
Line = Mapping[str, Any]


class Curve(NamedTuple):
    """A quantity, and when it was: shape ``(points,)`` both, NaN where it was not known."""

    x: Floats
    y: Floats


@dataclass(frozen=True)
class TrainingData:
    """A training's folder that was opened."""

    folder: Path
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    """``None`` where the training has not finished."""
    lines: tuple[Line, ...]

    @classmethod
    def open(cls, folder: Path) -> "TrainingData":
        """Read all that there is.

        Raises
        ------
        InputError
            The folder is no training, or damaged.
        """
        manifest = KIND.read(folder)
        summary = read_json(folder / SUMMARY) if manifest["finished"] else None
        return cls(folder, manifest, summary, tuple(read_lines(folder / METRICS)))

    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked for."""
        return self.manifest["request"]  # type: ignore[no-any-return]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the slices."""
        return tuple(self.request["scenario"]["slices"])

    @property
    def damaged(self) -> list[str]:
        """Files that are not those that were written."""
        return [name for name, kept in self.manifest["files"].items() if not intact(self.folder / name, kept)]

    @cached_property
    def clock(self) -> str:
        """What the lines are dated by: interactions with the network, or epochs of learning from a record."""
        return "epochs" if "data" in self.request else "interactions"

    @property
    def done(self) -> int:
        """Where the clock stands."""
        return int(self.lines[-1][self.clock]) if self.lines else 0

    @property
    def asked(self) -> int:
        """Where the clock is to stop."""
        return int(self.request["training"][self.clock])

    def curve(self, *path: str) -> Curve:
        """A figure of the lines that have it, by its keys, from the outermost."""
        there = [line for line in self.lines if _has(line, path)]
        values = [_number(_at(line, path)) for line in there]
        return Curve(self._dates(there), np.array(values, np.float64))

    def greedy(self, *path: str) -> tuple[Curve, NDArray[np.float64]]:
        """A figure of the evaluations of the greedy policy, and its 95 % interval, shape ``(points, 2)``."""
        there = [line for line in self.lines if GREEDY in line]
        figures = [_at(line[GREEDY], path) for line in there]
        means = np.array([_number(figure["mean"]) for figure in figures], np.float64)
        ends = [figure["ci95"] or (figure["mean"], figure["mean"]) for figure in figures]
        return Curve(self._dates(there), means), np.array(ends, np.float64).reshape(-1, 2)

    def _dates(self, lines: list[Line]) -> Floats:
        return np.array([line[self.clock] for line in lines], np.float64)

    @cached_property
    def last_greedy(self) -> Mapping[str, Any] | None:
        """The newest evaluation of the greedy policy."""
        if self.summary is not None:
            return self.summary[GREEDY]  # type: ignore[no-any-return]
        return next((line[GREEDY] for line in reversed(self.lines) if GREEDY in line), None)

    @property
    def spent(self) -> Mapping[str, int]:
        """The ledger, as far as it is known."""
        if self.summary is not None:
            return self.summary["ledger"]  # type: ignore[no-any-return]
        return {"real_interactions": self.done} if self.clock == "interactions" else {}

    @property
    def refits_on_drift(self) -> bool:
        """Whether its twin is fitted anew when the network has changed, and else never."""
        return self.request.get("loop", {}).get("refit") == "drift"  # type: ignore[no-any-return]

    @property
    def alarms(self) -> list[float]:
        """When changes were noticed, to a line of metrics: an iteration then ends, and for no other reason."""
        if not self.refits_on_drift:
            return []
        x, iteration = self.curve("iteration")
        return x[:-1][np.diff(iteration) > 0].tolist()  # type: ignore[no-any-return]

    @cached_property
    def timing(self) -> Mapping[str, float]:
        """Seconds that it took, where they are known."""
        return read_json(self.folder / TIMING) if (self.folder / TIMING).is_file() else {}

    @cached_property
    def fidelity(self) -> Mapping[str, Any] | None:
        """How true its twin was found to be, if that was measured and put here."""
        there = [self.folder / name for name in FIDELITY if (self.folder / name).is_file()]
        return read_json(there[0]) if there else None


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file of JSON; the last one may be torn, for it may still be written.

    Raises
    ------
    InputError
        Another line is no JSON.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    *whole, _torn = content.split(b"\n")
    for number, line in enumerate(whole, 1):
        try:
            yield json.loads(line)
        except ValueError:
            raise InputError(f"{path}:{number}: is no JSON; the file is damaged") from None


def _has(line: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if key not in line:
            return False
        line = line[key]
    return True


def _at(line: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        line = line[key]
    return line


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
