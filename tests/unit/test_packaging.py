"""What is installed is what is there, and what it imports is declared."""

import re
import sys
import tomllib

import netsim
from tests.contract.test_imports import ROOT, SOURCES, files_of, imported, parsed

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


# -- what is installed -------------------------------------------------------------------------------------------------


def test_the_list_of_packages_is_the_tree():
    in_tree = {
        ".".join(file.parent.relative_to(ROOT).parts) for top in SOURCES for file in (ROOT / top).rglob("__init__.py")
    }
    tool = PROJECT["tool"]["setuptools"]
    folders = {name: tool["package-dir"].get(name, name.replace(".", "/")) for name in tool["packages"]}
    assert set(folders) == in_tree | {"netsim.scenarios", "netsim.scenarios.studies"}
    assert all((ROOT / folder / "__init__.py").is_file() for folder in folders.values())


def test_scenarios_studies_and_types_ship():
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for package, folder in (("netsim.scenarios", "scenarios"), ("netsim.scenarios.studies", "scenarios/studies")):
        assert all(any(file.match(pattern) for pattern in data[package]) for file in data_files(folder))
    assert "py.typed" in data["netsim"]


def data_files(folder):
    return [file for file in (ROOT / folder).iterdir() if file.is_file() and file.suffix != ".py"]


def test_the_version_is_the_same_everywhere():
    [cited] = re.findall(r"^version: *['\"]?([^'\"\s]+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert netsim.__version__ == PROJECT["project"]["version"] == cited


def test_the_command_is_there():
    module, _, function = PROJECT["project"]["scripts"]["netsim"].partition(":")
    assert function in {
        node.name for node in parsed(ROOT / (module.replace(".", "/") + ".py")).body if hasattr(node, "name")
    }


def test_what_is_imported_is_declared():
    declared = {re.split(r"[<>=\[; ]", text)[0].lower() for text in PROJECT["project"]["dependencies"]}
    provided_by = {"ruamel": "ruamel.yaml", "llvmlite": "numba", "pydantic_core": "pydantic"}
    names = {name.split(".")[0] for top in SOURCES for file in files_of(top) for name in imported(file)}
    foreign = {provided_by.get(n, n) for n in names - set(sys.stdlib_module_names) - set(SOURCES)}
    extras = {
        re.split(r"[<>=\[; ]", t)[0].lower() for ts in PROJECT["project"]["optional-dependencies"].values() for t in ts
    }
    assert foreign <= declared | (extras - {"pytest"})
