"""Changes to netsim at test time: a text replaced in a module's source, and the functions' new code put in place.

Only bodies of functions can be changed, and only while kernels are plain Python: a compiled one would not notice.
Function objects stay the same and get other code, so whoever imported them by name runs the changed one.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any


class PatchError(Exception):
    """A patch does not fit the source: it matches nowhere, in several places, or outside of functions."""


def source_of(module_name: str) -> str:
    """The text of a module of netsim."""
    return Path(str(importlib.import_module(module_name).__file__)).read_text()


def replaced(text: str, before: str, after: str) -> str:
    """The text with the one occurrence of ``before`` replaced.

    Raises
    ------
    PatchError
        There is not exactly one.
    """
    found = text.count(before)
    if found != 1:
        raise PatchError(f"must match exactly once, matches {found} times: {before!r}")
    return text.replace(before, after)


def put_in_place(module_name: str, text: str) -> None:
    """Give the functions of a module the code that its source would have with another text.

    Raises
    ------
    PatchError
        As for :func:`check_fits`.
    """
    check_fits(module_name, text)
    module = importlib.import_module(module_name)
    codes = dict(_codes(compile(text, str(module.__file__), "exec")))
    for function in _functions(module):
        function.__code__ = codes[function.__code__.co_qualname]


def check_fits(module_name: str, text: str) -> None:
    """Whether a module can be given another text.

    Raises
    ------
    PatchError
        It is no Python, or differs from the module outside of the bodies of functions.
    """
    try:
        ours, theirs = _skeleton(source_of(module_name)), _skeleton(text)
    except SyntaxError as error:
        raise PatchError(f"{module_name}: {error}") from error
    if ours != theirs:
        raise PatchError(f"{module_name}: must differ within functions only")


def _skeleton(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [ast.Pass()]
    return ast.dump(tree)


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """The code of every function, by qualified name; functions within functions belong to the outer one."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & inspect.CO_NEWLOCALS and constant.co_flags & inspect.CO_OPTIMIZED:
                yield constant.co_qualname, constant
            else:  # the body of a class
                yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for thing in vars(module).values():
        members = vars(thing).values() if inspect.isclass(thing) else [thing]
        if getattr(thing, "__module__", None) == module.__name__:
            for member in members:
                yield from _unwrapped(member, str(module.__file__))


def _unwrapped(member: Any, file: str) -> Iterator[FunctionType]:
    for attribute in ("fget", "__func__", "__wrapped__"):
        member = getattr(member, attribute, member)
    if isinstance(member, FunctionType) and member.__code__.co_filename == file and "<" not in member.__qualname__:
        yield member
