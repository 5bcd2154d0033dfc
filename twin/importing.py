"""Data sets of Minari as data sets of ours, to fit twins to and to learn from.

An episode becomes a run. Where its infos have every figure of its periods, as those that we export, it is taken as it
is, so a real network can have been its source. Where they have not, as those that Minari records of the environment
``netsim/Slicing-v0``, its seed and actions are played on the simulator again, which has to show the same observations.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netsim.errors import InputError, RunError
from netsim.scenario import Scenario
from twin import datasets
from twin.exporting import INSTALL, place_of
from twin.history import PER_CELL, PER_SLICE

if TYPE_CHECKING:
    from minari import EpisodeData, MinariDataset

    from rl.env import Decisions

Figures = Mapping[str, NDArray[Any]]
FIGURES = ("allocation", *PER_SLICE, *PER_CELL)
"""What a data set holds of a period."""
_MAY_BE_UNKNOWN = ("latency_mean_ms",)


def read_minari(name: str, out: Path, scenario: str | None = None) -> dict[str, Any]:
    """Make a data set of a Minari data set, a run of each episode; returns the scenario and how much there is.

    Parameters
    ----------
    name
        As Minari has it: ``name-v0``, or ``namespace/name-v0``.
    out
        The folder of the data set, a new one.
    scenario
        What was played, a shipped name or a file; without it what the environment of the data set names.

    Raises
    ------
    InputError
        Minari is not installed, it has no such data set, the folder exists, or the data are not of the scenario:
        naming the episode, the figure, the rule and the value.
    RunError
        It cannot be written.
    """
    there = _loaded(name)
    if os.path.lexists(out):
        raise InputError(f"{out} exists; give another --out")
    played = _scenario_of(there, scenario)
    episodes = list(_episodes(there, played))
    if not episodes:
        raise InputError(f"{name} has no episode to import")
    try:
        out.mkdir(parents=True)
        _write(out, played, episodes, there.storage.metadata.get("algorithm_name"))
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from None
    periods = sum(len(figures["period"]) for _, figures in episodes)
    return {"scenario": played.name, "runs": len(episodes), "periods": periods}


def _loaded(name: str) -> "MinariDataset":
    try:
        from minari import load_dataset
        from minari.dataset._storages import hdf5_storage  # noqa: F401  # needs more than Minari itself
        from minari.dataset.minari_dataset import parse_dataset_id
        from minari.storage.datasets_root_dir import get_dataset_path
    except ImportError:
        raise InputError(INSTALL) from None
    where = place_of(name, parse_dataset_id, get_dataset_path)
    try:
        return load_dataset(name)
    except FileNotFoundError:
        raise InputError(f"{where} is no data set; `minari download {name}` gets one that is published") from None
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{where} cannot be read: {error}") from None


def _scenario_of(there: "MinariDataset", asked: str | None) -> Scenario:
    from netsim.loading import load_scenario

    spec = there.env_spec
    named = spec.kwargs.get("scenario") if asked is None and spec is not None else asked
    if not isinstance(named, str):
        raise InputError("the data set does not say what was played: give --scenario SCENARIO")
    return load_scenario(named)


def _write(out: Path, scenario: Scenario, episodes: "list[tuple[int | None, Figures]]", controller: str | None) -> None:
    from netsim.seals import written

    manifest = datasets.new_manifest(scenario)
    for run, (seed, figures) in enumerate(episodes):
        part = f"part-{run:05d}.parquet"
        datasets.write_figures(out / part, run, figures)
        manifest["runs"].append({"run": run, "seed": seed, "controller": controller or None})
        manifest["parts"].append({"name": part, **written(out / part), "periods": len(figures["period"])})
    datasets.write_manifest(out, manifest)  # last, so that what is not all there is no data set


# -- episodes ----------------------------------------------------------------------------------------------------------


def _episodes(there: "MinariDataset", scenario: Scenario) -> "Iterator[tuple[int | None, Figures]]":
    decisions = _decisions(there, scenario)
    seeds = [_seed(metadata) for metadata in there.storage.get_episode_metadata(there.episode_indices)]
    for seed, episode in zip(seeds, there.iterate_episodes(), strict=True):
        where = f"episode {episode.id}"
        _check_observations(episode, len(scenario.slices), where)
        taken = _taken(episode, scenario, where)
        figures = _played_again(episode, seed, scenario, decisions, where) if taken is None else taken
        period = np.arange(len(figures["utility"]))
        time_s = (period + 1) * scenario.control.period_ns / 1e9
        yield seed, {"period": period, "time_s": time_s, **figures}


def _decisions(there: "MinariDataset", scenario: Scenario) -> "Decisions":
    """What an action of the data set stands for."""
    from gymnasium.spaces import Box

    from rl.env import Decisions

    mine = Decisions(scenario, "shares" if isinstance(there.action_space, Box) else "discrete", "utility", 1)
    for what, space, expected in (
        ("actions", there.action_space, mine.action_space),
        ("observations", there.observation_space, mine.observation_space),
    ):
        if space != expected:
            raise InputError(f"{what} must be those of scenario {scenario.name}, {expected}, got {space}")
    return mine


def _seed(metadata: Mapping[str, Any]) -> int | None:
    seed = metadata.get("seed")
    return None if seed is None else int(seed)


def _check_observations(episode: "EpisodeData", n: int, where: str) -> None:
    shape, steps = np.shape(episode.observations), len(episode.actions)
    if shape != (steps + 1, n):
        raise InputError(f"{where}: observations must have shape {(steps + 1, n)}, got {shape}")


# -- what was recorded -------------------------------------------------------------------------------------------------


def _taken(episode: "EpisodeData", scenario: Scenario, where: str) -> Figures | None:
    """The figures in an episode's infos, each of them checked; ``None`` if they are not all there."""
    infos = episode.infos or {}
    if not set(FIGURES) <= set(infos):
        return None
    figures = {name: np.asarray(infos[name]) for name in FIGURES}
    for name, values in figures.items():
        shape = (len(episode.actions) + 1,) + (() if name in PER_CELL else (len(scenario.slices),))
        if values.shape != shape or values.dtype.kind not in "iuf":
            raise InputError(
                f"{where}: infos.{name} must be numbers of shape {shape}, got {values.dtype} {values.shape}"
            )
        _refuse_first(where, name, values, *_rule(name, values))
    units = scenario.carrier.units
    wrong = figures["allocation"].sum(axis=1) != units
    _refuse_first(where, "allocation", figures["allocation"], f"must sum to {units} units", wrong)
    return figures


def _rule(name: str, values: NDArray[Any]) -> tuple[str, NDArray[np.bool_]]:
    """The rule of a figure, and where it is broken."""
    if name in _MAY_BE_UNKNOWN:
        return "must be a finite number of at least 0, or NaN", np.isinf(values) | (values < 0)
    if name == "ssr":
        return "must be from 0 to 1", ~((values >= 0) & (values <= 1))
    if name in PER_CELL:
        return "must be a finite number", ~np.isfinite(values)
    least = 1 if name == "allocation" else 0
    whole = np.isfinite(values) & (np.floor(values) == values)
    return f"must be a whole number of at least {least}", ~(whole & (values >= least))


def _refuse_first(where: str, name: str, values: NDArray[Any], rule: str, wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise InputError(f"{where}: infos.{name}, period {place[0]}: {rule}, got {values[place].tolist()}")


# -- what was played ---------------------------------------------------------------------------------------------------


def _played_again(
    episode: "EpisodeData", seed: int | None, scenario: Scenario, decisions: "Decisions", where: str
) -> Figures:
    """The figures of an episode, from the simulator, which has to show what was observed."""
    from netsim.simulation import Simulation
    from twin.history import History

    infos = set(episode.infos or ())
    if seed is None:
        missing = ", ".join(name for name in FIGURES if name not in infos)
        raise InputError(f"{where} has no seed to play it again, and its infos have no {missing}")
    simulation = Simulation(scenario, seed)
    reports = [simulation.reset()]
    for action in episode.actions:
        reports.append(simulation.step(decisions.allocation(action)))
    history = History.of(reports, scenario.carrier.units)
    differs = ~np.equal(decisions.encoder(history.arrived), episode.observations).all(axis=1)
    if differs.any():
        raise InputError(
            f"{where} is not of scenario {scenario.name} and seed {seed}: the simulator shows other arrivals in period "
            f"{int(np.argmax(differs))}; give the --scenario that was played"
        )
    return {name: getattr(history, name) for name in FIGURES}
