"""Plugins as the documentation describes them to their authors; numpy is here because their arguments are arrays.

One that is compiled is called as the plain Python it was written in.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

ACTIVE_USER = np.dtype(
    [
        ("user", np.int64),
        ("packets", np.int64),
        ("backlog_bits", np.int64),
        ("deadline_ns", np.int64),
        ("bits_per_prb", np.float64),
        ("average_bits", np.float64),
    ]
)


def made(name: str, options: dict[str, Any]) -> Any:
    """The object of a plugin named ``pkg.module:Class``."""
    module, class_name = name.split(":")
    return getattr(importlib.import_module(module), class_name)(**options)


def share(scheduler: Any, prb: int, slot: int, active: Sequence[tuple[Any, ...]]) -> list[int]:
    grants = np.zeros(len(active), np.int64)
    _plain(scheduler.share)(prb, slot, np.array(active, ACTIVE_USER), grants)
    return [int(grant) for grant in grants]


def draw(kind: Any, index: int, u_gap: float, u_size: float) -> tuple[float, float]:
    gap_ns, size_bits = _plain(kind.draw)(index, u_gap, u_size)
    return float(gap_ns), float(size_bits)


def path_loss_db(model: Any, distance_m: float, uniforms: tuple[float, float]) -> float:
    (loss_db,) = model.path_loss_db(np.array([distance_m]), np.array([uniforms]))
    return float(loss_db)


def _plain(method: Any) -> Any:
    return getattr(method, "py_func", method)
