"""A slicing policy. Needs numpy and the file policy.npz beside it.

Products this small are slower with threads: OPENBLAS_NUM_THREADS=1 before Python starts.
"""

from collections.abc import Mapping, Sequence
from math import log1p
from pathlib import Path
from typing import Any

import numpy as np

ZERO = np.zeros((), np.float32)
"""Converted once, not at every decision."""


class Policy:
    """policy(arrived) -> units per slice, for the packets that arrived per slice in the period just ended."""

    def __init__(self, path: str | Path | None = None) -> None:
        with np.load(path or Path(__file__).with_name("policy.npz")) as file:
            weights, biases = ([file[f"{part}{i}"] for i in range(int(file["layers"]))] for part in ("weight", "bias"))
            weights[0] = weights[0] / file["scale"]
            self._choose = PerSlice(file).choose if "units" in file else PerAllocation(file).choose
        # A last input that is always 1 carries the biases, so that a layer is one product; (in, out) is the faster way.
        *hidden, self._last = (np.vstack([w.T, b]) for w, b in zip(weights, biases, strict=True))
        one = [np.eye(len(each), 1, 1 - len(each)) for each in hidden]
        self._hidden = [np.hstack(pair).astype(np.float32, order="C") for pair in zip(hidden, one, strict=True)]
        self._last = self._last.astype(np.float32, order="C")

    def __call__(self, arrived: Sequence[float]) -> tuple[int, ...]:
        x = np.array([*map(log1p, np.asarray(arrived).tolist()), 1.0], np.float32)
        for layer in self._hidden:
            x = x.dot(layer)
            np.maximum(x, ZERO, out=x)
        return self._choose(x.dot(self._last))


class PerAllocation:
    """One score for each allocation."""

    def __init__(self, file: Mapping[str, Any]) -> None:
        self._allocations: list[tuple[int, ...]] = [tuple(row) for row in file["allocations"].tolist()]

    def choose(self, scores: Any) -> tuple[int, ...]:
        """The allocation of the highest score."""
        return self._allocations[int(scores.argmax())]


class PerSlice:
    """One score for each slice and number of units; an allocation's is their sum.

    The best allocation is found slice by slice from the last: best[r] is what the slices from here on can score with r
    units more than one for each.
    """

    def __init__(self, file: Mapping[str, Any]) -> None:
        self._slices = int(file["slices"])
        more = int(file["units"]) - self._slices
        # Row r of the view is best[r], best[r - 1], ..., best[0], and -inf for units that are not there.
        self._best = np.full(2 * more + 1, -np.inf, np.float32)
        self._left = np.lib.stride_tricks.sliding_window_view(self._best, more + 1)[:, ::-1]
        self._more = more

    def choose(self, scores: Any) -> tuple[int, ...]:
        """The allocation of the highest sum."""
        tables = scores.reshape(self._slices, -1)
        followed = [tables[-1]]
        for table in tables[-2:0:-1]:
            self._best[self._more :] = followed[-1]
            followed.append((table + self._left).max(axis=1))
        left, units = self._more, []
        for table, best in zip(tables[:-1], reversed(followed), strict=True):
            given = int((table[: left + 1] + best[left::-1]).argmax())
            units.append(1 + given)
            left -= given
        return (*units, 1 + left)
