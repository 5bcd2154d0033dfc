"""The command line. Nothing heavy is imported before a command needs it."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from netsim import completion
from netsim.doctor import doctor
from netsim.reports.command import report
from netsim.rows import write_csv
from netsim.starting import new
from netsim.studies.command import study
from netsim.watching.command import watch

if TYPE_CHECKING:
    from netsim.faults import Fault
    from netsim.plugins import Named
    from netsim.scenario import Scenario
    from netsim.testing.audit import Audit, Case

SEEDS = click.IntRange(0, (1 << 63) - 1)


class Commands(click.Group):
    """The commands of netsim, and those that plugins add."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, netsim's own first."""
        return [*self.commands, *sorted(set(self._plugged) - set(self.commands))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command of netsim, else one that a plugin adds."""
        return self.commands.get(cmd_name) or self._plugged.get(cmd_name)

    @functools.cached_property
    def _plugged(self) -> dict[str, click.Command]:
        from netsim.plugins import installed_commands

        commands, errors = installed_commands()
        for error in errors:
            click.echo(f"netsim: warning: {_clean(str(error))}", err=True)
        return commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slicetwin", prog_name="netsim")
def netsim() -> None:
    """Simulate a sliced 5G base station, packet by packet, under a controller of its slices."""


@netsim.command()
@click.argument("scenario", shell_complete=completion.scenarios)
@click.option(
    "--controller",
    default="equal",
    show_default=True,
    metavar="NAME",
    shell_complete=completion.listed("controllers"),
    help="Who decides the allocation.",
)
@click.option("--periods", type=click.IntRange(1, (1 << 63) - 1), metavar="N", help="Controlled periods.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, metavar="S", help="Seed of every random quantity.")
@click.option("--out", type=click.Path(), metavar="DIR", help="Folder for the results, which must not exist yet.")
@click.option("--packets", is_flag=True, help="Keep every packet too, in packets.parquet; needs --out.")
@click.option("--plugin", "plugins", multiple=True, metavar="SPEC", help="A further plugin; can be repeated.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the scenario.")
@click.option("--force", is_flag=True, help="Replace the run in DIR.")
@click.option("--resume", is_flag=True, help="Show the finished run in DIR, or run an unfinished one again.")
@click.option("--on-fault", type=click.Choice(["strict", "score"]), default="strict", show_default=True)
@click.option("--isolate", is_flag=True, help="Run the controller in a process of its own, with a deadline.")
@click.option(
    "--deadline",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="For each decision of an isolated controller.",
)
@click.option("--audit", is_flag=True, help="Check every slot, and stop with the packets that show what is wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON instead of tables.")
@click.option("--quiet", is_flag=True, help="No progress bar and no tables.")
def run(
    scenario: str,
    controller: str,
    plugins: tuple[str, ...],
    overrides: tuple[str, ...],
    out: str | None,
    as_json: bool,
    quiet: bool,
    force: bool,
    resume: bool,
    packets: bool,
    audit: bool,
    isolate: bool,
    deadline: float,
    **options: Any,
) -> None:
    """Run SCENARIO, a shipped name or a file, and show what its slices got.

    A controller is NAME, NAME:TEXT (as in fixed:3,70,27), pkg.module:Class or path/file.py:Class; `netsim list` names
    those that are there. Plugins are code: name only what you trust.
    """
    if (packets or force or resume) and out is None:
        raise click.UsageError("--packets, --force and --resume need --out DIR")
    if force and resume:
        raise click.UsageError("--force replaces the run in DIR, --resume keeps it: give one of them")
    attached, loaded = _prepared(scenario, plugins, overrides)
    from netsim.console import print_summary, progress_bar
    from netsim.run import run as run_scenario

    if controller == "best-static":
        from netsim.beststatic import best_static

        with progress_bar(hidden=quiet) as progress:  # raced here, where its progress can be shown
            best_static(loaded, progress)
    where: dict[str, Any] = {"out": out, "packets": packets, "force": force, "resume": resume}
    where["deadline_s"] = deadline if isolate else None
    auditing = _audit(audit, as_json, functools.partial(_again, scenario, options["seed"], overrides, plugins))
    with progress_bar(hidden=quiet) as progress, auditing as where["audit"]:
        summary = run_scenario(loaded, controller, plugins=attached, progress=progress, **where, **options)
    if as_json:
        _echo_json(summary)
    elif not quiet:
        print_summary(summary, out)


@contextmanager
def _audit(wanted: bool, as_json: bool, again: "Callable[[Case], str]") -> "Iterator[Audit | None]":
    """What audits a run; what it finds is told with the command that shows it again."""
    if not wanted:
        yield None
        return
    from netsim.testing.audit import Audit, AuditError

    audit = Audit()
    try:
        yield audit
    except AuditError as error:
        told = AuditError(error.violation, error.case, None if error.case is None else again(error.case))
        if as_json:
            _echo_json(told.to_dict())
        raise told from None
    click.echo(f"netsim: {audit.audited}", err=True)


def _again(scenario: str, seed: int, overrides: tuple[str, ...], plugins: tuple[str, ...], case: "Case") -> str:
    return case.command(scenario, seed, overrides, plugins)


def _prepared(name: str, plugins: tuple[str, ...], overrides: tuple[str, ...]) -> "tuple[list[Named], Scenario]":
    """The plugins, and the scenario, which may name what they offer."""
    from netsim.loading import load_scenario
    from netsim.plugins import attach, plugin_set, using

    attached = [attach(spec) for spec in plugins]
    with using(plugin_set(attached)):
        return attached, load_scenario(name, overrides)


@netsim.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print file, valid and faults of each as a JSON list.")
@click.pass_context
def validate(ctx: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Check scenario files; every fault is a line with its place, and the exit status is 2 if there is one."""
    from netsim.loading import validate_file

    found = {file: validate_file(file) for file in files}
    if as_json:
        _echo_json([_validated(file, faults) for file, faults in found.items()])
    else:
        for file, faults in found.items():
            for line in [str(fault) for fault in faults] or [f"{file}: ok"]:
                click.echo(_clean(line))
    if any(found.values()):
        ctx.exit(2)


def _validated(file: str, faults: "Sequence[Fault]") -> dict[str, Any]:
    """What was found of a file, as plain values; the message of a fault is the line that people read."""
    told = [{**dataclasses.asdict(fault), "message": str(fault)} for fault in faults]
    return {"file": file, "valid": not faults, "faults": told}


@netsim.command()
@click.argument("scenario", shell_complete=completion.scenarios)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the scenario.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--again", is_flag=True, help="Race again, even if the result is known.")
def calibrate(scenario: str, overrides: tuple[str, ...], as_json: bool, again: bool) -> None:
    """Find the best static allocation of SCENARIO and the thresholds of the reshaped reward that follow from it.

    The allocations are raced with common random numbers; the result is kept, and the controller best-static uses it.
    """
    _, loaded = _prepared(scenario, (), overrides)
    from netsim.beststatic import best_static
    from netsim.console import print_best, progress_bar

    with progress_bar(hidden=False) as progress:
        best = best_static(loaded, progress, again=again)
    if as_json:
        _echo_json(best.to_dict())
    else:
        print_best(loaded.name, best)


@netsim.command()
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.argument("other", required=False, type=click.Path())
@click.option("--folder", type=click.Path(), metavar="DIR", help="Where the files that RUN's scenario names are.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def fingerprint(ctx: click.Context, run_dir: str, other: str | None, folder: str | None, as_json: bool) -> None:
    """Run RUN again, from its scenario, seed and allocations, and compare the traces; with OTHER compare two runs.

    Prints the fingerprint of RUN, and where the traces begin to differ if they do: layer, period and slice. The exit
    status is then 1. Plugins that RUN's scenario names are run: they are code.
    """
    from netsim.replay import compared

    found = compared(run_dir, other, folder)
    if as_json:
        _echo_json(found.to_dict())
    else:
        for line in found.lines():
            click.echo(_clean(line))
    if found.difference:
        ctx.exit(1)


@netsim.command()
def schema() -> None:
    """Print the JSON Schema of scenario files."""
    from netsim.schema import scenario_schema

    _echo_json(scenario_schema())


@netsim.command("list")
@click.argument("what", required=False, shell_complete=completion.headings)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON: heading to a list of name and about.")
def list_names(what: str | None, as_json: bool) -> None:
    """Say what is there: controllers, agents, scenarios, studies, traffic, schedulers, path-loss, plants, plugins."""
    from netsim.listing import headings, listing

    known = headings()
    if what is not None and what not in known:
        raise click.BadArgumentUsage(f"{what!r} is not one of {', '.join(known)}")
    asked = [what] if what else known
    if as_json:
        _echo_json({heading: [{"name": name, "about": about} for name, about in listing(heading)] for heading in asked})
        return
    for heading in asked:
        if not what:
            click.echo(f"{heading}:")
        for name, about in listing(heading):
            click.echo(_clean(f"{'' if what else '  '}{name:<20} {about}".rstrip()))


netsim.add_command(study)
netsim.add_command(report)
netsim.add_command(watch)
netsim.add_command(new)
netsim.add_command(doctor)
netsim.add_command(write_csv)


def _echo_json(value: object) -> None:
    from netsim.files import to_json

    click.echo(to_json(value), nl=False)


def _clean(text: str) -> str:
    """The text with control characters of foreign names escaped, its lines kept."""
    from netsim.faults import printable

    return "\n".join(printable(line) for line in text.split("\n"))


# -- leaving -----------------------------------------------------------------------------------------------------------


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM). Like Ctrl-C, no plugin can take it for an error of its own."""


def main() -> int:
    """Run the command line and return its exit status: 0 done, 1 the run failed, 2 the input was wrong."""
    from netsim.errors import NetsimError

    _end_on_sigterm()
    try:
        return _status(netsim.main(standalone_mode=False, prog_name="netsim"))
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except NetsimError as error:
        _show(error)
        return error.exit_status
    except click.Abort as error:  # how click passes on an interrupt
        return _stopped("terminated", 143) if isinstance(error.__cause__, Terminated) else _stopped("interrupted", 130)
    except BrokenPipeError:  # the reader of our output has gone, as in `netsim list | head -1`
        _silence_stdout()
        return 1


def _status(result: object) -> int:
    """With ``standalone_mode`` off, click returns the status given to ``ctx.exit``, or what the command returned."""
    return result if isinstance(result, int) else 0


def _stopped(how: str, status: int) -> int:
    click.echo(f"netsim: {how}; what a run had written is kept and marked unfinished", err=True)
    return status


def _show(error: Exception) -> None:
    """The message on standard error; below it the traceback of a plugin's own exception, if one was raised."""
    click.echo(f"netsim: error: {_clean(str(error))}", err=True)
    from netsim.errors import PluginError

    cause = error.__cause__
    if isinstance(error, PluginError) and cause is not None:
        import traceback

        click.echo(_clean("".join(traceback.format_exception(cause)).rstrip()), err=True)


def _end_on_sigterm() -> None:
    import signal

    def end(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, end)


def _silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not fail again."""
    import os
    import sys

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
