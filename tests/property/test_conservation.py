"""What no cell can break: packets and bits are conserved, grants are kept, queues are first in first out."""

import math
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.report import VERDICTS
from tests.oracles.cells import SLOT_NS, cells
from tests.oracles.playing import changed, play, play_cell, with_slices
from tests.oracles.plugged import Watching

RESOLVED = VERDICTS[:-1]


@settings(max_examples=40)
@given(cells())
def test_packets_are_conserved_after_every_slot(played):
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


def _last(run, figure, name):
    report = run.reports[-1]
    return int(getattr(report, figure)[report.slices.index(name)])


@settings(max_examples=40)
@given(cells())
def test_bits_that_came_in_were_sent_or_given_up_or_are_queued(played):
    run = play_cell(played)
    for name in played.scenario.slice_names:
        gone = run.total("carried_bits", name) + run.total("discarded_bits", name)
        assert run.total("offered_bits", name) == gone + _last(run, "backlog_bits", name)


@settings(max_examples=40)
@given(cells())
def test_every_packet_is_told_of_once_and_counted_by_its_verdict(played):
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


@settings(max_examples=40)
@given(cells())
def test_a_packet_is_resolved_at_its_departure_its_drop_or_its_limit_whichever_is_first(played):
    run = play_cell(played, events=[])
    for packet in run.packets:
        limit_ns = played.scenario.slices[packet.slice].sla.latency_limit_ns
        passed_ns = packet.arrival_ns + limit_ns
        expected = {
            "dropped": packet.arrival_ns,
            "late": passed_ns,
            "pending": None,
            "satisfied": packet.departure_ns,
            "slow": packet.departure_ns,
        }
        assert packet.resolved_ns == expected[packet.verdict]
        if packet.verdict in ("satisfied", "slow"):
            assert packet.departure_ns <= passed_ns
        if packet.verdict == "late" and packet.departure_ns is not None:
            assert packet.departure_ns > passed_ns


@settings(max_examples=40)
@given(cells())
def test_users_are_served_first_in_first_out(played):
    sent = defaultdict(list)
    for packet in play_cell(played).packets:
        if packet.departure_ns is not None:
            sent[packet.slice, packet.user].append((packet.index, packet.departure_ns, packet.arrival_ns))
    for departures in sent.values():
        for (_, first_ns, _), (_, second_ns, _) in pairwise(sorted(departures)):
            assert first_ns <= second_ns


@settings(max_examples=40)
@given(cells())
def test_latency_is_at_least_a_slot_and_what_the_best_channel_needs(played):
    link = {"model": "shannon", "layers": 2, "ceiling": 2.5}
    scenario = changed(played.scenario, channel={**played.scenario.to_dict()["channel"], "link": link})
    most_bits = math.floor(scenario.carrier.bandwidth_hz * 5.0 * SLOT_NS / 1e9)
    for packet in play(scenario, played.seed, played.allocations).packets:
        if packet.departure_ns is not None:
            slots = math.ceil(packet.size_bits / most_bits)
            assert packet.departure_ns % SLOT_NS == 0
            assert packet.departure_ns - packet.arrival_ns >= slots * SLOT_NS


@settings(max_examples=40)
@given(cells())
def test_grants_share_what_the_slice_holds_and_nobody_is_sent_more_than_granted(played):
    """The grants are those of a plugin that watches; what was sent is what reports say after every slot."""
    channel = {**played.scenario.to_dict()["channel"], "power": "spread"}
    scenario = with_slices(changed(played.scenario, channel=channel), _watched)
    sent = []

    def meter(simulation):
        while True:
            yield simulation.env.timeout(SLOT_NS)
            sent.append(simulation.counts()["carried_bits"])

    run = play(scenario, played.seed, played.allocations, [lambda simulation: [meter(simulation)]])
    per_slot = _per_slot(sent, run.reports, scenario.control.slots_per_period)
    in_use = Counter()
    for s, name in enumerate(scenario.slice_names):
        most = np.zeros(len(per_slot), int)
        for prb, slot, active, grants in Watching.seen[name]:
            assert (active["backlog_bits"] > 0).all()
            assert grants.sum() == prb
            in_use[slot] += prb
            # A rate is rounded once more for one block than for several: floor may differ by one bit.
            granted_bits = np.floor(grants * active["bits_per_prb"] * (1 + 1e-15)).astype(int)
            most[slot] = np.minimum(granted_bits, active["backlog_bits"]).sum()
        assert (per_slot[:, s] <= most).all()
        assert (per_slot[:, s] >= most - scenario.users_ever(name)).all()
    assert all(total <= scenario.carrier.prb for total in in_use.values())


def _watched(name, part):
    return {**part, "scheduler": {"kind": "tests.oracles.plugged:Watching", "options": {"of": name}}}


def _per_slot(sent, reports, slots_per_period):
    """Bits of each slot, from counts at each slot's end that start again with a period, and from the reports."""
    last = slots_per_period - 1
    starts = range(0, len(reports) * slots_per_period, slots_per_period)
    periods = [[*sent[k : k + last], r.carried_bits] for k, r in zip(starts, reports, strict=True)]
    return np.concatenate([np.diff(counts, axis=0, prepend=np.zeros((1, len(counts[0])), int)) for counts in periods])


@settings(max_examples=40)
@given(cells())
def test_granted_blocks_are_the_slices_own_whenever_somebody_is_active(played):
    scenario = changed(played.scenario, carrier={**played.scenario.to_dict()["carrier"], "sharing": "isolated"})
    active_slots = []

    def onlooker(simulation):
        while True:
            active_slots.append(simulation.counts()["backlog_packets"] > 0)
            yield simulation.env.timeout(SLOT_NS)

    run = play(scenario, played.seed, played.allocations, [lambda simulation: [onlooker(simulation)]])
    if scenario.events:
        return  # an event takes effect between the look and the slot
    slots = scenario.control.slots_per_period
    active = np.array(active_slots)[: len(run.reports) * slots].reshape(len(run.reports), slots, -1).sum(axis=1)
    for report, busy in zip(run.reports, active, strict=True):
        prb = np.array(report.allocation) * scenario.carrier.allocation_unit_prb
        np.testing.assert_array_equal(report.prb_slots_granted, busy * prb)
        assert (report.prb_slots_used <= report.prb_slots_granted).all()


@settings(max_examples=40)
@given(cells())
def test_ssr_is_a_share_and_one_where_nothing_was_resolved(played):
    for report in play_cell(played).reports:
        assert ((report.ssr >= 0) & (report.ssr <= 1)).all()
        np.testing.assert_array_equal(report.idle, report.resolved == 0)
        assert (report.ssr[report.idle] == 1).all()
        np.testing.assert_array_equal(report.satisfied, np.rint(report.ssr * report.resolved) * ~report.idle)


def counts_of(reports, name):
    figures = (
        *RESOLVED,
        "arrived",
        "departed",
        "carried_bits",
        "discarded_bits",
        "prb_slots_granted",
        "prb_slots_used",
    )
    return {figure: sum(int(getattr(r, figure)[r.slices.index(name)]) for r in reports) for figure in figures}


@settings(max_examples=40)
@given(cells(), st.integers(1, 4))
def test_counts_of_short_periods_add_up_to_those_of_a_long_one(played, parts):
    """Holding an action for n periods is one period n times as long; its SSR is the resolved-weighted mean."""
    control = played.scenario.to_dict()["control"]
    slots = played.scenario.control.slots_per_period
    long = netsim.Simulation(
        changed(played.scenario, control={**control, "slots_per_period": slots * parts}), played.seed
    )
    short = netsim.Simulation(played.scenario, played.seed)
    units = played.scenario.initial_allocation
    one, many = long.reset(), [short.reset(), *(short.step(units) for _ in range(parts - 1))]
    for s, name in enumerate(played.scenario.slice_names):
        assert counts_of([one], name) == counts_of(many, name)
        weights = [int(report.resolved[s]) for report in many]
        if sum(weights):
            mean = sum(w * report.ssr[s] for w, report in zip(weights, many, strict=True)) / sum(weights)
            assert math.isclose(one.ssr[s], mean, rel_tol=1e-12)
    np.testing.assert_array_equal(one.backlog_bits, many[-1].backlog_bits)
    assert math.isclose(one.se_capacity, sum(r.se_capacity for r in many) / parts, rel_tol=1e-12)
