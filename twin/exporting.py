"""Data sets for others: CSV for anybody, Minari for offline reinforcement learning."""

import copy
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from netsim import allocations
from netsim.errors import InputError, NetsimError, RunError
from netsim.files import sync_folder, temporary
from netsim.scenario import Scenario
from twin.datasets import Origin, origin
from twin.history import PER_CELL, PER_SLICE, History

if TYPE_CHECKING:
    from gymnasium import Space
    from gymnasium.envs.registration import EnvSpec
    from minari.data_collector import EpisodeBuffer

INSTALL = "Minari is not installed: pip install 'slicetwin[minari]'"


def write_csv(folder: str | Path, path: Path, *, force: bool = False) -> int:
    """Write a data set or a run directory as CSV, a row per period; returns how many.

    Columns are ``run``, ``period``, ``FIGURE.SLICE`` for each figure of a slice and ``FIGURE`` for those of the cell;
    what is not known is empty. Numbers read back as they were.

    Raises
    ------
    InputError
        The folder holds no data, or the file exists.
    RunError
        It cannot be written.
    """
    history = History.read(folder)
    if os.path.lexists(path) and not force:
        raise InputError(f"{path} exists; give another name, or --force to replace it")
    partial = temporary(path)
    try:
        csv.write_csv(_table(history), partial, csv.WriteOptions(quoting_style="needed"))
        partial.replace(path)
        sync_folder(path.absolute().parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None
    return len(history)


def _table(history: History) -> pa.Table:
    columns = {"run": history.run, "period": history.period}
    for figure in ("allocation", *PER_SLICE):
        for n, name in enumerate(history.slices):
            columns[f"{figure}.{name}"] = getattr(history, figure)[:, n]
    columns |= {figure: getattr(history, figure) for figure in PER_CELL}
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})


# -- Minari ------------------------------------------------------------------------------------------------------------


def write_minari(folder: str | Path, name: str, files: Path | None = None) -> dict[str, Any]:
    """Make a Minari data set of a data set or a run directory.

    An episode is a recorded run, truncated where it ends. Observations are what agents see
    (:class:`rl.observation.Encoder`), actions numbers of allocations in lexicographic order, as in the environment
    ``netsim/Slicing-v0``; the reward is U. ``infos`` hold every figure of the history, from period 0 on. The
    environment can be recovered from the data set if its scenario is one that ships.

    Parameters
    ----------
    folder
        What to export.
    name
        As Minari has it: ``name-v0``, or ``namespace/name-v0``.
    files
        The folder of the files that the scenario names.

    Raises
    ------
    InputError
        Minari is not installed, there is no transition, or the name is none or taken.
    RunError
        It cannot be written.
    """
    create, buffer, where = _minari(name)
    history, about = History.read(folder), origin(Path(folder))
    scenario = about.played_on(Path(folder), files)
    observation, action, episodes = _episodes(history, about, scenario, buffer)
    if not episodes:
        raise InputError(f"{folder} holds no transition to export")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what a recording has no author for
            create(
                name,
                episodes,
                env=_environment(scenario, history),
                observation_space=observation,
                action_space=action,
                algorithm_name=", ".join(sorted({str(run["controller"]) for run in about.runs})),
                description=_description(scenario),
                requirements=["slicetwin"],
            )
    except OSError as error:
        raise RunError(f"cannot write {where}: {error.strerror or error}") from None
    steps = sum(len(episode.rewards) for episode in episodes)
    return {"name": name, "folder": str(where), "episodes": len(episodes), "steps": steps}


def _minari(name: str) -> tuple[Any, type["EpisodeBuffer"], Path]:
    """What makes a data set, what holds an episode, and the folder where a data set of this name will be."""
    try:
        from minari import create_dataset_from_buffers
        from minari.data_collector import EpisodeBuffer
        from minari.dataset._storages import hdf5_storage  # noqa: F401  # needs more than Minari itself
        from minari.dataset.minari_dataset import parse_dataset_id
        from minari.storage.datasets_root_dir import get_dataset_path
    except ImportError:
        raise InputError(INSTALL) from None
    where = place_of(name, parse_dataset_id, get_dataset_path)
    if where.exists():
        raise InputError(f"{where} exists; give another name or version, or `minari delete {name}`")
    return create_dataset_from_buffers, EpisodeBuffer, where


def place_of(name: str, parse: Callable[[str], Any], path_of: Callable[[str], Any]) -> Path:
    """Where Minari keeps a data set, by two functions of its own.

    Raises
    ------
    InputError
        It is no name of a data set.
    """
    try:
        if parse(name)[2] is None:
            raise ValueError(name)
    except (ValueError, TypeError):
        raise InputError(f"a Minari data set is called name-v0 or namespace/name-v0, got {name!r}") from None
    return Path(path_of(name))


def _episodes(
    history: History, about: Origin, scenario: Scenario, buffer: type["EpisodeBuffer"]
) -> "tuple[Space[Any], Space[Any], list[EpisodeBuffer]]":
    from rl.env import Decisions

    offered = Decisions(scenario, "discrete", "utility", 1)
    states = offered.encoder(history.arrived)
    actions = np.array([allocations.rank(units) for units in history.allocation.tolist()], np.int64)
    episodes: list[EpisodeBuffer] = []
    for run, rows in _runs(history):
        steps = len(rows) - 1
        made = buffer(
            id=len(episodes),
            seed=about.runs[run]["seed"],
            observations=states[rows],
            actions=actions[rows[1:]],
            rewards=history.utility[rows[1:]],
            terminations=np.zeros(steps, np.bool_),
            truncations=np.arange(steps) == steps - 1,
            infos={name: getattr(history, name)[rows] for name in ("allocation", *PER_SLICE, *PER_CELL)},
        )
        episodes.append(made)
    return offered.observation_space, offered.action_space, episodes


def _runs(history: History) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows of each run that has a transition."""
    for run in np.unique(history.run):
        rows = np.flatnonzero(history.run == run)
        if len(rows) > 1:
            yield int(run), rows


def _environment(scenario: Scenario, history: History) -> "EnvSpec | None":
    """How the environment is made again, if the scenario's name is enough for that."""
    import gymnasium

    from netsim.loading import load_scenario
    from rl.registration import ID

    try:
        shipped = load_scenario(scenario.name).hash == scenario.hash
    except NetsimError:
        shipped = False
    if not shipped:
        return None
    spec = copy.deepcopy(gymnasium.spec(ID))  # the registered one makes everybody's environments
    spec.kwargs = {"scenario": scenario.name, "reward": "utility", "periods": int(history.period.max())}
    return spec


def _description(scenario: Scenario) -> str:
    return (
        f"slicetwin scenario {scenario.name}: slicing of {scenario.carrier.units} units between "
        f"{', '.join(scenario.slice_names)}. Observation: log(1 + packets arrived) per slice on a fixed scale. Action: "
        "number of the allocation in lexicographic order. Reward: utility U of the period. Infos: figures per period."
    )
