"""Faults of queues, slots and schedulers, as simulators made for one study have them."""

from tests.gallery.bug import SIMULATORS, Bug

BUGS = (
    Bug(
        name="arrival-on-the-edge-waits-a-slot",
        origin=SIMULATORS,
        module="netsim.sources",
        edits=(
            (
                "while slot * clock.slot_ns < user.next_arrival_ns:",
                "while slot * clock.slot_ns <= user.next_arrival_ns:",
            ),
            ("while (slot - 1) * clock.slot_ns >=", "while (slot - 1) * clock.slot_ns >"),
        ),
        breaks=("invariant 6", "invariant 12"),
        tests=(
            "unit/test_accounting.py::test_a_packet_waits_for_the_edge_of_a_slot_and_no_longer",
            "differential/test_stories.py::test_a_packet_is_eligible_in_the_slot_that_begins_when_it_arrives_and_departs_at_its_end",
            "property/test_grants.py::test_alone_on_the_best_channel_a_packet_takes_exactly_the_least_latency",
        ),
    ),
    Bug(
        name="served-before-it-is-eligible",
        origin=SIMULATORS,
        module="netsim.sources",
        edits=(("edge_ns = slot * clock.slot_ns\n", "edge_ns = (slot + 1) * clock.slot_ns - 1\n"),),
        breaks=("invariant 6", "invariant 12"),
        tests=(
            "unit/test_accounting.py::test_a_packet_waits_for_the_edge_of_a_slot_and_no_longer",
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
        ),
    ),
    Bug(
        name="latency-from-the-slot-and-not-the-arrival",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "latency_ns = end_ns - packet.arrival_ns",
                "latency_ns = end_ns - -(-packet.arrival_ns // clock.slot_ns) * clock.slot_ns",
            ),
        ),
        breaks=("invariant 7", "invariant 11"),
        tests=(
            "differential/test_stories.py::test_a_packet_a_nanosecond_beyond_its_limit_is_late_from_the_limit_on_and_is_sent_all_the_same",
            "property/test_conservation.py::test_a_packet_is_resolved_at_its_departure_its_drop_or_its_limit_whichever_is_first",
        ),
    ),
    Bug(
        name="bits-of-a-slot-rounded-up",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("np.int64(rate_bps * clock.slot_ns / 1e9)", "np.int64(math.ceil(rate_bps * clock.slot_ns / 1e9))"),),
        breaks=("invariant 3", "invariant 4"),
        tests=(
            "unit/test_accounting.py::test_a_part_of_a_bit_is_not_sent",
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
        ),
    ),
    Bug(
        name="pointer-stays",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(
            (
                "    member = served[at - 1] + 1\n    part.pointer = member if member < part.users_ever else 0\n",
                "    part.pointer = 0\n",
            ),
        ),
        breaks=("QT-08",),
        tests=(
            "unit/test_accounting.py::test_the_blocks_left_over_go_round",
            "differential/test_stories.py::test_the_pointer_of_round_robin_moves_past_the_last_who_got_a_block_that_was_left_over",
        ),
    ),
    Bug(
        name="pointer-skips-a-user",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(("member = served[at - 1] + 1", "member = served[at - 1] + 2"),),
        breaks=("QT-08",),
        tests=(
            "unit/test_accounting.py::test_the_blocks_left_over_go_round",
            "differential/test_stories.py::test_the_pointer_of_round_robin_moves_past_the_last_who_got_a_block_that_was_left_over",
        ),
    ),
    Bug(
        name="fewer-blocks-than-users-always-go-to-the-first",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(("    member = part.pointer\n", "    member = _FIRST\n"),),
        breaks=("QT-08",),
        tests=(
            "unit/test_accounting.py::test_fewer_blocks_than_users_go_round",
            "differential/test_stories.py::test_round_robin_with_fewer_blocks_than_users_goes_round_those_who_are_active",
        ),
    ),
    Bug(
        name="blocks-the-ranked-do-not-need-are-lost",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(("    grants[first] += left\n", "    left = 0\n"),),
        breaks=("invariant 3",),
        tests=(
            "unit/test_accounting.py::test_blocks_that_nobody_needs_are_granted_all_the_same",
            "differential/test_stories.py::test_blocks_that_nobody_needs_go_to_the_first_in_rank",
        ),
    ),
    Bug(
        name="last-in-first-out",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "    queue[place].arrival_ns = now_ns\n",
                "    if user.sent_bits == 0:\n"
                "        user.head = user.head - 1 if user.head > 0 else queue.shape[0] - 1\n"
                "        place = user.head\n"
                "    queue[place].arrival_ns = now_ns\n",
            ),
        ),
        breaks=("invariant 5",),
        tests=(
            "differential/test_stories.py::test_two_packets_of_a_queue_share_a_slot_in_order_of_arrival",
            "property/test_grants.py::test_users_are_served_first_in_first_out",
            "property/test_grants.py::test_only_the_packet_at_the_head_of_a_queue_is_partly_sent",
        ),
    ),
    Bug(
        name="a-packet-cut-off-by-the-slot-starts-again",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(("            user.sent_bits += room\n", ""),),
        breaks=("invariant 2", "invariant 12"),
        tests=(
            "unit/test_accounting.py::test_two_packets_share_the_slot_in_which_the_first_one_ends",
            "unit/test_accounting.py::test_what_a_full_queue_turns_away_is_counted_and_what_it_holds_is_carried_over",
        ),
    ),
    Bug(
        name="one-packet-a-slot",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "            _leave_head(part, user, queue, words, end_ns)\n    sent =",
                "            _leave_head(part, user, queue, words, end_ns)\n            break\n    sent =",
            ),
        ),
        breaks=("invariant 4", "invariant 12"),
        tests=(
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
            "unit/test_accounting.py::test_two_packets_share_the_slot_in_which_the_first_one_ends",
        ),
    ),
    Bug(
        name="queue-limit-without-the-packet-in-service",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(("full = places >= part.queue_packets", "full = places - (user.sent_bits > 0) >= part.queue_packets"),),
        breaks=("invariant 1", "invariant 7"),
        tests=(
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
            "unit/test_accounting.py::test_the_packet_being_sent_takes_a_place",
        ),
    ),
    Bug(
        name="late-when-it-departs",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(("    while user.overdue < user.queued:\n", "    while False:\n"),),
        breaks=("invariant 7",),
        tests=(
            "unit/test_accounting.py::test_a_packet_is_late_once_and_at_its_limit",
            "differential/test_stories.py::test_the_instant_that_ends_a_period_belongs_to_it",
        ),
    ),
    Bug(
        name="late-and-departed-counted-twice",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "        outcome = sla.LATE  # and counted when the limit passed\n",
                "        outcome = sla.LATE\n        sla.count(tally, outcome)\n",
            ),
        ),
        breaks=("invariant 1", "invariant 7"),
        tests=(
            "unit/test_accounting.py::test_a_packet_is_late_once_and_at_its_limit",
            "property/test_conservation.py::test_every_packet_is_told_of_once_and_counted_by_its_verdict",
        ),
    ),
    Bug(
        name="the-end-of-a-period-belongs-to-the-next",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(
            (
                "        mark_slice(cell, s, clock.slot * clock.slot_ns)\n        probe",
                "        mark_slice(cell, s, clock.slot * clock.slot_ns - 1)\n        probe",
            ),
        ),
        breaks=("invariant 7", "invariant 8"),
        tests=(
            "unit/test_accounting.py::test_a_packet_is_late_once_and_at_its_limit",
            "differential/test_stories.py::test_the_instant_that_ends_a_period_belongs_to_it",
        ),
    ),
    Bug(
        name="drops-of-a-period-counted-again-in-the-next",
        origin=SIMULATORS,
        module="netsim.simulation",
        edits=(
            (
                "                cell.tallies.view(np.int64).fill(0)\n",
                '                dropped = cell.tallies["dropped"].copy()\n'
                "                cell.tallies.view(np.int64).fill(0)\n"
                '                cell.tallies["dropped"] = dropped\n',
            ),
        ),
        breaks=("invariant 1", "invariant 8"),
        tests=(
            "unit/test_accounting.py::test_what_a_full_queue_turns_away_is_counted_and_what_it_holds_is_carried_over",
            "property/test_conservation.py::test_every_packet_is_told_of_once_and_counted_by_its_verdict",
        ),
    ),
    Bug(
        name="users-who-leave-take-their-packets-along",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "            tally.dropped += 1\n            _give_up_head(",
                "            _give_up_head(",
            ),
        ),
        breaks=("invariant 1",),
        tests=(
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
            "unit/test_accounting.py::test_what_a_user_who_leaves_had_queued_is_dropped",
        ),
    ),
    Bug(
        name="lending-loses-the-remainder",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(("    for _ in range(idle - lent):\n", "    for _ in range(idle - lent, 0):\n"),),
        breaks=("invariant 3",),
        tests=(
            "unit/test_accounting.py::test_blocks_of_an_idle_slice_are_lent_where_sharing_says_so_and_all_of_them",
            "differential/test_stories.py::test_the_blocks_of_an_idle_slice_are_lent_by_largest_remainder",
        ),
    ),
    Bug(
        name="isolated-slices-lend-blocks",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(("if not clock.work_conserving or idle == 0", "if idle == 0"),),
        breaks=("invariant 3", "invariant 17"),
        tests=(
            "unit/test_accounting.py::test_blocks_of_an_idle_slice_are_lent_where_sharing_says_so_and_all_of_them",
            "differential/test_stories.py::test_the_blocks_of_an_idle_slice_are_lent_by_largest_remainder",
        ),
    ),
)
