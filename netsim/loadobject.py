"""Objects of somebody else's code, named as ``pkg.module:Class`` or ``path/to/file.py:Class``."""

import difflib
import functools
import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from netsim.errors import InputError, PluginError, RunError
from netsim.faults import ScenarioFaults


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turn an exception of somebody else's code into a :class:`PluginError` that begins with ``what``."""
    try:
        yield
    except (InputError, RunError, PluginError):
        raise
    except (Exception, SystemExit) as error:
        text = f": {error}" if str(error) else ""
        raise PluginError(f"{what}: {type(error).__name__}{text}") from error


def suggestion(name: str, known: Iterable[str]) -> str:
    """``, did you mean 'x'?`` where something known is near, else nothing.

    >>> suggestion("decide_alocation", ["period_ended", "decide_allocation"])
    ", did you mean 'decide_allocation'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def load_object(spec: str) -> object:
    """What ``pkg.module:Class`` or ``path/to/file.py:Class`` names. It runs that code: only name what you trust.

    A module is looked for where Python looks, then in the working folder; a file from the working folder on.

    Raises
    ------
    PluginError
        If the file, module or class is not there (``exit_status`` 2), or importing it raises.
    """
    return _load(spec, Path)


def load_object_inside(folder: Path | None, spec: str) -> object:
    """Like :func:`load_object`, for what a scenario names: a file must be inside ``folder``, the scenario's.

    ``folder`` is ``None`` if the scenario was not a file; then it can name modules only.

    Raises
    ------
    PluginError
        As :func:`load_object`; and, with ``exit_status`` 2, if the file is not inside the folder.
    """

    def locate(name: str) -> Path:
        from netsim.loading import resolve_inside  # here, because loading looks for plugins' names

        if folder is None:
            raise _input_fault(f"plugin {spec!r}: a scenario that is not a file can name modules only")
        try:
            return resolve_inside(folder, name)
        except ScenarioFaults as error:
            raise _input_fault(f"plugin {spec!r}: {error.faults[0].rule}") from None

    return _load(spec, locate)


def _load(spec: str, locate: Callable[[str], Path]) -> object:
    where, colon, name = spec.rpartition(":")
    if not colon or not where or not name:
        raise _input_fault(f"{spec!r} must have the form pkg.module:Class or path/file.py:Class")
    module = _file_module(spec, locate(where)) if where.endswith(".py") else _named_module(spec, where)
    target: object = module
    for part in name.split("."):
        if not hasattr(target, part):
            raise _input_fault(f"plugin {spec!r}: {where} has no {name!r}{suggestion(part, _public(target))}")
        target = getattr(target, part)
    return target


def _public(namespace: object) -> list[str]:
    return [name for name in dir(namespace) if not name.startswith("_")]


def _input_fault(message: str) -> PluginError:
    error = PluginError(message)
    error.exit_status = 2
    return error


def _file_module(spec: str, path: Path) -> ModuleType:
    """The file, run once for each content, under a module name of its own."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _input_fault(f"plugin {spec!r}: cannot read {path}: {error.strerror}") from None
    digest = hashlib.sha256(os.fsencode(path.resolve()) + b"\0" + content).hexdigest()[:16]
    name = f"netsim_file_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{digest}"
    return sys.modules.get(name) or _run_file(spec, path, name)


def _run_file(spec: str, path: Path, name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, path.resolve())
    if found is None or found.loader is None:
        raise _input_fault(f"plugin {spec!r}: {path} is no Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        with blamed(f"plugin {spec!r}: {path} raised when it was loaded"):
            found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _named_module(spec: str, name: str) -> ModuleType:
    if name.startswith("."):
        raise _input_fault(f"plugin {spec!r}: {name!r} must be an absolute module name")
    with _working_folder_last(), blamed(f"plugin {spec!r}: {name} raised when it was imported"):
        try:
            module = importlib.import_module(name)
            _digest_of_loaded(module)
            return module
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                raise _input_fault(f"plugin {spec!r}: there is no module {error.name!r}") from None
            raise


# -- what a module holds, looked at without running it -----------------------------------------------------------------


def module_digest(name: str) -> str | None:
    """SHA-256 of the source that a module was imported from, or would be; nothing is imported.

    ``None`` if there is none: no such module, or one that is not in a file.
    """
    loaded = sys.modules.get(name)
    return _digest(_found(name)) if loaded is None else _digest_of_loaded(loaded)


@functools.cache
def _digest_of_loaded(module: ModuleType) -> str | None:
    """Taken once, when the module is loaded: a later edit is not what this process runs."""
    return _digest(getattr(module, "__spec__", None))


def _digest(found: ModuleSpec | None) -> str | None:
    if found is None or not found.has_location or found.origin is None:
        return None
    try:
        read = getattr(found.loader, "get_data", lambda path: Path(path).read_bytes())  # a loader of zip files, say
        return hashlib.sha256(read(found.origin)).hexdigest()
    except OSError:
        return None


def _found(name: str) -> ModuleSpec | None:
    """Where Python would find a module; :func:`importlib.util.find_spec` would import its packages."""
    package, dot, _ = name.rpartition(".")
    folders = None
    if dot:
        around = _found(package)
        if around is None or around.submodule_search_locations is None:
            return None
        folders = around.submodule_search_locations
    with _working_folder_last(), suppress(ImportError, KeyError, ValueError):
        for finder in sys.meta_path:
            if (found := finder.find_spec(name, folders)) is not None:
                return found
    return None


@contextmanager
def _working_folder_last() -> Iterator[None]:
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        if folder in sys.path:
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(folder)]
