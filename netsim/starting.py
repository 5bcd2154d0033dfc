"""``netsim new``: files to begin with, each of which works as it is. Nothing heavy is imported before it is called."""

import keyword
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

import click

from netsim.errors import InputError


@dataclass(frozen=True)
class Start:
    """A kind of file: the template and the names in it that give way, and what to do with the file."""

    template: str
    file: str
    name: str
    form: str
    """What a name must match; ``file`` has an example."""
    commands: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """Of the file."""
        return Path(self.file).suffix

    @property
    def is_python(self) -> bool:
        """Whether the name is that of a class."""
        return self.suffix == ".py"


_CLASS = r"[A-Z][A-Za-z0-9]{0,63}"
_SCENARIO = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

STARTS: Mapping[str, Start] = {
    "scenario": Start(
        "scenario.yaml",
        "my-scenario.yaml",
        "my-scenario",
        _SCENARIO,
        ("netsim validate my-scenario.yaml", "netsim run my-scenario.yaml"),
    ),
    "controller": Start(
        "controller.py",
        "my_controller.py",
        "MyController",
        _CLASS,
        ("netsim run tiny --controller my_controller.py:MyController", "python my_controller.py"),
    ),
    "scheduler": Start(
        "scheduler.py",
        "my_scheduler.py",
        "MyScheduler",
        _CLASS,
        ('netsim run tiny --set "slices.video.scheduler={kind: my_scheduler:MyScheduler}" --audit',),
    ),
    "traffic": Start(
        "traffic.py",
        "my_traffic.py",
        "MyTraffic",
        _CLASS,
        ('netsim run tiny --set "slices.video.traffic={kind: my_traffic:MyTraffic}" --audit', "python my_traffic.py"),
    ),
}
"""Kind -> what ``netsim new`` writes."""


@click.command()
@click.argument("kind", type=click.Choice(list(STARTS)))
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to write it.  [default: by NAME]")
def new(kind: str, name: str, out: Path | None) -> None:
    """Write a file to begin with: a scenario, a controller, a scheduler or a traffic kind, called NAME.

    It works as it is, and says what every line of it means. NAME is that of a class, as WorstFirst, or of a scenario,
    as my-cell.
    """
    start = STARTS[kind]
    written = write_start(start, name, out)
    click.echo(f"{written}: a {_WORDS.get(kind, kind)} to begin with; next:")
    for command in commands(start, name, written):
        click.echo(f"  {command}")


_WORDS = {"traffic": "traffic kind"}


def commands(start: Start, name: str, path: Path) -> list[str]:
    """What to do with a file that was written, as command lines from the working folder."""
    there = path.parent.resolve() == Path.cwd().resolve()
    go = [] if there else [f"cd {shlex.quote(str(path.parent))}"]
    return go + [_renamed(command, start, name, path) for command in start.commands]


def write_start(start: Start, name: str, out: Path | None = None) -> Path:
    """Write the template under a name; returns the file, which is a new one.

    Raises
    ------
    InputError
        The name has not the form, the file exists, or it cannot be written.
    """
    _check_name(start, name)
    path = Path(_file_of(start, name)) if out is None else out
    _check_file(start, path)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(_renamed(_template(start), start, name, path))
    except FileExistsError:
        raise InputError(f"{path} exists and is kept; give another NAME, or --out FILE") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def _check_name(start: Start, name: str) -> None:
    if re.fullmatch(start.form, name) and not keyword.iskeyword(name) and not name.endswith((".yaml", ".yml")):
        return
    if start.is_python:
        rule = "must be the name of a class: letters and digits, the first a capital, as WorstFirst"
    else:
        rule = "must be letters, digits, dots, dashes and underscores, without .yaml, as my-cell"
    raise InputError(f"NAME {rule}, got {name[:120]!r}")


def _check_file(start: Start, path: Path) -> None:
    form = r"[A-Za-z_][A-Za-z0-9_]*\.py" if start.is_python else r"[A-Za-z0-9_][A-Za-z0-9._-]*\.ya?ml"
    if not re.fullmatch(form, path.name) or keyword.iskeyword(path.stem):
        what = "a Python module" if start.is_python else "a YAML file"
        raise InputError(f"--out FILE must be {what}, as {start.file}, got {path.name[:120]!r}")


def _file_of(start: Start, name: str) -> str:
    """The file for a name, in the working folder; none that Python would take for a module that is there already.

    >>> _file_of(STARTS["controller"], "WorstFirst"), _file_of(STARTS["traffic"], "Random")
    ('worst_first.py', 'random_traffic.py')
    """
    if not start.is_python:
        return f"{name}{start.suffix}"
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return f"{stem}_{start.template}" if _hides_a_module(stem) else f"{stem}.py"


def _hides_a_module(stem: str) -> bool:
    here = {"", str(Path.cwd())}
    elsewhere = PathFinder.find_spec(stem, [folder for folder in sys.path if folder not in here])
    return stem in sys.stdlib_module_names or keyword.iskeyword(stem) or elsewhere is not None


def _template(start: Start) -> str:
    from importlib.resources import files

    return (files("netsim.templates") / start.template).read_text(encoding="utf-8")


def _renamed(text: str, start: Start, name: str, path: Path) -> str:
    """The text with the names of the template replaced, all at once: a new name may hold an old one."""
    names = {start.file: path.name, f"{Path(start.file).stem}:{start.name}": f"{path.stem}:{name}", start.name: name}
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)
