"""How long a decision takes: from the packets that arrived to the units per slice, one cell, one thread."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl import standalone
from rl.agents import Policy
from rl.export import export, exportable
from rl.networks import single_thread

Decide = Callable[[Any], Sequence[int]]
"""From arrivals per slice to units per slice."""

ROUNDS, DECISIONS = 300, 10
"""Decisions of a form are made ten at a time, so that the clock costs nothing; forms take turns for 300 rounds."""


def latencies_us(policies: Mapping[str, Policy]) -> dict[str, dict[str, float]]:
    """Microseconds per decision of each policy: in torch, in exported numpy, and in ONNX Runtime where installed.

    Of a policy that cannot be exported in torch alone.

    Medians over rounds in which all forms take their turn, so that what else the machine does burdens all alike.
    """
    single_thread()
    onnx = find_spec("onnx") is not None and find_spec("onnxruntime") is not None
    with tempfile.TemporaryDirectory() as folder:
        forms = {name: _forms(policy, Path(folder) / name, onnx) for name, policy in policies.items()}
        arrived = {name: _usual(policy) for name, policy in policies.items()}
        taken: dict[tuple[str, str], list[float]] = {(name, form): [] for name in forms for form in forms[name]}
        for _ in range(ROUNDS):
            for (name, form), times in taken.items():
                times.append(_microseconds(forms[name][form], arrived[name]))
    return {name: {form: round(statistics.median(taken[name, form]), 2) for form in forms[name]} for name in forms}


def _forms(policy: Policy, folder: Path, onnx: bool) -> dict[str, Decide]:
    if not exportable(policy):
        return {"torch": _in_torch(policy)}
    export(policy, folder, onnx=onnx)
    forms: dict[str, Decide] = {"torch": _in_torch(policy), "numpy": standalone.Policy(folder / "policy.npz")}
    return forms | ({"onnx": _in_onnx(folder / "policy.onnx")} if onnx else {})


def _in_torch(policy: Policy) -> Decide:
    task = policy.task
    return lambda arrived: task.allocation(int(policy.act(task.encoder(arrived)[None])[0]))


def _in_onnx(path: Path) -> Decide:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda arrived: tuple(session.run(["units"], {"arrived": arrived[None].astype(np.float32)})[0][0].tolist())


def _usual(policy: Policy) -> NDArray[np.int64]:
    """The arrivals of a mean period."""
    arrived: NDArray[np.int64] = np.rint(np.expm1(policy.task.encoder.scale)).astype(np.int64)
    return arrived


def _microseconds(decide: Decide, arrived: NDArray[np.int64]) -> float:
    started = time.perf_counter_ns()
    for _ in range(DECISIONS):
        decide(arrived)
    return (time.perf_counter_ns() - started) / (1000 * DECISIONS)
