"""Every example prints what it says it prints."""

import ast
import doctest
import importlib.util
import os
import re
import subprocess
import sys
import textwrap

import pytest

from netsim.testing import check_controller
from tests.contract.test_imports import ROOT

EXAMPLES = ROOT / "examples"
NEEDS = {"stable_baselines": "stable_baselines3", "max_min": "hypothesis"}
NO_SCRIPTS = {"worst_first", "in_turn", "dueling"}
"""A controller and a scheduler, which the README shows whole, and an agent; the suite tests them."""
FED = {"interactions_to_level": "trainings"}


def promised(name):
    """What the docstring of an example says that it prints: the block at its end."""
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text()))
    return textwrap.dedent(re.search(r"prints[^\n]*(?:\n[^\n]+)*\n\n((?:    [^\n]*\n?)+)$", text).group(1)).strip()


def scripts():
    return sorted(file.stem for file in EXAMPLES.glob("*.py") if file.stem not in {*NO_SCRIPTS, *FED})


def same(wanted, told):
    """Whether a text is the one that was promised, ``...`` standing for anything."""
    return doctest.OutputChecker().check_output(wanted + "\n", told, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


@pytest.mark.whole
@pytest.mark.parametrize("name", scripts())
def test_an_example_prints_what_it_says(name, tmp_path):
    package = NEEDS.get(name)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert same(promised(name), done.stdout), done.stdout
    assert {path.name for path in tmp_path.iterdir()} <= {".hypothesis"}  # it leaves nothing of its own behind


def test_what_is_promised_is_compared():
    assert same("U 3...\nSSR 1", "U   3.17\nSSR 1\n")
    assert not same("U 3...\nSSR 1", "U 3.17\nSSR 0\n")
    assert all(len(promised(name)) > 20 for name in scripts())


def test_every_example_is_in_the_list_of_them():
    listed = set(re.findall(r"^\| \[`(\w+)\.py`\]\(\1\.py\)", (EXAMPLES / "README.md").read_text(), re.M))
    assert listed == {file.stem for file in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("spec", ["worst_first.py:WorstFirst", "max_min.py:MaxMin", "late_plant.py:Seesaw"])
def test_nothing_is_wrong_with_the_controllers_of_examples(spec):
    assert check_controller(f"{EXAMPLES / spec}") == []
