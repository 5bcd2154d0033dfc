"""``netsim list`` and what the shell completes."""

import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from netsim import hookimpl, plugins
from netsim.cli import netsim as command
from netsim.listing import HEADINGS, headings, listing
from netsim.plugins import Installed, Named
from rl.loops import names
from tests.contract.test_imports import ROOT


@pytest.mark.parametrize("heading", [*HEADINGS, "agents"])
def test_everything_that_is_listed_has_one_line_that_says_what_it_is(heading):
    rows = list(listing(heading))
    assert rows
    for name, line in rows:
        assert re.fullmatch(r"[a-z0-9-]+", name), name
        assert len(line.split()) >= 4, name
        assert line.endswith("."), name
        assert not re.search(r"\n|``|:\w+:`", line), name


def test_agents_are_those_that_can_be_trained():
    assert {name for name, _ in listing("agents")} == set(names())


def test_a_plugin_can_list_things_of_its_own_and_add_to_those_of_others(monkeypatch):
    class Plugin:
        @hookimpl
        def listings(self):
            return {"antennas": {"dish": "A round one."}, "agents": {"human": "You."}}

    there = plugins.installed()
    more = Installed((*there.plugins, Named("more", Plugin())), ())
    monkeypatch.setattr(plugins, "installed", lambda: more)
    assert headings() == [*HEADINGS[:-1], "agents", "antennas", "plugins"]
    assert list(listing("antennas")) == [("dish", "A round one.")]
    assert dict(listing("agents"))["human"] == "You."


def test_a_plugin_that_raises_hides_nothing_of_the_others(monkeypatch):
    class Broken:
        @hookimpl
        def listings(self):
            raise ZeroDivisionError

    there = plugins.installed()
    monkeypatch.setattr(plugins, "installed", lambda: Installed((Named("broken", Broken()), *there.plugins), ()))
    assert "ddqn" in dict(listing("agents"))


# -- completion --------------------------------------------------------------------------------------------------------


def completed(*words):
    """What bash is offered for the last word, in a type each."""
    environment = {"_NETSIM_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("netsim", *words))}
    environment |= {"COMP_CWORD": str(len(words))}
    result = CliRunner(env=environment).invoke(command, prog_name="netsim", catch_exceptions=False)
    return [tuple(line.split(",", 1)) for line in result.output.splitlines()]


def plain(*names):
    return [("plain", name) for name in names]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("run", "table1-"), plain("table1-1mhz", "table1-one-layer")),
        (("run", "mine/ce"), [("file", "mine/ce")]),
        (("run", "tiny", "--controller", "cl"), plain("clairvoyant")),
        (("train", "tiny", "--agent", "gan"), plain("gan-ddqn", "gan-ddqn-dt")),
        (("study", "fig5-f"), plain("fig5-fig6")),
        (("list", "sch"), plain("schedulers")),
        (("new", "sc"), plain("scenario", "scheduler")),
        (("calib",), plain("calibrate")),
    ],
)
def test_names_are_completed_and_files_where_no_name_begins_so(words, found):
    assert completed(*words) == found


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_what_it_is_told_to_by_the_line_in_the_readme(tmp_path):
    [line] = re.findall(r"^(eval .*_NETSIM_COMPLETE=bash_source.*?) *(?:#.*)?$", (ROOT / "README.md").read_text(), re.M)
    shim = tmp_path / "netsim"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m netsim "$@"\n')
    shim.chmod(0o755)
    tab = "COMP_WORDS=(netsim run table1-); COMP_CWORD=2; _netsim_completion netsim; echo ${COMPREPLY[@]}"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", f"{line}\n{tab}"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("table1-1mhz table1-one-layer\n", "")


def test_a_scenario_is_completed_without_anything_heavy():
    code = "from netsim import completion; print(*[i.value for i in completion.scenarios(None, None, 'tab')])"
    tell = "import sys; print(*{'numpy', 'pydantic', 'ruamel', 'rich'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["table1 table1-1mhz table1-one-layer", ""]
