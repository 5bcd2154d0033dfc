"""Distillation: a student learns to decide as its teacher does, from states that the teacher remembers (section IV-A).

The teacher labels the states of its replay with its own greedy allocations. The student minimises the cross-entropy

    L_D = - 1/N_d sum_i sum_j 1(j = a_i) log p_ij        (paper eq. 12; its minus sign is missing there)

with p the softmax of the student's scores. With soft labels 1(j = a_i) is replaced by the softmax of the teacher's
Q / T, which says how much worse the other allocations are.

A share of the states is held out: it decides when to stop, and tells how often the student agrees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from netsim.errors import InputError
from rl import draws
from rl.agents import Policy
from rl.agents.base import Rate, in_parts
from rl.networks import Parameters, single_thread
from rl.optimiser import Adam
from rl.replay import Floats
from rl.settings import Whole
from rl.students import Student, StudentConfig

DISTILLATION = "distillation"


class DistillationConfig(StudentConfig):
    """How a student is taught."""

    temperature: Annotated[float, Field(gt=0)] | None = None
    """T of soft labels, in units of Q; without it labels are the teacher's allocations (eq. 12)."""
    states: Annotated[int, Field(ge=2)] = 10_000
    """States taken from the teacher's replay at most, the newest."""
    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """Gradient steps at most."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 128
    """States in a step."""
    learning_rate: Rate = 3e-3
    """Step size of Adam."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the states that the student does not learn from."""
    check_every: Whole = 100
    """Steps between looks at the held-out states."""
    patience: Whole = 10
    """Looks without a loss lower by ``least_gain`` after which it is over."""
    least_gain: Annotated[float, Field(ge=0)] = 1e-4
    """Nats by which the held-out loss must fall to count."""


class Labelled(NamedTuple):
    """States with what the teacher makes of them."""

    states: Tensor
    """Shape ``(B, N)``."""
    actions: Tensor
    """The teacher's allocations, int64, shape ``(B,)``."""
    soft: Tensor | None
    """Softmax of Q / T, shape ``(B, actions)``; ``None`` where labels are hard."""

    def take(self, places: NDArray[np.int64]) -> "Labelled":
        """Some of them."""
        return Labelled(*(None if each is None else each[places] for each in self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Fit:
    """How learning went."""

    states: int
    """States learned from."""
    steps: int
    """Gradient steps done."""
    best_step: int
    """The student has the weights after this one; from then on the held-out loss fell no further to speak of."""
    curve: tuple[tuple[int, float], ...]
    """Steps and held-out loss."""
    held_out: Labelled

    @property
    def held_out_loss(self) -> float:
        """That of the student."""
        return dict(self.curve)[self.best_step]


def label(teacher: Policy, states: Floats, temperature: float | None = None) -> Labelled:
    """What the teacher does in each state, and with a temperature how likely softmax(Q / T) makes each allocation.

    Raises
    ------
    InputError
        The temperature is so low that Q / T is no number.
    """
    actions = torch.from_numpy(in_parts(teacher.act, states))
    if temperature is None:
        return Labelled(torch.from_numpy(states), actions, None)
    soft = torch.softmax(torch.from_numpy(in_parts(teacher.scores, states)) / temperature, dim=1)
    if not torch.isfinite(soft).all():
        told = f"student.temperature: softmax(Q / T) must be finite, got T = {temperature:g}"
        raise InputError(f"{told}; give a higher --temperature")
    return Labelled(torch.from_numpy(states), actions, soft)


def cross_entropy(student: Student, parameters: Parameters, labelled: Labelled) -> Tensor:
    """Eq. 12 with its minus sign, at any parameters of the student."""
    logits = student.logits(parameters, labelled.states)
    return torch.nn.functional.cross_entropy(logits, labelled.actions if labelled.soft is None else labelled.soft)


def distil(
    teacher: Policy,
    states: Floats,
    config: DistillationConfig,
    seed: int,
    watch: Callable[[int, Student], None] = lambda step, student: None,
) -> tuple[Student, Fit]:
    """Teach a student; the same bytes for the same teacher, states, configuration and seed.

    Parameters
    ----------
    states
        What the teacher remembers, shape ``(N_d, N)``, the oldest first.
    watch
        Shown the student as it is before the first step and after each.

    Raises
    ------
    InputError
        There are too few states to hold some out, or the temperature is too low for them.
    """
    single_thread()
    labelled = label(teacher, states[-config.states :], config.temperature)
    learned_from, held_out = _split(labelled, config.held_out, seed)
    student = Student(teacher.task, config, seed)
    lesson = _Lesson(student, learned_from, config, seed)
    best, best_step, least = student.parameters.flat.clone(), 0, _loss(student, held_out)
    curve = [(0, least)]
    watch(0, student)
    for step in range(1, config.steps + 1):
        lesson.step(step)
        watch(step, student)
        if step % config.check_every and step != config.steps:
            continue
        curve.append((step, loss := _loss(student, held_out)))
        if loss < least - config.least_gain:
            best, best_step, least = student.parameters.flat.clone(), step, loss
        if step - best_step >= config.patience * config.check_every:
            break
    student.parameters.flat.copy_(best)
    return student, Fit(len(learned_from.states), curve[-1][0], best_step, tuple(curve), held_out)


class _Lesson:
    """Gradient steps of a student on batches drawn with replacement."""

    def __init__(self, student: Student, labelled: Labelled, config: DistillationConfig, seed: int) -> None:
        self._student, self._labelled = student, labelled
        self._adam = Adam(student.parameters, config.learning_rate)
        self._sampling = draws.Uniforms(seed, DISTILLATION, config.batch_size)

    def step(self, number: int) -> None:
        places = (self._sampling(number) * len(self._labelled.states)).astype(np.int64)
        theta = self._student.parameters.flat.detach().requires_grad_()
        loss = cross_entropy(self._student, self._student.parameters.like(theta), self._labelled.take(places))
        (gradient,) = torch.autograd.grad(loss, theta)
        self._adam.gradients.flat.copy_(gradient)
        self._adam.step()


def _split(labelled: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """What to learn from, and what is held out: places in the order of a random number each."""
    n = len(labelled.states)
    held_out = round(share * n)
    if not 0 < held_out < n:
        raise InputError(f"the teacher remembers {n} states, too few to hold {share:g} of them out; train it longer")
    order = draws.uniform(seed, DISTILLATION, 0, n, "held-out").argsort(kind="stable")
    return labelled.take(np.sort(order[held_out:])), labelled.take(np.sort(order[:held_out]))


@torch.no_grad()
def _loss(student: Student, labelled: Labelled) -> float:
    return float(cross_entropy(student, student.parameters, labelled))
