"""What no cell can break: packets and bits are conserved, each packet is resolved once, and shares are shares."""

import math
from collections import Counter, defaultdict

import numpy as np
from hypothesis import given, settings

from netsim.report import VERDICTS
from tests.oracles.cells import SLOT_NS, cells
from tests.oracles.playing import play, play_cell
from tests.property.slotwise import slot_by_slot

RESOLVED = VERDICTS[:-1]


@settings(max_examples=60)
@given(cells())
def test_packets_are_conserved_after_every_slot(played):
    """Invariant 1, by counts that a process beside the base station asks for within a period."""
    slots = played.scenario.control.slots_per_period
    before = np.zeros(len(played.scenario.slices), int)

    def auditor(simulation):
        while True:
            yield simulation.env.timeout(SLOT_NS)
            counts = simulation.counts()
            if simulation.slot % slots == 0:  # a new period's counts have begun
                before[:] = counts["pending"]
            resolved = sum(counts[verdict] for verdict in RESOLVED)
            np.testing.assert_array_equal(before + counts["arrived"], resolved + counts["pending"])

    run = play(played.scenario, played.seed, played.allocations, [lambda simulation: [auditor(simulation)]])
    for name in played.scenario.slice_names:
        resolved = sum(run.total(verdict, name) for verdict in RESOLVED)
        assert run.total("arrived", name) == resolved + _last(run, "pending", name)


@settings(max_examples=60)
@given(cells(with_events=False))
def test_the_counts_of_every_slot_are_those_of_the_packets_resolved_in_it(played):
    """Invariants 1 and 7: arrivals and verdicts of a slot recounted from the records of packets, by their instants."""
    reports, packets = [], {}
    for slot in slot_by_slot(played):
        reports.append(slot.report)
        packets |= {packet[:3]: packet for packet in [*slot.left, *slot.queued]}
    arrived, resolved = Counter(), Counter()
    for packet in packets.values():
        arrived[packet.slice, _slot_that_tells(packet.arrival_ns)] += 1
        if packet.resolved_ns is not None:
            resolved[packet.slice, packet.verdict, _slot_that_tells(packet.resolved_ns)] += 1
    for report in reports:
        for s, name in enumerate(report.slices):
            assert report.arrived[s] == arrived[name, report.period]
            for verdict in RESOLVED:
                assert getattr(report, verdict)[s] == resolved[name, verdict, report.period]
    last = reports[-1]
    waiting = Counter(packet.slice for packet in packets.values() if packet.resolved_ns is None)
    assert {name: int(last.pending[s]) for s, name in enumerate(last.slices)} == {n: waiting[n] for n in last.slices}


def _slot_that_tells(instant_ns):
    """The slot in whose report an instant is counted: the one it ends or lies in, and the first for instant 0."""
    return max(0, -(-instant_ns // SLOT_NS) - 1)


@settings(max_examples=60)
@given(cells())
def test_bits_that_came_in_were_sent_or_given_up_or_are_queued(played):
    """Invariant 2, after every slot."""
    balance = np.zeros(len(played.scenario.slices), np.int64)
    for slot in slot_by_slot(played):
        report = slot.report
        balance += report.offered_bits - report.carried_bits - report.discarded_bits
        np.testing.assert_array_equal(balance, report.backlog_bits)
        queued = Counter()
        for packet in slot.queued:
            queued[packet.slice] += packet.size_bits
        partly = [int(slot.after["sent_bits"][slot.after["slice"] == s].sum()) for s in range(len(report.slices))]
        assert report.backlog_bits.tolist() == [queued[n] - partly[s] for s, n in enumerate(report.slices)]


@settings(max_examples=60)
@given(cells())
def test_every_packet_is_told_of_once_and_counted_by_its_verdict(played):
    """Invariant 7."""
    run = play_cell(played)
    indices = defaultdict(list)
    for packet in run.packets:
        indices[packet.slice, packet.user].append(packet.index)
        assert (packet.resolved_ns is None) == (packet.verdict == "pending")
    assert all(sorted(found) == list(range(len(found))) for found in indices.values())
    for name in played.scenario.slice_names:
        found = Counter(packet.verdict for packet in run.packets_of(name))
        counted = {verdict: run.total(verdict, name) for verdict in RESOLVED} | {"pending": _last(run, "pending", name)}
        assert {verdict: found[verdict] for verdict in VERDICTS} == counted
        offered = sum(packet.size_bits for packet in run.packets_of(name))
        departed = [packet for packet in run.packets_of(name) if packet.departure_ns is not None]
        assert run.total("offered_bits", name) == offered
        assert run.total("departed", name) == len(departed)


@settings(max_examples=60)
@given(cells(with_events=False))
def test_a_packet_is_resolved_at_its_departure_its_drop_or_its_limit_whichever_is_first(played):
    """Invariant 7: and by limit and floor, which are kept promises when they are met exactly."""
    end_ns = played.scenario.control.period_ns * (1 + len(played.allocations))
    for packet in play_cell(played).packets:
        sla = played.scenario.slices[packet.slice].sla
        passed_ns = packet.arrival_ns + sla.latency_limit_ns
        in_time = packet.departure_ns is not None and packet.departure_ns <= passed_ns
        if packet.verdict == "dropped":
            assert (packet.departure_ns, packet.resolved_ns) == (None, packet.arrival_ns)
        elif in_time:
            fast = packet.rate_bps >= sla.rate_floor_bps
            assert (packet.verdict, packet.resolved_ns) == ("satisfied" if fast else "slow", packet.departure_ns)
        elif passed_ns <= end_ns:
            assert (packet.verdict, packet.resolved_ns) == ("late", passed_ns)
        else:
            assert (packet.verdict, packet.resolved_ns) == ("pending", None)


@settings(max_examples=60)
@given(cells())
def test_ssr_is_a_share_and_one_where_nothing_was_resolved(played):
    """Invariant 8."""
    for report in play_cell(played).reports:
        assert ((report.ssr >= 0) & (report.ssr <= 1)).all()
        resolved = report.satisfied + report.slow + report.late + report.dropped
        np.testing.assert_array_equal(report.idle, resolved == 0)
        expected = [s / r if r else 1.0 for s, r in zip(report.satisfied.tolist(), resolved.tolist(), strict=True)]
        assert report.ssr.tolist() == expected
        assert not any(math.isnan(share) for share in expected)


def _last(run, figure, name):
    report = run.reports[-1]
    return int(getattr(report, figure)[report.slices.index(name)])
