"""Schedulers and traffic kinds that a scenario takes from plugins.

A method that numba compiled is called by the kernel through its address. A plain one is called from Python, once per
slot and slice or per block of packets.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np

from netsim import kernel, plugins, scheduling, streams, traffic
from netsim.compiled import DRAW_ARGUMENTS, SHARE_ARGUMENTS, as_pointer, c_function, is_compiled
from netsim.errors import NetsimError, PluginError, RunError
from netsim.scenario import PluggedScheduler, PluggedTraffic, Scenario
from netsim.state import ACTIVE, FOREVER_NS, LARGEST_BITS, MOST_AT_ONCE, SUPPLY, Cell, Stack

_LARGEST = float(FOREVER_NS)
_KEPT = 64
"""C interfaces kept for the next cell that uses the same compiled function: each takes 0.04 to 0.08 s to make."""


class Plugged:
    """The plugins of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.schedulers: dict[int, Any] = {}
        self.traffic: dict[int, Any] = {}
        self._compiled_schedulers: dict[int, Any] = {}
        self._compiled_traffic: dict[int, Any] = {}
        for s, part in enumerate(scenario.slices.values()):
            if isinstance(part.scheduler, PluggedScheduler):
                made = _made("schedulers", part.scheduler, "share", scenario.folder)
                if is_compiled(made.share):
                    self._compiled_schedulers[s] = _share_function(made.share)
                else:
                    self.schedulers[s] = made
            if isinstance(part.traffic, PluggedTraffic):
                made = _made("traffic_kinds", part.traffic, "draw", scenario.folder)
                if is_compiled(made.draw):
                    self._compiled_traffic[s] = _draw_function(made.draw)
                else:
                    self.traffic[s] = made

    def is_plugged(self, s: int) -> bool:
        """Whether the scheduler of slice ``s`` is a plugin's."""
        return s in self.schedulers or s in self._compiled_schedulers

    def encode(self, s: int, row: Any) -> None:
        """Write into a ``SLICE`` record which plugins the slice uses."""
        if s in self._compiled_schedulers:
            row["scheduler"] = scheduling.COMPILED_PLUGIN
            row["share_address"] = self._compiled_schedulers[s].address
        if s in self._compiled_traffic:
            row["traffic"] = traffic.COMPILED_PLUGIN
            row["draw_address"] = self._compiled_traffic[s].address

    # -- plain Python ----------------------------------------------------------------------------------------------

    def run_slice(self, stack: Stack, i: int, s: int) -> int:
        """Let a plain scheduler share a slice's resource blocks in this slot, and serve its users.

        Returns to how many users grants were written. Grants that do not share exactly the slice's blocks serve
        nobody and are noted in ``misgranted``, as the kernel does.
        """
        cell = stack.cell(i)
        if not cell.slices[s]["n_active"]:
            return 0
        n = kernel.show_one(stack.handles, i, s)
        prb, slot = int(cell.slices[s]["lent_prb"]), int(cell.clock[0]["slot"])
        seen = cell.seen[:n].copy()
        try:
            self.schedulers[s].share(prb, slot, seen, cell.grants[:n])
        except Exception as error:
            raise PluginError(f"{self._of(s, 'scheduler')} raised in slot {slot}: {error!r}") from error
        if not kernel.serve_one(stack.handles, i, s, n):
            cell.clock["misgranted"] = s + 1
        return n

    def supply(self, cell: Cell, words: dict[tuple[str, str], int]) -> None:
        """Draw the next packets of the users who stand still for want of them, where a plain traffic kind has to."""
        for u in cell.starved[: cell.clock[0]["starved"]]:
            user = cell.users[u]
            s = int(user["slice"])
            if user["unsupplied"] and s in self.traffic:
                word = words[streams.PACKETS, self.scenario.slice_names[s]]
                indices = np.arange(user["packet"], user["packet"] + SUPPLY)
                uniforms = streams.uniforms(int(cell.clock[0]["seed"]), word, np.full(SUPPLY, user["number"]), indices)
                for j in range(SUPPLY):
                    cell.supplies[u, j] = self._drawn(s, int(indices[j]), *uniforms[j].tolist())

    def _drawn(self, s: int, index: int, u_gap: float, u_size: float) -> tuple[int, int]:
        try:
            gap_ns, size_bits = self.traffic[s].draw(index, u_gap, u_size)
            good = gap_ns >= 0 and 1 <= size_bits < LARGEST_BITS
        except Exception as error:
            raise PluginError(f"{self._of(s, 'traffic')} raised at packet {index}: {error!r}") from error
        if not good:
            raise self._no_packet(s, gap_ns, size_bits, index)
        return int(min(gap_ns, _LARGEST) + 0.5), int(size_bits)

    # -- faults ----------------------------------------------------------------------------------------------------

    def misgranted(self, cell: Cell) -> PluginError:
        """The error for what a scheduler wrote."""
        s = int(cell.clock[0]["misgranted"]) - 1
        prb, grants = int(cell.slices[s]["lent_prb"]), cell.grants[: cell.slices[s]["n_active"]].tolist()
        return PluginError(
            f"{self._of(s, 'scheduler')}: grants must be whole numbers of at least 0 that sum to the slice's {prb} "
            f"resource blocks, got {grants} with sum {sum(grants)} in slot {int(cell.clock[0]['slot'])}"
        )

    def misdrawn(self, cell: Cell) -> NetsimError:
        """The error for what a compiled traffic kind drew, or for a source of any kind that lets no time pass."""
        user = cell.users[int(cell.clock[0]["misdrawn"]) - 1]
        if user["standing"] >= MOST_AT_ONCE:
            return self._no_time(int(user["slice"]), int(user["number"]))
        gap_ns, size_bits, index = cell.draw_values.tolist()
        return self._no_packet(int(user["slice"]), gap_ns, size_bits, int(index))

    def _no_time(self, s: int, number: int) -> NetsimError:
        name = self.scenario.slice_names[s]
        part = self.scenario.slices[name]
        plugged = isinstance(part.traffic, PluggedTraffic)
        whose = self._of(s, "traffic") if plugged else f"slices.{name}"
        longer = "longer gaps" if part.load is None else f"longer gaps, or smaller multipliers in slices.{name}.load"
        return (PluginError if plugged else RunError)(
            f"{whose}: a user must send fewer than {MOST_AT_ONCE:,} packets at one instant, user {number} sends so "
            f"many that no time would pass. Give it {longer}; a source that always has something to send needs "
            f"slices.{name}.queue.when_full: defer"
        )

    def _no_packet(self, s: int, gap_ns: object, size_bits: object, index: int) -> PluginError:
        return PluginError(
            f"{self._of(s, 'traffic')}: a gap must be at least 0 ns and a size at least 1 bit, "
            f"got ({gap_ns!r}, {size_bits!r}) for packet {index}"
        )

    def _of(self, s: int, key: str) -> str:
        name = self.scenario.slice_names[s]
        return f"slices.{name}.{key}: plugin {getattr(self.scenario.slices[name], key).kind!r}"


def _made(hook: str, part: PluggedScheduler | PluggedTraffic, method: str, folder: Path | None) -> Any:
    made = plugins.create(hook, part.kind, part.options, folder)
    if not callable(getattr(made, method, None)):
        raise PluginError(f"{part.kind!r} has no method `{method}`; see the README on writing plugins")
    return made


@lru_cache(maxsize=_KEPT)
def _share_function(share: Any) -> Any:
    """A compiled scheduler behind a C interface; its record and index types are those of :class:`Scheduler.share`."""

    def share_at(prb: int, slot: int, seen: int, n: int, grants: int) -> None:
        share(prb, slot, numba.carray(as_pointer(seen), n, ACTIVE), numba.carray(as_pointer(grants), n, np.int64))

    return c_function(SHARE_ARGUMENTS, share_at)


@lru_cache(maxsize=_KEPT)
def _draw_function(draw: Any) -> Any:
    """A compiled traffic kind behind a C interface."""

    def draw_at(index: int, u_gap: float, u_size: float, out: int) -> None:
        drawn = numba.carray(as_pointer(out), 2, np.float64)
        drawn[0], drawn[1] = draw(index, u_gap, u_size)

    return c_function(DRAW_ARGUMENTS, draw_at)
