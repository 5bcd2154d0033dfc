"""What small cells are sent and send, against laws and figures by hand; quick enough without the compiler."""

import math

import numpy as np
import pytest

from netsim import channel
from netsim.loading import load_scenario
from tests.unit.lone_slice import arrivals_of, first_packets, lone_slice, packets_of

SLOT_NS = 500_000
CHANNEL = load_scenario("table1").channel
SMALL = {"distribution": "constant", "value": "40 B"}
EVERY_SLOT = {"kind": "renewal", "gap": {"distribution": "constant", "value": "0.5 ms"}, "size": SMALL}


# -- radio -------------------------------------------------------------------------------------------------------------
# A loss of 60 dB leaves 46 + 20 - 60 + 174 = 180 dB Hz.


def rates_bps(loss_db, fading="none", *, users=1, slots=4, **more):
    """What each of some users is sent in each slot, bit/s: packets so small that each takes one slot."""
    radio = {"path_loss": {"model": "constant", "loss": f"{loss_db} dB"}, "fading": {"model": fading}, **more}
    packets = packets_of(lone_slice(EVERY_SLOT, users=users, slots=slots, channel=radio))
    sent = packets[packets["departure_ns"] - packets["arrival_ns"] == SLOT_NS]
    return sent["rate_bps"].reshape(users, -1)


@pytest.mark.parametrize(("power", "snr"), [("spread", 5e10), ("full", 1e11)])
def test_a_user_s_rate_is_that_of_its_own_band_at_its_own_noise(power, snr):
    """CH-01 without fading: 4 layers on 50 of 100 blocks, noise over the user's band, power of the carrier or of it."""
    got = rates_bps(60, users=2, power=power)
    assert (got == int(4 * 10e6 * math.log2(1 + snr))).all()


def test_ten_decibels_more_loss_cost_a_strong_channel_the_logarithm_of_ten():
    """CH-01 without fading: log2(10) bit/s/Hz and layer, but for the roundings of two rates to whole bit/s."""
    near, far = rates_bps(60)[0, 0], rates_bps(70)[0, 0]
    assert (near - far) / (4 * 20e6) == pytest.approx(math.log2(10), abs=2 / (4 * 20e6))


def gains(users, slots):
    """|h|^2 of each user and slot, from rates: 2^(rate / (4 band)) = 1 + 5e4 |h|^2 at a loss of 120 dB."""
    return np.expm1(rates_bps(120, "rayleigh", users=users, slots=slots) / (80e6 / users) * math.log(2)) / 5e4


def test_fading_is_exponential_of_mean_1():
    """CH-02: mean and variance are 1, within 4 standard errors (of the variance: fourth central moment 9)."""
    got = gains(1, 2000)
    assert abs(got.mean() - 1) < 4 / math.sqrt(got.size)
    assert abs(got.var() - 1) < 4 * math.sqrt((9 - 1) / got.size)


def test_fading_is_drawn_for_every_user_and_every_slot():
    """CH-02: no gain occurs twice, as none of a continuous law does."""
    got = gains(5, 20)
    assert got.size > 90
    assert np.unique(got.round(9)).size == got.size


@pytest.mark.parametrize(("share", "distance_m"), [(0.25, 20.0), (0.0625, 10.0), (1.0, 40.0), (1e-6, 1.0)])
def test_a_quarter_of_the_users_is_within_half_the_radius(share, distance_m):
    """CH-04: P(R < r) = r^2 / R^2, so that the distance of the share p of users is R sqrt(p), 1 m at least."""
    assert channel.distances_m(CHANNEL, np.array([[share, 0.5]])) == pytest.approx([distance_m])


# -- traffic -----------------------------------------------------------------------------------------------------------


def test_no_two_users_draw_the_same():
    """RN-01: 80 sizes out of 8 10^11 all differ, whichever the user and the packet, but for a chance of 4 in 10^9."""
    traffic = {**EVERY_SLOT, "size": {"distribution": "uniform", "from": "1 bit", "to": "100000 MB"}}
    _, bits = first_packets(lone_slice(traffic, users=8, slots=10), 10)
    assert np.unique(bits).size == bits.size


def test_a_pareto_draw_beyond_its_cap_is_the_cap():
    """TR-01: of sizes of shape 1.2 from 40 B the share (40/250)^1.2 = 0.111 is beyond 250 B and becomes 2000 bits."""
    size = {"distribution": "pareto", "shape": 1.2, "from": "40 B", "cut": "250 B"}
    gap = {"distribution": "constant", "value": "0.05 ms"}
    _, bits = first_packets(lone_slice({"kind": "renewal", "gap": gap, "size": size}, users=8, slots=10), 64)
    beyond = (40 / 250) ** 1.2
    assert abs((bits == 2000).mean() - beyond) < 4 * math.sqrt(beyond * (1 - beyond) / bits.size)


def test_a_multiplier_of_two_doubles_the_packets():
    """TR-01: gaps of 1 ms become 0.5 ms."""
    traffic = {**EVERY_SLOT, "gap": {"distribution": "constant", "value": "1 ms"}}
    load = {"points": [{"at": "0 ms", "multiplier": 2.0}]}
    instants_ns, _ = arrivals_of(lone_slice(traffic, slots=8, load=load))
    assert instants_ns == [SLOT_NS * k for k in range(1, 9)]
