"""From a study to its jobs, in an order in which each comes after those whose folders it needs."""

import itertools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netsim.faults import Fault, ScenarioFaults, closest, in_order, shown_text
from netsim.studies.form import PLACEHOLDER, Axis, ClaimForm, FigureForm, Measure, Plain, Runs, Scalar
from netsim.studies.loading import Source

MAX_JOBS = 100_000
FOLDER = re.compile(r"(?<![\w.-])folder:([A-Za-z0-9][\w.+-]*)")
FOLDERS = re.compile(r"folders:([A-Za-z0-9][\w.+-]*)")
_GROUP = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}")
OUT = "out"
"""What a job's command writes, in the job's folder."""


@dataclass(frozen=True)
class Job:
    """One command line, and the folder that it fills."""

    name: str
    """Of the job and of its folder."""
    group: str
    seed: int | None
    """``None`` where the command has none."""
    command: tuple[str, ...]
    """What follows ``netsim``, without ``--out``; folders of other jobs are relative to that of all jobs."""
    needs: tuple[str, ...]
    """Names of the jobs whose folders the command reads."""
    seconds: float
    """About what it takes on one core."""
    values: Mapping[str, Scalar]
    """Parameters and axes."""


@dataclass(frozen=True)
class FigurePlan:
    """A figure with its panels: heading, groups, and the measure of each group."""

    form: FigureForm
    panels: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Claim:
    """A claim about groups that are there."""

    name: str
    says: str | None
    measure: str
    higher: tuple[str, ...]
    lower: tuple[str, ...] | float
    margin: float


@dataclass(frozen=True)
class Plan:
    """All that a study asks for."""

    name: str
    description: str
    parameters: Mapping[str, Plain]
    jobs: tuple[Job, ...]
    measures: Mapping[str, Measure]
    figures: tuple[FigurePlan, ...]
    claims: tuple[Claim, ...]

    @property
    def groups(self) -> dict[str, tuple[Job, ...]]:
        """The jobs of each group, by seed."""
        return {name: tuple(j for j in self.jobs if j.group == name) for name in dict.fromkeys(_groups(self.jobs))}


def _groups(jobs: Sequence[Job]) -> Iterator[str]:
    return (job.group for job in jobs)


class _Wrong(Exception):
    """What breaks a rule at a place of the file."""

    def __init__(self, rule: str, value: str | None = None, suggestion: str | None = None) -> None:
        self.rule, self.value, self.suggestion = rule, value, suggestion


def plan(source: Source) -> Plan:
    """The jobs, figures and claims of a study.

    Raises
    ------
    ScenarioError
        A placeholder or a name means nothing, or two jobs have the same name; a line for each fault.
    """
    planner = _Planner(source)
    made = planner.plan()
    if planner.faults:
        raise ScenarioFaults(*in_order(planner.faults))
    return made


class _Planner:
    def __init__(self, source: Source) -> None:
        self.source, self.faults = source, list[Fault]()
        self.parameters: dict[str, Plain] = dict(source.study.parameters)
        if source.here is not None:
            self.parameters.setdefault("here", str(source.here))
        self.groups: dict[str, list[Job]] = {}
        self.names: set[str] = set()

    def plan(self) -> Plan:
        study = self.source.study
        seeds = self._seeds()
        jobs = [job for k, runs in enumerate(study.runs) for job in self._jobs(f"runs.{k}", runs, seeds)]
        measures = {name: self._measure(f"measures.{name}", each) for name, each in study.measures.items()}
        figures = [self._figure(f"figures.{k}", form) for k, form in enumerate(study.figures)]
        claims = [claim for k, form in enumerate(study.claims) for claim in self._claims(f"claims.{k}", form)]
        self._refuse_twice("figures", [form.figure for form in study.figures])
        self._refuse_twice("claims", [claim.name for claim in claims])
        return Plan(
            study.name,
            study.description.strip(),
            study.parameters,
            tuple(jobs),
            measures,
            tuple(figures),
            tuple(claims),
        )

    # -- jobs

    def _seeds(self) -> range:
        first, count = self._whole("first_seed", 0, 0), self._whole("seeds", 1, 1)
        return range(first, first + count)

    def _whole(self, name: str, default: int, least: int) -> int:
        value = self.parameters.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= 1 << 32:
            return value
        self._fault(f"parameters.{name}", f"must be a whole number from {least}", shown_text(str(value)))
        return least

    def _jobs(self, path: str, runs: Runs, seeds: range) -> list[Job]:
        made: list[Job] = []
        try:
            for values in self._combinations(runs.axes):
                group = filled(runs.group, values)
                if not _GROUP.fullmatch(group):
                    raise _Wrong("must be a group's name: letters, digits, '.', '_', '+' or '-'", shown_text(group))
                if group in self.groups:
                    raise _Wrong("must be a group's name that no other runs have", shown_text(group))
                self.groups[group] = self._of_group(group, runs, values, seeds)
                self._refuse_known(self.groups[group])
                made += self.groups[group]
                if len(made) > MAX_JOBS:
                    raise _Wrong(f"must be at most {MAX_JOBS} runs")
        except _Wrong as wrong:
            self._fault(path, wrong.rule, wrong.value, wrong.suggestion)
        return made

    def _of_group(self, group: str, runs: Runs, values: Mapping[str, Plain], seeds: range) -> list[Job]:
        words = _words(runs, values)
        lists = {name: "" for name, value in values.items() if isinstance(value, tuple)}
        alike = [filled(word, {**values, **lists, "seed": 0}) for word in words]
        seeded = any("{seed}" in word for word in words) or any(FOLDER.search(word) for word in alike)
        return [self._job(group, runs, values, seed) for seed in (seeds if seeded else [None])]

    def _refuse_known(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.name in self.names:  # a group w of seed 4, and a group w.4 of none
                raise _Wrong("must have groups whose runs, GROUP.SEED, have names of their own", shown_text(job.name))
            self.names.add(job.name)

    def _job(self, group: str, runs: Runs, values: Mapping[str, Plain], seed: int | None) -> Job:
        own = values if seed is None else {**values, "seed": seed}
        needs: list[Job] = []
        command = [text for token in _words(runs, values) for text in self._command_part(token, own, needs)]
        if not command:
            raise _Wrong("must have a command")
        seconds = runs.seconds + sum(each * self._number(name) for name, each in runs.seconds_per.items())
        return Job(
            group if seed is None else f"{group}.{seed}",
            group,
            seed,
            tuple(command),
            tuple(dict.fromkeys(job.name for job in needs)),
            seconds,
            {name: value for name, value in own.items() if not isinstance(value, tuple)},
        )

    def _command_part(self, token: str, values: Mapping[str, Plain], needs: list[Job]) -> list[str]:
        """The words that a word of the template becomes: more than one for a list, and for folders of a group."""
        if (whole := PLACEHOLDER.fullmatch(token)) and isinstance(listed := values.get(whole[1]), tuple):
            return [as_text(each) for each in listed]
        text = filled(token, values)
        if many := FOLDERS.fullmatch(text):
            jobs = self._known(many[1])
            needs += jobs
            return [f"{job.name}/{OUT}" for job in jobs]

        def folder(match: re.Match[str]) -> str:
            job = self._of_seed(match[1], values.get("seed"))
            needs.append(job)
            return f"{job.name}/{OUT}"

        return [FOLDER.sub(folder, text)]

    def _known(self, group: str) -> list[Job]:
        if group not in self.groups:
            names = ", ".join(self.groups)
            raise _Wrong(
                f"must name groups of runs above it ({names})" if names else "must name groups of runs above it",
                shown_text(group),
                closest(group, self.groups),
            )
        return self.groups[group]

    def _of_seed(self, group: str, seed: Any) -> Job:
        jobs = self._known(group)
        return next((job for job in jobs if job.seed == seed), jobs[0])

    def _number(self, name: str) -> float:
        value = self.parameters.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Wrong("must take seconds_per for parameters that are numbers", shown_text(name))
        return float(value)

    # -- measures, figures, claims

    def _measure(self, path: str, measure: Measure) -> Measure:
        """With the parameters that its bin and level may name filled in."""
        try:
            width, level = self._parameter(measure.bin), self._parameter(measure.reach)
            if isinstance(width, bool) or not isinstance(width, int) or width < 1:
                raise _Wrong("must have as bin a whole number of interactions", shown_text(str(width)))
            if level is not None:
                level = _as_number("reach", level)
            if measure.of is not None:
                self._known(measure.of)
            return measure.model_copy(update={"bin": width, "reach": level})
        except _Wrong as wrong:
            self._fault(path, wrong.rule, wrong.value, wrong.suggestion)
            return measure

    def _parameter(self, given: Plain | None) -> Plain | None:
        """A value, or that of the parameter whose placeholder it is."""
        if isinstance(given, str) and (name := PLACEHOLDER.fullmatch(given)):
            return self.parameters.get(name[1], given)
        return given

    def _figure(self, path: str, form: FigureForm) -> FigurePlan:
        panels: list[tuple[str, tuple[str, ...]]] = []
        try:
            self._known_measure(form.measure)
            for values in self._combinations(form.axes):
                groups = tuple(dict.fromkeys(filled(group, values) for group in form.groups))
                for group in groups:
                    self._known(group)
                panels.append((filled(form.panel, values), groups))
        except _Wrong as wrong:
            self._fault(path, wrong.rule, wrong.value, wrong.suggestion)
        return FigurePlan(form, tuple(panels))

    def _claims(self, path: str, form: ClaimForm) -> Iterator[Claim]:
        try:
            self._known_measure(form.measure)
            if self.source.study.measures[form.measure].is_curve:
                raise _Wrong("must compare numbers: a curve needs last or reach", shown_text(form.measure))
            for values in self._combinations(form.axes):
                yield self._claim(form, values)
        except _Wrong as wrong:
            self._fault(path, wrong.rule, wrong.value, wrong.suggestion)

    def _claim(self, form: ClaimForm, values: Mapping[str, Plain]) -> Claim:
        higher = self._side(form.higher, values)
        lower = form.lower if isinstance(form.lower, float) else self._side(form.lower, values)
        if not isinstance(lower, float) and len(lower) != len(higher):
            raise _Wrong(f"must have as many groups on either side, got {len(higher)} and {len(lower)}")
        says = None if form.says is None else filled(form.says, values)
        margin = _as_number("margin", self._parameter(form.margin))
        return Claim(filled(form.claim, values), says, form.measure, higher, lower, margin)

    def _side(self, groups: str | tuple[str, ...], values: Mapping[str, Plain]) -> tuple[str, ...]:
        named = [groups] if isinstance(groups, str) else list(groups)
        found = tuple(filled(group, values) for group in named)
        for group in found:
            self._known(group)
        return found

    def _known_measure(self, name: str) -> None:
        known = self.source.study.measures
        if name not in known:
            raise _Wrong(
                f"must have a measure of the study ({', '.join(known)})", shown_text(name), closest(name, known)
            )

    # -- the rest

    def _combinations(self, axes: Mapping[str, Axis]) -> Iterator[dict[str, Plain]]:
        listed = [self._listed(name, axis) for name, axis in axes.items()]
        for chosen in itertools.product(*listed):
            yield {**self.parameters, **dict(zip(axes, chosen, strict=True))}

    def _listed(self, name: str, axis: Axis) -> tuple[Scalar, ...]:
        if isinstance(axis, str) and (parameter := PLACEHOLDER.fullmatch(axis)):
            if parameter[1] not in self.parameters:
                raise _unknown(parameter[1], self.parameters)
            axis = self.parameters[parameter[1]]
        return axis if isinstance(axis, tuple) else (axis,)

    def _refuse_twice(self, path: str, names: Sequence[str]) -> None:
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                self._fault(path, "must have names of their own", shown_text(name))

    def _fault(self, path: str, rule: str, value: str | None = None, suggestion: str | None = None) -> None:
        self.faults.append(self.source.fault(path, rule, value, suggestion))


def filled(text: str, values: Mapping[str, Plain]) -> str:
    """A text with its placeholders filled in.

    >>> filled("{agent}-dt", {"agent": "ddqn"})
    'ddqn-dt'
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise _unknown(match[1], values)
        chosen = values[match[1]]
        if isinstance(chosen, tuple):
            raise _Wrong("must have lists stand alone, as a word of their own", shown_text(match[0]))
        return as_text(chosen)

    return PLACEHOLDER.sub(value, text)


def _as_number(what: str, value: Plain | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"must have as {what} a number", shown_text(str(value)))
    return float(value)


def _unknown(name: str, known: Mapping[str, Plain]) -> _Wrong:
    return _Wrong(
        f"must have placeholders of parameters and axes ({', '.join(known)})", shown_text(name), closest(name, known)
    )


def as_text(value: Scalar) -> str:
    """A value as the command line has it.

    >>> as_text(True), as_text(0.5), as_text("x")
    ('true', '0.5', 'x')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(runs: Runs, values: Mapping[str, Plain]) -> list[str]:
    """The words of a command line with those that the values of its axes add, by the rules of a shell."""
    for axis in runs.options:
        if axis not in runs.axes:
            raise _Wrong(f"must have under `with` an axis of the runs ({', '.join(runs.axes)})", shown_text(axis))
    added = [options.get(as_text(_single(values[axis])), "") for axis, options in runs.options.items()]
    try:
        return [word for part in (runs.command, *added) for word in shlex.split(part)]
    except ValueError as error:
        raise _Wrong(f"must be a command line ({error})", shown_text(runs.command)) from None


def _single(value: Plain) -> Scalar:
    assert not isinstance(value, tuple), "an axis takes one value at a time"
    return value
