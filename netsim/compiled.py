"""How netsim compiles its kernels, in one place.

``NUMBA_DISABLE_JIT=1`` runs every kernel as the plain Python it is written in.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from netsim.files import cache_root

P = ParamSpec("P")
R = TypeVar("R")

SOURCES = (
    "bitset",
    "channel",
    "compiled",
    "files",
    "handles",
    "kernel",
    "marks",
    "portable",
    "queues",
    "report",
    "scheduling",
    "sla",
    "sources",
    "state",
    "streams",
    "traffic",
)
"""Modules from which compiled code takes anything; a test derives them from the source. An edit of another one, such as
the command line, costs no compilation."""

_decorating = threading.Lock()


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of this package that Python calls; the result is kept on disk.

    No fast-math, so that results are the same everywhere. The interpreter lock is released. Kernels allocate nothing,
    so numba's reference counts, which would cost more than the work, are off.
    """
    with _decorating, _cache_folder():
        return _compiled(function, cache=True)


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that only kernels call: without the wrapper for Python, which takes longest to compile."""
    return _compiled(function, no_cpython_wrapper=True)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Like :func:`inner`, put in full where it is called: for what every slot, packet or user passes through."""
    return _compiled(function, no_cpython_wrapper=True, forceinline=True)


def formula(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of numbers, put in full wherever a kernel calls it, so that loops over it become vector code.

    Python can call it too, at the price of a compilation per process.
    """
    return _compiled(function, forceinline=True)


def _compiled(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    settings = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True, **options}
    return cast("Callable[P, R]", numba.njit(**settings)(function))


def is_compiled(function: object) -> bool:
    """Whether a plugin's function is one that numba compiled, and so can run inside the kernel."""
    return isinstance(function, numba.core.dispatcher.Dispatcher)


@contextmanager
def _cache_folder() -> Iterator[None]:
    """Point numba's cache at a folder named after the source of all that is compiled.

    Numba renews a cached function when its own file changes, but not when a function that it calls does.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(kernel_cache())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


def kernel_cache() -> Path:
    """Where the compiled functions of this version are kept."""
    return cache_root() / "kernels" / _source_digest()


@cache
def _source_digest() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for name in SOURCES:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


@intrinsic
def _cttz(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), generate


def _lowest_bit(word: int) -> int:
    value = int(word)
    return (value & -value).bit_length() - 1


if numba.config.DISABLE_JIT:
    lowest_bit = _lowest_bit
else:

    @kernel
    def lowest_bit(word: int) -> int:
        """Position of the lowest set bit of a non-zero uint64."""
        return _cttz(word)


@intrinsic
def _prefetch(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from llvmlite import ir

        byte_pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte_pointer], kind)
        pointer = builder.inttoptr(args[0], byte_pointer)
        builder.call(function, [pointer, word(1), word(3), word(1)])  # to write, keep in all caches, data
        return context.get_dummy_value()

    return types.void(types.uintp), generate


def _fetch_nothing(address: int) -> None:
    """Plain Python has no use for it."""


if numba.config.DISABLE_JIT:
    prefetch = _fetch_nothing
else:

    @formula
    def prefetch(address: int) -> None:
        """Ask the processor to fetch the cache line of an address, which it may or may not do."""
        _prefetch(np.uintp(address))


def _pointer_call(*arguments: Any) -> Any:
    """An intrinsic that calls the C function at an address with the given numba types; it returns nothing."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from llvmlite import ir

        kinds = [context.get_value_type(kind) for kind in arguments]
        pointer = builder.inttoptr(args[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        builder.call(pointer, args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, *arguments), generate


SHARE_ARGUMENTS = (types.int64, types.int64, types.uintp, types.int64, types.uintp)
DRAW_ARGUMENTS = (types.int64, types.float64, types.float64, types.uintp)


@intrinsic
def call_share(typing_context: Any, address: Any, prb: Any, slot: Any, seen: Any, n: Any, grants: Any) -> Any:
    """Call a compiled scheduler: resource blocks, slot, pointer to the active users, their number, and to grants."""
    return _pointer_call(*SHARE_ARGUMENTS)


@intrinsic
def call_draw(typing_context: Any, address: Any, index: Any, u_gap: Any, u_size: Any, out: Any) -> Any:
    """Call a compiled traffic kind: index, two uniform numbers, and a pointer to where gap and size go."""
    return _pointer_call(*DRAW_ARGUMENTS)


@intrinsic
def as_pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer that ``numba.carray`` takes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.uintp), generate


def c_function(arguments: tuple[Any, ...], function: Callable[..., None]) -> Any:
    """Compile a function for calls by address; keep the result as long as ``.address`` is in use."""
    return numba.cfunc(types.void(*arguments))(function)
