"""What ``netsim study`` shows: plans, outcomes, and what failed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from netsim.console import decimals, number, safe, span, wide
from netsim.faults import printable
from netsim.studies.commands import with_folder, words_of
from netsim.studies.engine import Progress, StudyFolder
from netsim.studies.plan import Plan
from netsim.studies.progress import Clock, told


def print_plan(plan: Plan, folder: StudyFolder | None, places: int) -> None:
    """What would be run, how much of it is finished, and about how long the rest takes."""
    done = [] if folder is None else [job for job in plan.jobs if folder.finished(job)]
    names = {job.name for job in done}
    click.echo(f"{plan.name}: {len(plan.jobs)} runs in {len(plan.groups)} groups, {len(done)} finished")
    for job in plan.jobs:
        mark = "done" if job.name in names else "    "
        click.echo(f"{mark}  netsim {printable(words_of(with_folder(job)))}")
    ahead = [job for job in plan.jobs if job.name not in names]
    left = (Clock(folder) if folder is not None else Clock()).left_s(ahead, done, places)
    click.echo(f"about {told(left)} with {places} at once")


def print_outcome(found: Mapping[str, Any], folder: Path) -> None:
    """The tables of groups and claims."""
    console = wide()
    runs = found["runs"]
    console.print(f"{found['study']}: {runs['finished']} of {runs['planned']} runs finished")
    if found["measures"]:
        console.print(_numbers(found["measures"]))
    if found["claims"]:
        console.print(_claims(found["claims"]))
    console.print(f"results: {safe(str(folder))}")


def _numbers(measures: Mapping[str, Any]) -> Table:
    table = Table("measure", "group", "runs", "interquartile mean", "95 % interval", box=SIMPLE_HEAD, pad_edge=False)
    for measure, groups in measures.items():
        for group, each in groups.items():
            middle, ends = _middle(each)
            table.add_row(safe(measure), safe(group), str(each["runs"]), middle, ends)
    return table


def _middle(numbers: Mapping[str, Any]) -> tuple[str, str]:
    """Middle and interval of a group; of times how many runs got there."""
    if "level" in numbers:
        reached = f"{numbers['reached']} of {numbers['runs']} reached {number(numbers['level'], 4)}"
        return f"{number(numbers['restricted_mean'], 0)} (restricted mean)", reached
    return number(numbers["iqm"], 4), span(numbers["ci95"], 4)


def _claims(claims: Any) -> Table:
    table = Table("claim", "effect", "95 % interval", "pairs", "p", "verdict", box=SIMPLE_HEAD, pad_edge=False)
    for each in claims:
        digits = decimals(each["effect"], *(each["ci95"] or ()))
        effect, ends = number(each["effect"], digits), span(each["ci95"], digits)
        table.add_row(safe(each["claim"]), effect, ends, str(each["pairs"]), f"{each['p']:.3g}", each["verdict"])
    return table


def print_failures(progress: Progress) -> None:
    """A line for each run that failed, on standard error."""
    for name, why in progress.failed.items():
        click.echo(f"netsim: {printable(name)} failed: {printable(why)}", err=True)
    click.echo(f"netsim: error: {len(progress.failed)} of {progress.total} runs failed; --resume tries again", err=True)
