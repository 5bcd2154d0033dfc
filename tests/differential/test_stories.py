"""Stories worked out by hand: oracle and kernel both have to tell them so. A resource block carries 500 bits a slot."""

import math

import pytest

from tests.differential.telling import CHANNEL, SLOT_NS, Fate, SliceOf, by_kernel, by_oracle, scenario_of

MBPS = 10**6


@pytest.fixture(params=[by_oracle, by_kernel])
def tell(request, tmp_path):
    def story(*, slots=4, allocations=(), **slices_and_parts):
        slices = {name: part for name, part in slices_and_parts.items() if isinstance(part, SliceOf)}
        parts = {name: part for name, part in slices_and_parts.items() if name not in slices}
        return request.param(scenario_of(tmp_path, slices, slots, **parts), allocations)

    return story


# -- the limit and the floor -------------------------------------------------------------------------------------------
# 800 bits that arrive at 0.1 ms are sent in the slot from 0.5 ms to 1 ms, at 2 Mbit/s: latency 0.9 ms.


def of_800_bits(**promised):
    return SliceOf([[(100_000, 800)]], units=2, **promised)


def test_a_packet_at_its_latency_limit_and_at_its_floor_is_satisfied(tell):
    story = tell(a=of_800_bits(limit_ns=900_000, floor_bps=2 * MBPS))
    assert story.of(0) == [Fate("satisfied", 100_000, 1_000_000, 1_000_000, 2 * MBPS)]


def test_a_packet_a_nanosecond_beyond_its_limit_is_late_from_the_limit_on_and_is_sent_all_the_same(tell):
    story = tell(a=of_800_bits(limit_ns=899_999))
    assert story.of(0) == [Fate("late", 100_000, 1_000_000, 999_999, 2 * MBPS)]


def test_a_packet_a_bit_a_second_below_its_floor_is_slow(tell):
    story = tell(a=of_800_bits(limit_ns=900_000, floor_bps=2 * MBPS + 1))
    assert story.of(0) == [Fate("slow", 100_000, 1_000_000, 1_000_000, 2 * MBPS)]


def test_a_packet_both_too_late_and_too_slow_is_late(tell):
    story = tell(a=of_800_bits(limit_ns=899_999, floor_bps=2 * MBPS + 1))
    assert story.of(0)[0].verdict == "late"


@pytest.mark.parametrize(("floor_bps", "verdict"), [(888_888, "satisfied"), (888_889, "slow")])
def test_goodput_is_size_over_latency(tell, floor_bps, verdict):
    story = tell(a=of_800_bits(rate="goodput", floor_bps=floor_bps))  # 800 bits / 0.9 ms = 888 888.9 bit/s
    assert story.of(0) == [Fate(verdict, 100_000, 1_000_000, 1_000_000, 888_888)]


# -- slots -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrival_ns", "departure_ns"), [(0, 500_000), (1, 1_000_000), (500_000, 1_000_000), (500_001, 1_500_000)]
)
def test_a_packet_is_eligible_in_the_slot_that_begins_when_it_arrives_and_departs_at_its_end(
    tell, arrival_ns, departure_ns
):
    story = tell(a=SliceOf([[(arrival_ns, 500)]]))
    assert story.of(0) == [Fate("satisfied", arrival_ns, departure_ns, departure_ns, MBPS)]


def test_what_a_queue_does_not_need_is_lost_and_a_rate_is_the_mean_over_the_slots_that_served_the_packet(tell):
    """Slot 0: three blocks for two users, the odd one to user 0; it sends 1000 of its 1200 bits, user 1 400 of 500.
    Slot 1: user 0 has all three blocks for 200 bits."""
    story = tell(a=SliceOf([[(0, 1200)], [(0, 400)]], units=3), slots=2)
    assert story.of(0) == [Fate("satisfied", 0, 1_000_000, 1_000_000, 2_500_000)]
    assert story.of(1) == [Fate("satisfied", 0, 500_000, 500_000, MBPS)]
    assert (story.count("prb_slots_granted"), story.count("prb_slots_used")) == ([6], [4])
    assert story.count("carried_bits") == [1600]
    report = story.reports[0]
    assert report["se_capacity"] == pytest.approx(5.0)  # 3 Mbit/s in each slot, on 600 kHz
    assert report["se_carried"] == pytest.approx(1600 / 1e-3 / 600e3)
    assert report["utility"] == pytest.approx(0.01 * 5.0 + 1.0)
    latencies = [report["a"][f"latency_{which}_ms"] for which in ("mean", "p50", "p99", "max")]
    assert latencies == pytest.approx([0.75, 0.5, 1.0, 1.0])


def test_two_packets_of_a_queue_share_a_slot_in_order_of_arrival(tell):
    """600 of 800 bits in slot 0 would be one and a half packets; the second goes on where it stopped."""
    story = tell(a=SliceOf([[(0, 700), (0, 500)]], units=2))
    assert [(fate.departure_ns, fate.rate_bps) for fate in story.of(0)] == [(500_000, 2 * MBPS), (1_000_000, 2 * MBPS)]


def test_a_slot_without_a_bit_of_a_packet_does_not_count_in_its_rate(tell):
    """With hardly any power a block carries nothing in slots 1 and 2, though it is granted."""
    powers = [{"at": "0.5 ms", "transmit_power": "-200 dBm"}, {"at": "1.5 ms", "transmit_power": "70 dBm"}]
    story = tell(a=SliceOf([[(0, 900)]]), events=powers, slots=5)
    assert story.of(0) == [Fate("satisfied", 0, 2_000_000, 2_000_000, MBPS)]
    assert (story.count("prb_slots_granted"), story.count("prb_slots_used")) == ([4], [2])


def test_a_slot_carries_whole_bits_at_a_rate_of_whole_bits_a_second(tell):
    """1023/1024 bit/s/Hz a layer: 999 023.4 bit/s and 499.5 bits, so the 500th has to wait for the next slot."""
    link = {"model": "shannon", "layers": 5, "ceiling": 1023 / 1024}
    story = tell(a=SliceOf([[(0, 500)]]), channel=CHANNEL | {"link": link})
    assert story.of(0) == [Fate("satisfied", 0, 1_000_000, 1_000_000, 999_023)]


# -- round robin -------------------------------------------------------------------------------------------------------


def test_the_pointer_of_round_robin_moves_past_the_last_who_got_a_block_that_was_left_over(tell):
    """Four blocks among three: the odd one goes to users 0, 1, 2, 0. After four slots they had 6, 5 and 5 blocks."""
    exactly = tell(a=SliceOf([[(0, 3000)], [(0, 2500)], [(0, 2500)]], units=4), slots=6)
    assert [exactly.of(user)[0].departure_ns for user in range(3)] == [4 * SLOT_NS] * 3
    a_bit_more = tell(a=SliceOf([[(0, 3001)], [(0, 2501)], [(0, 2501)]], units=4), slots=6)
    assert [a_bit_more.of(user)[0].departure_ns for user in range(3)] == [5 * SLOT_NS] * 3


def test_round_robin_with_fewer_blocks_than_users_goes_round_those_who_are_active(tell):
    """Two blocks: users 0 and 1, then 2 and 3 with the pointer past the end, then 1 and 3, who have something left."""
    sizes = [500, 1000, 500, 1000]
    story = tell(a=SliceOf([[(0, bits)] for bits in sizes], units=2))
    assert [story.of(user)[0].departure_ns for user in range(4)] == [
        SLOT_NS,
        3 * SLOT_NS,
        2 * SLOT_NS,
        3 * SLOT_NS,
    ]


# -- other schedulers --------------------------------------------------------------------------------------------------


def departures(tell, kind, first, second, units=1):
    story = tell(a=SliceOf([first, second], units=units, more={"scheduler": {"kind": kind}}), slots=8)
    return [story.of(user)[0].departure_ns // SLOT_NS for user in range(2)], [story.of(user)[0] for user in range(2)]


def test_earliest_deadline_serves_the_oldest_packet_first(tell):
    assert departures(tell, "earliest-deadline", [(200_000, 500)], [(100_000, 500)])[0] == [3, 2]


def test_largest_queue_serves_the_largest_backlog_first(tell):
    """600 against 900 bits: user 1 is left with 400, so user 0 is next with 600, then user 1 again."""
    assert departures(tell, "largest-queue", [(0, 600)], [(0, 900)])[0] == [4, 3]


def test_max_rate_serves_the_first_of_equals_until_it_is_done(tell):
    assert departures(tell, "max-rate", [(0, 900)], [(0, 900)])[0] == [2, 4]


def test_proportional_fair_serves_who_has_had_least(tell):
    """Slot 0: a tie, user 0. Slot 1: user 1, who has had nothing. Slot 2: user 0, whose average is the older one."""
    assert departures(tell, "proportional-fair", [(0, 900)], [(0, 900)])[0] == [3, 4]


def test_blocks_that_nobody_needs_go_to_the_first_in_rank(tell):
    """Five blocks: user 0 needs one, user 1 two; the other two go to user 0, who is first."""
    slots, fates = departures(tell, "max-rate", [(0, 400)], [(0, 600)], units=5)
    assert slots == [1, 1]
    assert [fate.rate_bps for fate in fates] == [3 * MBPS, 2 * MBPS]


# -- full queues -------------------------------------------------------------------------------------------------------


def queue_of_two(when_full):
    return {"queue": {"packets": 2, "when_full": when_full}}


def test_a_full_queue_drops_and_has_room_again_at_the_instant_of_a_departure(tell):
    story = tell(a=SliceOf([[(0, 500), (0, 500), (0, 500), (500_000, 500)]], more=queue_of_two("drop")))
    assert story.of(0) == [
        Fate("satisfied", 0, 500_000, 500_000, MBPS),
        Fate("satisfied", 0, 1_000_000, 1_000_000, MBPS),
        Fate("dropped", 0, None, 0),
        Fate("satisfied", 500_000, 1_500_000, 1_500_000, MBPS),
    ]
    assert (story.count("discarded_bits"), story.count("ssr")) == ([500], [0.75])


def test_a_packet_being_sent_takes_its_place_until_it_departs(tell):
    story = tell(a=SliceOf([[(0, 500), (0, 500), (499_999, 500)]], more=queue_of_two("drop")))
    assert story.of(0)[2] == Fate("dropped", 499_999, None, 499_999)


def test_a_source_that_waits_for_room_sends_at_the_departure_and_counts_its_next_gap_from_then(tell):
    story = tell(a=SliceOf([[(0, 500), (0, 500), (0, 500), (500_000, 500)]], more=queue_of_two("defer")))
    assert story.of(0)[2:] == [
        Fate("satisfied", 500_000, 1_500_000, 1_500_000, MBPS),
        Fate("satisfied", 1_000_000, 2_000_000, 2_000_000, MBPS),
    ]


# -- late packets ------------------------------------------------------------------------------------------------------
# Limits pass at 0.6 ms. 1500 bits have 500 left at 1 ms, the next slot boundary; 400 bits wait behind them.


def overdue(late):
    return SliceOf([[(0, 1500), (0, 400)]], limit_ns=600_000, more={"late": late})


def test_late_packets_are_still_sent(tell):
    story = tell(a=overdue("send"))
    assert story.of(0) == [Fate("late", 0, 1_500_000, 600_000, MBPS), Fate("late", 0, 2_000_000, 600_000, MBPS)]
    assert story.count("discarded_bits") == [0]


def test_late_packets_that_are_discarded_leave_at_the_next_slot_boundary(tell):
    story = tell(a=overdue("discard"))
    assert story.of(0) == [Fate("late", 0, None, 600_000), Fate("late", 0, None, 600_000)]
    assert (story.count("discarded_bits"), story.count("carried_bits")) == ([900], [1000])


def test_a_late_packet_whose_last_bit_is_under_way_departs_rather_than_being_discarded(tell):
    story = tell(a=SliceOf([[(0, 1000)]], limit_ns=600_000, more={"late": "discard"}))
    assert story.of(0) == [Fate("late", 0, 1_000_000, 600_000, MBPS)]


def test_a_source_that_waits_sends_when_a_late_packet_is_discarded(tell):
    """Its packet arrives at 1 ms, has the only place, and is overdue and gone at 2 ms in its turn."""
    queue = {"queue": {"packets": 1, "when_full": "defer"}, "late": "discard"}
    story = tell(a=SliceOf([[(0, 5000), (0, 5000)]], limit_ns=1_000_000, more=queue), slots=5)
    assert story.of(0) == [Fate("late", 0, None, 1_000_000), Fate("late", 1_000_000, None, 2_000_000)]


# -- periods -----------------------------------------------------------------------------------------------------------


def test_the_instant_that_ends_a_period_belongs_to_it(tell):
    """At 1 ms user 0's packet departs, user 1's limit passes, and user 2's packet arrives."""
    users = [[(0, 1000)], [(0, 9000)], [(1_000_000, 500)]]
    story = tell(a=SliceOf(users, units=2, limit_ns=1_000_000), slots=2, allocations=[(2,)])
    assert story.of(0)[0].verdict == "satisfied"
    assert story.of(1)[0] == Fate("late", 0, None, 1_000_000)
    figures = ("arrived", "satisfied", "late", "pending", "backlog_packets", "backlog_bits")
    assert {name: story.count(name)[0] for name in figures} == {
        "arrived": 3,
        "satisfied": 1,
        "late": 1,
        "pending": 1,
        "backlog_packets": 2,
        "backlog_bits": 8500,
    }
    assert story.count("ssr") == [0.5, 1.0]


def test_an_allocation_holds_from_its_period_on(tell):
    story = tell(
        a=SliceOf([[(0, 2500)]], units=1), b=SliceOf([[(0, 2500)]], units=3), slots=1, allocations=[(3, 1), (1, 3)]
    )
    assert story.of(0) == [Fate("satisfied", 0, 1_500_000, 1_500_000, (1 + 3 + 1) * MBPS // 3)]
    assert story.count("prb_slots_granted", "b") == [3, 1, 3]


def test_a_period_in_which_nothing_was_resolved_has_an_ssr_of_one_and_says_so(tell):
    story = tell(a=SliceOf([[(0, 9000)]]), slots=1)
    assert (story.count("ssr"), story.count("idle"), story.count("pending")) == ([1.0], [True], [1])
    assert math.isnan(story.reports[0]["a"]["latency_mean_ms"])


def test_the_utility_adds_weighted_shares_and_counts_the_first_term_once_or_once_per_slice(tell):
    """Slice a: one of two satisfied, weight 2. Slice b: idle, weight 3. One slot: 2 Mbit/s granted on 400 kHz."""
    slices = {
        "a": SliceOf([[(0, 500), (0, 9000)]], limit_ns=500_000, more={"weight": 2.0}),
        "b": SliceOf([[(0, 9000)]], more={"weight": 3.0}),
    }
    once = tell(**slices, slots=1)
    assert once.reports[0]["utility"] == pytest.approx(0.01 * 5.0 + 2.0 * 0.5 + 3.0)
    per_slice = tell(**slices, slots=1, utility={"alpha_per_slice": True, "se": "carried", "alpha": 0.1})
    assert per_slice.reports[0]["utility"] == pytest.approx(2 * 0.1 * 1000 / 0.5e-3 / 400e3 + 2.0 * 0.5 + 3.0)


# -- sharing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sharing", "rates_mbps"), [("isolated", {"a": 3, "b": 2}), ("work-conserving", {"a": 4, "b": 2})]
)
def test_the_blocks_of_an_idle_slice_are_lent_by_largest_remainder(tell, sharing, rates_mbps):
    """One idle block between holders of 3 and of 2: 0.6 against 0.4."""
    slices = {"b": SliceOf([[(0, 900)]], units=2), "a": SliceOf([[(0, 900)]], units=3), "c": SliceOf([[]], units=1)}
    story = tell(**slices, sharing=sharing)
    assert {name: story.of(0, name)[0].rate_bps // MBPS for name in rates_mbps} == rates_mbps


def test_of_equal_remainders_the_first_name_borrows(tell):
    slices = {"b": SliceOf([[(0, 900)]], units=2), "a": SliceOf([[(0, 900)]], units=2), "c": SliceOf([[]], units=1)}
    story = tell(**slices, sharing="work-conserving")
    assert [story.of(0, name)[0].rate_bps // MBPS for name in ("a", "b")] == [3, 2]


# -- dated events ------------------------------------------------------------------------------------------------------


def test_what_a_user_who_leaves_had_queued_is_dropped_and_what_was_late_stays_late(tell):
    """At 1 ms user 0 goes, with 500 bits of a late packet and 400 of one in time. User 1, who stays, has number 1."""
    users = [[(0, 1500), (700_000, 400), (400_000, 400)], [(1_100_000, 400)]]
    story = tell(
        a=SliceOf(users, limit_ns=600_000), events=[{"at": "1 ms", "leave": {"slice": "a", "users": 1}}], slots=4
    )
    assert story.of(0) == [Fate("late", 0, None, 600_000), Fate("dropped", 700_000, None, 1_000_000)]
    assert story.of(1) == [Fate("late", 1_100_000, 2_000_000, 1_700_000, MBPS)]
    assert (story.count("discarded_bits"), story.count("arrived")) == ([900], [3])


def test_a_user_who_joins_sends_its_first_packet_after_one_gap(tell):
    """Gaps of nothing and of 0.2 ms: eligible in the slot that begins at 1 ms, and in the next."""
    part = SliceOf([[], [(0, 500)], [(200_000, 500)]], present=1)
    story = tell(a=part, events=[{"at": "1 ms", "join": {"slice": "a", "users": 2}}])
    assert story.of(1) == [Fate("satisfied", 1_000_000, 1_500_000, 1_500_000, MBPS)]
    assert story.of(2) == [Fate("satisfied", 1_200_000, 2_000_000, 2_000_000, MBPS)]


def test_a_shorter_limit_makes_late_at_once_those_who_are_beyond_it(tell):
    """0.8 ms from 1 ms on. Arrived at 0.1 and 0.2 ms: late at once. A nanosecond later: late a nanosecond later."""
    story = tell(
        a=SliceOf([[(100_000, 9000), (100_000, 500), (1, 500)]]),
        events=[{"at": "1 ms", "sla": {"slice": "a", "latency_limit": "0.8 ms"}}],
    )
    assert [(fate.verdict, fate.resolved_ns) for fate in story.of(0)] == [
        ("late", 1_000_000),
        ("late", 1_000_000),
        ("late", 1_000_001),
    ]


def test_a_shorter_limit_discards_at_once_where_late_packets_are_discarded(tell):
    """8000 bits are left at 1 ms, and none of them are sent in the slot that begins then."""
    story = tell(
        a=SliceOf([[(0, 9000)]], more={"late": "discard"}),
        events=[{"at": "1 ms", "sla": {"slice": "a", "latency_limit": "0.8 ms"}}],
    )
    assert story.of(0) == [Fate("late", 0, None, 1_000_000)]
    assert (story.count("discarded_bits"), story.count("carried_bits")) == ([8000], [1000])


def test_a_longer_limit_saves_those_who_are_not_late_yet(tell):
    """From 0.9 ms to 10 ms at 1 ms. The first was late at 0.9 ms; the second would have been at 1.1 ms."""
    story = tell(
        a=SliceOf([[(0, 1500), (200_000, 500)]], limit_ns=900_000),
        events=[{"at": "1 ms", "sla": {"slice": "a", "latency_limit": "10 ms"}}],
    )
    assert story.of(0) == [
        Fate("late", 0, 1_500_000, 900_000, MBPS),
        Fate("satisfied", 200_000, 2_000_000, 2_000_000, MBPS),
    ]


def test_a_new_floor_does_not_judge_those_who_depart_as_it_is_set(tell):
    """2 Mbit/s from 0.5 ms on: the first departs at that instant, before the event."""
    story = tell(
        a=SliceOf([[(0, 500), (0, 500)]]), events=[{"at": "0.5 ms", "sla": {"slice": "a", "rate_floor": "2 Mbit/s"}}]
    )
    assert [fate.verdict for fate in story.of(0)] == ["satisfied", "slow"]


# -- load --------------------------------------------------------------------------------------------------------------


def test_a_multiplier_shortens_the_gaps_that_are_drawn_while_it_holds(tell):
    """Once up to 1 ms, twice from then on: the gap drawn at 0 is whole, the one drawn at 1 ms half, to the nanosecond
    rounded down."""
    points = [{"at": at, "multiplier": m} for at, m in (("0 ms", 1.0), ("1 ms", 1.0), ("1 ms", 2.0))]
    story = tell(a=SliceOf([[(1_000_000, 500), (1_000_001, 500)]], more={"load": {"points": points}}))
    assert [fate.arrival_ns for fate in story.of(0)] == [1_000_000, 1_500_000]


def test_a_load_curve_is_linear_between_its_points_and_repeats(tell):
    """From 1 to 3 within 1 ms, again and again: 1 at 0, 2 at 0.5 ms, and 1 once more at 1 ms."""
    points = [{"at": "0 ms", "multiplier": 1.0}, {"at": "1 ms", "multiplier": 3.0}]
    sent = [(500_000, 500), (1_000_000, 500), (300_000, 500)]
    story = tell(a=SliceOf([sent], more={"load": {"points": points, "repeat": "1 ms"}}))
    assert [fate.arrival_ns for fate in story.of(0)] == [500_000, 1_000_000, 1_300_000]
