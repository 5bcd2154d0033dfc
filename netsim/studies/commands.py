"""The commands that jobs run: whether they are there, what they take, and how they are told where to write."""

import functools
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from netsim.errors import InputError, ScenarioError
from netsim.faults import closest
from netsim.studies.plan import OUT, Job, Plan

if TYPE_CHECKING:
    import click

WRITTEN = "result.json"
"""What was printed by a command that keeps nothing itself."""


def with_folder(job: Job) -> list[str]:
    """The words after ``netsim`` for a job, whose folder is ``NAME`` where it runs.

    A command that can go on with what was begun is told to; any other finds its folder empty.
    """
    options = _options(job.command[0])
    words = list(job.command)
    if "--out" in options:
        words += ["--out", f"{job.name}/{OUT}"]
    elif "--json" in options:
        words += ["--json"]
    return [*words, *(flag for flag in ("--resume", "--quiet") if flag in options and flag not in words)]


def can_resume(job: Job) -> bool:
    """Whether what the job had begun is gone on with, and not begun again."""
    return "--resume" in _options(job.command[0])


def check(plan: Plan, at: Path) -> Plan:
    """Refuse what a command would refuse at once: unknown commands, options and scenarios, values of the wrong kind.

    Scenarios and controllers that are files beside the user, ``at``, are named by their whole path from then on, so
    that jobs find them wherever they run.

    Raises
    ------
    InputError
        With a line per fault.
    """
    located = replace(plan, jobs=tuple(_located(job, at) for job in plan.jobs))
    firsts = [jobs[0] for jobs in located.groups.values()]  # of a group only the seed differs
    faults = [f"{job.group}: {fault}" for job in firsts for fault in _faults(job)]
    if faults:
        raise InputError("\n".join([f"the runs of {plan.name} cannot be carried out:", *faults]))
    return located


def _located(job: Job, at: Path) -> Job:
    return replace(job, command=tuple(_whole_path(word, at) for word in job.command))


def _whole_path(word: str, at: Path) -> str:
    """A word that names a file beside the user, ``own.yaml`` or ``own.py:Class``, by its whole path."""
    file, colon, inside = word.rpartition(":") if ".py:" in word else (word, "", "")
    if file.endswith((".yaml", ".yml", ".py")) and (at / file).is_file():
        return f"{(at / file).resolve()}{colon}{inside}"
    return word


def _faults(job: Job) -> Iterator[str]:
    import click

    try:
        command = _command(job.command[0])
    except InputError as error:
        yield str(error)
        return
    words = with_folder(job)[1:]
    try:
        context = command.make_context(words_of(job.command[:1]), list(words))
    except click.exceptions.Exit:
        yield f"netsim {job.command[0]} with these options runs nothing"
    except click.ClickException as error:
        yield f"netsim {words_of(job.command)}: {error.format_message()}"
    else:
        yield from _scenario_faults(context.params)


def _scenario_faults(given: dict[str, object]) -> Iterator[str]:
    name, overrides = given.get("scenario"), given.get("overrides") or ()
    if isinstance(name, str) and isinstance(overrides, tuple) and (fault := _scenario_fault(name, overrides)):
        yield fault


@functools.lru_cache(64)
def _scenario_fault(name: str, overrides: tuple[str, ...]) -> str | None:
    """What is wrong with a scenario, which many groups share."""
    from netsim.loading import load_scenario

    try:
        load_scenario(name, overrides)
    except ScenarioError as error:
        return str(error)
    return None


def words_of(command: Sequence[str]) -> str:
    """A command line as one would type it.

    >>> words_of(["run", "tiny", "--set", "slices.video.users=3 4"])
    "run tiny --set 'slices.video.users=3 4'"
    """
    return shlex.join(command)


@functools.cache
def _options(name: str) -> frozenset[str]:
    return frozenset(option for parameter in _command(name).params for option in parameter.opts)


def _command(name: str) -> "click.Command":
    import click

    from netsim.cli import netsim

    command = netsim.get_command(click.Context(netsim), name)
    if command is None or isinstance(command, click.Group) or name == "study":
        names = [each for each in netsim.list_commands(click.Context(netsim)) if each != "study"]
        meant = closest(name, names)
        raise InputError(
            f"there is no command {name!r}{'' if meant is None else f', did you mean {meant!r}?'}; "
            f"there are {', '.join(names)}"
        )
    return command
