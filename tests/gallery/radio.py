"""Faults of channel and traffic models, and of the figures that are made of what was simulated."""

from tests.gallery.bug import METRICS, SIMULATORS, Bug

BUGS = (
    Bug(
        name="noise-over-the-whole-band",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("efficiency(clock, faded / prb,", "efficiency(clock, faded / clock.prb,"),),
        breaks=("CH-01",),
        tests=(),
    ),
    Bug(
        name="decibels-of-amplitude-for-power",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("10 ** (gain_db / 10)", "10 ** (gain_db / 20)"),),
        breaks=("CH-01",),
        tests=(),
    ),
    Bug(
        name="rayleigh-amplitude-for-power",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("return -LN2 * log2(uniform(bits))", "return math.sqrt(-LN2 * log2(uniform(bits)))"),),
        breaks=("CH-01", "CH-02"),
        tests=(),
    ),
    Bug(
        name="fading-shared-by-all-users",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(("rayleigh_gain(seed, slot, np.uint64(served[i]), word)", "rayleigh_gain(seed, slot, np.uint64(0), word)"),),
        breaks=("CH-02",),
        tests=(),
    ),
    Bug(
        name="fading-drawn-once",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(("np.uint64(clock.slot), part.fading_word", "np.uint64(0), part.fading_word"),),
        breaks=("CH-02",),
        tests=(),
    ),
    Bug(
        name="users-uniform-in-distance",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("np.sqrt(uniforms[:, 0])", "uniforms[:, 0]"),),
        breaks=("CH-04",),
        tests=(),
    ),
    Bug(
        name="users-share-a-seed",
        origin=SIMULATORS,
        module="netsim.traffic",
        edits=(("number = np.uint64(user.number)", "number = np.uint64(0)"),),
        breaks=("RN-01",),
        tests=(),
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
        tests=(),
    ),
    Bug(
        name="load-multiplier-lengthens-gaps",
        origin=SIMULATORS,
        module="netsim.sources",
        edits=(("scaled_ns = gap_ns / multiplier(", "scaled_ns = gap_ns * multiplier("),),
        breaks=("TR-01",),
        tests=(),
    ),
    Bug(
        name="rate-averaged-with-the-slots-of-waiting",
        origin=METRICS,
        module="netsim.sla",
        edits=(("return rate_sum_bps // rate_slots", "return rate_sum_bps * 500_000 // latency_ns"),),
        breaks=("invariant 12",),
        tests=(),
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
        tests=(),
    ),
    Bug(
        name="percentile-one-rank-too-high",
        origin=METRICS,
        module="netsim.kernel",
        edits=(("(99 * n + 99) // 100 - 1 - median", "min(99 * n // 100, n - 1) - median"),),
        breaks=("invariant 11",),
        tests=(),
    ),
)
