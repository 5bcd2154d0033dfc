"""Clocks, packet numbers and counters around 2^31 and 2^53 count as small ones do."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.report import SLICE_FIELDS
from netsim.state import SUPPLY
from netsim.testing.strategies import SLOT_NS, cells
from netsim.testing.strategies.quantities import packet_sizes
from tests.oracles.comparing import of_kernel
from tests.oracles.draws import Stream
from tests.oracles.laws import drawn, whole_bits
from tests.oracles.playing import changed, with_slices
from tests.property.test_conservation import RESOLVED
from tests.property.transplanted import moved

BOUNDARIES = {"slot 2^31": (1 << 31, 1), "ns 2^53": (1 << 53, SLOT_NS), "ns 2^59": (1 << 59, SLOT_NS)}
PRESETS = st.sampled_from([1 << 31, 1 << 53]).flatmap(lambda edge: st.integers(edge - 9, edge + 1))


def timeless(scenario):
    """The scenario with nothing in it that depends on the date: no events, no load curve, no fading by slot."""
    still = {"fading": {"model": "none"}, "shadowing": {"sigma": "8 dB", "per": "user"}}
    parts = {name: {**part, "load": None} for name, part in scenario.to_dict()["slices"].items()}
    return changed(scenario, events=[], channel={**scenario.to_dict()["channel"], **still}, slices=parts)


def played_on(simulation, allocations):
    """Reports under some allocations, and then all packets."""
    scenario = simulation.scenario
    reports = [simulation.step(units) for units in allocations]
    return reports, of_kernel(simulation.take_packets(), scenario), of_kernel(simulation.queued_packets(), scenario)


def begun(scenario, seed):
    """A simulation at the end of period 0, the packets that have left told of already."""
    simulation = netsim.Simulation(scenario, seed, log_packets=True)
    simulation.reset()
    simulation.take_packets()
    return simulation


@pytest.mark.parametrize("boundary", BOUNDARIES)
@settings(max_examples=25)
@given(played=cells(periods=4), early=st.integers(0, 20))
def test_a_clock_about_to_pass_a_power_of_two_runs_as_one_that_starts(folder, boundary, played, early):
    """Invariant 15; relation 19 over months: all instants are later, nothing else changes."""
    scenario = timeless(played.scenario)
    edge, unit = BOUNDARIES[boundary]
    per_period = scenario.control.slots_per_period
    slots = (edge // unit - early) // per_period * per_period
    later = moved(begun(scenario, played.seed), folder / "moved", slots=slots)
    (reports, left, queued), (reports_then, left_then, queued_then) = (
        played_on(simulation, played.allocations) for simulation in (begun(scenario, played.seed), later)
    )
    assert [_shifted(packet, slots * SLOT_NS) for packet in left] == left_then
    assert [_shifted(packet, slots * SLOT_NS) for packet in queued] == queued_then
    for now, then in zip(reports, reports_then, strict=True):
        assert then.period == now.period + slots // per_period
        assert then.time_s == (then.period + 1) * scenario.control.period_ns / 1e9
        assert_same_figures(now, then)


def assert_same_figures(one, other):
    assert (one.utility, one.se_capacity, one.se_carried) == (other.utility, other.se_capacity, other.se_carried)
    for name in SLICE_FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def _shifted(packet, later_ns):
    def later(instant_ns):
        return None if instant_ns is None else instant_ns + later_ns

    return packet._replace(
        arrival_ns=later(packet.arrival_ns),
        departure_ns=later(packet.departure_ns),
        resolved_ns=later(packet.resolved_ns),
    )


@settings(max_examples=25)
@given(
    played=cells(periods=4, with_events=False),
    edge=st.sampled_from([1 << 31, 1 << 32, 1 << 53]),
    blocks=st.integers(0, 2),
    size=packet_sizes(),
)
def test_packets_numbered_around_a_power_of_two_are_conserved_and_their_own(folder, played, edge, blocks, size):
    """Invariant 15: numbers stay without gaps, counts and order are kept, and each size is the draw of its own number.

    Those that had been drawn before the numbers were moved are of the numbers they had then.
    """
    gap = {"distribution": "exponential", "mean": f"{SLOT_NS // 4} ns"}
    traffic = {"kind": "renewal", "gap": gap, "size": size}
    scenario = with_slices(timeless(played.scenario), lambda _, part: {**part, "traffic": traffic})
    packets = edge - SUPPLY * blocks
    simulation = moved(begun(scenario, played.seed), folder / "numbered", packets=packets)
    had = Counter(p.slice for p in of_kernel(simulation.queued_packets(), scenario) if p.verdict == "pending")
    numbers = {(int(u["slice"]), int(u["number"])): int(u["packet"]) for u in simulation.cell.users}
    reports, left, queued = played_on(simulation, played.allocations)
    found = defaultdict(list)
    for packet in sorted([*left, *queued]):
        found[packet.slice, packet.user].append(packet)
    for (name, user), mine in found.items():
        first = numbers[scenario.slice_names.index(name), user]
        new = [packet for packet in mine if packet.index >= first]
        assert [packet.index for packet in new] == list(range(first, first + len(new)))
        gone = [packet for packet in mine if packet.departure_ns is not None]
        assert all(one.departure_ns <= other.departure_ns for one, other in pairwise(gone))
        stream, law = Stream(played.seed, "packets", name, user), scenario.slices[name].traffic.size
        for packet in new:
            if packet.index >= (first // SUPPLY + 1) * SUPPLY:
                assert packet.size_bits == whole_bits(drawn(law, stream.words(packet.index)[1]))
    for s, name in enumerate(scenario.slice_names):
        resolved = sum(int(getattr(report, verdict)[s]) for report in reports for verdict in RESOLVED)
        arrived = sum(int(report.arrived[s]) for report in reports)
        assert had[name] + arrived == resolved + int(reports[-1].pending[s])


COUNTERS = ("offered_bits", "carried_bits", "discarded_bits", "prb_slots_granted", "prb_slots_used")


@settings(max_examples=40)
@given(cells(periods=2, with_events=False), PRESETS)
def test_counters_that_begin_near_a_power_of_two_count_on_exactly(played, preset):
    """Invariant 15: every counter of a period, preset as if so much had happened in it already."""

    def preparer(simulation):
        tallies = simulation.cell.tallies
        for name in (*RESOLVED, *COUNTERS):
            tallies[name] += preset
        tallies["arrived"] += len(RESOLVED) * preset
        yield simulation.env.timeout(played.scenario.control.period_ns)

    plain = netsim.Simulation(played.scenario, played.seed).reset()
    simulation = netsim.Simulation(played.scenario, played.seed, processes=[lambda simulation: [preparer(simulation)]])
    preset_one = simulation.reset()
    for name in (*RESOLVED, *COUNTERS):
        np.testing.assert_array_equal(getattr(preset_one, name), getattr(plain, name) + preset)
    resolved = sum(getattr(preset_one, verdict) for verdict in RESOLVED)
    np.testing.assert_array_equal(preset_one.arrived, resolved + preset_one.pending)
    shares = [s / r for s, r in zip(preset_one.satisfied.tolist(), resolved.tolist(), strict=True)]
    assert ((preset_one.ssr >= 0) & (preset_one.ssr <= 1)).all()
    np.testing.assert_allclose(preset_one.ssr, shares, rtol=1e-15)


@settings(max_examples=25)
@given(cells(), st.sampled_from([(1 << 31) - 1, (1 << 31) + 1, 1 << 40]))
def test_bits_of_packets_beyond_two_to_the_31_are_conserved(played, bits):
    """Invariant 15: the largest packets that a scenario may have; their sums pass 2^40 in a few packets."""
    size = {"distribution": "constant", "value": f"{bits} bit"}
    gap = {"distribution": "constant", "value": f"{SLOT_NS // 2} ns"}
    traffic = {"kind": "renewal", "gap": gap, "size": size}
    simulation = begun(with_slices(played.scenario, lambda _, part: {**part, "traffic": traffic}), played.seed)
    balance = np.zeros(len(played.scenario.slices), np.int64)
    arrived = np.zeros_like(balance)
    simulation = netsim.Simulation(simulation.scenario, played.seed)
    for k in range(3):
        report = simulation.step(played.allocations[0]) if k else simulation.reset()
        balance += report.offered_bits - report.carried_bits - report.discarded_bits
        arrived += report.arrived
        np.testing.assert_array_equal(report.offered_bits, report.arrived * bits)
        np.testing.assert_array_equal(balance, report.backlog_bits)
    assert (balance <= arrived * bits).all()
