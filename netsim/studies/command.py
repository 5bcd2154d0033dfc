"""``netsim study``. Nothing heavy is imported before it is called."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim import completion

if TYPE_CHECKING:
    from netsim.studies.engine import Engine, Progress, StudyFolder
    from netsim.studies.plan import Plan


@click.command()
@click.argument("file", metavar="FILE", shell_complete=completion.studies)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the runs and what they show.")
@click.option("--jobs", type=click.IntRange(1, 4096), metavar="N", help="Runs at once.  [default: a run per core]")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where to run.")
@click.option("--address", metavar="HOST:PORT", help="Of the Ray cluster; without it Ray starts one here.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value, as parameters.seeds=3.")
@click.option("--smoke", is_flag=True, help="The parameters of a quick try, which shows that everything works.")
@click.option("--dry-run", is_flag=True, help="Print the plan and about how long it takes; run nothing.")
@click.option("--resume", is_flag=True, help="Go on with the study in DIR: what is finished is not run again.")
@click.option("--so-far", is_flag=True, help="Run nothing: conclude from what is finished in DIR, which may go on.")
@click.option("--force", is_flag=True, help="Replace the study in DIR.")
@click.option(
    "--reuse",
    "others",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Another study, or a published one, whose runs are taken where the same are asked for; can be repeated.",
)
@click.option("--publish", type=click.Path(path_type=Path), metavar="DIR", help="Put figures and numbers there too.")
@click.option("--json", "as_json", is_flag=True, help="Print study.json instead of tables.")
@click.option("--quiet", is_flag=True, help="No progress and no tables.")
@click.pass_context
def study(
    ctx: click.Context,
    file: str,
    out: Path | None,
    jobs: int | None,
    engine: str,
    address: str | None,
    overrides: tuple[str, ...],
    smoke: bool,
    dry_run: bool,
    resume: bool,
    so_far: bool,
    force: bool,
    others: tuple[Path, ...],
    publish: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Carry out the study FILE, a shipped name or a file: many runs, their statistics, figures and claims.

    `netsim study fig5-fig6 --set parameters.seeds=3 --out studies/fig5` leaves a folder per run in studies/fig5/jobs,
    study.json with all numbers, and the figures. What was stopped or killed goes on with --resume.
    """
    if resume and force:
        raise click.UsageError("--force replaces the study in DIR, --resume goes on with it: give one of them")
    if so_far and (resume or force or others):
        raise click.UsageError("--so-far runs nothing, so --resume, --force and --reuse do not go with it")
    if out is None and not dry_run:
        raise click.UsageError("give --out DIR, or --dry-run to see the plan")
    if address is not None and engine != "ray":
        raise click.UsageError("--address is for --engine ray")
    from netsim.files import to_json
    from netsim.studies import console
    from netsim.studies.commands import check
    from netsim.studies.engine import StudyFolder
    from netsim.studies.loading import read_study
    from netsim.studies.plan import plan

    planned = check(plan(read_study(file, overrides, smoke=smoke)), Path.cwd())
    folder = None if out is None else StudyFolder(out, planned)
    if folder is None or dry_run:
        if as_json:
            click.echo(to_json(console.plan_told(planned, folder, jobs or _cores())), nl=False)
        else:
            console.print_plan(planned, folder, jobs or _cores())
        return
    command = ["netsim", "study", file, *(word for each in overrides for word in ("--set", each))]
    command += ["--smoke"] * smoke + ["--engine", "ray"] * (engine == "ray")
    if so_far:
        _concluded(planned, folder, _standing(planned, folder), command, publish, as_json=as_json, quiet=quiet)
        return
    folder.refuse_existing(known=resume, force=force)
    held = folder.take(force=force)
    try:
        with _told_what_cannot_be_written(folder):
            _reused(planned, folder, others, hidden=quiet or as_json)
            progress = _carried_out(planned, folder, engine, address, jobs, hidden=quiet or as_json)
        _concluded(planned, folder, progress, command, publish, as_json=as_json, quiet=quiet)
    finally:
        os.close(held)
    if progress.failed:
        console.print_failures(progress)
        ctx.exit(1)


def _standing(planned: "Plan", folder: "StudyFolder") -> "Progress":
    from netsim.studies.engine import KIND, standing

    folder.refuse_existing(known=True)
    KIND.read(folder.path)
    return standing(planned, folder)


def _reused(planned: "Plan", folder: "StudyFolder", others: tuple[Path, ...], *, hidden: bool) -> None:
    if not others:
        return
    from netsim.studies.reuse import reuse

    taken = reuse(planned, folder, others)
    if not hidden:
        click.echo(f"{len(taken)} of {len(planned.jobs)} runs are taken from other studies", err=True)


def _carried_out(
    planned: "Plan", folder: "StudyFolder", engine: str, address: str | None, jobs: int | None, *, hidden: bool
) -> "Progress":
    from netsim.studies.engine import carry_out
    from netsim.studies.progress import Clock, shown

    workers = _engine(engine, address, folder, jobs)
    with shown(planned.jobs, Clock(folder), workers.places, hidden) as watch:
        return carry_out(planned, folder, workers, watch)


@contextmanager
def _told_what_cannot_be_written(folder: "StudyFolder") -> Iterator[None]:
    from netsim.errors import RunError

    try:
        yield
    except shutil.Error as error:  # of a folder that is copied: source, target and reason of each file
        source, _, reason = error.args[0][0]
        raise RunError(f"cannot copy {source}: {reason}; --resume goes on") from None
    except OSError as error:
        told = f"cannot write {error.filename or folder.path}: {error.strerror or error}; --resume goes on"
        raise RunError(told) from None


def _engine(engine: str, address: str | None, folder: "StudyFolder", jobs: int | None) -> "Engine":
    if engine == "local":
        from netsim.studies.local import LocalEngine

        return LocalEngine(folder.jobs, jobs or _cores())
    from netsim.studies.ray import RayEngine

    return RayEngine(folder.jobs, jobs, address)


def _cores() -> int:
    return os.cpu_count() or 1


def _concluded(
    planned: "Plan",
    folder: "StudyFolder",
    progress: "Progress",
    command: list[str],
    publish: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw what can be drawn from the runs that are finished, and show it."""
    from netsim.files import to_json
    from netsim.studies import console, outcome

    found = outcome.conclude(planned, folder, progress, command)
    outcome.keep(found, folder.path)
    if publish is not None:
        outcome.publish(found, planned, folder, progress, publish)
    if as_json:
        click.echo(to_json(found), nl=False)
    elif not quiet:
        console.print_outcome(found, folder.path)
