"""What a study shows, as JSON: groups with their ledger, numbers, curves, claims, and where it all was made."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netsim.errors import InputError
from netsim.files import to_json, write_atomic
from netsim.studies import inference, machine
from netsim.studies.claims import judged
from netsim.studies.commands import words_of
from netsim.studies.engine import Progress, StudyFolder
from netsim.studies.form import Measure
from netsim.studies.kept import pairs, write
from netsim.studies.plan import FigurePlan, Plan
from netsim.studies.results import Results

NAME = "study.json"
FORMAT, VERSION = "netsim-study-outcome", 1
DIGITS = 7
"""Significant digits that are kept."""


def conclude(plan: Plan, folder: StudyFolder, progress: Progress, command: Sequence[str] = ()) -> dict[str, Any]:
    """All that the finished runs of a study say; ``command`` is what made it.

    Raises
    ------
    RunError
        A measure is not in what the runs left.
    """
    results = Results(plan, folder, frozenset(job.name for job in progress.done))
    asked = _asked(plan)
    found = {
        "format": FORMAT,
        "format_version": VERSION,
        "study": plan.name,
        "description": plan.description,
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value for name, value in plan.parameters.items()
        },
        "runs": {"planned": len(plan.jobs), "finished": len(progress.done), "failed": dict(progress.failed)},
        "groups": {name: _group(results, name) for name in plan.groups},
        "measures": {name: _numbers(results, name, groups) for name, groups in asked.items()},
        "figures": [_figure(results, each) for each in plan.figures],
        "claims": judged(results, plan.claims),
        "made": {
            "command": words_of(command),
            "commit": machine.commit(),
            "machine": machine.description(),
            "commits": results.commits(),
        },
    }
    return rounded(found)  # type: ignore[no-any-return]


def keep(found: Mapping[str, Any], folder: Path, *, png: bool = True) -> None:
    """Write ``study.json`` and the figures into a folder.

    Raises
    ------
    InputError
        It cannot be written.
    """
    from netsim.studies.figures import save

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / NAME, to_json(found))
        for figure in found["figures"]:
            save(figure, found["groups"], folder, png=png)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None


def publish(found: Mapping[str, Any], plan: Plan, source: StudyFolder, progress: Progress, folder: Path) -> None:
    """The same, for others to read and to go on with: with what the measures ask of each run, without pictures.

    Raises
    ------
    InputError
        It cannot be written.
    """
    results = Results(plan, source, frozenset(job.name for job in progress.done))
    keep(found, folder, png=False)
    try:
        write(folder, {job.name: results.record(job) for job in plan.jobs if job.name in results.done})
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None


def _asked(plan: Plan) -> dict[str, list[str]]:
    """Measures that are numbers, and the groups whose numbers figures and claims ask for."""
    wanted = {name: list[str]() for name, measure in plan.measures.items() if not measure.is_curve}
    for name, group in pairs(plan):
        if name in wanted:
            wanted[name].append(group)
    return {name: groups for name, groups in wanted.items() if groups}


def _group(results: Results, name: str) -> dict[str, Any]:
    planned, seconds = results.plan.groups[name], results.seconds(name)
    return {
        "command": words_of(["netsim", *planned[0].command]),
        "runs": len(results.jobs(name)),
        "planned": len(planned),
        "ledger": results.ledger(name),
        "seconds": float(np.mean(seconds)) if seconds else None,
    }


def _numbers(results: Results, measure: str, groups: Sequence[str]) -> dict[str, Any]:
    return {group: _of_group(results, measure, group) for group in groups}


def _of_group(results: Results, measure: str, group: str) -> dict[str, Any]:
    numbers = list(results.numbers(measure, group).values())
    if not numbers:
        return {"runs": 0, "iqm": None, "ci95": None}
    if results.plan.measures[measure].reach is not None:
        return _times(results, measure, group)
    found = inference.bootstrap([numbers]).figure()
    ends = None if len(numbers) < 2 else list(found.ci95 or ())
    return {"runs": len(numbers), "iqm": found.mean, "ci95": ends, "mean": float(np.mean(numbers)), "values": numbers}


def _times(results: Results, measure: str, group: str) -> dict[str, Any]:
    """Interactions to a level, by the product-limit estimate, which counts runs that missed it as long as they ran."""
    times = results.times(measure, group)
    x, reached = ([each[k] for each in times.by_seed.values()] for k in (0, 1))
    limit = min([t for t, there in zip(x, reached, strict=True) if not there], default=max(x))
    return {
        "runs": len(x),
        "level": times.level,
        "reached": int(sum(reached)),
        "median": inference.median_time(x, reached),
        "restricted_mean": inference.restricted_mean(x, reached, limit),
        "up_to": limit,
        "values": x,
    }


def _figure(results: Results, figure: FigurePlan) -> dict[str, Any]:
    measure = results.plan.measures[figure.form.measure]
    panels = [
        {"heading": heading, "groups": {group: _shown(results, measure, figure, group) for group in groups}}
        for heading, groups in figure.panels
    ]
    return {
        "figure": figure.form.figure,
        "title": figure.form.title,
        "kind": "curves" if measure.is_curve else "points",
        "x_label": figure.form.x_label if measure.is_curve else None,
        "y_label": measure.label or figure.form.measure.replace("_", " "),
        "ledger": figure.form.ledger,
        "panels": panels,
    }


def _shown(results: Results, measure: Measure, figure: FigurePlan, group: str) -> dict[str, Any] | None:
    if not results.jobs(group):
        return None
    if not measure.is_curve:
        return _point(_of_group(results, figure.form.measure, group))
    x, runs = results.curves(figure.form.measure, group)
    found = inference.bootstrap([runs])
    ends = {} if len(runs) < 2 else {"low": found.low.tolist(), "high": found.high.tolist()}
    return {"runs": len(runs), "x": x.tolist(), "iqm": found.estimate.tolist(), **ends}


def _point(numbers: Mapping[str, Any]) -> dict[str, Any]:
    middle = numbers["iqm"] if "iqm" in numbers else numbers["restricted_mean"]
    return {"runs": numbers["runs"], "iqm": middle, "ci95": numbers.get("ci95"), "values": numbers["values"]}


def rounded(value: Any) -> Any:
    """Plain values with numbers to seven significant digits, ``None`` for those that are none.

    >>> rounded({"a": [1 / 3, float("nan"), 2]})
    {'a': [0.3333333, None, 2]}
    """
    if isinstance(value, Mapping):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
