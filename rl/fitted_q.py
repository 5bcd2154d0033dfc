"""Fitted Q evaluation (Le, Voloshin and Yue, 2019): what a policy is worth, from data that another one collected.

Q of the policy pi is learned from y = U + lambda Q'(s', pi(s')) on recorded transitions, by the network that is told
what an allocation is (:mod:`rl.agents.feature_ddqn`): one with an output per allocation knows nothing of those that
were never tried. The mean of (1 - lambda) Q(s, pi(s)) over the recorded states is the U of a period under pi, near
periods weighing more.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netsim.errors import RunError
from rl import draws
from rl.agents import Agent, Task
from rl.agents.base import Rate, in_parts
from rl.agents.feature_ddqn import FeatureConfig, FeatureDdqn
from rl.networks import Parameters
from rl.replay import Batch, Transitions
from rl.settings import Whole

SHUFFLE = "fitted-q-shuffle"
"""Purpose of random draws."""


class FittedQConfig(FeatureConfig):
    """Hyper-parameters of the evaluation."""

    epochs: Whole = 100
    """Traversals of the data set."""
    target_rate: Rate = 0.05
    """How far the target network moves at each update: a policy that is given leaves less to chase than the best."""


class FittedQ(FeatureDdqn):
    """Q of a policy whose next allocations are given."""

    following: Tensor
    """Those of the next states of the batch at hand, shape ``(B,)``."""

    def next_actions(self, parameters: Parameters, next_states: Tensor) -> Tensor:
        """What the policy does next."""
        return self.following


def fitted_utility(policy: Agent, transitions: Transitions, config: FittedQConfig, seed: int) -> float:
    """Mean U of a period under a policy, as the data have it.

    Parameters
    ----------
    policy
        What is evaluated; nothing of it is used but its greedy allocations.
    seed
        Of weights and of the order of transitions.

    Raises
    ------
    RunError
        What was learned is not finite.
    """
    mean, scale = _scaling(transitions.utilities)
    task = Task(policy.task.units, policy.task.encoder, policy.task.thresholds, seed)
    learner = FittedQ(task, config, whose="fitted-q")
    now, following = (in_parts(policy.act, states) for states in (transitions.states, transitions.next_states))
    rewards = ((transitions.utilities - mean) / scale).astype(np.float32)
    data = (transitions.states, transitions.actions, rewards, transitions.next_states)
    for epoch in range(config.epochs):
        order = draws.uniform(seed, SHUFFLE, epoch, len(rewards)).argsort()
        for begin in range(0, len(order), config.batch_size):
            rows = order[begin : begin + config.batch_size]
            learner.following = torch.from_numpy(following[rows])
            learner.learn(Batch(*(array[rows] for array in data)))
    with torch.no_grad():
        q = learner.q_of(learner.parameters, learner.tensor(transitions.states), torch.from_numpy(now))
    worth = mean + scale * (1.0 - config.discount) * float(q.double().mean())
    if not math.isfinite(worth):
        raise RunError(f"fitted Q evaluation came to {worth}; try a smaller fitted_q.learning_rate")
    return worth


def _scaling(utilities: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation; 1 where U does not vary."""
    return float(utilities.mean()), float(utilities.std()) or 1.0
