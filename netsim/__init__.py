"""slicetwin's network simulator: a packet-level model of a sliced 5G base station that controllers plug into."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from netsim.errors import AllocationError, NetsimError, PluginError, RunError, ScenarioError
from netsim.hooks import hookimpl

if TYPE_CHECKING:
    from netsim.batch import SimulationBatch
    from netsim.loading import load_scenario, parse_scenario
    from netsim.report import PeriodReport
    from netsim.run import run
    from netsim.scenario import Scenario
    from netsim.simulation import Plant, Simulation

__version__ = "0.1.0"

__all__ = [
    "AllocationError",
    "NetsimError",
    "PeriodReport",
    "Plant",
    "PluginError",
    "RunError",
    "Scenario",
    "ScenarioError",
    "Simulation",
    "SimulationBatch",
    "hookimpl",
    "load_scenario",
    "parse_scenario",
    "run",
]

_WHERE = {
    "PeriodReport": "netsim.report",
    "Plant": "netsim.simulation",
    "Scenario": "netsim.scenario",
    "Simulation": "netsim.simulation",
    "SimulationBatch": "netsim.batch",
    "load_scenario": "netsim.loading",
    "parse_scenario": "netsim.loading",
    "run": "netsim.run",
}


def __getattr__(name: str) -> Any:
    """Import the larger parts when they are first asked for, so that ``import netsim`` is quick."""
    if name not in _WHERE:
        raise AttributeError(f"module 'netsim' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Python binds a submodule to its package when it is imported: ``netsim.run`` stays the function all the same."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _WHERE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
