"""A run can be looked at while it goes on, and is the same whether anybody looks or not."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import netsim
from netsim import hookimpl, tables
from netsim.goingon import going_on, read_so_far
from netsim.reports import page
from netsim.rows import table_of, write_rows
from netsim.run import run


def printed(folder):
    """What ``netsim csv`` prints of a folder."""
    text = io.BytesIO()
    write_rows(table_of(folder, None), text)
    return list(csv.DictReader(io.StringIO(text.getvalue().decode())))


class Onlooker:
    """Reads what a run has done at the end of some of its periods."""

    def __init__(self, folder, *periods):
        self.stream, self.folder, self.periods, self.seen = going_on(folder / "periods.parquet"), folder, periods, {}

    @hookimpl
    def period_ended(self, report):
        if report.period in self.periods:
            self.seen[report.period] = self.look()

    def look(self):
        return read_so_far(self.stream)


@pytest.fixture
def at_once(monkeypatch):
    """What a run has done is shown after every period."""
    monkeypatch.setattr(tables, "SHOWN_EVERY_S", 0.0)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_seen_of_a_run_are_the_periods_that_it_keeps_in_the_end(tmp_path, at_once, monkeypatch):
    monkeypatch.setattr(tables, "PERIODS_IN_GROUP", 4)  # so that groups end in between
    looking = Onlooker(tmp_path / "run", 1, 3, 10)
    run("tiny", "random", periods=12, seed=1, out=tmp_path / "run", plugins=[looking])
    kept = pq.read_table(tmp_path / "run" / "periods.parquet")
    for period, seen in looking.seen.items():
        assert seen.num_rows == 3 * (period + 1)
        assert seen.equals(kept.select(seen.column_names).cast(seen.schema).slice(0, seen.num_rows))
    assert {"allocation", "ssr", "utility", "latency_p99_ms"} <= set(seen.column_names)


def test_a_run_leaves_the_same_bytes_whether_it_is_shown_or_not(tmp_path, monkeypatch):
    run("tiny", "random", periods=5, seed=1, out=tmp_path / "plain")
    monkeypatch.setattr(tables, "SHOWN_EVERY_S", 0.0)
    run("tiny", "random", periods=5, seed=1, out=tmp_path / "shown")
    assert files(tmp_path / "shown") == files(tmp_path / "plain")


def test_a_stream_cut_off_anywhere_has_the_periods_before(tmp_path, at_once):
    class Keeps(Onlooker):
        def look(self):
            return self.stream.read_bytes()

    looking = Keeps(tmp_path / "run", 4)
    run("tiny", periods=5, out=tmp_path / "run", plugins=[looking])
    whole, begun = looking.seen[4], False
    for size in range(0, len(whole) + 1, 37):
        (tmp_path / "cut").write_bytes(whole[:size])
        try:
            table = read_so_far(tmp_path / "cut")
        except (pa.ArrowInvalid, OSError):
            assert not begun  # only where not even the names of the columns are whole
            continue
        begun = True
        assert table["period"].to_pylist() == sorted([*range(table.num_rows // 3)] * 3)
    assert table.num_rows == 0 or table["period"].to_pylist()[-1] >= 3


def test_a_run_that_is_stopped_keeps_its_periods_and_no_stream(tmp_path, at_once):
    class Stops:
        @hookimpl
        def period_ended(self, report):
            if report.period == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("tiny", periods=5, out=tmp_path / "run", plugins=[Stops()])
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"manifest.json", "events.jsonl", "periods.parquet"}


def test_a_run_goes_on_where_nothing_can_be_shown(tmp_path, at_once):
    class InTheWay:
        @hookimpl
        def run_started(self):
            going_on(tmp_path / "run" / "periods.parquet").mkdir()

    # The folder of results is there when period 0 begins; what stands in its way is no file.
    out = tmp_path / "run"
    summary = run("tiny", periods=5, out=out, plugins=[InTheWay()])
    assert summary == run("tiny", periods=5)
    assert pq.read_table(out / "periods.parquet").num_rows == 18


def test_what_a_killed_run_left_is_shown_and_makes_way_for_the_next(tmp_path, at_once):
    class Copies(Onlooker):
        def look(self):
            return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    looking = Copies(tmp_path / "run", 4)
    run("tiny", periods=9, seed=1, out=tmp_path / "run", plugins=[looking])
    left = tmp_path / "left"
    left.mkdir()
    for name, content in looking.seen[4].items():
        (left / name).write_bytes(content)
    assert not (left / "periods.parquet").exists()
    assert [row["period"] for row in printed(left)] == [str(period) for period in range(5) for _ in range(3)]
    told = page(left)
    assert "The run is going on, or was killed: 4 of 9 periods so far." in told
    assert told.count("<figure ") == page(tmp_path / "run").count("<figure ")
    run("tiny", periods=9, seed=1, out=left, force=True)
    assert not list(left.glob(".*"))
    assert "so far" not in page(left)
    assert netsim.run("tiny", periods=9, seed=1, out=left, resume=True)["periods"] == 9
