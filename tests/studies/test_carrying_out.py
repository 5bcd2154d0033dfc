"""What an engine is given to do, in which order, and what is left alone. The engine here is one of no processes."""

import json
import shutil
from pathlib import Path

import pytest

from netsim.errors import InputError
from netsim.loading import load_scenario
from netsim.studies import jobs, machine
from netsim.studies.engine import MOST_KILLS, Ended, StudyFolder, carry_out
from netsim.studies.plan import OUT
from netsim.studies.progress import Clock, told
from netsim.studies.worker import timed
from tests.studies.small import RUNS, planned, results_of, seals_of

CHAIN = RUNS.replace(
    "measures:",
    """
  - group: played
    command: evaluate folder:equal --periods 5
  - group: all
    command: evaluate folders:random --periods 5
measures:""",
)


class Pretended:
    """Writes a summary for each job in no time; some fail, some are killed a number of times before they succeed."""

    def __init__(self, folder, places=2, failing=(), kills=None):
        self.folder, self.places, self.failing, self.kills = folder, places, failing, dict(kills or {})
        self.begun, self.running, self.most, self.stopped = [], [], 0, False

    def start(self, job):
        place = self.folder / job.name
        assert all(jobs.KIND.read(self.folder / need)["command"] for need in job.needs)
        jobs.take(place)
        jobs.prepare(place, job)
        self.begun.append(job.name)
        self.running.append(job)
        self.most = max(self.most, len(self.running))

    def ended(self):
        job = self.running.pop(0)
        if self.kills.get(job.name):
            self.kills[job.name] -= 1
            return [Ended(job, put_off=True, killed=True)]
        if job.name in self.failing:
            return [Ended(job, error="it would not")]
        (self.folder / job.name / OUT).mkdir(exist_ok=True)
        summary = {"utility": {"mean": len(job.name) + (job.seed or 0)}}
        (self.folder / job.name / OUT / "summary.json").write_text(json.dumps(summary))
        jobs.keep_time(self.folder / job.name, 2 * job.seconds, {"commit": None, "processor": None})
        jobs.seal(self.folder / job.name, job.command)
        return [Ended(job)]

    def stop(self):
        self.stopped = True


def carried_out(tmp_path, text=RUNS, **options):
    study = planned(text)
    folder = StudyFolder(tmp_path / "out", study)
    folder.jobs.mkdir(parents=True, exist_ok=True)
    engine = Pretended(folder.jobs, **options)
    return carry_out(study, folder, engine), engine


def test_every_run_is_begun_once_and_those_that_need_others_after_them(tmp_path):
    progress, engine = carried_out(tmp_path, CHAIN)
    assert engine.begun == ["equal.0", "equal.1", "random.0", "random.1", "played.0", "played.1", "all"]
    assert {job.name for job in progress.done} == set(engine.begun)
    assert engine.most == 2
    assert engine.stopped


def test_what_needs_a_failed_run_fails_with_it_and_the_rest_is_done(tmp_path):
    progress, _ = carried_out(tmp_path, CHAIN, failing=("equal.1",))
    assert progress.failed == {"equal.1": "it would not", "played.1": "needs equal.1, which failed"}
    assert len(progress.done) == 5


def test_finished_runs_are_left_alone_and_damaged_ones_made_again(tmp_path):
    carried_out(tmp_path)
    out = tmp_path / "out"
    before, seals = results_of(out), seals_of(out)
    summary = out / "jobs" / "random.1" / OUT / "summary.json"
    summary.write_text(summary.read_text().replace("9", "8"))
    (out / "jobs" / "random.0" / OUT / "summary.json").unlink()
    (out / "jobs" / "equal.0" / "manifest.json").write_bytes(b"{")
    _, engine = carried_out(tmp_path)
    assert sorted(engine.begun) == ["equal.0", "random.0", "random.1"]
    assert results_of(out) == before
    assert seals_of(out)["equal.1"] == seals["equal.1"]


def test_a_killed_run_is_begun_again_but_not_for_ever(tmp_path):
    progress, engine = carried_out(tmp_path, kills={"equal.0": 3, "random.1": MOST_KILLS})
    assert engine.begun.count("equal.0") == 4
    assert engine.begun.count("random.1") == MOST_KILLS
    assert progress.failed == {"random.1": f"its worker was killed {MOST_KILLS} times, as when memory runs out"}


def test_of_an_unfinished_run_only_what_can_be_gone_on_with_is_kept(tmp_path):
    """`netsim run` goes on; `netsim collect` would append to what is there."""
    appending = planned(RUNS.replace("run tiny", "collect tiny")).jobs[0]
    for job, kept in ((planned().jobs[0], True), (appending, False)):
        part = tmp_path / job.command[0] / OUT / "part"
        part.parent.mkdir(parents=True)
        part.touch()
        jobs.prepare(tmp_path / job.command[0], job)
        assert part.exists() == kept


def test_runs_are_made_again_whose_folders_were_read_by_them_before(tmp_path):
    """What reads a folder that is made anew may find something else there, also after a stop in between."""
    carried_out(tmp_path, CHAIN)
    shutil.rmtree(tmp_path / "out" / "jobs" / "equal.0")
    _, engine = carried_out(tmp_path, CHAIN, failing=["played.0"])
    assert engine.begun == ["equal.0", "played.0"]
    _, engine = carried_out(tmp_path, CHAIN)
    assert engine.begun == ["played.0"]


def test_the_time_of_a_run_is_that_of_all_beginnings_it_went_on_from(tmp_path):
    """And none of a run that was begun from nothing. The commit is known as soon as anything is kept."""
    going_on = planned().jobs[0]
    appending = planned(RUNS.replace("run tiny", "collect tiny")).jobs[0]
    for job, least in ((going_on, 100.0), (appending, 0.0)):
        folder = tmp_path / job.command[0]
        folder.mkdir()
        jobs.keep_time(folder, 100.0, {"commit": "old", "processor": "a loom"})
        jobs.prepare(folder, job)
        with pytest.raises(ZeroDivisionError), timed(folder):
            assert 1 / 0
        assert least <= jobs.seconds_of(folder) < least + 50
        assert jobs.made_of(folder) == {"commit": machine.commit(), "processor": machine.processor()}
    (folder / jobs.TIME).write_text("[]")
    assert (jobs.seconds_of(folder), jobs.made_of(folder)) == (None, {"commit": None, "processor": None})


def test_a_run_that_fails_is_reported_by_what_it_said_this_time(tmp_path):
    (tmp_path / jobs.LOG).write_text("netsim: error: no space left\n")
    since = jobs.log_size(tmp_path)
    assert jobs.complaint(tmp_path) == "no space left"
    assert jobs.complaint(tmp_path, since) == "it said nothing"
    with (tmp_path / jobs.LOG).open("a") as log:
        log.write("Segmentation fault\n")
    assert jobs.complaint(tmp_path, since) == "Segmentation fault"
    assert jobs.log_size(tmp_path / "nowhere") == 0


def test_another_study_or_another_run_of_the_same_name_is_refused(tmp_path):
    carried_out(tmp_path)
    with pytest.raises(
        InputError, match=r"(?s)equal.0 holds another run of this name:.command: .*\"3\".* there, .*\"4\""
    ):
        carried_out(tmp_path, RUNS.replace("periods: 3", "periods: 4"))
    out = tmp_path / "out"
    folder = StudyFolder(out, planned())
    with pytest.raises(InputError, match="holds other things than a study"):
        folder.refuse_existing(known=True)
    folder.take()
    folder.refuse_existing(known=True)
    with pytest.raises(InputError, match="exists; give another --out, or --resume"):
        folder.refuse_existing(known=False)
    with pytest.raises(InputError, match="holds the study 'small'"):
        StudyFolder(out, planned(RUNS.replace("name: small", "name: other"))).refuse_existing(known=True)


def test_results_of_another_scenario_or_version_are_not_taken_for_those_asked_for(tmp_path, monkeypatch):
    own = tmp_path / "own.yaml"
    own.write_text("a")
    text = RUNS.replace("run tiny", f"run {own}")
    carried_out(tmp_path, text)
    assert carried_out(tmp_path, text)[1].begun == []
    own.write_text("b")
    with pytest.raises(InputError, match=r"inputs\..*own.yaml: .* there, .* asked for"):
        carried_out(tmp_path, text)
    own.write_text("a")
    carried_out(tmp_path, text)
    monkeypatch.setattr(jobs, "versions", lambda *packages: {"slicetwin": "9.9"})
    with pytest.raises(InputError, match=r'versions.slicetwin: .* there, "9.9" asked for'):
        carried_out(tmp_path, text)


def test_code_and_traces_that_a_command_names_decide_its_result_too(tmp_path):
    """A trace stands in the scenario's file, beside which it is."""
    content = load_scenario("tiny").to_dict()
    content["slices"]["video"]["traffic"] = {"kind": "trace", "file": "camera.csv"}
    for name, text in (
        ("own.py", "class Own: ..."),
        ("other.py", "class Other: ..."),
        ("camera.csv", "gap_ns,size_bits\n100,200\n"),
        ("own.yaml", json.dumps(content)),
    ):
        (tmp_path / name).write_text(text)
    own, other, camera, scenario = (str(tmp_path / name) for name in ("own.py", "other.py", "camera.csv", "own.yaml"))
    command = ["run", scenario, "--controller", f"mixed:{own}:Own|{other}:Other|equal"]
    before = jobs.asked_of(command)["inputs"]
    assert sorted(before) == sorted([own, other, camera, scenario])
    for path in (own, other, camera):
        Path(path).write_text(Path(path).read_text() + "\n")
        after = jobs.asked_of(command)["inputs"]
        assert {name for name in before if before[name] != after[name]} == {path}
        before = after
    Path(camera).unlink()
    assert jobs.asked_of(command)["inputs"][camera] is None


def test_the_time_left_is_that_of_the_plan_corrected_by_what_runs_took(tmp_path):
    """Pretended runs say that they took twice as long as foretold, 5 s; of the others nothing is known."""
    progress, _ = carried_out(tmp_path)
    study = planned()
    clock = Clock(StudyFolder(tmp_path / "out", study))
    assert Clock().left_s(study.jobs, [], 2) == 10.0
    assert clock.left_s(study.jobs, progress.done, 2) == 20.0
    assert clock.left_s(study.jobs[:1], progress.done, 4) == 10.0
    assert told(20.0) == "20 s"
