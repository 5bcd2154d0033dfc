"""Compiled kernels are compiled again when, and only when, something that goes into them has changed."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import netsim
from netsim import compiled

PACKAGE = Path(netsim.__file__).parent
COMPILING = {"kernel", "inner", "inlined", "formula", "intrinsic", "njit", "lower_getattr_generic", "infer_getattr"}

# -- the list of sources -----------------------------------------------------------------------------------------------


class Module:
    """What a module's source defines: functions and classes by name, imports of netsim, and what runs on import."""

    def __init__(self, name):
        self.name = name
        self.imports: dict[str, tuple[str, str | None]] = {}
        self.definitions: dict[str, ast.AST] = {}
        self.on_import: list[ast.AST] = []
        self.compiled: list[str] = []
        self._take(ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8")).body)

    def _take(self, body):
        for node in body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "netsim":
                for alias in node.names:
                    bound = alias.asname or alias.name
                    inside = node.module.partition(".")[2]
                    self.imports[bound] = (inside, alias.name) if inside else (alias.name, None)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
                self._take(node.body)
                self._take(node.orelse)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.definitions[node.name] = node
                if COMPILING & words(node.decorator_list):
                    self.compiled.append(node.name)
            elif not isinstance(node, ast.Import | ast.ImportFrom | ast.If):
                self.on_import.append(node)


def words(nodes):
    """Every name and attribute in some code."""
    leaves = [leaf for node in nodes for leaf in ast.walk(node)]
    return {leaf.id for leaf in leaves if isinstance(leaf, ast.Name)} | {
        leaf.attr for leaf in leaves if isinstance(leaf, ast.Attribute)
    }


def code_of(node):
    """A function's or class's code less its annotations, which numba does not read."""
    if isinstance(node, ast.FunctionDef):
        return [*node.body, *node.args.defaults, *node.decorator_list]
    return [node.value] if isinstance(node, ast.AnnAssign) and node.value else [node]


def closure(first):
    """Modules of netsim from which a module's compiled code takes anything: by name, through functions and imports."""
    modules: dict[str, Module] = {}
    waiting, seen = [(first, "")], set()
    while waiting:
        where, name = waiting.pop()
        if (where, name) not in seen:
            seen.add((where, name))
            if where not in modules:
                modules[where] = Module(where)
            waiting += [(where, ""), *needed(modules[where], name)]
    return set(modules)


def needed(module, name):
    """What a definition needs; with no name, what the module's import and its compiled functions need."""
    if name:
        nodes = code_of(module.definitions[name]) if name in module.definitions else []
        if name in module.imports:
            yield (module.imports[name][0], module.imports[name][1] or "")
    else:
        nodes = [leaf for node in module.on_import for leaf in code_of(node)]
        yield from ((module.name, each) for each in module.compiled)
    for node in (leaf for each in nodes for leaf in ast.walk(each)):
        if isinstance(node, ast.Name) and (node.id in module.definitions or node.id in module.imports):
            yield (module.name, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            imported = module.imports.get(node.value.id)
            if imported and imported[1] is None:
                yield (imported[0], node.attr)


def with_kernels():
    """Modules with functions of which numba keeps compiled code on disk."""
    return [path.stem for path in PACKAGE.glob("*.py") if "@kernel" in path.read_text(encoding="utf-8")]


def test_the_cache_is_named_after_every_module_that_compiled_code_comes_from():
    assert set(compiled.SOURCES) == set().union(*map(closure, with_kernels()))


# -- what an edit costs ------------------------------------------------------------------------------------------------

STEP = """
import netsim
from netsim import compiled, kernel
netsim.Simulation(netsim.load_scenario("tiny"), seed=1).reset()
stats = kernel.advance.stats
print(compiled._source_digest(), sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, and a way to run it that says which cache it used, how many loads and compilations."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "netsim", ignore=ignored)
    shutil.copytree(PACKAGE.parent / "scenarios", tmp_path / "scenarios", ignore=ignored)

    def step():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SLICETWIN_CACHE": str(tmp_path / "cache")}
        ran = subprocess.run(
            [sys.executable, "-c", STEP], env=environment, capture_output=True, text=True, cwd=tmp_path
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.split()

    return tmp_path / "netsim", step


@pytest.mark.slow  # compiles twice, ten seconds each
def test_an_edit_of_the_command_line_is_free_and_one_of_a_model_is_not(copy):
    package, step = copy
    digest, *first = step()
    assert first == ["0", "1"]
    with (package / "cli.py").open("a") as file:
        file.write("# edited\n")
    assert step() == [digest, "1", "0"]
    with (package / "sla.py").open("a") as file:
        file.write("# edited\n")
    other, *third = step()
    assert other != digest
    assert third == ["0", "1"]
