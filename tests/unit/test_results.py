"""A run directory holds what happened, says when it does not, and is never replaced by accident."""

import json
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim import provenance, results, tables
from netsim.errors import InputError, PluginError, RunError
from netsim.hooks import hookimpl
from netsim.loading import load_scenario
from netsim.report import NEVER, PACKET, SLICE_FIELDS, VERDICTS
from netsim.run import run
from netsim.summary import Tally
from netsim.tables import PacketWriter, rounded_kbps
from tests.unit.fake_plant import FakePlant

TABLE1 = load_scenario("table1")


def play(out, controller="random", periods=5, **options):
    return run(TABLE1, controller, periods=periods, plant=FakePlant(TABLE1), out=out, **options)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Kept:
    """Keeps every report of a run."""

    def __init__(self):
        self.reports = []

    @hookimpl
    def period_ended(self, report):
        self.reports.append(report)


# -- contents ----------------------------------------------------------------------------------------------------------


def test_periods_hold_every_figure_of_every_report(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PERIODS_IN_GROUP", 7)  # several row groups, the last one not full
    kept = Kept()
    play(tmp_path / "run", periods=50, plugins=[kept])
    table = pq.read_table(tmp_path / "run" / "periods.parquet")
    assert table.num_rows == 51 * 3
    assert table["slice"].to_pylist() == [*TABLE1.slices] * 51
    for name in (*SLICE_FIELDS, "allocation"):
        expected = np.concatenate([np.asarray(getattr(report, name)) for report in kept.reports])
        assert np.array_equal(table[name].to_numpy(), expected), name
    for name in ("period", "time_s", "utility", "se_capacity", "se_carried"):
        assert table[name].to_pylist() == [getattr(report, name) for report in kept.reports for _ in range(3)]


def test_conservation_can_be_checked_from_the_file_and_from_the_summary(tmp_path):
    summary = play(tmp_path / "run", periods=20)
    rows = pq.read_table(tmp_path / "run" / "periods.parquet").to_pylist()
    for name, figures in summary["slices"].items():
        pending = 0
        for row in (row for row in rows if row["slice"] == name):
            resolved = sum(row[verdict] for verdict in VERDICTS[:4])
            assert pending + row["arrived"] == resolved + row["pending"]
            pending = row["pending"]
        resolved = sum(figures[verdict] for verdict in VERDICTS[:4])
        assert figures["pending_before"] + figures["arrived"] == resolved + figures["pending"]


def test_the_summary_pools_the_controlled_periods_and_leaves_out_period_0(tmp_path):
    summary = play(tmp_path / "run", periods=20)
    rows = [row for row in pq.read_table(tmp_path / "run" / "periods.parquet").to_pylist() if row["period"] > 0]
    for name, figures in summary["slices"].items():
        mine = [row for row in rows if row["slice"] == name]
        resolved = sum(row[verdict] for row in mine for verdict in VERDICTS[:4])
        departed = sum(row["departed"] for row in mine)
        latency = sum(row["latency_mean_ms"] * row["departed"] for row in mine) / departed
        assert figures["ssr"]["mean"] == pytest.approx(sum(row["satisfied"] for row in mine) / resolved)
        assert figures["latency_mean_ms"]["mean"] == pytest.approx(latency)
        assert figures["departed"] == departed
    assert summary["utility"]["mean"] == pytest.approx(np.mean([row["utility"] for row in rows]))
    assert json.loads((tmp_path / "run" / "summary.json").read_bytes()) == summary


def test_a_plant_without_latencies_has_means_and_no_percentiles():
    plant, tally = FakePlant(TABLE1), Tally(TABLE1, 10)
    tally.begin(plant.reset(1))
    for _ in range(10):
        tally.add(plant.step((3, 70, 27)), None)
    video = tally.summary()["slices"]["video"]
    assert video["latency_p99_ms"] == {"mean": None, "ci95": None}
    assert 0.5 < video["latency_mean_ms"]["mean"] < 2.5


def test_the_reward_is_the_one_of_the_scenario_s_thresholds():
    scenario = TABLE1.model_copy(update={"reward": type_of_reward()(gmin=0.0, gmax=2.0)})
    plant, tally, utilities = FakePlant(scenario), Tally(scenario, 30), []
    tally.begin(plant.reset(1))
    for _ in range(30):
        report = plant.step((3, 70, 27))
        utilities.append(report.utility)
        tally.add(report, None)
    expected = [1 + (u - 2.0) / 2 if u >= 2.0 else float(u >= 0.1 * t) for t, u in enumerate(utilities)]
    assert tally.summary()["reward"]["mean"] == pytest.approx(np.mean(expected))


def test_a_scenario_without_thresholds_has_a_reward_that_is_not_known():
    scenario = TABLE1.model_copy(update={"reward": None})
    plant, tally = FakePlant(scenario), Tally(scenario, 2)
    tally.begin(plant.reset(1))
    tally.add(plant.step((3, 70, 27)), None)
    assert tally.summary()["reward"] == {"mean": None, "ci95": None}


def type_of_reward():
    from netsim.scenario import Reward

    return Reward


def test_packets_are_kept_with_nulls_for_what_never_happened(tmp_path):
    play(tmp_path / "run", packets=True)
    table = pq.read_table(tmp_path / "run" / "packets.parquet", page_checksum_verification=True)
    waiting = np.array([verdict == "pending" for verdict in table["verdict"].to_pylist()])
    for name in ("departure_ns", "rate_kbps", "period"):
        assert table[name].is_null().to_numpy().tolist() == waiting.tolist()
    summary = json.loads((tmp_path / "run" / "summary.json").read_bytes())
    assert waiting.sum() == sum(figures["pending"] for figures in summary["slices"].values())


def test_packet_rows_survive_the_file_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PACKETS_IN_GROUP", 1000)
    draw, rows = np.random.default_rng(1), np.zeros(3456, dtype=PACKET)
    for name in ("arrival_ns", "departure_ns", "size_bits"):
        rows[name] = draw.integers(0, 2**62, rows.size)
    rows["rate_bps"] = draw.integers(0, 2**41, rows.size)
    rows["user"], rows["slice"], rows["verdict"] = draw.integers(0, [[250_000], [3], [5]], (3, rows.size))
    rows["departure_ns"][draw.random(rows.size) < 0.1] = NEVER
    writer = PacketWriter(tmp_path / "p.parquet", ["a", "b", "c"])
    for part in np.array_split(rows, [1, 1, 999, 1001, 3400]):
        writer.write(part, period=3)
    writer.close()
    table = pq.read_table(tmp_path / "p.parquet")
    for name in ("arrival_ns", "size_bits", "user"):
        assert np.array_equal(table[name].to_numpy(), rows[name])
    gone = rows["departure_ns"] != NEVER
    assert np.array_equal(table["departure_ns"].drop_null().to_numpy(), rows["departure_ns"][gone])
    kbps = table["rate_kbps"].drop_null().to_numpy()
    assert np.array_equal(kbps, rounded_kbps(rows["rate_bps"][gone]))
    assert table["slice"].to_pylist() == ["abc"[code] for code in rows["slice"]]
    assert table["verdict"].to_pylist() == [VERDICTS[code] for code in rows["verdict"]]


@given(st.integers(1, 2**16 - 1), st.integers(0, 20), st.integers(0, 2**44))
def test_rounding_the_rate_never_moves_it_across_a_floor(significant, shift, rate_bps):
    floor_kbps = significant << shift
    for rate in (rate_bps, floor_kbps * 1000, floor_kbps * 1000 - 1):
        [kbps] = rounded_kbps(np.array([rate]))
        assert (kbps >= floor_kbps) == (rate >= floor_kbps * 1000)
        assert rate / 1000 * (1 - 2**-15) - 1 < kbps <= rate / 1000


# -- determinism and integrity -----------------------------------------------------------------------------------------


def test_equal_requests_leave_equal_bytes(tmp_path):
    play(tmp_path / "a", packets=True)
    play(tmp_path / "b", packets=True)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_nothing_but_the_named_files_is_left(tmp_path):
    play(tmp_path / "run")
    names = {"manifest.json", "periods.parquet", "summary.json", "events.jsonl"}
    assert set(files(tmp_path / "run")) == names
    manifest = results.read_manifest(tmp_path / "run")
    assert manifest["finished"]
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert results.verify(tmp_path / "run") == []


def test_a_flipped_bit_in_any_file_is_noticed(tmp_path):
    play(tmp_path / "run", packets=True)
    draw = np.random.default_rng(6)
    for name, content in files(tmp_path / "run").items():
        for _ in range(40):
            flipped = bytearray(content)
            flipped[draw.integers(len(content))] ^= 1 << draw.integers(8)
            (tmp_path / "run" / name).write_bytes(flipped)
            assert noticed(tmp_path / "run"), name
        (tmp_path / "run" / name).write_bytes(content)
    assert results.verify(tmp_path / "run") == []


def test_truncation_of_the_manifest_at_any_byte_is_noticed(tmp_path):
    play(tmp_path / "run")
    content = (tmp_path / "run" / "manifest.json").read_bytes()
    for length in range(len(content) - 1):  # the last byte ends the line
        (tmp_path / "run" / "manifest.json").write_bytes(content[:length])
        assert noticed(tmp_path / "run")


def noticed(folder):
    try:
        return bool(results.verify(folder))
    except InputError:
        return True


def test_a_missing_file_is_noticed(tmp_path):
    play(tmp_path / "run")
    (tmp_path / "run" / "periods.parquet").unlink()
    assert results.verify(tmp_path / "run") == [f"{tmp_path}/run/periods.parquet is missing"]


# -- an existing folder ------------------------------------------------------------------------------------------------


def test_an_existing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="exists; give another --out, or --resume, or --force"):
        play(tmp_path)


def test_force_replaces_a_run_and_keeps_what_is_not_its_own(tmp_path):
    play(tmp_path / "run", packets=True)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    play(tmp_path / "run", periods=7, force=True)
    assert set(files(tmp_path / "run")) == {
        "manifest.json", "periods.parquet", "summary.json", "events.jsonl", "notes.txt",
    }  # fmt: skip
    assert results.read_manifest(tmp_path / "run")["request"]["periods"] == 7


@pytest.mark.parametrize("name", ["thesis.tex", "summary.txt", "manifest.toml"])
def test_force_never_touches_a_folder_of_other_files(tmp_path, name):
    (tmp_path / name).write_text("years of work")
    with pytest.raises(InputError, match=r"holds other files and no manifest\.json of a run.*give another --out"):
        play(tmp_path, force=True)
    assert files(tmp_path) == {name: b"years of work"}


@pytest.mark.parametrize(
    "others",
    [
        {"manifest.json": b'{"name": "a web page"}'},
        {"manifest.json": b'{"format": "slicetwin-training"}', "metrics.jsonl": b"{}"},
        {"manifest.json": b"[1, 2]", "summary.json": b"{}"},
        {"manifest.json": b'{"format": "netsim-ru', "thesis.tex": b"years of work"},
    ],
)
def test_force_never_replaces_what_has_the_manifest_of_something_else(tmp_path, others):
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"holds other files and no manifest\.json of a run.*give another --out"):
        play(tmp_path, force=True)
    assert files(tmp_path) == others


def test_force_replaces_a_run_whose_manifest_is_cut_short(tmp_path):
    play(tmp_path / "run")
    whole = files(tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_bytes(whole["manifest.json"][:100])
    play(tmp_path / "run", force=True)
    assert files(tmp_path / "run") == whole


def test_force_never_replaces_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is no folder"):
        play(tmp_path / "file", force=True)


def test_resuming_a_finished_run_gives_its_summary_without_running(tmp_path):
    first = play(tmp_path / "run")
    before = files(tmp_path / "run")
    again = run(TABLE1, "random", periods=5, plant=FakePlant(TABLE1, fail_at=0), out=tmp_path / "run", resume=True)
    assert again == first
    assert files(tmp_path / "run") == before


def test_resuming_nothing_starts(tmp_path):
    assert play(tmp_path / "run", resume=True)["periods"] == 5
    (tmp_path / "empty").mkdir()
    assert play(tmp_path / "empty", resume=True)["periods"] == 5
    assert files(tmp_path / "empty") == files(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 2}, "seed: 0 there, 2 asked for"),
        ({"periods": 6}, "periods: 5 there, 6 asked for"),
        ({"controller": "equal"}, 'controller: "random" there, "equal" asked for'),
        ({"packets": True}, "packets: false there, true asked for"),
    ],
)
def test_resuming_another_run_is_refused_with_the_difference(tmp_path, change, difference):
    play(tmp_path / "run")
    with pytest.raises(InputError, match="holds another run") as caught:
        play(tmp_path / "run", resume=True, **change)
    assert difference in str(caught.value).splitlines()


def test_resuming_under_other_versions_is_refused_with_the_difference(tmp_path, monkeypatch):
    play(tmp_path / "run")
    monkeypatch.setattr(provenance, "versions", lambda: {**versions, "numpy": "1.0"})
    versions = results.read_manifest(tmp_path / "run")["request"]["versions"]
    with pytest.raises(InputError, match=r'versions\.numpy: ".*" there, "1\.0" asked for'):
        play(tmp_path / "run", resume=True)


def test_resuming_under_another_scenario_names_the_key(tmp_path):
    play(tmp_path / "run")
    other = load_scenario("table1", ["slices.video.users=45"])
    with pytest.raises(InputError, match=r"scenario\.slices\.video\.users: 46 there, 45 asked for"):
        run(other, "random", periods=5, plant=FakePlant(other), out=tmp_path / "run", resume=True)


def test_resuming_a_damaged_run_is_refused_and_says_so(tmp_path):
    play(tmp_path / "run")
    with (tmp_path / "run" / "periods.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match=r"periods\.parquet is not the file that was written"):
        play(tmp_path / "run", resume=True)


class Breaks:
    def __init__(self, error, at=3):
        self.error, self.at = error, at

    @hookimpl
    def period_ended(self, report):
        if report.period == self.at:
            raise self.error


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_what_ran_before_an_error_is_kept_and_marked_unfinished(tmp_path, error):
    with pytest.raises((PluginError, KeyboardInterrupt)):
        play(tmp_path / "run", plugins=[Breaks(error)])
    manifest = results.read_manifest(tmp_path / "run")
    assert not manifest["finished"]
    assert set(files(tmp_path / "run")) == {"manifest.json", "periods.parquet", "events.jsonl"}
    assert results.verify(tmp_path / "run") == []
    assert pq.read_table(tmp_path / "run" / "periods.parquet")["period"].to_pylist() == np.repeat(range(4), 3).tolist()


def test_an_unfinished_run_is_run_again_to_the_bytes_of_an_uninterrupted_one(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        play(tmp_path / "a", plugins=[Breaks(KeyboardInterrupt())])
    play(tmp_path / "a", plugins=[Breaks(None, at=-1)], resume=True)
    play(tmp_path / "b", plugins=[Breaks(None, at=-1)])
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_run_that_was_killed_is_run_again(tmp_path):
    """A process that is killed leaves its temporary files, an unfinished manifest and a lock that nobody holds."""
    play(tmp_path / "b")

    class Killed:
        @hookimpl
        def run_started(self):
            pass

        @hookimpl
        def period_ended(self, report):
            if report.period == 3:
                shutil.copytree(tmp_path / "a", tmp_path / "killed")

    play(tmp_path / "a", plugins=[Killed()])
    assert {".periods.parquet.partial", ".events.jsonl.partial", ".lock"} <= set(files(tmp_path / "killed"))
    with pytest.raises(InputError, match="plugins"):
        play(tmp_path / "killed", resume=True)
    play(tmp_path / "killed", force=True)
    assert files(tmp_path / "killed") == files(tmp_path / "b")


def test_a_run_that_was_killed_before_its_first_manifest_is_run_again(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").write_text("")
    (tmp_path / "run" / ".manifest.json.partial").write_text("{")
    play(tmp_path / "run", resume=True)
    assert results.verify(tmp_path / "run") == []


def test_resuming_a_folder_that_holds_no_run_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is no run directory"):
        play(tmp_path, resume=True)


def test_a_second_run_on_the_same_folder_is_refused(tmp_path):
    class Second:
        @hookimpl
        def period_ended(self, report):
            with pytest.raises(InputError, match="another run is writing"):
                play(tmp_path / "run", force=True)

    play(tmp_path / "run", plugins=[Second()])
    assert results.verify(tmp_path / "run") == []


def test_a_folder_that_cannot_be_made_is_refused_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    plant = FakePlant(TABLE1)
    with pytest.raises(InputError, match=r"cannot write .*Not a directory"):
        run(TABLE1, "equal", periods=2, plant=plant, out=tmp_path / "file" / "run")
    assert plant.allocations == []


@pytest.mark.skipif(os.name != "posix", reason="needs a file-size limit of the system")
def test_a_full_disk_is_one_line(tmp_path):
    import resource
    import signal

    old, limit = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        with pytest.raises(RunError, match=r"^cannot write .*File too large$"):
            play(tmp_path / "run", periods=4000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, old)
    assert not results.read_manifest(tmp_path / "run")["finished"]
