"""``netsim study`` as one types it; what it runs is tested elsewhere."""

import json
import os
import shutil
import signal
import sys

import pytest

from netsim.errors import InputError
from netsim.studies import reuse
from netsim.studies.engine import StudyFolder, carry_out
from tests.studies.small import RUNS, planned
from tests.studies.test_carrying_out import Pretended


@pytest.fixture
def netsim(monkeypatch, tmp_path, capsys):
    """Runs a command line in this process; gives its exit status, what it printed and what it said."""
    from netsim import cli

    handler = signal.getsignal(signal.SIGTERM)
    (tmp_path / "small.yaml").write_text(RUNS)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["netsim", *arguments])
        status = cli.main()
        said = capsys.readouterr()
        return status, said.out, said.err

    yield run
    signal.signal(signal.SIGTERM, handler)


def test_a_dry_run_prints_every_command_and_the_time_and_leaves_nothing(netsim, tmp_path):
    status, out, _ = netsim("study", "small.yaml", "--dry-run", "--jobs", "4", "--set", "parameters.seeds=8")
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == "small: 16 runs in 2 groups, 0 finished"
    words = "netsim run tiny --controller equal --periods 3 --seed 0 --out equal.0/out --resume --quiet"
    assert lines[1].strip() == words
    assert lines[-1] == "about 20 s with 4 at once"
    _, out, _ = netsim("study", "small.yaml", "--dry-run", "--jobs", "4", "--set", "parameters.seeds=8", "--json")
    told = json.loads(out)
    assert (told["study"], told["groups"], told["at_once"], told["left_s"]) == ("small", 2, 4, 20.0)
    assert [run["command"] for run in told["runs"]] == [line.strip() for line in lines[1:-1]]
    assert not any(run["finished"] for run in told["runs"])
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_force_replaces_a_study_another_one_and_a_damaged_one_and_nothing_else(netsim, tmp_path):
    folder = StudyFolder(tmp_path / "o", planned())
    for spoil in (lambda: None, lambda: (folder.path / "manifest.json").write_text("{")):
        os.close(folder.take())
        carry_out(planned(), folder, Pretended(folder.jobs))
        for name in ("old.svg", "report.html", "notes.txt"):
            (folder.path / name).touch()
        spoil()
        other = StudyFolder(folder.path, planned(RUNS.replace("name: small", "name: other")))
        with pytest.raises(InputError):
            other.refuse_existing(known=True)
        other.refuse_existing(known=False, force=True)
        os.close(other.take(force=True))
        assert list(folder.jobs.iterdir()) == []
        assert {path.name for path in folder.path.iterdir()} == {".lock", "jobs", "manifest.json", "notes.txt"}
        shutil.rmtree(folder.path)


def test_an_empty_folder_is_refused_like_any_that_is_there(netsim, tmp_path):
    (tmp_path / "o").mkdir()
    status, _, err = netsim("study", "small.yaml", "--out", "o")
    assert status == 2
    assert "o exists; give another --out, or --resume" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small.yaml"], "give --out DIR, or --dry-run to see the plan"),
        (["small.yaml", "--out", "o", "--resume", "--force"], "give one of them"),
        (["small.yaml", "--out", "o", "--so-far", "--resume"], "--so-far runs nothing, so --resume"),
        (["small.yaml", "--out", "o", "--so-far"], "o is no folder of a study"),
        (["small.yaml", "--out", "o", "--address", "h:1"], "--address is for --engine ray"),
        (["fig5", "--out", "o"], "study: must be the path of a file that ends in .yaml, or one of ablations, drift"),
        (["fig5-fig7", "--out", "o"], "got 'fig5-fig7', did you mean 'fig5-fig6'?"),
        (["nowhere.yaml", "--out", "o"], "nowhere.yaml:1:1: file: must be readable (No such file or directory)"),
        (["small.yaml", "--out", "o", "--set", "parameter.seeds=1"], "--set parameter: is not a known key"),
        (["small.yaml", "--out", "o", "--set", "parameters.seeds=none"], "parameters.seeds: must be a whole number"),
        (["small.yaml", "--out", "small.yaml"], "small.yaml is no folder; give another --out"),
        (["small.yaml", "--out", "."], ". holds other things than a study; give another --out"),
        (["small.yaml", "--out", ".", "--force"], ". holds other things than a study; give another --out"),
    ],
)
def test_wrong_input_is_refused_with_status_2_before_anything_runs(arguments, message, netsim, tmp_path):
    status, out, err = netsim("study", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_so_far_tells_of_the_runs_that_are_finished_while_a_study_goes_on(netsim, tmp_path):
    """Another driver has the folder; nothing is run, and what is finished is published."""
    folder, engine = StudyFolder(tmp_path / "o", planned()), Pretended(tmp_path / "o" / "jobs")
    held = folder.take()
    carry_out(planned(), folder, engine)
    shutil.rmtree(folder.jobs / "random.1")
    status, out, err = netsim("study", "small.yaml", "--out", "o", "--so-far", "--publish", "kept", "--json")
    os.close(held)
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert found["runs"] == {"planned": 4, "finished": 3, "failed": {}}
    assert found["claims"][0]["pairs"] == 1
    assert not (folder.jobs / "random.1").exists()
    assert json.loads((tmp_path / "kept" / "study.json").read_bytes()) == found
    assert len((tmp_path / "kept" / "runs.jsonl").read_text().splitlines()) == 1 + 3


@pytest.mark.parametrize("error", [OSError(28, "No space left on device", "o/x"), shutil.Error([("a", "o/x", "no")])])
def test_a_full_disk_while_runs_are_taken_is_told(error, netsim, monkeypatch):
    def full(*arguments, **options):
        raise error

    monkeypatch.setattr(reuse, "reuse", full)
    status, _, err = netsim("study", "small.yaml", "--out", "o", "--reuse", "other", "--quiet")
    assert status == 1
    assert err.startswith(
        ("netsim: error: cannot write o/x: No space left", "netsim: error: cannot copy a: no; --resume")
    )


def test_shipped_studies_are_listed(netsim):
    _, out, _ = netsim("list", "studies")
    assert "fig5-fig6            Reward and utility against real interactions" in out
