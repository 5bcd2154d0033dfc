"""Registers ``netsim/Slicing-v0`` with Gymnasium, no sooner than Gymnasium is there.

``import rl`` happens whenever the command line looks for plugins, and must not cost what importing Gymnasium does. So
where Gymnasium has not been imported yet, its registry is told at the moment it is.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

ID = "netsim/Slicing-v0"
_REGISTRY = "gymnasium.envs.registration"


def register() -> None:
    """Make the environment known, now or when Gymnasium is imported."""
    if _REGISTRY in sys.modules:
        _register(sys.modules[_REGISTRY])
    else:
        sys.meta_path.insert(0, _WhenImported())


def _register(registration: ModuleType) -> None:
    if ID not in registration.registry:
        registration.register(ID, entry_point="rl.env:SlicingEnv", vector_entry_point="rl.vector:SlicingVectorEnv")


class _WhenImported(MetaPathFinder):
    """Finds Gymnasium's registry once, as anybody would, and registers the environment when it has been loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The registry's own spec, with a loader that registers after loading; nothing for any other module."""
        if fullname != _REGISTRY:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)
        return spec


class _Registering(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _register(module)
