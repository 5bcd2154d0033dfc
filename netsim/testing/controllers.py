"""Tell the author of a controller what is wrong with it."""

import copy
import difflib
import gc
import inspect
import io
import os
import random
import signal
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from netsim import allocations
from netsim.errors import AllocationError, NetsimError
from netsim.loadobject import blamed, load_object
from netsim.pluginform import HOOKS, MARK, faults, routines
from netsim.pluginset import Named, PluginSet
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from netsim.testing.reports import sample_reports


def check_controller(controller: object, scenario: Scenario | str | Path = "tiny") -> list[str]:
    """Try a controller out on reports made by hand; a line for each thing that is wrong, none if nothing is.

    Parameters
    ----------
    controller
        A class, an instance, or ``pkg.module:Class`` or ``file.py:Class``. Of a class two instances are compared, to
        see whether the same reports lead to the same decisions; of an instance, two deep copies.
    scenario
        What it is to control.

    Examples
    --------
    >>> class Half:
    ...     def decide_allocation(self, report):
    ...         return [10, 5, 5]
    >>> print(*check_controller(Half))
    decide_allocation has a hook's name but is not marked with @netsim.hookimpl
    """
    from netsim.loading import load_scenario

    scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    try:
        fresh = _maker(controller, scenario)
        first, second = fresh(), fresh()
    except NetsimError as error:
        return [str(error)]
    return _form(first) or _behaviour(first, second, scenario)


def _maker(controller: object, scenario: Scenario) -> Callable[[], object]:
    target: Any = load_object(controller) if isinstance(controller, str) else controller

    def make() -> object:
        with blamed("a new instance cannot be made"):
            if not inspect.isclass(target) and not inspect.isfunction(target):
                return copy.deepcopy(target)
            new: Callable[..., object] = target
            return new(scenario=scenario) if "scenario" in inspect.signature(new).parameters else new()

    return make


def _form(controller: object) -> list[str]:
    found = [*faults(controller), *_misspelt(controller)]
    marked = {
        getattr(method, MARK)["specname"] or name for name, method in routines(controller) if hasattr(method, MARK)
    }
    if not found and "decide_allocation" not in marked:
        found.append("decide_allocation is missing: it decides nothing")
    return found


def _misspelt(controller: object) -> Iterator[str]:
    """Methods without a mark whose names are nearly those of hooks."""
    for name, method in routines(controller):
        near = difflib.get_close_matches(name, HOOKS, n=1, cutoff=0.85)
        if near and name not in HOOKS and not hasattr(method, MARK):
            yield f"{name} is not marked with @netsim.hookimpl and is no hook, did you mean {near[0]!r}?"


def _behaviour(first: object, second: object, scenario: Scenario) -> list[str]:
    found: list[str] = []
    with _surroundings_watched(found):
        decisions = _played(first, scenario, found)
        again = _played(second, scenario, [])
    if decisions != again:
        found.append("two instances decide differently on the same reports: it is not deterministic")
    return list(dict.fromkeys(found))


def _played(controller: object, scenario: Scenario, found: list[str]) -> list[object]:
    """Go through a short run and return what was decided."""
    try:
        plugins = PluginSet([Named("the controller", controller)])
    except NetsimError as error:
        found.append(str(error))
        return []
    decisions: list[object] = []
    kept: list[weakref.ref[PeriodReport]] = []
    _tried(lambda: plugins.hook.run_started(scenario=scenario, seed=1), "", found)
    for what, report in sample_reports(scenario):
        before = copy.deepcopy(report)
        _tried(lambda report=report: plugins.hook.period_ended(report=report), what, found)  # type: ignore[misc]
        decisions.append(_decision(plugins, report, scenario, what, found))
        if report != before:
            found.append(f"it changes the report ({what})")
        kept.append(weakref.ref(report))
        del report, before
    gc.collect()
    if sum(each() is not None for each in kept) > 1:
        found.append("it keeps the reports of past periods: copy the figures that are needed")
    _tried(lambda: plugins.hook.run_ended(summary={"faults": 0, "slices": {}}), "", found)
    return decisions


def _tried(call: Callable[[], object], what: str, found: list[str]) -> object:
    try:
        return call()
    except NetsimError as error:
        found.append(str(error).removeprefix("plugin 'the controller' ") + (f" ({what})" if what else ""))
        return None


def _decision(plugins: PluginSet, report: PeriodReport, scenario: Scenario, what: str, found: list[str]) -> object:
    known = len(found)
    allocation = _tried(lambda: plugins.hook.decide_allocation(report=report), what, found)
    if len(found) > known:
        return None
    if allocation is None:
        found.append(f"decide_allocation returns None, so another plugin must decide ({what})")
        return None
    try:
        return allocations.check(allocation, scenario.carrier.units, len(scenario.slices))
    except AllocationError as error:
        found.append(f"decide_allocation: {error} ({what})")
        return None


@contextmanager
def _surroundings_watched(found: list[str]) -> Iterator[None]:
    """Note what a plugin changes around itself, and put it back."""
    folder, filters = Path.cwd(), list(warnings.filters)
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002  # the very thing watched
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with redirect_stdout(io.StringIO()) as printed:
        yield
    if printed.getvalue():
        found.append("it prints to standard output, which belongs to the results: use standard error")
    numpy_after = np.random.get_state()  # noqa: NPY002
    if _comparable(numpy_after) != _comparable(numpy_state) or random.getstate() != python_state:
        found.append("it uses global random state: make a generator from the seed of run_started")
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
    if not _is_here(folder):
        found.append("it changes the working folder")
        os.chdir(folder)
    if (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) != handlers:
        found.append("it changes the handling of signals")
    if list(warnings.filters) != filters:
        found.append("it changes the filters of warnings")


def _comparable(numpy_state: Any) -> tuple[object, ...]:
    name, keys, *rest = numpy_state
    return name, np.asarray(keys).tobytes(), *rest


def _is_here(folder: Path) -> bool:
    try:
        return Path.cwd() == folder
    except OSError:  # it went to a folder and removed it
        return False
