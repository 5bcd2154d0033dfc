"""Faults found in public environments for learning to slice."""

from tests.gallery.bug import PUBLIC, Bug

BUGS = (
    Bug(
        name="bits-taken-from-bits-per-second",
        origin=PUBLIC,
        module="netsim.channel",
        edits=(("return np.int64(rate_bps * clock.slot_ns / 1e9)", "return np.int64(rate_bps)"),),
        breaks=("invariant 6", "invariant 12"),
        tests=(),
    ),
    Bug(
        name="a-slot-carries-three-and-a-half-times-its-capacity",
        origin=PUBLIC,
        module="netsim.channel",
        edits=(("clock.slot_ns / 1e9)", "clock.slot_ns * 3.5 / 1e9)"),),
        breaks=("invariant 6", "invariant 12"),
        tests=(),
    ),
    Bug(
        name="round-robin-loses-the-remainder",
        origin=PUBLIC,
        module="netsim.scheduling",
        edits=(("    if extra > 0:\n", "    if extra > prb:\n"),),
        breaks=("invariant 3",),
        tests=(),
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
        tests=(),
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
        tests=(),
    ),
    Bug(
        name="idle-slice-is-zero-over-zero",
        origin=PUBLIC,
        module="netsim.kernel",
        edits=(("if resolved > 0 else 1.0", "if resolved > 0 else np.nan"),),
        breaks=("invariant 8", "invariant 14"),
        tests=(),
    ),
    Bug(
        name="idle-slice-has-ssr-0",
        origin=PUBLIC,
        module="netsim.kernel",
        edits=(("if resolved > 0 else 1.0", "if resolved > 0 else 0.0"),),
        breaks=("invariant 8", "invariant 13"),
        tests=(),
    ),
    Bug(
        name="latency-at-its-limit-is-late",
        origin=PUBLIC,
        module="netsim.sla",
        edits=(("latency_ns > part.latency_limit_ns", "latency_ns >= part.latency_limit_ns"),),
        breaks=("invariant 7", "invariant 11"),
        tests=(),
    ),
    Bug(
        name="rate-at-its-floor-is-slow",
        origin=PUBLIC,
        module="netsim.sla",
        edits=(("rate_bps >= part.rate_floor_bps", "rate_bps > part.rate_floor_bps"),),
        breaks=("invariant 7", "invariant 11"),
        tests=(),
    ),
    Bug(
        name="first-slot-takes-no-time",
        origin=PUBLIC,
        module="netsim.queues",
        edits=(
            ("latency_ns = end_ns - packet.arrival_ns", "latency_ns = end_ns - clock.slot_ns - packet.arrival_ns"),
        ),
        breaks=("invariant 7", "invariant 11"),
        tests=(),
    ),
    Bug(
        name="log10-for-log2",
        origin=PUBLIC,
        module="netsim.channel",
        edits=(("log_scale * log2(1.0 + snr_now)", "log_scale * 0.30102999566398120 * log2(1.0 + snr_now)"),),
        breaks=("CH-01",),
        tests=(),
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
        tests=(),
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
        tests=(),
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
        tests=(),
    ),
    Bug(
        name="reward-needs-more-than-its-threshold",
        origin=PUBLIC,
        module="netsim.sla",
        edits=(("u < threshold(", "u <= threshold("),),
        breaks=("invariant 13",),
        tests=(),
    ),
    Bug(
        name="reports-are-views-of-the-simulation",
        origin=PUBLIC,
        module="netsim.simulation",
        edits=(("tallies.copy(), clocks.copy()", "tallies.view(), clocks.view()"),),
        breaks=("invariant 14",),
        tests=(),
    ),
)
