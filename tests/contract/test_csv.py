"""``netsim csv``: tables of runs and trainings, number for number."""

import csv
import io
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import netsim
from netsim.cli import netsim as command
from netsim.errors import InputError, RunError
from netsim.rows import table_of, write_csv
from tests.contract.test_cli import ROOT, refused


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    netsim.run("tiny", "random", periods=20, seed=1, out=folder, packets=True)
    return folder


def rows(*arguments):
    """What is printed, as a mapping per row."""
    told = CliRunner().invoke(command, ["csv", *map(str, arguments)], catch_exceptions=False)
    assert told.exit_code == 0
    return list(csv.DictReader(io.StringIO(told.output)))


@pytest.mark.parametrize("table", ["periods", "packets"])
def test_every_value_of_a_table_reads_back_as_it_was(run, table):
    stored, printed = pq.read_table(run / f"{table}.parquet"), rows(run, table)
    assert len(printed) == stored.num_rows
    assert list(printed[0]) == stored.column_names
    for mine, theirs in zip(printed, stored.to_pylist(), strict=True):
        for name, value in theirs.items():
            assert mine[name] == "" if value is None else type(value)(_read(mine[name], value)) == value


def _read(text, value):
    if isinstance(value, bool):
        return {"true": True, "false": False}[text]
    single = isinstance(value, float) and value == pa.scalar(value, pa.float32()).as_py()
    return pa.scalar(float(text), pa.float32()).as_py() if single else text


def test_a_run_is_its_periods_unless_told_otherwise(run):
    assert rows(run) == rows(run, "periods")


def test_lines_of_json_have_a_column_for_every_value_within_them(tmp_path):
    lines = [{"n": 1, "ssr": {"a": 0.1}, "ok": True}, {"n": 2, "greedy": {"ci95": [0.25, 1e-9]}, "name": 'x,"y"\n'}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"n": 3')
    assert rows(tmp_path) == [
        {"n": "1", "ssr.a": "0.1", "ok": "true", "greedy.ci95.0": "", "greedy.ci95.1": "", "name": ""},
        {"n": "2", "ssr.a": "", "ok": "", "greedy.ci95.0": "0.25", "greedy.ci95.1": "1e-09", "name": 'x,"y"\n'},
    ]


def test_a_file_is_written_whole_or_not_at_all(run, tmp_path):
    out = tmp_path / "periods.csv"
    assert CliRunner().invoke(command, ["csv", str(run), "--out", str(out)]).exit_code == 0
    assert out.read_text().count("\n") == 1 + 21 * 3
    with pytest.raises(InputError, match=r"exists; give another --out, or --force to replace it"):
        write_csv.callback(run, None, out, False)
    (run.parent / "metrics.jsonl").write_text('{"n": 1}\nnonsense\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl:2 is damaged: it is not JSON"):
        write_csv.callback(run.parent, None, out, True)
    assert out.read_text().count("\n") == 1 + 21 * 3
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(RunError, match=r"cannot write .*nowhere.*: No such file or directory"):
        write_csv.callback(run, None, tmp_path / "nowhere" / "a.csv", False)


def test_what_is_no_table_is_told(run, tmp_path):
    with pytest.raises(InputError, match=r"name one of the tables of .*: events, packets, periods, got 'metrics'"):
        table_of(run, "metrics")
    with pytest.raises(InputError, match=r"is no folder of a run or a training: it has no table"):
        table_of(tmp_path, None)
    (tmp_path / "periods.parquet").write_bytes(b"PAR1")
    assert "periods.parquet cannot be read" in refused("csv", tmp_path)
    pq.write_table(pa.table({"a": [[1, 2]]}), tmp_path / "periods.parquet")
    assert "a holds lists, which CSV has no form for; a data set is exported by" in refused("csv", tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_reader_that_goes_away_is_no_traceback(run):
    line = f"cd {ROOT}; {sys.executable} -m netsim csv {run} packets | head -1"
    told = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert told.stdout.startswith('"period","slice"')
    assert told.stderr == ""
