"""Changes that must not matter, or matter in one place only; exactly."""

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.report import VERDICTS
from tests.oracles.cells import SLOT_NS, cells, slices
from tests.oracles.playing import changed, play, play_cell, with_slices


def isolated(scenario):
    return changed(scenario, carrier={**scenario.to_dict()["carrier"], "sharing": "isolated"})


def without_events_of(scenario, name):
    kept = [
        e for e in scenario.to_dict()["events"] if name not in [v.get("slice") for v in e.values() if type(v) is dict]
    ]
    return changed(scenario, events=kept)


@settings(max_examples=40)
@given(played=cells(), other=slices(), data=st.data())
def test_whatever_changes_in_one_slice_the_others_packets_stay(played, other, data):
    name = data.draw(st.sampled_from(played.scenario.slice_names))
    scenario = without_events_of(isolated(played.scenario), name)
    swapped = with_slices(scenario, lambda this, part: other if this == name else part)
    one, two = (play(s, played.seed, played.allocations) for s in (scenario, swapped))
    for neighbour in set(scenario.slice_names) - {name}:
        assert one.packets_of(neighbour) == two.packets_of(neighbour)


@settings(max_examples=40)
@given(played=cells(), data=st.data())
def test_the_order_of_slices_in_the_file_does_not_matter(played, data):
    names = played.scenario.slice_names
    order = data.draw(st.permutations(range(len(names))))
    content = played.scenario.to_dict()
    moved = changed(
        played.scenario,
        slices={names[i]: content["slices"][names[i]] for i in order},
        control={**content["control"], "initial_allocation": [played.scenario.initial_allocation[i] for i in order]},
    )
    one = play_cell(played)
    two = play(moved, played.seed, [tuple(units[i] for i in order) for units in played.allocations])
    assert one.packets == two.packets
    for before, after in zip(one.reports, two.reports, strict=True):
        assert (before.utility, before.se_capacity, before.se_carried) == (
            after.utility,
            after.se_capacity,
            after.se_carried,
        )
        assert before.ssr[list(order)].tolist() == after.ssr.tolist()
        assert (
            before.latency_p99_ms[list(order)].tolist() == after.latency_p99_ms.tolist() or before.departed.min() == 0
        )


@settings(max_examples=40)
@given(played=cells(with_events=False), data=st.data())
def test_users_without_traffic_are_as_no_users(played, data):
    """Also where idle slices lend their resource blocks."""
    name = data.draw(st.sampled_from(played.scenario.slice_names))
    silent = with_slices(
        played.scenario, lambda this, part: {**part, "traffic": {"kind": "silent"}} if this == name else part
    )
    empty = with_slices(silent, lambda this, part: {**part, "users": 0} if this == name else part)
    assert play(silent, played.seed, played.allocations) == play(empty, played.seed, played.allocations)


@settings(max_examples=40)
@given(played=cells(with_events=False), data=st.data())
def test_a_user_who_joins_without_traffic_or_after_the_end_changes_nothing(played, data):
    name = data.draw(st.sampled_from(played.scenario.slice_names))
    end_ns = played.scenario.control.period_ns * (1 + len(played.allocations))
    join = [{"at": f"{end_ns + SLOT_NS} ns", "join": {"slice": name, "users": 2}}]
    assert play_cell(played) == play_cell(played, events=join)


@settings(max_examples=40)
@given(played=cells(), limit_slots=st.integers(1, 40), floor_bps=st.sampled_from([0, 10**6, 10**9]))
def test_a_changed_sla_changes_verdicts_and_nothing_else(played, limit_slots, floor_bps):
    """Where late packets are sent; earliest deadline ranks by arrival as long as one limit holds for all of a slice."""
    events = [event for event in played.scenario.to_dict()["events"] if "sla" not in event]
    sent = with_slices(changed(played.scenario, events=events), lambda _, part: {**part, "late": "send"})
    new = {"rate_floor": f"{floor_bps} bit/s", "latency_limit": f"{limit_slots * SLOT_NS // 2} ns"}
    other = with_slices(sent, lambda _, part: {**part, "sla": {**part["sla"], **new}})
    one, two = (play(scenario, played.seed, played.allocations) for scenario in (sent, other))
    assert [_physics(packet) for packet in one.packets] == [_physics(packet) for packet in two.packets]
    for before, after in zip(one.reports, two.reports, strict=True):
        for figure in ("arrived", "departed", "backlog_bits", "carried_bits", "prb_slots_granted", "prb_slots_used"):
            assert getattr(before, figure).tolist() == getattr(after, figure).tolist()


def _physics(packet):
    return packet._replace(resolved_ns=None, verdict="")


@settings(max_examples=40)
@given(played=cells(with_events=False), limit_slots=st.integers(1, 20))
def test_ssr_at_another_limit_follows_from_the_trace_at_this_one(played, limit_slots):
    """Verdicts are recomputed from arrival, departure and rate of packets logged under another limit."""
    sent = with_slices(played.scenario, lambda _, part: {**part, "late": "send"})
    limit = {"latency_limit": f"{limit_slots * SLOT_NS} ns"}
    other = with_slices(sent, lambda _, part: {**part, "sla": {**part["sla"], **limit}})
    end_ns = played.scenario.control.period_ns * (1 + len(played.allocations))
    told = play(sent, played.seed, played.allocations).packets
    floors = {name: part.sla.rate_floor_bps for name, part in sent.slices.items()}
    expected = [_judged(packet, limit_slots * SLOT_NS, floors[packet.slice], end_ns) for packet in told]
    assert expected == [packet.verdict for packet in play(other, played.seed, played.allocations).packets]


def _judged(packet, limit_ns, floor_bps, end_ns):
    satisfied, slow, late, dropped, pending = VERDICTS
    if packet.verdict == dropped:
        return dropped
    if packet.departure_ns is None:
        return late if packet.arrival_ns + limit_ns <= end_ns else pending
    if packet.departure_ns - packet.arrival_ns > limit_ns:
        return late
    return satisfied if packet.rate_bps >= floor_bps else slow


@settings(max_examples=40)
@given(played=cells(periods=2), more=st.integers(1, 30))
def test_a_longer_run_changes_only_what_was_pending_or_queued(played, more):
    slots = played.scenario.control.slots_per_period
    control = {**played.scenario.to_dict()["control"], "slots_per_period": slots + more}
    short, long = (play(s, played.seed, ()) for s in (played.scenario, changed(played.scenario, control=control)))
    end_ns = slots * SLOT_NS
    left = {packet for packet in short.packets if packet.departure_ns or packet.verdict == "dropped"}
    assert left <= set(long.packets)
    told = {(packet.slice, packet.user, packet.index) for packet in short.packets}
    for packet in long.packets:
        if (packet.slice, packet.user, packet.index) not in told:
            assert packet.arrival_ns >= end_ns
