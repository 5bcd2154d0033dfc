"""What a published study keeps of its runs: the numbers and curves that its measures ask for, and what they spent.

A folder of runs is gigabytes, this some kilobytes a run; and it is all that a study needs to be gone on with elsewhere,
with more seeds for instance (:mod:`netsim.studies.reuse`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netsim.errors import InputError
from netsim.files import write_atomic
from netsim.studies.form import Measure
from netsim.studies.jobs import NUMBERS
from netsim.studies.measures import Curve, filled_for
from netsim.studies.plan import Job, Plan

NAME = "runs.jsonl"
FORMAT, VERSION = "netsim-study-runs", 1
PARTS = ("command", "inputs", "versions", "made", "seconds", "ledger", "found")
Record = Mapping[str, Any]
"""Of a run, with these parts: what decides its result, of which commit and on what it was made, how long that took and
what it spent, and what its measures have found."""


@dataclass(frozen=True)
class Kept:
    """The record of a run in the place of what the run wrote."""

    record: Record

    @classmethod
    def of(cls, folder: Path) -> "Kept | None":
        """That of a job's folder; ``None`` if the run itself is there."""
        path = folder / NUMBERS
        return cls(json.loads(path.read_bytes())) if path.is_file() else None

    @property
    def ledger(self) -> dict[str, float]:
        """What the run spent."""
        return dict(self.record["ledger"])

    def has(self, measure: Measure, job: Job) -> bool:
        """Whether it says what a measure asks of a job."""
        return self._found(measure, job) is not None

    def says_all(self, plan: Plan, job: Job) -> bool:
        """Whether it says what all measures of a plan ask of a job."""
        return all(self.has(measure, job) for measure in measures_of(plan, job.group))

    def number(self, measure: Measure, job: Job) -> float:
        """What a measure of a number has found."""
        found = self._found(measure, job)
        assert found is not None, "a run is taken only if it says what is asked"
        return float(found["number"])

    def curve(self, measure: Measure, job: Job) -> Curve:
        """What a measure of a curve has found, in its bins."""
        found = self._found(measure, job)
        assert found is not None, "a run is taken only if it says what is asked"
        return Curve(*(np.asarray(found[name], np.float64) for name in ("x", "y")))

    def _found(self, measure: Measure, job: Job) -> Mapping[str, Any] | None:
        asked = question(measure, job)
        return next((each for each in self.record["found"] if each["asked"] == asked), None)


def question(measure: Measure, job: Job) -> dict[str, Any]:
    """What a measure asks of a job, whatever its name; of a curve in bins, in which levels are then looked for."""
    of_number = {"bin"} if measure.is_number else set[str]()
    asked = measure.model_dump(mode="json", exclude={"label", "reach", "of", *of_number}, exclude_none=True)
    texts = {name: filled_for(value, job) for name, value in asked.items() if name in ("value", "curve", "x", "file")}
    return {**asked, **texts}


def pairs(plan: Plan) -> list[tuple[str, str]]:
    """Measures, and the groups of which figures and claims ask for them; each pair once."""
    found = [(figure.form.measure, group) for figure in plan.figures for _, groups in figure.panels for group in groups]
    for claim in plan.claims:
        sides = claim.higher if isinstance(claim.lower, float) else (*claim.higher, *claim.lower)
        found += [(claim.measure, group) for group in sides]
    found += [(name, of) for name, _ in dict.fromkeys(found) if (of := plan.measures[name].of) is not None]
    return list(dict.fromkeys(found))


def measures_of(plan: Plan, group: str) -> list[Measure]:
    """All that is asked of the runs of a group."""
    return [plan.measures[name] for name, of in pairs(plan) if of == group]


def write(folder: Path, records: Mapping[str, Record]) -> None:
    """Put the records of runs, by the name of the run, into the folder of a published study; a line for each."""
    lines = [{"format": FORMAT, "format_version": VERSION}, *({"run": name, **each} for name, each in records.items())]
    write_atomic(folder / NAME, "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines))


def read(folder: Path) -> Iterator[Record]:
    """The records in the folder of a published study.

    Raises
    ------
    InputError
        They are damaged, or of another version.
    """
    path = folder / NAME
    try:
        head, *runs = map(json.loads, path.read_bytes().splitlines())
        known = (head["format"], head["format_version"]) == (FORMAT, VERSION)
        records = [{name: run[name] for name in PARTS} for run in runs]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} holds no runs of a study: {error}; publish the study again") from None
    if not known:
        raise InputError(f"{path} is not of the format {FORMAT} version {VERSION}; publish the study again")
    yield from records
