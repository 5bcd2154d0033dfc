"""A data set says what it holds, and others read in it what happened."""

import csv
import json
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from click.testing import CliRunner

import netsim
from netsim import allocations
from netsim.errors import InputError, RunError
from rl.observation import Encoder
from twin import exporting
from twin.card import QUANTILES, card
from twin.commands import collect, dataset
from twin.console import print_card
from twin.datasets import KIND
from twin.history import PER_CELL, PER_SLICE, History
from twin.recorder import Recorder

TINY = netsim.load_scenario("tiny")


def record(folder, controller, *, seed, periods, scenario=TINY):
    netsim.run(scenario, controller, periods=periods, seed=seed, plugins=[Recorder(folder, controller=controller)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs of a fixed controller and one of random."""
    folder = tmp_path_factory.mktemp("data") / "set"
    record(folder, "fixed:2,12,6", seed=1, periods=6)
    record(folder, "fixed:2,12,6", seed=2, periods=9)
    record(folder, "random", seed=5, periods=12)
    return folder


# -- the data card -----------------------------------------------------------------------------------------------------


def test_the_card_tells_who_played(folder):
    made, history = card(folder), History.read(folder)
    assert (made["scenario"], made["scenario_hash"], made["units"]) == ("tiny", TINY.hash, 20)
    assert (made["periods"], made["transitions"]) == (7 + 10 + 13, 6 + 9 + 12)
    told = [(run["run"], run["seed"], run["controller"], run["periods"]) for run in made["runs"]]
    assert told == [(0, 1, "fixed:2,12,6", 7), (1, 2, "fixed:2,12,6", 10), (2, 5, "random", 13)]
    for run in made["runs"]:
        assert run["utility"] == history.utility[(history.run == run["run"]) & (history.period > 0)].mean()


def test_the_card_counts_allocations_that_were_tried_and_not_the_initial_one(folder):
    history = History.read(folder)
    tried = {tuple(w) for w in history.allocation[history.period > 0].tolist()}
    assert card(folder)["allocations"] == {"distinct": len(tried), "of": 171, "share": len(tried) / 171}


def test_figures_of_the_card_are_of_controlled_periods_and_arrivals_of_all(folder):
    made, history = card(folder), History.read(folder)
    controlled = history.period > 0
    assert made["utility"] == spread_of(history.utility[controlled])
    for n, name in enumerate(TINY.slice_names):
        part = made["slices"][name]
        assert part["arrived"] == spread_of(history.arrived[:, n])
        assert part["units"] == spread_of(history.allocation[controlled, n])
        satisfied, resolved = (each[controlled, n].sum() for each in (history.satisfied, history.resolved))
        assert part["ssr"] == satisfied / resolved
        latency_ms = history.latency_mean_ms[controlled, n]
        assert part["latency_mean_ms"] == spread_of(latency_ms[~np.isnan(latency_ms)])


def spread_of(values):
    return {"mean": values.mean(), **{key: np.quantile(values, q) for key, q in QUANTILES.items()}}


def test_a_run_directory_has_a_card_too(tmp_path):
    netsim.run(TINY, "equal", periods=4, seed=3, out=tmp_path / "run")
    made = card(tmp_path / "run")
    assert [(run["seed"], run["controller"], run["periods"]) for run in made["runs"]] == [(3, "equal", 5)]
    assert made["allocations"]["distinct"] == 1


def test_the_card_of_a_slice_without_packets_has_no_figures_of_them(tmp_path):
    silent = netsim.load_scenario("tiny", ["slices.URLLC.users=0"])
    record(tmp_path / "data", "equal", seed=1, periods=3, scenario=silent)
    part = card(tmp_path / "data")["slices"]["URLLC"]
    assert part["ssr"] is None
    assert set(part["latency_mean_ms"].values()) == {None}
    assert part["ssr_of_periods"]["mean"] == 1.0
    shown = CliRunner().invoke(dataset, ["show", str(tmp_path / "data")], catch_exceptions=False)
    assert "latency, ms URLLC" in shown.output


def test_the_card_is_shown_in_tables_and_as_json(folder):
    shown = CliRunner().invoke(dataset, ["show", str(folder)], catch_exceptions=False).output
    assert shown.splitlines()[0] == "tiny, 30 periods, 27 transitions"
    rows = [line.split() for line in shown.splitlines()]
    assert ["fixed:2,12,6", "2", "1", "..", "2", "17"] in [row[:-1] for row in rows]
    assert any(line.startswith("allocations tried: ") and " of 171 (" in line for line in shown.splitlines())
    told = CliRunner().invoke(dataset, ["show", str(folder), "--json"], catch_exceptions=False).output
    assert json.loads(told) == json.loads(json.dumps(card(folder)))


def test_collect_records_who_decided(tmp_path):
    out = str(tmp_path / "data")
    asked = ["tiny", "--periods", "3", "--controller", "narrow:2,12,6/1", "--out", out, "--quiet"]
    CliRunner().invoke(collect, asked, catch_exceptions=False)
    assert [run["controller"] for run in KIND.read(tmp_path / "data")["runs"]] == ["narrow:2,12,6/1"]


def test_a_recorder_that_was_not_told_says_so(tmp_path):
    netsim.run(TINY, "equal", periods=2, seed=1, plugins=[Recorder(tmp_path / "data")])
    shown = CliRunner().invoke(dataset, ["show", str(tmp_path / "data")], catch_exceptions=False)
    assert "not told" in shown.output


def test_seeds_that_nobody_told_are_left_out(folder, capsys):
    """As of runs that were not simulated: all of a controller's, or one of them."""
    made = card(folder)
    made["runs"][1]["seed"] = made["runs"][2]["seed"] = None
    print_card(made)
    rows = [line.split()[:-1] for line in capsys.readouterr().out.splitlines()]
    assert ["fixed:2,12,6", "2", "1", "17"] in rows
    assert ["random", "1", "not", "told", "13"] in rows


# -- CSV ---------------------------------------------------------------------------------------------------------------


def test_csv_reads_back_as_it_was(folder, tmp_path):
    history = History.read(folder)
    assert exporting.write_csv(folder, tmp_path / "a.csv") == 30
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["run"]) for row in rows] == history.run.tolist()
    assert [int(row["period"]) for row in rows] == history.period.tolist()
    for name in PER_CELL:
        assert [float(row[name]) for row in rows] == getattr(history, name).tolist()
    for name in ("allocation", *PER_SLICE):
        read = [[float(row[f"{name}.{which}"] or "nan") for which in TINY.slice_names] for row in rows]
        np.testing.assert_array_equal(read, getattr(history, name))
    assert any(row["latency_mean_ms.URLLC"] == "" for row in rows)


def test_csv_replaces_nothing_unasked_and_leaves_nothing_half_written(folder, tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"a\.csv exists; give another name, or --force to replace it"):
        exporting.write_csv(folder, path)

    def fill(table, where, options):
        where.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(exporting.csv, "write_csv", fill)
        with pytest.raises(RunError, match=r"cannot write .*a\.csv: No space left on device"):
            exporting.write_csv(folder, path, force=True)
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "mine"
    exporting.write_csv(folder, path, force=True)
    assert path.read_text() != "mine"


@pytest.mark.parametrize("asked", [[], ["--csv", "a.csv", "--minari", "a-v0"]])
def test_export_wants_one_format(folder, asked):
    done = CliRunner().invoke(dataset, ["export", str(folder), *asked])
    assert (done.exit_code, "give either --csv FILE or --minari NAME" in done.output) == (2, True)


# -- Minari ------------------------------------------------------------------------------------------------------------


def test_without_minari_export_says_what_to_install(folder):
    code = (
        "import sys; sys.modules['minari'] = None\n"
        "from netsim.cli import main\n"
        f"sys.argv = ['netsim', 'dataset', 'export', {str(folder)!r}, '--minari', 'tiny-v0']; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "netsim: error: Minari is not installed: pip install 'slicetwin[minari]'\n"
    assert done.returncode == 2


def test_minari_reads_what_agents_saw_did_and_earned(folder, minari):
    made = exporting.write_minari(folder, "slicing/tiny-v0")
    assert (made["episodes"], made["steps"]) == (3, 27)
    there, history, encoder = minari.load_dataset("slicing/tiny-v0"), History.read(folder), Encoder.of(TINY)
    assert (there.total_episodes, there.total_steps, there.action_space.n) == (3, 27, 171)
    for run, episode in enumerate(there.iterate_episodes()):
        rows = history.run == run
        np.testing.assert_array_equal(episode.observations, encoder(history.arrived[rows]))
        played = [allocations.unrank(int(action), 20, 3) for action in episode.actions]
        assert played == [tuple(w) for w in history.allocation[rows][1:].tolist()]
        assert episode.rewards.tolist() == history.utility[rows][1:].tolist()
        assert episode.truncations.tolist() == [False] * (rows.sum() - 2) + [True]
        assert not episode.terminations.any()
        for name in ("allocation", *PER_SLICE, *PER_CELL):
            np.testing.assert_array_equal(episode.infos[name], getattr(history, name)[rows])
        assert there.observation_space.contains(episode.observations[0])


def test_the_environment_recovered_from_minari_plays_the_episode_again(folder, minari):
    exporting.write_minari(folder, "tiny-v3")
    there = minari.load_dataset("tiny-v3")
    environment = there.recover_environment()
    episode = there[2]
    metadata = next(iter(there.storage.get_episode_metadata([2])))
    observation, _ = environment.reset(seed=metadata["seed"])
    seen, earned = [observation], []
    for action in episode.actions:
        observation, reward, *_ = environment.step(action)
        seen.append(observation)
        earned.append(reward)
    np.testing.assert_array_equal(seen, episode.observations)
    assert earned == episode.rewards.tolist()


def test_an_export_leaves_the_environments_of_others_as_they_are(folder, minari):
    before = dict(gymnasium.spec("netsim/Slicing-v0").kwargs)
    exporting.write_minari(folder, "tiny-v4")
    assert gymnasium.spec("netsim/Slicing-v0").kwargs == before


def test_a_scenario_that_does_not_ship_is_exported_without_an_environment(tmp_path, minari):
    record(
        tmp_path / "data", "random", seed=1, periods=3, scenario=netsim.load_scenario("tiny", ["slices.video.users=4"])
    )
    exporting.write_minari(tmp_path / "data", "other-v0")
    assert minari.load_dataset("other-v0").env_spec is None


@pytest.mark.parametrize("name", ["tiny", "tiny-v", "../tiny-v0", "ti ny-v0", ""])
def test_a_name_that_minari_does_not_have_is_refused(folder, minari, name):
    with pytest.raises(InputError, match="a Minari data set is called name-v0 or namespace/name-v0, got "):
        exporting.write_minari(folder, name)


def test_a_name_that_is_taken_is_refused_and_what_is_there_kept(folder, tmp_path, minari):
    exporting.write_minari(folder, "tiny-v0")
    record(tmp_path / "data", "random", seed=1, periods=3)
    with pytest.raises(InputError, match="exists; give another name or version, or `minari delete tiny-v0`"):
        exporting.write_minari(tmp_path / "data", "tiny-v0")
    assert minari.load_dataset("tiny-v0").total_steps == 27
