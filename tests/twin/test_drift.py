"""Changes of a network are noticed, and false alarms are as frequent as was set, whatever the residuals' law is."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chi2, norm, truncnorm

from netsim.errors import InputError, RunError
from tests.twin import drift_figures as figures
from twin.drift import Alarm, DriftConfig, DriftDetector, predicting, run_length, threshold_for

CONFIG = DriftConfig()
OFTEN = DriftConfig(periods_between_false_alarms=100.0)


def normal(*shape, seed=0):
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


def watched(detector, rows):
    return [detector.update(row) for row in rows]


# -- theory


@pytest.mark.parametrize(
    ("threshold", "allowance", "shift", "published"),
    [(4, 0.5, 0.0, 2 * 168), (5, 0.5, 0.0, 2 * 465), (4, 0.5, 1.0, 8.38), (5, 0.5, 1.0, 10.4), (4, 0.5, 2.0, 3.34)],
)
def test_run_lengths_are_those_of_published_tables(threshold, allowance, shift, published):
    """Montgomery, Introduction to Statistical Quality Control, table of CUSUM performance, to the digits printed.

    Its lengths are of two charts together: twice as long for one where nothing changes, the same after a change.
    """
    digits = 2 if shift == 0.0 else 0.05
    assert run_length(threshold, allowance, shift) == pytest.approx(published, abs=digits)


@given(st.floats(math.log(40.0), math.log(2e10)).map(math.exp), st.floats(0.125, 1.5))
@settings(deadline=None, max_examples=15)
def test_a_threshold_is_where_the_run_length_is_what_was_asked(periods, allowance):
    """To what solving costs: the matrix is as ill-conditioned as the run is long."""
    tolerance = 1e-8 + 8.0 * np.finfo(float).eps * periods
    assert run_length(threshold_for(periods, allowance), allowance) == pytest.approx(periods, rel=tolerance)


def false_alarms(kind, reference, *, repetitions, periods, config):
    drawn = (figures.stream(kind, seed, reference + periods)[:, None] for seed in range(repetitions))
    return np.array([len(figures.alarms(each[:reference], each[reference:], config)) for each in drawn])


@pytest.mark.parametrize("kind", ["normal", "log-normal", "Cauchy"])
def test_independent_residuals_alarm_as_often_as_was_set_even_after_a_short_reference(kind):
    """Whatever their law is, after 40 periods: counts of renewals are all but Poisson, |z| <= 4 either way."""
    repetitions, periods = 25, 800
    counts = false_alarms(kind, 40, repetitions=repetitions, periods=periods, config=OFTEN)
    expected = repetitions * periods / OFTEN.periods_between_false_alarms
    assert abs(counts.sum() - expected) <= 4.0 * math.sqrt(expected)


@pytest.mark.parametrize("kind", ["Poisson", "mostly 1", "AR 0.9"])
def test_ties_and_memory_make_no_more_false_alarms_than_were_set(kind):
    """Alarms of one stream may come in clusters, so the error is that between streams; z <= 4."""
    repetitions, periods = 15, 1000
    counts = false_alarms(kind, 300, repetitions=repetitions, periods=periods, config=OFTEN)
    error = counts.std(ddof=1) / math.sqrt(repetitions)
    assert counts.mean() - periods / OFTEN.periods_between_false_alarms <= 4.0 * error


def test_a_chart_of_standardised_residuals_would_alarm_too_often():
    """So that the two tests above can fail: the same streams, watched as textbooks have it."""
    drawn = [figures.stream("AR 0.9", seed, 1300) for seed in range(10)]
    counts = np.array([figures.textbook_alarms(each[:300], each[300:], OFTEN) for each in drawn])
    assert counts.mean() - 10.0 > 4.0 * counts.std(ddof=1) / math.sqrt(10)


def test_rates_of_channels_add_up_to_what_was_set():
    """Five channels that are one: each has a fifth of the rate, and they alarm together."""
    alarms = sum(len(figures.alarms(*five_alike(seed), OFTEN)) for seed in range(15))
    expected = 15 * 800 / OFTEN.periods_between_false_alarms / 5
    assert abs(alarms - expected) <= 4.0 * math.sqrt(expected)


def five_alike(seed):
    drawn = np.repeat(figures.stream("normal", seed, 840)[:, None], 5, axis=1)
    return drawn[:40], drawn[40:]


@pytest.mark.parametrize("shift", [1.0, -2.0])
def test_a_shift_is_noticed_as_soon_as_with_known_parameters(shift):
    """Page's equation at the shifted mean, |z| <= 4 over streams."""
    at = figures.delays(shift, 1000, CONFIG, repetitions=40)
    expected = run_length(CONFIG.threshold(1), CONFIG.allowance, abs(shift))
    assert abs(at.mean() - expected) <= 4.0 * at.std(ddof=1) / math.sqrt(at.size)


# -- the statistic


def from_the_whole_stream(rows, reference, config, prediction):
    """Page and Hinkley's form, worked out afresh after every period: sums above their least value since the last alarm.

    Yields the statistics and whether there is an alarm.
    """
    weights, scale = prediction
    memory, scores = weights.shape[1], []
    surprises = rows[memory:].copy()
    for lag in range(1, memory + 1):
        surprises -= weights[:, lag - 1] * rows[memory - lag : -lag]
    for known in range(reference - memory + 1, len(surprises) + 1):
        scores.append(score_of_last(surprises[:known]) / scale)
        walks = np.array([scores, np.negative(scores)]) - config.allowance
        sums = np.concatenate([np.zeros_like(walks[:, :1]), np.cumsum(walks, axis=1)], axis=1)
        statistics = sums[:, -1] - sums.min(axis=1)
        alarm = bool((statistics > config.threshold(rows.shape[1])).any())
        yield statistics, alarm
        if alarm:
            scores = []


def score_of_last(known):
    """The mean of a normal number truncated to the quantiles of the last row's ties."""
    below, equal = (known < known[-1]).mean(axis=0), (known == known[-1]).mean(axis=0)
    return truncnorm.mean(norm.ppf(below), norm.ppf(np.minimum(below + equal, 1.0)))


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 1000]), st.booleans())
@settings(deadline=None, max_examples=10)
def test_what_is_updated_equals_what_is_worked_out_from_the_whole_stream(seed, values, swinging):
    """Counts of few values, so that ties are the rule; a change; slow swings of the first channel or none."""
    drawn = np.random.Generator(np.random.Philox(seed)).integers(0, values, (110, 2)).astype(float)
    drawn[:, 0] += swinging * values * np.rint(2.0 * np.sin(np.arange(110) / 8.0))
    drawn[90:] += values
    detector = DriftDetector(drawn[:60], CONFIG)
    kept = detector.to_arrays()
    assert kept["weights"].any() >= swinging
    expected = from_the_whole_stream(drawn, 60, CONFIG, (kept["weights"], kept["scale"]))
    for row, (statistics, alarm) in zip(drawn[60:], expected, strict=True):
        assert (detector.update(row) is not None) == alarm
        np.testing.assert_allclose(detector.statistics, 0.0 if alarm else statistics, atol=1e-6)


def test_residuals_that_follow_one_another_are_predicted_by_what_made_them():
    """An autoregression of order 2: within 4 standard errors, which are sqrt((1 - 0.3^2) / R) for both weights."""
    made = np.zeros(5000)
    for i, noise in enumerate(normal(5000)):
        made[i] = 0.5 * made[i - 1] + 0.3 * made[i - 2] + noise
    weights = predicting(made, 10).weights
    assert np.abs(weights[:2] - [0.5, 0.3]).max() <= 4.0 * math.sqrt((1.0 - 0.3**2) / 5000)


@pytest.mark.parametrize("residuals", [np.full(200, 0.1), np.tile([1.0, -1.0], 100)])
def test_nothing_is_predicted_where_nothing_varies_or_all_alternates(residuals):
    prediction = predicting(residuals, 10)
    assert (prediction.weights.any(), prediction.doubt) == (False, 0.0)


# -- alarms


def test_an_alarm_names_channel_direction_and_since_when():
    reference = normal(400, 3)
    detector = DriftDetector(reference, CONFIG)
    quiet = [0.0, 0.0, 0.0]
    told = watched(detector, [quiet] * 20 + [[0.0, -7.0, 0.0]] * 10)
    alarm = next(filter(None, told))
    assert alarm == Alarm(1, "down", alarm.statistic, CONFIG.threshold(3), alarm.lasted_periods)
    assert alarm.statistic > alarm.threshold
    assert told.index(alarm) == 20 + alarm.lasted_periods - 1


def test_charts_start_over_after_an_alarm():
    detector = DriftDetector(normal(100, 2), CONFIG)
    while not detector.update([9.0, 0.5]):
        pass
    assert not detector.statistics.any()


@pytest.mark.parametrize("order", [[1, 0, 2], [2, 1, 0], [1, 2, 0]])
def test_the_order_of_channels_does_not_matter(order):
    drawn = np.cumsum(normal(400, 3), axis=0) * 0.1 + normal(400, 3, seed=1)
    plain, permuted = (DriftDetector(rows[:200], OFTEN) for rows in (drawn, drawn[:, order]))
    alarms = 0
    for row in drawn[200:]:
        alarm, other = plain.update(row), permuted.update(row[order])
        alarms += alarm is not None
        assert (alarm and alarm.channel) == (other and order[other.channel])
        np.testing.assert_array_equal(plain.statistics[:, order], permuted.statistics)
    assert alarms > 1


def test_units_do_not_matter():
    """Powers of two, which scale to the bit."""
    drawn = normal(300, 2)
    alarms = [
        figures.alarms(rows[:100], rows[100:] + rows[100], OFTEN) for rows in (drawn, drawn * [2.0**40, 2.0**-40])
    ]
    assert alarms[0] == alarms[1] != []


def test_a_channel_that_never_varied_is_silent_until_it_moves_for_good():
    reference = np.column_stack([np.ones(300), normal(300)])
    detector = DriftDetector(reference, CONFIG)
    assert not any(watched(detector, [[1.0, 0.0]] * 2000))
    assert not any(watched(detector, [[0.0, 0.0], *[[1.0, 0.0]] * 50]))
    alarm = next(filter(None, watched(detector, [[0.999, 0.0]] * 10)))
    assert (alarm.channel, alarm.direction) == (0, "down")


@pytest.mark.parametrize(("reference", "varying"), [(30, False), (100, True), (1000, True)])
def test_what_was_never_seen_is_noticed_within_ten_periods(reference, varying):
    """However far it is: with four channels, a false alarm in 10,000 periods, a reference of 100 if residuals vary."""
    for size in (10.0, 1e6):
        detector = DriftDetector(normal(reference, 4), CONFIG)
        moved = normal(10, 4, seed=1) * varying
        moved[:, 2] += size
        assert any(watched(detector, moved))


# -- keeping


def test_a_restored_detector_goes_on_to_the_bit():
    drawn = np.cumsum(normal(500, 2), axis=0) * 0.05 + normal(500, 2, seed=3)
    whole = DriftDetector(drawn[:200], OFTEN)
    for row in drawn[200:300]:
        whole.update(row)
    again = DriftDetector.from_arrays(whole.to_arrays(), OFTEN)
    assert watched(again, drawn[300:]) == watched(whole, drawn[300:])
    for name, array in whole.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], array, strict=True)


def test_what_is_kept_shares_no_memory_with_the_detector():
    detector = DriftDetector(normal(100, 2), CONFIG)
    kept = detector.to_arrays()
    before = {name: array.copy() for name, array in kept.items()}
    watched(detector, [[1.0, 2.0]] * 5)
    for name, array in kept.items():
        np.testing.assert_array_equal(array, before[name])


# -- refusals


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (np.zeros((29, 2)), r"at least 30 periods.*got shape \(29, 2\)"),
        (np.zeros(100), r"got shape \(100,\)"),
        (np.zeros((100, 0)), r"got shape \(100, 0\)"),
        (np.where(np.arange(200).reshape(100, 2) == 31, np.nan, 0.0), r"got nan in row 15, channel 1"),
    ],
)
def test_a_reference_that_cannot_be_used_is_refused(reference, message):
    with pytest.raises(InputError, match=message):
        DriftDetector(reference, CONFIG)


@pytest.mark.parametrize("residuals", [[0.0], [0.0, math.nan], [math.inf, 0.0], [[0.0, 0.0]]])
def test_residuals_that_are_not_k_finite_numbers_are_refused_and_change_nothing(residuals):
    detector = DriftDetector(normal(100, 2), CONFIG)
    before = detector.to_arrays()
    with pytest.raises(RunError, match="2 finite numbers"):
        detector.update(residuals)
    assert all((before[name] == array).all() for name, array in detector.to_arrays().items())


@pytest.mark.parametrize(
    "wrong", [{"periods_between_false_alarms": 5}, {"smallest_shift_sd": 0}, {"smallest_shift_sd": 5}, {"method": "?"}]
)
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        DriftConfig(**wrong)


# -- networks


@pytest.mark.parametrize(
    "at_random", [pytest.param(False, marks=pytest.mark.slow, id="held"), pytest.param(True, id="drawn")]
)
def test_a_flash_crowd_is_noticed_within_ten_periods(at_random):
    """In at least 95 % of 40 seeds: 38. The crowd enters with period 200, the reference is the 140 periods before."""
    play = figures.played("flash-crowd", seeds=40, periods=215, at_random=at_random)
    delays = figures.first_alarms(play, 199, 140, CONFIG)
    assert np.count_nonzero(delays <= 10) >= 38


@pytest.mark.slow
@pytest.mark.parametrize("at_random", [False, True], ids=["held", "drawn"])
@pytest.mark.parametrize("reference", [100, 500])
def test_false_alarms_on_a_stationary_network_are_at_most_those_set(at_random, reference):
    """80,000 periods of table1, one in 1000 set: 80, and at most what 1 - 10^-4 of Poisson counts do not exceed."""
    play = figures.played("table1", seeds=40, periods=2000 + reference, at_random=at_random)
    config = DriftConfig(periods_between_false_alarms=1000.0)
    count = sum(len(figures.alarms(*figures.residuals(play, seed, reference), config)) for seed in range(40))
    assert chi2.ppf(1e-4, 2 * count) / 2.0 <= 80.0
