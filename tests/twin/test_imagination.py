"""Imagined periods: drawn from what a twin holds possible, each draw a function of its name."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

from rl.agents import Task, make_agent
from rl.reward import Thresholds
from tests.rl.small import LOOP, config_of
from tests.twin.small import SHARES, TINY, fitted_twin
from twin.imagination import POSSIBLE, Rollouts, Sweeps
from twin.loop_config import DualLoopConfig
from twin.practice import Practice


def shares_of(count, seed=0):
    return SHARES[np.random.Generator(np.random.Philox(seed)).integers(0, len(SHARES), count)]


def imagined(count=6, steps=7, horizon=3, seed=1, whose="", **options):
    """States, utilities and next states of every step."""
    rollouts, rows = Rollouts(fitted_twin(), count, horizon, seed, whose, **options), []
    for step in range(steps):
        before = rollouts.states.copy()
        found = rollouts.step(shares_of(count, step))
        rows.append((before, found.utilities, found.next_states))
    return rows


# -- roll-outs ---------------------------------------------------------------------------------------------------------


def test_equal_seeds_imagine_the_same_and_others_do_not():
    before, state = imagined(), torch.random.get_rng_state()
    for one, other in zip(before, imagined(), strict=True):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)
    for others in (imagined(seed=2), imagined(whose="another")):
        assert not np.array_equal(before[0][0], others[0][0])
        assert not np.array_equal(before[1][1], others[1][1])


def test_roll_outs_begin_in_recorded_states_and_go_on_from_what_they_imagined():
    """Anew after every horizon, of 3 periods here; where they begin does not depend on how many there are."""
    recorded = {state.tobytes() for state in fitted_twin().starts.states}
    rows = imagined()
    for step, (before, _, _) in enumerate(rows):
        anew = step % 3 == 0
        assert all((state.tobytes() in recorded) == anew for state in before)
        if not anew:
            assert np.array_equal(before, rows[step - 1][2])
    more = imagined(count=9)
    assert all(np.array_equal(more[step][0][:6], rows[step][0]) for step in (0, 3, 6))
    assert not np.array_equal(rows[0][0], rows[3][0])


def test_without_a_horizon_there_is_one_long_chain():
    rows = imagined(count=1, steps=12, horizon=None)
    assert all(np.array_equal(rows[step][0], rows[step - 1][2]) for step in range(1, 12))


def test_without_chance_a_roll_out_follows_the_means():
    """One by one, each with its own past, up to rounding."""
    twin, count = fitted_twin(), 6
    rollouts = Rollouts(twin, count, 3, 1, sampled=False)
    starts = {state.tobytes(): place for place, state in enumerate(twin.starts.states)}
    places = [starts[state.tobytes()] for state in rollouts.states]
    memories = [twin.states.begin(*twin.starts.contexts(np.array([place]))) for place in places]
    for step in range(3):
        shares, states = shares_of(count, step), torch.from_numpy(rollouts.states)
        found = rollouts.step(shares)
        for row in range(count):
            at, given = states[row : row + 1], torch.from_numpy(shares[row : row + 1])
            following = twin.states.advance(memories[row], at, given).mean.clamp_min(0.0)
            assert found.next_states[row] == pytest.approx(following[0].numpy(), rel=1e-5)
            assert found.utilities[row] == pytest.approx(float(twin.outcomes.utility(at, given).mean), rel=1e-5)


def test_what_is_drawn_is_distributed_as_the_twin_says():
    """First periods of 2000 roll-outs: quantiles of U, and of every slice's next state, are uniform."""
    twin, count = fitted_twin(), 2000
    rollouts = Rollouts(twin, count, 1, 3)
    states, shares = rollouts.states, shares_of(count)
    again = Rollouts(twin, count, 1, 3, sampled=False)
    said = twin.outcomes.utility(torch.from_numpy(states), torch.from_numpy(shares))
    following = twin.states.advance(again._memory, torch.from_numpy(states), torch.from_numpy(shares))
    found = rollouts.step(shares)
    residuals = (found.utilities - said.mean.double().numpy()) / said.deviation.double().numpy()
    own = twin.outcomes.residuals.double().numpy()
    levels = np.interp(residuals, own, np.linspace(0.0, 1.0, len(own)))
    assert stats.kstest(levels, "uniform").pvalue > 1e-6
    normal = (found.next_states - following.mean.numpy()) / following.deviation.numpy()
    for column in normal.T:
        assert stats.kstest(column, "norm").pvalue > 1e-6
    assert abs(np.corrcoef(np.column_stack([levels, normal]).T)[np.triu_indices(4, 1)]).max() < 5 / np.sqrt(count)


# -- sweeps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampled", [True, False])
def test_swept_rewards_are_means_over_what_is_held_possible(sampled):
    """A plain loop over states, allocations and 20 quantiles."""
    twin, shares = fitted_twin(), SHARES[::17]
    every = twin.outcomes.sweep(torch.from_numpy(twin.starts.states), torch.from_numpy(shares))
    middle = float(every.mean.median())
    reward = partial(Thresholds(middle, middle + 0.1, 0.0).reward, step=0)
    seen, rewards, following = Sweeps(twin, shares, reward, 5, 1, sampled=sampled).next(4)
    assert (seen.shape, rewards.shape, following.shape) == ((4, 3), (4, len(shares)), (4, 3))
    for b, state in enumerate(seen):
        for a, share in enumerate(shares):
            spread = twin.outcomes.utility(torch.from_numpy(state[None]), torch.from_numpy(share[None]))
            levels = [(k + 0.5) / POSSIBLE for k in range(POSSIBLE)]
            possible = [float(twin.outcomes.quantile(spread, torch.tensor(level))) for level in levels]
            u = np.array(possible if sampled else [float(spread.mean)])
            # A utility within rounding of the threshold may fall on either side of it.
            near = np.mean(np.abs(u - middle) < 1e-5)
            assert abs(rewards[b, a] - reward(u).mean()) <= near + 1e-5
    assert len(np.unique(rewards)) > 2


def test_sweeps_are_of_the_pool_and_a_function_of_seed_and_name():
    twin = fitted_twin()

    def swept(seed=1, whose="", pool=5):
        sweeps = Sweeps(twin, SHARES, lambda u: u, pool, seed, whose)
        return [sweeps.next(4) for _ in range(6)]

    before = swept()
    for one, other in zip(before, swept(), strict=True):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))
    seen = {state.tobytes() for states, _, _ in before for state in states}
    assert 1 < len(seen) <= 5
    assert seen <= {state.tobytes() for state in twin.starts.states}
    for others in (swept(seed=2), swept(whose="another")):
        assert not np.array_equal(before[0][0], others[0][0])
    by_state = {}
    for states, rewards, _ in before:
        for state, row in zip(states, rewards, strict=True):
            assert by_state.setdefault(state.tobytes(), row.tobytes()) == row.tobytes()


# -- practice ----------------------------------------------------------------------------------------------------------


def practised(seed=5, whose="", step=50, **settings):
    agent = make_agent("ddqn", Task.of(TINY, 200, seed), config_of("ddqn", replay_capacity=400), whose="second agent")
    config = DualLoopConfig.model_validate({**LOOP, "practice": "rollouts", **settings})
    practice = Practice(fitted_twin(), agent, config, SHARES, step, whose)
    practice.run()
    return agent, practice


def test_practice_in_roll_outs_does_its_updates_as_transitions_come_in():
    """8 roll-outs at once, an update for every 5 transitions."""
    agent, practice = practised(practice_updates=12, imagined_per_update=5)
    assert practice.imagined == agent.memory.added == 64  # the first multiple of 8 from 60 on
    # The 12 that were due, but for those of the first round, in which there are 8 of the 10 to start with.
    assert agent.updates == 11


def test_practice_explores_as_often_as_it_is_told():
    """Random allocations are the greedy one once in 171; 5 standard deviations of a binomial."""
    agent, practice = practised(twin_epsilon=0.4, rollouts=40, imagined_per_update=320, practice_updates=1)
    transitions, n = agent.memory.all(), practice.imagined
    fresh, _ = practised(twin_epsilon=0.0, practice_updates=0)
    others = int((transitions.actions != fresh.act(transitions.states)).sum())
    share = 0.4 * (1 - 1 / 171)
    assert n == 320
    assert abs(others - n * share) < 5 * np.sqrt(n * share * (1 - share))
    greedy, _ = practised(twin_epsilon=0.0, practice_updates=1, imagined_per_update=40)
    kept = greedy.memory.all()
    assert kept.actions.tolist() == fresh.act(kept.states).tolist()


@pytest.mark.parametrize("practice", ["rollouts", "sweeps"])
def test_practice_is_a_function_of_seed_and_name(practice):
    one, same, other = (practised(practice=practice, whose=whose)[0] for whose in ("1", "1", "2"))
    assert one.parameters.flat.numpy().tobytes() == same.parameters.flat.numpy().tobytes()
    assert not torch.equal(one.parameters.flat, other.parameters.flat)
    assert one.updates == same.updates == (5 if practice == "sweeps" else 4)  # 8 of 10 to start with at the first


def test_a_sweep_counts_every_allocation_of_its_states():
    agent, practice = practised(practice="sweeps", practice_updates=3, sweep_states=100)
    assert practice.imagined == 3 * agent.config.batch_size * 171  # not more states than a batch has
    assert len(agent.memory) == 0
