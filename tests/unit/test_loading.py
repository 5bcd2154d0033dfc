"""Scenario files: what is accepted, and what is said about what is not."""

import json
import pickle
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim import limits
from netsim.errors import ScenarioError
from netsim.loading import (
    Fault,
    ScenarioFaults,
    describe,
    load_scenario,
    parse_scenario,
    resolve_inside,
    scenario_names,
    validate_file,
)
from netsim.scenario import Scenario
from tests.unit.wrong_scenarios import RIGHT, WRONG, Wrong


def no_plugins(hook: str) -> tuple[str, ...]:
    return ()


def faults_of(text: str, *overrides: str) -> tuple[Fault, ...]:
    with pytest.raises(ScenarioFaults) as caught:
        parse_scenario(text, "a.yaml", overrides, registered=no_plugins)
    return caught.value.faults


def changed(old: str, new: str) -> str:
    assert RIGHT.count(old) >= 1, f"the right file does not hold {old!r}"
    return RIGHT.replace(old, new, 1)


def place_of(marked: str) -> tuple[int, int]:
    """Line and column of the first ``^``, both from 1; the start of the text without one."""
    before = marked.partition("^")[0] if "^" in marked else ""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


# -- wrong files


def test_the_right_file_is_right():
    assert parse_scenario(RIGHT).slice_names == ("voice", "data")


def test_there_are_a_hundred_wrong_files():
    assert len({(wrong.old, wrong.new) for wrong in WRONG}) >= 100


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.key}-{wrong.new[-30:]!r}")
def test_a_wrong_file_is_told_its_line_column_key_rule_and_value(wrong: Wrong):
    marked = changed(wrong.old, wrong.new)
    faults = faults_of(marked.replace("^", "", 1))
    lines = [str(fault) for fault in faults if fault.key == wrong.key]
    assert lines, f"no fault at {wrong.key}: {[str(fault) for fault in faults]}"
    line, col = place_of(marked)
    assert lines[0].startswith(f"a.yaml:{line}:{col}: {wrong.key}: ")
    assert wrong.rule in lines[0]
    assert faults[0].rule.startswith(("must ", "is "))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.key}-{wrong.new[-30:]!r}")
def test_one_mistake_makes_no_second_fault_elsewhere(wrong: Wrong):
    faults = faults_of(changed(wrong.old, wrong.new).replace("^", "", 1))
    # A misspelt key is also a missing one; nothing else may follow from a single mistake.
    others = [fault for fault in faults if fault.key != wrong.key and fault.rule != "is required"]
    assert not others


def test_all_faults_of_a_file_come_at_once_and_by_line():
    text = RIGHT.replace("alpha: 0.01", "alpha: -1").replace("prb: 20", "prb: 0").replace("weight", "wieght")
    faults = faults_of(text)
    assert [fault.key for fault in faults] == ["carrier.prb", "slices.voice.wieght", "utility.alpha"]
    assert [fault.line for fault in faults] == sorted(fault.line for fault in faults)


def test_the_message_is_one_line_per_fault():
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(RIGHT.replace("prb: 20", "prb: -3").replace("slot: 0.5 ms", "slot: 1"), "a.yaml")
    assert str(caught.value).splitlines() == [
        "a.yaml:4:8: carrier.prb: must be at least 1, got -3",
        "a.yaml:9:9: control.slot: must be a time with its unit, like '10 ms', got 1",
    ]


def test_faults_of_the_whole_are_each_put_at_their_key():
    faults = faults_of(RIGHT.replace("[3, 7]", "[3, 8]").replace("slice: data, users: 2", "slice: dta, users: 2"))
    assert [fault.key for fault in faults] == ["control.initial_allocation", "events.0.join.slice"]


def test_a_misspelt_kind_is_the_only_fault_of_its_part():
    text = changed("kind: poisson", "kind: poison")
    assert [fault.key for fault in faults_of(text)] == ["slices.data.traffic.kind"]


def test_a_kind_that_a_plugin_registered_is_right():
    text = changed("scheduler: {kind: round-robin}", "scheduler: {kind: fair-queue, options: {quantum: 3}}")
    scenario = parse_scenario(text, registered=lambda hook: {"schedulers": ["fair-queue"]}.get(hook, []))
    assert scenario.slices["voice"].scheduler.kind == "fair-queue"


@pytest.mark.parametrize("name", ["package.module:Class", "file.py:Class"])
def test_a_kind_that_names_a_class_is_right(name: str):
    text = changed("scheduler: {kind: round-robin}", f"scheduler: {{kind: '{name}'}}")
    assert parse_scenario(text, registered=no_plugins).slices["voice"].scheduler.kind == name


def test_names_of_installed_plugins_are_looked_up_by_default():
    with pytest.raises(ScenarioFaults, match="did you mean 'poisson'"):
        parse_scenario(changed("kind: poisson", "kind: poison"))


def test_control_characters_are_escaped_and_long_values_cut():
    (fault,) = faults_of(changed("power: spread", f'power: "\\e[31m{"x" * 500}"'))
    assert str(fault).isprintable()
    assert len(str(fault)) < 2 * limits.MAX_SHOWN_CHARS + 60


def test_faults_survive_the_way_to_another_process():
    error = ScenarioFaults(Fault("a.yaml", 1, 2, "name", "is required"))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_file_with_a_thousand_faults_shows_the_first_ones():
    text = RIGHT + "".join(f"unknown_{i}: 1\n" for i in range(1000))
    with pytest.raises(ScenarioFaults) as caught:
        parse_scenario(text)
    assert len(caught.value.faults) == 1000
    assert str(caught.value).endswith("\nand 800 more")


# -- YAML 1.2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("1e-3", 1e-3),
        ("1.5E+2", 150.0),
        (".5", 0.5),
        ("+2", 2.0),
        ("0x10", 16.0),
        ("0o10", 8.0),
        ("010", 10.0),
    ],
)
def test_numbers_follow_the_core_schema(text: str, value: float):
    assert parse_scenario(changed("alpha: 0.01", f"alpha: {text}")).utility.alpha == value


@pytest.mark.parametrize("word", ["no", "off", "yes", "y", "NO", "1_000", "1:30", "2001-01-01", "0b1", "TrUe"])
def test_words_of_yaml_1_1_are_text(word: str):
    assert parse_scenario(changed("description: a scenario to break", f"description: {word}")).description == word


def test_json_is_a_scenario_too():
    scenario = parse_scenario(RIGHT)
    assert parse_scenario(json.dumps(scenario.to_dict())) == scenario


# -- overrides


def test_overrides_replace_values():
    scenario = parse_scenario(
        RIGHT, overrides=["slices.voice.users=9", "events.0.at=3 s", "control.initial_allocation=[4, 6]", "name=other"]
    )
    assert scenario.slices["voice"].users == 9
    assert scenario.events[0].at_ns == 3_000_000_000
    assert scenario.initial_allocation == (4, 6)
    assert scenario.name == "other"


def test_an_override_makes_the_mappings_it_needs():
    text = RIGHT.replace("utility:\n  alpha: 0.01\n  alpha_per_slice: false\n", "")
    assert parse_scenario(text, overrides=["utility.se=carried"]).utility.se == "carried"


def test_an_override_can_take_a_part_away():
    assert parse_scenario(RIGHT, overrides=["reward="]).reward is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("carrier.prb=-3", "--set carrier.prb: must be at least 1, got -3"),
        ("carrier.prbs=3", "--set carrier.prbs: is not a known key, did you mean 'prb'?"),
        ("control.slot=5", "--set control.slot: must be a time with its unit, like '10 ms', got 5"),
        ("slices.voice.traffic={kind: silnt}", "--set slices.voice.traffic.kind: must be one of"),
        ("carrier.prb", "--set carrier.prb: must be key.path=value"),
        ("=3", "--set scenario: must be key.path=value"),
        ("carrier..prb=3", "--set carrier..prb: must be key.path=value"),
        ("events.7.at=3 s", "--set events.7.at: must name an item of a list of 2 by its number from 0, got 7"),
        ("carrier.prb.x=3", "--set carrier.prb.x: must lead through mappings and lists"),
        ("carrier=a: 1", "--set carrier: must be one value, or a list or mapping in brackets"),
        ("carrier.prb=[1", "--set carrier.prb: must be YAML"),
        ("carrier.prb=*a", "--set carrier.prb: must be written out: aliases are not allowed, got *a"),
    ],
)
def test_a_wrong_override_is_told_its_key_rule_and_value(override: str, message: str):
    (fault, *_) = faults_of(RIGHT, override)
    assert str(fault).startswith(message)


# -- files and names


def test_a_path_is_loaded_and_remembers_its_folder(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(RIGHT)
    assert load_scenario(path).folder == load_scenario(str(path)).folder == tmp_path
    assert validate_file(path) == ()


def test_an_unknown_name_is_told_the_shipped_ones():
    with pytest.raises(ScenarioError, match=r"table1-one-layer.*got 'tabel1', did you mean 'table1'\?"):
        load_scenario("tabel1")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "must not be empty"),
        (b"# nothing\n", "must not be empty"),
        (b"42", "must be a mapping"),
        (b"- 1\n", "must be a mapping"),
        (b"name: \xff\n", "must be UTF-8 text"),
        (b"name: \x00\n", "must hold no control characters"),
        (b"x" * (limits.MAX_FILE_BYTES + 1), "must have at most 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, content: bytes, rule: str):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    (fault,) = validate_file(path)
    assert fault.rule.startswith(rule)
    assert str(fault).startswith(f"{path}:1:")


@pytest.mark.parametrize("name", ["missing.yaml", ".", "a\0b.yaml", "x" * 300 + ".yaml"])
def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path, name: str):
    (fault,) = validate_file(f"{tmp_path}/{name}")
    assert fault.rule.startswith("must be readable")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + RIGHT.encode())
    assert validate_file(path) == ()


def test_descriptions_are_one_line():
    assert describe("table1").startswith("The base station of Table I")
    assert all(len(describe(name).splitlines()) == 1 for name in scenario_names())


# -- traces stay inside the folder


def trace(file: str) -> str:
    start, end = RIGHT.index("      kind: poisson"), RIGHT.index("    sla:\n")
    return f"{RIGHT[:start]}      kind: trace\n      file: '{file}'\n{RIGHT[end:]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "scenario"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "trace.csv").write_text("gap_ns,size_bits\n1,1\n")
    (tmp_path / "secret.csv").write_text("gap_ns,size_bits\n1,1\n")
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inside / "circle.csv").symlink_to(inside / "circle.csv")
    (inside / "up").symlink_to(tmp_path)
    (inside / "friend.csv").symlink_to(inside / "sub" / "trace.csv")
    return inside


OUTSIDE = [
    "/etc/passwd", "../secret.csv", "sub/../../secret.csv", "~/secret.csv", "link.csv", "circle.csv", "up/secret.csv",
    "missing.csv", "sub", "C:\\secret.csv", "..\\secret.csv", "\\\\host\\secret.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_outside_the_folder_is_a_trace(folder: Path, name: str):
    path = folder / "a.yaml"
    path.write_text(trace(name))
    (fault,) = validate_file(path)
    assert fault.key == "slices.data.traffic.file"
    assert fault.line == path.read_text()[: path.read_text().index("file:")].count("\n") + 1
    with pytest.raises(ScenarioError, match="folder"):
        resolve_inside(folder, name)


@pytest.mark.parametrize("name", ["sub/trace.csv", "friend.csv", "./sub/trace.csv"])
def test_what_lies_in_the_folder_is_a_trace(folder: Path, name: str):
    path = folder / "a.yaml"
    path.write_text(trace(name))
    assert validate_file(path) == ()
    assert resolve_inside(load_scenario(path).folder, name) == (folder / "sub" / "trace.csv").resolve()


def test_a_scenario_without_a_folder_has_no_traces():
    with pytest.raises(ScenarioError, match="must be loaded from a file to have traces"):
        resolve_inside(None, "trace.csv")
    assert faults_of(trace("../trace.csv"))[0].rule == "must be a relative path inside the scenario's folder"


# -- hostile input

BILLION = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MIB = limits.MAX_FILE_BYTES
HOSTILE = {
    "alias bomb": BILLION,
    "deep flow lists": "a: " + "[" * 100_000,
    "deep flow lists in lines": "a: " + ("[" * 100 + "\n ") * 1000,
    "deep flow mappings": "{a: " * 100_000,
    "deep flow mappings in lines": "a: " + ("{a: " * 100 + "\n ") * 1000,
    "deep block lists in a line": "- " * 30_000,
    "deep block lists": "- " * 100_000,
    "deep block mappings": "".join(" " * i + "a:\n" for i in range(1000)),
    "deep complex keys": "? " * 100_000,
    "a million users": changed("users: 4", "users: 1000000"),
    "1e308 Hz": changed("200 kHz", "1e308 Hz"),
    "5000 digits": changed("users: 4", "users: " + "9" * 5000),
    "4000 digits": changed("users: 4", "users: " + "9" * 4000),
    "5000 digits with a unit": changed("0.5 ms", "9" * 5000 + " ms"),
    "hexadecimal digits": changed("users: 4", "users: 0x" + "f" * 4000),
    "1e999999999 s": changed("0.5 ms", "1e999999999 s"),
    "nan": changed("0.01", ".nan"),
    "inf": changed("0.01", ".inf"),
    "nan s": changed("0.5 ms", "nan s"),
    "2 MB of text": "name: " + "x" * 2_000_000,
    "1 MB of text": "name: " + "x" * (MIB - 10),
    "1 MB of quoted text": "name: '" + "x" * (MIB - 10) + "'",
    "1 MB of quotes": "'" * MIB,
    "1 MB of a tag": "!" + "x" * (MIB - 10) + " 1",
    "1 MB of an anchor": "&" + "x" * (MIB - 10) + " 1",
    "64 kB of a tag": "!" + "x" * 65_000 + " 1",
    "64 kB of a quoted text": "name: '" + "x" * 65_000 + "'",
    "a long line of keys": ", ".join(f"{{k{i}: 1" for i in range(6000)),
    "1 MB of lines": "\n" * MIB,
    "1 MB of text lines": "a: " + "a\n  " * (MIB // 4),
    "1 MB of wide lines": "a: " + ("x" * 60 + "\n  ") * (MIB // 64),
    "1 MB of comments": ("#" * 30 + "\n") * (MIB // 31),
    "1 MB of spaces": " " * MIB,
    "1 MB of commas": "[" + "," * (MIB - 1),
    "1 MB of numbers": "[" + ("1," * 50 + "\n") * (MIB // 101) + "1]",
    "20,000 keys": "".join(f"k{i}: 1\n" for i in range(20_000)),
    "100,000 keys": "".join(f"k{i}: 1\n" for i in range(90_000)),
    "100,000 documents": "---\n" * 100_000,
    "a long directive": "%YAML 1." + "9" * 5000 + "\n---\na: 1",
    "a lone surrogate": "name: \ud800",
    "a long unknown key": RIGHT + "x" * 4000 + ": 1\n",
}


def seconds_of(text: str) -> float:
    start = time.process_time()
    faults_of(text)
    return time.process_time() - start


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_within_a_second(name: str):
    parse_scenario(RIGHT)  # the parser's import is not what is timed
    faults = faults_of(HOSTILE[name])
    assert any(seconds_of(HOSTILE[name]) < 1.0 for _ in range(3))  # a busy machine is late once, not always
    assert faults
    assert all(str(fault).isprintable() and len(str(fault)) < 1000 for fault in faults)


# -- fuzz


def is_right_or_has_faults(text: str, *overrides: str) -> bool:
    """Whether loading gives a scenario or faults fit to be shown; anything else is raised."""
    try:
        return isinstance(parse_scenario(text, overrides=overrides, registered=no_plugins), Scenario)
    except ScenarioFaults as error:
        return bool(error.faults) and all(str(fault).isprintable() for fault in error.faults)


YAML_PIECES = st.sampled_from(
    ["a", "name", ": ", ":\n", "- ", "\n", "  ", "[", "]", "{", "}", ", ", "'", '"', "|", ">", "&a", "*a", "!t ", "? ",
     "<<", "#", "---", "...", "%", "1", "1e5", ".nan", "null", "~", "\t", "\\", "\x85", "\u2028", "é", "😀", "@", "`"]
)  # fmt: skip


@given(st.text(max_size=200) | st.lists(YAML_PIECES, max_size=40).map("".join))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_scenario_or_has_faults(text: str):
    assert is_right_or_has_faults(text)


TABLE1 = (Path(__file__).resolve().parents[2] / "scenarios" / "table1.yaml").read_text()


def _pieces(text: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", text)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_a_mutated_scenario_is_a_scenario_or_has_faults(data: st.DataObject):
    pieces = _pieces(data.draw(st.sampled_from([RIGHT, TABLE1])))
    for _ in range(data.draw(st.integers(1, 4))):
        i = data.draw(st.integers(0, len(pieces) - 1))
        pieces[i] = data.draw(st.sampled_from(pieces) | YAML_PIECES | st.just("") | st.text(max_size=5))
    assert is_right_or_has_faults("".join(pieces))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = [
    "carrier.prb", "carrier", "slices", "slices.voice", "slices.voice.traffic", "slices.voice.traffic.gap", "events",
    "slices.data.traffic.size", "channel.link", "channel.fading", "channel.path_loss", "events.0.join", "control",
    "control.initial_allocation", "slices.voice.scheduler", "slices.voice.load.points", "reward", "utility.alpha",
    "name",
]  # fmt: skip


@given(st.sampled_from(KEYS), VALUES)
@settings(deadline=None, max_examples=200)
def test_any_value_anywhere_is_right_or_has_faults(key: str, value: object):
    assert is_right_or_has_faults(RIGHT, f"{key}={json.dumps(value)}")
