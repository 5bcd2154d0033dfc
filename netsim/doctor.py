"""``netsim doctor``: what is installed, what is missing, and how fast this machine is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from netsim.checkups import Checkup

PROJECT = "slicetwin"


@click.command()
@click.option("--quick", is_flag=True, help="Measure nothing; a cold cache then stays cold.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, quick: bool, as_json: bool) -> None:
    """Say what is installed, what is missing and how to get it, and how fast this machine is.

    Loads every plugin and simulates for a second or two. The exit status is 1 if something that is needed does not
    work.
    """
    found = examine(measure=not quick)
    if as_json:
        from netsim.files import to_json

        click.echo(to_json(asdict(found)), nl=False)
    else:
        print_findings(found)
    if found.broken:
        ctx.exit(1)


@dataclass
class Findings:
    """What the doctor found."""

    packages: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Name -> the version that is ``asked`` for and the one that is ``found``."""
    extras: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Extra -> what of it is ``missing``, and the command that installs it."""
    plugins: dict[str, str] = field(default_factory=dict)
    """Plugin -> a line about it."""
    checkups: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> what was found, in words and figures."""
    broken: list[str] = field(default_factory=list)
    """What is needed and does not work, and what to do about it."""


def examine(*, measure: bool) -> Findings:
    """Look at everything; nothing that is broken is an error here."""
    found = Findings()
    _examine_packages(found)
    _examine_plugins(found)
    for name, look in _checkups(found, measure).items():
        result = _looked(name, look, found)
        if result is not None:
            found.checkups[name] = asdict(result)
    return found


# -- packages ----------------------------------------------------------------------------------------------------------


def _examine_packages(found: Findings) -> None:
    import platform

    import netsim

    found.packages["python"] = {"asked": None, "found": platform.python_version()}
    found.packages[PROJECT] = {"asked": None, "found": netsim.__version__}
    for requirement, extras in _requirements(found):
        version = _version(requirement.name)
        fits = _fits(requirement)
        if not extras:
            found.packages[requirement.name] = {"asked": str(requirement.specifier) or None, "found": version}
            if not fits:
                there = "not installed" if version is None else f"version {version}"
                found.broken.append(f"{requirement} is needed, {there}: pip install {str(requirement)!r}")
        for extra in extras:
            part = found.extras.setdefault(extra, {"missing": [], "install": f"pip install '{PROJECT}[{extra}]'"})
            part["missing"] += [] if fits else [str(requirement)]


def _requirements(found: Findings) -> "Iterator[tuple[Requirement, list[str]]]":
    """What this version requires, here, and for which extras."""
    import importlib.metadata
    from pathlib import Path

    from packaging.requirements import Requirement

    try:
        texts = importlib.metadata.requires(PROJECT) or []
        names = importlib.metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        there = Path(__file__).resolve().parent.parent
        found.broken.append(
            f"{PROJECT} runs from {there} and is not installed, so without plugins: pip install -e {there}"
        )
        return
    for text in texts:
        whole = Requirement(text)
        marker, whole.marker = whole.marker, None
        if marker is None or marker.evaluate({"extra": ""}):
            yield whole, []
        elif extras := [name for name in names if marker.evaluate({"extra": name})]:
            yield whole, extras


def _fits(requirement: "Requirement") -> bool:
    """Whether it is there in the version asked for, with what its own extras need."""
    import importlib.metadata

    from packaging.requirements import Requirement

    version = _version(requirement.name)
    if version is None or not requirement.specifier.contains(version, prereleases=True):
        return False
    further = map(Requirement, importlib.metadata.requires(requirement.name) or [] if requirement.extras else [])
    wanted = [
        each
        for each in further
        if each.marker and any(each.marker.evaluate({"extra": extra}) for extra in requirement.extras)
    ]
    return all(_version(each.name) is not None for each in wanted)


def _version(package: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


# -- plugins and checkups ----------------------------------------------------------------------------------------------


def _examine_plugins(found: Findings) -> None:
    try:
        from netsim.listing import listing
        from netsim.plugins import installed
    except ImportError as error:  # a package that netsim needs is missing or does not fit the others
        found.broken.append(f"netsim cannot be imported: {error}")
        return
    found.plugins = {name: line for name, line in listing("plugins") if name != "broken"}
    found.broken += [str(error) for error in installed().errors]


def _checkups(found: Findings, measure: bool) -> "Mapping[str, Callable[[], Checkup]]":
    from netsim.checkups import own
    from netsim.plugins import offers

    offered, errors = offers("checkups", measure=measure)
    found.broken += [str(error) for error in errors]
    return {**own(measure), **{name: look for offer in offered for name, look in offer.items()}}


def _looked(name: str, look: "Callable[[], Checkup]", found: Findings) -> "Checkup | None":
    try:
        return look()
    except Exception as error:  # whatever is wrong with a machine is a finding
        found.broken.append(f"{name}: {type(error).__name__}: {error}")
        return None


# -- shown -------------------------------------------------------------------------------------------------------------


def print_findings(found: Findings) -> None:
    """A table of what was found, and below it what is broken and what could be added."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from netsim.console import WIDTH

    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    table = Table(show_header=False, box=SIMPLE_HEAD, pad_edge=False)
    for name, line in _rows(found):
        table.add_row(name, line) if name else table.add_section()
    console.print(table)
    missing = {name: part for name, part in found.extras.items() if part["missing"]}
    if missing:
        console.print("not installed, and needed for these alone:")
    for name, part in missing.items():
        console.print(_safe(f"  {name}: {', '.join(part['missing'])}; {part['install']}"))
    for line in found.broken:
        console.print(_safe(f"broken: {line}"))
    console.print("something that is needed does not work" if found.broken else "all that is needed works")


def _rows(found: Findings) -> Iterator[tuple[str, str]]:
    for name, part in found.packages.items():
        asked = f"  ({part['asked']})" if part["asked"] else ""
        yield name, f"{part['found'] or 'missing'}{_safe(asked)}"
    yield "", ""
    for name, line in found.plugins.items():
        yield f"plugin {_safe(name)}", _safe(line)
    yield "", ""
    for name, part in found.checkups.items():
        yield _safe(name), _safe("; ".join(filter(None, (part["found"], part["advice"]))))


def _safe(text: str) -> str:
    from rich.markup import escape

    from netsim.faults import printable

    return escape(printable(text))
