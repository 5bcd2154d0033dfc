"""What ``netsim list`` says: a name and a line about it."""

import inspect
from collections.abc import Iterator
from typing import Any, get_args

from netsim.plugins import BuiltIn, Named, PluginSet, installed, offers
from netsim.scenario import PathLoss, Scheduler, Traffic

HEADINGS = ("controllers", "scenarios", "studies", "traffic", "schedulers", "path-loss", "plants", "plugins")
"""What netsim itself lists; plugins add more."""


def headings() -> list[str]:
    """Everything that ``netsim list`` lists, in order."""
    return list(dict.fromkeys([*HEADINGS[:-1], *(name for offer in _further() for name in offer), HEADINGS[-1]]))


def listing(what: str) -> Iterator[tuple[str, str]]:
    """Names and descriptions under one of the headings of ``netsim list``."""
    further = ((name, line) for offer in _further() for name, line in offer.get(what, {}).items())
    return further if what not in HEADINGS else _own(what)


def _further() -> list[dict[str, dict[str, str]]]:
    return offers("listings")[0]


def _own(what: str) -> Iterator[tuple[str, str]]:
    if what == "scenarios":
        return _scenarios()
    if what == "studies":
        return _studies()
    if what == "plugins":
        return _plugins()
    if what in ("controllers", "plants"):
        return _offered(what)
    part, key, hook = _PARTS[what]
    return iter([*_built_in(part, key), *_offered(hook)])


_PARTS = {
    "traffic": (Traffic, "kind", "traffic_kinds"),
    "schedulers": (Scheduler, "kind", "schedulers"),
    "path-loss": (PathLoss, "model", "path_loss_models"),
}
"""The parts of a scenario that come in kinds: type, key in the file, hook by which plugins add some."""


def _offered(hook: str) -> Iterator[tuple[str, str]]:
    """What plugins offer; one that is broken hides nothing of the others."""
    there = PluginSet([*installed().plugins, Named("netsim", BuiltIn())])
    return ((name, _first_line(make)) for name, make in there.factories(hook).items())


def _built_in(part: Any, key: str) -> Iterator[tuple[str, str]]:
    for tagged in get_args(get_args(part)[0]):
        model = get_args(tagged)[0]
        names = get_args(model.model_fields[key].annotation)
        if names:  # the part that stands for plugins has no name of its own
            yield names[0], _first_line(model)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")


def _scenarios() -> Iterator[tuple[str, str]]:
    from netsim.library import scenario_names
    from netsim.loading import describe

    return ((name, describe(name)) for name in scenario_names())


def _studies() -> Iterator[tuple[str, str]]:
    from netsim.library import study_names
    from netsim.studies.loading import read_study

    return ((name, read_study(name).study.description.partition("\n")[0]) for name in study_names())


def _plugins() -> Iterator[tuple[str, str]]:
    there = installed()
    for plugin in there.plugins:
        yield plugin.name, _first_line(plugin.plugin)
    for error in there.errors:
        yield "broken", str(error)
