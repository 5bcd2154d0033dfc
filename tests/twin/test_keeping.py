"""Twins on disk: what is read is what was fitted, and what is damaged or of another network is told in one line."""

import json
import sys

import pytest
import torch
from click.testing import CliRunner

import netsim
from netsim import cli
from netsim.errors import InputError, RunError
from rl.training import Training, train
from tests.rl.small import request_of
from tests.twin.small import SHARES, TINY, fitted_twin
from twin.commands import collect, twin
from twin.keeping import WEIGHTS, keep, load_twin, twin_of


@pytest.fixture
def kept(tmp_path):
    keep(tmp_path / "twin", fitted_twin(), TINY, {"seed": 1})
    return tmp_path / "twin"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training in the loop of a twin."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    train(request_of("ddqn-dt", interactions=16, checkpoint_every=8, evaluate_every=0), folder)
    return folder


def expect_equal(one, other):
    mine, theirs = one.to_arrays(), other.to_arrays()
    assert set(mine) == set(theirs)
    assert all(
        (mine[name].dtype, mine[name].tobytes()) == (theirs[name].dtype, theirs[name].tobytes()) for name in mine
    )


def test_a_kept_twin_is_the_one_that_was_fitted(kept):
    found, scenario = twin_of(kept)
    expect_equal(found, fitted_twin())
    assert (found.config, found.encoder) == (fitted_twin().config, fitted_twin().encoder)
    assert scenario == TINY
    asked = torch.ones(len(SHARES), 3), torch.from_numpy(SHARES)
    said = (each.outcomes.predict(*asked) for each in (found, fitted_twin()))
    for one, other in zip(*(outcome[1:] for outcome in said), strict=True):
        assert torch.equal(one, other)


def test_a_training_s_twin_is_that_of_its_newest_checkpoint(trained):
    training = Training(request_of("ddqn-dt", interactions=16, evaluate_every=0))
    training.run()
    expect_equal(load_twin(trained, TINY), training.controller.twin)


def test_a_folder_with_something_in_it_is_not_written(kept):
    with pytest.raises(InputError, match="is not empty; give another --out"):
        keep(kept, fitted_twin(), TINY, {})


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_damaged_weights_are_told(kept, damage):
    path = kept / WEIGHTS
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "flipped":
        content[-5] ^= 1
    if damage != "missing":
        path.write_bytes(content[:-9] if damage == "cut" else content)
    with pytest.raises(RunError, match="is missing, or not the file that was written; fit it again"):
        twin_of(kept)


def test_a_twin_of_another_network_is_told(kept):
    with pytest.raises(InputError, match=r"is of the slices VoLTE, video, URLLC and 20 units, .* and 100"):
        load_twin(kept, netsim.load_scenario("table1"))
    busier = netsim.load_scenario("tiny", ["slices.video.users=4"])
    expect_equal(load_twin(kept, busier), fitted_twin())  # the same decisions, another load


@pytest.mark.parametrize("override", ["utility.alpha=0.02", "slices.video.weight=2", "utility.se=carried"])
def test_a_twin_of_another_utility_is_told(kept, override):
    """Its reports would have the U that it learned, and not the one that is asked for."""
    other = netsim.load_scenario("tiny", [override])
    with pytest.raises(InputError, match=r"learned U = .*, the scenario 'tiny' has U = .*; fit a twin to data of it"):
        load_twin(kept, other)


@pytest.mark.parametrize("kind", ["nothing there", "empty", "a run", "a plain training", "no twin yet", "manifest cut"])
def test_a_folder_without_a_twin_is_one_line_of_status_2(kind, tmp_path, kept, monkeypatch, capsys):
    folder = tmp_path / "folder"
    if kind == "empty":
        folder.mkdir()
    elif kind == "a run":
        netsim.run(TINY, "equal", periods=2, out=folder)
    elif kind == "a plain training":
        train(request_of("ddqn", interactions=3, evaluate_every=0), folder)
    elif kind == "no twin yet":
        train(request_of("ddqn-dt", interactions=3, evaluate_every=0), folder)
    elif kind == "manifest cut":
        path = kept / "manifest.json"
        path.write_bytes(path.read_bytes()[:-40])
        folder = kept
    monkeypatch.setattr(
        sys, "argv", ["netsim", "evaluate", "fixed:2,12,6", "--scenario", "tiny", "--plant", f"twin:{folder}"]
    )
    assert cli.main() == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("netsim: error: ")
    assert str(folder) in line


# -- netsim twin fit ---------------------------------------------------------------------------------------------------

SMALL = [
    "state.hidden=8", "state.context=3", "state.fit.steps=60", "state.fit.check_every=10", "outcome.members=3",
    "outcome.hidden=8,", "outcome.fit.steps=60", "outcome.fit.batch_size=32", "outcome.fit.check_every=10",
]  # fmt: skip


def test_a_twin_is_fitted_from_data_sets_and_runs(tmp_path):
    """And equal data, seeds and settings leave equal bytes."""
    asked = ["tiny", "--periods", "40", "--out", str(tmp_path / "data"), "--quiet"]
    CliRunner().invoke(collect, asked, catch_exceptions=False)
    netsim.run(TINY, "random", periods=20, seed=9, out=tmp_path / "run")
    options = [each for text in SMALL for each in ("--setting", text)]
    told = []
    for name in ("one", "two"):
        places = [str(tmp_path / each) for each in ("data", "run")]
        asked = ["fit", *places, "--out", str(tmp_path / name), *options, "--json"]
        told.append(CliRunner().invoke(twin, asked, catch_exceptions=False).output)
    about = json.loads(told[0])
    assert told[0] == told[1]
    assert (about["transitions"], about["seed"], set(about["state"])) == (60, 0, {"steps", "best_step", "loss"})
    one, two = ((tmp_path / name / WEIGHTS).read_bytes() for name in ("one", "two"))
    assert one == two
    found = load_twin(tmp_path / "one", TINY)
    assert (found.config.state.hidden, found.config.outcome.hidden, found.config.outcome.members) == (8, (8,), 3)
    assert found.starts.states.shape == (60, 3)
    assert (~found.starts.there).sum() == 2 * (3 + 2 + 1)  # no past leads from one run to another


def test_data_of_different_networks_make_no_twin(tmp_path):
    """The same slices and units, and another load."""
    for name, overrides in (("one", []), ("other", ["--set", "slices.video.users=1"])):
        asked = ["tiny", "--periods", "3", "--out", str(tmp_path / name), "--quiet", *overrides]
        CliRunner().invoke(collect, asked, catch_exceptions=False)
    one, other, out = (tmp_path / name for name in ("one", "other", "twin"))
    done = CliRunner().invoke(twin, ["fit", str(one), str(other), "--out", str(out)])
    assert isinstance(done.exception, InputError)
    assert str(done.exception) == f"{other} is of another scenario than {one}; give data sets of one"
    assert not out.exists()


def test_wrong_settings_of_a_twin_are_told(tmp_path):
    netsim.run(TINY, "random", periods=4, seed=9, out=tmp_path / "run")
    asked = ["fit", str(tmp_path / "run"), "--out", str(tmp_path / "twin"), "--setting", "outcome.membres=3"]
    done = CliRunner().invoke(twin, asked)
    assert isinstance(done.exception, InputError)
    assert "twin: unknown setting 'outcome.membres', did you mean 'members'?" in str(done.exception)


def test_a_twin_of_rewards_is_not_fitted_to_data_alone(tmp_path, monkeypatch):
    """It is told before anything is fitted."""
    netsim.run(TINY, "random", periods=4, seed=9, out=tmp_path / "run")
    monkeypatch.setattr("twin.digital_twin.fit_state_model", None)
    options = ["--setting", "outcome.target=reward", "--setting", "outcome.structure=joint"]
    done = CliRunner().invoke(twin, ["fit", str(tmp_path / "run"), "--out", str(tmp_path / "twin"), *options])
    assert isinstance(done.exception, InputError)
    assert "outcome.target must be outcome where there are data alone, got reward" in str(done.exception)
