"""A trace is played row for row, and a wrong one is refused with its row, column, rule and value."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from netsim import limits, traces
from netsim.errors import ScenarioError
from netsim.loading import validate_file
from netsim.simulation import Simulation
from netsim.traces import read
from tests.unit.lone_slice import arrivals_of, folder_with, lone_slice

ROWS = "gap_ns,size_bits\n1000000,100\n2000000,200\n0,300\n"
GAP_RULE = "must be a whole number from 0 to 1000000000000000000"
SIZE_RULE = "must be a whole number from 1 to 1099511627776"
MS = 1_000_000
WHOLE = (pa.int64(), pa.int64())


@pytest.fixture
def csv(tmp_path):
    def write(text, name="a.csv"):
        return folder_with(tmp_path, name, text)

    return write


@pytest.fixture
def table(tmp_path):
    def write(types=WHOLE, **columns):
        arrays = {name: pa.array(column, kind) for (name, column), kind in zip(columns.items(), types, strict=True)}
        parquet.write_table(pa.table(arrays), tmp_path / "a.parquet", row_group_size=2)
        return tmp_path

    return write


def lists(trace):
    return tuple(column.tolist() for column in trace)


def played(folder, users=1, user=0, slots=20, **more):
    traffic = {"kind": "trace", "file": "a.csv", **more}
    return arrivals_of(lone_slice(traffic, users=users, slots=slots, folder=folder), user=user)


# -- reading -----------------------------------------------------------------------------------------------------------


def test_columns_are_found_by_name_in_any_order_and_others_ignored(csv):
    folder = csv("\ufeffsize_bits,note,gap_ns\r\n8,a,1\r\n16,,2\r\n")
    assert lists(read("a.csv", folder)) == ([1, 2], [8, 16])


def test_csv_and_parquet_of_the_same_rows_read_alike(csv, table):
    folder = csv(ROWS)
    table(gap_ns=[1000000, 2000000, 0], size_bits=[100, 200, 300])
    assert lists(read("a.csv", folder)) == lists(read("a.parquet", folder))


def test_whole_parquet_columns_of_any_width_are_taken(table):
    folder = table((pa.uint8(), pa.uint64()), gap_ns=[1, 2, 3], size_bits=[1, 2, 1 << 40])
    assert lists(read("a.parquet", folder)) == ([1, 2, 3], [1, 2, 1 << 40])


def test_the_largest_and_smallest_values_are_taken(csv):
    folder = csv(f"gap_ns,size_bits\n{limits.MAX_TIME_NS},{limits.MAX_PACKET_BITS}\n0,1\n")
    assert lists(read("a.csv", folder)) == ([10**18, 0], [1 << 40, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "gap_ns,size_bits\n1,2\n-3,4\n",
            f"a.csv:3: gap_ns: {GAP_RULE}, got '-3' (it is the time since the row before, so rows must be in order of",
        ),
        ("gap_ns,size_bits\n1000000000000000001,4\n", f"a.csv:2: gap_ns: {GAP_RULE}, got '1000000000000000001'"),
        ("gap_ns,size_bits\n1,2\n3,0\n", f"a.csv:3: size_bits: {SIZE_RULE}, got '0'"),
        ("gap_ns,size_bits\n1,1099511627777\n", f"a.csv:2: size_bits: {SIZE_RULE}, got '1099511627777'"),
        ("gap_ns,size_bits\n1,99999999999999999999\n", f"a.csv:2: size_bits: {SIZE_RULE}, got '99999999999999999999'"),
        ("gap_ns,size_bits\n1,1.5\n", f"a.csv:2: size_bits: {SIZE_RULE}, got '1.5'"),
        ("gap_ns,size_bits\n1,1e3\n", f"a.csv:2: size_bits: {SIZE_RULE}, got '1e3'"),
        ("gap_ns,size_bits\n1,nan\n", f"a.csv:2: size_bits: {SIZE_RULE}, got 'nan'"),
        ("gap_ns,size_bits\n1, 2\n", f"a.csv:2: size_bits: {SIZE_RULE}, got ' 2'"),
        ("gap_ns,size_bits\n1,\x1b[31m\n", f"a.csv:2: size_bits: {SIZE_RULE}, got '\\x1b[31m'"),
        ("gap_ns,size_bits\n1,2\n,4\n", f"a.csv:3: gap_ns: {GAP_RULE}, got nothing"),
        ("gap_ns,size_bits\n1,2\n\n3,4\n", f"a.csv:3: gap_ns: {GAP_RULE}, got nothing"),
        ("gap_ns,size_bits\n1,2\n3\n", "a.csv:3: must have 2 columns like the header, got 1"),
        ("gap_ns,size_bits\n1,2,3\n", "a.csv:2: must have 2 columns like the header, got 3"),
        ("gap_ns,size\n1,2\n", "a.csv: must have one column size_bits, its columns are: gap_ns, size"),
        ("gap_ns,gap_ns,size_bits\n1,1,2\n", "a.csv: must have one column gap_ns, its columns are: gap_ns, gap_ns"),
        ("", "a.csv: must have one column gap_ns, its columns are: none"),
        ("gap_ns,size_bits\n", "a.csv: must have at least one row"),
        ("gap_ns,size_bits\n0,2\n0,4\n", "a.csv: gap_ns: must not be 0 in every row"),
        (f"gap_ns,size_bits\n1,{'9' * 3_000_000}\n", "a.csv: cannot be read: "),
    ],
)
def test_a_wrong_csv_names_line_column_rule_and_value(csv, text, message):
    with pytest.raises(ScenarioError) as caught:
        read("a.csv", csv(text))
    assert str(caught.value).startswith(message)
    assert caught.value.exit_status == 2
    assert len(str(caught.value)) < 300


def test_the_line_is_right_far_into_a_long_file(csv):
    rows = "1000,4000\n" * 500_000  # more than one block of the reader
    with pytest.raises(ScenarioError, match=r"^a\.csv:500002: size_bits: .*, got 'x' \(a byte is 8 bits; .*\)$"):
        read("a.csv", csv(f"gap_ns,size_bits\n{rows}1000,x\n"))
    with pytest.raises(ScenarioError, match=r"^a\.csv:500002: must have 2 columns"):
        read("a.csv", csv(f"gap_ns,size_bits\n{rows}1000\n"))


@pytest.mark.parametrize(
    ("types", "gap_ns", "message"),
    [
        ((pa.int64(), pa.int64()), [1, 2, -3], f"a.parquet:3: gap_ns: {GAP_RULE}, got -3"),
        ((pa.uint64(), pa.int64()), [1, 2, 2**64 - 1], f"a.parquet:3: gap_ns: {GAP_RULE}, got {2**64 - 1}"),
        ((pa.int64(), pa.int64()), [1, None, 3], f"a.parquet:2: gap_ns: {GAP_RULE}, got nothing"),
        (
            (pa.float64(), pa.int64()),
            [1, 2, 3],
            "a.parquet: gap_ns: must be a column of whole numbers, is of type doub",
        ),
        ((pa.bool_(), pa.int64()), [True] * 3, "a.parquet: gap_ns: must be a column of whole numbers, is of type bool"),
    ],
)
def test_a_wrong_parquet_file_names_row_column_rule_and_value(table, types, gap_ns, message):
    with pytest.raises(ScenarioError) as caught:
        read("a.parquet", table(types, gap_ns=gap_ns, size_bits=[1, 2, 3]))
    assert str(caught.value).startswith(message)


def test_a_file_that_is_not_what_its_name_says_is_refused(csv, tmp_path):
    with pytest.raises(ScenarioError, match=r"^a\.txt: must end in \.csv or \.parquet$"):
        read("a.txt", csv(ROWS, "a.txt"))
    with pytest.raises(ScenarioError, match=r"^b\.parquet: cannot be read: Parquet magic bytes"):
        read("b.parquet", csv(ROWS, "b.parquet"))
    (tmp_path / "c.csv").write_bytes(b"gap_ns,size_bits\n1,\xff\n")
    with pytest.raises(ScenarioError, match=r"^c\.csv: cannot be read: "):
        read("c.csv", tmp_path)


def test_a_parquet_file_cut_short_anywhere_is_refused(table, tmp_path):
    content = (table(gap_ns=[1, 2, 3], size_bits=[1, 2, 3]) / "a.parquet").read_bytes()
    for length in range(len(content)):
        (tmp_path / "cut.parquet").write_bytes(content[:length])
        with pytest.raises(ScenarioError, match=r"^cut\.parquet: "):
            read("cut.parquet", tmp_path)


def test_there_is_a_most_number_of_rows(csv, monkeypatch):
    folder = csv(ROWS)
    monkeypatch.setattr(limits, "MAX_TRACE_PACKETS", 3)
    assert len(read("a.csv", folder)[0]) == 3
    monkeypatch.setattr(limits, "MAX_TRACE_PACKETS", 2)
    with pytest.raises(ScenarioError, match=r"^a\.csv: must have at most 2 rows$"):
        traces.read("a.csv", folder)


@pytest.mark.parametrize("name", ["../a.csv", "/etc/hosts.csv", "~/a.csv", "sub/../../a.csv", "link.csv"])
def test_nothing_outside_the_scenario_s_folder_is_read(csv, tmp_path, name):
    csv(ROWS)
    inner = tmp_path / "inner"
    (inner / "sub").mkdir(parents=True)
    (inner / "link.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(ScenarioError, match="scenario's folder"):
        read(name, inner)
    with pytest.raises(ScenarioError):
        read(name, None)


# -- played by a simulation --------------------------------------------------------------------------------------------


def test_a_repeated_trace_starts_again_at_its_end(csv):
    instants_ns, sizes = played(csv(ROWS))
    assert instants_ns == [1 * MS, 3 * MS, 3 * MS, 4 * MS, 6 * MS, 6 * MS, 7 * MS, 9 * MS, 9 * MS, 10 * MS]
    assert sizes == [100, 200, 300, 100, 200, 300, 100, 200, 300, 100]


def test_a_trace_that_is_not_repeated_falls_silent(csv):
    assert played(csv(ROWS), repeat=False) == ([1 * MS, 3 * MS, 3 * MS], [100, 200, 300])


def test_each_user_starts_a_stride_further_on(csv):
    folder = csv(ROWS)
    assert played(folder, users=3, user=1, stride=1, slots=10)[1] == [200, 300, 100, 200, 300]
    assert played(folder, users=3, user=2, stride=2, slots=10)[1] == [200, 300, 100, 200, 300]  # row 4, which is row 1
    assert played(folder, users=3, user=1, stride=2, slots=20, repeat=False) == ([0], [300])
    assert played(folder, users=3, user=2, stride=2, slots=20, repeat=False) == ([], [])


def test_a_trace_longer_than_the_blocks_in_which_it_is_copied_keeps_its_order(csv):
    gaps_ns, sizes = [1000 + 17 * i for i in range(100)], [1 + i for i in range(100)]
    rows = "".join(f"{gap},{size}\n" for gap, size in zip(gaps_ns, sizes, strict=True))
    instants_ns, seen = played(csv("gap_ns,size_bits\n" + rows), slots=1, repeat=False)
    assert instants_ns == [sum(gaps_ns[: i + 1]) for i in range(len(instants_ns))]
    assert len(instants_ns) > 64
    assert seen == sizes[: len(seen)]


def test_two_slices_play_each_its_own_trace(csv):
    folder = csv(ROWS)
    csv("gap_ns,size_bits\n500000,7\n", "b.csv")
    one = lone_slice({"kind": "trace", "file": "a.csv"}, slots=4, folder=folder)
    content = one.to_dict()
    content["slices"]["other"] = {**content["slices"]["only"], "traffic": {"kind": "trace", "file": "b.csv"}}
    simulation = Simulation(type(one).from_dict(content, folder))
    assert simulation.reset().offered_bits.tolist() == [100, 7 * 4]


def test_packets_of_the_first_instant_are_counted(csv):
    folder = csv("gap_ns,size_bits\n0,7\n0,7\n500000000,7\n")
    report = Simulation(lone_slice({"kind": "trace", "file": "a.csv"}, users=3, slots=10, folder=folder)).reset()
    assert (report.arrived.tolist(), report.satisfied.tolist()) == ([6], [6])


def test_a_wrong_trace_stops_a_simulation_before_it_starts(csv):
    folder = csv("gap_ns,size_bits\n1,0\n")
    with pytest.raises(ScenarioError, match=r"^a\.csv:2: size_bits: "):
        Simulation(lone_slice({"kind": "trace", "file": "a.csv"}, folder=folder))
    with pytest.raises(ScenarioError, match="must be loaded from a file to have traces"):
        Simulation(lone_slice({"kind": "trace", "file": "a.csv"}))


def test_a_scenario_file_is_valid_only_if_its_traces_are(csv):
    folder = csv("gap_ns,size_bits\n1,2\n3,0\n")
    (folder / "mine.yaml").write_text(
        "name: mine\nslices:\n  a:\n    users: 1\n    traffic: {kind: trace, file: a.csv}\n"
        "    sla: {rate_floor: 0 bit/s, latency_limit: 1 ms}\n"
    )
    [fault] = validate_file(folder / "mine.yaml")
    assert str(fault).startswith(f"slices.a.traffic.file: a.csv:3: size_bits: {SIZE_RULE}, got '0' (")
    csv(ROWS)
    assert validate_file(folder / "mine.yaml") == ()
