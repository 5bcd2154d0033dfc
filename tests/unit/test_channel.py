"""Path loss, noise, fading and rate agree with numbers worked out by hand and with the laws they are drawn from.

Statistics are held against bounds of 4 standard errors, distributions against the Kolmogorov-Smirnov distance that a
sample of the law exceeds once in ten thousand times.
"""

import math

import numba
import numpy as np
import pytest
from scipy.special import j0, ndtr

from netsim import channel as radio
from netsim import streams
from netsim.loading import load_scenario
from netsim.scenario import Channel, ConstantLoss, LogDistance, UmiStreetCanyon
from tests.unit.lone_slice import lone_slice, packets_of, rates_of

TABLE1 = load_scenario("table1").channel
WORDS = {purpose: streams.stream_word(purpose, "test") for purpose in streams.PURPOSES}
MANY = np.arange(100_000)
KS_CRITICAL = math.sqrt(-math.log(1e-4 / 2) / 2)
"""Kolmogorov's distance times the root of the sample size, exceeded with probability 1e-4."""


def ks_distance(sample, cdf):
    """Largest distance between a sample's distribution and a continuous one, times the root of the sample size."""
    values = cdf(np.sort(sample))
    ranks = np.arange(len(sample) + 1) / len(sample)
    return max((ranks[1:] - values).max(), (values - ranks[:-1]).max()) * math.sqrt(len(sample))


# -- where users are ---------------------------------------------------------------------------------------------------


def test_users_are_uniform_over_the_disc_and_never_closer_than_the_least_distance():
    distance_m = radio.distances_m(TABLE1, streams.uniforms(1, WORDS[streams.POSITION], MANY))
    assert distance_m.min() == 1.0
    assert distance_m.max() < 40.0
    share = (1 / 40) ** 2  # of the disc within a metre of the mast
    assert abs((distance_m == 1.0).mean() - share) < 4 * math.sqrt(share * (1 - share) / MANY.size)
    farther = distance_m[distance_m > 1.0]
    assert ks_distance(farther, lambda r: (r**2 - 1) / (40**2 - 1)) < KS_CRITICAL


# -- path loss ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("distance_m", "loss_db"), [(1000.0, 145.4), (100.0, 107.9), (40.0, 92.9772), (1.0, 32.9)])
def test_log_distance_loss_by_hand(distance_m, loss_db):
    got_db = radio.path_loss_db(LogDistance(), np.array([distance_m]), np.zeros((1, 2)))
    assert got_db == pytest.approx([loss_db], abs=1e-4)


def test_constant_loss_is_the_same_everywhere():
    model = ConstantLoss.model_validate({"model": "constant", "loss": "80 dB"})
    assert radio.path_loss_db(model, np.array([1.0, 40.0]), np.zeros((2, 2))).tolist() == [80.0, 80.0]


UMI = UmiStreetCanyon.model_validate({"model": "umi-38901", "shadowing": False})
IN_SIGHT, BLOCKED = 0.0, 1.0 - 1e-12
"""First uniform numbers that put a user in sight of the mast at any distance, and out of it beyond 18 m."""


# At 3.5 GHz with heights of 10 m and 1.5 m: 20 log10(3.5) = 10.8814, 21.3 log10(3.5) = 11.5887, d_3D^2 = d^2 + 8.5^2,
# and the break point is at 4 * 9 * 0.5 * 3.5e9 / 3e8 = 210 m, where 9.5 log10(210^2 + 8.5^2) = 44.1290.
@pytest.mark.parametrize(
    ("distance_m", "in_sight_db", "blocked_db"),
    [
        (10.0, 32.4 + 21 * 1.118055 + 10.8814, 35.3 * 1.118055 + 22.4 + 11.5887),
        (50.0, 32.4 + 21 * 1.705158 + 10.8814, 35.3 * 1.705158 + 22.4 + 11.5887),
        (100.0, 32.4 + 21 * 2.001563 + 10.8814, 35.3 * 2.001563 + 22.4 + 11.5887),
        (200.0, 32.4 + 21 * 2.301422 + 10.8814, 35.3 * 2.301422 + 22.4 + 11.5887),
        (400.0, 32.4 + 40 * 2.602158 + 10.8814 - 44.1290, 35.3 * 2.602158 + 22.4 + 11.5887),
        (1000.0, 32.4 + 40 * 3.0000157 + 10.8814 - 44.1290, 35.3 * 3.0000157 + 22.4 + 11.5887),
    ],
)
def test_umi_street_canyon_by_hand(distance_m, in_sight_db, blocked_db):
    distances_m = np.full(2, distance_m)
    uniforms = np.array([[IN_SIGHT, 0.5], [BLOCKED, 0.5]])
    probability = radio.umi_line_of_sight_probability(distances_m)[0]
    expected = [in_sight_db, blocked_db if probability < BLOCKED else in_sight_db]
    assert radio.path_loss_db(UMI, distances_m, uniforms) == pytest.approx(expected, abs=1e-3)


def test_umi_loss_is_continuous_at_the_break_point_and_bends_there_from_21_to_40_db_a_decade():
    breakpoint_m = 4 * 9 * 0.5 * UMI.carrier_frequency_hz / radio.SPEED_OF_LIGHT_M_PER_S
    around_m = breakpoint_m * np.array([0.999, 0.9999999, 1.0000001, 1.001])
    before, near, far, after = radio.path_loss_db(UMI, around_m, np.full((4, 2), IN_SIGHT))
    assert far - near < 1e-5
    decade = math.log10(1.001)  # of the distance in space, whose square exceeds the ground's by 1.6 in a thousand
    assert (near - before) / decade == pytest.approx(21, rel=3e-3)
    assert (after - far) / decade == pytest.approx(40, rel=3e-3)


def test_a_blocked_user_never_has_less_loss_than_one_in_sight():
    distances_m = np.linspace(1, 2000, 4000)
    in_sight, blocked = (radio.path_loss_db(UMI, distances_m, np.full((4000, 2), u)) for u in (IN_SIGHT, BLOCKED))
    assert (blocked >= in_sight).all()


# 18/d + exp(-d/36) (1 - 18/d) by hand.
@pytest.mark.parametrize(
    ("distance_m", "probability"),
    [(0.0, 1.0), (1.0, 1.0), (18.0, 1.0), (36.0, 0.683940), (100.0, 0.230985), (200.0, 0.093518), (1000.0, 0.018)],
)
def test_line_of_sight_probability_by_hand(distance_m, probability):
    assert radio.umi_line_of_sight_probability(np.array([distance_m])) == pytest.approx([probability], abs=1e-6)


def test_as_many_users_are_in_sight_as_the_probability_says():
    distances_m, uniforms = np.full(MANY.size, 60.0), streams.uniforms(1, WORDS[streams.PATH_LOSS], MANY)
    p = 18 / 60 + math.exp(-60 / 36) * (1 - 18 / 60)
    in_sight = radio.path_loss_db(UMI, distances_m, uniforms) < 32.4 + 21 * math.log10(61) + 10.8814
    assert abs(in_sight.mean() - p) < 4 * math.sqrt(p * (1 - p) / MANY.size)


@pytest.mark.parametrize(("sight", "sigma_db"), [(IN_SIGHT, 4.0), (BLOCKED, 7.82)])
def test_shadow_fading_of_umi_is_normal_with_the_table_s_deviation(sight, sigma_db):
    model, distances_m = UMI.model_copy(update={"shadowing": True}), np.full(MANY.size, 60.0)
    uniforms = streams.uniforms(1, WORDS[streams.PATH_LOSS], MANY)
    uniforms[:, 0] = sight
    excess_db = radio.path_loss_db(model, distances_m, uniforms) - radio.path_loss_db(UMI, distances_m, uniforms)
    assert ks_distance(excess_db / sigma_db, ndtr) < KS_CRITICAL


def test_log_normal_shadowing_per_user_has_its_deviation():
    shadowed = Channel.model_validate(
        {"shadowing": {"sigma": "8 dB"}, "path_loss": {"model": "constant", "loss": "0 dB"}}
    )
    gain_db = 10 * np.log10(radio.gains(shadowed, 1, WORDS, MANY))
    assert ks_distance((gain_db - (20 + 174)) / 8, ndtr) < KS_CRITICAL


# -- noise and mean SNR ------------------------------------------------------------------------------------------------


def test_mean_snr_of_table1_at_the_edge_by_hand():
    """46 dBm - 92.977 dB + 20 dB over -174 dBm/Hz + 10 log10(20 MHz) = -100.990 dBm is 74.013 dB."""
    edge = TABLE1.model_copy(
        update={"path_loss": ConstantLoss.model_validate({"model": "constant", "loss": "92.9772 dB"})}
    )
    gain = radio.gains(edge, 1, WORDS, np.arange(1))
    assert 10 * np.log10(radio.snr(gain, 46.0, 20e6)) == pytest.approx([74.0125], abs=1e-3)


def test_power_spread_over_the_carrier_or_full_on_each_user_s_blocks():
    """60 dB of loss leave 46 - 60 + 20 + 174 = 180 dB Hz: over 20 MHz an SNR of 5e10, over one block's 200 kHz 5e12."""
    flat = {"path_loss": {"model": "constant", "loss": "60 dB"}, "fading": {"model": "none"}}
    traffic = {"kind": "renewal", "gap": constant("1 ms"), "size": {"distribution": "constant", "value": "40 B"}}
    for power, snr in (("spread", 5e10), ("full", 5e10)):  # one user holds all 100 blocks: the same by either rule
        [rate_bps] = rates_of(lone_slice(traffic, channel={**flat, "power": power}))
        assert rate_bps == pytest.approx(4 * 20e6 * math.log2(1 + snr), abs=1)
    for power, snr in (("spread", 5e10), ("full", 1e11)):  # two users at once hold 50 each
        [rate_bps] = rates_of(lone_slice(traffic, channel={**flat, "power": power}, users=2))
        assert rate_bps == pytest.approx(4 * 10e6 * math.log2(1 + snr), abs=1)


def constant(gap):
    return {"distribution": "constant", "value": gap}


@pytest.mark.parametrize(
    ("link", "bps_per_hz"),
    [
        ({"model": "shannon", "layers": 1}, math.log2(1 + 5e10)),
        ({"model": "shannon", "layers": 64, "log": "log10"}, 64 * math.log10(1 + 5e10)),
        ({"model": "shannon", "layers": 4, "ceiling": 7.5}, 4 * 7.5),
        ({"model": "nr", "layers": 4, "overhead": 0.14}, 4 * 8 * 948 / 1024 * 0.86),
    ],
)
def test_the_rate_of_a_link_by_hand(link, bps_per_hz):
    flat = {"path_loss": {"model": "constant", "loss": "60 dB"}, "fading": {"model": "none"}, "link": link}
    traffic = {"kind": "renewal", "gap": constant("1 ms"), "size": {"distribution": "constant", "value": "40 B"}}
    [rate_bps] = rates_of(lone_slice(traffic, channel=flat))
    assert rate_bps == pytest.approx(20e6 * bps_per_hz, rel=1e-12, abs=1)


def test_a_slot_carries_the_whole_bits_of_its_rate_and_no_more():
    """One layer at an SNR of 1 (180 - 73.01 dB of loss on 20 MHz): 20 Mbit/s, 10 000 bit a slot."""
    channel = {
        "path_loss": {"model": "constant", "loss": "0 dB"},
        "fading": {"model": "none"},
        "link": {"model": "shannon", "layers": 1},
        "transmit_power": "0 dBm",
        "receiver_gain": "0 dB",
        "noise_density": f"{-10 * math.log10(20e6):.12f} dBm/Hz",
    }
    traffic = {"kind": "renewal", "gap": constant("10 ms"), "size": {"distribution": "constant", "value": "9999 bit"}}
    assert slots_needed(traffic, channel) == {1}
    traffic["size"]["value"] = "10001 bit"
    assert slots_needed(traffic, channel) == {2}


def slots_needed(traffic, channel):
    packets = packets_of(lone_slice(traffic, channel=channel))
    departed = packets[packets["departure_ns"] >= 0]
    return set(((departed["departure_ns"] - departed["arrival_ns"]) // 500_000).tolist())


# -- fading ------------------------------------------------------------------------------------------------------------


@numba.njit
def rayleigh_gains(seed, slots, users, word):
    gains = np.empty((users, slots))
    for u in range(users):
        for k in range(slots):
            gains[u, k] = radio.rayleigh_gain(np.uint64(seed), np.uint64(k), np.uint64(u), np.uint64(word))
    return gains


@numba.njit
def jakes_gains(waves, time_turns):
    gains = np.empty(waves.shape[0])
    for u in range(waves.shape[0]):
        gains[u] = radio.jakes_gain(waves[u], time_turns)
    return gains


def test_rayleigh_gain_is_exponential_of_mean_1_and_independent_from_slot_to_slot_and_user_to_user():
    gains = rayleigh_gains(1, 400, 250, WORDS[streams.FADING])
    assert abs(gains.mean() - 1) < 4 / math.sqrt(gains.size)
    assert abs((gains > 1).mean() - math.exp(-1)) < 4 * math.sqrt(math.exp(-1) * (1 - math.exp(-1)) / gains.size)
    assert ks_distance(gains.ravel(), lambda x: 1 - np.exp(-x)) < KS_CRITICAL
    for left, right in ((gains[:, 1:], gains[:, :-1]), (gains[1:], gains[:-1])):
        assert abs(((left - 1) * (right - 1)).mean()) < 4 / math.sqrt(left.size)  # the product has deviation 1


def test_the_fading_of_simulated_packets_is_exponential_of_mean_1():
    """A packet of one slot carries its user's rate, which gives the gain back: 2^(rate / 80 MHz) = 1 + 5e4 |h|^2."""
    channel = {"path_loss": {"model": "constant", "loss": "120 dB"}}
    traffic = {"kind": "renewal", "gap": constant("0.5 ms"), "size": {"distribution": "constant", "value": "40 B"}}
    packets = packets_of(lone_slice(traffic, channel=channel, slots=20_000))
    rate_bps = packets["rate_bps"][packets["departure_ns"] - packets["arrival_ns"] == 500_000]
    assert rate_bps.size > 19_000
    gains = np.expm1(rate_bps / 80e6 * math.log(2)) / 5e4
    assert abs(gains.mean() - 1) < 4 / math.sqrt(gains.size)
    assert ks_distance(gains, lambda x: 1 - np.exp(-x)) < KS_CRITICAL


JAKES_USERS = 40_000


@pytest.fixture(scope="module")
def waves():
    return radio.oscillators(1, WORDS[streams.OSCILLATORS], np.arange(JAKES_USERS))


def complex_gain(waves, time_turns):
    return ((waves[..., 0] + 1j * waves[..., 1]) * np.exp(2j * np.pi * time_turns * waves[..., 2])).sum(axis=1)


def as_records(waves):
    from netsim.state import OSCILLATOR

    records = np.empty(waves.shape[:2], OSCILLATOR)
    records["in_phase"], records["quadrature"], records["turns"] = np.moveaxis(waves, -1, 0)
    return records


@pytest.mark.parametrize("time_turns", [0.0, 0.1, 1.7, 1e6 + 0.3])
def test_jakes_gain_is_the_squared_sum_of_its_waves(waves, time_turns):
    few = waves[:200]
    expected = abs(complex_gain(few, time_turns)) ** 2
    # 32 waves of |amplitude| about 0.2, turned by an angle whose rounding is 2e6 pi times 2^-53
    assert jakes_gains(as_records(few), time_turns) == pytest.approx(expected, abs=1e-8 if time_turns > 100 else 1e-12)


@pytest.mark.parametrize("time_turns", [0.0, 0.4, 123.4])
def test_jakes_gain_is_exponential_at_every_instant(waves, time_turns):
    gains = jakes_gains(as_records(waves), time_turns)
    assert abs(gains.mean() - 1) < 4 / math.sqrt(gains.size)
    assert ks_distance(gains, lambda x: 1 - np.exp(-x)) < KS_CRITICAL


@pytest.mark.parametrize("start_turns", [0.0, 7.0])
@pytest.mark.parametrize("lag_turns", [0.0, 0.05, 0.2, 0.3827, 0.6, 1.0, 1.5])
def test_jakes_fading_has_the_autocorrelation_j0_and_its_power_j0_squared(waves, start_turns, lag_turns):
    """The first zero of J0 is at 2 pi 0.3827. Over n users g1 conj(g2) has variance 1, and the power's product
    g1 g2 has the second moment 4 (1 + 4 r^2 + r^4) of Exp(1) gains of complex correlation r, less (1 + r^2)^2."""
    correlation = j0(2 * np.pi * lag_turns)
    first, second = complex_gain(waves, start_turns), complex_gain(waves, start_turns + lag_turns)
    assert abs((first * second.conj()).mean() - correlation) < 4 * math.sqrt(2 / JAKES_USERS)
    r2 = correlation**2
    deviation = math.sqrt(4 * (1 + 4 * r2 + r2**2) - (1 + r2) ** 2)
    product = abs(first) ** 2 * abs(second) ** 2
    assert abs(product.mean() - (1 + r2)) < 4 * deviation / math.sqrt(JAKES_USERS)


def test_shadowing_per_slot_is_log_normal_and_drawn_afresh_in_every_slot():
    """As for fading: 2^(rate / 80 MHz) = 1 + 5e4 10^(8 z / 10)."""
    channel = {
        "path_loss": {"model": "constant", "loss": "120 dB"},
        "fading": {"model": "none"},
        "shadowing": {"sigma": "8 dB", "per": "slot"},
    }
    traffic = {"kind": "renewal", "gap": constant("0.5 ms"), "size": {"distribution": "constant", "value": "40 B"}}
    packets = packets_of(lone_slice(traffic, channel=channel, slots=20_000))
    rate_bps = packets["rate_bps"][packets["departure_ns"] - packets["arrival_ns"] == 500_000]
    z = 10 * np.log10(np.expm1(rate_bps / 80e6 * math.log(2)) / 5e4) / 8
    assert ks_distance(z, ndtr) < KS_CRITICAL
    assert abs((z[1:] * z[:-1]).mean()) < 4 / math.sqrt(z.size)
