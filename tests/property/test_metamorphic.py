"""Changes that must not matter, or matter in one place only; exactly."""

from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.report import SLICE_FIELDS
from netsim.testing.strategies import SLOT_NS, cells, schedulers, slices
from tests.oracles.playing import changed, play, play_cell, with_slices
from tests.property.arranged import EXACT, arranged, plans
from tests.property.slotwise import in_slots


def isolated(scenario):
    return changed(scenario, carrier={**scenario.to_dict()["carrier"], "sharing": "isolated"})


def without_events_of(scenario, name):
    kept = [
        e for e in scenario.to_dict()["events"] if name not in [v.get("slice") for v in e.values() if type(v) is dict]
    ]
    return changed(scenario, events=kept)


@settings(max_examples=60)
@given(played=cells(), other=slices(), data=st.data())
def test_whatever_changes_in_one_slice_the_others_packets_stay(played, other, data):
    """Relation 17."""
    name = data.draw(st.sampled_from(played.scenario.slice_names))
    scenario = without_events_of(isolated(played.scenario), name)
    swapped = with_slices(scenario, lambda this, part: other if this == name else part)
    one, two = (play(s, played.seed, played.allocations) for s in (scenario, swapped))
    for neighbour in set(scenario.slice_names) - {name}:
        assert one.packets_of(neighbour) == two.packets_of(neighbour)


@settings(max_examples=60)
@given(played=cells(), data=st.data())
def test_the_order_of_slices_in_the_file_does_not_matter(played, data):
    """Relation 18; users are no list in a file, they are numbered, so that only slices and events have an order."""
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
        for figure in SLICE_FIELDS:
            assert str(getattr(before, figure)[list(order)].tolist()) == str(getattr(after, figure).tolist())  # NaN too


@settings(max_examples=60)
@given(played=cells(), data=st.data())
def test_the_order_of_events_of_different_instants_does_not_matter(played, data):
    """Relation 18, of the third list in a file."""
    dated = {event["at"]: event for event in played.scenario.to_dict()["events"]}
    one, two = list(dated.values()), data.draw(st.permutations(list(dated.values())))
    try:
        scenarios = [changed(played.scenario, events=events) for events in (one, two)]
    except ValueError:  # somebody was to leave whose joining shared an instant with another event
        return
    first, second = (play(scenario, played.seed, played.allocations) for scenario in scenarios)
    assert first == second


@settings(max_examples=60)
@given(played=cells(with_events=False), idle=st.integers(1, 20))
def test_after_idle_slots_all_happens_as_much_later(played, idle):
    """Relation 19: whoever is there from the start joins after some idle slots instead.

    On a channel that does not change with time. The instant at which a user joins is the origin of its packets.
    """
    still = {**played.scenario.to_dict()["channel"], "fading": {"model": "none"}, "shadowing": {"sigma": "0 dB"}}
    empty = with_slices(changed(played.scenario, channel=still), lambda _, part: {**part, "users": 0, "load": None})
    slots = played.scenario.control.slots_per_period
    runs = []
    for wait in (0, idle):
        joins = [
            {"at": f"{wait * SLOT_NS} ns", "join": {"slice": name, "users": part.users}}
            for name, part in played.scenario.slices.items()
            if part.users
        ]
        scenario = in_slots(changed(empty, events=joins))
        simulation = netsim.Simulation(scenario, played.seed, log_packets=True)
        units = scenario.initial_allocation
        reports = [simulation.step(units) if k else simulation.reset() for k in range(wait + slots)][wait:]
        runs.append((reports, simulation.take_packets(), simulation.queued_packets()))
    (reports, *packets), (reports_then, *packets_then) = runs
    for now, then in zip(packets, packets_then, strict=True):
        for instant in ("arrival_ns", "departure_ns", "resolved_ns"):
            now[instant] += (now[instant] >= 0) * idle * SLOT_NS
        assert now.tolist() == then.tolist()
    for one, other in zip(reports, reports_then, strict=True):
        assert (one.utility, one.se_capacity, one.se_carried) == (other.utility, other.se_capacity, other.se_carried)
        assert _figures(one) == _figures(other)


def _figures(report, without=()):
    """The figures per slice; as text, because NaN is not itself."""
    return {name: str(getattr(report, name).tolist()) for name in SLICE_FIELDS if name not in without}


@settings(max_examples=60)
@given(
    each=plans(),
    prb=st.integers(1, 5),
    k=st.integers(1, 7),
    widened=st.booleans(),
    scheduler=schedulers(),
    late=st.sampled_from(["send", "discard"]),
    limit_slots=st.integers(1, 8),
    floor_mbps=st.integers(0, 4),
    rate=st.sampled_from(["granted", "goodput"]),
)
def test_sizes_and_rates_times_a_power_of_two_give_the_same_latencies(
    folder, each, prb, k, widened, scheduler, late, limit_slots, floor_mbps, rate
):
    """Relation 22: more layers or wider resource blocks; the floor grows with them, so verdicts are the same too."""
    runs = []
    for factor in (1, 2**k):
        link = {**EXACT["link"], "layers": 5 * (1 if widened else factor)}
        sla = {
            "rate_floor": f"{floor_mbps * factor} Mbit/s",
            "latency_limit": f"{limit_slots * SLOT_NS} ns",
            "rate": rate,
        }
        larger = [[(gap_ns, bits * factor) for gap_ns, bits in plan] for plan in each]
        scenario = arranged(
            larger, folder, prb=prb, channel={**EXACT, "link": link}, slots=60, scheduler=scheduler, late=late, sla=sla
        )
        if widened:
            scenario = changed(scenario, carrier={"prb": prb, "prb_bandwidth": f"{200 * factor} kHz"})
        runs.append(play(scenario, 0, ()))
    one, two = runs
    assert [packet._replace(size_bits=0, rate_bps=0) for packet in one.packets] == [
        packet._replace(size_bits=0, rate_bps=0) for packet in two.packets
    ]
    assert [packet.size_bits * 2**k for packet in one.packets] == [packet.size_bits for packet in two.packets]


@settings(max_examples=60)
@given(played=cells(with_events=False), data=st.data())
def test_users_without_traffic_are_as_no_users(played, data):
    """Relation 23, also where idle slices lend their resource blocks."""
    name = data.draw(st.sampled_from(played.scenario.slice_names))
    silent = with_slices(
        played.scenario, lambda this, part: {**part, "traffic": {"kind": "silent"}} if this == name else part
    )
    empty = with_slices(silent, lambda this, part: {**part, "users": 0} if this == name else part)
    assert play(silent, played.seed, played.allocations) == play(empty, played.seed, played.allocations)


@settings(max_examples=60)
@given(played=cells(with_events=False), data=st.data())
def test_users_who_join_after_the_end_change_nothing(played, data):
    """Relation 23."""
    name = data.draw(st.sampled_from(played.scenario.slice_names))
    end_ns = played.scenario.control.period_ns * (1 + len(played.allocations))
    join = [{"at": f"{end_ns + SLOT_NS} ns", "join": {"slice": name, "users": 2}}]
    assert play_cell(played) == play_cell(played, events=join)


@settings(max_examples=60)
@given(each=plans(), place=st.integers(0, 4), prb=st.integers(1, 5), scheduler=schedulers())
def test_a_user_without_packets_among_others_changes_nothing(folder, each, place, prb, scheduler):
    """Relation 23: but for the numbers of those who come after."""
    place = min(place, len(each))
    alone = arranged(each, folder, prb=prb, scheduler=scheduler, queue={"packets": 3})
    quiet = arranged([*each[:place], [], *each[place:]], folder, prb=prb, scheduler=scheduler, queue={"packets": 3})
    one, two = play(alone, 0, ()), play(quiet, 0, ())
    assert [packet._replace(user=packet.user + (packet.user >= place)) for packet in one.packets] == two.packets
    assert one.reports == two.reports


@settings(max_examples=60)
@given(each=plans(), prb=st.integers(1, 5), spare_prb=st.integers(1, 3), scheduler=schedulers())
def test_a_slice_without_users_changes_nothing(folder, each, prb, spare_prb, scheduler):
    """Relation 23: a slice that comes with resource blocks of its own, on a channel that does not feel them."""
    alone, beside = (arranged(each, folder, prb=prb, spare_prb=n, scheduler=scheduler) for n in (0, spare_prb))
    one, two = play(alone, 0, ()), play(beside, 0, ())
    assert one.packets == two.packets
    for name in SLICE_FIELDS:
        assert str(getattr(one.reports[0], name)[0]) == str(getattr(two.reports[0], name)[0])


OF_VERDICTS = ("satisfied", "slow", "late", "pending", "ssr", "idle")


@settings(max_examples=60)
@given(played=cells(), limit_slots=st.integers(1, 40), floor_bps=st.sampled_from([0, 10**6, 10**9]))
def test_a_changed_sla_changes_verdicts_and_nothing_else(played, limit_slots, floor_bps):
    """Relation 24, where late packets are sent: earliest deadline ranks by arrival as long as one limit holds for all
    of a slice."""
    events = [event for event in played.scenario.to_dict()["events"] if "sla" not in event]
    sent = with_slices(changed(played.scenario, events=events), lambda _, part: {**part, "late": "send"})
    new = {"rate_floor": f"{floor_bps} bit/s", "latency_limit": f"{limit_slots * SLOT_NS // 2} ns"}
    other = with_slices(sent, lambda _, part: {**part, "sla": {**part["sla"], **new}})
    one, two = (play(scenario, played.seed, played.allocations) for scenario in (sent, other))
    assert [_physics(packet) for packet in one.packets] == [_physics(packet) for packet in two.packets]
    left = {e["at"] for e in events if "leave" in e}
    for before, after in zip(one.reports, two.reports, strict=True):
        # Who leaves has packets dropped that another limit might have had late before.
        without = (*OF_VERDICTS, "dropped") if left else OF_VERDICTS
        assert _figures(before, without) == _figures(after, without)
        assert (before.se_capacity, before.se_carried) == (after.se_capacity, after.se_carried)


def _physics(packet):
    return packet._replace(resolved_ns=None, verdict="")
