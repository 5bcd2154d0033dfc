"""Runs that another study has made already: copied, seal and all, instead of being made again.

Of a published study there are only the records of runs (:mod:`netsim.studies.kept`). Such a record takes the place of a
run of which nobody needs more than the study's measures ask for.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from netsim.errors import InputError
from netsim.files import to_json, write_atomic
from netsim.studies import jobs, kept
from netsim.studies.engine import JOBS, KIND, StudyFolder, serving
from netsim.studies.kept import Kept, Record
from netsim.studies.plan import Job, Plan

STAGING = ".reused.partial"
Command = tuple[str, ...]


def reuse(plan: Plan, folder: StudyFolder, others: Iterable[Path]) -> list[str]:
    """Take from other studies what a plan asks for too; the names of the jobs that are finished by it.

    A run is taken if its command, the scenario files it names and all versions are those asked for, and its files are
    the ones that were written. Runs that read folders of others are left out: their words do not say what was in them.
    Of a published study a record is taken that says all that the plan's measures ask; runs that read folders of others
    with those others, and none that a run reads which is not taken too.

    Raises
    ------
    InputError
        A folder holds no study.
    """
    return [name for other in others for name in _taken(plan, folder, other)]


def _taken(plan: Plan, folder: StudyFolder, other: Path) -> list[str]:
    if (other / kept.NAME).is_file():
        return _records(plan, folder, other)
    there = dict(_runs(other))
    wanted = [job for job in plan.jobs if not job.needs and job.command in there and not folder.finished(job)]
    taken = [job for job in wanted if _is(there[job.command], job)]
    for job in taken:
        _copy(there[job.command], folder.folder_of(job))
    return [job.name for job in taken]


# -- folders of runs ---------------------------------------------------------------------------------------------------


def _runs(study: Path) -> Iterator[tuple[Command, Path]]:
    """Command and folder of each finished run."""
    KIND.read(study)
    for seal in sorted((study / JOBS).glob("*/manifest.json")):
        manifest = _manifest(seal.parent)
        if manifest is not None:
            yield tuple(manifest["command"]), seal.parent


def _manifest(run: Path) -> dict[str, list[str]] | None:
    try:
        return jobs.KIND.read_if_there(run)
    except InputError:  # damaged, or of another version
        return None


def _is(run: Path, job: Job) -> bool:
    try:
        return jobs.finished(run, job)
    except InputError:  # of other versions or scenarios
        return False


def _copy(run: Path, target: Path) -> None:
    staging = _staging(target)
    shutil.copytree(run, staging, ignore=shutil.ignore_patterns(".*"))
    _put(staging, target)


def _staging(target: Path) -> Path:
    staging = target.with_name(STAGING)
    shutil.rmtree(staging, ignore_errors=True)
    return staging


def _put(staging: Path, target: Path) -> None:
    """All at once, so that a kill leaves no half of a run that has a seal."""
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)


# -- records of runs ---------------------------------------------------------------------------------------------------


def _records(plan: Plan, folder: StudyFolder, published: Path) -> list[str]:
    known = {tuple(record["command"]): record for record in kept.read(published)}
    finished = {job.name: Kept.of(folder.folder_of(job)) for job in plan.jobs if folder.finished(job)}
    whole = {name for name, record in finished.items() if record is None}
    answered: dict[str, Record] = {}
    for job in plan.jobs:
        own = finished.get(job.name)
        record = known.get(job.command) if own is None else own.record
        if job.name not in whole and record is not None and _says_all(record, plan, job):
            answered[job.name] = record
    there = serving(plan, whole, answered.keys())
    taken = [job for job in plan.jobs if job.name in there and job.name not in finished]
    for job in taken:
        _put_record(answered[job.name], job, folder.folder_of(job))
    return [job.name for job in taken]


def _says_all(record: Record, plan: Plan, job: Job) -> bool:
    asked = jobs.asked_of(job.command)
    same = all(record[name] == asked[name] for name in ("inputs", "versions"))
    return same and Kept(record).says_all(plan, job)


def _put_record(record: Record, job: Job, target: Path) -> None:
    staging = _staging(target)
    staging.mkdir(parents=True)
    write_atomic(staging / jobs.NUMBERS, to_json(record))
    if record["seconds"] is not None:
        jobs.keep_time(staging, record["seconds"], record["made"])
    jobs.seal(staging, job.command)
    _put(staging, target)
