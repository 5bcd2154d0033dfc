"""Scenario files: found, read, overridden, and checked.

Every fault of a file is found in one go; each names the file, the line, the key, the rule and the value.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path, PureWindowsPath

from pydantic import ValidationError

from netsim import limits, nodes, reading
from netsim.diagnosis import translated
from netsim.errors import ScenarioError
from netsim.faults import Fault, ScenarioFaults, closest, in_order, one_of, printable, shown_text
from netsim.library import library, scenario_names
from netsim.overriding import override_faults
from netsim.scenario import PATH_LOSS_MODELS, SCHEDULERS, TRAFFIC_KINDS, Scenario, Trace
from netsim.writing import dump_scenario

__all__ = [
    "Fault",
    "ScenarioFaults",
    "describe",
    "dump_scenario",
    "load_scenario",
    "parse_scenario",
    "resolve_inside",
    "scenario_names",
    "validate_file",
]

Names = Callable[[str], Iterable[str]]
"""Hook -> the names that plugins have registered for it."""


def load_scenario(
    source: str | os.PathLike[str], overrides: Iterable[str] = (), *, registered: Names | None = None
) -> Scenario:
    """Load a scenario: the name of a shipped one, or the path of a file.

    ``overrides`` are texts ``key.path=value`` that replace values of the file, items of lists by their number.
    ``registered`` tells which names plugins have given to a hook (default: the plugins found).

    >>> load_scenario("table1", ["slices.video.users=50"]).slices["video"].users
    50

    Raises
    ------
    ScenarioError
        With one line per fault, ``file:line:col: key: rule, got value``; its ``faults`` hold them one by one.
    """
    shipped = _shipped(source)
    path = shipped if shipped is not None else Path(os.fsdecode(source))
    folder = path.parent if isinstance(path, Path) else None
    return _scenario(text_of(path), str(path), overrides, folder, registered)


def parse_scenario(
    text: str,
    name: str = "<text>",
    overrides: Iterable[str] = (),
    *,
    folder: Path | None = None,
    registered: Names | None = None,
) -> Scenario:
    """The scenario that a text describes.

    ``name`` stands for the file in messages; traces are looked for in ``folder``.

    Raises
    ------
    ScenarioError
        As :func:`load_scenario` does.
    """
    return _scenario(text, name, overrides, folder, registered)


def validate_file(path: str | os.PathLike[str], *, registered: Names | None = None) -> tuple[Fault, ...]:
    """Every fault of a scenario file, by line, then those of its traces; empty if there is none.

    A shipped scenario's name works too.
    """
    try:
        scenario = load_scenario(path, registered=registered)
    except ScenarioFaults as error:
        return error.faults
    return tuple(_faults_within_traces(scenario))


# -- finding and reading


def describe(name: str) -> str:
    """The first line of a scenario's description, empty if it has none."""
    path = _shipped(name) or Path(name)
    entry = nodes.child(reading.read(text_of(path), str(path)).root, "description")
    text = entry.node.value if entry and isinstance(entry.node, nodes.Text) else None
    return text.strip().splitlines()[0] if isinstance(text, str) and text.strip() else ""


def _shipped(source: str | os.PathLike[str]) -> Traversable | Path | None:
    """The shipped file of that name; ``None`` for a path. A bare word that is neither is an error."""
    if not isinstance(source, str) or not _is_word(source):
        return None
    if source in (names := scenario_names()):
        return library() / f"{source}.yaml"
    if os.path.lexists(source):
        return None
    rule = f"must be the path of a file or one of {', '.join(names)}"
    raise ScenarioFaults(Fault("", 0, 0, "scenario", rule, shown_text(source), closest(source, names)))


def _is_word(source: str) -> bool:
    return re.fullmatch(r"[^/\\\0]*", source) is not None and not source.endswith((".yaml", ".yml", ".json"))


def text_of(path: Traversable | Path) -> str:
    """The text of a file.

    Raises
    ------
    ScenarioError
        If it is missing, unreadable, too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data: bytes = file.read(limits.MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioFaults(_about(path, f"must be readable ({printable(reason)})")) from None
    if len(data) > limits.MAX_FILE_BYTES:
        raise ScenarioFaults(_about(path, f"must have at most {limits.MAX_FILE_BYTES} bytes"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        col = error.start - data.rfind(b"\n", 0, error.start)
        raise ScenarioFaults(Fault(str(path), line, col, "file", "must be UTF-8 text")) from None


def _about(path: Traversable | Path, rule: str) -> Fault:
    return Fault(str(path), 1, 1, "file", rule)


# -- checking


def _scenario(
    text: str, file: str, overrides: Iterable[str], folder: Path | None, registered: Names | None
) -> Scenario:
    read = reading.read(text, file)
    if read.root is None:
        raise ScenarioFaults(*in_order(read.faults or [Fault(file, 1, 1, "file", "must not be empty")]))
    root, faults = read.root, read.faults
    faults += [fault for override in overrides for fault in override_faults(root, override)]
    misnamed = list(_misnamed(root, registered or _registered))
    faults += [*misnamed, *_trace_faults(root, folder)]
    try:
        scenario = Scenario.model_validate(nodes.plain(root))
    except ValidationError as error:
        faults += _unexplained(_translated(error, root), faults, misnamed)
    if faults:
        raise ScenarioFaults(*in_order(faults))
    scenario._folder = folder
    return scenario


def _translated(error: ValidationError, root: nodes.Node) -> Iterator[Fault]:
    for detail in error.errors(include_url=False, include_input=False):
        yield from translated(detail, Scenario, root)


def _unexplained(found: Iterable[Fault], known: Iterable[Fault], misnamed: Iterable[Fault]) -> list[Fault]:
    """The faults found, less those that follow from one known: at its key, or in a part whose kind is misspelt."""
    keys = {fault.key for fault in known}
    parts = tuple(fault.key.rpartition(".")[0] + "." for fault in misnamed)
    return [fault for fault in found if fault.key not in keys and not fault.key.startswith(parts)]


def _misnamed(root: nodes.Node, registered: Names) -> Iterator[Fault]:
    """Names of kinds and models that are neither built in nor a plugin's."""
    for path, entry, hook, built_in in _plugged(root):
        name = entry.node.value if isinstance(entry.node, nodes.Text) else None
        if not isinstance(name, str) or name in built_in or _NAMES_A_CLASS.fullmatch(name):
            continue
        known = [*built_in, *sorted(set(registered(hook)) - set(built_in))]
        if name not in known:
            rule = f"{one_of(known)} or a plugin, like pkg.module:Class"
            yield entry.node.mark.fault(path, rule, shown_text(name), closest(name, known))


_NAMES_A_CLASS = re.compile(r"[^:\s]+:[A-Za-z_]\w*")


def _plugged(root: nodes.Node) -> Iterator[tuple[str, nodes.Entry, str, tuple[str, ...]]]:
    """Every place in a scenario where a plugin can be named: its key, what is there, the hook, what is built in."""
    places: list[tuple[str, str, tuple[str, ...]]] = [("channel.path_loss.model", "path_loss_models", PATH_LOSS_MODELS)]
    for name in _slices(root):
        places += [(f"slices.{name}.traffic.kind", "traffic_kinds", TRAFFIC_KINDS)]
        places += [(f"slices.{name}.scheduler.kind", "schedulers", SCHEDULERS)]
    for path, hook, built_in in places:
        entry = _entry(root, path)
        if entry is not None:
            yield path, entry, hook, built_in


def _slices(root: nodes.Node) -> list[str]:
    """The slices' names, less those that could not be one anyway."""
    slices = nodes.child(root, "slices")
    return [key for key in getattr(slices and slices.node, "entries", ()) if "." not in key]


def _entry(root: nodes.Node, path: str) -> nodes.Entry | None:
    """What stands at a key path."""
    entry: nodes.Entry | None = nodes.Entry(root, root.mark)
    for key in path.split("."):
        entry = nodes.child(entry.node, key) if entry else None
    return entry


def _registered(hook: str) -> Iterable[str]:
    from netsim.plugins import registered_names  # looking for plugins takes time, and most scenarios name none

    return registered_names(hook)


# -- traces


def resolve_inside(folder: Path | None, name: str) -> Path:
    """The file ``name`` of a scenario's folder; nothing outside that folder is ever opened.

    Raises
    ------
    ScenarioError
        If ``name`` is absolute, climbs out, leads out over a link, or is no file.
    """
    rule = "must be loaded from a file to have traces" if folder is None else _path_rule(folder, name)
    if folder is None or rule:
        raise ScenarioFaults(Fault("", 0, 0, "file", rule or "", shown_text(name)))
    return (folder / name).resolve()


def _trace_faults(root: nodes.Node, folder: Path | None) -> Iterator[Fault]:
    for slice_name in _slices(root):
        key = f"slices.{slice_name}.traffic.file"
        entry = _entry(root, key)
        name = entry.node.value if entry and isinstance(entry.node, nodes.Text) else None
        if entry and isinstance(name, str) and (rule := _path_rule(folder, name)):
            yield entry.node.mark.fault(key, rule, shown_text(name))


def _faults_within_traces(scenario: Scenario) -> Iterator[Fault]:
    """The first wrong row of each recorded trace."""
    for name, part in scenario.slices.items():
        if not isinstance(part.traffic, Trace):
            continue
        from netsim.traces import read  # few scenarios have traces, and it takes longer to import than to check one

        try:
            read(part.traffic.file, scenario.folder, repeat=part.traffic.repeat)
        except ScenarioError as error:
            yield Fault("", 0, 0, f"slices.{name}.traffic.file", str(error))


def _path_rule(folder: Path | None, name: str) -> str | None:
    """The rule that a trace's name breaks; without a folder only its form can be judged."""
    if not _is_relative(name):
        return "must be a relative path inside the scenario's folder"
    if folder is None:
        return None
    try:
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            return "must not lead outside the scenario's folder"
        return None if path.is_file() else "must be a file in the scenario's folder"
    except (OSError, RuntimeError):  # RuntimeError: a circle of links
        return "must be a file in the scenario's folder"


def _is_relative(name: str) -> bool:
    windows = PureWindowsPath(name)
    climbs = ".." in re.split(r"[/\\]", name)
    return name.isprintable() and not (name.startswith(("~", "/", "\\")) or windows.drive or climbs)
