"""The card of a student: what it is beside its teacher, what it costs, and what it loses."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netsim.provenance import versions
from netsim.scenario import Scenario
from netsim.statistics import ratio, wilson
from rl.agents import Agent, Policy
from rl.distillation import DistillationConfig, Fit, distil
from rl.export import dense, exportable, per_slice
from rl.greedy import HeldOutSeeds, Played, mean_over_seeds
from rl.latency import latencies_us
from rl.loops import parted
from rl.networks import Parameters
from rl.options import notice
from rl.policy import load_agent, trained
from rl.students import Student

HEADS = ("head.0.", "advantages.0.")
"""Layers with an output per allocation, or per slice and number of units."""


class Distilled(NamedTuple):
    """A student with what is kept beside it."""

    student: Student
    request: dict[str, Any]
    """Of what it was made; equal requests make equal students."""
    card: dict[str, Any]


def distilled(folder: Path, config: DistillationConfig, seed: int, held_out: HeldOutSeeds) -> Distilled:
    """Teach a student what the agent of a training does, and find out what it loses on the scenario of the training.

    Raises
    ------
    InputError, RunError
        The folder holds no training with a whole checkpoint, or the agent remembers too little.
    """
    asked, scenario = trained(folder)
    teacher = load_agent(folder, notice=notice, memory=True)
    student, fit = distil(teacher, teacher.memory.all().states, config, seed)
    widths = "-".join(map(str, config.hidden))
    request = {
        "agent": f"{asked['agent']} student {widths}{' factored' if config.head == 'factored' else ''}",
        **{key: asked[key] for key in ("scenario", "scenario_hash", "folder", "files")},
        "teacher": {key: asked[key] for key in ("agent", "config", "training", "seed")} | {"updates": teacher.updates},
        "student": student.config.model_dump(mode="json"),
        "distillation": config.model_dump(mode="json"),
        "seed": seed,
        "versions": versions("torch", "safetensors"),
    }
    figures = card(student, teacher, fit, scenario, held_out, parted(asked["agent"])[0])
    return Distilled(student, request, figures)


def card(
    student: Student, teacher: Agent, fit: Fit, scenario: Scenario, held_out: HeldOutSeeds, agent: str
) -> dict[str, Any]:
    """Everything there is to know of a student of an agent; both are played on the held-out seeds of a scenario."""
    evaluation = held_out.evaluation(scenario)
    taken = latencies_us({"teacher": teacher, "student": student})
    return {
        "teacher": {"agent": agent, **size(teacher, teacher.parameters)},
        "student": {**student.config.model_dump(mode="json"), **size(student, student.parameters)},
        "fit": {
            "states": fit.states,
            "held_out_states": len(fit.held_out.states),
            "steps": fit.steps,
            "best_step": fit.best_step,
            "held_out_loss": fit.held_out_loss,
            "curve": [list(point) for point in fit.curve],
        },
        "agreement": agreement(student, fit),
        "simulator": {
            "scenario": scenario.name,
            "scenario_hash": scenario.hash,
            **held_out.to_dict(),
            **lost(scenario, evaluation.play(teacher), evaluation.play(student)),
        },
        "latency_us": taken,
        "teacher_torch_over_student_numpy": taken["teacher"]["torch"] / taken["student"]["numpy"],
    }


def size(policy: Policy, parameters: Parameters) -> dict[str, int | None]:
    """Parameters, and floating-point operations of a decision, with and without the head.

    Operations are those of the exported layers: a multiplication and an addition for each weight that is not zero, and
    the additions of a factored head. Of a policy whose layers are not known, but its parameters, they are ``None``.
    """
    if not exportable(policy):
        unknown = dict.fromkeys(("parameters_without_head", "flops", "flops_without_head"))
        return {"parameters": parameters.flat.numel(), **unknown}
    layers = [2 * int(np.count_nonzero(weight)) for weight, _ in dense(policy)]
    sums = policy.task.n_actions * (policy.task.n_slices - 1) if per_slice(policy) else 0
    head = sum(tensor.numel() for name, tensor in parameters.items() if name.startswith(HEADS))
    return {
        "parameters": parameters.flat.numel(),
        "parameters_without_head": parameters.flat.numel() - head,
        "flops": sum(layers) + sums,
        "flops_without_head": sum(layers[:-1]),
    }


def agreement(student: Student, fit: Fit) -> dict[str, Any]:
    """How often the student decides as the teacher in held-out states, and how often a constant would.

    The interval is Wilson's, as of independent states; a replay's follow each other.
    """
    labels = fit.held_out.actions.numpy()
    same = student.act(fit.held_out.states.numpy()) == labels
    _, counts = np.unique(labels, return_counts=True)
    return {
        "held_out": wilson(float(same.mean()), len(same)).to_dict(),
        "allocations_of_the_teacher": len(counts),
        "of_its_commonest_alone": float(counts.max() / counts.sum()),
    }


def lost(scenario: Scenario, teacher: Played, student: Played) -> dict[str, Any]:
    """U and SSR of the student below those of the teacher, with intervals over paired seeds."""
    ssr = _ssr(teacher) - _ssr(student)
    return {
        "utility": {"teacher": teacher.utility.to_dict(), "student": student.utility.to_dict()},
        "utility_kept": ratio(student.utilities, teacher.utilities).to_dict(),
        "utility_lost": mean_over_seeds(teacher.utilities - student.utilities).to_dict(),
        "ssr_lost": {name: mean_over_seeds(ssr[:, n]).to_dict() for n, name in enumerate(scenario.slice_names)},
    }


def _ssr(played: Played) -> Any:
    """Of each seed and slice; 1 where nothing was resolved."""
    resolved = played.resolved.astype(np.float64)
    return np.divide(played.satisfied, resolved, out=np.ones_like(resolved), where=resolved > 0)
