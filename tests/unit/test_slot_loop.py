"""What the slot loop does seldom: lending shares that do not come out even, growing buffers, letting sources go on."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim import marks
from netsim.batch import SimulationBatch
from netsim.errors import PluginError
from netsim.report import LAYERS
from netsim.scenario import Scenario
from netsim.simulation import Simulation
from tests.oracles.plugged import Watching
from tests.property.arranged import SLOT_NS, arranged
from tests.unit.lone_slice import lone_slice, packets_of

# -- lending -----------------------------------------------------------------------------------------------------------


def lent(holding, idle_prb):
    """Blocks of busy slices, in order of their names, with those of idle ones: by largest remainder, ties by name."""
    total = sum(holding)
    shares = [idle_prb * held // total for held in holding]
    remainders = [idle_prb * held % total for held in holding]
    first = sorted(range(len(holding)), key=lambda s: (-remainders[s], s))[: idle_prb - sum(shares)]
    return [held + share + (s in first) for s, (held, share) in enumerate(zip(holding, shares, strict=True))]


@pytest.mark.parametrize("reverse", [False, True])
def test_blocks_are_lent_by_largest_remainder_and_ties_by_name(tmp_path, reverse):
    """Invariant 3: every split of 4 to 9 blocks over three busy slices, with 1 to 11 blocks idle."""
    busy = arranged([[(0, 10**6)]], tmp_path, prb=1).to_dict()["slices"]["only"]
    for holding in [(1, 1, 2), (2, 1, 1), (3, 3, 1), (1, 2, 3), (5, 2, 2), (1, 1, 7), (3, 3, 3)]:
        for idle_prb in (1, 2, 5, 7, 11):
            names = ["a", "b", "c", "idle"]
            prb = dict(zip(names, [*holding, idle_prb], strict=True))
            order = names[::-1] if reverse else names
            content = arranged([[(0, 10**6)]], tmp_path, prb=sum(prb.values()), slots=1).to_dict()
            content["slices"] = dict.fromkeys(order, busy)
            content["slices"]["idle"] = {**busy, "traffic": {"kind": "silent"}}
            content["carrier"] |= {"sharing": "work-conserving"}
            content["control"] |= {"initial_allocation": [prb[name] for name in order]}
            report = Simulation(Scenario.from_dict(content, tmp_path)).reset()
            granted = dict(zip(order, report.prb_slots_granted.tolist(), strict=True))
            assert [granted[name] for name in "abc"] == lent(holding, idle_prb)


CONSTANT = {"distribution": "constant", "value": "40 B"}


# -- buffers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["round-robin", "tests.oracles.plugged:PlainRoundRobin"])
def test_a_period_may_have_more_departures_than_the_first_buffer_holds(kind):
    """Invariant 11: 5000 latencies and more of one period; the first buffer holds 4096."""
    gap = {"distribution": "constant", "value": "0.01 ms"}
    traffic = {"kind": "renewal", "gap": gap, "size": {"distribution": "constant", "value": "40 B"}}
    scenario = lone_slice(traffic, slots=104, queue={"packets": 200}, scheduler={"kind": kind})
    simulation = Simulation(scenario)
    report = simulation.reset()
    assert report.departed.tolist() == [103 * 50]
    [latencies_ns] = simulation.latencies_ns()
    expected = [SLOT_NS + 10_000 * k for k in range(50)] * 103
    assert sorted(latencies_ns.tolist()) == sorted(expected)


def test_a_slot_may_bring_more_packets_than_the_log_holds():
    """Invariant 7: a packet every 50 ns for two slots, each told of once; the log grows by 8192 rows at a time. The
    first five fill the queue and depart at the end, when the very last packet arrives and finds room."""
    gap = {"distribution": "constant", "value": "50 ns"}
    traffic = {"kind": "renewal", "gap": gap, "size": {"distribution": "constant", "value": "40 B"}}
    scenario = lone_slice(traffic, slots=2, queue={"packets": 5})
    packets = packets_of(scenario)
    assert packets["index"].tolist() == list(range(20_000))
    assert packets["arrival_ns"].tolist() == list(range(50, 1_000_001, 50))
    assert Counter(packets["verdict"].tolist()) == {0: 5, 3: 19_994, 4: 1}


@pytest.mark.parametrize("names", [("flood", "other"), ("other", "flood")])
def test_a_full_log_holds_up_nobody(names):
    """Invariant 7: one slice floods the log; a source of the other waits for room, its limit a fifth of a slot."""
    gap = {"distribution": "constant", "value": "50 ns"}
    content = lone_slice({"kind": "renewal", "gap": gap, "size": CONSTANT}, slots=2, queue={"packets": 5}).to_dict()
    flood = content["slices"]["only"]
    gap = {"distribution": "constant", "value": "0.07 ms"}
    sla = {"rate_floor": "0 bit/s", "latency_limit": "0.1 ms"}
    queue = {"packets": 1, "when_full": "defer"}
    traffic = {"kind": "renewal", "gap": gap, "size": CONSTANT}
    parts = {"flood": flood, "other": {**flood, "late": "discard", "sla": sla, "queue": queue, "traffic": traffic}}
    content["slices"] = {name: parts[name] for name in names}
    scenario = Scenario.from_dict(content)
    assert Simulation(scenario, log_packets=True).reset() == Simulation(scenario).reset()


WEAK = {"path_loss": {"model": "constant", "loss": "185 dB"}, "fading": {"model": "none"}}
"""A channel that carries about 900 bits a slot."""
IMPATIENT = {"queue": {"packets": 2, "when_full": "defer"}, "late": "discard", "sla": ("1 bit/s", "0.1 ms")}


@pytest.mark.parametrize(
    ("users", "multiplier", "more"),
    [(3, 2.0, {}), (1, 40.0, {}), (1, 40.0, IMPATIENT), (2, 8.0, IMPATIENT)],
    ids=["now-and-then", "within-a-slot", "while-it-waits-for-room", "while-another-waits"],
)
@pytest.mark.parametrize("kind", ["PlainUniform", "CompiledUniform"])
def test_a_source_that_a_plugin_supplies_goes_on_where_it_stood_still(kind, users, multiplier, more):
    """It sends what the built-in kind of the same law does, eight packets and then the next eight."""
    gap = {"distribution": "uniform", "from": "0.1 ms", "to": "1.3 ms"}
    built_in = {"kind": "renewal", "gap": gap, "size": {"distribution": "uniform", "from": "100 bit", "to": "9100 bit"}}
    load = {"points": [{"at": "0 ms", "multiplier": multiplier}]}
    one, other = (
        packets_of(lone_slice(traffic, users=users, slots=15, load=load, **more), periods=1).tolist()
        for traffic in (built_in, {"kind": f"tests.oracles.plugged:{kind}"})
    )
    assert one == other


# -- sources and limits ------------------------------------------------------------------------------------------------


def test_a_new_limit_that_empties_a_queue_lets_the_source_that_waits_go_on_at_once(tmp_path):
    """Invariants 1 and 7: of a queue of one place; the limit of one slot is set after two."""
    whole = arranged([[(0, 5000), (0, 10)]], tmp_path, prb=1, slots=4)
    content = whole.to_dict()
    content["slices"]["only"] |= {"late": "discard", "queue": {"packets": 1, "when_full": "defer"}}
    content["events"] = [{"at": f"{2 * SLOT_NS} ns", "sla": {"slice": "only", "latency_limit": f"{SLOT_NS} ns"}}]
    scenario = Scenario.from_dict(content, tmp_path)
    packets = packets_of(scenario)
    assert packets["arrival_ns"].tolist() == [0, 2 * SLOT_NS]
    assert packets["departure_ns"].tolist() == [-1, 3 * SLOT_NS]
    report = Simulation(scenario).reset()
    assert (report.arrived.tolist(), report.late.tolist(), report.satisfied.tolist()) == ([2], [1], [1])


@settings(max_examples=10)
@given(
    seed=st.integers(0, 2**32),
    limits_us=st.lists(st.integers(30, 3000), min_size=4, max_size=9),
    packets=st.integers(1, 3),
    kind=st.sampled_from(["PlainUniform", "CompiledUniform"]),
)
def test_new_limits_let_a_source_that_a_plugin_supplies_go_on_as_the_built_in_one_does(seed, limits_us, packets, kind):
    """Invariant 7: a limit that is set anew makes room at once, and the source may be through with its block then."""
    gap = {"distribution": "uniform", "from": "0.1 ms", "to": "1.3 ms"}
    built_in = {"kind": "renewal", "gap": gap, "size": {"distribution": "uniform", "from": "100 bit", "to": "9100 bit"}}
    events = [
        {"at": f"{500 * (k + 1)} us", "sla": {"slice": "only", "latency_limit": f"{limit_us} us"}}
        for k, limit_us in enumerate(limits_us)
    ]
    told = []
    for traffic in (built_in, {"kind": f"tests.oracles.plugged:{kind}"}):
        more = {"load": {"points": [{"at": "0 ms", "multiplier": 40.0}]}, "late": "discard", "channel": WEAK}
        queue = {"packets": packets, "when_full": "defer"}
        content = lone_slice(traffic, users=2, slots=10, queue=queue, **more).to_dict()
        scenario = Scenario.from_dict({**content, "events": events})
        with SimulationBatch(scenario, [seed, seed + 1]) as batch:
            told.append((packets_of(scenario, seed).tolist(), list(batch.reset())))
    assert told[0] == told[1]


# -- what others see ---------------------------------------------------------------------------------------------------


def test_a_scheduler_sees_what_its_users_have_queued_and_can_be_sent(tmp_path):
    """Slot 1 of three users of a second slice: 0 is done, 1 has one of its packets left, 2 both."""
    each = [[(0, 500)], [(0, 500), (0, 700)], [(100, 900), (100, 800)]]
    content = arranged(each, tmp_path, prb=3, slots=2).to_dict()
    watched = content["slices"].pop("only")
    promise = {"rate_floor": "0 bit/s", "latency_limit": "7 ms"}
    scheduler = {"kind": "tests.oracles.plugged:Watching", "options": {"of": "watched"}}
    content["slices"] = {
        "a": {**watched, "traffic": {"kind": "silent"}, "users": 2},
        "watched": {**watched, "sla": promise, "scheduler": scheduler},
    }
    content["carrier"] |= {"prb": 4, "prb_bandwidth": "200075 Hz"}  # 500.1875 bits a slot, 500 of them whole
    content["control"] |= {"initial_allocation": [1, 3]}
    Simulation(Scenario.from_dict(content, tmp_path)).reset()
    (_, first_slot, first, _), (prb, slot, active, _) = Watching.seen["watched"]
    assert (first_slot, first["user"].tolist()) == (0, [0, 1])
    assert (prb, slot, active["user"].tolist()) == (3, 1, [1, 2])
    assert active["packets"].tolist() == [1, 2]
    assert active["backlog_bits"].tolist() == [700, 1700]
    assert active["average_bits"].tolist() == [0.0, 0.0]  # kept by proportional fair alone
    assert active["deadline_ns"].tolist() == [7_000_000, 7_000_100]
    assert active["bits_per_prb"] == pytest.approx([500.1875, 500.1875], rel=1e-12)


def watched(scenario):
    """Slot, users and grants, of every slot of period 0 in which somebody was served."""
    seen = []

    def watching(simulation):
        simulation.watch(lambda served: seen.append((served.slot, served.users.tolist(), served.grants.tolist())))
        yield simulation.env.timeout(0)

    Simulation(scenario, processes=[lambda simulation: [watching(simulation)]]).reset()
    return seen


def test_a_watcher_is_called_in_the_slots_in_which_somebody_has_packets(tmp_path):
    """Invariant 4: of three slots the second has none."""
    scenario = arranged([[(0, 10)], [(0, 10), (2 * SLOT_NS, 10)]], tmp_path, prb=4, slots=3)
    assert watched(scenario) == [(0, [0, 1], [2, 2]), (2, [1], [4])]


def test_a_watcher_is_told_of_those_who_were_granted_blocks(tmp_path):
    """Invariant 4: two blocks for three users go to two of them."""
    scenario = arranged([[(0, 1000)]] * 3, tmp_path, prb=2, slots=2)
    assert watched(scenario) == [(0, [0, 1], [1, 1]), (1, [2, 0], [1, 1])]


class Sharing:
    """A scheduler that gives the first user all blocks and some more, and the second one some."""

    def __init__(self, first: int, second: int) -> None:
        self.first, self.second = first, second

    def share(self, prb, slot, active, grants):
        grants[:] = prb + self.first, self.second


@pytest.mark.parametrize(("first", "second"), [(0, 0), (-1, 1), (-1, 0), (1, 0), (1, -1), (2, -2)])
def test_a_scheduler_has_to_share_exactly_the_blocks_there_are(tmp_path, first, second):
    """Invariant 3."""
    scheduler = {"kind": "tests.unit.test_slot_loop:Sharing", "options": {"first": first, "second": second}}
    simulation = Simulation(arranged([[(0, 10)], [(0, 10)]], tmp_path, prb=4, slots=1, scheduler=scheduler))
    if first + second == 0 and second >= 0:
        assert simulation.reset().prb_slots_granted.tolist() == [4]
    else:
        with pytest.raises(PluginError):
            simulation.reset()


def test_a_departure_leaves_one_mark():
    """The fingerprint's layer of departures, of one packet: who, when, rate and verdict."""
    size = {"distribution": "constant", "value": "40 B"}
    traffic = {"kind": "renewal", "gap": {"distribution": "constant", "value": "0.5 ms"}, "size": size}
    simulation = Simulation(lone_slice(traffic, slots=2), log_packets=True)
    simulation.reset()
    [packet] = simulation.take_packets()
    number = marks.mixed(0, 2 * SLOT_NS, int(packet["rate_bps"]) << 3)
    assert int(simulation.marks()[0, LAYERS.index("departures")]) == int(number)
