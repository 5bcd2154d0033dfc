"""A trained agent as a controller: ``agent:RUN_DIR``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from netsim.errors import InputError, RunError
from netsim.hooks import hookimpl
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from rl.agents import Agent, Policy, Task, configured, make_agent, sources_of
from rl.checkpoints import Checkpoints
from rl.loops import parted
from rl.options import notice
from rl.records import read_manifest


class PolicyController:
    """A greedy policy as a controller."""

    def __init__(self, policy: Policy, name: str, scenario: Scenario) -> None:
        """Control by a policy.

        Raises
        ------
        InputError
            If it was trained for other slices or another number of units.
        """
        self.policy = policy
        there, asked = (policy.task.n_slices, policy.task.units), (len(scenario.slices), scenario.carrier.units)
        if there != asked:
            raise InputError(
                f"{name}: was trained to share {there[1]} units between {there[0]} slices, the scenario "
                f"{scenario.name!r} has {asked[1]} units and {asked[0]} slices"
            )

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The greedy allocation."""
        task = self.policy.task
        return task.allocation(int(self.policy.act(task.encoder.state(report)[None])[0]))


class AgentController(PolicyController):
    """The greedy policy of an agent that was trained in a folder, written ``agent:RUN_DIR``."""

    def __init__(self, text: str, *, scenario: Scenario) -> None:
        """Read the agent from its newest checkpoint.

        Raises
        ------
        InputError
            If there is none, or it was trained for other slices or another number of units.
        """
        super().__init__(load_agent(Path(text), notice=notice), f"agent {text}", scenario)


def trained(folder: Path) -> tuple[dict[str, Any], Scenario]:
    """The request of a training and its scenario.

    Raises
    ------
    InputError
        If the folder holds no training.
    """
    request = read_manifest(folder)["request"]
    return request, scenario_of(request)


def trained_on_one(folders: Sequence[Path]) -> tuple[list[dict[str, Any]], Scenario]:
    """The requests of trainings, and the one scenario of all.

    Raises
    ------
    InputError
        A folder holds no training, or one on another scenario than the first.
    """
    made = [trained(folder) for folder in folders]
    scenario = made[0][1]
    for folder, (_, other) in zip(folders, made, strict=True):
        if other.hash != scenario.hash:
            raise InputError(f"{folder} was trained on another scenario than {folders[0]}; give trainings of one")
    return [request for request, _ in made], scenario


def called(request: Mapping[str, Any]) -> str:
    """The agent of a request, and how it learned if that was from recorded data."""
    method = request.get("training", {}).get("method")
    name: str = request["agent"]
    return name if method is None else f"{name}, offline {method}"


def scenario_of(request: Mapping[str, Any]) -> Scenario:
    """The scenario of a request as a manifest holds it."""
    where = request["folder"]
    return Scenario.from_dict(request["scenario"], Path(where) if where else None)


def load_agent(
    folder: Path, device: str = "cpu", notice: Callable[[str], None] = lambda text: None, *, memory: bool = False
) -> Agent:
    """The agent of a training as its newest whole checkpoint has it, with its memory if asked for.

    Raises
    ------
    InputError
        If the folder holds no training, or no checkpoint yet, or the agent is not the one that was trained.
    RunError
        If no checkpoint is whole, or its arrays are of another network.
    """
    request, scenario = trained(folder)
    found = Checkpoints(folder / "checkpoints", every=1).newest()
    if found is None:
        raise InputError(f"{folder} has no checkpoint yet; let the training get on, or finish")
    for line in found.skipped:
        notice(line)
    task = Task.of(scenario, request["training"]["interactions"], request["seed"])
    if "method" in request["training"]:  # from recorded data, where the threshold is full-grown from the start
        task = replace(task, thresholds=task.thresholds.settled)
    name, _ = parted(request["agent"])
    if sources_of(name) != request.get("sources", {}):
        raise InputError(
            f"{folder}: its agent {name!r} is not there, or is not the one that was trained; put that one back, or "
            "call this from the folder that the training was called from"
        )
    agent = make_agent(name, task, configured(name, request["config"]), device)
    try:
        agent.restore(found.arrays("agent"))
        if memory:
            agent.memory.restore(found.arrays("replay"))
    except (KeyError, ValueError) as error:
        raise RunError(f"{found.folder} does not fit the training that it is of: {error}") from None
    return agent
