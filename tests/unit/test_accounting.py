"""Packets of small cells, slot by slot and count by count as worked out by hand; quick enough without the compiler."""

import math

import numpy as np
import pytest

from netsim import sla
from netsim.loading import load_scenario
from netsim.scenario import Scenario
from netsim.simulation import Simulation
from tests.property.arranged import EXACT, NEVER_LATE, PRB_BITS, SLOT_NS, arranged
from tests.unit.lone_slice import lone_slice, packets_of

# -- slots -----------------------------------------------------------------------------------------------------------


def latencies_ns(packets):
    return (packets["departure_ns"] - packets["arrival_ns"]).tolist()


@pytest.mark.parametrize(("bits", "slots"), [(1, 1), (2000, 1), (2001, 2), (4000, 2), (7001, 4)])
def test_a_slot_carries_the_bits_of_its_blocks_and_not_one_more(tmp_path, bits, slots):
    """Invariant 6, met exactly: four blocks of 500 bits."""
    assert latencies_ns(packets_of(arranged([[(0, bits)]], tmp_path, prb=4))) == [slots * SLOT_NS]


def test_a_part_of_a_bit_is_not_sent(tmp_path):
    """Invariant 3: four blocks of 200 075 Hz carry 2000.75 bits a slot, of which 2000 are whole."""
    content = arranged([[(0, 2001)]], tmp_path, prb=4).to_dict()
    content["carrier"]["prb_bandwidth"] = "200075 Hz"
    assert latencies_ns(packets_of(Scenario.from_dict(content, tmp_path))) == [2 * SLOT_NS]


@pytest.mark.parametrize("late_ns", [1, SLOT_NS // 2, SLOT_NS - 1, SLOT_NS])
def test_a_packet_waits_for_the_edge_of_a_slot_and_no_longer(tmp_path, late_ns):
    """Invariants 6 and 12: the second of two packets of the same slot too; its latency counts from its arrival."""
    packets = packets_of(arranged([[(0, 10), (late_ns, 10), (SLOT_NS, 10)]], tmp_path, prb=1))
    assert latencies_ns(packets) == [SLOT_NS, 2 * SLOT_NS - late_ns, 2 * SLOT_NS - late_ns]


def test_two_packets_share_the_slot_in_which_the_first_one_ends(tmp_path):
    """Invariant 12: 300 and 900 bits at 500 bits a slot, and 499 and 1."""
    packets = packets_of(arranged([[(0, 300), (0, 900), (0, 300)]], tmp_path, prb=1))
    assert latencies_ns(packets) == [SLOT_NS, 3 * SLOT_NS, 3 * SLOT_NS]
    packets = packets_of(arranged([[(0, 499), (0, 1), (0, 1)]], tmp_path, prb=1))
    assert latencies_ns(packets) == [SLOT_NS, SLOT_NS, 2 * SLOT_NS]


def test_the_blocks_left_over_go_round(tmp_path):
    """QT-08's equal share: of four blocks three users have four each in three slots, and so 2000 bits each."""
    packets = packets_of(arranged([[(0, 4 * PRB_BITS)]] * 3, tmp_path, prb=4))
    assert latencies_ns(packets) == [3 * SLOT_NS] * 3


def test_fewer_blocks_than_users_go_round(tmp_path):
    """QT-08's equal share: two blocks go to users 0 and 1, 2 and 3, 4 and 0, 1 and 2, 3 and 4."""
    packets = packets_of(arranged([[(0, 2 * PRB_BITS)]] * 5, tmp_path, prb=2))
    assert latencies_ns(packets) == [slots * SLOT_NS for slots in (3, 4, 4, 5, 5)]


def test_a_block_left_over_goes_to_the_next_active_user_where_the_pointer_s_is_idle(tmp_path):
    """QT-08's equal share: seven blocks, 3 2 2 to three users; user 1 is done, and of two users 2 has the odd one."""
    packets = packets_of(arranged([[(0, 3000)], [(0, 1000)], [(0, 3000)]], tmp_path, prb=7))
    assert latencies_ns(packets) == [2 * SLOT_NS, SLOT_NS, 2 * SLOT_NS]


def test_the_pointer_stays_where_it_is_in_a_slot_that_leaves_no_block_over(tmp_path):
    """QT-08's equal share, three blocks: the odd one goes to user 0, then 1; user 0 alone leaves none; of users 1 and
    2, the next in turn is 2."""
    two_slots_and_a_bit = (2 * SLOT_NS + 1, 1000)
    each = [[(0, 1600)], [(0, 1500), two_slots_and_a_bit], [two_slots_and_a_bit]]
    packets = packets_of(arranged(each, tmp_path, prb=3))
    assert (packets["departure_ns"] // SLOT_NS).tolist() == [3, 2, 5, 4]


@pytest.mark.parametrize("users", [3, 64])
def test_the_pointer_goes_round_after_the_last_user(tmp_path, users):
    """QT-08's equal share, of one block that goes round twice; 64 users fill a word of the active set."""
    packets = packets_of(arranged([[(0, 2 * PRB_BITS)]] * users, tmp_path, prb=1))
    assert latencies_ns(packets) == [(users + 1 + k) * SLOT_NS for k in range(users)]


def test_every_block_is_granted_while_somebody_has_packets(tmp_path):
    """Invariant 3: four blocks in each of six slots, whoever of three users is active."""
    report = Simulation(arranged([[(0, 3000)], [(0, 2500)], [(0, 6000)]], tmp_path, prb=4, slots=6)).reset()
    assert (report.prb_slots_granted.tolist(), report.carried_bits.tolist()) == ([24], [11500])


@pytest.mark.parametrize("kind", ["max-rate", "largest-queue", "earliest-deadline", "proportional-fair"])
def test_blocks_that_nobody_needs_are_granted_all_the_same(tmp_path, kind):
    """Invariant 3, of the schedulers that rank."""
    scenario = arranged([[(0, 10)], [(0, 20)]], tmp_path, prb=8, slots=1, scheduler={"kind": kind})
    assert Simulation(scenario).reset().prb_slots_granted.tolist() == [8]


@pytest.mark.parametrize("blocks", range(1, 12))
@pytest.mark.parametrize("less", [0, 1, 499])
def test_the_first_in_rank_is_granted_what_its_backlog_needs(tmp_path, blocks, less):
    """Invariant 3: of twelve blocks as many as carry it in one slot; the other user has the rest, and more to send."""
    each = [[(0, blocks * PRB_BITS - less)], [(0, 20_000)]]
    scheduler = {"kind": "earliest-deadline"}  # the same deadline: the lower number first
    packets = packets_of(arranged(each, tmp_path, prb=12, slots=1, scheduler=scheduler))
    assert packets["rate_bps"][0] == blocks * 10**6
    simulation = Simulation(arranged(each, tmp_path, prb=12, slots=1, scheduler=scheduler))
    assert simulation.reset().backlog_bits.tolist() == [20_000 - (12 - blocks) * PRB_BITS]


def test_proportional_fair_averages_the_bits_sent_per_slot(tmp_path):
    """With a time constant of ten slots 500 bits count 50, then a tenth less with every slot."""
    each = [[(0, 500), (3 * SLOT_NS, 400)]]
    scheduler = {"kind": "proportional-fair", "time_constant_slots": 10}
    simulation = Simulation(arranged(each, tmp_path, prb=1, slots=1, scheduler=scheduler))
    user = simulation.reset() and simulation.cell.users[0]
    assert (user["average_bits"], user["average_slot"]) == (pytest.approx(50.0), 1)
    for _ in range(3):
        simulation.step([1])
    user = simulation.cell.users[0]
    assert (user["average_bits"], user["average_slot"]) == (pytest.approx(50.0 * 0.9**3 + 40.0), 4)


@pytest.mark.parametrize(("sharing", "granted"), [("isolated", [4, 0, 4]), ("work-conserving", [6, 0, 5])])
def test_blocks_of_an_idle_slice_are_lent_where_sharing_says_so_and_all_of_them(tmp_path, sharing, granted):
    """Invariants 3 and 17: two busy slices of four blocks each and an idle one of three, one slot."""
    content = arranged([[(0, 10_000)]], tmp_path, prb=11, slots=1).to_dict()
    busy = content["slices"]["only"]
    idle = {**busy, "traffic": {"kind": "silent"}}
    content["slices"] = {"a": busy, "b": idle, "c": busy}
    content["carrier"] |= {"sharing": sharing}
    content["control"] |= {"initial_allocation": [4, 3, 4]}
    assert Simulation(Scenario.from_dict(content, tmp_path)).reset().prb_slots_granted.tolist() == granted


# -- accounting --------------------------------------------------------------------------------------------------------


def test_goodput_of_gigabits_is_exact(tmp_path):
    """10^6 bits in 0.5 ms are 2 Gbit/s, to the bit/s."""
    fast = {**EXACT, "transmit_power": "140 dBm", "link": {"model": "shannon", "layers": 64}}
    scenario = arranged([[(0, 10**6)]], tmp_path, prb=100, channel=fast, sla={**NEVER_LATE, "rate": "goodput"})
    assert packets_of(scenario)["rate_bps"].tolist() == [2 * 10**9]


def test_the_rate_of_a_packet_leaves_out_the_slots_in_which_it_waited(tmp_path):
    """Invariant 12's second packet: it waits two slots and then has all four blocks, 1 Mbit/s each."""
    packets = packets_of(arranged([[(0, 8 * PRB_BITS), (0, 4 * PRB_BITS)]], tmp_path, prb=4))
    assert packets["departure_ns"].tolist() == [2 * SLOT_NS, 3 * SLOT_NS]
    assert packets["rate_bps"].tolist() == [4 * 10**6] * 2


def test_percentiles_of_latency_are_ranks_of_the_empirical_distribution(tmp_path):
    """Invariant 11, for one to 200 departures: the smallest latency that the share does not exceed."""
    for n in (1, 2, 3, 99, 100, 101, 200):
        scenario = arranged([[(0, PRB_BITS)] * n], tmp_path, prb=1)  # the k-th departs after k slots
        report = Simulation(scenario).reset()
        slot_ms = SLOT_NS / 1e6
        assert report.departed.tolist() == [n]
        assert report.latency_p50_ms.tolist() == [math.ceil(n / 2) * slot_ms]
        assert report.latency_p99_ms.tolist() == [math.ceil(0.99 * n) * slot_ms]
        assert report.latency_max_ms.tolist() == [n * slot_ms]
        assert report.latency_mean_ms == pytest.approx([(n + 1) / 2 * slot_ms], rel=1e-15)


def test_percentiles_of_latency_are_those_of_the_latencies():
    """Invariant 11: against numpy's inverse of the empirical distribution, of more than 100 departures."""
    traffic = {"kind": "poisson", "rate": "2000 /s", "size": {"distribution": "constant", "value": "40 B"}}
    simulation = Simulation(lone_slice(traffic, slots=200))
    report = simulation.reset()
    assert report.departed[0] > 150
    expected = np.quantile(simulation.latencies_ns()[0], [0.5, 0.99], method="inverted_cdf") / 1e6
    assert [report.latency_p50_ms[0], report.latency_p99_ms[0]] == expected.tolist()


def test_a_whole_number_of_blocks_is_used_and_no_more_than_what_was_sent_needs(tmp_path):
    """Invariant 4: of four blocks a slot, 1 bit uses one, 501 bits two."""
    scenario = arranged([[(0, 1), (2 * SLOT_NS, PRB_BITS + 1), (2 * SLOT_NS, 4 * PRB_BITS)]], tmp_path, prb=4)
    report = Simulation(scenario).reset()
    assert (report.prb_slots_granted.tolist(), report.prb_slots_used.tolist()) == ([12], [1 + 2 + 4])


def test_an_idle_slice_has_ssr_1_and_is_no_nan():
    """Invariant 8."""
    report = Simulation(lone_slice({"kind": "silent"}, slots=3)).reset()
    assert report.ssr.tolist() == [1.0]
    assert report.idle.tolist() == [True]


COUNTED = ("arrived", "satisfied", "slow", "late", "dropped", "pending", "backlog_bits")


def counts(scenario, periods):
    simulation = Simulation(scenario)
    units = list(scenario.initial_allocation)
    reports = [simulation.reset(), *(simulation.step(units) for _ in range(periods - 1))]
    return [tuple(int(getattr(report, name)[0]) for name in COUNTED) for report in reports]


def test_what_a_full_queue_turns_away_is_counted_and_what_it_holds_is_carried_over(tmp_path):
    """Invariants 1, 2 and 7: eight packets of 3000 bits at once and room for five, 2000 bits a slot, periods of two
    slots. Departures after 2, 3, 5, 6 and 8 slots."""
    scenario = arranged([[(0, 3000)] * 8], tmp_path, prb=4, slots=2, queue={"packets": 5})
    assert counts(scenario, 4) == [
        (8, 1, 0, 0, 3, 4, 11_000),
        (0, 1, 0, 0, 0, 3, 7000),
        (0, 2, 0, 0, 0, 1, 3000),
        (0, 1, 0, 0, 0, 0, 0),
    ]


def test_the_packet_being_sent_takes_a_place(tmp_path):
    """Invariants 1 and 7: room for two, of which one is being sent when a third one comes."""
    scenario = arranged([[(0, 2000), (0, 10), (SLOT_NS, 10)]], tmp_path, prb=1, slots=8, queue={"packets": 2})
    assert counts(scenario, 1) == [(3, 2, 0, 0, 1, 0, 0)]


def test_a_packet_is_late_once_and_at_its_limit(tmp_path):
    """Invariants 1 and 7: as above with a limit of two slots, the end of the first period: the first packet departs
    just in time, four are late there and then, and not again when they depart."""
    promise = {"rate_floor": "0 bit/s", "latency_limit": f"{2 * SLOT_NS} ns"}
    scenario = arranged([[(0, 3000)] * 5], tmp_path, prb=4, slots=2, sla=promise)
    assert counts(scenario, 3) == [
        (5, 1, 0, 4, 0, 0, 11_000),
        (0, 0, 0, 0, 0, 0, 7000),
        (0, 0, 0, 0, 0, 0, 3000),
    ]


def test_a_packet_is_late_whether_somebody_looks_or_not(tmp_path):
    """Invariant 7: counts, records and marks of a packet whose limit passes while it is queued, and of one in time."""

    def onlooker(simulation):
        while True:
            simulation.counts()
            yield simulation.env.timeout(SLOT_NS)

    promise = {"rate_floor": "0 bit/s", "latency_limit": f"{SLOT_NS} ns"}
    scenario = arranged([[(100, 1200), (4 * SLOT_NS, 10), (SLOT_NS - 100, 10)]], tmp_path, prb=1, sla=promise)
    told = []
    for processes in ([], [lambda simulation: [onlooker(simulation)]]):
        simulation = Simulation(scenario, log_packets=True, processes=processes)
        report = simulation.reset()
        told.append((report.late.tolist(), simulation.take_packets().tolist(), simulation.marks().tolist()))
    assert told[0] == told[1]
    assert told[0][0] == [2]


def test_a_rate_at_the_floor_is_fast_enough_and_a_bit_a_second_less_is_slow(tmp_path):
    """Invariant 7: one block is 1 Mbit/s."""
    for floor_bps, verdict in ((10**6, (1, 0)), (10**6 + 1, (0, 1))):
        promise = {"rate_floor": f"{floor_bps} bit/s", "latency_limit": f"{SLOT_NS} ns"}
        assert counts(arranged([[(0, 10)]], tmp_path, prb=1, sla=promise), 1) == [(1, *verdict, 0, 0, 0, 0)]


def test_what_a_user_who_leaves_had_queued_is_dropped(tmp_path):
    """Invariants 1 and 2: of three packets one has departed."""
    content = arranged([[(0, 500)] * 3], tmp_path, prb=1, slots=3).to_dict()
    content["events"] = [{"at": f"{SLOT_NS} ns", "leave": {"slice": "only", "users": 1}}]
    assert counts(Scenario.from_dict(content, tmp_path), 1) == [(3, 1, 0, 0, 2, 0, 0)]


def test_a_kept_report_stays_as_it_was():
    """Invariant 14."""
    simulation = Simulation(load_scenario("tiny"), seed=4)
    report = simulation.reset()
    before = report.arrived.tolist()
    simulation.step([18, 1, 1])
    assert report.arrived.tolist() == before


def test_one_packet_resolved_is_enough_for_a_share():
    """Invariant 8: none of one is 0, one of one is 1, none of none is 1."""
    assert sla.ssr(np.array([0, 1, 0]), np.array([1, 1, 0])).tolist() == [0.0, 1.0, 1.0]


def test_the_share_of_the_satisfied_is_of_the_resolved(tmp_path):
    """Invariant 8: three packets, two slots each; after four slots two are satisfied and the third is pending."""
    scenario = arranged([[(0, 2 * PRB_BITS)] * 3], tmp_path, prb=1, slots=4)
    simulation = Simulation(scenario)
    first, second = simulation.reset(), simulation.step([1])
    assert (first.satisfied.tolist(), first.pending.tolist(), first.ssr.tolist()) == ([2], [1], [1.0])
    assert (second.arrived.tolist(), second.satisfied.tolist(), second.ssr.tolist()) == ([0], [1], [1.0])
    assert first.utility == pytest.approx(0.01 * first.se_capacity + 1.0, rel=1e-15)


def test_the_utility_of_many_slices_counts_the_first_term_once():
    """Invariant 13: U = alpha se + sum of SSR, over the three slices of tiny."""
    report = Simulation(load_scenario("tiny"), seed=2).reset()
    assert report.utility == pytest.approx(0.01 * report.se_capacity + report.ssr.sum(), rel=1e-15)


@pytest.mark.parametrize(("value", "reward"), [(2.0, 1.0), (3.5, 1.0), (np.nextafter(2.0, 0), 0.0), (5.5, 2.0)])
def test_a_utility_of_exactly_its_threshold_is_rewarded(value, reward):
    """Invariant 13: g(0) = gmin = 2, gmax = 3.5."""
    assert sla.reshaped_reward(value, 0, gmin=2.0, gmax=3.5, sigma=0.5) == reward
