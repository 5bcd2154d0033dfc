"""The oracle is another program: what it takes from netsim is the scenario's values and the random streams."""

import ast
from pathlib import Path

import tests.oracles

FOLDER = Path(tests.oracles.__file__).parent


def imports_of(module):
    """The modules that a module of the oracle imports."""
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names if node.module == "tests.oracles")


def modules_of_the_oracle():
    """Module of the oracle -> what it imports, from the base station on."""
    found, to_look_at = {}, ["base_station"]
    while to_look_at:
        module = to_look_at.pop()
        if module not in found:
            found[module] = set(imports_of(module))
            own = (name.split(".")[2] for name in found[module] if name.startswith("tests.oracles."))
            to_look_at.extend(own)
    return found


def importers(modules, package):
    """Module of the oracle -> the parts of a package that it imports."""
    parts = {module: {n for n in names if n.split(".")[0] == package} for module, names in modules.items()}
    return {module: names for module, names in parts.items() if names}


def test_the_oracle_takes_only_values_and_random_streams_from_netsim():
    modules = modules_of_the_oracle()
    assert {"slices", "schedulers", "channel", "traffic", "report"} <= set(modules)
    of_netsim = importers(modules, "netsim")
    assert of_netsim.pop("draws") == {"netsim.portable", "netsim.streams"}
    assert set().union(*of_netsim.values()) == {"netsim.scenario"}


def test_the_oracle_needs_numpy_only_for_the_words_of_streams_and_the_arguments_of_plugins():
    assert set(importers(modules_of_the_oracle(), "numpy")) == {"draws", "plugin_calls"}
