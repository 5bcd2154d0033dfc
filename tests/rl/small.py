"""Small tasks, agents and trainings, for tests."""

import json
from pathlib import Path

import numpy as np

import netsim
from rl.agents import Task, configured
from rl.loops import loops, parted
from rl.observation import Encoder
from rl.replay import Batch
from rl.reward import Thresholds
from rl.training import Request, TrainingConfig

HYPER = {
    "dqn": {"hidden": (8, 8)},
    "ddqn": {"hidden": (8, 8)},
    "gan-ddqn": {
        "embedding": 8, "common": 8, "branch": 6, "particles": 4, "noise_size": 3, "critic_hidden": (8,),
        "critic_steps": 2, "policy_noises": 2,
    },
    "feature-ddqn": {"hidden": (8,), "dimensions": 4},
}  # fmt: skip
NAMES = tuple(HYPER)
IN_LOOP = tuple(f"{name}-dt" for name in NAMES)
FIT = {"steps": 20, "batch_size": 8, "check_every": 5}
LOOP = {
    "collect": 4,
    "first_collect": 14,
    "real_steps": 9,
    "real_updates": 1,
    "practice_updates": 5,
    "sweep_states": 4,
    "sweep_pool": 6,
    "rollouts": 8,
    "horizon": 3,
    "twin": {
        "state": {"hidden": 6, "context": 3, "fit": FIT},
        "outcome": {"members": 2, "hidden": (8,), "fit": FIT},
    },
}
"""A loop whose agent collects up to interactions 14, 27, 40 and 53 and then practises."""
LEARNING = {"learning_starts": 10, "batch_size": 8, "replay_capacity": 40, "epsilon_decay_interactions": 20.0}


def config_of(name, **changes):
    agent, _ = parted(name)
    return configured(agent, {**LEARNING, **HYPER[agent], **changes})


def loop_of(name, **changes):
    """Settings of the loop that a name ends in."""
    _, loop = parted(name)
    return None if loop is None else loops()[loop].Config(**{**LOOP, **changes})


def task_of(units=20, seed=5):
    """N = 3: 171 actions of 20 units, 4851 of 100."""
    return Task(units, Encoder((4.7, 7.3, 2.3)), Thresholds(2.0, 3.5, 1e-3), seed)


def batches(task, size, count, seed=0):
    """Batches near the states that a cell has, of any actions and rewards."""
    rng = np.random.Generator(np.random.Philox(seed))
    for _ in range(count):
        states, next_states = rng.normal(1.0, 0.1, (2, size, task.n_slices)).astype(np.float32)
        actions = rng.integers(0, task.n_actions, size)
        yield Batch(states, actions, rng.random(size, np.float32), next_states)


TRAINING = {
    "interactions": 60, "metrics_every": 10, "evaluate_every": 30, "evaluation_seeds": 2, "evaluation_periods": 3,
    "checkpoint_every": 20,
}  # fmt: skip


def request_of(name="ddqn", seed=3, scenario=None, hyper=None, loop=None, **training):
    """A training of a small agent on ``tiny``; ``training`` changes fields of its TrainingConfig."""
    return Request(
        netsim.load_scenario("tiny") if scenario is None else scenario,
        name,
        config_of(name, **(hyper or {})),
        TrainingConfig(**{**TRAINING, **training}),
        seed,
        loop=loop_of(name, **(loop or {})),
    )


def options_of(request):
    """The same request on the command line of ``netsim train``."""
    config = request.config.model_dump(mode="json")
    hyper = [f"{key}={as_text(value)}" for key, value in config.items()]
    training = request.training.model_dump(mode="json")
    training = [f"{key}={value}" for key, value in training.items() if key != "interactions"]
    options = ["--agent", request.agent, "--seed", request.seed, "--interactions", request.training.interactions]
    options += [each for value in hyper for each in ("--hyper", value)]
    options += [each for value in training for each in ("--training", value)]
    if request.loop is not None:
        loop = flattened(request.loop.model_dump(mode="json"))
        options += [each for key, value in loop for each in ("--loop", f"{key}={as_text(value)}")]
    return [str(option) for option in options]


def flattened(settings, prefix=""):
    """Keys with dots, and their values."""
    for key, value in settings.items():
        yield from flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]


def as_text(value):
    return "".join(f"{each}," for each in value) if isinstance(value, list) else str(value)


def files_of(folder):
    """Path -> bytes of all that must not depend on when and how often a training was stopped."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name not in {"timing.json", ".lock"} and "tensorboard" not in path.parts
    }


def metrics_of(folder):
    return [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
