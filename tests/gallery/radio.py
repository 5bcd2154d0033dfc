"""Faults of channel and traffic models, and of the figures that are made of what was simulated."""

from tests.gallery.bug import METRICS, SIMULATORS, Bug

BUGS = (
    Bug(
        name="noise-over-the-whole-band",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("efficiency(clock, faded / prb,", "efficiency(clock, faded / clock.prb,"),),
        breaks=("CH-01",),
        tests=(
            "unit/test_radio_laws.py::test_a_user_s_rate_is_that_of_its_own_band_at_its_own_noise",
            "unit/test_channel.py::test_power_spread_over_the_carrier_or_full_on_each_user_s_blocks",
        ),
    ),
    Bug(
        name="decibels-of-amplitude-for-power",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("10 ** (gain_db / 10)", "10 ** (gain_db / 20)"),),
        breaks=("CH-01",),
        tests=(
            "unit/test_radio_laws.py::test_ten_decibels_more_loss_cost_a_strong_channel_the_logarithm_of_ten",
            "unit/test_radio_laws.py::test_a_user_s_rate_is_that_of_its_own_band_at_its_own_noise",
        ),
    ),
    Bug(
        name="rayleigh-amplitude-for-power",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("return -LN2 * log2(uniform(bits))", "return math.sqrt(-LN2 * log2(uniform(bits)))"),),
        breaks=("CH-01", "CH-02"),
        tests=(
            "unit/test_radio_laws.py::test_fading_is_exponential_of_mean_1",
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
        ),
    ),
    Bug(
        name="fading-shared-by-all-users",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(
            ("rayleigh_gain(seed, slot, np.uint64(served[i]), word)", "rayleigh_gain(seed, slot, np.uint64(0), word)"),
        ),
        breaks=("CH-02",),
        tests=(
            "unit/test_radio_laws.py::test_fading_is_drawn_for_every_user_and_every_slot",
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
        ),
    ),
    Bug(
        name="fading-drawn-once",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(("np.uint64(clock.slot), part.fading_word", "np.uint64(0), part.fading_word"),),
        breaks=("CH-02",),
        tests=(
            "unit/test_radio_laws.py::test_fading_is_drawn_for_every_user_and_every_slot",
            "unit/test_radio_laws.py::test_fading_is_exponential_of_mean_1",
        ),
    ),
    Bug(
        name="users-uniform-in-distance",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("np.sqrt(uniforms[:, 0])", "uniforms[:, 0]"),),
        breaks=("CH-04",),
        tests=(
            "unit/test_radio_laws.py::test_a_quarter_of_the_users_is_within_half_the_radius",
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
        ),
    ),
    Bug(
        name="users-share-a-seed",
        origin=SIMULATORS,
        module="netsim.traffic",
        edits=(("number = np.uint64(user.number)", "number = np.uint64(0)"),),
        breaks=("RN-01",),
        tests=(
            "unit/test_radio_laws.py::test_no_two_users_draw_the_same",
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
        ),
    ),
    Bug(
        name="pareto-drawn-again-instead-of-cut",
        origin=SIMULATORS,
        module="netsim.traffic",
        edits=(
            (
                "lesser(cut, a * exp2(lesser(-b * log2(uniform(bits[j])), 900.0)))",
                "a * exp2(lesser(-b * log2(1.0 - uniform(bits[j]) * (1.0 - (a / cut) ** (1.0 / b))), 900.0))",
            ),
        ),
        breaks=("TR-01",),
        tests=(
            "unit/test_radio_laws.py::test_a_pareto_draw_beyond_its_cap_is_the_cap",
            "differential/test_busy_cell.py::test_kernel_equals_oracle_in_a_busy_cell",
        ),
    ),
    Bug(
        name="load-multiplier-lengthens-gaps",
        origin=SIMULATORS,
        module="netsim.sources",
        edits=(("scaled_ns = gap_ns / multiplier(", "scaled_ns = gap_ns * multiplier("),),
        breaks=("TR-01",),
        tests=(
            "unit/test_radio_laws.py::test_a_multiplier_of_two_doubles_the_packets",
            "differential/test_stories.py::test_a_multiplier_shortens_the_gaps_that_are_drawn_while_it_holds",
        ),
    ),
    Bug(
        name="rate-averaged-with-the-slots-of-waiting",
        origin=METRICS,
        module="netsim.sla",
        edits=(("return rate_sum_bps // rate_slots", "return rate_sum_bps * 500_000 // latency_ns"),),
        breaks=("invariant 12",),
        tests=(
            "unit/test_accounting.py::test_the_rate_of_a_packet_leaves_out_the_slots_in_which_it_waited",
            "differential/test_stories.py::test_a_slot_without_a_bit_of_a_packet_does_not_count_in_its_rate",
        ),
    ),
    Bug(
        name="granted-blocks-counted-as-used",
        origin=METRICS,
        module="netsim.kernel",
        edits=(
            (
                "tally.prb_slots_used += scheduling.prb_needed(\n"
                "                clock, sent, enough, cell.faded[i], cell.thresholds, cell.efficiencies\n            )",
                "tally.prb_slots_used += prb",
            ),
        ),
        breaks=("invariant 4",),
        tests=(
            "unit/test_accounting.py::test_a_whole_number_of_blocks_is_used_and_no_more_than_what_was_sent_needs",
            "differential/test_stories.py::test_what_a_queue_does_not_need_is_lost_and_a_rate_is_the_mean_over_the_slots_that_served_the_packet",
        ),
    ),
    Bug(
        name="percentile-one-rank-too-high",
        origin=METRICS,
        module="netsim.kernel",
        edits=(("(99 * n + 99) // 100 - 1 - median", "min((99 * n + 99) // 100, n - 1) - median"),),
        breaks=("invariant 11",),
        tests=(
            "unit/test_accounting.py::test_percentiles_of_latency_are_those_of_the_latencies",
            "unit/test_accounting.py::test_percentiles_of_latency_are_ranks_of_the_empirical_distribution",
        ),
    ),
)
