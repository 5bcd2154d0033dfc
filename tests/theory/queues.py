"""QT-01 to QT-07 on the simulator: what is run, and what is held against which closed form."""

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.theory import closed_forms as theory
from tests.theory.acceptance import Check, Exact, Ratio
from tests.theory.case import Case, Results
from tests.theory.faults import Fault
from tests.theory.observing import (
    ALIKE_BITS,
    ALIKE_PRB,
    SLOT_NS,
    Trace,
    alike,
    cell,
    constant,
    observe,
    part,
    plugged,
    poisson,
    under_faults,
)

# -- QT-01 -------------------------------------------------------------------------------------------------------------

STABLE = ((1, 1), (ALIKE_BITS - 1, 1), (ALIKE_BITS, 1), (ALIKE_BITS + 1, 2), (2 * ALIKE_BITS, 2), (7200, 5), (7501, 7))
"""Sizes in bits and gaps in slots of the D/D/1 queues that keep up."""
OVERLOADED = ((ALIKE_BITS + 1, 1), (2 * ALIKE_BITS, 1), (4000, 2), (10_000, 5))
PERIODIC_SLOTS = 2100  # a whole number of every gap
PERIODIC_BATCHES = 2


def d_d_1() -> Results:
    """Constant gaps and sizes: nothing is random, every figure is exact."""
    sound, leaking = _periodic(False), _periodic(True)
    results = {
        fault: [check for kind, trace in sound.items() for check in _d_d_1(*kind, trace.seen_through(fault))]
        for fault in (None, Fault.LATE, Fault.EARLY, Fault.LOSS)
    }
    return results | {Fault.LEAK: [check for kind, trace in leaking.items() for check in _d_d_1(*kind, trace)]}


def _periodic(leaking: bool) -> dict[tuple[int, int], Trace]:
    kinds = (*STABLE, *OVERLOADED)
    parts = {f"queue-{i}": part(_every(*kind), 10 * SLOT_NS, places=4096) for i, kind in enumerate(kinds)}
    traces = observe(cell(parts, PERIODIC_SLOTS, ALIKE_PRB, 1, leaking), PERIODIC_BATCHES)
    return dict(zip(kinds, traces.values(), strict=True))


def _every(bits: int, gap_slots: int) -> dict[str, object]:
    gap = {"distribution": "constant", "value": f"{gap_slots * SLOT_NS} ns"}
    return {"kind": "renewal", "gap": gap, "size": constant(bits)}


def _d_d_1(bits: int, gap_slots: int, trace: Trace) -> list[Check]:
    """T = ceil(B / C). In overload the n-th packet ends ceil(n B / C) after the first one came, and the backlog grows
    by B / P - C a slot."""
    of = f"B = {bits}, P = {gap_slots}: "
    begin, end = trace.slots, trace.slots * (1 + PERIODIC_BATCHES)
    if (bits, gap_slots) in STABLE:
        sojourns = np.concatenate(trace.latencies_ns) / SLOT_NS
        needed = -(-bits // ALIKE_BITS)
        return [
            Exact(of + "least T", needed, sojourns.min()),
            Exact(of + "largest T", needed, sojourns.max()),
            Exact(of + "departures", (end - begin) // gap_slots, sojourns.size),
        ]
    number = np.arange(1, end // gap_slots + 1)
    ends = gap_slots - (-number * bits // ALIKE_BITS)
    seen = (ends > begin) & (ends <= end)
    growth = (bits - gap_slots * ALIKE_BITS) * (trace.slots // gap_slots)
    return [
        Exact(of + "sum of T", int((ends - number * gap_slots)[seen].sum()), int(trace.whole_slots().sum())),
        Exact(of + "departures", int(seen.sum()), int(trace.departed.sum())),
        Exact(of + "growth of the backlog, bits", growth, int(np.diff(trace.backlog_bits)[0])),
    ]


# -- QT-02, QT-03: Poisson arrivals, constant service ------------------------------------------------------------------


def m_d_1(load: float, service: int, limits: tuple[int, ...], batches: int) -> Results:
    """Mean sojourn, and SSR at some limits, by whose first the simulator judges the packets itself."""
    law = theory.constant_service_law(theory.poisson_law(load / service), service)

    def checks(trace: Trace) -> list[Check]:
        return [
            trace.mean_sojourn(theory.slotted_md1_sojourn(service, load)),
            *_ssrs(trace, law, limits),
            trace.throughput(load / service),
            trace.nothing_is_lost(),
        ]

    return under_faults(_m_d_1(load, service, limits[0], batches), checks)


def m_d_1_ssr(load: float, service: int, limits: tuple[int, ...], batches: int) -> Results:
    """SSR from the stationary vector."""
    law = theory.constant_service_law(theory.poisson_law(load / service), service)

    def checks(trace: Trace) -> list[Check]:
        return [*_ssrs(trace, law, limits), trace.nothing_is_lost()]

    return under_faults(_m_d_1(load, service, limits[0], batches), checks)


def _m_d_1(load: float, service: int, limit: int, batches: int) -> Callable[[bool], Trace]:
    traffic = poisson(load / service, constant(service * ALIKE_BITS))
    return lambda leaking: alike(traffic, limit, batches=batches, slots=50_000, leaking=leaking)


def _ssrs(trace: Trace, law: theory.Law, limits: tuple[int, ...]) -> list[Check]:
    shares = [trace.share_within(limit, law[: limit + 1].sum()) for limit in limits]
    return [*shares, trace.satisfied_are_those_within(limits[0])]


# -- QT-04, QT-05: Bernoulli arrivals ----------------------------------------------------------------------------------


def geo_geo_1(p: float, q: float, limits: tuple[int, int], batches: int) -> Results:
    """Mean sojourn, and its geometric law at two places."""
    traffic = plugged("BernoulliGeometric", p=p, q=q, slot_bits=ALIKE_BITS, slot_ns=SLOT_NS)

    def checks(trace: Trace) -> list[Check]:
        return [
            trace.mean_sojourn(theory.geo_geo_1_sojourn(p, q)),
            *(trace.share_within(limit, 1 - theory.geo_geo_1_tail(p, q, limit)) for limit in limits),
            trace.satisfied_are_those_within(limits[0]),
            trace.throughput(p),
            trace.nothing_is_lost(),
        ]

    def trace(leaking: bool) -> Trace:
        return alike(traffic, limits[0], batches=batches, slots=50_000, leaking=leaking)

    return under_faults(trace, checks)


def geo_d_1(p: float, service: int, limits: tuple[int, int], batches: int) -> Results:
    """Mean sojourn; its law is that of one packet at most a slot, see QT-03."""
    traffic = plugged("Bernoulli", p=p, slots_of_service=service, slot_bits=ALIKE_BITS, slot_ns=SLOT_NS)
    law = theory.constant_service_law(np.array([1 - p, p]), service)

    def checks(trace: Trace) -> list[Check]:
        return [
            trace.mean_sojourn(theory.geo_d_1_sojourn(p, service)),
            *_ssrs(trace, law, limits),
            trace.throughput(p),
            trace.nothing_is_lost(),
        ]

    def trace(leaking: bool) -> Trace:
        return alike(traffic, limits[0], batches=batches, slots=50_000, leaking=leaking)

    return under_faults(trace, checks)


# -- QT-06 -------------------------------------------------------------------------------------------------------------

LONG_LAYERS = 1000
"""So many bits a slot that sizes are as good as real numbers."""


def m_m_1(load: float, service: float, limits: tuple[int, int], batches: int) -> Results:
    """Mean latency and SSR of services of many slots, counted from the arrival within a slot.

    The closed forms of continuous time are off by about a slot, which the slotted ones have in them: see
    ``test_slots_add_one_slot_to_m_m_1``.
    """
    arrivals, services = load / service, 1 / service
    mean_bits = round(service * ALIKE_BITS * LONG_LAYERS)
    traffic = poisson(arrivals, {"distribution": "exponential", "mean": f"{mean_bits} bit"})
    mean = theory.slotted_mm1_sojourn(arrivals, services)
    ssrs = {limit: theory.slotted_mm1_ssr(arrivals, services, limit) for limit in limits}

    def checks(trace: Trace) -> list[Check]:
        return [
            trace.mean_latency(mean),
            *(trace.share_within(limit - 1, ssr, f"SSR({limit})") for limit, ssr in ssrs.items()),
            trace.satisfied_are_those_within(limits[0] - 1),
            trace.throughput(arrivals),
            trace.nothing_is_lost(),
        ]

    def trace(leaking: bool) -> Trace:
        return alike(traffic, limits[0] - 1, batches=batches, slots=50_000, leaking=leaking, layers=LONG_LAYERS)

    return under_faults(trace, checks)


# -- QT-07 -------------------------------------------------------------------------------------------------------------


def finite(traffic: dict[str, object], places: int, limit: int, blocking: float, ssr: float, batches: int) -> Results:
    """Blocking, and SSR of all arrivals, with few places."""

    def checks(trace: Trace) -> list[Check]:
        resolved = trace.due + trace.dropped
        return [
            Ratio("blocking", blocking, resolved - trace.departed, resolved),
            trace.share_within(limit, ssr),
            trace.satisfied_are_those_within(limit),
            trace.nothing_is_lost(),
        ]

    def trace(leaking: bool) -> Trace:
        return alike(traffic, limit, batches=batches, slots=50_000, leaking=leaking, places=places)

    return under_faults(trace, checks)


def geo_geo_1_k(p: float, q: float, places: int, limit: int, batches: int) -> Results:
    """Bernoulli arrivals and geometric services with K places."""
    traffic = plugged("BernoulliGeometric", p=p, q=q, slot_bits=ALIKE_BITS, slot_ns=SLOT_NS)
    blocking, ssr = theory.geo_geo_1_k_blocking(p, q, places), theory.geo_geo_1_k_ssr(p, q, places, limit)
    return finite(traffic, places, limit, blocking, ssr, batches)


def m_d_1_k(load: float, places: int, limit: int, batches: int) -> Results:
    """Poisson arrivals and services of one slot with K places, one of them taken by the packet that is being sent."""
    traffic = poisson(load, constant(ALIKE_BITS))
    blocking, ssr = theory.md1_k_blocking(load, places), theory.md1_k_ssr(load, places, limit)
    return finite(traffic, places, limit, blocking, ssr, batches)


CASES = (
    Case("QT-01", "D/D/1", d_d_1),
    Case("QT-02", "slotted M/D/1, s = 1", partial(m_d_1, 0.7, 1, limits=(3, 9), batches=16)),
    Case("QT-02", "slotted M/D/1, s = 4", partial(m_d_1, 0.6, 4, limits=(10, 30), batches=32)),
    Case("QT-03", "SSR of slotted M/D/1, s = 1", partial(m_d_1_ssr, 0.85, 1, limits=(2, 6, 24), batches=32)),
    Case("QT-03", "SSR of slotted M/D/1, s = 3", partial(m_d_1_ssr, 0.75, 3, limits=(5, 12, 50), batches=40)),
    Case("QT-04", "Geo/Geo/1", partial(geo_geo_1, 0.3, 0.5, limits=(4, 22), batches=24)),
    Case("QT-05", "Geo/D/1, s = 5", partial(geo_d_1, 0.12, 5, limits=(10, 35), batches=32)),
    Case("QT-06", "M/M/1, 20 slots and one of bias", partial(m_m_1, 0.5, 10.0, limits=(30, 150), batches=96)),
    *(
        Case("QT-07", f"Geo/Geo/1/{k}", partial(geo_geo_1_k, 0.5, 0.55, k, limit=k + 2, batches=28 if k == 5 else 16))
        for k in range(1, 6)
    ),
    Case("QT-07", "slotted M/D/1/3", partial(m_d_1_k, 0.9, 3, limit=2, batches=16)),
)
