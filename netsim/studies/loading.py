"""Study files: found, read, changed by ``--smoke`` and ``--set``, and checked as scenarios are."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from netsim import nodes, reading
from netsim.diagnosis import translated
from netsim.faults import Fault, ScenarioFaults, closest, in_order, shown_text
from netsim.library import library, study_names
from netsim.loading import text_of
from netsim.overriding import override_faults
from netsim.studies.form import Study


class Source(NamedTuple):
    """A study as it was read: its values, and the nodes that know where each stands."""

    study: Study
    root: nodes.Node
    here: Path | None
    """The folder of the file; ``None`` for a study that ships with netsim."""

    def fault(self, path: str, rule: str, value: str | None = None, suggestion: str | None = None) -> Fault:
        """A fault at a key path, or at the nearest part above it that is there."""
        mark, node = self.root.mark, nodes.Entry(self.root, self.root.mark)
        for key in path.split("."):
            entry = nodes.child(node.node, key)
            if entry is None:
                break
            node, mark = entry, entry.node.mark
        return mark.fault(path, rule, value, suggestion)


def read_study(source: str | os.PathLike[str], overrides: Iterable[str] = (), *, smoke: bool = False) -> Source:
    """Read a study: the name of a shipped one, or the path of a file.

    ``overrides`` are texts ``key.path=value`` that replace values of the file, as ``parameters.seeds=3``; with
    ``smoke`` the parameters of a quick try are put in place first.

    >>> read_study("fig5-fig6", ["parameters.seeds=3"]).study.parameters["seeds"]
    3

    Raises
    ------
    ScenarioError
        With one line per fault, ``file:line:col: key: rule, got value``.
    """
    shipped = _shipped(source)
    path = Path(os.fsdecode(source)) if shipped is None else shipped
    here = path.parent.resolve() if shipped is None and isinstance(path, Path) else None
    return parse_study(text_of(path), str(path), overrides, smoke=smoke, here=here)


def parse_study(
    text: str, file: str = "<text>", overrides: Iterable[str] = (), *, smoke: bool = False, here: Path | None = None
) -> Source:
    """The study that a text describes; ``file`` stands for it in messages.

    Raises
    ------
    ScenarioError
        As :func:`read_study` does.
    """
    read = reading.read(text, file)
    if read.root is None:
        raise ScenarioFaults(*in_order(read.faults or [Fault(file, 1, 1, "file", "must not be empty")]))
    root, faults = read.root, list(read.faults)
    if smoke:
        _put_smoke(root)
    faults += [fault for override in overrides for fault in override_faults(root, override)]
    try:
        study = Study.model_validate(nodes.plain(root))
    except ValidationError as error:
        known = {fault.key for fault in faults}
        raise ScenarioFaults(
            *in_order([*faults, *(fault for fault in _faults(error, root) if fault.key not in known)])
        ) from None
    found = Source(study, root, here)
    faults += _smoke_faults(found)
    if faults:
        raise ScenarioFaults(*in_order(faults))
    return found


def _faults(error: ValidationError, root: nodes.Node) -> Iterator[Fault]:
    for detail in error.errors(include_url=False, include_input=False):
        for fault in translated(detail, Study, root):
            yield replace(fault, key="study") if fault.key == "scenario" else fault


def _put_smoke(root: nodes.Node) -> None:
    """Put the parameters of a quick try in place of the others."""
    parameters, smoke = nodes.child(root, "parameters"), nodes.child(root, "smoke")
    if parameters and smoke and isinstance(parameters.node, nodes.Mapping) and isinstance(smoke.node, nodes.Mapping):
        parameters.node.entries.update(
            {name: entry for name, entry in smoke.node.entries.items() if name in parameters.node.entries}
        )


def _smoke_faults(source: Source) -> Iterator[Fault]:
    known = source.study.parameters
    for name in source.study.smoke:
        if name not in known:
            yield source.fault(f"smoke.{name}", "must be one of the parameters", None, closest(name, known))


def _shipped(source: str | os.PathLike[str]) -> Traversable | None:
    """The shipped file of that name; ``None`` for a path. A bare word that is neither is an error."""
    if not isinstance(source, str) or "/" in source or os.sep in source or source.endswith((".yaml", ".yml")):
        return None
    if source in (names := study_names()):
        return library() / "studies" / f"{source}.yaml"
    rule = f"must be the path of a file that ends in .yaml, or one of {', '.join(names)}"
    raise ScenarioFaults(Fault("", 0, 0, "study", rule, shown_text(source), closest(source, names)))
