"""The example of a plugin, installed from its folder into an environment of its own."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest

from tests.contract.test_imports import ROOT

pytestmark = pytest.mark.whole
PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter that has all that this one has, and the plugin."""
    pytest.importorskip("setuptools", minversion="77", reason="needs setuptools: pip install 'slicetwin[test]'")
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    there = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    [site] = (folder / "venv").rglob("site-packages")
    (site / "all-of-this.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    shutil.copytree(PLUGIN, folder / "plugin", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", folder / "plugin"]
    said(there, *install)
    return there


def said(python, *arguments, status=0, **options):
    done = subprocess.run(
        [python, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )
    assert done.returncode == status, done.stderr + done.stdout
    return done.stdout + done.stderr


def netsim(python, *arguments, **options):
    return said(python, "-m", "netsim", *arguments, **options)


@pytest.mark.parametrize(
    ("heading", "name"),
    [("controllers", "headroom"), ("schedulers", "shortest-backlog"), ("traffic", "sensors"), ("plugins", "edgeslice")],
)
def test_what_it_adds_is_listed_with_a_line(python, heading, name):
    assert re.search(rf"^{name} +\S.*\S$", netsim(python, "list", heading), re.M)


def test_the_commands_of_its_readme_work_and_the_audit_finds_nothing(python, tmp_path):
    commands = re.findall(r"^netsim (run .*)$", (PLUGIN / "README.md").read_text(), re.M)
    assert len(commands) == 3
    for command in commands:
        told = subprocess.run(
            f'"{python}" -m netsim {command}',
            shell=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert re.search(r"no law is broken|checked|audited", told.stderr), told.stderr


def test_a_scenario_may_name_all_three_and_a_wrong_text_or_option_is_told_in_one_line(python, tmp_path):
    traffic = "slices.URLLC.traffic={kind: sensors, options: {interval_ms: 5.0}}"
    both = ("--set", traffic, "--set", "slices.video.scheduler={kind: shortest-backlog}")
    told = netsim(python, "run", "tiny", "--controller", "headroom:0.3", *both, "--out", tmp_path / "run")
    assert "controller headroom:0.3" in told
    told = netsim(python, "run", "tiny", "--controller", "headroom:1.5", status=2)
    assert told == "netsim: error: headroom:SHARE needs a share of the carrier, 0 or more and less than 1, got '1.5'\n"
    wrong = netsim(python, "run", "tiny", "--set", traffic.replace("5.0", "-5.0"), status=1)
    assert "'sensors' cannot be made: ValueError: interval_ms and alarm_every must be positive" in wrong


def test_its_own_tests_pass(python):
    told = said(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, PLUGIN / "tests")
    assert re.search(r"\d+ passed", told)


def test_the_doctor_finds_it(python):
    assert "plugin edgeslice" in netsim(python, "doctor", "--quick")
