"""Runs that another study has made already: copied, seal and all, instead of being made again."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from netsim.errors import InputError
from netsim.studies import jobs
from netsim.studies.engine import JOBS, KIND, StudyFolder
from netsim.studies.plan import Job, Plan

STAGING = ".reused.partial"


def reuse(plan: Plan, folder: StudyFolder, others: Iterable[Path]) -> list[str]:
    """Copy from the folders of other studies what a plan asks for too; the names of the jobs that are finished by it.

    A run is taken if its command, the scenario files it names and all versions are those asked for, and its files are
    the ones that were written. Runs that read folders of others are left out: their words do not say what was in them.

    Raises
    ------
    InputError
        A folder holds no study.
    """
    there = dict(reversed([found for other in others for found in _runs(other)]))
    wanted = [job for job in plan.jobs if not job.needs and job.command in there and not folder.finished(job)]
    taken = [job for job in wanted if _is(there[job.command], job)]
    for job in taken:
        _copy(there[job.command], folder.folder_of(job))
    return [job.name for job in taken]


def _runs(study: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
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
    """All at once, so that a kill leaves no half of a run that has a seal."""
    staging = target.with_name(STAGING)
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(run, staging, ignore=shutil.ignore_patterns(".*"))
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)
