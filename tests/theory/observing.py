"""Queues on the real simulator: slices of one cell that share nothing, and the latencies of what left each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netsim.scenario import Scenario
from netsim.simulation import Simulation
from tests.theory.acceptance import Check, Exact, Ratio, ssr
from tests.theory.case import Results
from tests.theory.faults import LEFT_OF_CAPACITY, Fault, kept

SLOT_NS = 500_000
PRB_BITS = 100
"""What a slot carries on one resource block of 200 kHz with one layer at 1 bit/s/Hz."""


@dataclass(frozen=True)
class Trace:
    """What left a slice, in batches of consecutive slots: one list entry or row per batch."""

    latencies_ns: tuple[np.ndarray, ...]
    arrived: np.ndarray
    dropped: np.ndarray
    satisfied: np.ndarray
    due: np.ndarray
    """Packets that must have departed: arrived and neither dropped nor queued."""
    backlog_bits: np.ndarray
    """At a batch's end."""
    slots: int
    """In a batch."""

    def seen_through(self, fault: Fault | None) -> "Trace":
        """The trace as a faulty recorder would have it."""
        if fault in (Fault.LATE, Fault.EARLY):
            shift_ns = SLOT_NS if fault is Fault.LATE else -SLOT_NS
            return self._with(tuple(batch + shift_ns for batch in self.latencies_ns))
        if fault is Fault.LOSS:
            firsts = np.cumsum([0, *map(len, self.latencies_ns)])
            batches = zip(self.latencies_ns, firsts.tolist(), strict=False)
            return self._with(tuple(batch[kept(len(batch), first)] for batch, first in batches))
        return self

    def _with(self, latencies_ns: tuple[np.ndarray, ...]) -> "Trace":
        return replace(self, latencies_ns=latencies_ns)

    @property
    def departed(self) -> np.ndarray:
        """Packets recorded as departed."""
        return np.array([len(batch) for batch in self.latencies_ns])

    def within(self, limit_ns: int) -> np.ndarray:
        """Packets recorded with a latency of at most a limit."""
        return np.array([np.count_nonzero(batch <= limit_ns) for batch in self.latencies_ns])

    def whole_slots(self) -> np.ndarray:
        """Sums of sojourns counted from the beginning of the slot in which each packet became eligible."""
        return np.array([(batch // SLOT_NS).sum() for batch in self.latencies_ns])

    # -- figures that most cases have ------------------------------------------------------------------------------

    def mean_sojourn(self, expected: float) -> Ratio:
        """Mean sojourn in slots, from the slot in which a packet became eligible."""
        return Ratio("E T", expected, self.whole_slots(), self.departed)

    def mean_latency(self, expected: float) -> Ratio:
        """Mean latency in slots, from the instant of arrival."""
        return Ratio("E T", expected, np.array([batch.sum() / SLOT_NS for batch in self.latencies_ns]), self.departed)

    def share_within(self, slots: int, expected: float, of: str = "") -> Ratio:
        """SSR at a limit of whole slots: packets that leave within it over packets that are resolved."""
        resolved = self.due + self.dropped
        return ssr(of or f"SSR({slots})", expected, self.within(after(slots)), resolved)

    def throughput(self, expected: float) -> Ratio:
        """Departures a slot."""
        return Ratio("departures a slot", expected, self.departed / self.slots)

    def nothing_is_lost(self) -> Exact:
        """Packets that must have departed and did not."""
        return Exact("packets lost", 0, int(self.due.sum() - self.departed.sum()))

    def satisfied_are_those_within(self, slots: int) -> Exact:
        """The simulator's own count of satisfied packets, of a slice with this limit, is the trace's."""
        return Exact("satisfied by SLA accounting", int(self.satisfied.sum()), int(self.within(after(slots)).sum()))


def after(slots: int) -> int:
    """The latency limit that lets a packet spend ``slots`` slots from the one in which it becomes eligible, ns.

    Arrivals at a slot's edge have whole slots of latency, others a part of a slot more.
    """
    return (slots + 1) * SLOT_NS - 1


def part(traffic: dict[str, Any], limit_ns: int, *, users: int = 1, places: int = 2048) -> dict[str, Any]:
    """A slice; with ``places`` far beyond what its queue reaches, one that drops nothing."""
    return {
        "users": users,
        "traffic": traffic,
        "sla": {"rate_floor": "0 bit/s", "latency_limit": f"{limit_ns} ns"},
        "queue": {"packets": places},
    }


def cell(parts: dict[str, dict[str, Any]], slots: int, prb: int, layers: int, leaking: bool) -> Scenario:
    """A cell of slices that have ``prb`` resource blocks each, which carry 100 bits a slot, layer and block.

    Path loss is 0 dB, so the ceiling of 1 bit/s/Hz holds in every slot.
    """
    ceiling = LEFT_OF_CAPACITY if leaking else 1.0
    radio = {
        "path_loss": {"model": "constant", "loss": "0 dB"},
        "fading": {"model": "none"},
        "link": {"model": "shannon", "layers": layers, "ceiling": ceiling},
    }
    content = {
        "name": "queues",
        "carrier": {"prb": prb * len(parts)},
        "control": {"slots_per_period": slots, "slot": f"{SLOT_NS} ns"},
        "channel": radio,
        "slices": parts,
    }
    return Scenario.from_dict(content)


def observe(scenario: Scenario, batches: int, seeds: Sequence[int] = (1,), warm_up: int = 1) -> dict[str, Trace]:
    """Run a cell under equal shares, and record each slice's periods after the first ``warm_up`` ones."""
    simulation = Simulation(scenario)
    latencies: list[tuple[np.ndarray, ...]] = []
    counts: list[np.ndarray] = []
    for seed in seeds:
        before = simulation.reset(seed)
        for k in range(1, warm_up + batches):
            report = simulation.step(scenario.initial_allocation)
            if k >= warm_up:
                latencies.append(simulation.latencies_ns())
                due = report.arrived - report.dropped + before.backlog_packets - report.backlog_packets
                counts.append(np.array([report.arrived, report.dropped, report.satisfied, due, report.backlog_bits]))
            before = report
    columns = np.stack(counts, axis=1)
    return {
        name: Trace(tuple(batch[s] for batch in latencies), *columns[..., s], slots=scenario.control.slots_per_period)
        for s, name in enumerate(scenario.slice_names)
    }


def joined(traces: Sequence[Trace]) -> Trace:
    """Traces of queues that are alike as one of more batches."""
    latencies_ns = tuple(batch for trace in traces for batch in trace.latencies_ns)
    names = ("arrived", "dropped", "satisfied", "due", "backlog_bits")
    columns = (np.concatenate([getattr(trace, name) for trace in traces]) for name in names)
    return Trace(latencies_ns, *columns, slots=traces[0].slots)


ALIKE = 4
"""Queues side by side in one cell."""
ALIKE_PRB = 15
ALIKE_BITS = ALIKE_PRB * PRB_BITS
"""What one of them is sent in a slot, per layer."""


def alike(
    traffic: dict[str, Any],
    limit_slots: int,
    *,
    batches: int,
    slots: int,
    leaking: bool,
    layers: int = 1,
    places: int = 2048,
) -> Trace:
    """Four independent queues of one user each, with the same traffic, as one trace."""
    parts = {f"queue-{i}": part(traffic, after(limit_slots), places=places) for i in range(ALIKE)}
    return joined([*observe(cell(parts, slots, ALIKE_PRB, layers, leaking), batches).values()])


def poisson(per_slot: float, size: dict[str, Any]) -> dict[str, Any]:
    """Poisson arrivals, so many a slot."""
    return {"kind": "poisson", "rate": f"{per_slot / SLOT_NS * 1e9!r} /s", "size": size}


def constant(bits: int) -> dict[str, Any]:
    """Packets of one size."""
    return {"distribution": "constant", "value": f"{bits} bit"}


def plugged(kind: str, **options: float) -> dict[str, Any]:
    """A traffic kind of :mod:`tests.theory.plugged`."""
    return {"kind": f"tests.theory.plugged:{kind}", "options": options}


def under_faults(trace: Callable[[bool], Trace], checks: Callable[[Trace], list[Check]]) -> Results:
    """The checks of what a sound and a leaking simulator leave, as sound and faulty recorders have it."""
    sound = trace(False)
    results = {fault: checks(sound.seen_through(fault)) for fault in (None, Fault.LATE, Fault.EARLY, Fault.LOSS)}
    return results | {Fault.LEAK: checks(trace(True))}
