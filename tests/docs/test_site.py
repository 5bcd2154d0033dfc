"""The site is built without a warning and without the network, and what it shows is in it."""

import re
import subprocess
import sys

import pytest

from netsim.cli import netsim
from netsim.scenario import Scenario
from tests.docs.pages import ROOT

sphinx = pytest.importorskip("sphinx", reason="pip install 'slicetwin[docs]'")
pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "-E", "-d", str(folder / "trees"), "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


def text_of(file):
    return re.sub(r"<[^>]+>", "", file.read_text())


def test_nothing_is_asked_of_another_host(site):
    """Links lead elsewhere when they are followed; nothing is loaded from there."""
    loaded = re.compile(r"<(?:script|img|iframe|link)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"")
    found = [match[0] for page in site.rglob("*.html") for match in loaded.finditer(page.read_text())]
    assert found == []


def test_every_command_and_option_is_in_the_reference(site):
    shown = text_of(site / "reference" / "command-line.html")
    context = netsim.make_context("netsim", ["--help"], resilient_parsing=True)
    for name in netsim.list_commands(context):
        command = netsim.get_command(context, name)
        children = getattr(command, "commands", {name: command}).values()
        for child in children:
            assert f"netsim {name}" in shown
            assert all(parameter.opts[0] in shown for parameter in child.params if parameter.opts[0].startswith("--"))


def test_every_key_of_a_scenario_is_in_the_reference(site):
    shown = text_of(site / "reference" / "scenario.html")
    schema = Scenario.model_json_schema(by_alias=True)
    keys = {key for part in schema["$defs"].values() for key in part.get("properties", {})} | set(schema["properties"])
    assert {key for key in keys if key not in shown} == set()


def test_formulae_are_drawn_by_the_browser(site):
    assert (site / "explanation" / "model.html").read_text().count("<math") > 10
