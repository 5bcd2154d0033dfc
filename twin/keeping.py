"""Twins on disk: those of ``netsim twin fit``, and those in the checkpoints of a training in a twin's loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netsim.errors import InputError, RunError
from netsim.scenario import Scenario
from netsim.seals import MANIFEST, Kind, all_written, intact
from rl.checkpoints import Checkpoints, read_arrays, write_arrays
from rl.observation import Encoder
from rl.policy import scenario_of, trained
from rl.replay import Arrays
from twin.digital_twin import DigitalTwin, TwinConfig
from twin.models.outcome import Objective

KIND = Kind("slicetwin-twin", 1, "a twin", "twin", "fit it again into another folder")
WEIGHTS = "twin.safetensors"


def keep(folder: Path, twin: DigitalTwin, scenario: Scenario, about: Mapping[str, Any]) -> None:
    """Write a twin into a folder that does not exist or is empty.

    Raises
    ------
    InputError
        The folder holds something, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{folder} is not empty; give another --out")
        write_arrays(folder / WEIGHTS, twin.to_arrays())
        content = {
            "scenario": scenario.to_dict(),
            "scenario_hash": scenario.hash,
            "folder": str(scenario.folder) if scenario.files() else None,
            "config": twin.config.model_dump(mode="json"),
            "encoder": list(twin.encoder.scale),
            "about": dict(about),
            "files": all_written([folder / WEIGHTS]),
        }
        KIND.write(folder, content)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None


def twin_of(folder: Path) -> tuple[DigitalTwin, Scenario]:
    """The twin in a folder, and the scenario of the network that it is of.

    Raises
    ------
    InputError
        The folder holds no twin.
    RunError
        Its files are not those that were written.
    """
    if is_training(folder):
        return _of_training(folder)
    content = KIND.read(folder)
    path = folder / WEIGHTS
    if not intact(path, content["files"][WEIGHTS]):
        raise RunError(f"{path} is missing, or not the file that was written; {KIND.remedy}")
    scenario = scenario_of(content)
    config, encoder = TwinConfig.model_validate(content["config"]), Encoder(tuple(content["encoder"]))
    return _made(config, scenario, encoder, read_arrays(path), folder), scenario


def load_twin(folder: Path, scenario: Scenario) -> DigitalTwin:
    """The twin in a folder, of a network with the slices, the carrier and the U of a scenario.

    Its load may be another: a twin may be asked about a network that has changed.

    Raises
    ------
    InputError
        The folder holds no twin, or one of other slices, another number of units or another U.
    RunError
        Its files are not those that were written.
    """
    twin, of = twin_of(folder)
    there, asked = ((each.slice_names, each.carrier.units) for each in (of, scenario))
    if there != asked:
        raise InputError(
            f"twin {folder}: is of the slices {', '.join(there[0])} and {there[1]} units, the scenario "
            f"{scenario.name!r} has {', '.join(asked[0])} and {asked[1]}"
        )
    if Objective.of(of) != Objective.of(scenario):  # its reports would have the U that it learned
        raise InputError(
            f"twin {folder}: learned {_utility(of)}, the scenario {scenario.name!r} has {_utility(scenario)}; fit a "
            "twin to data of it"
        )
    return twin


def _utility(scenario: Scenario) -> str:
    """U as its settings make it."""
    made = Objective.of(scenario)
    se = "carried" if made.carried else "capacity"
    weighted = (f"{weight} SSR {name}" for name, weight in zip(scenario.slice_names, made.weights, strict=True))
    return f"U = {' + '.join((f'{made.alpha} SE {se}', *weighted))}"


def is_training(folder: Path) -> bool:
    """Whether a folder holds a training."""
    return (folder / "checkpoints").is_dir() and (folder / MANIFEST).is_file()


def _of_training(folder: Path) -> tuple[DigitalTwin, Scenario]:
    request, scenario = trained(folder)
    if "loop" not in request:
        raise InputError(f"{folder} is a training without a twin: its agent is {request['agent']!r}, not one in -dt")
    found = Checkpoints(folder / "checkpoints", every=1).newest()
    arrays = {} if found is None else found.arrays("twin")
    if not arrays:
        raise InputError(f"{folder} has no twin yet; let the training get on until one is fitted")
    config = TwinConfig.model_validate(request["loop"]["twin"])
    return _made(config, scenario, Encoder.of(scenario), arrays, folder), scenario


def _made(config: TwinConfig, scenario: Scenario, encoder: Encoder, arrays: Arrays, folder: Path) -> DigitalTwin:
    try:
        return DigitalTwin.from_arrays(config, scenario, encoder, arrays)
    except (KeyError, ValueError) as error:
        raise RunError(f"{folder}: its arrays are not those of its twin: {error}") from None
