"""The acceptance rule accepts what is right as often as it says, and nothing that is off, vague or hardly measured."""

import numpy as np
import pytest

from tests.theory.acceptance import Exact, Ratio, rejected, ssr
from tests.theory.faults import kept

RANDOM = np.random.default_rng(1)


def spread(mean, standard_error, batches=100):
    """Batches with exactly this mean and this standard error of the mean."""
    steps = np.linspace(-1.0, 1.0, batches)
    return mean + steps / steps.std(ddof=1) * standard_error * np.sqrt(batches)


def test_the_standard_error_of_a_mean_is_the_textbook_s():
    batches = RANDOM.normal(5.0, 2.0, 40)
    check = Ratio("mean", 5.0, batches)
    assert check.measured == pytest.approx(batches.mean())
    assert check.standard_error == pytest.approx(batches.std(ddof=1) / np.sqrt(40))


@pytest.mark.parametrize(("off", "accepted"), [(0.0, True), (3.9, True), (-3.9, True), (4.1, False), (-4.1, False)])
def test_a_figure_may_be_four_standard_errors_off(off, accepted):
    check = Ratio("mean", 1.0, spread(1.0 + off * 1e-4, 1e-4))
    assert check.z == pytest.approx(off)
    assert check.accepted is accepted


@pytest.mark.parametrize(("standard_error", "accepted"), [(0.005, True), (0.0051, False)])
def test_a_figure_must_be_measured_to_one_percent(standard_error, accepted):
    """Student's quantile for 100 batches is 1.984."""
    assert Ratio("mean", 1.0, spread(1.0, standard_error)).accepted is accepted
    assert Ratio("mean", 20.0, spread(20.0, 20 * standard_error)).accepted is accepted
    assert ssr("SSR", 1.0, spread(1.0, standard_error / 2), 1.0).accepted is accepted
    assert Ratio("zero", 0.0, spread(0.0, standard_error), scale=1.0).accepted is accepted


def test_a_figure_needs_thirty_replications():
    assert Ratio("mean", 1.0, spread(1.0, 1e-4, batches=30)).accepted
    assert not Ratio("mean", 1.0, spread(1.0, 1e-4, batches=29)).accepted


def test_an_exact_figure_must_be_equal():
    right, wrong = Exact("T", 3, 3), Exact("T", 3, 4)
    assert rejected([right, wrong]) == [wrong]
    assert (right.z, wrong.z) == (0.0, np.inf)


def test_the_interval_of_a_ratio_covers_it_as_often_as_it_says():
    """The sums are of a random number of terms on which their size depends: 2000 intervals of 95 %, 4 standard errors
    of their share allowed."""
    counts = RANDOM.poisson(50, (2000, 100))
    sums = RANDOM.gamma(counts * 2.0) * (counts / 50)
    expected = 2.0 * (50**2 + 50) / 50 / 50
    checks = [Ratio("mean", expected, n, d) for n, d in zip(sums, counts, strict=True)]
    covered = np.mean([abs(c.measured - expected) <= c.half_width * expected for c in checks])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2000)


def test_one_record_in_a_thousand_is_lost_wherever_the_count_begins():
    lost = ~kept(4_000_000)
    assert abs(lost.mean() - 1e-3) < 4 * np.sqrt(1e-3 / lost.size)
    assert np.array_equal(kept(1000, first=5000), kept(6000)[5000:])
