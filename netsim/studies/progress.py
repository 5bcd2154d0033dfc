"""How far a study is, and how long it will take."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.markup import escape

from netsim.faults import printable
from netsim.studies import jobs
from netsim.studies.engine import Progress, StudyFolder, Watch
from netsim.studies.plan import Job

SHOWN = 3
"""Running jobs that are named."""


class Clock:
    """Foretells seconds: those that the plan gives, corrected by what the runs of each group took here."""

    def __init__(self, folder: StudyFolder | None = None) -> None:
        """Learn from the runs that are finished in a folder."""
        self._folder = folder
        self._taken: dict[str, float | None] = {}

    def left_s(self, ahead: Iterable[Job], done: Iterable[Job], places: int) -> float:
        """About how long the jobs ahead will take, ``places`` at once."""
        ahead = list(ahead)
        factors, general = self._factors(done)
        longest = max((self._expected(job, factors, general) for job in ahead), default=0.0)
        return max(longest, sum(self._expected(job, factors, general) for job in ahead) / places)

    def _expected(self, job: Job, factors: dict[str, float], general: float) -> float:
        return job.seconds * factors.get(job.group, general)

    def _factors(self, done: Iterable[Job]) -> tuple[dict[str, float], float]:
        """Seconds taken over seconds foretold, by group and of all; 1 where nothing is known."""
        sums: dict[str, list[float]] = {}
        for job in done:
            taken = self._seconds_of(job)
            if taken is not None:
                own = sums.setdefault(job.group, [0.0, 0.0])
                own[0] += taken
                own[1] += job.seconds
        factors = {group: taken / foretold for group, (taken, foretold) in sums.items() if foretold > 0}
        foretold = sum(each for _, each in sums.values())
        return factors, sum(taken for taken, _ in sums.values()) / foretold if foretold > 0 else 1.0

    def _seconds_of(self, job: Job) -> float | None:
        if job.name not in self._taken and self._folder is not None:
            self._taken[job.name] = jobs.seconds_of(self._folder.folder_of(job))
        return self._taken.get(job.name)


def told(seconds: float) -> str:
    """A time for people.

    >>> told(59.4), told(61), told(3 * 3600 + 125)
    ('59 s', '1 min', '3 h 2 min')
    """
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def shown(plan_jobs: Sequence[Job], clock: Clock, places: int, hidden: bool) -> Iterator[Watch]:
    """One display for all runs on standard error; where that is no terminal, a line for each run that ends."""
    console = Console(stderr=True)
    if hidden:
        yield lambda progress: None
    elif not console.is_terminal:
        yield _lines(plan_jobs, clock, places)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=len(plan_jobs))
            yield lambda progress: bar.update(
                task,
                completed=len(progress.done) + len(progress.failed),
                description=escape(printable(_state(plan_jobs, progress, clock, places))),
            )


def _lines(plan_jobs: Sequence[Job], clock: Clock, places: int) -> Callable[[Progress], None]:
    last: list[int] = []

    def line(progress: Progress) -> None:
        ended = len(progress.done) + len(progress.failed)
        if not last:
            last.append(ended)
        if ended > last[-1]:
            last.append(ended)
            click.echo(f"{ended}/{progress.total} runs  {_state(plan_jobs, progress, clock, places)}", err=True)

    return line


def _state(plan_jobs: Sequence[Job], progress: Progress, clock: Clock, places: int) -> str:
    over = {job.name for job in progress.done} | set(progress.failed)
    left = clock.left_s([job for job in plan_jobs if job.name not in over], progress.done, places)
    names = list(progress.running)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    failed = f"  {len(progress.failed)} failed" if progress.failed else ""
    return f"{told(left)} left{failed}  {', '.join(names[:SHOWN])}{more}"
