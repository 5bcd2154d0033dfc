"""Runs of one study that another asks for too."""

import os

import pytest

from netsim.errors import InputError
from netsim.studies import jobs
from netsim.studies.engine import StudyFolder, carry_out
from netsim.studies.reuse import STAGING, reuse
from tests.studies.small import RUNS, planned, results_of
from tests.studies.test_carrying_out import CHAIN, Pretended, carried_out

OTHER = CHAIN.replace("name: small", "name: other").replace("controllers: [equal, random]", "controllers: [random]")
OTHER = OTHER.replace('group: "{controller}"', 'group: "my-{controller}"').replace("folder:equal", "folder:my-random")
OTHER = OTHER.replace("folders:random", "folders:my-random").replace("lower: random", "lower: my-random")
OTHER = OTHER.replace("higher: equal", "higher: my-random").replace("seeds: 2", "seeds: 3")


@pytest.fixture
def other(tmp_path):
    StudyFolder(tmp_path / "out", planned(RUNS)).take()
    carried_out(tmp_path)
    return StudyFolder(tmp_path / "other", planned(OTHER)), tmp_path / "out"


def taken(folder, there):
    held = folder.take()
    try:
        return reuse(planned(OTHER), folder, [there])
    finally:
        os.close(held)


def test_runs_of_the_same_command_are_taken_under_their_new_names_and_the_rest_is_run(other):
    folder, there = other
    assert taken(folder, there) == ["my-random.0", "my-random.1"]
    for seed in range(2):
        run = jobs.results(there / "jobs" / f"random.{seed}")
        assert [path.read_bytes() for path in run] == [
            path.read_bytes() for path in jobs.results(folder.jobs / f"my-random.{seed}")
        ]
    engine = Pretended(folder.jobs)
    carry_out(planned(OTHER), folder, engine)
    assert engine.begun == ["my-random.2", "played.0", "played.1", "played.2", "all"]
    assert taken(folder, there) == []  # what is finished is left alone


def test_damaged_runs_and_those_of_other_versions_are_not_taken(other, monkeypatch):
    folder, there = other
    (there / "jobs" / "random.0" / "out" / "summary.json").write_bytes(b"{}")
    (there / "jobs" / "equal.0" / "manifest.json").write_bytes(b"{")
    assert taken(folder, there) == ["my-random.1"]
    monkeypatch.setattr(jobs, "versions", lambda *packages: {"slicetwin": "9.9"})
    folder = StudyFolder(folder.path.with_name("third"), planned(OTHER))
    assert taken(folder, there) == []


def test_an_unfinished_run_and_what_a_kill_left_are_replaced(other):
    folder, there = other
    for name in ("my-random.0", STAGING):
        (folder.jobs / name / "out").mkdir(parents=True)
        (folder.jobs / name / "out" / "part").touch()
    assert taken(folder, there) == ["my-random.0", "my-random.1"]
    assert not (folder.jobs / "my-random.0" / "out" / "part").exists()
    assert not (folder.jobs / STAGING).exists()


def test_only_studies_have_runs_to_take(tmp_path):
    folder = StudyFolder(tmp_path / "mine", planned(RUNS))
    folder.take()
    with pytest.raises(InputError, match="is no folder of a study"):
        reuse(planned(RUNS), folder, [tmp_path])
    assert results_of(folder.path) == {}
