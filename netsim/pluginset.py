"""Plugins in force: registered, checked, called in order, and named when they raise."""

import functools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pluggy

from netsim.errors import PluginError
from netsim.hooks import PROJECT, Hooks
from netsim.loadobject import blamed
from netsim.pluginform import MARK, faults, routines

NAMING_HOOKS = {
    "controllers": "controller",
    "traffic_kinds": "traffic kind",
    "schedulers": "scheduler",
    "path_loss_models": "path-loss model",
    "plants": "plant",
}
"""Hooks that return names and factories, and what one of them is called."""


@dataclass(frozen=True)
class Named:
    """A plugin and what it is called in messages and manifests."""

    name: str
    plugin: object


def _guarded(named: Named, decided: Callable[[str], None]) -> SimpleNamespace:
    """The plugin's hooks, each of which names the plugin when it raises, and tells when it decided."""
    hooks = {
        attribute: _guard(named.name, attribute, method, decided)
        for attribute, method in routines(named.plugin)
        if getattr(method, MARK, None) is not None
    }
    return SimpleNamespace(**hooks)


def _guard(name: str, attribute: str, method: Callable[..., Any], decided: Callable[[str], None]) -> Callable[..., Any]:
    options = getattr(method, MARK)
    hook = options["specname"] or attribute
    if options["wrapper"] or options["hookwrapper"]:
        return _guarded_wrapper(f"plugin {name!r} failed in {hook}", method)

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with blamed(f"plugin {name!r} failed in {hook}"):
            result = method(*args, **kwargs)
            if hook == "decide_allocation" and result is not None:
                decided(name)
            return _guarded_processes(name, result) if hook == "processes" else result

    return call


def _guarded_wrapper(what: str, method: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    """What the wrapped hooks raise comes by here too, and keeps the name that it has."""

    @functools.wraps(method)
    def wrap(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with blamed(what):
            return (yield from method(*args, **kwargs))

    return wrap


def _guarded_processes(name: str, processes: Any) -> list[Generator[Any, Any, Any]]:
    def guarded(process: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        with blamed(f"plugin {name!r} failed in a process of its own"):
            return (yield from process)

    return [guarded(process) for process in _listed(name, processes)]


def _listed(name: str, processes: Any) -> list[Generator[Any, Any, Any]]:
    """The processes, if they are some: a hook that is a process itself would be asked for the next one for ever."""
    listed = [] if processes is None else processes
    wrong = [listed]
    if isinstance(listed, Iterable) and not isinstance(listed, Generator):
        listed = list(listed)
        wrong = [process for process in listed if not isinstance(process, Generator)]
    if wrong:
        got = f"a {type(wrong[0]).__name__}" if wrong[0] is listed else f"a {type(wrong[0]).__name__} among them"
        rule = "processes must return a list of generators"
        raise PluginError(f"plugin {name!r}: {rule}, got {got}; write `return [self.p(simulation)]`")
    return listed


class PluginSet:
    """Plugins in the order in which they are called, and ``hook``, through which all are called at once."""

    def __init__(self, plugins: Iterable[Named]) -> None:
        """Register plugins, the first to be called first.

        Raises
        ------
        PluginError
            If one has the wrong form: a misspelt or unmarked hook, an argument that the hook does not pass.
        """
        self.plugins = tuple(_distinct(plugins))
        self.decided_by: str | None = None
        """The plugin whose ``decide_allocation`` last returned something."""
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        for named in reversed(self.plugins):  # pluggy calls the last registered first
            refuse_faults(named)
            self._manager.register(_guarded(named, self._decided), named.name)
        self._manager.check_pending()

    def _decided(self, name: str) -> None:
        self.decided_by = name

    @property
    def hook(self) -> Any:
        """Calls a hook of all plugins, with keyword arguments."""
        return self._manager.hook

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the plugins, in calling order."""
        return tuple(named.name for named in self.plugins)

    def implementers(self, hook: str) -> tuple[str, ...]:
        """Names of the plugins that implement a hook, in calling order."""
        return tuple(impl.plugin_name for impl in reversed(getattr(self.hook, hook).get_hookimpls()))

    def factories(self, hook: str) -> dict[str, Callable[..., object]]:
        """Name -> factory of all that the plugins offer under a naming hook.

        Raises
        ------
        PluginError
            If two plugins offer the same name, or one offers something else than names and factories.
        """
        found: dict[str, Callable[..., object]] = {}
        owners: dict[str, str] = {}
        for impl in reversed(getattr(self.hook, hook).get_hookimpls()):
            for name, make in _offered(impl.plugin_name, hook, impl.function()).items():
                if name in found:
                    kind = NAMING_HOOKS[hook]
                    raise PluginError(f"{kind} {name!r} is offered by {owners[name]!r} and by {impl.plugin_name!r}")
                found[name], owners[name] = make, impl.plugin_name
        return found


def _offered(plugin: str, hook: str, offer: object) -> Mapping[str, Callable[..., object]]:
    if isinstance(offer, Mapping) and all(isinstance(k, str) and callable(v) for k, v in offer.items()):
        return offer
    raise PluginError(f"plugin {plugin!r}: {hook} must return a mapping of names to factories")


def _distinct(plugins: Iterable[Named]) -> Iterator[Named]:
    taken: dict[str, int] = {}
    for named in plugins:
        taken[named.name] = taken.get(named.name, 0) + 1
        yield named if taken[named.name] == 1 else Named(f"{named.name} ({taken[named.name]})", named.plugin)


def refuse_faults(named: Named) -> None:
    found = faults(named.plugin)
    if found:
        raise PluginError(f"plugin {named.name!r} has the wrong form: {'; '.join(found)}")
