"""The numbers of the runs that are finished, by group and seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.studies import jobs
from netsim.studies.engine import StudyFolder
from netsim.studies.form import Measure
from netsim.studies.kept import Kept, Record, measures_of, question
from netsim.studies.measures import Curve, Reached, binned, curve_of, last_share, ledger_of, until, value_of
from netsim.studies.plan import Job, Plan

Floats = NDArray[np.float64]
BySeed = dict[int | None, float]


class Times(NamedTuple):
    """When the runs of a group reached a level, and what the level was."""

    level: float
    by_seed: dict[int | None, Reached]


@dataclass
class Results:
    """What can be read of a study; curves and records are read once."""

    plan: Plan
    folder: StudyFolder
    done: frozenset[str]
    """Names of the jobs that are finished."""

    def __post_init__(self) -> None:
        self._curves: dict[tuple[str | None, ...], Curve] = {}
        self._kept = {name: Kept.of(self.folder.jobs / name) for name in self.done}

    def jobs(self, group: str) -> tuple[Job, ...]:
        """The finished jobs of a group."""
        return tuple(job for job in self.plan.groups[group] if job.name in self.done)

    def numbers(self, measure: str, group: str) -> BySeed:
        """The number that each run of a group gives; of ``reach`` the interactions, the budget where it was missed."""
        asked = self.plan.measures[measure]
        if asked.reach is not None:
            return {seed: each.x for seed, each in self.times(measure, group).by_seed.items()}
        return {job.seed: self.number(asked, job) for job in self.jobs(group)}

    def number(self, measure: Measure, job: Job) -> float:
        """What a run gives for a measure that is a value, or the last share of a curve."""
        folder = self.folder.folder_of(job)
        if (kept := self._kept[job.name]) is not None:
            return kept.number(measure, job)
        if measure.value is not None:
            return value_of(measure, job, folder)
        assert measure.last is not None
        return last_share(self._curve(measure, job), measure.last)

    def times(self, measure: str, group: str) -> Times:
        """When each run of a group reached the level of a measure."""
        asked = self.plan.measures[measure]
        level = self._level(asked)
        there = {job.seed: until(self.curve(asked, job), level) for job in self.jobs(group)}
        return Times(level, there)

    def curve(self, measure: Measure, job: Job) -> Curve:
        """The curve of a run in the bins of the measure; one over something else than interactions as it is."""
        if (kept := self._kept[job.name]) is not None:
            return kept.curve(measure, job)
        curve = self._curve(measure, job)
        assert isinstance(measure.bin, int)
        return binned(curve, measure.bin) if measure.x == "interactions" else curve

    def curves(self, measure: str, group: str) -> tuple[Floats, Floats]:
        """The x that all runs of a group have, and their curves, shape ``(runs, points)``."""
        found = [self.curve(self.plan.measures[measure], job) for job in self.jobs(group)]
        shortest = min((each.x for each in found), key=len, default=np.empty(0))
        return shortest, np.array([each.y[: len(shortest)] for each in found])

    def seconds(self, group: str) -> list[float]:
        """How long the runs of a group took."""
        taken = (jobs.seconds_of(self.folder.folder_of(job)) for job in self.jobs(group))
        return [each for each in taken if each is not None]

    def ledger(self, group: str) -> dict[str, float]:
        """What a run of the group spent, mean over runs."""
        spent = [self.spent(job) for job in self.jobs(group)]
        names = dict.fromkeys(name for each in spent for name in each)
        return {name: float(np.mean([each.get(name, 0.0) for each in spent])) for name in names}

    def spent(self, job: Job) -> dict[str, float]:
        """What a run spent."""
        kept = self._kept[job.name]
        return ledger_of(self.folder.folder_of(job)) if kept is None else kept.ledger

    def record(self, job: Job) -> Record:
        """What is kept of a run where the study is published."""
        if (kept := self._kept[job.name]) is not None:
            return kept.record
        folder = self.folder.folder_of(job)
        manifest = jobs.KIND.read(folder)
        return {
            **{name: manifest[name] for name in ("command", "inputs", "versions")},
            "made": jobs.made_of(folder),
            "seconds": jobs.seconds_of(folder),
            "ledger": self.spent(job),
            "found": self._found(job),
        }

    def commits(self) -> dict[str, int]:
        """How many of the finished runs were made by which commit."""
        made = [
            jobs.made_of(self.folder.jobs / name) if record is None else record.record["made"]
            for name, record in self._kept.items()
        ]
        return dict(sorted(Counter(each["commit"] or "unknown" for each in made).items()))

    def _found(self, job: Job) -> list[dict[str, Any]]:
        """The answers to all that measures ask of a run, each once."""
        found: list[dict[str, Any]] = []
        for measure in measures_of(self.plan, job.group):
            asked = question(measure, job)
            if all(each["asked"] != asked for each in found):
                found.append({"asked": asked, **self._answer(measure, job)})
        return found

    def _answer(self, measure: Measure, job: Job) -> dict[str, Any]:
        if measure.is_number:
            return {"number": self.number(measure, job)}
        return {name: values.tolist() for name, values in self.curve(measure, job)._asdict().items()}

    def _curve(self, measure: Measure, job: Job) -> Curve:
        key = job.name, measure.curve, measure.x, measure.file
        if key not in self._curves:
            self._curves[key] = curve_of(measure, job, self.folder.folder_of(job))
        return self._curves[key]

    def _level(self, measure: Measure) -> float:
        assert isinstance(measure.reach, int | float)
        if measure.of is None:
            return measure.reach
        means = [last_share(self.curve(measure, job), 1.0) for job in self.jobs(measure.of)]
        return measure.reach * float(np.mean(means)) if means else np.inf


class Pairs(NamedTuple):
    """What two groups have, seed by seed."""

    seeds: tuple[int | None, ...]
    one: Floats
    other: Floats


def paired_values(higher: Sequence[BySeed], lower: Sequence[BySeed] | float) -> list[Pairs]:
    """For each pair of groups the values of the seeds that both have, in the order of the seeds.

    A group of one run without a seed is compared with every seed of the other.
    """
    if isinstance(lower, float):
        return [_matched(side, {None: lower}) for side in higher]
    return [_matched(one, other) for one, other in zip(higher, lower, strict=True)]


def _matched(one: BySeed, other: BySeed) -> Pairs:
    if set(one) == {None}:
        one = dict.fromkeys(other, one[None])
    if set(other) == {None}:
        other = dict.fromkeys(one, other[None])
    seeds = tuple(sorted((seed for seed in one if seed in other), key=lambda seed: -1 if seed is None else seed))
    return Pairs(seeds, np.array([one[seed] for seed in seeds]), np.array([other[seed] for seed in seeds]))
