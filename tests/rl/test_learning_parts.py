"""Memory, draws, thresholds and observations: what all agents stand on."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import netsim
from netsim.errors import InputError, RunError
from rl import draws
from rl.observation import Encoder
from rl.replay import Replay, Transitions
from rl.reward import GROWTH_SHARE, Thresholds

# -- memory ------------------------------------------------------------------------------------------------------------


def rows_of(transitions):
    return [
        (tuple(state), int(action), float(utility), tuple(following))
        for state, action, utility, following in zip(*(each.tolist() for each in transitions), strict=True)
    ]


def numbered(first, count):
    """Transitions that tell which they are."""
    numbers = np.arange(first, first + count)
    states = np.stack([numbers, numbers + 0.25], axis=1).astype(np.float32)
    return Transitions(states, numbers, numbers + 0.125, states + np.float32(0.5))


def add_one(memory, transitions):
    [state], [action], [utility], [following] = transitions
    memory.add(state, int(action), float(utility), following)


@given(st.integers(1, 7), st.lists(st.one_of(st.just("one"), st.integers(0, 20)), max_size=12))
def test_memory_is_the_last_that_were_added(capacity, operations):
    memory, model, added = Replay(capacity, 2), deque(maxlen=capacity), 0
    for operation in operations:
        count = 1 if operation == "one" else operation
        given_rows = numbered(added, count)
        if operation == "one":
            add_one(memory, given_rows)
        else:
            memory.extend(given_rows)
        model.extend(rows_of(given_rows))
        added += count
        assert len(memory) == len(model)
        assert memory.added == added
        assert rows_of(memory.all()) == list(model)
        assert sorted(rows_of(memory.take(np.arange(len(memory))))) == sorted(model)


@given(st.integers(1, 7), st.integers(0, 20), st.integers(0, 9))
def test_a_kept_memory_goes_on_as_it_was(capacity, before, after):
    memory = Replay(capacity, 2)
    memory.extend(numbered(0, before))
    kept = {name: array.copy() for name, array in memory.to_arrays().items()}
    other = Replay(capacity, 2)
    other.restore(kept)
    for each in (memory, other):
        each.extend(numbered(before, after))
    assert rows_of(memory.all()) == rows_of(other.all())
    places = np.arange(len(memory))
    assert rows_of(memory.take(places)) == rows_of(other.take(places))
    assert memory.added == other.added == before + after


def test_what_is_taken_shares_nothing_with_the_memory():
    memory = Replay(3, 2)
    memory.extend(numbered(0, 3))
    memory.take(np.array([0])).states[:] = -1.0
    assert memory.take(np.array([0])).states.tolist() == [[0.0, 0.25]]


@pytest.mark.parametrize("change", [{"actions": np.zeros(2)}, {"states": np.zeros((2, 3), np.float32)}])
def test_arrays_of_another_memory_are_refused(change):
    memory = Replay(3, 2)
    memory.extend(numbered(0, 2))
    with pytest.raises(RunError, match=rf"replay\.{next(iter(change))}: must be"):
        Replay(3, 2).restore({**memory.to_arrays(), **change})


# -- draws -------------------------------------------------------------------------------------------------------------

CHANCE = 1e-6
"""Of a false alarm, for the tests of distributions below; the seeds are fixed, so they do not alternate."""


def test_a_draw_depends_on_nothing_but_its_name():
    wanted = [(purpose, index) for purpose in (draws.REPLAY, draws.NOISE) for index in (0, 7, 1 << 40)]
    forwards = {key: draws.uniform(3, *key, 5).tolist() for key in wanted}
    draws.uniform(3, draws.REPLAY, 7, 1000)
    backwards = {key: draws.uniform(3, *key, 5).tolist() for key in reversed(wanted)}
    assert forwards == backwards
    assert len({tuple(values) for values in forwards.values()}) == len(wanted)


def test_seed_purpose_index_and_whose_each_give_other_draws():
    base = (1, draws.REPLAY, 0, 64, "")
    others = [(2, *base[1:]), (1, draws.EXPLORATION, *base[2:]), (1, draws.REPLAY, 1, *base[3:]), (*base[:4], "twin")]
    drawn = [draws.uniform(*each) for each in (base, *others)]
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert not set(one.tolist()) & set(other.tolist())


def test_draws_are_uniform_and_do_not_depend_on_their_neighbours():
    drawn = np.array([draws.uniform(9, draws.EXPLORATION, index, 2) for index in range(20_000)])
    assert ((drawn > 0) & (drawn < 1)).all()
    for values in (drawn[:, 0], drawn[:, 1]):
        assert stats.kstest(values, "uniform").pvalue > CHANCE
    pairs = [(drawn[:, 0], drawn[:, 1]), (drawn[:-1, 0], drawn[1:, 0])]
    for one, other in pairs:
        table, _, _ = np.histogram2d(one, other, bins=8, range=[[0, 1], [0, 1]])
        assert stats.chisquare(table.ravel()).pvalue > CHANCE


@given(st.integers(0, 1 << 40), st.integers(1, 9), st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_draws_made_many_at_a_time_are_the_same_draws(first, n, steps):
    drawn = draws.Uniforms(4, draws.REPLAY, n, "twin")
    for index in (first + step for step in steps):
        assert drawn(index).tolist() == draws.uniform(4, draws.REPLAY, index, n, "twin").tolist()


# -- thresholds --------------------------------------------------------------------------------------------------------

utilities = st.floats(-10, 10)


@st.composite
def thresholds(draw):
    gmin, gmax = sorted(draw(st.tuples(utilities, utilities)))
    return Thresholds(gmin, gmax, draw(st.floats(0, 0.5)))


def eq_6(u, g, gmax):
    if u < g:
        return 0.0
    return 1.0 if u < gmax else 1.0 + (u - gmax) / 2.0


@given(thresholds(), utilities, st.integers(0, 100_000))
def test_reward_is_eq_6(given_thresholds, u, step):
    g = min(given_thresholds.gmin + given_thresholds.sigma * step, given_thresholds.gmax)
    assert given_thresholds.at(step) == g
    assert given_thresholds.reward(u, step) == eq_6(u, g, given_thresholds.gmax)
    assert given_thresholds.reward([u, u], step).tolist() == [eq_6(u, g, given_thresholds.gmax)] * 2


@given(thresholds(), st.integers(0, 1000))
def test_a_utility_at_a_threshold_has_passed_it(given_thresholds, step):
    g, gmax = given_thresholds.at(step), given_thresholds.gmax
    at_g = given_thresholds.reward(g, step)
    assert at_g == 1.0
    assert given_thresholds.reward(np.nextafter(g, -np.inf), step) == 0.0
    assert given_thresholds.reward(gmax, step) == 1.0
    assert given_thresholds.reward(gmax + 2.0, step) == pytest.approx(2.0)
    assert given_thresholds.reward(np.nextafter(gmax, np.inf), step) >= 1.0


def test_what_is_no_number_has_no_reward():
    assert np.isnan(Thresholds(2.0, 3.0, 0.1).reward([np.nan, 2.5], 0)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("gmin", "gmax", "sigma"), [(2.0, 1.0, 0.1), (0.0, 1.0, -0.1), (np.nan, 1.0, 0.1), (0.0, np.inf, 0.1)]
)
def test_thresholds_that_make_no_sense_are_refused(gmin, gmax, sigma):
    with pytest.raises(InputError, match="gmin <= gmax"):
        Thresholds(gmin, gmax, sigma)


def test_the_threshold_is_full_grown_at_two_thirds_of_the_budget():
    scenario = netsim.load_scenario("tiny")
    made = Thresholds.of(scenario, 300)
    assert (made.gmin, made.gmax) == (scenario.reward.gmin, scenario.reward.gmax)
    assert made.at(0) == made.gmin
    assert made.at(int(300 * GROWTH_SHARE) - 1) < made.gmax
    assert made.at(int(300 * GROWTH_SHARE)) == pytest.approx(made.gmax, rel=1e-12)
    assert made.at(10**9) == made.gmax


def test_growth_that_the_scenario_gives_is_taken():
    scenario = netsim.load_scenario("tiny", ["reward.sigma=0.001"])
    assert Thresholds.of(scenario, 300).sigma == Thresholds.of(scenario, 7).sigma == 0.001


# -- observation -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny():
    return netsim.load_scenario("tiny")


@pytest.fixture(scope="module")
def encoder(tiny):
    return Encoder.of(tiny)


@given(st.lists(st.integers(0, 1 << 53), min_size=3, max_size=3))
def test_states_are_finite_and_inside_the_space(arrived):
    encoder = Encoder((4.7, np.log(2.0), 2.3))
    state = encoder(arrived)
    assert state.dtype == np.float32
    assert np.isfinite(state).all()
    assert (state >= 0).all()
    assert (state <= encoder.high).all()


@given(st.integers(1, 1 << 50), st.integers(0, 2))
def test_a_load_that_doubles_is_seen_in_its_slice_and_in_no_other(arrivals, slice_number):
    """log(1 + 2 x) - log(1 + x) lies between log 1.5 and log 2."""
    encoder = Encoder((4.7, 7.3, 2.3))
    before = [arrivals] * 3
    after = [2 * arrivals if n == slice_number else arrivals for n in range(3)]
    rise = (encoder(after).astype(float) - encoder(before)) * encoder.scale
    assert [r for n, r in enumerate(rise) if n != slice_number] == [0.0, 0.0]
    assert np.log(1.5) - 1e-4 <= rise[slice_number] <= np.log(2.0) + 1e-4


def test_the_scale_makes_a_usual_period_1(tiny, encoder):
    """Arrivals of other seeds: the mean state over 200 periods is within 10 % of 1 in each slice."""
    simulation = netsim.Simulation(tiny, seed=11)
    states = [encoder.state(simulation.reset())]
    states += [encoder.state(simulation.step([2, 12, 6])) for _ in range(200)]
    assert np.mean(states, axis=0) == pytest.approx([1.0] * 3, rel=0.1)


def test_the_scale_is_the_scenario_s(tiny, encoder):
    assert Encoder.of(tiny) == encoder
    busier = netsim.load_scenario("tiny", ["slices.video.users=9"])
    voice, video, urllc = Encoder.of(busier).scale
    assert (voice, urllc) == (encoder.scale[0], encoder.scale[2])
    assert video > encoder.scale[1] + 0.5
    assert encoder.size == 3


def test_a_slice_without_traffic_has_a_scale():
    quiet = netsim.load_scenario("tiny", ["slices.URLLC.users=0"])
    encoder = Encoder.of(quiet)
    assert encoder.scale[2] == pytest.approx(np.log(2.0))
    assert encoder([0, 0, 0]).tolist() == [0.0, 0.0, 0.0]
