"""Imports run one way, and no further than they must."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import netsim

ROOT = Path(netsim.__file__).resolve().parent.parent
SOURCES = ("netsim", "rl", "twin")
MAY_IMPORT = {"netsim": {"netsim"}, "rl": {"netsim", "rl"}, "twin": {"netsim", "rl", "twin"}}
HEAVY = ("torch", "matplotlib", "numba", "gymnasium", "pyarrow", "scipy", "ruamel")


# -- import direction --------------------------------------------------------------------------------------------------


def parsed(file):
    return ast.parse(file.read_text(), str(file))


def imported(file):
    """Every module that a file imports, wherever in it; relative imports made absolute."""
    package = list(file.relative_to(ROOT).parent.parts)
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def files_of(top):
    return sorted((ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("top", SOURCES)
def test_imports_run_one_way(top):
    tops = {(file.name, name.split(".")[0]) for file in files_of(top) for name in imported(file)}
    assert {pair for pair in tops if pair[1] in SOURCES and pair[1] not in MAY_IMPORT[top]} == set()


def test_the_package_imports_neither_its_tests_nor_its_tools():
    names = {(file, name.split(".")[0]) for top in SOURCES for file in files_of(top) for name in imported(file)}
    found = {(file, name) for file, name in names if name in {"tests", "pytest", "hypothesis", "_pytest"}}
    strategies = ROOT / "netsim" / "testing" / "strategies"
    assert {(file.parent, name) for file, name in found} == {(strategies, "hypothesis")}


# -- what an import costs ----------------------------------------------------------------------------------------------


def loaded_after(code):
    """Which heavy modules a fresh interpreter has loaded after running ``code``."""
    tell = f"import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", f"{code}\n{tell}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "code",
    [
        "import netsim",
        "import netsim.cli, netsim.plugins, netsim.hooks, netsim.report",
        "import netsim.testing",
        "import netsim.testing.strategies",
        "from click.testing import CliRunner; from netsim.cli import netsim; CliRunner().invoke(netsim, ['--help'])",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    assert loaded_after(code) == []


def test_strategies_say_what_to_install_where_hypothesis_is_missing():
    code = "import sys; sys.modules['hypothesis'] = None; import netsim.testing; import netsim.testing.strategies"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: netsim.testing.strategies needs Hypothesis, which is not installed: "
        "pip install 'slicetwin[testing]'"
    )


def test_a_scenario_is_checked_without_the_compiler():
    assert loaded_after("import netsim; netsim.load_scenario('table1')") == ["ruamel"]


def test_a_short_run_without_results_needs_neither_tables_nor_figures():
    code = "import netsim; netsim.Simulation(netsim.load_scenario('tiny')).reset()"
    assert set(loaded_after(code)).isdisjoint({"torch", "matplotlib", "gymnasium", "pyarrow"})
