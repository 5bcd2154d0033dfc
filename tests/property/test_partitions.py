"""However time is cut into periods, the same happens and the counts add up; a longer run only goes on."""

import math
from itertools import accumulate, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.run import run
from tests.oracles.cells import SLOT_NS, cells
from tests.oracles.comparing import of_kernel
from tests.oracles.playing import Run, changed, play
from tests.property.slotwise import in_slots

COUNTS = ("arrived", "satisfied", "slow", "late", "dropped", "departed", "offered_bits", "carried_bits",
          "discarded_bits", "prb_slots_granted", "prb_slots_used")  # fmt: skip
STATES = ("pending", "backlog_packets", "backlog_bits")


def with_periods(scenario, slots):
    return changed(scenario, control={**scenario.to_dict()["control"], "slots_per_period": slots})


def held(scenario, seed, slots, processes=()):
    """A run of so many slots under the initial allocation, with latencies of the departures of each period."""
    simulation = netsim.Simulation(scenario, seed, log_packets=True, processes=processes)
    reports, latencies = [simulation.reset()], [simulation.latencies_ns()]
    for _ in range(slots // scenario.control.slots_per_period - 1):
        reports.append(simulation.step(scenario.initial_allocation))
        latencies.append(simulation.latencies_ns())
    packets = [*of_kernel(simulation.take_packets(), scenario), *of_kernel(simulation.queued_packets(), scenario)]
    return Run(reports, sorted(packets)), latencies


@settings(max_examples=60)
@given(cells(), st.integers(1, 6), st.integers(1, 12))
def test_counts_of_short_periods_add_up_to_those_of_long_ones(played, parts, length):
    """Invariant 8: over whatever periods, and the SSR of a whole is the resolved-weighted mean of its parts'.

    Relation 21: the packets are the same; holding an allocation for n periods is one period n times as long.
    """
    slots = parts * length
    fine, fine_ns = held(in_slots(played.scenario), played.seed, slots)
    coarse, coarse_ns = held(with_periods(played.scenario, length), played.seed, slots)
    assert coarse.packets == fine.packets
    for k, one in enumerate(coarse.reports):
        many = fine.reports[k * length : (k + 1) * length]
        for figure in COUNTS:
            np.testing.assert_array_equal(getattr(one, figure), sum(getattr(part, figure) for part in many))
        for figure in STATES:
            np.testing.assert_array_equal(getattr(one, figure), getattr(many[-1], figure))
        resolved = sum(part.resolved for part in many)
        weighted = sum(part.resolved * part.ssr for part in many)
        expected = np.divide(weighted, resolved, out=np.ones(resolved.shape), where=resolved > 0)
        np.testing.assert_allclose(one.ssr, expected, rtol=1e-12)
        for figure in ("se_capacity", "se_carried"):
            mean = sum(getattr(part, figure) for part in many) / length
            assert math.isclose(getattr(one, figure), mean, rel_tol=1e-12)
        for s, found in enumerate(coarse_ns[k]):
            apart = np.concatenate([part[s] for part in fine_ns[k * length : (k + 1) * length]])
            assert sorted(found.tolist()) == sorted(apart.tolist())
            _check_latencies(one, s, sorted(apart.tolist()))


def _check_latencies(report, s, ordered_ns):
    told = [float(getattr(report, f"latency_{which}_ms")[s]) for which in ("mean", "p50", "p99", "max")]
    if not ordered_ns:
        assert all(math.isnan(figure) for figure in told)
        return
    ranks = [math.ceil(len(ordered_ns) * percent / 100) - 1 for percent in (50, 99, 100)]
    expected = [sum(ordered_ns) / len(ordered_ns), *(ordered_ns[rank] for rank in ranks)]
    np.testing.assert_allclose(told, np.array(expected) / 1e6, rtol=1e-12)


@settings(max_examples=60)
@given(cells(), st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_counts_between_any_two_instants_add_up_to_those_of_the_slots_between(played, stretches):
    """Invariant 8: a partition of time of whatever stretches, told by counts within one long period."""
    slots, cuts = sum(stretches) + 1, list(accumulate(stretches))
    seen = {}

    def surveyor(simulation):
        for cut in cuts:
            yield simulation.env.timeout(cut * SLOT_NS - int(simulation.env.now))
            seen[cut] = simulation.counts()

    held(with_periods(played.scenario, slots), played.seed, slots, [lambda simulation: [surveyor(simulation)]])
    fine, _ = held(in_slots(played.scenario), played.seed, slots)
    zero = dict.fromkeys(seen[cuts[0]], 0)
    for (before, one), (until, other) in pairwise([(0, zero), *seen.items()]):
        parts = fine.reports[before:until]
        for figure in set(COUNTS) & seen[until].keys():
            total = sum(getattr(part, figure) for part in parts)
            np.testing.assert_array_equal(other[figure] - one[figure], total)
        for figure in STATES:
            np.testing.assert_array_equal(other[figure], getattr(parts[-1], figure))


@settings(max_examples=25)
@given(cells(), st.integers(1, 5))
def test_the_ssr_of_a_run_is_the_resolved_weighted_mean_of_its_periods(played, periods):
    """Invariant 8: of what ``summary.json`` says of a run. Period 0 is not counted."""
    reports = []

    class Keeper:
        @netsim.hookimpl
        def period_ended(self, report):
            reports.append(report)

    summary = run(played.scenario, "random", periods=periods, seed=played.seed % 2**63, plugins=[Keeper()])
    for s, name in enumerate(played.scenario.slice_names):
        resolved = [int(report.resolved[s]) for report in reports[1:]]
        told = summary["slices"][name]
        for figure in COUNTS[:9]:
            assert told[figure] == sum(int(getattr(report, figure)[s]) for report in reports[1:])
        if sum(resolved):
            mean = sum(w * r.ssr[s] for w, r in zip(resolved, reports[1:], strict=True)) / sum(resolved)
            assert math.isclose(told["ssr"]["mean"], mean, rel_tol=1e-12)
        else:
            assert told["ssr"]["mean"] is None
        assert reports[0].pending[s] + told["arrived"] == sum(resolved) + told["pending"]


@settings(max_examples=60)
@given(played=cells(), more=st.integers(1, 30))
def test_a_longer_run_changes_only_packets_that_were_pending_or_queued(played, more):
    """Invariant 9: what was resolved stays resolved as it was, and what had left stays as it was altogether."""
    slots = played.scenario.control.slots_per_period
    short, long = (play(with_periods(played.scenario, n), played.seed, ()) for n in (slots, slots + more))
    end_ns = slots * SLOT_NS
    later = {packet[:3]: packet for packet in long.packets}
    for packet in short.packets:
        now = later.pop(packet[:3])
        if packet.departure_ns is not None or packet.verdict == "dropped":
            assert now == packet
        elif packet.resolved_ns is not None:  # late: discarded, or still queued and sent after the end
            assert now._replace(departure_ns=None, rate_bps=0) == packet
            assert now.departure_ns is None or now.departure_ns > end_ns
        else:
            assert (now.arrival_ns, now.size_bits) == (packet.arrival_ns, packet.size_bits)
            assert now.resolved_ns is None or now.resolved_ns >= end_ns
    assert all(packet.arrival_ns >= end_ns for packet in later.values())
