"""The figures of a report follow from the packets, by formulas written here once more."""

import bisect
import math
from collections import defaultdict
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

import netsim
from netsim.report import VERDICTS
from netsim.run import run
from netsim.sla import reshaped_reward
from tests.oracles.cells import SLOT_NS, cells
from tests.oracles.playing import changed, play, play_cell, with_slices


@settings(max_examples=60)
@given(played=cells(with_events=False), limit_slots=st.integers(1, 20))
def test_verdicts_at_another_limit_follow_from_the_trace_at_this_one(played, limit_slots):
    """Invariant 11: recomputed from arrivals, departures and rates of packets that were logged under another limit."""
    sent = with_slices(played.scenario, lambda _, part: {**part, "late": "send"})
    limit = {"latency_limit": f"{limit_slots * SLOT_NS} ns"}
    other = with_slices(sent, lambda _, part: {**part, "sla": {**part["sla"], **limit}})
    end_ns = played.scenario.control.period_ns * (1 + len(played.allocations))
    told = play(sent, played.seed, played.allocations).packets
    floors = {name: part.sla.rate_floor_bps for name, part in sent.slices.items()}
    expected = [_judged(packet, limit_slots * SLOT_NS, floors[packet.slice], end_ns) for packet in told]
    assert expected == [packet.verdict for packet in play(other, played.seed, played.allocations).packets]


def _judged(packet, limit_ns, floor_bps, end_ns):
    satisfied, slow, late, dropped, pending = VERDICTS
    if packet.verdict == dropped:
        return dropped
    if packet.departure_ns is None:
        return late if packet.arrival_ns + limit_ns <= end_ns else pending
    if packet.departure_ns - packet.arrival_ns > limit_ns:
        return late
    return satisfied if packet.rate_bps >= floor_bps else slow


@settings(max_examples=60)
@given(played=cells(with_events=False), limit_slots=st.integers(1, 40))
def test_without_a_floor_ssr_is_the_share_of_latencies_up_to_the_limit(played, limit_slots):
    """Invariant 11: the empirical distribution of latency at the limit, a packet that is dropped never arriving."""
    sla = {"rate_floor": "0 bit/s", "latency_limit": f"{limit_slots * SLOT_NS} ns"}
    scenario = with_slices(played.scenario, lambda _, part: {**part, "late": "send", "sla": sla})
    found = play(scenario, played.seed, played.allocations)
    for s, name in enumerate(scenario.slice_names):
        resolved = [packet for packet in found.packets_of(name) if packet.verdict != "pending"]
        latencies_ns = sorted(
            math.inf if packet.departure_ns is None else packet.departure_ns - packet.arrival_ns for packet in resolved
        )
        within = bisect.bisect_right(latencies_ns, limit_slots * SLOT_NS)
        weighted = [(float(report.ssr[s]), int(report.resolved[s])) for report in found.reports]
        assert sum(weight for _, weight in weighted) == len(resolved)
        assert math.isclose(sum(ssr * weight for ssr, weight in weighted), within, rel_tol=1e-12, abs_tol=1e-12)


@settings(max_examples=60)
@given(cells(with_events=False))
def test_utility_is_its_formula_over_the_packets(played):
    """Invariant 13: U = alpha se + sum of beta_n SSR_n, SSR and the bits carried from the records of packets alone."""
    scenario = played.scenario
    found = play_cell(played)
    period_ns = scenario.control.period_ns
    resolved, satisfied = defaultdict(int), defaultdict(int)
    for packet in found.packets:
        if packet.resolved_ns is not None:
            period = max(0, -(-packet.resolved_ns // period_ns) - 1)  # the instant that ends a period belongs to it
            resolved[packet.slice, period] += 1
            satisfied[packet.slice, period] += packet.verdict == "satisfied"
    chosen = scenario.utility
    alpha = Fraction(chosen.alpha) * (len(scenario.slices) if chosen.alpha_per_slice else 1)
    for report in found.reports:
        expected = alpha * Fraction(report.se_capacity if chosen.se == "capacity" else report.se_carried)
        for name, part in scenario.slices.items():
            key = name, report.period
            expected += Fraction(part.weight) * (Fraction(satisfied[key], resolved[key]) if resolved[key] else 1)
        assert math.isclose(report.utility, expected, rel_tol=1e-12)
    hertz_s = scenario.carrier.bandwidth_hz * Fraction(period_ns, 10**9)
    for report, bits in zip(found.reports, _bits_carried(found), strict=True):
        assert math.isclose(report.se_carried, bits / hertz_s, rel_tol=1e-12)


def _bits_carried(found):
    """Bits sent in each period: what came in and was neither given up nor left."""
    before = 0
    for report in found.reports:
        yield int((report.offered_bits - report.discarded_bits - report.backlog_bits).sum()) + before
        before = int(report.backlog_bits.sum())


THRESHOLDS = st.tuples(st.integers(-8, 24), st.integers(0, 16)).map(lambda pair: (pair[0] / 8, sum(pair) / 8))


def _reward(utility, step, gmin, gmax, sigma):
    """Equation 6, in fractions."""
    reached = min(Fraction(gmin) + Fraction(sigma) * step, Fraction(gmax))
    if utility < reached:
        return 0.0
    return 1.0 if utility < gmax else float(1 + (Fraction(utility) - Fraction(gmax)) / 2)


@given(
    utility=st.integers(-16, 64).map(lambda n: n / 8),
    step=st.integers(0, 40),
    thresholds=THRESHOLDS,
    sigma=st.sampled_from([0.0, 0.125, 0.5]),
)
@example(utility=2.0, step=0, thresholds=(2.0, 3.0), sigma=0.0)  # exactly g(t)
@example(utility=2.5, step=4, thresholds=(2.0, 3.0), sigma=0.125)  # exactly g(t), on its way
@example(utility=3.0, step=9, thresholds=(2.0, 3.0), sigma=0.125)  # exactly gmax, g(t) having stopped there
def test_the_reward_is_its_formula(utility, step, thresholds, sigma):
    """Invariant 13: equality with g(t) and with gmax among what is drawn, all numbers being eighths."""
    assert reshaped_reward(utility, step, *thresholds, sigma) == _reward(utility, step, *thresholds, sigma)


@settings(max_examples=30)
@given(cells(), THRESHOLDS, st.sampled_from([None, 0.0, 0.125]), st.integers(1, 9))
def test_the_reward_of_a_run_is_the_mean_of_its_formula_over_the_periods(played, thresholds, sigma, periods):
    """Invariant 13: steps are counted from 0, and without a sigma gmax is reached at two thirds of the run."""
    gmin, gmax = thresholds
    reward = {"gmin": gmin, "gmax": gmax, **({} if sigma is None else {"sigma": sigma})}
    reports = []

    class Keeper:
        @netsim.hookimpl
        def period_ended(self, report):
            reports.append(report)

    scenario = changed(played.scenario, reward=reward)
    summary = run(scenario, "random", periods=periods, seed=played.seed % 2**63, plugins=[Keeper()])
    growth = (gmax - gmin) / (2 / 3 * periods) if sigma is None else sigma
    each = [_reward(report.utility, step, gmin, gmax, growth) for step, report in enumerate(reports[1:])]
    assert math.isclose(summary["reward"]["mean"], sum(each) / periods, rel_tol=1e-12)
    assert math.isclose(summary["utility"]["mean"], sum(r.utility for r in reports[1:]) / periods, rel_tol=1e-12)
