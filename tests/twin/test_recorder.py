"""What a network did is kept, however the run ends, and can be read by anybody."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

import netsim
from netsim.errors import InputError
from netsim.hooks import hookimpl
from twin.history import PER_CELL, PER_SLICE, History
from twin.recorder import Recorder

TINY = netsim.load_scenario("tiny")


class Listener:
    """Keeps the reports of a run."""

    def __init__(self):
        self.reports = []

    @hookimpl
    def period_ended(self, report):
        self.reports.append(report)


def record(folder, *, periods=7, seed=1, every=3, scenario=TINY):
    listener = Listener()
    netsim.run(scenario, "random", periods=periods, seed=seed, plugins=[Recorder(folder, every), listener])
    return listener.reports


def assert_same(history, reports):
    assert history.period.tolist() == [report.period for report in reports]
    for name in ("allocation", *PER_SLICE, *PER_CELL):
        np.testing.assert_array_equal(getattr(history, name), [getattr(report, name) for report in reports])


def test_what_is_read_is_what_happened(tmp_path):
    reports = record(tmp_path / "data")
    history = History.read(tmp_path / "data")
    assert_same(history, reports)
    assert (history.slices, history.units, set(history.run)) == (TINY.slice_names, 20, {0})
    np.testing.assert_allclose(history.shares.sum(axis=1), 1.0)


@pytest.mark.parametrize("every", [1, 2, 8, 100])
def test_parts_of_any_length_hold_the_same_history(tmp_path, every):
    reports = record(tmp_path / "data", every=every)
    assert_same(History.read(tmp_path / "data"), reports)


def test_a_run_directory_is_a_history_too(tmp_path):
    listener = Listener()
    netsim.run(TINY, "random", periods=5, seed=1, out=tmp_path / "run", plugins=[listener])
    assert_same(History.read(tmp_path / "run"), listener.reports)


def test_runs_are_appended_and_no_transition_leads_from_one_to_another(tmp_path):
    first, second = (record(tmp_path / "data", periods=n, seed=n) for n in (4, 6))
    history = History.read(tmp_path / "data")
    assert_same(history, [*first, *second])
    assert history.run.tolist() == [0] * 5 + [1] * 7
    assert history.starts.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]


def test_histories_are_joined_with_runs_of_their_own(tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        record(tmp_path / name, seed=seed)
    joined = History.read(tmp_path / "a", tmp_path / "b", tmp_path / "a")
    assert joined.run.tolist() == [0] * 8 + [1] * 8 + [2] * 8


def test_anybody_can_read_a_part(tmp_path):
    reports = record(tmp_path / "data", every=100)
    table = pq.read_table(tmp_path / "data" / "part-00000.parquet")
    assert table["utility"].to_pylist() == [report.utility for report in reports]
    assert table["allocation"].to_pylist() == [list(report.allocation) for report in reports]


def test_a_data_set_of_another_network_is_refused(tmp_path):
    record(tmp_path / "data")
    with pytest.raises(InputError, match="another scenario"):
        record(tmp_path / "data", scenario=netsim.load_scenario("tiny", ["slices.video.users=1"]))
    record(tmp_path / "other", scenario=netsim.load_scenario("table1-1mhz"), periods=1)
    record(tmp_path / "third", scenario=netsim.load_scenario("table1"), periods=1)
    with pytest.raises(InputError, match="different networks"):
        History.read(tmp_path / "other", tmp_path / "third")


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="other files"):
        record(tmp_path)
    with pytest.raises(InputError, match="holds neither"):
        History.read(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_only_one_may_record_to_a_folder(tmp_path):
    recorder = Recorder(tmp_path / "data")
    recorder.run_started(TINY, 1)
    with pytest.raises(InputError, match="another run is writing"):
        record(tmp_path / "data")
    recorder.close()
    record(tmp_path / "data")


@pytest.mark.parametrize("name", ["manifest.json", "part-00001.parquet"])
def test_a_flipped_bit_is_noticed(tmp_path, name):
    record(tmp_path / "data")
    path = tmp_path / "data" / name
    content = bytearray(path.read_bytes())
    for place in range(0, len(content), max(1, len(content) // 40)):
        content[place] ^= 4
        path.write_bytes(content)
        with pytest.raises(InputError):
            History.read(tmp_path / "data")
        content[place] ^= 4
    path.write_bytes(content)
    assert len(History.read(tmp_path / "data")) == 8


def test_a_part_without_a_manifest_that_names_it_does_not_exist(tmp_path):
    reports = record(tmp_path / "data", every=100)
    (tmp_path / "data" / "part-00001.parquet").write_bytes(b"the part of a run that was killed before its manifest")
    assert_same(History.read(tmp_path / "data"), reports)
    more = record(tmp_path / "data", seed=2, every=100)
    assert_same(History.read(tmp_path / "data"), [*reports, *more])


def test_a_run_that_fails_keeps_what_happened(tmp_path):
    class Failing:
        @hookimpl
        def period_ended(self, report):
            if report.period == 4:
                raise RuntimeError("enough")

    with pytest.raises(netsim.PluginError), Recorder(tmp_path / "data", 100) as recorder:
        netsim.run(TINY, "random", periods=9, seed=1, plugins=[recorder, Failing()])
    assert History.read(tmp_path / "data").period.tolist() == [0, 1, 2, 3, 4]


def test_a_killed_run_leaves_a_whole_data_set(tmp_path):
    folder = tmp_path / "data"
    code = (
        "import netsim; from twin.recorder import Recorder;"
        f"netsim.run('tiny', 'random', periods=10**6, seed=1, plugins=[Recorder({str(folder)!r}, 5)])"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    manifest = folder / "manifest.json"
    while not manifest.exists() or len(json.loads(manifest.read_bytes())["parts"]) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = History.read(folder)
    assert kept.period.tolist() == list(range(len(kept)))
    reports = record(tmp_path / "again", periods=14)
    assert_same(History.read(tmp_path / "again"), reports)
    np.testing.assert_array_equal(kept.utility[:15], [report.utility for report in reports])


def test_collect_appends_to_a_data_set(tmp_path):
    command = [sys.executable, "-m", "netsim", "collect", "tiny", "--periods", "20", "--out", str(tmp_path / "data")]
    said = [subprocess.run([*command, "--seed", seed], capture_output=True, text=True, check=True) for seed in "12"]
    assert [done.stdout.strip().rpartition(": ")[2] for done in said] == ["21 periods of 1 run", "42 periods of 2 runs"]
