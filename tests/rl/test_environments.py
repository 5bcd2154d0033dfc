"""Slicing as a Gymnasium environment: one cell, many cells, and what each thing that crosses means."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import netsim
import rl  # noqa: F401  # registers the environments
from netsim import allocations
from netsim.errors import InputError
from rl.env import SlicingEnv
from rl.reward import Thresholds
from rl.vector import SlicingVectorEnv
from tests.unit.fake_plant import FakePlant

ROOT = Path(__file__).parents[2]
ID = "netsim/Slicing-v0"
MODES = ("discrete", "shares")


@pytest.fixture(scope="module")
def tiny():
    return netsim.load_scenario("tiny")


# -- one cell ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plant", ["simulation", "fake"])
@pytest.mark.parametrize("mode", MODES)
def test_gymnasium_s_own_checker_passes(tiny, mode, plant):
    env = gymnasium.make(
        ID, scenario=tiny, action_mode=mode, periods=5, plant=FakePlant(tiny) if plant == "fake" else None
    )
    check_env(env.unwrapped)
    assert env.spec.id == ID


def test_spaces_are_those_promised(tiny):
    discrete, shares = (gymnasium.make(ID, scenario=tiny, action_mode=mode) for mode in MODES)
    assert discrete.action_space == spaces.Discrete(171)
    assert shares.action_space == spaces.Box(0.0, 1.0, (3,), np.float32)
    box = discrete.observation_space
    assert (type(box), box.shape, box.dtype) == (spaces.Box, (3,), np.float32)
    assert np.isfinite(box.high).all()
    assert box.low.tolist() == [0.0] * 3
    assert gymnasium.make(ID, scenario="table1").action_space == spaces.Discrete(4851)


def test_an_action_s_number_is_its_place_in_lexicographic_order(tiny):
    env = SlicingEnv(tiny)
    env.reset(seed=1)
    table = allocations.enumerate_all(20, 3)
    for action in (0, 57, np.int64(170)):
        *_, info = env.step(action)
        assert info["allocation"] == tuple(table[action])


@pytest.mark.parametrize(
    ("weights", "units"),
    [
        ([0.5, 0.25, 0.25], (10, 5, 5)), ([0.1, 0.1, 0.1], (7, 7, 6)), ([0.0, 0.0, 0.0], (7, 7, 6)),
        ([0.0, 1.0, 0.0], (1, 18, 1)), (np.array([1.0, 1.0, 0.5], np.float32), (8, 8, 4)),
    ],
)  # fmt: skip
def test_shares_are_rounded_by_largest_remainder(tiny, weights, units):
    env = SlicingEnv(tiny, action_mode="shares")
    env.reset(seed=1)
    *_, info = env.step(weights)
    assert info["allocation"] == units


@pytest.mark.parametrize(
    ("mode", "action"),
    [
        ("discrete", -1), ("discrete", 171), ("discrete", 1.0), ("discrete", [1, 2, 3]), ("discrete", None),
        ("shares", [0.5, 0.5]), ("shares", [0.5, 0.5, np.nan]), ("shares", [0.5, 0.6, -0.1]),
        ("shares", [np.inf, 0.0, 0.0]), ("shares", 0.5),
    ],
)  # fmt: skip
def test_an_action_outside_the_space_is_refused_and_changes_nothing(tiny, mode, action):
    env = SlicingEnv(tiny, action_mode=mode)
    env.reset(seed=1)
    with pytest.raises(InputError, match="action must be"):
        env.step(action)
    usual = 3 if mode == "discrete" else [0.2, 0.2, 0.6]
    other = SlicingEnv(tiny, action_mode=mode)
    other.reset(seed=1)
    assert env.step(usual)[4]["report"] == other.step(usual)[4]["report"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action_mode": "index"}, "action_mode must be"), ({"reward": "rate"}, "reward must be"),
        ({"periods": 0}, "periods must be at least 1, got 0"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(tiny, options, message):
    with pytest.raises(InputError, match=message):
        SlicingEnv(tiny, **options)
    with pytest.raises(InputError, match=message):
        SlicingVectorEnv(tiny, **options)


def test_info_is_the_report_and_its_figures(tiny):
    env = SlicingEnv(tiny)
    for info in (env.reset(seed=1)[1], env.step(20)[4]):
        report = info["report"]
        assert set(info) == {"utility", "ssr", "allocation", "report"}
        assert info["utility"] == report.utility
        assert info["ssr"].tolist() == report.ssr.tolist()
        assert info["allocation"] == report.allocation


def test_an_episode_is_the_plant_s_run(tiny):
    """Observations, rewards and the end recomputed from a simulation that is driven directly."""
    env, periods = SlicingEnv(tiny, periods=6), 6
    simulation, thresholds = netsim.Simulation(tiny), Thresholds.of(tiny, periods)
    observation, _ = env.reset(seed=4)
    report = simulation.reset(4)
    for step in range(1, periods + 1):
        assert observation == pytest.approx(np.log1p(report.arrived) / env.decisions.encoder.scale, rel=1e-6)
        observation, reward, terminated, truncated, info = env.step(7 * step)
        report = simulation.step(allocations.unrank(7 * step, 20, 3))
        assert info["report"] == report
        assert reward == float(thresholds.reward(report.utility, step))
        assert terminated is False
        assert truncated is (step == periods)


def test_the_reward_can_be_the_utility(tiny):
    env = SlicingEnv(tiny, reward="utility")
    env.reset(seed=4)
    _, reward, *_, info = env.step(30)
    assert reward == info["utility"]


def test_episodes_are_as_long_as_the_scenario_says(tiny):
    env = SlicingEnv(tiny)
    env.reset(seed=1)
    ends = [env.step(20)[3] for _ in range(tiny.control.periods)]
    assert ends == [False] * (tiny.control.periods - 1) + [True]


def test_a_reset_without_a_seed_goes_on_with_the_next_seed(tiny):
    env, plant = SlicingEnv(tiny, periods=2), netsim.Simulation(tiny)
    seeds = []
    for given in (5, None, None, 90, None):
        report = env.reset(seed=given)[1]["report"]
        seeds.append(next(seed for seed in (5, 6, 7, 90, 91) if plant.reset(seed) == report))
    assert seeds == [5, 6, 7, 90, 91]


def test_an_environment_that_was_never_seeded_begins_with_seed_0(tiny):
    assert SlicingEnv(tiny).reset()[1]["report"] == netsim.Simulation(tiny).reset(0)


def test_what_an_observer_does_to_an_observation_does_not_reach_the_plant(tiny):
    env, other = SlicingEnv(tiny), SlicingEnv(tiny)
    observation, _ = env.reset(seed=1)
    other.reset(seed=1)
    observation[:] = -5.0
    assert env.step(9)[0].tolist() == other.step(9)[0].tolist()


# -- many cells --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_cell_of_many_is_the_lone_environment_with_its_seed(tiny, mode):
    """Over three episodes: the ones after the first have seeds that no cell has had."""
    cells, periods, first = 3, 4, 40
    many = gymnasium.make_vec(ID, num_envs=cells, scenario=tiny, action_mode=mode, periods=periods)
    assert isinstance(many.unwrapped, SlicingVectorEnv)
    lone = [SlicingEnv(tiny, action_mode=mode, periods=periods) for _ in range(cells)]
    many.action_space.seed(1)
    observations, infos = many.reset(seed=first)
    alone = [env.reset(seed=first + b) for b, env in enumerate(lone)]
    over = False
    for step in range(1, 3 * (periods + 1)):
        assert observations.tolist() == [observation.tolist() for observation, _ in alone]
        assert list(infos["report"]) == [info["report"] for _, info in alone]
        assert infos["ssr"].tolist() == [info["ssr"].tolist() for _, info in alone]
        assert infos["utility"].tolist() == [info["utility"] for _, info in alone]
        assert [tuple(each) for each in infos["allocation"]] == [info["allocation"] for _, info in alone]
        actions = many.action_space.sample()
        observations, rewards, terminated, truncated, infos = many.step(actions)
        if over:
            first += cells
            alone, expected, over = [env.reset(seed=first + b) for b, env in enumerate(lone)], [0.0] * cells, False
        else:
            steps = [env.step(action) for env, action in zip(lone, actions, strict=True)]
            alone, expected, over = [(s[0], s[4]) for s in steps], [s[1] for s in steps], steps[0][3]
        assert rewards.tolist() == expected
        assert not terminated.any()
        assert truncated.tolist() == [over] * cells == [step % (periods + 1) == periods] * cells
    assert many.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


def test_threads_change_nothing(tiny):
    def played(threads):
        env = SlicingVectorEnv(tiny, num_envs=5, threads=threads)
        env.reset(seed=2)
        figures = [env.step(np.array([3, 50, 70, 101, 170])) for _ in range(5)]
        env.close()
        return [(step[0].tolist(), step[1].tolist()) for step in figures]

    assert played(1) == played(2)


def test_the_spaces_of_many_cells_hold_what_they_give(tiny):
    env = SlicingVectorEnv(tiny, num_envs=4)
    observations, _ = env.reset(seed=1)
    assert env.observation_space.contains(observations)
    assert env.observation_space.shape == (4, 3)
    assert env.action_space.contains(env.action_space.sample())
    assert env.step(env.action_space.sample())[1].shape == (4,)


@pytest.mark.parametrize("actions", [[1, 2], [1, 2, 3, 4], [1, 2, 171], [0.0, 1.0, 2.0]])
def test_wrong_actions_of_many_cells_are_refused(tiny, actions):
    env = SlicingVectorEnv(tiny, num_envs=3)
    env.reset(seed=1)
    with pytest.raises(InputError, match="action"):
        env.step(actions)


def test_one_seed_is_asked_for_and_at_least_one_cell(tiny):
    with pytest.raises(InputError, match="seed must be one whole number"):
        SlicingVectorEnv(tiny, num_envs=2).reset(seed=[1, 2])
    with pytest.raises(InputError, match="num_envs must be at least 1"):
        SlicingVectorEnv(tiny, num_envs=0)


# -- importing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["import rl, gymnasium", "import gymnasium, rl", "import rl, rl.env, gymnasium"])
def test_the_environment_is_known_in_either_order_of_imports(code):
    rest = f"env = gymnasium.make({ID!r}, scenario='tiny'); print(env.action_space.n)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {rest}"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split() == ["171"]


def test_importing_the_package_loads_neither_gymnasium_nor_torch_nor_numpy():
    tell = "import sys; print(*[m for m in ('gymnasium', 'torch', 'numpy', 'numba') if m in sys.modules])"
    code = "import rl; from click.testing import CliRunner; from netsim.cli import netsim; "
    code += "assert 'train' in CliRunner().invoke(netsim, ['--help']).output; "
    done = subprocess.run(
        [sys.executable, "-c", code + tell], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split() == []
