"""Intervals have the coverage they claim, percentiles the accuracy, and neither needs more memory for longer runs."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from netsim import statistics
from netsim.statistics import MOST_BATCHES, BatchClock, BatchedSums, Figure, LatencyHistogram

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=MOST_BATCHES)


def batched(series):
    sums = BatchedSums(1)
    for value in series:
        sums.add([value])
    return sums


@given(VALUES)
def test_without_merging_the_mean_has_the_interval_of_student(values):
    figure = batched(values).mean(0)
    low, high = figure.ci95
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    scale = max(1.0, np.abs(values).max())
    assert figure.mean == pytest.approx(np.mean(values), abs=1e-9 * scale)
    assert (high - low) / 2 == pytest.approx(half, rel=1e-6, abs=1e-7 * scale)


@given(st.integers(1, 2000))
def test_batches_are_consecutive_equal_but_for_the_last_and_bounded(periods):
    sums = batched(range(periods))
    lengths = sums.periods
    assert lengths.sum() == periods
    assert len(set(lengths[:-1].tolist())) <= 1
    assert lengths[-1] <= lengths[0]
    assert len(lengths) <= MOST_BATCHES
    assert len(lengths) >= min(periods, MOST_BATCHES // 2)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    expected = [sum(range(a, b)) for a, b in pairwise(starts)]
    assert sums.sums[:, 0].tolist() == expected


def coverage_bound(experiments, level=0.95):
    """The fewest hits of a true ``level`` in 99.99 % of such sets of experiments."""
    return stats.binom.ppf(1e-4, experiments, level)


def test_intervals_of_independent_periods_cover_the_mean_as_often_as_they_say():
    draws = np.random.default_rng(1).exponential(size=(1000, 300))
    hits = sum(low <= 1.0 <= high for low, high in (batched(series).mean(0).ci95 for series in draws))
    # Student's t is a little short for exponential batch means: 8 periods each leave a skewness of 2 / sqrt(300) = 0.12
    # in the mean, and by the Edgeworth expansion of t with skewness g the two-sided level falls by less than g^2 / 2.
    assert hits >= coverage_bound(1000, 0.95 - 0.12**2 / 2)


def test_intervals_of_correlated_periods_cover_the_mean_where_a_naive_one_does_not():
    noise = np.random.default_rng(2).normal(size=(500, 1300))
    series, phi = np.zeros_like(noise), 0.6
    for i in range(1, series.shape[1]):
        series[:, i] = phi * series[:, i - 1] + noise[:, i]
    series = series[:, 100:]
    hits = sum(low <= 0.0 <= high for low, high in (batched(each).mean(0).ci95 for each in series))
    naive = np.abs(series.mean(axis=1)) <= 1.96 * series.std(axis=1, ddof=1) / math.sqrt(series.shape[1])
    # Batches of b = 32 periods: their variance falls short by the factor 1 - 2 phi / (b (1 - phi^2)) = 0.941.
    shortened = 2 * stats.norm.cdf(1.96 * math.sqrt(1 - 2 * phi / (32 * (1 - phi**2)))) - 1
    assert hits >= coverage_bound(500, shortened)
    assert naive.sum() < coverage_bound(500)


def test_pooled_ratio_is_the_ratio_of_sums_and_covers_it():
    draw = np.random.default_rng(3)
    hits = 0
    for _ in range(1000):
        trials = draw.poisson(200, 40)
        figure = statistics.proportion(draw.binomial(trials, 0.9), trials)
        hits += figure.ci95[0] <= 0.9 <= figure.ci95[1]
    assert hits >= coverage_bound(1000, 0.945)  # the delta method and the binomial's lattice cost less than 0.5 %


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=20))
def test_a_pooled_share_lies_in_its_interval_and_in_0_to_1(batches):
    successes, trials = [s for s, _ in batches], [s + f for s, f in batches]
    figure = statistics.proportion(successes, trials)
    if sum(trials) == 0:
        assert figure == Figure(None, None)
        return
    assert figure.mean == pytest.approx(sum(successes) / sum(trials))
    if figure.ci95 is not None:
        assert 0 <= figure.ci95[0] <= figure.mean <= figure.ci95[1] <= 1


def test_without_a_failure_the_interval_is_wilson_s():
    figure = statistics.proportion([100, 100], [100, 100])
    z = stats.norm.ppf(0.975)
    assert figure.ci95 == (pytest.approx(1 / (1 + z * z / 200)), 1.0)


def test_weights_scale_a_ratio_exactly():
    sums, weights = np.array([3.0, 5.0, 9.0]), np.array([2.0, 4.0, 5.0])
    half, whole = statistics.ratio(sums, weights), statistics.ratio(sums, 2 * weights)
    assert half.mean == 2 * whole.mean
    assert half.ci95 == pytest.approx((2 * whole.ci95[0], 2 * whole.ci95[1]))


def test_one_period_has_a_mean_and_no_interval():
    assert batched([3.0]).mean(0) == Figure(3.0, None)
    assert Figure(3.0, None).to_dict() == {"mean": 3.0, "ci95": None}


def test_nothing_has_neither():
    assert statistics.ratio([0.0], [0]).to_dict() == {"mean": None, "ci95": None}
    assert LatencyHistogram().percentile_ns(0.99) == Figure(None, None)


ORDERS = st.integers(2, 12).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 2))


@given(ORDERS)
def test_spearmans_correlation_is_scipys_with_ties_too(pair):
    x, y = pair
    found = statistics.spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found is None
        assert statistics.rank_correlation(x, y) == statistics.UNKNOWN
    else:
        assert found == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@given(ORDERS, st.sampled_from([2, 3]))
def test_within_groups_ranks_are_told_from_their_mean_in_the_group(pair, count):
    x, y = (np.array(each) for each in pair)
    groups = np.arange(len(x)) % count
    ranks = np.zeros((2, len(x)))
    for group in range(min(count, len(x))):
        for row, values in zip(ranks, (x, y), strict=True):
            own = stats.rankdata(values[groups == group])
            row[groups == group] = own - own.mean()
    found = statistics.spearman(x, y, groups)
    if not ranks.any(axis=1).all():
        assert found is None
    else:
        assert found == pytest.approx(np.corrcoef(ranks)[0, 1], abs=1e-12)


@pytest.mark.parametrize(("classes", "n"), [(200, 6), (5, 6), (200, 20), (5, 20)])
def test_intervals_of_rank_correlations_cover_the_truth_as_often_as_they_say(classes, n):
    """Of normal pairs with correlation 0.5, the second in classes of equal probability.

    Spearman's coefficient is the correlation of F(x), of variance 1 / 12, and of the share of classes below, whose mean
    for an x is a sum over edges and whose variance is (1 - 1 / C^2) / 12.
    """
    edges = stats.norm.ppf(np.arange(1, classes) / classes)
    uniform = (np.arange(4000) + 0.5) / 4000
    above = stats.norm.sf((edges - 0.5 * stats.norm.ppf(uniform)[:, None]) / math.sqrt(0.75))
    truth = 12.0 * np.mean((uniform - 0.5) * above.sum(axis=1)) / classes / math.sqrt(1.0 - classes**-2)
    hits = given = 0
    for x, noise in np.random.default_rng(3).normal(size=(400, 2, n)):
        ends = statistics.rank_correlation(x, np.digitize(0.5 * x + math.sqrt(0.75) * noise, edges)).ci95
        if ends is not None:
            given += 1
            hits += ends[0] <= truth <= ends[1]
    assert hits >= coverage_bound(given)


def test_what_ranks_say_of_groups_costs_a_pair_for_each_group():
    """Four groups of five tell of a correlation what one of 17 does."""
    x, y = np.random.default_rng(4).normal(size=(2, 20))
    found = statistics.rank_correlation(x, y, np.arange(20) % 4)
    half = stats.norm.ppf(0.975) * math.sqrt((1.0 + found.mean**2 / 2.0) / (17 - 3))
    assert np.arctanh(found.ci95) == pytest.approx([math.atanh(found.mean) - half, math.atanh(found.mean) + half])


@pytest.mark.parametrize("pairs", [([1, 2, 3], [1, 3, 2]), ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])])
def test_too_few_pairs_and_pairs_that_all_agree_have_no_interval(pairs):
    assert statistics.rank_correlation(*pairs).ci95 is None


def test_relative_errors_of_a_quotient_add_in_squares():
    a, b = statistics.around(6.0, 0.6), statistics.around(2.0, 0.4)
    share = statistics.quotient(a, b)
    assert share.mean == 3.0
    assert (share.ci95[1] - share.ci95[0]) / 2 == pytest.approx(3.0 * math.hypot(0.1, 0.2))
    assert statistics.quotient(a, Figure(2.0, None)) == Figure(3.0, None)
    assert statistics.quotient(Figure(None, None), b) == Figure(None, None)


# -- percentiles -------------------------------------------------------------------------------------------------------

LATENCIES = st.lists(st.integers(1, 10**15), min_size=1, max_size=200)


@given(st.lists(LATENCIES, min_size=1, max_size=10), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_the_smallest_latency_not_exceeded_to_half_a_bucket(periods, q):
    histogram = LatencyHistogram()
    for latencies in periods:
        histogram.add(np.array(latencies, dtype=np.int64))
    everything = np.sort(np.concatenate(periods))
    exact = everything[math.ceil(q * everything.size) - 1]
    assert histogram.percentile_ns(q).mean == pytest.approx(exact, rel=0.0005, abs=0.5)
    assert histogram.total == everything.size


@given(st.integers(1, 10**15), st.integers(1, 200))
def test_equal_latencies_have_exact_percentiles(latency_ns, periods):
    histogram = LatencyHistogram()
    for _ in range(periods):
        histogram.add(np.full(3, latency_ns))
    assert histogram.percentile_ns(0.99) == (
        Figure(latency_ns, None) if periods == 1 else statistics.around(latency_ns, 0)
    )


def test_merging_batches_loses_no_latency():
    draw = np.random.default_rng(4)
    histogram, everything = LatencyHistogram(), []
    for _ in range(333):
        everything.append(500_000 + draw.exponential(1e6, draw.integers(0, 50)).astype(np.int64))
        histogram.add(everything[-1])
    pooled = np.sort(np.concatenate(everything))
    assert histogram.total == pooled.size
    exact = pooled[math.ceil(0.99 * pooled.size) - 1]
    assert histogram.percentile_ns(0.99).mean == pytest.approx(exact, rel=0.0005)


def test_the_interval_of_a_percentile_covers_it():
    draw, true = np.random.default_rng(5), -math.log(0.01)
    hits = 0
    for _ in range(300):
        histogram = LatencyHistogram()
        for latencies in draw.exponential(1e6, (40, 1000)):
            histogram.add(latencies.astype(np.int64) + 1)
        low, high = histogram.percentile_ns(0.99).ci95
        hits += low <= true * 1e6 <= high
    # With 1000 in a batch the bias of its 99th percentile is below 5 % of the deviation of the pooled one, which costs
    # less than half a percent of the level; a bucket is 0.1 %, another 0.2 % of a half-width of 5 %.
    assert hits >= coverage_bound(300, 0.94)


def test_memory_does_not_grow_with_the_run():
    clock, short = BatchClock(), batched([1.0] * 50)
    assert max(clock.next()[0] for _ in range(10_000)) < MOST_BATCHES
    long = batched([1.0] * 5000)
    assert short._sums.nbytes == long._sums.nbytes
