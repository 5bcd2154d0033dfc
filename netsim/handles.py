"""How a cell's arrays reach the kernels: as one row of addresses and shapes, read where an array is used.

Passing the arrays themselves would hand on 160 machine words with every call, and most of the time of a first
compilation would go into packing and unpacking them. In a kernel ``cell.users`` is the array all the same.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from netsim.state import MEMBERS, Array, Cell, Stack

_WORD = ir.IntType(64)
_TYPES = {name: types.Array(numba.from_dtype(np.dtype(kind)), ndim, "C") for name, (kind, ndim) in MEMBERS.items()}
_FIRST_WORD = dict(zip(MEMBERS, np.cumsum([0] + [1 + ndim for _, ndim in MEMBERS.values()]).tolist(), strict=False))
_WORDS = sum(1 + ndim for _, ndim in MEMBERS.values())


def handles_of(stack: Stack) -> Any:
    """What an entry point of the kernel takes for a stack: a row of addresses and shapes per cell.

    Valid until a buffer of the stack grows. Without the compiler, the stack itself.
    """
    if numba.config.DISABLE_JIT:
        return stack
    return np.array([_handle(stack.cell(i)) for i in range(len(stack))], np.int64)


def _handle(cell: Cell) -> list[int]:
    words: list[int] = []
    for name, array in zip(Cell._fields, cell, strict=True):
        kind, ndim = MEMBERS[name]
        if array.dtype != kind or array.ndim != ndim or not array.flags.c_contiguous:
            raise AssertionError(f"{name} is {array.dtype}, {array.ndim}-dimensional")
        words += [array.ctypes.data, *array.shape]
    return words


class CellType(types.Type):
    """The type that kernels see of a cell: a pointer to its row of addresses and shapes."""

    def __init__(self) -> None:
        super().__init__(name="Cell")


_CELL = CellType()
register_default(CellType)(models.OpaqueModel)


@infer_getattr
class _Members(AttributeTemplate):  # type: ignore[misc]  # numba is untyped
    key = CellType

    def generic_resolve(self, cell: Any, name: str) -> Any:
        return _TYPES.get(name)


@lower_getattr_generic(CellType)
def _member(context: Any, builder: Any, cell_type: Any, pointer: Any, name: str) -> Any:
    array_type, first = _TYPES[name], _FIRST_WORD[name]
    row = builder.bitcast(pointer, _WORD.as_pointer())
    words = [builder.load(builder.gep(row, [_WORD(first + i)])) for i in range(1 + array_type.ndim)]
    array = make_array(array_type)(context, builder)
    stride = itemsize = _WORD(context.get_abi_sizeof(context.get_data_type(array_type.dtype)))
    strides = [stride]
    for extent in reversed(words[2:]):
        stride = builder.mul(stride, extent)
        strides.insert(0, stride)
    data = builder.inttoptr(words[0], array.data.type)
    populate_array(array, data=data, shape=words[1:], strides=strides, itemsize=itemsize, meminfo=None)
    return array._getvalue()


@intrinsic
def _row(typing_context: Any, handles: Any, i: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = make_array(handles)(context, builder, args[0])
        first = builder.mul(args[1], _WORD(_WORDS))
        return builder.bitcast(builder.gep(array.data, [first]), context.get_value_type(_CELL))

    return _CELL(handles, types.int64), generate


def _cell_of(stack: Stack, i: int) -> Cell:
    # Records whose fields are attributes, as kernels write them.
    return Cell(*(array.view(np.recarray) if array.dtype.names else array for array in stack.cell(i)))


if numba.config.DISABLE_JIT:
    cell_of: Any = _cell_of
else:

    @numba.njit(nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)
    def cell_of(handles: Array, i: int) -> Any:
        """Cell ``i`` of the handles that an entry point was called with."""
        return _row(handles, i)
