"""A data set of Minari becomes one of ours: what was recorded as it is, what was only played by playing it again."""

import subprocess
import sys
import warnings
from dataclasses import fields, replace

import gymnasium
import numpy as np
import pytest
from click.testing import CliRunner

import netsim
from netsim.errors import InputError
from rl.env import SlicingEnv
from twin.card import card
from twin.commands import dataset
from twin.exporting import write_minari
from twin.history import History
from twin.importing import FIGURES, read_minari
from twin.recorder import Recorder

TINY = netsim.load_scenario("tiny")
SEEDS = (3, 4)


@pytest.fixture
def recorded(tmp_path, minari):
    """A data set of two runs, and the same in Minari."""
    for seed in SEEDS:
        with Recorder(tmp_path / "data", controller="random") as recorder:
            netsim.run(TINY, "random", periods=5, seed=seed, plugins=[recorder])
    write_minari(tmp_path / "data", "tiny-v0")
    return tmp_path / "data"


def equal(one, other):
    return all(
        np.array_equal(*(getattr(each, f.name) for each in (one, other)), equal_nan=f.name == "latency_mean_ms")
        for f in fields(History)
    )


def stored(minari, name, episodes, **more):
    """Keep episodes in Minari under a name."""
    env = SlicingEnv(TINY, **more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
        minari.create_dataset_from_buffers(name, episodes, **spaces)


def collected(**more):
    """An episode as a collector of Minari's has it: observations, actions and rewards, no figures."""
    from minari.data_collector import EpisodeBuffer

    env = SlicingEnv(TINY, reward="utility", periods=4, **more)
    env.action_space.seed(1)
    seen, actions, rewards = [env.reset(seed=SEEDS[0])[0]], [], []
    for _ in range(4):
        actions.append(env.action_space.sample())
        observation, reward, *_ = env.step(actions[-1])
        seen.append(observation)
        rewards.append(reward)
    ends = np.arange(4) == 3
    made = {"observations": np.array(seen), "actions": np.array(actions), "rewards": np.array(rewards)}
    return EpisodeBuffer(id=0, seed=SEEDS[0], terminations=np.zeros(4, bool), truncations=ends, infos={}, **made)


# -- what comes of it --------------------------------------------------------------------------------------------------


def test_what_was_exported_comes_back_as_it_was(recorded, tmp_path):
    made = read_minari("tiny-v0", tmp_path / "back")
    assert made == {"scenario": "tiny", "runs": 2, "periods": 12}
    assert equal(History.read(tmp_path / "back"), History.read(recorded))
    mine, theirs = card(tmp_path / "back"), card(recorded)
    assert mine == theirs  # runs, seeds, controllers, and every figure


@pytest.mark.parametrize("mode", ["discrete", "shares"])
def test_what_was_only_played_is_played_again(mode, tmp_path, minari):
    episode = collected(action_mode=mode)
    stored(minari, "played-v0", [episode], action_mode=mode)
    read_minari("played-v0", tmp_path / "back", "tiny")
    history = History.read(tmp_path / "back")
    assert history.utility[1:].tolist() == episode.rewards.tolist()
    decisions = SlicingEnv(TINY, action_mode=mode).decisions
    assert history.allocation[1:].tolist() == [list(decisions.allocation(action)) for action in episode.actions]
    np.testing.assert_array_equal(decisions.encoder(history.arrived), episode.observations)


def test_the_command_tells_what_came_of_it_and_its_periods_follow_each_other(recorded, tmp_path):
    told = CliRunner().invoke(dataset, ["import", "tiny-v0", "--out", str(tmp_path / "back")], catch_exceptions=False)
    assert told.output == f"{tmp_path / 'back'}: 12 periods of 2 runs on tiny\n"
    assert len(History.read(tmp_path / "back").starts) == 10


# -- what is wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ssr", 1.5, r"episode 0: infos.ssr, period 2: must be from 0 to 1, got 1\.5"),
        ("ssr", np.nan, r"infos.ssr, period 2: must be from 0 to 1, got nan"),
        ("arrived", -1, r"infos.arrived, period 2: must be a whole number of at least 0, got -1"),
        ("allocation", 0, r"infos.allocation, period 2: must be a whole number of at least 1, got 0"),
        ("allocation", 19, r"infos.allocation, period 2: must sum to 20 units, got \[19, "),
        ("utility", np.inf, r"infos.utility, period 2: must be a finite number, got inf"),
        ("latency_mean_ms", -1.0, r"infos.latency_mean_ms, period 2: must be a finite number of at least 0, or NaN"),
    ],
)
def test_a_figure_that_cannot_be_is_told_with_episode_period_rule_and_value(
    recorded, tmp_path, minari, name, value, message
):
    from minari.data_collector import EpisodeBuffer

    there = minari.load_dataset("tiny-v0")[0]
    infos = {figure: np.array(there.infos[figure], copy=True) for figure in FIGURES}
    infos[name][(2,) if infos[name].ndim == 1 else (2, 0)] = value
    kept = {key: getattr(there, key) for key in ("observations", "actions", "rewards", "terminations", "truncations")}
    stored(minari, "wrong-v0", [EpisodeBuffer(id=0, seed=1, infos=infos, **kept)])
    with pytest.raises(InputError, match=message):
        read_minari("wrong-v0", tmp_path / "back", "tiny")
    assert not (tmp_path / "back").exists()


def test_what_the_simulator_does_not_show_is_refused(tmp_path, minari):
    wrong, seedless = collected(), replace(collected(), seed=None)
    wrong.observations[3] += np.float32(0.1)
    stored(minari, "wrong-v0", [wrong])
    stored(minari, "seedless-v0", [seedless])
    with pytest.raises(
        InputError, match=r"is not of scenario tiny and seed 3: .* other arrivals in period 3; give the"
    ):
        read_minari("wrong-v0", tmp_path / "back", "tiny")
    with pytest.raises(InputError, match=r"has no seed to play it again, and its infos have no allocation, arrived, "):
        read_minari("seedless-v0", tmp_path / "back", "tiny")


def test_data_of_another_scenario_are_refused(recorded, tmp_path):
    with pytest.raises(
        InputError, match=r"actions must be those of scenario table1, Discrete\(4851\), got Discrete\(171\)"
    ):
        read_minari("tiny-v0", tmp_path / "back", "table1")
    other = tmp_path / "other.yaml"
    other.write_text(netsim.loading.dump_scenario(netsim.load_scenario("tiny", ["slices.video.traffic.gap.shape=2.0"])))
    with pytest.raises(InputError, match=r"observations must be those of scenario tiny, Box"):
        read_minari("tiny-v0", tmp_path / "back", str(other))


def test_a_scenario_has_to_be_named_where_the_data_do_not(tmp_path, minari):
    stored(minari, "played-v0", [collected()])
    with pytest.raises(InputError, match="does not say what was played: give --scenario SCENARIO"):
        read_minari("played-v0", tmp_path / "back")


def test_a_data_set_that_is_not_there_and_a_folder_that_is_are_told(recorded, tmp_path):
    with pytest.raises(InputError, match=r"is no data set; `minari download other-v0` gets one that is published"):
        read_minari("other-v0", tmp_path / "back")
    with pytest.raises(InputError, match=r"a Minari data set is called name-v0 or namespace/name-v0, got '../tiny-v0'"):
        read_minari("../tiny-v0", tmp_path / "back")
    with pytest.raises(InputError, match=r"data exists; give another --out"):
        read_minari("tiny-v0", recorded)


def test_without_minari_import_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['minari'] = None\n"
        "from netsim.cli import main\n"
        f"sys.argv = ['netsim', 'dataset', 'import', 'a-v0', '--out', {str(tmp_path / 'a')!r}]; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        2,
        "netsim: error: Minari is not installed: pip install 'slicetwin[minari]'\n",
    )


def test_the_registered_environment_is_left_alone(recorded, tmp_path):
    before = dict(gymnasium.spec("netsim/Slicing-v0").kwargs)
    read_minari("tiny-v0", tmp_path / "back")
    assert gymnasium.spec("netsim/Slicing-v0").kwargs == before
