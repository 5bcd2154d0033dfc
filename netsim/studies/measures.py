"""What a job left, as numbers and curves."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.errors import RunError
from netsim.results import PERIODS, SUMMARY
from netsim.seals import MANIFEST
from netsim.studies.commands import WRITTEN
from netsim.studies.form import PLACEHOLDER, Measure
from netsim.studies.plan import OUT, Job, as_text

METRICS = "metrics.jsonl"
MAX_LINE_BYTES = 1 << 24


class Curve(NamedTuple):
    """A quantity over interactions; each value is a mean up to its x since the x before."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


class Reached(NamedTuple):
    """Interactions until a level was reached; the whole budget where it was not."""

    x: float
    reached: bool


def value_of(measure: Measure, job: Job, folder: Path) -> float:
    """The number that a job left.

    Raises
    ------
    RunError
        It is not there.
    """
    assert measure.value is not None
    path = folder / _place(measure, folder, SUMMARY)
    found = _at(_json(path), filled_for(measure.value, job), path)
    return _number(found, measure.value, path)


def curve_of(measure: Measure, job: Job, folder: Path) -> Curve:
    """The curve that a job left, as it is: in bins only with :func:`binned`.

    Raises
    ------
    RunError
        It is not there.
    """
    assert measure.curve is not None
    y, x = filled_for(measure.curve, job), filled_for(measure.x, job)
    path = folder / _place(measure, folder, METRICS)
    if path.suffix == ".json":
        content = _json(path)
        return Curve(*(np.asarray(_at(content, key, path), np.float64) for key in (x, y)))
    if path.is_file():
        return _of_lines(path, x, y)
    return _of_periods(folder / OUT, y, path)


def binned(curve: Curve, width: int) -> Curve:
    """Means over bins of ``width`` interactions, each at its end; the last may be shorter.

    A value weighs as much as the interactions it stands for.

    >>> [each.tolist() for each in binned(Curve(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 5, 7])), 2)]
    [[2.0, 4.0], [2.0, 6.0]]
    """
    if not len(curve.x):
        return curve
    weights = np.diff(curve.x, prepend=0.0)
    bins = np.ceil(curve.x / width - 1e-9).astype(np.int64)
    numbers, index = np.unique(bins, return_inverse=True)
    total = np.bincount(index, weights)
    ends = np.minimum(numbers * float(width), curve.x[-1])
    return Curve(ends, np.bincount(index, weights * curve.y) / total)


def last_share(curve: Curve, share: float) -> float:
    """Mean over the last share of the interactions.

    >>> last_share(Curve(np.array([1.0, 2, 3, 4]), np.array([0.0, 0, 2, 4])), 0.5)
    3.0
    """
    weights = np.diff(curve.x, prepend=0.0) * (curve.x > (1 - share) * curve.x[-1] + 1e-9)
    return float(weights @ curve.y / weights.sum())


def until(curve: Curve, level: float) -> Reached:
    """Interactions at the end of the first value that is at least ``level``."""
    there = np.flatnonzero(curve.y >= level)
    return Reached(float(curve.x[there[0]]), True) if len(there) else Reached(float(curve.x[-1]), False)


def ledger_of(folder: Path) -> dict[str, float]:
    """What a job spent: real interactions, imagined transitions, gradient steps and more, as far as it tells."""
    path = folder / OUT / SUMMARY
    if not path.is_file():
        return {}
    summary = _json(path)
    if isinstance(periods := summary.get("periods"), int):
        return {"real_interactions": periods}
    told = summary.get("ledger", {})
    return {name: float(value) for name, value in told.items() if isinstance(value, int | float)}


def filled_for(key: str, job: Job) -> str:
    """A key of a measure with the parameters and axes of a job filled in.

    Raises
    ------
    RunError
        The job has no such parameter.
    """
    try:
        return PLACEHOLDER.sub(lambda match: as_text(job.values[match[1]]), key)
    except KeyError as error:
        raise RunError(
            f"the measure {key!r} needs {error}, which runs of the group {job.group!r} do not have"
        ) from None


# -- reading -----------------------------------------------------------------------------------------------------------


def _place(measure: Measure, folder: Path, usual: str) -> str:
    """The file of a measure: the one it names, else the usual one, else what the command printed."""
    if measure.file is not None:
        return f"{OUT}/{measure.file}" if (folder / OUT / measure.file).exists() else measure.file
    printed = usual == SUMMARY and not (folder / OUT / usual).exists()
    return WRITTEN if printed else f"{OUT}/{usual}"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}; the study asks for a measure in it") from None
    except ValueError:
        raise RunError(f"{path} is no JSON; the study asks for a measure in it") from None


def _at(content: Any, key: str, path: Path) -> Any:
    """What stands at a key with dots; a part of it may be a number in a list."""
    found = content
    for part in key.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError):
            there = ", ".join(map(str, found)) if isinstance(found, Mapping) else f"a {type(found).__name__}"
            raise RunError(f"{path} has no {key!r}: at {part!r} there is {there}") from None
    return found


def _number(found: Any, key: str, path: Path) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise RunError(f"{path}: {key} must be a number, got {found!r}")
    return float(found)


def _of_lines(path: Path, x: str, y: str) -> Curve:
    points = [(line[x], value) for line in _lines(path) if x in line and (value := _if_there(line, y)) is not None]
    if not points:
        raise RunError(f"{path} has no line with {x!r} and {y!r}")
    return Curve(*np.asarray(points, np.float64).T)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            yield json.loads(line)


def _if_there(line: Mapping[str, Any], key: str) -> float | None:
    found: Any = line
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return float(found) if isinstance(found, int | float) else None


def _of_periods(out: Path, key: str, asked: Path) -> Curve:
    """A curve of ``netsim run``: utility, reward or another figure of the cell, period by period."""
    if not (out / PERIODS).is_file():
        raise RunError(f"{asked} is not there, nor {out / PERIODS}; the study asks for a curve in one of them")
    import pyarrow.parquet as pq

    manifest = _json(out / MANIFEST)
    named = "utility" if key == "reward" else key
    try:
        table = pq.read_table(out / PERIODS, columns=["period", named])
    except (KeyError, ValueError) as error:
        raise RunError(f"{out / PERIODS} has no column {named!r}: {error}") from None
    n_slices = len(manifest["request"]["scenario"]["slices"])
    period, values = (np.asarray(table[name])[::n_slices] for name in ("period", named))
    controlled = period > 0
    x, y = period[controlled].astype(np.float64), values[controlled].astype(np.float64)
    return Curve(x, _rewards(y, x, manifest["request"], out) if key == "reward" else y)


def _rewards(utilities: NDArray[np.float64], steps: NDArray[np.float64], request: Any, out: Path) -> Any:
    """Eq. 6 with the thresholds of the scenario, g growing as in a training of as many interactions."""
    from netsim.sla import reshaped_reward

    given = request["scenario"].get("reward")
    if not given:
        raise RunError(f"{out}: its scenario has no thresholds of the reward; give it `reward`, see netsim calibrate")
    sigma = given.get("sigma")
    if sigma is None:
        sigma = (given["gmax"] - given["gmin"]) / (2 / 3 * request["periods"])
    return reshaped_reward(utilities, steps.astype(np.int64), given["gmin"], given["gmax"], sigma)
