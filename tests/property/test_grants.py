"""Resource blocks, slot by slot: what a slice holds is granted, to users with packets, and nobody is sent more."""

from collections import Counter, defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles.cells import SLOT_NS, cells
from tests.oracles.channel import Radio
from tests.oracles.playing import changed, play, with_slices
from tests.oracles.plugged import Watching
from tests.property.arranged import PRB_BITS, arranged
from tests.property.slotwise import in_slots, power_dbm_in, slot_by_slot, without_events


@settings(max_examples=60)
@given(cells())
def test_an_active_slice_is_granted_its_blocks_and_all_slices_no_more_than_the_carrier(played):
    """Invariant 3, in every slot and also where idle slices lend their resource blocks."""
    carrier = played.scenario.carrier
    for slot in slot_by_slot(played, without_events):
        granted = slot.report.prb_slots_granted
        assert granted.sum() <= carrier.prb
        assert (slot.report.prb_slots_used <= granted).all()
        if slot.number == 0:
            continue  # who was active in it nobody saw
        active = _active(slot.before, len(granted))
        held = np.array(slot.report.allocation) * carrier.allocation_unit_prb
        if carrier.sharing == "isolated":
            np.testing.assert_array_equal(granted, held * active)
        else:
            assert granted.sum() == carrier.prb * active.any()
            assert (granted >= held * active).all()


@settings(max_examples=60)
@given(cells())
def test_nothing_is_granted_without_a_backlog_and_nothing_sent_without_a_grant(played):
    """Invariant 4: of a slice. Of its users it follows from the two tests below."""
    for slot in slot_by_slot(played, without_events):
        report = slot.report
        assert (report.carried_bits[report.prb_slots_granted == 0] == 0).all()
        np.testing.assert_array_equal(report.prb_slots_used > 0, report.carried_bits > 0)
        if slot.number > 0:
            idle = ~_active(slot.before, len(report.slices))
            assert (report.prb_slots_granted[idle] == 0).all()


def _active(users, n_slices):
    return np.array([(users["queued"][users["slice"] == s] > 0).any() for s in range(n_slices)])


@settings(max_examples=60)
@given(cells())
def test_a_user_is_sent_its_backlog_or_what_its_own_grant_carries_whichever_is_less(played):
    """Invariants 3 and 4, of the users that a built-in scheduler served last in each slot, whatever the scheduler,
    the power and the sharing. What a grant carries is computed from the equations of the channel."""
    scenario = without_events(played.scenario)
    power_dbm = scenario.channel.transmit_power_dbm
    radios = {}
    shown = []

    def look(simulation):
        cell = simulation.cell
        shown[:] = [cell.slices["lent_prb"].copy(), cell.served.copy(), cell.grants.copy()]

    for slot in slot_by_slot(played, without_events, look):
        busy = np.flatnonzero(_active(slot.before, len(scenario.slices)))
        if slot.number == 0 or not busy.size:
            continue
        s, (lent_prb, served, grants) = int(busy[-1]), shown
        name = scenario.slice_names[s]
        mine = {int(user["number"]): user for user in slot.before if user["slice"] == s and user["queued"] > 0}
        n = min(len(mine), lent_prb[s]) if scenario.slices[name].scheduler.kind == "round-robin" else len(mine)
        granted = dict(zip(served[:n].tolist(), grants[:n].tolist(), strict=True))
        assert granted.keys() <= mine.keys()
        assert sum(granted.values()) == lent_prb[s] == slot.report.prb_slots_granted[s]
        most = dict.fromkeys(mine, 0)
        for number, prb in granted.items():
            if (name, number) not in radios:
                radios[name, number] = Radio(scenario, played.seed, name, number)
            carries = radios[name, number].bits(slot.number, prb, power_dbm)
            most[number] = min(carries, int(mine[number]["backlog_bits"]))
        assert slot.report.carried_bits[s] == sum(most.values())
        if scenario.slices[name].late == "send":
            sent = _sent(slot, name, s)
            assert {number: sent[number] for number in most} == most


def _sent(slot, name, s):
    """Bits sent to each user of a slice in a slot that gave nothing up: what it had and what came less what is left."""
    sent = Counter()
    for before, after in zip(slot.before, slot.after, strict=True):
        if after["slice"] == s:
            sent[int(after["number"])] += int(before["backlog_bits"]) - int(after["backlog_bits"])
    for packet in [*slot.left, *slot.queued]:
        if packet.slice == name and packet.arrival_ns > slot.number * SLOT_NS and packet.verdict != "dropped":
            sent[packet.user] += packet.size_bits
    return sent


@settings(max_examples=40)
@given(cells())
def test_a_plugged_scheduler_sees_who_is_active_and_its_grants_are_what_is_served(played):
    """Invariants 3 and 4 as a scheduler of one's own meets them, dated events included."""
    scenario = in_slots(with_slices(played.scenario, _watched))
    radios = {}
    reports = [slot.report for slot in slot_by_slot(played, lambda _: scenario)]
    carried = np.array([report.carried_bits for report in reports])
    granted = np.array([report.prb_slots_granted for report in reports])
    expected_bits, expected_prb = np.zeros_like(carried), np.zeros_like(granted)
    for s, name in enumerate(scenario.slice_names):
        for prb, slot, active, grants in Watching.seen[name]:
            assert (active["backlog_bits"] > 0).all()
            assert grants.sum() == prb
            expected_prb[slot, s] = prb
            for user, prb_of_user in zip(active, grants.tolist(), strict=True):
                key = name, int(user["user"])
                if key not in radios:
                    radios[key] = Radio(scenario, played.seed, *key)
                carries = radios[key].bits(slot, prb_of_user, power_dbm_in(scenario, slot))
                expected_bits[slot, s] += min(carries, int(user["backlog_bits"]))
    np.testing.assert_array_equal(granted, expected_prb)
    np.testing.assert_array_equal(carried, expected_bits)
    assert (granted.sum(axis=1) <= scenario.carrier.prb).all()


def _watched(name, part):
    return {**part, "scheduler": {"kind": "tests.oracles.plugged:Watching", "options": {"of": name}}}


@settings(max_examples=60)
@given(cells())
def test_users_are_served_first_in_first_out(played):
    """Invariant 5: a packet departs before any that came later, and what is queued came after all that departed."""
    departed, still = defaultdict(list), defaultdict(list)
    for slot in slot_by_slot(played):
        for packet in slot.left:
            if packet.departure_ns is not None:
                departed[packet.slice, packet.user].append(packet.index)
        still = defaultdict(list)
        for packet in slot.queued:
            still[packet.slice, packet.user].append(packet.index)
        for user, waiting in still.items():
            assert not departed[user] or departed[user][-1] < min(waiting)
    assert all(indices == sorted(set(indices)) for indices in departed.values())


@settings(max_examples=60)
@given(cells())
def test_only_the_packet_at_the_head_of_a_queue_is_partly_sent(played):
    """Invariant 5: what a user has queued is the size of its packets less what was sent of the oldest one."""
    names = played.scenario.slice_names
    for slot in slot_by_slot(played):
        waiting = defaultdict(list)
        for packet in slot.queued:
            waiting[names.index(packet.slice), packet.user].append(packet)
        for user in slot.after:
            queue = waiting[int(user["slice"]), int(user["number"])]
            assert len(queue) == user["queued"]
            assert user["backlog_bits"] == sum(packet.size_bits for packet in queue) - user["sent_bits"]
            assert 0 <= user["sent_bits"] < (queue[0].size_bits if queue else 1)


@settings(max_examples=60)
@given(cells())
def test_latency_is_at_least_a_slot_and_what_the_best_channel_needs(played):
    """Invariant 6: a ceiling on the link bounds what the blocks of a slice can carry in a slot."""
    link = {"model": "shannon", "layers": 2, "ceiling": 2.5}
    scenario = changed(played.scenario, channel={**played.scenario.to_dict()["channel"], "link": link})
    every = np.array([scenario.initial_allocation, *played.allocations]) * scenario.carrier.allocation_unit_prb
    lent = scenario.carrier.sharing == "work-conserving"
    most_prb = [scenario.carrier.prb] * len(scenario.slices) if lent else every.max(axis=0).tolist()
    for packet in play(scenario, played.seed, played.allocations).packets:
        if packet.departure_ns is not None:
            prb = most_prb[scenario.slice_names.index(packet.slice)]
            most_bits = prb * scenario.carrier.prb_bandwidth_hz * 5 * SLOT_NS // 10**9
            slots = max(1, -(-packet.size_bits // most_bits))
            assert packet.departure_ns % SLOT_NS == 0
            assert packet.departure_ns - packet.arrival_ns >= slots * SLOT_NS


@given(size=st.integers(1, 20_000), prb=st.integers(1, 6), early_ns=st.sampled_from([0, 1, SLOT_NS - 1]))
def test_alone_on_the_best_channel_a_packet_takes_exactly_the_least_latency(folder, size, prb, early_ns):
    """Invariant 6, both bounds met: whole slots from the first slot's edge after its arrival."""
    gap_ns = 2 * SLOT_NS - early_ns
    (packet,) = play(arranged([[(gap_ns, size)]], folder, prb=prb), 0, ()).packets
    assert packet.departure_ns - packet.arrival_ns == -(-size // (prb * PRB_BITS)) * SLOT_NS + early_ns
