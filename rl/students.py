"""Students: small networks that decide as a trained agent does (paper, section IV-A).

With 4,851 allocations and 16 neurons nearly all parameters of a student are in its head. A factored head has one output
per slice and number of units instead of one per allocation: the score of an allocation w is

    score(s, w) = sum over slices n of f_n(s, w_n),        f_n(s, .) linear in the last hidden layer,

which is 294 outputs for 4,851 allocations, and what is learned of a slice's units holds for all allocations that have
them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netsim import allocations
from netsim.errors import InputError, RunError
from netsim.files import temporary, to_json, write_atomic
from netsim.scenario import Scenario
from netsim.seals import MANIFEST, Kind, all_written, format_of, intact
from rl.agents import Policy, Task
from rl.agents.base import Width
from rl.checkpoints import read_arrays, write_arrays
from rl.networks import Parameters, best_actions, linear, mlp_shapes, relu_layers
from rl.options import notice
from rl.policy import PolicyController, load_agent, scenario_of
from rl.replay import Floats
from rl.settings import Settings, checked

KIND = Kind("slicetwin-student", 1, "student", "student", "`netsim distill --force` makes it anew")
WEIGHTS, CARD = "student.safetensors", "card.json"
FILES = frozenset({MANIFEST, WEIGHTS, CARD})


class StudentConfig(Settings):
    """The network of a student."""

    hidden: tuple[Width, ...] = (16, 16)
    """Widths of the hidden layers; the paper has two of 4 or 16."""
    head: Literal["full", "factored"] = "full"
    """One output per allocation, or one per slice and number of units."""


class Student:
    """A network of ReLU layers whose outputs score the allocations."""

    def __init__(self, task: Task, config: StudentConfig, seed: int) -> None:
        """Draw the weights from a seed."""
        self.task, self.config = task, StudentConfig(hidden=config.hidden, head=config.head)
        widths = [task.n_slices, *config.hidden]
        self._parts = parts(task.units, task.n_slices).t().contiguous() if config.head == "factored" else None
        outputs = task.n_actions if self._parts is None else task.n_slices * (task.units - task.n_slices + 1)
        shapes = mlp_shapes("hidden", widths) | mlp_shapes("head", [widths[-1], outputs])
        self.parameters = Parameters.drawn(shapes, seed, "student", torch.device("cpu"), torch.float32)

    def logits(self, parameters: Parameters, states: Tensor) -> Tensor:
        """Scores of every allocation, shape ``(B, actions)``, at any parameters."""
        outputs = linear(parameters, "head.0", relu_layers(parameters, "hidden", states))
        if self._parts is None:
            return outputs
        # A slice at a time: gathering all addends of an allocation and summing them costs several times as much.
        return cast(Tensor, sum(outputs.index_select(1, of_slice) for of_slice in self._parts))

    @torch.no_grad()
    def scores(self, states: Floats) -> Floats:
        """Scores of every allocation, shape ``(B, actions)``."""
        scored: Floats = self.logits(self.parameters, torch.from_numpy(states)).numpy()
        return scored

    @torch.no_grad()
    def act(self, states: Floats) -> NDArray[np.int64]:
        """The number of the allocation with the highest score, the first of equals, for each state."""
        chosen: NDArray[np.int64] = best_actions(self.logits(self.parameters, torch.from_numpy(states))).numpy()
        return chosen


def parts(units: int, n: int) -> Tensor:
    """Which outputs of a factored head each allocation is the sum of, shape ``(actions, N)``.

    Output n (U - N + 1) + k is that of k + 1 units for slice n.

    >>> parts(4, 2).tolist()
    [[0, 5], [1, 4], [2, 3]]
    """
    offsets = np.arange(n) * (units - n + 1) - 1
    return torch.from_numpy(allocations.enumerate_all(units, n) + offsets)


# -- on disk -----------------------------------------------------------------------------------------------------------


def save(student: Student, folder: Path, request: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    """Keep a student with its card: the whole folder or nothing, in place of what was there.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    partial = temporary(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        write_arrays(partial / WEIGHTS, {name: tensor.numpy() for name, tensor in student.parameters.items()})
        write_atomic(partial / CARD, to_json(card))
        KIND.write(partial, {"request": request, "files": all_written([partial / WEIGHTS, partial / CARD])})
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None


def load_student(folder: Path) -> Student:
    """The student of a folder.

    Raises
    ------
    InputError
        The folder holds none.
    RunError
        A file of it is not the one that was written.
    """
    manifest = KIND.read(folder)
    for name, kept in manifest["files"].items():
        if not intact(folder / name, kept):
            raise RunError(f"{folder / name} is not the file that was written; {KIND.remedy}")
    request = manifest["request"]
    task = Task.of(scenario_of(request), request["teacher"]["training"]["interactions"], request["seed"])
    student = Student(task, checked("student", StudentConfig, request["student"]), request["seed"])
    for name, array in read_arrays(folder / WEIGHTS).items():
        student.parameters[name].copy_(torch.from_numpy(array))
    return student


def load_policy(folder: Path) -> Policy:
    """The student of a folder, or the agent of a training.

    Raises
    ------
    InputError, RunError
        As :func:`load_student` and :func:`rl.policy.load_agent`.
    """
    return load_student(folder) if format_of(folder) == KIND.format else load_agent(folder, notice=notice)


class StudentController(PolicyController):
    """A student that was kept in a folder, written ``student:DIR``."""

    def __init__(self, text: str, *, scenario: Scenario) -> None:
        """Read the student.

        Raises
        ------
        InputError
            If there is none, or it decides for other slices or another number of units.
        """
        super().__init__(load_student(Path(text)), f"student {text}", scenario)
