"""Carrying out a plan: what is finished is left alone, the rest is run, each job after those that it needs."""

import os
import shutil
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from netsim.errors import InputError
from netsim.files import lock
from netsim.seals import MANIFEST, Kind
from netsim.studies import jobs
from netsim.studies.kept import Kept
from netsim.studies.plan import Job, Plan

KIND = Kind("netsim-study", 1, "study", "folder of a study")
JOBS = "jobs"
SHOWN = ("study.json", "report.html")
"""What is made of the runs, beside pictures."""
MOST_KILLS = 20
"""After so many kills of its worker a job counts as failed: something, such as a lack of memory, kills it each time."""


@dataclass(frozen=True)
class Ended:
    """What became of a job that was started."""

    job: Job
    error: str | None = None
    """Why it failed."""
    put_off: bool = False
    """It has to be started once more."""
    killed: bool = False
    """Because its worker was killed."""


class Engine(Protocol):
    """Where jobs are run."""

    places: int
    """How many at once."""

    def start(self, job: Job) -> Ended | None:
        """Begin a job; what became of it if that is known at once."""

    def ended(self) -> Sequence[Ended]:
        """Wait a moment; the jobs that have ended meanwhile."""

    def stop(self) -> None:
        """End all jobs that run."""


@dataclass
class Progress:
    """Where a study stands."""

    total: int
    done: list[Job] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    running: dict[str, Job] = field(default_factory=dict)


Watch = Callable[[Progress], None]


class StudyFolder:
    """The folder of a study while it is carried out or looked at."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.path, self._plan = folder, plan

    @property
    def jobs(self) -> Path:
        """The folder of all jobs."""
        return self.path / JOBS

    def refuse_existing(self, *, known: bool, force: bool = False) -> None:
        """Refuse a folder that is there unless that is ``known``, or holds something else than this study.

        With ``force`` another study may be in it, or one whose manifest is damaged.

        Raises
        ------
        InputError
            Saying what to do instead.
        """
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            raise InputError(f"{self.path} is no folder; give another --out")
        try:
            there = KIND.read_if_there(self.path)
        except InputError:
            if not force or not self.jobs.is_dir():
                raise
            return
        if there is None and set(os.listdir(self.path)) - {".lock", ".manifest.json.partial"}:
            raise InputError(f"{self.path} holds other things than a study; give another --out")
        if there is not None and there["study"] != self._plan.name and not force:
            raise InputError(
                f"{self.path} holds the study {there['study']!r}; give another --out, or --force to replace it"
            )
        if not known and not force:
            raise InputError(
                f"{self.path} exists; give another --out, or --resume to go on with the study in it, or --force to "
                "replace it"
            )

    def take(self, *, force: bool = False) -> int:
        """Hold the folder against other drivers until the descriptor is closed; with ``force`` empty it first.

        Raises
        ------
        InputError
            It cannot be written, or another driver holds it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            held = lock(self.path)
            KIND.write(self.path, {"study": self._plan.name})
            if force:
                shutil.rmtree(self.jobs, ignore_errors=True)
                for path in self.path.iterdir():
                    if path.name in SHOWN or path.suffix in (".svg", ".png"):
                        path.unlink()
            self.jobs.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from None
        return held

    def finished(self, job: Job) -> bool:
        """Whether a job is done and whole."""
        return jobs.finished(self.jobs / job.name, job)

    def folder_of(self, job: Job) -> Path:
        """The folder of a job."""
        return self.jobs / job.name


def standing(plan: Plan, folder: StudyFolder) -> Progress:
    """How far a study is.

    A run counts that is finished and whole, if those whose folders it read do: one that is made anew may have left
    something else. The record of a run that was made elsewhere counts if it says all that the plan's measures ask and
    no run that is still to be made reads what it left.
    """
    records = {job.name: Kept.of(folder.folder_of(job)) for job in plan.jobs if folder.finished(job)}
    whole = {name for name, record in records.items() if record is None}
    answered = {
        job.name for job in plan.jobs if (record := records.get(job.name)) is not None and record.says_all(plan, job)
    }
    there = serving(plan, whole, answered)
    return Progress(len(plan.jobs), [job for job in plan.jobs if job.name in there])


def serving(plan: Plan, whole: Set[str], answered: Set[str]) -> Set[str]:
    """Of runs that are ``whole`` and of those of which a record answers, the ones that serve.

    Each needs that those serve whose folders it read; a record, which has no folder, also that no other run reads it.
    """
    there = {*whole, *answered}
    while True:
        read = {name for job in plan.jobs if job.name not in there for name in job.needs}
        left = {
            job.name
            for job in plan.jobs
            if job.name in there and there.issuperset(job.needs) and (job.name in whole or job.name not in read)
        }
        if left == there:
            return there
        there = left


def carry_out(plan: Plan, folder: StudyFolder, engine: Engine, watch: Watch = lambda progress: None) -> Progress:
    """Run what is not finished, and say what became of it. Ctrl-C and SIGTERM stop all jobs before they take effect.

    A job that fails takes those with it that need it; all others are run.
    """
    progress = standing(plan, folder)
    there = {job.name for job in progress.done}
    waiting = [job for job in plan.jobs if job.name not in there]
    for job in waiting:
        if (folder.folder_of(job) / MANIFEST).exists():  # of no use: nobody shall take it for finished later on
            jobs.discard(folder.folder_of(job))
    kills: dict[str, int] = {}
    try:
        while waiting or progress.running:
            _begin(waiting, engine, progress)
            watch(progress)
            for ended in engine.ended():
                del progress.running[ended.job.name]
                _note(_judged(ended, kills), waiting, progress)
    finally:
        engine.stop()
    watch(progress)
    return progress


def _begin(waiting: list[Job], engine: Engine, progress: Progress) -> None:
    """Start what can be started: jobs whose needs are finished, in the order of the plan."""
    done = {job.name for job in progress.done}
    for job in list(waiting):
        if len(progress.running) >= engine.places:
            return
        if failed := [name for name in job.needs if name in progress.failed]:
            waiting.remove(job)
            progress.failed[job.name] = f"needs {failed[0]}, which failed"
        elif done.issuperset(job.needs):
            waiting.remove(job)
            ended = engine.start(job)
            if ended is None:
                progress.running[job.name] = job
            else:
                _note(ended, waiting, progress)


def _judged(ended: Ended, kills: dict[str, int]) -> Ended:
    name = ended.job.name
    kills[name] = kills.get(name, 0) + ended.killed
    if kills[name] >= MOST_KILLS:
        return Ended(ended.job, error=f"its worker was killed {MOST_KILLS} times, as when memory runs out")
    return ended


def _note(ended: Ended, waiting: list[Job], progress: Progress) -> None:
    if ended.put_off:
        waiting.append(ended.job)
    elif ended.error is not None:
        progress.failed[ended.job.name] = ended.error
    else:
        progress.done.append(ended.job)
