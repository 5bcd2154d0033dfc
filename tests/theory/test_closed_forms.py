"""The closed forms agree with each other, with limits in which they are known, and with sums and integrals."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import j0

from tests.theory import closed_forms as theory


def near(value):
    return pytest.approx(value, rel=1e-9)


# -- queues ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("load", "service"), [(0.3, 1), (0.7, 1), (0.85, 1), (0.6, 4), (0.75, 3)])
def test_the_stationary_vector_has_pollaczek_and_khinchine_s_mean(load, service):
    law = theory.constant_service_law(theory.poisson_law(load / service), service)
    assert law.sum() == near(1.0)
    assert theory.mean(law) == near(theory.slotted_md1_sojourn(service, load))


@pytest.mark.parametrize(("p", "service"), [(0.1, 1), (0.12, 5), (0.3, 3)])
def test_bernoulli_arrivals_of_constant_service_are_a_case_of_it(p, service):
    law = theory.constant_service_law(np.array([1 - p, p]), service)
    assert theory.mean(law) == near(theory.geo_d_1_sojourn(p, service))


def test_what_is_left_obeys_lindley_s_recursion():
    """V and max(V + X - 1, 0) have one law."""
    brought = theory.stretched(theory.poisson_law(0.2), 3)
    left = theory.work_left(brought, 2000)
    after = np.convolve(left, brought)
    after = np.append(after[0] + after[1], after[2:])
    assert np.abs(after[:1000] - left[:1000]).max() < 1e-12


@pytest.mark.parametrize(("p", "q"), [(0.3, 0.5), (0.5, 0.55), (0.1, 0.9)])
def test_the_sojourn_of_geo_geo_1_is_geometric(p, q):
    """The work a slot brings is 0 or geometric; a packet leaves after what is left and its own."""
    geometric = stats.geom.pmf(np.arange(3000), q)
    left = theory.work_left(p * geometric + (1 - p) * np.eye(3000)[0], 3000)
    tails = theory.tails(np.convolve(left, geometric))
    assert tails[1:101] == near([theory.geo_geo_1_tail(p, q, n) for n in range(100)])
    assert theory.mean(np.convolve(left, geometric)) == near(theory.geo_geo_1_sojourn(p, q))


@pytest.mark.parametrize(("load", "service"), [(0.5, 10.0), (0.7, 20.0), (0.3, 40.0)])
def test_slots_add_one_slot_to_m_m_1(load, service):
    """Half a slot until a packet is eligible, half a slot in its last one, and terms of the order of 1 / service."""
    arrivals, services = load / service, 1 / service
    bias = theory.slotted_mm1_sojourn(arrivals, services) - theory.mm1_sojourn(arrivals, services)
    assert abs(bias - 1.0) < 0.2 / service
    for limit in (10, 30, 100):
        slotted = theory.slotted_mm1_ssr(arrivals, services, limit)
        assert theory.mm1_ssr(arrivals, services, limit - 2) < slotted < theory.mm1_ssr(arrivals, services, limit)
        assert slotted == pytest.approx(theory.mm1_ssr(arrivals, services, limit - 1), abs=0.05 / service)


def test_the_slotted_m_m_1_s_mean_is_the_sum_of_its_tail():
    tail = [1.0, *(1 - theory.slotted_mm1_ssr(0.05, 0.1, limit) for limit in range(1, 2000))]
    # Latencies are half a slot less than whole ones on average: P(T > d) for whole d is P(whole slots > d - 1).
    assert sum(tail) - 0.5 == near(theory.slotted_mm1_sojourn(0.05, 0.1))


# -- finite buffers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_with_one_place_blocking_is_that_of_two_states(p):
    """Geometric service: from 0 to 1 with the chance p (1 - q), back with q. One slot of service: after a slot with a
    packet there is none, after one without there is if any came."""
    q = 0.4
    taken = p * (1 - q) / (p * (1 - q) + q)
    assert theory.geo_geo_1_k_blocking(p, q, 1) == near(taken)
    comes = 1 - math.exp(-p)
    assert theory.md1_k_blocking(p, 1) == near(1 - comes / (1 + comes) / p)


def test_many_places_block_nobody():
    assert theory.geo_geo_1_k_blocking(0.3, 0.5, 200) < 1e-12
    assert theory.geo_geo_1_k_ssr(0.3, 0.5, 200, 4) == near(1 - theory.geo_geo_1_tail(0.3, 0.5, 4))
    law = theory.constant_service_law(theory.poisson_law(0.7), 1)
    assert theory.md1_k_blocking(0.7, 200) < 1e-12
    assert theory.md1_k_ssr(0.7, 200, 4) == near(law[:5].sum())


@pytest.mark.parametrize("places", [1, 2, 3, 5])
def test_what_is_let_in_is_what_leaves(places):
    found = theory.geo_geo_1_k(0.5, 0.55, places)
    busy = 1 - found[0] * 0.5  # an arrival is served in its slot
    assert 0.5 * (1 - theory.geo_geo_1_k_blocking(0.5, 0.55, places)) == near(0.55 * busy)
    assert theory.geo_geo_1_k_ssr(0.5, 0.55, places, 1000) == near(1 - found[-1])
    assert theory.md1_k_ssr(0.9, places, 1000) == near(1 - theory.md1_k_blocking(0.9, places))


# -- processor sharing -------------------------------------------------------------------------------------------------

TWO_MEANS = ((0.5, 1.0, 1.0), (0.8, 0.5, 3.0), (0.1, 5.0, 5 / 9))
"""Probability and mean of the first kind of packet and mean of the second, the mean of all being 1: the squared
coefficient of variation is 1, 3 and 4.6."""


@pytest.mark.parametrize("load", [0.3, 0.5])
@pytest.mark.parametrize(("p", "first", "second"), TWO_MEANS)
def test_what_slots_add_to_processor_sharing_does_not_depend_on_the_law(load, p, first, second):
    """To first order in 1 / service: what is left halves when the service doubles, and is small where it is used."""
    left = [
        theory.shared_hyperexponential_sojourn(p, service * first, service * second, load)
        - theory.processor_sharing_sojourn(service, load)
        - theory.slots_of_sharing(load)
        for service in (10.0, 20.0)
    ]
    assert abs(left[0]) < 0.02
    assert left[1] == pytest.approx(left[0] / 2, abs=0.001)


# -- channel and traffic -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("snr", "rate"), [(1.0, 0.86035), (10.0, 2.90651), (100.0, 5.88405)])
def test_the_ergodic_rate_is_the_integral(snr, rate):
    integral, _ = quad(lambda x: math.log2(1 + snr * x) * math.exp(-x), 0, 60)
    assert theory.ergodic_rate(snr) == near(integral)
    assert theory.ergodic_rate(snr) == pytest.approx(rate, abs=5e-6)


def test_j0_is_the_mean_over_angles_of_arrival():
    angles = 2 * np.pi * np.arange(1000) / 1000
    for turns in (0.1, 0.2, 0.6):
        assert np.cos(2 * np.pi * turns * np.cos(angles)).mean() == near(j0(2 * np.pi * turns))


@pytest.mark.parametrize("least", [1.0, 10.0])
def test_the_mean_distance_is_the_integral(least):
    integral, _ = quad(lambda r: 1 - (r / 40.0) ** 2, least, 40.0)
    assert theory.mean_distance(least, 40.0) == near(least + integral)


def test_the_mean_of_a_cut_pareto_is_its_closed_form():
    assert theory.cut_mean(stats.pareto(1.2, scale=2.0), 10.0) == near((1.2 * 2 - 2**1.2 * 10**-0.2) / 0.2)


@pytest.mark.parametrize(("to_silence", "to_talk"), [(0.2, 0.1), (0.01, 0.01), (0.5, 0.9)])
def test_packets_of_voice_are_those_of_a_chain_over_frames(to_silence, to_talk):
    """State 0 talks; state a is silent, a frames after the last packet, and sends comfort noise in the last state."""
    last = 8
    chain = np.zeros((last + 1, last + 1))
    chain[0, 0], chain[0, 1] = 1 - to_silence, to_silence
    for age in range(1, last + 1):
        chain[age, 0] = to_talk
        chain[age, age % last + 1] += 1 - to_talk
    law = theory.stationary(chain)
    assert theory.voice_packets_per_frame(to_silence, to_talk, last) == near((law[0], law[last]))
