"""Statistics of few runs: against closed forms, brute force, and what they promise about being wrong."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from netsim.studies import inference
from netsim.studies.inference import (
    bootstrap,
    holm,
    iqm,
    kaplan_meier,
    median_time,
    paired,
    power_of,
    probability_of_improvement,
    restricted_mean,
    seeds_needed,
)


def rng_of(seed):
    return np.random.Generator(np.random.Philox(seed))


def within_chance(successes, trials, probability):
    """Whether a count is in the central 99.9 % of its binomial distribution."""
    low, high = stats.binom.interval(0.999, trials, probability)
    return low <= successes <= high


# -- interquartile means and the bootstrap -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 14))
def test_the_interquartile_mean_is_the_trimmed_mean_of_scipy(n):
    values = rng_of(n).standard_cauchy((n, 3))
    assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25, axis=0), rel=1e-12)


def test_the_bootstrap_of_three_runs_is_that_of_all_27_resamples():
    """Every equally likely resample: the interval must hold the middle 95 % of them."""
    runs = [0.0, 1.0, 10.0]
    every = np.sort([np.mean(each) for each in itertools.product(runs, repeat=3)])
    found = bootstrap([runs], lambda each: each.mean(axis=0), 4000)
    # The 2.5 % quantile of 27 equally likely means falls on the lowest (3.7 %), the upper one on the highest.
    assert (found.low, found.high) == (every[0], every[-1])
    assert found.estimate == pytest.approx(11 / 3)


def test_a_stratum_is_resampled_within_itself():
    """If runs could change strata, means of 0 and 100 would mix in other shares than one half."""
    found = bootstrap([[0.0, 0.0, 0.0], [100.0, 100.0, 100.0]], lambda each: each.mean(axis=0))
    assert found == (50.0, 50.0, 50.0)


def test_curves_are_resampled_as_wholes_however_long():
    """Opposite values at the two ends of long curves: what is high at one end is low at the other, to the last bit."""
    found = bootstrap([[[k / 7] + [0.0] * 250 + [1 - k / 7] for k in range(8)]], lambda each: each.mean(axis=0))
    assert found.low[0] + found.high[-1] == pytest.approx(1.0, abs=1e-12)
    assert found.low[0] < 0.5 < found.high[0]
    assert (found.low[1:-1] == found.high[1:-1]).all()


def test_intervals_of_the_bootstrap_are_wrong_about_as_often_as_they_say():
    """Of means of 40 normal numbers; the percentile bootstrap is that of a variance n - 1 over n of the true one."""
    studies, n = 400, 40
    misses = 0
    for seed in range(studies):
        found = bootstrap([rng_of(seed).normal(size=n)], lambda each: each.mean(axis=0), 200)
        misses += not found.low <= 0 <= found.high
    wrong = 2 * stats.t.cdf(-stats.norm.ppf(0.975) * math.sqrt((n - 1) / n), n - 1)
    assert within_chance(misses, studies, wrong)


def test_the_same_runs_have_the_same_interval_every_time():
    runs = rng_of(1).normal(size=(5, 4))
    first, second = bootstrap([runs]), bootstrap([runs])
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


def test_probability_of_improvement_is_the_mann_whitney_u():
    x, y = rng_of(2).normal(0.3, 1, 9), rng_of(3).normal(0, 1, 7)
    expected = stats.mannwhitneyu(x, y).statistic / (len(x) * len(y))
    found = probability_of_improvement([x], [y])
    assert found.mean == pytest.approx(expected, rel=1e-12)
    assert found.ci95[0] < found.mean < found.ci95[1]


def test_probability_of_improvement_counts_ties_by_half_and_averages_tasks():
    assert probability_of_improvement([[1.0, 1.0], [5.0]], [[1.0], [2.0]]).mean == (0.5 + 1.0) / 2


# -- pairs -------------------------------------------------------------------------------------------------------------


def probability_by_all_signs(differences):
    """Two-sided p of the mean by every change of sign, in exact arithmetic."""
    d = [Fraction(each) for each in differences]
    sums = [
        sum(s * each for s, each in zip(signs, d, strict=True)) for signs in itertools.product((1, -1), repeat=len(d))
    ]
    one_sided = [sum(each >= sum(d) for each in sums), sum(each <= sum(d) for each in sums)]
    return min(Fraction(1), 2 * Fraction(min(one_sided), len(sums)))


@pytest.mark.parametrize("n", [6, 7, 9])
def test_p_of_pairs_is_that_of_all_changes_of_sign(n):
    d = rng_of(n).normal(0.4, 1, n)
    assert paired(d).p == pytest.approx(float(probability_by_all_signs(d)), rel=1e-12)


@pytest.mark.parametrize("n", [6, 8, 9])
def test_the_interval_of_pairs_holds_what_the_test_does_not_refuse(n):
    """Just inside its ends the test of that difference gives more than 5 %, just outside no more."""
    d = np.round(rng_of(10 + n).normal(0.4, 1, n), 6)
    found = paired(d)
    for end, outwards in ((found.low, -1e-9), (found.high, 1e-9)):
        assert probability_by_all_signs(d - (end - outwards)) > 0.05
        assert probability_by_all_signs(d - (end + outwards)) <= 0.05


def test_few_pairs_have_students_interval():
    d = [0.1, 0.5, 0.4]
    found, expected = paired(d), stats.ttest_1samp(d, 0)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.method == "Student's t"


@pytest.mark.parametrize("n", [4, 7, 13])
@pytest.mark.parametrize("margin", [-0.02, 0.3])
def test_a_margin_moves_what_is_tested_and_not_what_is_measured(margin, n):
    d = rng_of(20 + n).normal(0.2, 0.3, n)
    found, moved, plain = paired(d, margin), paired(d - margin), paired(d)
    assert (found.effect, found.low, found.high) == (plain.effect, plain.low, plain.high)
    assert found.p == pytest.approx(moved.p, rel=1e-9)
    assert found.effect - margin == pytest.approx(moved.effect, rel=1e-9)
    nothing_lost = paired([0.0] * 10, margin)
    assert (nothing_lost.effect, nothing_lost.low, nothing_lost.high) == (0.0, 0.0, 0.0)  # not what 0 - m + m rounds to
    assert nothing_lost.p == 2 / 1024


def test_few_pairs_that_agree_decide_nothing():
    """Two differences of 200 interactions in rounds of 200 are no proof that all are."""
    found = paired([200.0, 200.0])
    assert (found.effect, found.low, found.high, found.p) == (200.0, -math.inf, math.inf, 1.0)
    assert paired([200.0] * 6).p == 2 / 64


def test_one_pair_says_nothing_and_none_even_less():
    assert (paired([3.0]).low, paired([3.0]).high, paired([3.0]).p) == (-math.inf, math.inf, 1.0)
    assert paired([]).pairs == 0
    assert math.isnan(paired([]).effect)


@pytest.mark.parametrize("pairs", [3, 6, 10, 15])
def test_a_study_of_a_against_a_finds_a_difference_in_5_percent_of_cases(pairs):
    """Runs of one kind on both sides: what both share by their seed goes out, what is left is as likely either way.

    The law is lopsided, and heavy in the tails but for the three pairs that are held to be normal. By theory the
    share is 2 k / 2^n for n pairs, k being the subset means left out at either end.
    """
    studies, found = 2000, 0
    for seed in range(studies):
        rng = rng_of(seed)
        shared = rng.exponential(size=pairs)
        noise = rng.normal(size=(2, pairs)) if pairs < 6 else rng.lognormal(sigma=1.5, size=(2, pairs))
        one, other = shared + noise
        result = paired(one - other)
        found += result.low > 0 or result.high < 0
    signs = 2 ** min(pairs, inference.EXACT)
    wrong = 0.05 if pairs < 6 else 2 * math.floor(0.025 * signs) / signs
    assert within_chance(found, studies, wrong)
    assert wrong == pytest.approx(0.05, abs=0.02)


def test_holm_is_the_smallest_level_at_which_its_steps_refuse():
    """By its definition: refuse the lowest p values as long as each is at most the level over those that are left."""
    p = [0.011, 0.02, 0.8, 0.013, 0.04]

    def refused(level):
        kept = 0
        for rank, k in enumerate(np.argsort(p)):
            if p[k] > level / (len(p) - rank):
                break
            kept += 1
        return {int(k) for k in np.argsort(p)[:kept]}

    for k, adjusted in enumerate(holm(p)):
        assert k in refused(adjusted + 1e-9)
        assert adjusted == 1 or k not in refused(adjusted - 1e-9)


# -- how many seeds ----------------------------------------------------------------------------------------------------


def test_the_power_of_a_paired_test_is_the_share_of_simulated_studies_that_notice():
    studies, n, effect = 4000, 8, 1.0
    d = rng_of(4).normal(effect, 1.0, (studies, n))
    noticed = int((stats.ttest_1samp(d, 0, axis=1).pvalue < 0.05).sum())
    assert within_chance(noticed, studies, power_of(n, effect, 1.0))


@pytest.mark.parametrize("effect", [0.05, 0.3, 1.0, 4.0, -0.3])
def test_one_seed_less_than_needed_has_too_little_power(effect):
    n = seeds_needed(effect, 1.0)
    assert power_of(n, effect, 1.0) >= 0.8
    assert n == 2 or power_of(n - 1, effect, 1.0) < 0.8
    # With many pairs t is normal, and n = ((z_0.975 + z_0.8) sigma / effect)^2.
    normal = ((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / effect) ** 2
    assert normal <= n <= normal + 4


def test_without_an_effect_or_a_spread_there_is_no_number_of_seeds():
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1e-6, 1.0) is None
    assert seeds_needed(1.0, 0.0) is None


# -- times that may not come -------------------------------------------------------------------------------------------


def test_the_product_limit_without_censoring_is_the_empirical_survival():
    times = rng_of(5).integers(1, 8, 30)
    moments, survival = kaplan_meier(times, np.ones(30, bool))
    assert survival == pytest.approx([(times > t).mean() for t in moments])


def test_the_product_limit_is_that_of_a_textbook():
    """Remission under 6-MP (Freireich et al., 1963; Kalbfleisch and Prentice, table 1.2)."""
    reached = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    moments, survival = kaplan_meier(reached + censored, [True] * 9 + [False] * 12)
    assert moments.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert survival.round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert median_time(reached + censored, [True] * 9 + [False] * 12) == 23


def test_with_one_budget_for_all_the_restricted_mean_is_the_mean_of_what_was_seen():
    times = np.array([3.0, 10.0, 7.0, 10.0])
    assert restricted_mean(times, times < 10, 10) == pytest.approx(times.mean())


def test_the_restricted_mean_is_not_drawn_down_by_runs_that_ended_early():
    """Times of an exponential law, ended at times of another: the naive mean is lower, this one is right."""
    rng = rng_of(6)
    true, ends = rng.exponential(1.0, 4000), rng.exponential(1.5, 4000)
    found = restricted_mean(np.minimum(true, ends), true <= ends, 2.0)
    # With all times seen the error of the mean of min(T, 2) is at most that of this one.
    error = np.minimum(true, 2.0).std() / math.sqrt(4000)
    assert abs(found - (1 - math.exp(-2.0))) < 5 * error
    assert np.minimum(np.minimum(true, ends), 2.0).mean() < 1 - math.exp(-2.0) - 10 * error


def test_half_that_never_got_there_has_no_median():
    assert median_time([1, 5, 5], [True, False, False]) is None
