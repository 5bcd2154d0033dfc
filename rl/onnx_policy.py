"""A greedy policy as an ONNX graph.

It goes from ``arrived`` (float32, ``(B, N)``) to ``action`` (int64, ``(B,)``) and ``units`` (int64, ``(B, N)``).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netsim import allocations
from netsim.errors import InputError
from netsim.files import write_atomic
from rl.agents import Task
from rl.students import parts

if TYPE_CHECKING:
    import onnx

OPERATORS, FORMAT = 17, 9
"""Versions of ONNX's operators and of its files, old enough for every runtime in use."""

ABOUT = (
    "A slicing policy. arrived: packets that arrived per slice in the period just ended, a row per cell. units: what "
    "each slice gets of the carrier in the next period. action: number of that allocation in lexicographic order."
)

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Weights ``(out, in)`` and biases ``(out,)``, with ReLU between layers."""


def write_onnx(
    task: Task, layers: Layers, path: Path, *, per_slice: bool
) -> Callable[[NDArray[Any]], NDArray[np.int64]]:
    """Write the graph; what is returned runs the file: numbers of allocations for arrivals of shape ``(B, N)``.

    Parameters
    ----------
    per_slice
        Whether the last layer scores units of slices, whose sums are the scores of the allocations.

    Raises
    ------
    InputError
        ONNX is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise InputError("ONNX is not installed; `pip install 'slicetwin[onnx]'`, or export without it") from None
    model = _model(task, _constants(task, layers, per_slice), list(_nodes(len(layers), per_slice)))
    onnx.checker.check_model(model)
    write_atomic(path, model.SerializeToString())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda arrived: session.run(["action"], {"arrived": arrived.astype(np.float32)})[0]


def _constants(task: Task, layers: Layers, per_slice: bool) -> dict[str, NDArray[Any]]:
    constants: dict[str, NDArray[Any]] = {
        "one": np.array(1.0, np.float32),
        "scale": np.array(task.encoder.scale, np.float32),
        "allocations": allocations.enumerate_all(task.units, task.n_slices),
    }
    for i, (weight, bias) in enumerate(layers):
        constants |= {f"weight{i}": weight, f"bias{i}": bias}
    if per_slice:
        constants |= {"parts": parts(task.units, task.n_slices).numpy(), "slices": np.array([2])}
    return constants


def _nodes(n_layers: int, per_slice: bool) -> "Iterator[onnx.NodeProto]":
    """log(1 + arrived) / scale, the layers, the best score and its allocation."""
    from onnx.helper import make_node

    yield make_node("Add", ["arrived", "one"], ["shifted"])
    yield make_node("Log", ["shifted"], ["logarithm"])
    yield make_node("Div", ["logarithm", "scale"], ["h0"])
    for i in range(n_layers):
        last = i == n_layers - 1
        out = "outputs" if last else f"z{i}"
        yield make_node("Gemm", [f"h{i}", f"weight{i}", f"bias{i}"], [out], transB=1)
        if not last:
            yield make_node("Relu", [out], [f"h{i + 1}"])
    if per_slice:
        yield make_node("Gather", ["outputs", "parts"], ["addends"], axis=1)
        yield make_node("ReduceSum", ["addends", "slices"], ["scores"], keepdims=0)
    yield make_node("ArgMax", ["scores" if per_slice else "outputs"], ["action"], axis=1, keepdims=0)
    yield make_node("Gather", ["allocations", "action"], ["units"], axis=0)


def _model(task: Task, constants: Mapping[str, NDArray[Any]], nodes: "list[onnx.NodeProto]") -> "onnx.ModelProto":
    from onnx import TensorProto, helper, numpy_helper

    cells = ["cells", task.n_slices]
    graph = helper.make_graph(
        nodes,
        "slicing_policy",
        [helper.make_tensor_value_info("arrived", TensorProto.FLOAT, cells)],
        [
            helper.make_tensor_value_info("action", TensorProto.INT64, cells[:1]),
            helper.make_tensor_value_info("units", TensorProto.INT64, cells),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = helper.make_opsetid("", OPERATORS)
    return helper.make_model(
        graph, opset_imports=[opset], ir_version=FORMAT, producer_name="slicetwin", doc_string=ABOUT
    )
