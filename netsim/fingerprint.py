"""The fingerprint of a trace: a SHA-256 per layer, chained over periods, and where two traces begin to differ.

Four layers, each before those that follow from it:

============  ==========================================================================================
arrivals      every packet that came: user, instant, bits
fading        what a resource block carries at a period's end, for up to 64 users of each slice in turn
grants        every grant: user, slot, resource blocks, whole bits they carry
departures    every packet's end: user, number, instant, rate, verdict
============  ==========================================================================================

Arrivals and fading follow from the scenario and the seed alone, unless sources wait for room. So where one of them is
the first to differ, draws are at fault; where grants are, what the station made of them; where only departures are,
the accounting. Within one period grants and departures follow from each other.

A period's events of a layer are one number per slice, its mark (:mod:`netsim.marks`). ``periods.parquet`` keeps every
mark, the manifest the chained digests.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from netsim.report import LAYERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "netsim-fingerprint-1"


class Fingerprint:
    """Digests of a trace while it is simulated; the order of the slices in the scenario does not matter."""

    def __init__(self, slice_names: Sequence[str]) -> None:
        """Begin before period 0."""
        self._order = sorted(range(len(slice_names)), key=lambda s: slice_names[s])
        begin = "\0".join([FORMAT, *sorted(slice_names)]).encode()
        self._chains = {layer: hashlib.sha256(begin + b"\0" + layer.encode()) for layer in LAYERS}
        self._periods = 0

    def add(self, marks: "NDArray[np.uint64]") -> None:
        """Go on by a period with its marks, shape ``(N, layers)``."""
        content = marks[self._order].T.astype("<u8").tobytes()
        size = len(content) // len(LAYERS)
        for layer, chain in enumerate(self._chains.values()):
            chain.update(content[layer * size : (layer + 1) * size])
        self._periods += 1

    def digests(self) -> dict[str, str] | None:
        """Layer -> SHA-256 over all periods so far; ``None`` before the first."""
        return {layer: chain.hexdigest() for layer, chain in self._chains.items()} if self._periods else None


@dataclass(frozen=True)
class Block:
    """A period of a trace."""

    period: int
    allocation: tuple[int, ...]
    marks: "NDArray[np.uint64]"
    """Shape ``(N, layers)``, in the order of the slices' names."""


@dataclass(frozen=True)
class Difference:
    """Where two traces begin to differ."""

    period: int
    layers: tuple[str, ...]
    """Those that differ in this period, each before those that may follow from it; none where a trace ends."""
    slices: tuple[str, ...]
    """Those whose first such layer differs."""

    def __str__(self) -> str:
        """One line.

        >>> print(Difference(17, ("fading", "grants"), ("video",)))
        first difference: layer fading, period 17, slice video (there too: grants)
        """
        if not self.layers:
            return f"first difference: only one of them has a period {self.period}"
        where = f"layer {self.layers[0]}, period {self.period}, slice {', '.join(self.slices)}"
        return f"first difference: {where}" + (f" (there too: {', '.join(self.layers[1:])})" if self.layers[1:] else "")

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def first_difference(one: Iterable[Block], other: Iterable[Block], slice_names: Sequence[str]) -> Difference | None:
    """Where two traces of cells with the same slices begin to differ; reads no further than that."""
    names = sorted(slice_names)
    for a, b in zip_longest(one, other):
        if a is None or b is None:
            return Difference((a or b).period, (), ())
        unequal = a.marks != b.marks
        if unequal.any():
            layers = [LAYERS[layer] for layer in np.flatnonzero(unequal.any(axis=0))]
            slices = [names[s] for s in np.flatnonzero(unequal[:, LAYERS.index(layers[0])])]
            return Difference(a.period, tuple(layers), tuple(slices))
    return None
