"""``netsim new``: what it writes works as it is, and says nothing that is not so."""

import ast
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

import netsim
from netsim.cli import netsim as command
from netsim.errors import InputError
from netsim.hooks import Hooks
from netsim.loading import load_scenario, parse_scenario
from netsim.report import PeriodReport
from netsim.schema import scenario_schema
from netsim.starting import STARTS, write_start
from netsim.state import ACTIVE
from netsim.testing import check_controller, check_scheduler

ROOT = Path(netsim.__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    yield tmp_path
    for name in [name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


def said(*arguments):
    """What ``netsim`` prints, which must succeed."""
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


# -- every kind --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [("scenario", "my-cell"), ("controller", "TopDown"), ("scheduler", "Turns")])
def test_the_commands_that_are_printed_work(kind, name):
    first, *following = said("new", kind, name).splitlines()
    assert first.endswith(f"a {kind} to begin with; next:")
    for line in following:
        words = shlex.split(line)
        if words[0] == "netsim":
            said(*words[1:], *(["--periods", "3"] if words[1] == "run" else []))
        else:
            assert words[0] == "python"
            told = subprocess.run(
                [sys.executable, *words[1:]], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
            )
            assert told.stdout == "nothing is wrong with it\n"


def test_the_commands_for_a_file_elsewhere_begin_by_going_there(here, monkeypatch):
    (here / "a b").mkdir()
    _, go, run, show = said("new", "traffic", "Bursty", "--out", "a b/mine.py").splitlines()
    monkeypatch.chdir(here / shlex.split(go)[1])
    said(*shlex.split(run)[1:], "--periods", "3")
    assert shlex.split(show) == ["python", "mine.py"]


@pytest.mark.parametrize("kind", STARTS)
def test_a_file_that_exists_is_kept(kind, here):
    start = STARTS[kind]
    (here / start.file).write_text("mine")
    with pytest.raises(InputError, match=rf"{start.file} exists and is kept; give another NAME, or --out FILE"):
        write_start(start, start.name)
    assert (here / start.file).read_text() == "mine"


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("name", ["", "../A", "/A", "A/B", "a b", "A\n", "A;b", "-A", "None", "x.yaml", "Ä", "A" * 65])
def test_a_name_that_could_lead_elsewhere_or_means_nothing_is_refused(kind, name, here):
    if name == "None" and kind == "scenario":
        return
    with pytest.raises(InputError, match="NAME must be"):
        write_start(STARTS[kind], name)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("out", ["mine.txt", "my-file.py", "class.py", ".py", "a b.py"])
def test_a_file_that_python_could_not_import_is_refused(out):
    with pytest.raises(InputError, match=r"--out FILE must be a Python module, as my_controller\.py"):
        write_start(STARTS["controller"], "Mine", Path(out))


def test_no_file_takes_the_place_of_a_module_of_python_or_of_a_package():
    names = {name: write_start(STARTS["scheduler"], name).name for name in ("Queue", "Netsim", "HTTPServer", "Class")}
    assert names == {
        "Queue": "queue_scheduler.py",
        "Netsim": "netsim_scheduler.py",
        "HTTPServer": "http_server.py",
        "Class": "class_scheduler.py",
    }


def test_a_new_name_may_hold_an_old_one():
    path = write_start(STARTS["controller"], "MyControllerMyController", Path("MyController.py"))
    text = path.read_text()
    assert "--controller MyController.py:MyControllerMyController " in text
    assert {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)} == {
        "MyControllerMyController"
    }


def test_a_folder_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"cannot write nowhere/mine\.py: No such file or directory"):
        write_start(STARTS["controller"], "Mine", Path("nowhere/mine.py"))


# -- the scenario ------------------------------------------------------------------------------------------------------

LINE = re.compile(r"( *)# (or|and): (.*?)(?: {2,}#.*)?")
TEXT = (ROOT / "netsim" / "templates" / "scenario.yaml").read_text()
ALTERNATIVES = [number for number, line in enumerate(TEXT.splitlines()) if LINE.fullmatch(line)]


def with_alternative(number):
    """The template with one of its alternatives put in the place that it belongs to."""
    lines = TEXT.splitlines()
    indent, how, content = LINE.fullmatch(lines[number]).groups()
    if how == "or":
        live = max(i for i in range(number) if lines[i].strip() and not lines[i].lstrip().startswith("#"))
        assert lines[live].startswith(f"{indent}{content.partition(':')[0]}:")
        lines[live] = ""
    lines[number] = indent + content
    return "\n".join(lines)


def test_every_alternative_of_the_scenario_can_be_put_in_place(here):
    write_start(STARTS["traffic"], "MyTraffic")
    (here / "packets.csv").write_text("gap_ns,size_bits\n1000000,800\n")
    plain = load_scenario(write_start(STARTS["scenario"], "plain"))
    for number in ALTERNATIVES:
        (here / "other.yaml").write_text(with_alternative(number))
        assert load_scenario(here / "other.yaml").to_dict() != plain.to_dict(), TEXT.splitlines()[number]


def test_the_scenario_has_every_key_that_there_is():
    def keys(node):
        if isinstance(node, dict):
            yield from node.get("properties", {})
            for value in node.values():
                yield from keys(value)
        elif isinstance(node, list):
            for value in node:
                yield from keys(value)

    there = {key for key in keys(scenario_schema()) if re.search(rf"(^|[ {{]){re.escape(key)}:[ \n]", TEXT, re.M)}
    assert set(keys(scenario_schema())) - there == set()


DEFAULT = re.compile(r"( *)(\w+): [^#]* # .*\[((?!none).+)\]")


def test_what_the_scenario_says_of_lines_that_are_left_out_is_so(here):
    """``[x]``: it is as if x stood there; ``[this]``: it is the same as with the line."""
    lines, told = TEXT.splitlines(), []
    for number, line in enumerate(lines):
        if found := DEFAULT.fullmatch(line):
            indent, key, default = found.groups()
            as_told = line if default == "this" else f"{indent}{key}: {default}"
            with_it, without = ("\n".join([*lines[:number], *put, *lines[number + 1 :]]) for put in ([as_told], []))
            assert parse_scenario(with_it) == parse_scenario(without), key
            told.append(key)
    assert {"prb", "slot", "path_loss", "scheduler", "late", "alpha"} <= set(told)


# -- the plugins -------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_the_controller_and_the_scheduler():
    assert check_controller("netsim.templates.controller:MyController") == []
    assert check_scheduler("netsim.templates.scheduler:MyScheduler", examples=10) == []


def test_the_plugins_name_nothing_that_is_not_there():
    controller, scheduler = (
        (ROOT / "netsim" / "templates" / f"{name}.py").read_text() for name in ("controller", "scheduler")
    )
    named = set(re.findall(r"report\.(\w+)", controller))
    assert named >= {"ssr", "latency_mean_ms", "allocation"}
    assert named <= {field.name for field in fields(PeriodReport)}
    assert set(re.findall(r'active\["(\w+)"\]', scheduler)) == set(ACTIVE.names) - {"average_bits"}
    hooks = re.findall(r"@hookimpl\n    def (\w+)", controller)
    assert set(hooks) <= set(vars(Hooks))
