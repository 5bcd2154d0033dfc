"""What a student's decision costs beside its teacher's: from arrivals to units, one cell, one thread.

Run it with OPENBLAS_NUM_THREADS=1: products this small are slower with threads.
"""

import numpy as np
import pytest

from rl import standalone
from rl.agents import make_agent
from rl.export import export
from rl.networks import single_thread
from rl.students import Student, StudentConfig
from tests.benchmarks.turns import in_turns
from tests.rl.small import task_of

DECISIONS = 20
MARK = 8.0


def decisions(decide, arrived):
    def several():
        for _ in range(DECISIONS):
            decide(arrived)

    return several


@pytest.mark.parametrize("head", ["full", "factored"])
@pytest.mark.parametrize("units", [20, 100])
def test_a_student_in_numpy_decides_8_times_as_fast_as_its_teacher_in_torch(units, head, tmp_path):
    """Two layers of 16 neurons against 256-256-128-128; the factored head, which is small and not fast, has no mark."""
    single_thread()
    task, arrived = task_of(units), np.array([110, 1480, 9])
    teacher, student = make_agent("ddqn", task), Student(task, StudentConfig(head=head), seed=1)
    export(student, tmp_path, onnx=False)
    in_numpy = standalone.Policy(tmp_path / "policy.npz")

    def in_torch(arrived):
        return task.allocation(int(teacher.act(task.encoder(arrived)[None])[0]))

    turns = in_turns(decisions(in_torch, arrived), decisions(in_numpy, arrived), rounds=200)
    print(f"\n{DECISIONS} decisions among {task.n_actions} allocations, {head} head: {turns}")  # noqa: T201
    if head == "full":
        assert turns.ratio >= MARK
