"""Faults found in public environments for learning to slice."""

from tests.gallery.bug import PUBLIC, Bug

BUGS = (
    Bug(
        name="bits-taken-from-bits-per-second",
        origin=PUBLIC,
        module="netsim.channel",
        edits=(("return np.int64(rate_bps * clock.slot_ns / 1e9)", "return np.int64(rate_bps)"),),
        breaks=("invariant 6", "invariant 12"),
        tests=(
            "unit/test_accounting.py::test_a_slot_carries_the_bits_of_its_blocks_and_not_one_more",
            "unit/test_accounting.py::test_two_packets_share_the_slot_in_which_the_first_one_ends",
            "property/test_grants.py::test_alone_on_the_best_channel_a_packet_takes_exactly_the_least_latency",
        ),
    ),
    Bug(
        name="a-slot-carries-three-and-a-half-times-its-capacity",
        origin=PUBLIC,
        module="netsim.channel",
        edits=(("clock.slot_ns / 1e9)", "clock.slot_ns * 3.5 / 1e9)"),),
        breaks=("invariant 6", "invariant 12"),
        tests=(
            "unit/test_accounting.py::test_a_slot_carries_the_bits_of_its_blocks_and_not_one_more",
            "unit/test_accounting.py::test_two_packets_share_the_slot_in_which_the_first_one_ends",
            "property/test_grants.py::test_alone_on_the_best_channel_a_packet_takes_exactly_the_least_latency",
        ),
    ),
    Bug(
        name="round-robin-loses-the-remainder",
        origin=PUBLIC,
        module="netsim.scheduling",
        edits=(("    if extra > 0:\n", "    if extra > prb:\n"),),
        breaks=("invariant 3",),
        tests=(
            "unit/test_accounting.py::test_every_block_is_granted_while_somebody_has_packets",
            "unit/test_accounting.py::test_the_blocks_left_over_go_round",
        ),
    ),
    Bug(
        name="queues-wiped-every-period",
        origin=PUBLIC,
        module="netsim.kernel",
        edits=(
            (
                "    clock.period_slot = clock.slot\n",
                "    clock.period_slot = clock.slot\n"
                "    for u in range(cell.users.size):\n"
                "        user = cell.users[u]\n"
                "        part = cell.slices[user.slice]\n"
                "        part.backlog_bits -= user.backlog_bits\n"
                "        user.backlog_bits = 0\n"
                "        while user.queued > 0:\n"
                "            queues._leave_head(part, user, cell.queues[u], cell.active, user.leaving_ns)\n",
            ),
        ),
        breaks=("invariant 1", "invariant 2", "invariant 8"),
        tests=(
            "unit/test_accounting.py::test_what_a_full_queue_turns_away_is_counted_and_what_it_holds_is_carried_over",
            "unit/test_accounting.py::test_the_share_of_the_satisfied_is_of_the_resolved",
            "property/test_conservation.py::test_bits_that_came_in_were_sent_or_given_up_or_are_queued",
        ),
    ),
    Bug(
        name="blocked-arrivals-uncounted",
        origin=PUBLIC,
        module="netsim.queues",
        edits=(
            (
                "    tally.arrived += 1\n    tally.offered_bits += bits\n",
                "    if full:\n        return True\n    tally.arrived += 1\n    tally.offered_bits += bits\n",
            ),
        ),
        breaks=("invariant 1", "invariant 7"),
        tests=(
            "unit/test_accounting.py::test_what_a_full_queue_turns_away_is_counted_and_what_it_holds_is_carried_over",
            "unit/test_accounting.py::test_the_packet_being_sent_takes_a_place",
            "property/test_conservation.py::test_every_packet_is_told_of_once_and_counted_by_its_verdict",
        ),
    ),
    Bug(
        name="idle-slice-is-zero-over-zero",
        origin=PUBLIC,
        module="netsim.kernel",
        edits=(("if resolved > 0 else 1.0", "if resolved > 0 else np.nan"),),
        breaks=("invariant 8", "invariant 14"),
        tests=(
            "unit/test_accounting.py::test_an_idle_slice_has_ssr_1_and_is_no_nan",
            "differential/test_stories.py::test_a_period_in_which_nothing_was_resolved_has_an_ssr_of_one_and_says_so",
            "property/test_conservation.py::test_ssr_is_a_share_and_one_where_nothing_was_resolved",
        ),
    ),
    Bug(
        name="idle-slice-has-ssr-0",
        origin=PUBLIC,
        module="netsim.kernel",
        edits=(("if resolved > 0 else 1.0", "if resolved > 0 else 0.0"),),
        breaks=("invariant 8", "invariant 13"),
        tests=(
            "unit/test_accounting.py::test_an_idle_slice_has_ssr_1_and_is_no_nan",
            "differential/test_stories.py::test_a_period_in_which_nothing_was_resolved_has_an_ssr_of_one_and_says_so",
            "property/test_conservation.py::test_ssr_is_a_share_and_one_where_nothing_was_resolved",
        ),
    ),
    Bug(
        name="latency-at-its-limit-is-late",
        origin=PUBLIC,
        module="netsim.sla",
        edits=(("latency_ns > part.latency_limit_ns", "latency_ns >= part.latency_limit_ns"),),
        breaks=("invariant 7", "invariant 11"),
        tests=(
            "unit/test_accounting.py::test_a_packet_is_late_once_and_at_its_limit",
            "differential/test_stories.py::test_a_packet_at_its_latency_limit_and_at_its_floor_is_satisfied",
            "unit/test_sla.py::test_a_latency_of_exactly_the_limit_is_in_time",
        ),
    ),
    Bug(
        name="rate-at-its-floor-is-slow",
        origin=PUBLIC,
        module="netsim.sla",
        edits=(("rate_bps >= part.rate_floor_bps", "rate_bps > part.rate_floor_bps"),),
        breaks=("invariant 7", "invariant 11"),
        tests=(
            "unit/test_accounting.py::test_a_rate_at_the_floor_is_fast_enough_and_a_bit_a_second_less_is_slow",
            "differential/test_stories.py::test_a_packet_at_its_latency_limit_and_at_its_floor_is_satisfied",
            "unit/test_sla.py::test_a_rate_of_exactly_the_floor_is_fast_enough",
        ),
    ),
    Bug(
        name="first-slot-takes-no-time",
        origin=PUBLIC,
        module="netsim.queues",
        edits=(("latency_ns = end_ns - packet.arrival_ns", "latency_ns = end_ns - clock.slot_ns - packet.arrival_ns"),),
        breaks=("invariant 7", "invariant 11"),
        tests=(
            "unit/test_accounting.py::test_percentiles_of_latency_are_ranks_of_the_empirical_distribution",
            "differential/test_stories.py::test_a_packet_a_nanosecond_beyond_its_limit_is_late_from_the_limit_on_and_is_sent_all_the_same",
            "property/test_conservation.py::test_a_packet_is_resolved_at_its_departure_its_drop_or_its_limit_whichever_is_first",
        ),
    ),
    Bug(
        name="log10-for-log2",
        origin=PUBLIC,
        module="netsim.channel",
        edits=(("log_scale * log2(1.0 + snr_now)", "log_scale * 0.30102999566398120 * log2(1.0 + snr_now)"),),
        breaks=("CH-01",),
        tests=(
            "unit/test_radio_laws.py::test_ten_decibels_more_loss_cost_a_strong_channel_the_logarithm_of_ten",
            "unit/test_radio_laws.py::test_a_user_s_rate_is_that_of_its_own_band_at_its_own_noise",
        ),
    ),
    Bug(
        name="full-power-to-every-user",
        origin=PUBLIC,
        module="netsim.channel",
        edits=(
            (
                "gain * (10 ** (transmit_power_dbm / 10) / bandwidth_hz)",
                "gain * (10 ** (transmit_power_dbm / 10) / 200e3)",
            ),
        ),
        breaks=("CH-01",),
        tests=(
            "unit/test_radio_laws.py::test_a_user_s_rate_is_that_of_its_own_band_at_its_own_noise",
            "unit/test_channel.py::test_mean_snr_of_table1_at_the_edge_by_hand",
        ),
    ),
    Bug(
        name="requests-of-the-present-period-only",
        origin=PUBLIC,
        module="netsim.kernel",
        edits=(
            (
                "    resolved = tally.satisfied + tally.slow + tally.late + tally.dropped\n",
                "    resolved = tally.arrived\n",
            ),
        ),
        breaks=("invariant 8",),
        tests=(
            "unit/test_accounting.py::test_the_share_of_the_satisfied_is_of_the_resolved",
            "property/test_conservation.py::test_ssr_is_a_share_and_one_where_nothing_was_resolved",
        ),
    ),
    Bug(
        name="utility-counts-the-first-term-per-slice",
        origin=PUBLIC,
        module="netsim.model",
        edits=(
            (
                "settings.alpha * (len(self.scenario.slices) if settings.alpha_per_slice else 1)",
                "settings.alpha * len(self.scenario.slices)",
            ),
        ),
        breaks=("invariant 13",),
        tests=(
            "unit/test_accounting.py::test_the_utility_of_many_slices_counts_the_first_term_once",
            "differential/test_stories.py::test_the_utility_adds_weighted_shares_and_counts_the_first_term_once_or_once_per_slice",
        ),
    ),
    Bug(
        name="reward-needs-more-than-its-threshold",
        origin=PUBLIC,
        module="netsim.sla",
        edits=(("u < threshold(", "u <= threshold("),),
        breaks=("invariant 13",),
        tests=(
            "unit/test_accounting.py::test_a_utility_of_exactly_its_threshold_is_rewarded",
            "property/test_figures.py::test_the_reward_is_its_formula",
            "unit/test_sla.py::test_the_reward_is_equation_6_piece_by_piece",
        ),
    ),
    Bug(
        name="reports-are-views-of-the-simulation",
        origin=PUBLIC,
        module="netsim.simulation",
        edits=(("tallies.copy(), clocks.copy()", "tallies.view(), clocks.view()"),),
        breaks=("invariant 14",),
        tests=(
            "unit/test_accounting.py::test_a_kept_report_stays_as_it_was",
            "unit/test_simulation.py::test_a_report_is_read_only_and_shares_nothing_with_the_simulator",
        ),
    ),
)
