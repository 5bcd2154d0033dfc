"""Limits and floors are kept promises themselves, and utility and reward are the paper's equations."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netsim import sla
from netsim.simulation import Simulation
from tests.unit.lone_slice import folder_with, lone_slice, rates_of

# -- verdicts ----------------------------------------------------------------------------------------------------------

TRAFFIC = {"kind": "trace", "file": "a.csv"}
SLOT_NS = 500_000


@pytest.fixture
def folder(tmp_path):
    """A packet at the beginning of every fourth slot: it departs one slot later."""
    return folder_with(tmp_path, "a.csv", "gap_ns,size_bits\n2000000,320\n")


def verdicts(scenario, periods=2):
    simulation = Simulation(scenario)
    reports = [simulation.reset(), *(simulation.step([100]) for _ in range(periods - 1))]
    counted = {
        name: sum(int(getattr(r, name)[0]) for r in reports) for name in ("satisfied", "slow", "late", "dropped")
    }
    assert sum(counted.values()) > 100
    return {name for name, count in counted.items() if count}


@pytest.mark.parametrize(
    ("limit", "verdict"), [("500001 ns", "satisfied"), ("500000 ns", "satisfied"), ("499999 ns", "late")]
)
def test_a_latency_of_exactly_the_limit_is_in_time(folder, limit, verdict):
    assert verdicts(lone_slice(TRAFFIC, folder=folder, sla=("0 bit/s", limit))) == {verdict}


@pytest.mark.parametrize(("more", "verdict"), [(-1, "satisfied"), (0, "satisfied"), (1, "slow")])
def test_a_rate_of_exactly_the_floor_is_fast_enough(folder, more, verdict):
    [rate_bps] = rates_of(lone_slice(TRAFFIC, folder=folder))
    assert verdicts(lone_slice(TRAFFIC, folder=folder, sla=(f"{rate_bps + more} bit/s", "1 ms"))) == {verdict}


@pytest.mark.parametrize(("floor", "verdict"), [(639_999, "satisfied"), (640_000, "satisfied"), (640_001, "slow")])
def test_goodput_is_size_over_latency(folder, floor, verdict):
    """320 bit in 0.5 ms are 640 kbit/s."""
    content = lone_slice(TRAFFIC, folder=folder, sla=(f"{floor} bit/s", "1 ms")).to_dict()
    content["slices"]["only"]["sla"]["rate"] = "goodput"
    scenario = type(lone_slice(TRAFFIC)).from_dict(content, folder)
    assert rates_of(scenario) == {640_000}
    assert verdicts(scenario) == {verdict}


@settings(max_examples=300)
@given(
    bits=st.one_of(st.integers(1, 10**15), st.integers(9_223_372_036 - 5, 9_223_372_036 + 5)),
    latency_ns=st.integers(1, 10**17),
)
def test_goodput_is_exact_for_packets_of_any_size(bits, latency_ns):
    """Bits times 10^9 leave 63 bits from 9.2 Gbit on."""
    assume(bits * 10**9 // latency_ns < 2**63)
    assert sla.per_second(np.int64(bits), np.int64(latency_ns)) == bits * 10**9 // latency_ns


def test_a_packet_that_is_late_is_never_slow_as_well(folder):
    assert verdicts(lone_slice(TRAFFIC, folder=folder, sla=("10000 Gbit/s", "499999 ns"))) == {"late"}


# -- SSR ---------------------------------------------------------------------------------------------------------------


def test_ssr_is_satisfied_over_resolved_and_1_where_nothing_was_resolved():
    got = sla.ssr(np.array([[0, 0, 5], [3, 7, 1]]), np.array([[0, 4, 5], [4, 7, 3]]))
    assert got.tolist() == [[1.0, 0.0, 1.0], [0.75, 1.0, 1 / 3]]


def test_an_idle_slice_is_reported_as_idle_with_ssr_1():
    report = Simulation(lone_slice({"kind": "silent"}, users=2)).reset()
    assert (report.ssr.tolist(), report.idle.tolist(), report.resolved.tolist()) == ([1.0], [True], [0])


# -- utility -----------------------------------------------------------------------------------------------------------


def test_utility_is_the_weighted_sum_of_equation_5():
    weights, ssr_n = np.array([1.0, 2.0, 0.5]), np.array([0.25, 0.5, 1.0])
    assert sla.utility(0.01, 50.0, weights, ssr_n) == 0.01 * 50 + 0.25 + 1.0 + 0.5


def test_utility_of_many_cells_is_that_of_each():
    weights, ssr_n, se = np.array([1.0, 1.0, 3.0]), np.random.default_rng(1).random((5, 3)), np.arange(5.0)
    alone = [float(sla.utility(0.01, se[b], weights, ssr_n[b])) for b in range(5)]
    assert sla.utility(0.01, se, weights, ssr_n).tolist() == alone


@pytest.mark.parametrize("per_slice", [False, True])
@pytest.mark.parametrize("se", ["capacity", "carried"])
def test_a_report_s_utility_follows_the_scenario_s_switches(per_slice, se):
    import netsim

    settings = [f"utility.alpha_per_slice={str(per_slice).lower()}", f"utility.se={se}"]
    report = Simulation(netsim.load_scenario("tiny", settings), seed=3).reset()
    alpha = 0.01 * (3 if per_slice else 1)
    assert report.utility == pytest.approx(alpha * getattr(report, f"se_{se}") + report.ssr.sum(), rel=1e-15)


# -- reward ------------------------------------------------------------------------------------------------------------

EQUATION_6 = {"gmin": 2.0, "gmax": 3.5, "sigma": 0.5}


@pytest.mark.parametrize(("step", "g"), [(0, 2.0), (1, 2.5), (2, 3.0), (3, 3.5), (4, 3.5), (1000, 3.5)])
def test_the_threshold_rises_by_sigma_a_step_up_to_gmax(step, g):
    assert sla.threshold(step, **EQUATION_6) == g


@pytest.mark.parametrize(
    ("step", "utility", "reward"),
    [
        (0, np.nextafter(2.0, 0), 0.0),  # just below g(0)
        (0, 2.0, 1.0),  # exactly g(0)
        (0, np.nextafter(3.5, 0), 1.0),  # just below gmax
        (0, 3.5, 1.0),  # exactly gmax: 1 + 0 / 2
        (0, 4.5, 1.5),
        (2, np.nextafter(3.0, 0), 0.0),
        (2, 3.0, 1.0),  # exactly g(2)
        (9, np.nextafter(3.5, 0), 0.0),  # g = gmax: nothing between
        (9, 3.5, 1.0),
        (9, 3.7, 1.1),
        (0, -1.0, 0.0),
    ],
)
def test_the_reward_is_equation_6_piece_by_piece(step, utility, reward):
    assert sla.reshaped_reward(utility, step, **EQUATION_6) == pytest.approx(reward, abs=1e-15)


def test_rewards_of_many_steps_are_those_of_each():
    utilities, steps = np.linspace(1, 5, 41), np.arange(41) // 4
    together = sla.reshaped_reward(utilities, steps, **EQUATION_6)
    alone = [float(sla.reshaped_reward(u, t, **EQUATION_6)) for u, t in zip(utilities, steps.tolist(), strict=True)]
    assert together.tolist() == alone
