"""Students beside their teachers, reward and U against training steps (paper, figure 8).

A step of a teacher is an interaction, and its curve what it got while it learned. A step of a student is one of the
gradient of eq. 12, and its curve what its greedy policy gets on held-out seeds if learning stopped there; what the
finished teacher's greedy policy gets on those seeds is the mark to be reached. Rewards of greedy policies are those of
the full-grown threshold, g = gmax.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim.drawing import COLOURS, series_style
from netsim.errors import InputError
from rl.distillation import DistillationConfig, distil
from rl.figures import Band, frame, panels
from rl.greedy import GreedyEvaluation, HeldOutSeeds, Played, mean_over_seeds
from rl.options import notice
from rl.policy import called, load_agent, trained_on_one
from rl.records import METRICS
from rl.students import Student

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "students"
MARKS = (0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Steps after which a student is played."""
FIGURES = ("reward", "utility")

Curves = dict[str, NDArray[np.float64]]


def numbers(
    folders: Sequence[Path],
    configs: Sequence[DistillationConfig],
    seed: int,
    held_out: HeldOutSeeds,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The curves of trainings and of their students, by agent, with intervals over trainings.

    Parameters
    ----------
    seed
        The students of a training have this seed plus the training's.
    held_out
        What students and teachers are played on.

    Raises
    ------
    InputError
        The trainings are of several scenarios, one did not learn by interactions, or those of one agent differ in them.
    """
    requests, scenario = trained_on_one(folders)
    learned = [_while_learning(folder) for folder in folders]  # before students are taught, which takes long
    with_budget = [config.model_copy(update={"patience": config.steps}) for config in configs]
    evaluation = held_out.evaluation(scenario)
    groups: dict[str, list[dict[str, Any]]] = {}
    for done, (folder, request, curves) in enumerate(zip(folders, requests, learned, strict=True)):
        made = _of_training(folder, with_budget, seed + request["seed"], evaluation)
        groups.setdefault(called(request), []).append({**made, "while_learning": curves})
        if progress is not None:
            progress(done + 1, len(folders))
    return {
        "scenario": scenario.name,
        "scenario_hash": scenario.hash,
        **held_out.to_dict(),
        "agents": {name: _over_trainings(name, made) for name, made in groups.items()},
    }


def _of_training(
    folder: Path, configs: Sequence[DistillationConfig], seed: int, evaluation: GreedyEvaluation
) -> dict[str, Any]:
    teacher = load_agent(folder, notice=notice, memory=True)
    states = teacher.memory.all().states
    students: dict[str, Curves] = {}
    for config in configs:
        curve: list[tuple[int, float, float]] = []

        def watch(step: int, student: Student, curve: list[tuple[int, float, float]] = curve) -> None:
            if step in MARKS:
                curve.append((step, *_means(evaluation.play(student))))

        distil(teacher, states, config, seed, watch)
        students[_label(config)] = _columns("steps", curve)
    return {
        "run": str(folder),
        "greedy": _means(evaluation.play(teacher)),
        "students": students,
    }


def _label(config: DistillationConfig) -> str:
    factored = ", factored" if config.head == "factored" else ""
    return "-".join(map(str, config.hidden)) + factored


def _means(played: Played) -> tuple[float, float]:
    return float(played.rewards.mean()), float(played.utilities.mean())


def _while_learning(folder: Path) -> Curves:
    lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    rows = [(line["interactions"], line["reward"], line["utility"]) for line in lines if "reward" in line]
    if not rows:
        raise InputError(
            f"{folder}: its metrics have no reward to draw a curve of, as of an agent that learned offline; give "
            "trainings of `netsim train`, or keep its student by --out"
        )
    return _columns("steps", rows)


def _columns(x: str, rows: Sequence[tuple[float, ...]]) -> Curves:
    return dict(zip((x, *FIGURES), np.array(rows, np.float64).T, strict=True))


def _over_trainings(name: str, made: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    greedy = np.array([each["greedy"] for each in made])
    return {
        "runs": [each["run"] for each in made],
        "while_learning": _band(name, [each["while_learning"] for each in made]),
        "greedy": {figure: mean_over_seeds(greedy[:, i]).to_dict() for i, figure in enumerate(FIGURES)},
        "students": {label: _band(name, [each["students"][label] for each in made]) for label in made[0]["students"]},
    }


def _band(name: str, curves: Sequence[Curves]) -> dict[str, Any]:
    steps = curves[0]["steps"]
    if any(not np.array_equal(each["steps"], steps) for each in curves):
        raise InputError(f"trainings of {name} have metrics after different interactions; give trainings of one length")
    return {
        "steps": steps.astype(int).tolist(),
        **{figure: Band.over_seeds([each[figure] for each in curves]).to_dict() for figure in FIGURES},
    }


def drawn(shown: Mapping[str, Any]) -> "Figure":
    """Reward and U against training steps, agents by colour, teacher and students by dashes and markers."""
    figure, [axes] = panels(1, 2)
    for each, name, label in zip(axes, FIGURES, ("reward", "utility U"), strict=True):
        for colour, (agent, group) in zip(COLOURS, shown["agents"].items(), strict=False):
            curves = {agent: group["while_learning"]}
            curves |= {f"{agent}, student {widths}": student for widths, student in group["students"].items()}
            for i, (told, curve) in enumerate(curves.items()):
                style = series_style(i) | {"color": colour} | ({} if i else {"marker": ""})
                Band.from_dict(curve[name]).draw(each, curve["steps"], told, style)
            each.axhline(group["greedy"][name]["mean"], color=colour, linewidth=0.8, alpha=0.6)
        frame(each, _means_of(shown, name))
        each.set_xscale("symlog", linthresh=10)
        each.set_xlim(0, None)
        each.set_xlabel("training steps")
        each.set_ylabel(label)
    axes[0].legend(loc="lower right")
    return figure


def _means_of(shown: Mapping[str, Any], name: str) -> Iterator[ArrayLike]:
    for group in shown["agents"].values():
        yield group["greedy"][name]["mean"]
        yield from (curve[name]["mean"] for curve in (group["while_learning"], *group["students"].values()))
