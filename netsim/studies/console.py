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
from netsim.studies.engine import Progress, StudyFolder, standing
from netsim.studies.plan import Plan
from netsim.studies.progress import Clock, told


def plan_told(plan: Plan, folder: StudyFolder | None, places: int) -> dict[str, Any]:
    """What would be run, what of it is finished, and about how many seconds the rest takes, as JSON."""
    done = [] if folder is None else standing(plan, folder).done
    names = {job.name for job in done}
    ahead = [job for job in plan.jobs if job.name not in names]
    runs = [
        {
            "run": job.name,
            "group": job.group,
            "seed": job.seed,
            "command": words_of(["netsim", *with_folder(job)]),
            "needs": list(job.needs),
            "finished": job.name in names,
        }
        for job in plan.jobs
    ]
    left_s = (Clock(folder) if folder is not None else Clock()).left_s(ahead, done, places)
    return {"study": plan.name, "groups": len(plan.groups), "runs": runs, "at_once": places, "left_s": left_s}


def print_plan(plan: Plan, folder: StudyFolder | None, places: int) -> None:
    """The same for people."""
    found = plan_told(plan, folder, places)
    runs, done = found["runs"], sum(run["finished"] for run in found["runs"])
    click.echo(f"{plan.name}: {len(runs)} runs in {found['groups']} groups, {done} finished")
    for run in runs:
        click.echo(f"{'done' if run['finished'] else '    '}  {printable(run['command'])}")
    click.echo(f"about {told(found['left_s'])} with {places} at once")


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
    columns = ["claim", "effect", "95 % interval", "pairs", "p", "p, Holm", "verdict"]
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for each in claims:
        digits = decimals(each["effect"], *(each["ci95"] or ()))
        effect, ends = number(each["effect"], digits), span(each["ci95"], digits)
        p_values = (f"{each['p']:.3g}", f"{each['p_holm']:.3g}")
        table.add_row(safe(each["claim"]), effect, ends, str(each["pairs"]), *p_values, each["verdict"])
    return table


def print_failures(progress: Progress) -> None:
    """A line for each run that failed, on standard error."""
    for name, why in progress.failed.items():
        click.echo(f"netsim: {printable(name)} failed: {printable(why)}", err=True)
    click.echo(f"netsim: error: {len(progress.failed)} of {progress.total} runs failed; --resume tries again", err=True)
