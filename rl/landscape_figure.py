"""The landscapes of trainings side by side (paper, figure 7), in one and two dimensions, and flatness against U."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netsim.drawing import series_style
from netsim.scenario import Scenario
from rl.agents import Agent
from rl.figures import Band, frame, panels
from rl.flatness import correlations, shifted
from rl.greedy import HELD_OUT_SEED, HeldOutSeeds, mean_over_seeds
from rl.landscape import Losses, gradient, held_out_transitions, in_double, plane, random_direction, rewarded
from rl.networks import single_thread
from rl.options import notice
from rl.policy import called, load_agent, trained_on_one
from rl.replay import Batch, Transitions
from rl.sharpness import FLATNESS, SHARPNESS, LandscapeConfig, landscape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES, PLANES, SCATTER = "landscape", "planes", "flatness"
TRANSITION_SEED = HELD_OUT_SEED + (1 << 20)
"""First of those that held-out transitions are made with."""
CONTOURS = 12


# -- the numbers -------------------------------------------------------------------------------------------------------


def numbers(
    folders: Sequence[Path],
    config: LandscapeConfig,
    *,
    seed: int,
    transitions: Transitions | None,
    shifts: Sequence[str],
    played: HeldOutSeeds,
    planes: bool,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Landscapes and sharpness of trainings on one scenario, by agent, with intervals over trainings.

    An agent that learned offline is another one than the same that learned online.

    Parameters
    ----------
    seed
        Of the random directions.
    transitions
        What losses are measured on; ``None`` for what the random controller meets on held-out seeds.
    shifts
        Scenarios, as :func:`rl.flatness.shifted` reads them, on which U is measured to compare it with sharpness.
    played
        What these measurements are on.
    planes
        Whether the first training of each agent gets planes too.

    Raises
    ------
    InputError
        The trainings are of several scenarios, or a scenario does not fit them.
    """
    single_thread()
    requests, scenario = trained_on_one(folders)
    scenarios = {text: shifted(text, scenario) for text in shifts}
    met = held_out_transitions(scenario, config.transitions, TRANSITION_SEED) if transitions is None else transitions
    runs: list[dict[str, Any]] = []
    curves, surfaces = [], {}
    for folder, request in zip(folders, requests, strict=True):
        agent = load_agent(folder, notice=notice)
        double, name = in_double(agent), called(request)
        batch = rewarded(agent, met, request["training"]["interactions"])
        found = landscape(double, batch, config, seed)
        of_run = {"run": str(folder), "agent": name, "seed": request["seed"], "scale": found.scale}
        runs.append({**of_run, "sharpness": found.sharpness})
        curves.append((found.gradient, found.random))
        if planes and name not in surfaces:
            surfaces[name] = {"run": str(folder), **_planes(double, batch, config, seed, found.scale)}
        if scenarios:
            runs[-1]["utility"] = _utilities(agent, {"trained on": scenario, **scenarios}, played)
        if progress is not None:
            progress(len(runs), len(folders))
    return {
        "scenario": scenario.name,
        "scenario_hash": scenario.hash,
        "config": config.model_dump(mode="json"),
        "transitions": {"count": len(met.actions), "first_seed": TRANSITION_SEED if transitions is None else None},
        "steps": {"gradient": config.steps.tolist(), "random": config.random_steps.tolist()},
        "sharpness": dict(SHARPNESS),
        "agents": {name: _over_trainings(name, runs, curves) for name in _agents(runs)},
        "runs": runs,
        **({"planes": surfaces} if planes else {}),
        **({"flatness": {**asdict(played), **_flatness(runs)}} if scenarios else {}),
    }


def _agents(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(run["agent"] for run in runs))


def _over_trainings(
    agent: str, runs: Sequence[Mapping[str, Any]], curves: Sequence[tuple[Losses, Losses]]
) -> dict[str, Any]:
    own = [k for k, run in enumerate(runs) if run["agent"] == agent]
    return {
        "trainings": len(own),
        "gradient": Band.over_seeds([curves[k][0] for k in own]).to_dict(),
        "random": Band.over_seeds([curves[k][1] for k in own]).to_dict(),
        "sharpness": {name: mean_over_seeds([runs[k]["sharpness"][name] for k in own]).to_dict() for name in SHARPNESS},
    }


def _planes(agent: Agent, batch: Batch, config: LandscapeConfig, seed: int, unit: float) -> dict[str, Any]:
    """Over the normalised gradient and a random direction, and over two random directions, ``[up][across]``."""
    first = Batch(*(part[: config.plane_transitions] for part in batch))
    one, other = (random_direction(agent.parameters, seed, k) for k in (0, 1))
    up = config.random_steps
    pairs = {"gradient": ((gradient(agent, first), one), config.steps), "random": ((one, other), up)}
    return {name: (plane(agent, first, pair, across, up) / unit).tolist() for name, (pair, across) in pairs.items()}


def _utilities(agent: Agent, scenarios: Mapping[str, Scenario], played: HeldOutSeeds) -> dict[str, float]:
    return {
        text: float(played.evaluation(scenario).play(agent).utilities.mean()) for text, scenario in scenarios.items()
    }


def _flatness(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sharpness = {name: [run["sharpness"][name] for run in runs] for name in FLATNESS}
    utilities = {text: [run["utility"][text] for run in runs] for text in runs[0]["utility"]}
    return {"rank_correlation": correlations(sharpness, utilities, [run["agent"] for run in runs])}


# -- drawn -------------------------------------------------------------------------------------------------------------


def drawn_lines(shown: Mapping[str, Any]) -> "Figure":
    """A column for each algorithm, without and with a twin; above along the gradient, below along random directions."""
    families = list(_families(shown["agents"]))
    figure, axes = panels(2, len(families), width_in=max(3.4, 2.4 * len(families)), height_in=2.3)
    rows = {"gradient": "normalised gradient", "random": "random directions"}
    for upper, (name, direction) in zip(axes, rows.items(), strict=True):
        for each, (family, members) in zip(upper, families, strict=True):
            curves = {member: shown["agents"][member][name] for member in members}
            for i, (member, curve) in enumerate(curves.items()):
                Band.from_dict(curve).draw(each, shown["steps"][name], member, series_style(i) | {"marker": ""})
            frame(each, [curve["mean"] for curve in curves.values()])
            each.set_title(family, fontsize=9)
            each.set_xlabel(f"λ along {direction}")
            each.legend(loc="upper center")
        upper[0].set_ylabel("loss / variance of targets")
    return figure


def _families(agents: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Each algorithm, or way to learn offline, with its agents: without a twin, and with."""
    families: dict[str, list[str]] = {}
    for name in agents:
        agent, comma, offline = name.partition(",")
        families.setdefault(f"{agent.removesuffix('-dt')}{comma}{offline}", []).append(name)
    for family, members in families.items():
        yield family, sorted(members, key=lambda name: name != family)


def drawn_planes(shown: Mapping[str, Any]) -> "Figure":
    """A column for each agent: contours of the loss, the agent in the middle."""
    planes = shown["planes"]
    figure, axes = panels(2, len(planes), width_in=max(3.4, 2.4 * len(planes)), height_in=2.3)
    labels = {
        "gradient": ("λ along normalised gradient", "random direction"),
        "random": ("random direction", "another"),
    }
    up = shown["steps"]["random"]
    for row, (name, (x_label, y_label)) in zip(axes, labels.items(), strict=True):
        for each, (agent, surface) in zip(row, planes.items(), strict=True):
            filled = each.contourf(shown["steps"][name], up, np.array(surface[name]), CONTOURS, cmap="cividis")
            lines = each.contour(filled, colors="white", linewidths=0.4)
            each.clabel(lines, lines.levels[::3], fontsize=6)
            each.plot(0, 0, "+", color="white", markersize=6)
            each.set_title(agent, fontsize=9)
            each.set_xlabel(x_label)
            each.set_ylabel(y_label)
            each.grid(visible=False)
    return figure


def drawn_flatness(shown: Mapping[str, Any]) -> "Figure":
    """A panel for each sharpness and scenario: trainings as points, agents by colour and marker."""
    runs, table = shown["runs"], shown["flatness"]["rank_correlation"]
    texts = list(runs[0]["utility"])
    figure, axes = panels(len(texts), len(FLATNESS), width_in=2.0 * len(FLATNESS), height_in=1.9)
    for row, text in zip(axes, texts, strict=True):
        for each, name in zip(row, FLATNESS, strict=True):
            for i, agent in enumerate(_agents(runs)):
                points = [(run["sharpness"][name], run["utility"][text]) for run in runs if run["agent"] == agent]
                each.plot(*zip(*points, strict=True), **series_style(i) | {"linestyle": "none", "label": agent})
            each.set_title(_told(table[name][text]["all_trainings"]), fontsize=7)
            each.set_xlabel(name.replace("_", " "), fontsize=7)
            each.tick_params(labelsize=6)
        row[0].set_ylabel(f"U, {text}", fontsize=7)
    axes[0][-1].legend(loc="best", fontsize=6)
    return figure


def _told(figure: Mapping[str, Any]) -> str:
    if figure["mean"] is None:
        return "rank correlation unknown"
    within = "" if figure["ci95"] is None else "\n{:.2f} to {:.2f}".format(*figure["ci95"])
    return f"rank correlation {figure['mean']:.2f}{within}"
