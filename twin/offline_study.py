"""Offline agents side by side over epochs, with a twin and without (paper, figure 9).

For each seed a behaviour policy is recorded once, and every agent learns from that record: as it is, held to one that
practised in a twin of the record, and conservatively; a clone of the behaviour is beside them. So what two of them
differ by is paired: same data, same seed of learning, same held-out seeds. All that is learned is kept under the folder
of the study, which goes on where it was stopped.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import netsim
from netsim.beststatic import best_static
from netsim.drawing import COLOURS
from netsim.errors import InputError
from netsim.scenario import Scenario
from netsim.statistics import ratio
from rl.agents import Agent, AgentConfig, Policy, Task
from rl.figures import Band, frame, panels
from rl.greedy import HELD_OUT_SEED, GreedyEvaluation, mean_over_seeds
from rl.offline import CLOCK, learn_offline
from rl.offline_request import Method, OfflineConfig
from rl.policy import load_agent, trained
from rl.records import METRICS
from rl.replay import Floats
from twin.datasets import manifest_of
from twin.offline import LOOP, DataSet, OfflineTwinConfig, prior_of, request_of
from twin.recorder import Recorder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "offline"
FIGURES = ("reward", "utility")


@dataclass(frozen=True)
class Variant:
    """A way to learn offline."""

    label: str
    method: Method
    twin: bool
    dashes: str


PLAIN, TWIN, CAUTIOUS, CLONE = (
    Variant("plain", "plain", False, "--"),
    Variant(LOOP, "plain", True, "-"),
    Variant("cql", "cql", False, ":"),
    Variant("bc", "bc", False, "-."),
)


@dataclass(frozen=True)
class Study:
    """What is compared."""

    scenario: Scenario
    agents: Mapping[str, AgentConfig]
    controller: str
    """The behaviour that is recorded."""
    periods: int
    """Controlled periods of each record."""
    seeds: Sequence[int]
    settings: OfflineConfig
    loop: OfflineTwinConfig

    def variants(self, agent: str) -> tuple[Variant, ...]:
        """Those of an agent; a clone does not depend on the agent, so the first one's is enough."""
        return (PLAIN, TWIN, CAUTIOUS, *([CLONE] if agent == next(iter(self.agents)) else []))

    def __iter__(self) -> Iterator[tuple[str, Variant, int]]:
        """Every training, those of one seed together."""
        for seed in self.seeds:
            for agent in self.agents:
                for variant in self.variants(agent):
                    yield agent, variant, seed


def learned(
    study: Study, folder: Path, progress: Callable[[int, int], None] | None = None
) -> dict[tuple[str, str, int], Path]:
    """The folder of every training of a study, by agent, variant and seed, learned where it is not there yet.

    Raises
    ------
    InputError
        The folder holds another study's trainings or data.
    """
    made: dict[tuple[str, str, int], Path] = {}
    everything = list(study)
    for agent, variant, seed in everything:
        data = DataSet.read([_recorded(study, folder / "data" / str(seed), seed)])
        settings = study.settings.model_copy(update={"method": variant.method})
        name, loop = (f"{agent}-{LOOP}", study.loop) if variant.twin else (agent, None)
        request = request_of(data, name, study.agents[agent], settings, loop, seed)
        run = folder / "runs" / f"{agent}-{variant.label}-{seed}"
        learn_offline(request, run, prior=prior_of(data, request), resume=True)
        made[agent, variant.label, seed] = run
        if progress is not None:
            progress(len(made), len(everything))
    return made


def _recorded(study: Study, folder: Path, seed: int) -> Path:
    """The data set of a seed."""
    if manifest_of(folder) is None:
        with Recorder(folder, controller=study.controller) as recorder:
            netsim.run(study.scenario, study.controller, periods=study.periods, seed=seed, plugins=[recorder])
    manifest = manifest_of(folder)
    assert manifest is not None
    there = (manifest["scenario_hash"], [(run["seed"], run["controller"]) for run in manifest["runs"]])
    periods = sum(part["periods"] for part in manifest["parts"])
    if there != (study.scenario.hash, [(seed, study.controller)]) or periods != study.periods + 1:
        raise InputError(
            f"{folder} holds another record than this study's, or one that was cut off; give another --out"
        )
    return folder


class Constant:
    """The policy that plays one allocation."""

    def __init__(self, task: Task, action: int) -> None:
        self.task, self._action = task, action

    def scores(self, states: Floats) -> Floats:
        """1 for the allocation, 0 for all others."""
        return np.eye(1, self.task.n_actions, self._action, dtype=np.float32).repeat(len(states), axis=0)

    def act(self, states: Floats) -> NDArray[np.int64]:
        """The allocation's number for each state."""
        return np.full(len(states), self._action, np.int64)


def numbers(
    study: Study,
    runs: Mapping[tuple[str, str, int], Path],
    online: Sequence[Path],
    *,
    periods: int,
    first_seed: int,
    seeds: int,
) -> dict[str, Any]:
    """Curves over epochs and what was reached, with 95 % intervals over seeds of learning.

    Parameters
    ----------
    online
        Trainings on the network itself, whose level is shown too.
    periods, first_seed, seeds
        What the policies are played on in the end; the curves are of the looks while they learned, which were shorter
        and on seeds of their own, and so are the levels drawn beside them.
    """
    evaluation = GreedyEvaluation(study.scenario, range(first_seed, first_seed + seeds), periods)
    task = Task.of(study.scenario, 1, 0)
    best = Constant(task, netsim.allocations.rank(best_static(study.scenario).allocation))
    level = _means(evaluation, best)
    shorter = study.settings
    looks = range(HELD_OUT_SEED, HELD_OUT_SEED + shorter.evaluation_seeds)
    look = GreedyEvaluation(study.scenario, looks, shorter.evaluation_periods)
    reached = {key: _means(evaluation, load_agent(run)) for key, run in runs.items()}
    groups: dict[str, dict[str, Any]] = {}
    for agent in study.agents:
        groups[agent] = {}
        for variant in study.variants(agent):
            mine = [reached[agent, variant.label, seed] for seed in study.seeds]
            plain = [reached[agent, PLAIN.label, seed] for seed in study.seeds]
            curves = [_curve(runs[agent, variant.label, seed]) for seed in study.seeds]
            groups[agent][variant.label] = {
                "curve": _bands(curves),
                "reached": _over_trainings(mine),
                "share_of_best_static": ratio(
                    [each["utility"] for each in mine], [level["utility"]] * len(mine)
                ).to_dict(),
                "less_plain": _over_trainings([_difference(*pair) for pair in zip(mine, plain, strict=True)]),
            }
    played: dict[str, list[Agent]] = {}
    for run in online:
        played.setdefault(trained(run)[0]["agent"], []).append(load_agent(run))
    return {
        "scenario": study.scenario.name,
        "scenario_hash": study.scenario.hash,
        "controller": study.controller,
        "recorded_periods": study.periods,
        "learning_seeds": list(study.seeds),
        "settings": study.settings.model_dump(mode="json"),
        "loop": study.loop.model_dump(mode="json"),
        "periods": periods,
        "seeds": [first_seed, first_seed + seeds - 1],
        "best_static": {"reached": level, "look": _means(look, best)},
        "online": {
            name: {
                "reached": _over_trainings([_means(evaluation, agent) for agent in agents]),
                "look": _over_trainings([_means(look, agent) for agent in agents]),
            }
            for name, agents in played.items()
        },
        "agents": groups,
    }


def _means(evaluation: GreedyEvaluation, policy: Policy) -> dict[str, float]:
    played = evaluation.play(policy)
    return {"reward": float(played.rewards.mean()), "utility": float(played.utilities.mean())}


def _difference(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {figure: one[figure] - other[figure] for figure in FIGURES}


def _over_trainings(each: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    values = {figure: [one[figure] for one in each] for figure in FIGURES}
    return {figure: {**mean_over_seeds(some).to_dict(), "each": some} for figure, some in values.items()}


def _curve(run: Path) -> dict[str, list[float]]:
    lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    looks = [line for line in lines if "greedy" in line]
    values = {figure: [look["greedy"][figure]["mean"] for look in looks] for figure in FIGURES}
    return {CLOCK: [look[CLOCK] for look in looks], **values}


def _bands(curves: Sequence[Mapping[str, list[float]]]) -> dict[str, Any]:
    bands = {figure: Band.over_seeds([curve[figure] for curve in curves]).to_dict() for figure in FIGURES}
    return {CLOCK: curves[0][CLOCK], **bands}


def drawn(shown: Mapping[str, Any]) -> "Figure":
    """Reward and U over epochs: a column for each agent, ways to learn by colour and dashes."""
    figure, rows = panels(2, len(shown["agents"]), width_in=3.0 * max(2, len(shown["agents"])), height_in=2.3)
    ways = {
        variant.label: (variant, colour)
        for variant, colour in zip((TWIN, PLAIN, CAUTIOUS, CLONE), COLOURS, strict=False)
    }
    clone = next(iter(shown["agents"].values())).get(CLONE.label)
    for row, name, label in zip(rows, FIGURES, ("reward", "utility U"), strict=True):
        for axes, (agent, group) in zip(row, shown["agents"].items(), strict=True):
            for way, found in {CLONE.label: clone, **group}.items():
                variant, colour = ways[way]
                told = agent if way == PLAIN.label else f"{agent}-{LOOP}" if way == LOOP else f"{way}"
                curve = found["curve"]
                Band(*(np.array(curve[name][part]) for part in Band._fields)).draw(
                    axes, curve[CLOCK], label=told, color=colour, linestyle=variant.dashes
                )
            best = shown["best_static"]["look"][name]
            axes.axhline(best, color="#000000", linewidth=0.8, label="best static")
            if agent in shown["online"]:
                axes.axhline(
                    shown["online"][agent]["look"][name]["mean"],
                    color="#888888",
                    linewidth=0.8,
                    linestyle="--",
                    label="online",
                )
            axes.set_xlim(0, None)
            axes.set_xlabel("epochs")
            axes.set_ylabel(label)
            frame(axes, [found["curve"][name]["mean"] for found in group.values()] + [[best]])
    for axes in rows[0]:
        axes.legend(loc="lower right")
    return figure
