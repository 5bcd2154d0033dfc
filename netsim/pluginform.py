"""The form of a plugin: what is checked when one is registered."""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

from netsim.hooks import PROJECT, Hooks
from netsim.loadobject import suggestion

HOOKS = {name: spec for name, spec in vars(Hooks).items() if not name.startswith("_")}
"""Every hook's specification by its name."""

MARK = f"{PROJECT}_impl"
"""The attribute that ``@netsim.hookimpl`` leaves on a function."""


def faults(plugin: object) -> list[str]:
    """What is wrong with the form of a plugin, a line each; empty if nothing is."""
    found, implements = [], False
    for attribute, method in routines(plugin):
        options = getattr(method, MARK, None)
        if options is not None:
            implements = True
            found += _marked_faults(attribute, options.get("specname") or attribute, method)
            if (options["wrapper"] or options["hookwrapper"]) and not inspect.isgeneratorfunction(method):
                found.append(f"{attribute} is a wrapper, so it must be a generator function that yields once")
        elif attribute in HOOKS:
            found.append(f"{attribute} has a hook's name but is not marked with @netsim.hookimpl")
    if not implements and not found:
        found.append("no method is marked with @netsim.hookimpl")
    return found


def routines(plugin: object) -> Iterator[tuple[str, Callable[..., object]]]:
    """Methods of an object, or the functions that a module defines itself; properties are not run."""
    for name in dir(plugin):
        static = inspect.getattr_static(plugin, name, None)
        if isinstance(static, property | functools.cached_property) or name.startswith("__"):
            continue
        value = getattr(plugin, name, None)
        if not inspect.isroutine(value):
            continue
        if isinstance(plugin, ModuleType) and getattr(value, "__module__", None) != plugin.__name__:
            continue
        yield name, value


def _marked_faults(attribute: str, hook: str, method: Callable[..., object]) -> list[str]:
    if hook not in HOOKS:
        return [f"{attribute} is marked with @netsim.hookimpl but no hook has this name{suggestion(hook, HOOKS)}"]
    passed = [p for p in inspect.signature(HOOKS[hook]).parameters if p != "self"]
    return [fault for p in inspect.signature(method).parameters.values() for fault in _argument_faults(p, hook, passed)]


def _argument_faults(parameter: inspect.Parameter, hook: str, passed: Sequence[str]) -> list[str]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.default is not parameter.empty:
        return []
    known = f"it passes {', '.join(passed)}" if passed else "it passes nothing"
    if parameter.name not in passed:
        hint = suggestion(parameter.name, passed)
        return [f"{hook} takes {parameter.name!r}, which the hook does not pass; {known}{hint}"]
    if parameter.kind is parameter.KEYWORD_ONLY:
        return [f"{hook} takes {parameter.name!r} by keyword only; it must be an ordinary argument"]
    return []
