"""The command line, as a user meets it: in a process of its own."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.processes import hearing_interrupts

ROOT = Path(__file__).parents[2]


def netsim(*arguments, cwd=None, env=None, **options):
    """Run ``netsim`` and return the finished process, its output as text."""
    return subprocess.run(
        [sys.executable, "-m", "netsim", *map(str, arguments)],
        cwd=cwd or ROOT, env=environment(env), capture_output=True, text=True, timeout=120, check=False, **options,
    )  # fmt: skip


def environment(more=None):
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **(more or {})}


def done(*arguments, **options):
    process = netsim(*arguments, **options)
    assert process.returncode == 0, process.stderr
    return process


def refused(*arguments, status=2, **options):
    """Run ``netsim``, which must fail without a traceback, and return its message."""
    process = netsim(*arguments, **options)
    assert process.returncode == status, process.stderr
    assert "Traceback" not in process.stderr
    assert process.stdout == ""
    return process.stderr


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- the main job ------------------------------------------------------------------------------------------------------


def test_a_run_shows_a_table_per_slice_and_the_cell_s_figures():
    process = done("run", "tiny", "--periods", 5, "--seed", 1)
    for word in (
        "arrived",
        "SSR",
        "slow",
        "late",
        "dropped",
        "latency mean / p99",
        "carried",
        "utility U",
        "worst slice",
    ):
        assert word in process.stdout
    assert "±" in process.stdout
    assert process.stderr == ""  # no progress bar where standard error is no terminal


def test_a_run_leaves_the_promised_files_and_json_is_the_summary(tmp_path):
    process = done("run", "tiny", "--periods", 5, "--packets", "--json", "--out", tmp_path / "run")
    summary = json.loads(process.stdout)
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_bytes())
    assert set(files(tmp_path / "run")) == {
        "manifest.json", "periods.parquet", "packets.parquet", "summary.json", "events.jsonl",
    }  # fmt: skip
    for figure in ("utility", "se_capacity", "se_carried"):
        assert set(summary[figure]) == {"mean", "ci95"}
    for figures in summary["slices"].values():
        assert {"ssr", "latency_mean_ms", "latency_p99_ms", "arrived", "satisfied", "slow", "late", "dropped"} <= set(
            figures
        )


def test_packets_tell_the_same_story_as_periods(tmp_path):
    done("run", "tiny", "--periods", 20, "--packets", "--out", tmp_path / "run", "--controller", "random")
    periods = pq.read_table(tmp_path / "run" / "periods.parquet").to_pylist()
    packets = pq.read_table(tmp_path / "run" / "packets.parquet").to_pylist()
    for name in {row["slice"] for row in periods}:
        rows = [row for row in periods if row["slice"] == name]
        mine = [packet for packet in packets if packet["slice"] == name]
        assert len(mine) == sum(row["arrived"] for row in rows)
        for verdict in ("satisfied", "slow", "late", "dropped"):
            assert sum(p["verdict"] == verdict for p in mine) == sum(row[verdict] for row in rows)
        latencies = [p["departure_ns"] - p["arrival_ns"] for p in mine if p["departure_ns"] is not None]
        assert len(latencies) == sum(row["departed"] for row in rows)
        longest = max((row["latency_max_ms"] for row in rows if row["latency_max_ms"] is not None), default=0)
        assert max(latencies, default=0) == pytest.approx(longest * 1e6)


def test_conservation_holds_in_every_row(tmp_path):
    done("run", "tiny", "--periods", 50, "--controller", "random", "--out", tmp_path / "run")
    pending = {}
    for row in pq.read_table(tmp_path / "run" / "periods.parquet").to_pylist():
        resolved = row["satisfied"] + row["slow"] + row["late"] + row["dropped"]
        assert pending.get(row["slice"], 0) + row["arrived"] == resolved + row["pending"]
        pending[row["slice"]] = row["pending"]


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path):
    for name, hash_seed in (("a", "1"), ("b", "2")):
        arguments = ("--controller", "random", "--periods", 10, "--seed", 3, "--packets", "--out", tmp_path / name)
        done("run", "tiny", *arguments, env={"PYTHONHASHSEED": hash_seed})
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_an_existing_folder_is_refused_replaced_or_resumed(tmp_path):
    arguments = ("run", "tiny", "--periods", 3, "--json", "--out", tmp_path / "run")
    first = done(*arguments)
    assert "exists; give another --out, or --resume, or --force" in refused(*arguments)
    assert done(*arguments, "--resume").stdout == first.stdout
    assert done(*arguments, "--force").stdout == first.stdout
    assert "seed: 0 there, 5 asked for" in refused(*arguments, "--resume", "--seed", 5)


def test_values_of_the_scenario_can_be_overridden(tmp_path):
    done("run", "tiny", "--set", "control.periods=2", "--out", tmp_path / "run", "--quiet")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_bytes())
    assert manifest["request"]["periods"] == 2


# -- plugins -----------------------------------------------------------------------------------------------------------

PLUGIN = """
from netsim.hooks import hookimpl

class Mine:
    def __init__(self, scenario):
        self.scenario = scenario

    @hookimpl
    def decide_allocation(self, report):
        BODY
"""


@pytest.fixture
def plugin(tmp_path):
    def write(body):
        (tmp_path / "mine.py").write_text(PLUGIN.replace("BODY", textwrap.indent(body, " " * 8).strip()))
        return f"{tmp_path / 'mine.py'}:Mine"

    return write


def test_a_controller_in_a_file_of_its_own_controls(plugin, tmp_path):
    spec = plugin("return self.scenario.initial_allocation[::-1]")
    done("run", "tiny", "--controller", spec, "--periods", 2, "--out", tmp_path / "run", "--quiet")
    rows = pq.read_table(tmp_path / "run" / "periods.parquet").to_pylist()
    n = len({row["slice"] for row in rows})
    allocations = [row["allocation"] for row in rows]
    assert allocations[n : 2 * n] == allocations[:n][::-1]


def test_what_a_plugin_raises_is_shown_with_its_own_traceback(plugin):
    process = netsim("run", "tiny", "--controller", plugin("return 1 // 0"), "--periods", 2, "--seed", 4)
    assert process.returncode == 1
    first, *rest = process.stderr.splitlines()
    what = r"plugin '.*mine.py:Mine' failed in decide_allocation: ZeroDivisionError: .* \(period 1, seed 4\)"
    assert re.fullmatch(f"netsim: error: {what}", first)
    assert rest[0] == "Traceback (most recent call last):"
    assert any("return 1 // 0" in line for line in rest)
    assert rest[-1].startswith("ZeroDivisionError")


def test_an_invalid_allocation_is_one_line(plugin):
    message = refused("run", "tiny", "--controller", plugin("return [0, 0, 0]"), "--periods", 2, status=1)
    assert message.count("\n") == 1
    assert "allocation[0] must be at least 1 unit, got 0 (period 1, seed 0)" in message


def test_score_mode_says_how_often_the_controller_was_at_fault(plugin):
    process = done("run", "tiny", "--controller", plugin("return None"), "--periods", 3, "--on-fault", "score")
    assert "at fault in 3 periods" in process.stdout


def test_control_characters_of_foreign_names_do_not_reach_the_terminal(tmp_path):
    message = refused("run", "tiny", "--controller", "\x1b[31mred", "--periods", 1)
    assert "\x1b" not in message
    assert "\\x1b[31mred" in message


# -- wrong input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "tiny", "--controller", "eqal"), "there is no controller 'eqal', did you mean 'equal'?"),
        (("run", "tiny", "--controller", "fixed:1,2"), "needs 3 whole numbers of units that sum to"),
        (("run", "tiny", "--controller", "nowhere.py:Mine"), "cannot read nowhere.py: No such file"),
        (("run", "tiny", "--controller", "netsim.nowhere:Mine"), "there is no module 'netsim.nowhere'"),
        (("run", "tiny", "--periods", "0"), "0 is not in the range"),
        (("run", "tiny", "--seed", "-1"), "-1 is not in the range"),
        (("run", "tiny", "--packets"), "need --out DIR"),
        (("run", "tiny", "--force", "--resume", "--out", "nowhere"), "give one of them"),
        (("run", "no-such-scenario"), "no-such-scenario"),
        (("run", "tiny", "--set", "carrier.prb=-3"), "carrier.prb"),
        (("run",), "Missing argument 'SCENARIO'"),
        (("rnu",), "No such command 'rnu'"),
        (("list", "everything"), "'everything' is not one of"),
    ],
)
def test_wrong_input_is_refused_with_status_2_and_no_traceback(arguments, message):
    assert message in refused(*arguments)


def test_validate_says_every_fault_and_which_files_are_valid(tmp_path):
    (tmp_path / "wrong.yaml").write_text("name: wrong\nslizes: {}\n")
    process = netsim("validate", ROOT / "scenarios" / "tiny.yaml", tmp_path / "wrong.yaml")
    assert process.returncode == 2
    lines = process.stdout.splitlines()
    assert lines[0] == f"{ROOT / 'scenarios' / 'tiny.yaml'}: ok"
    assert lines[1].startswith(f"{tmp_path / 'wrong.yaml'}:")
    assert process.stderr == ""
    assert netsim("validate", ROOT / "scenarios" / "tiny.yaml").returncode == 0


def test_validate_tells_programs_the_same(tmp_path):
    (tmp_path / "wrong.yaml").write_text("name: wrong\nslizes: {}\n")
    process = netsim("validate", "--json", ROOT / "scenarios" / "tiny.yaml", tmp_path / "wrong.yaml")
    assert process.returncode == 2
    good, wrong = json.loads(process.stdout)
    assert good == {"file": str(ROOT / "scenarios" / "tiny.yaml"), "valid": True, "faults": []}
    assert (wrong["file"], wrong["valid"]) == (str(tmp_path / "wrong.yaml"), False)
    [unknown] = [fault for fault in wrong["faults"] if fault["key"] == "slizes"]
    assert {"line": 2, "col": 1, "suggestion": "slices"}.items() <= unknown.items()
    people = netsim("validate", tmp_path / "wrong.yaml").stdout.splitlines()
    assert [fault["message"] for fault in wrong["faults"]] == people


def test_schema_is_the_one_the_shipped_files_name():
    assert json.loads(done("schema").stdout) == json.loads((ROOT / "scenarios" / "scenario.schema.json").read_bytes())


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("controllers", "clairvoyant"), ("scenarios", "table1"), ("traffic", "ngmn-video"),
        ("schedulers", "earliest-deadline"), ("path-loss", "umi-38901"),
    ],
)  # fmt: skip
def test_list_says_what_is_there_a_line_each(what, name):
    lines = done("list", what).stdout.splitlines()
    assert any(re.match(rf"{name} +\S", line) for line in lines)
    assert f"  {lines[0]}" in everything_listed()


@functools.cache
def everything_listed():
    return done("list").stdout.splitlines()


def test_list_tells_programs_the_same():
    told = json.loads(done("list", "schedulers", "--json").stdout)
    assert list(told) == ["schedulers"]
    lines = [f"{each['name']:<20} {each['about']}" for each in told["schedulers"]]
    assert lines == done("list", "schedulers").stdout.splitlines()
    assert {"controllers", "agents", "plugins"} <= set(json.loads(done("list", "--json").stdout))


# -- leaving and starting ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_ran_marks_it_unfinished_and_gives_its_status(tmp_path, number, status):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "netsim", "run", "tiny", "--periods", "100000000", "--out", str(out)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True, preexec_fn=hearing_interrupts
    ) as process:
        wait_until(lambda: (out / ".periods.parquet.partial").exists() and period_reached(out))
        process.send_signal(number)
        _, message = process.communicate(timeout=10)
    assert process.returncode == status
    assert "what a run had written is kept and marked unfinished" in message
    assert "Traceback" not in message
    assert not json.loads((out / "manifest.json").read_bytes())["finished"]
    periods = pq.read_table(out / "periods.parquet")["period"].to_pylist()
    assert periods == sorted(periods)
    assert periods[0] == 0


def period_reached(out):
    """Whether some row groups are in the file, so that the run is well under way."""
    return (out / ".periods.parquet.partial").stat().st_size > 10_000


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_goes_away_is_no_traceback():
    command = f"{sys.executable} -m netsim schema | true"
    process = subprocess.run(
        command, shell=True, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    assert process.stderr == ""


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['netsim', '--help']\n"
        "from netsim.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    heavy = {"torch", "matplotlib", "jinja2", "numba", "pyarrow", "scipy", "numpy"}
    heavy |= {"pydantic", "ruamel", "gymnasium", "rich"}
    assert not heavy & set(process.stderr.split())
    assert "run " in process.stdout


def test_import_netsim_imports_neither_torch_nor_matplotlib_nor_numba():
    code = "import netsim, sys; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert not {"torch", "matplotlib", "numba", "pyarrow"} & set(process.stdout.split())
