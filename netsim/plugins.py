"""Plugins: finding them, checking their form, and calling them in a fixed order.

Plugins are called in this order: those named for the run, in the order of the command line; then the controller; then
those found through the entry-point group ``netsim.plugins``, by the names of their distribution and entry point; then
what comes with netsim. So the first named plugin whose ``decide_allocation`` returns an allocation decides.
"""

import functools
import importlib.metadata
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

from netsim.errors import InputError, NetsimError, PluginError
from netsim.hooks import hookimpl
from netsim.loadobject import blamed, load_object, load_object_inside, suggestion
from netsim.pluginform import faults
from netsim.pluginset import NAMING_HOOKS, Named, PluginSet, refuse_faults

if TYPE_CHECKING:
    import click

    from netsim.scenario import Scenario
    from netsim.simulation import Plant, Simulation

__all__ = [
    "Named",
    "PluginSet",
    "attach",
    "create",
    "faults",
    "in_force",
    "installed",
    "load_object",
    "make_controller",
    "make_plant",
    "plugin_set",
    "processes_of",
    "registered_names",
    "using",
]

GROUP = "netsim.plugins"


class BuiltIn:
    """What comes with netsim."""

    @hookimpl
    def controllers(self) -> Mapping[str, Callable[..., object]]:
        """The controllers of :mod:`netsim.controllers`."""
        from netsim.controllers import BUILT_IN

        return BUILT_IN


# -- what is there -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Installed:
    """What the entry points gave: plugins by name, and an error for each that could not be loaded."""

    plugins: tuple[Named, ...]
    errors: tuple[NetsimError, ...]


@functools.cache
def installed() -> Installed:
    """The plugins of installed distributions, loaded once a process."""
    found: list[Named] = []
    errors: list[NetsimError] = []
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: (_distribution(e), e.name)):
        try:
            with blamed(f"plugin {entry.name!r} of the distribution {_distribution(entry)!r} cannot be loaded"):
                named = Named(entry.name, _instance(entry.load()))
            refuse_faults(named)
            found.append(named)
        except NetsimError as error:
            errors.append(error)
    return Installed(tuple(found), tuple(errors))


def _distribution(entry: importlib.metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "unknown"


def _instance(target: object) -> object:
    """A plugin from what a name stands for: a class or factory is called, anything else is the plugin itself."""
    return target() if _makes(target) else target


def _makes(target: object) -> TypeGuard[Callable[..., object]]:
    return inspect.isclass(target) or inspect.isfunction(target)


def installed_commands() -> tuple[dict[str, "click.Command"], tuple[NetsimError, ...]]:
    """The commands that installed plugins add, by name, and an error for each plugin that is broken.

    A broken plugin is no reason to refuse the other commands, so nothing is raised here.
    """
    there = installed()
    found: dict[str, click.Command] = {}
    errors = list(there.errors)
    for plugin in there.plugins:
        offer = getattr(plugin.plugin, "commands", None)
        if offer is None:
            continue
        try:
            with blamed(f"plugin {plugin.name!r} failed in commands"):
                found |= {str(command.name): command for command in offer() if str(command.name) not in found}
        except NetsimError as error:
            errors.append(error)
    return found, tuple(errors)


def offers(hook: str, **passed: object) -> tuple[list[Any], tuple[NetsimError, ...]]:
    """What the installed plugins and netsim's own say when a hook is called, and an error for each that is broken."""
    found: list[Any] = []
    errors: list[NetsimError] = []
    for plugin in (*installed().plugins, Named("netsim", BuiltIn())):
        try:
            found += getattr(PluginSet([plugin]).hook, hook)(**passed)
        except NetsimError as error:
            errors.append(error)
    return found, tuple(errors)


def attach(plugin: str | object | Named) -> Named:
    """Load the plugin that a specification names, or give an object its name.

    Raises
    ------
    PluginError
        If it cannot be found or loaded.
    """
    if isinstance(plugin, Named):
        return plugin
    if not isinstance(plugin, str):
        return Named(name_of(plugin), _instance(plugin))
    with blamed(f"plugin {plugin!r} cannot be made"):
        return Named(plugin, _instance(load_object(plugin)))


def plugin_set(named: Iterable[Named] = ()) -> PluginSet:
    """The named plugins, the installed ones, and netsim's own.

    Raises
    ------
    PluginError
        If one has the wrong form, or an installed one cannot be loaded.
    """
    there = installed()
    if there.errors:
        raise there.errors[0]
    own = Named("netsim", BuiltIn())
    return PluginSet([*named, *there.plugins, own])


def name_of(plugin: object) -> str:
    """What an object is called when nobody named it: its class, or its module's name."""
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    kind = plugin if inspect.isclass(plugin) else type(plugin)
    return f"{kind.__module__}:{kind.__qualname__}"


_in_force: ContextVar[PluginSet | None] = ContextVar("netsim_plugins", default=None)


@contextmanager
def using(plugins: PluginSet) -> Iterator[None]:
    """Within the block, names are looked up among these plugins."""
    token = _in_force.set(plugins)
    try:
        yield
    finally:
        _in_force.reset(token)


def in_force() -> PluginSet:
    """The plugins among which names are looked up: those of :func:`using`, else the installed ones and netsim's."""
    return _in_force.get() or plugin_set()


def processes_of(plugins: PluginSet) -> "Callable[[Simulation], list[Any]]":
    """What plugins run beside the base station, as a :class:`~netsim.simulation.Simulation` takes it."""
    return lambda simulation: [p for some in plugins.hook.processes(simulation=simulation) for p in some]


def registered_names(hook: str) -> frozenset[str]:
    """The names that plugins offer under ``controllers``, ``traffic_kinds``, ``schedulers``, ``path_loss_models``."""
    return frozenset(in_force().factories(hook))


def create(hook: str, name: str, options: Mapping[str, Any], folder: Path | None) -> Any:
    """Make what a scenario names: a registered name, ``pkg.module:Class``, or ``file.py:Class`` in its ``folder``.

    Raises
    ------
    InputError
        If nothing has this name.
    PluginError
        If the file is not inside the folder, the class cannot be loaded, or it refuses the options.
    """
    make = factory(hook, name, functools.partial(load_object_inside, folder))
    return _made(NAMING_HOOKS[hook], name, make, (), options)


def factory(hook: str, name: str, load: Callable[[str], object] = load_object) -> Callable[..., Any]:
    """What a name under a naming hook stands for; a name with a colon that nobody registered is left to ``load``."""
    known = in_force().factories(hook)
    if name in known:
        return known[name]
    if ":" not in name:
        kind = NAMING_HOOKS[hook]
        names = ", ".join(sorted(known)) or "none are installed"
        form = "or pkg.module:Class or path/file.py:Class"
        raise InputError(f"there is no {kind} {name!r}{suggestion(name, known)}; known: {names}, {form}")
    target = load(name)
    if not callable(target):
        raise PluginError(f"{NAMING_HOOKS[hook]} {name!r} must be a class or a function that makes one")
    return target


def _made(kind: str, name: str, make: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    with blamed(f"{kind} {name!r} cannot be made"):
        return make(*args, **kwargs)


def make_controller(controller: str | object, scenario: "Scenario") -> object:
    """A controller from ``NAME``, ``NAME:TEXT``, ``pkg.module:Class``, ``file.py:Class``, a class, or one that is made.

    A registered name before the first colon wins. What has a parameter ``scenario`` is given it.

    Raises
    ------
    InputError
        If there is no such controller, or its text is wrong.
    PluginError
        If it cannot be loaded or made.
    """
    if not isinstance(controller, str):
        return _controller(name_of(controller), controller, (), scenario) if _makes(controller) else controller
    head, colon, text = controller.partition(":")
    if head in in_force().factories("controllers"):
        return _controller(controller, factory("controllers", head), (text,) if colon else (), scenario)
    target = load_object(controller) if colon else factory("controllers", controller)
    return _controller(controller, target, (), scenario) if _makes(target) else target


def make_plant(spec: str, scenario: "Scenario") -> "Plant":
    """A plant from ``NAME:TEXT``: what a plugin offers beside the simulator, of a scenario.

    Raises
    ------
    InputError
        If there is no such plant, or its text is wrong.
    PluginError
        If it cannot be loaded or made.
    """
    head, colon, text = spec.partition(":")
    if not colon:
        raise InputError(f"a plant is written NAME:TEXT, as in twin:RUN_DIR, got {spec!r}")
    plant: Plant = _made("plant", spec, factory("plants", head), (text,), {"scenario": scenario})
    return plant


def _controller(spec: str, make: Callable[..., object], text: tuple[str, ...], scenario: "Scenario") -> object:
    try:
        signature = inspect.signature(make)
    except ValueError:  # a compiled class that does not tell
        signature = inspect.Signature()
    given = {"scenario": scenario} if "scenario" in signature.parameters else {}
    if text and not _accepts(signature, text, given):
        raise InputError(f"controller {spec!r}: nothing may follow the name, it takes no text")
    return _made("controller", spec, make, text, given)


def _accepts(signature: inspect.Signature, args: Sequence[object], kwargs: Mapping[str, object]) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True
