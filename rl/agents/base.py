"""What every agent is: a greedy policy, a memory, an update, and parameters in one flat vector."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from netsim import allocations
from netsim.scenario import Scenario
from rl import draws
from rl.networks import Parameters, best_actions
from rl.observation import Encoder
from rl.optimiser import Adam
from rl.replay import Arrays, Batch, Floats, Replay, Transitions
from rl.reward import Thresholds
from rl.settings import Settings, Whole

Rate = Annotated[float, Field(gt=0, le=1)]
Width = Annotated[int, Field(ge=1, le=65_536)]
Beta = Annotated[float, Field(ge=0, lt=1)]


TABLED = 100_000
"""Up to so many allocations are looked up in a table: working one out costs as much as scoring them all."""


class AgentConfig(Settings):
    """Hyper-parameters that all agents have."""

    discount: Annotated[float, Field(ge=0, lt=1)] = 0.8
    """lambda of eq. 10, per period."""
    learning_rate: Rate = 5e-4
    """Step size of Adam."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    """Transitions in an update."""
    replay_capacity: Annotated[int, Field(ge=1, le=10_000_000)] = 50_000
    """Transitions kept."""
    learning_starts: Whole = 200
    """Transitions seen before the first update."""
    target_rate: Rate = 0.01
    """How far the target network moves towards the learned one at each update."""
    epsilon_final: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of random actions in the end: epsilon = final + (1 - final) exp(-t / decay)."""
    epsilon_decay_interactions: Annotated[float, Field(gt=0)] = 3000.0
    """Interactions in which the share of random actions above the final one falls to 1/e."""

    def epsilon(self, interaction: int) -> float:
        """Probability of a random allocation at an interaction, numbered from 0."""
        decayed = np.exp(-interaction / self.epsilon_decay_interactions)
        return float(self.epsilon_final + (1.0 - self.epsilon_final) * decayed)


@dataclass(frozen=True)
class Task:
    """What there is to decide, the same for every agent of a scenario."""

    units: int
    """Units that an allocation sums to."""
    encoder: Encoder
    thresholds: Thresholds
    seed: int
    """Of all draws of learning."""

    @classmethod
    def of(cls, scenario: Scenario, budget: int, seed: int) -> "Task":
        """The task of a scenario when ``budget`` interactions are to be had."""
        return cls(scenario.carrier.units, Encoder.of(scenario), Thresholds.of(scenario, budget), seed)

    @property
    def n_slices(self) -> int:
        """N."""
        return self.encoder.size

    @property
    def n_actions(self) -> int:
        """Allocations, numbered in lexicographic order."""
        return allocations.count(self.units, self.n_slices)

    def allocation(self, action: int) -> tuple[int, ...]:
        """The allocation of a number."""
        if self.n_actions > TABLED:
            return allocations.unrank(int(action), self.units, self.n_slices)
        return _table(self.units, self.n_slices)[action]

    def shares(self) -> Floats:
        """Every allocation as shares w / W of the carrier, shape ``(actions, N)``."""
        table = allocations.enumerate_all(self.units, self.n_slices)
        return (table / self.units).astype(np.float32)


@cache
def _table(units: int, n: int) -> list[tuple[int, ...]]:
    return [tuple(row) for row in allocations.enumerate_all(units, n).tolist()]


SCORED = 1000
"""States that are scored at a time: with 4,851 allocations, 19 MB of scores."""


def in_parts(asked: Callable[[Floats], NDArray[Any]], states: Floats) -> NDArray[Any]:
    """What ``asked`` says of each state, asked about :data:`SCORED` of them at a time so that memory suffices."""
    return np.concatenate([asked(states[begin : begin + SCORED]) for begin in range(0, len(states), SCORED)])


class Policy(Protocol):
    """A greedy policy: that of an agent, or of a student of one."""

    task: Task

    def scores(self, states: Floats) -> Floats:
        """What every allocation is worth, shape ``(B, actions)``, for states of shape ``(B, N)``."""

    def act(self, states: Floats) -> NDArray[np.int64]:
        """The number of the allocation with the highest score for each state, shape ``(B,)``."""


@runtime_checkable
class Agent(Policy, Protocol):
    """What training, the loops of a digital twin and evaluation know of an agent."""

    memory: Replay
    parameters: Parameters
    """What is learned: the weights that eq. 8 averages and a policy is exported from."""
    updates: int
    """Updates done."""

    @property
    def config(self) -> AgentConfig:
        """Its hyper-parameters."""

    def scores(self, states: Floats) -> Floats:
        """Q(s, a) of every allocation, shape ``(B, actions)``, for states of shape ``(B, N)``."""

    def act(self, states: Floats) -> NDArray[np.int64]:
        """The greedy allocation's number for each state, shape ``(B,)``."""

    def remember(self, state: Floats, action: int, utility: float, next_state: Floats) -> None:
        """Keep one transition."""

    def update(self, step: int) -> float | None:
        """One gradient step on remembered transitions, rewarded by the threshold of ``step``; the loss.

        ``None`` as long as fewer than ``learning_starts`` transitions have been seen.
        """

    def learn(self, batch: Batch) -> float:
        """One gradient step on the given transitions; the loss."""

    def learn_cautiously(self, batch: Batch, caution: float, values: float = 1.0) -> float:
        """One gradient step on the given transitions of values loss + caution mean (log sum_b exp Q(s, b) - Q(s, a)).

        The second term lowers what was not done: conservative Q-learning (Kumar et al., 2020), or with ``values`` 0 the
        cross-entropy of cloning the behaviour. Returned is the sum of both, the loss as :meth:`learn` tells it.
        """

    def pull_towards(self, anchor: Tensor, strength: float) -> None:
        """From now on every step is on ``strength / 2 |parameters - anchor|^2`` too (eq. 13)."""

    def sweep(self, states: Floats, rewards: Floats, next_states: Floats) -> float:
        """One gradient step on every allocation of B states, B at most the batch size; the mean squared error.

        Shapes ``(B, N)``, ``(B, actions)``, ``(B, N)``. No network can be asked what each allocation would bring, a
        model of it can. The loss sums over allocations, so that an allocation's row of a head moves as it does in an
        update on transitions.
        """

    def loss(self, parameters: Parameters, batch: Batch) -> Tensor:
        """The loss at other parameters, for autograd to follow: the equations without tricks."""

    def sweep_loss(self, parameters: Parameters, states: Floats, rewards: Floats, next_states: Floats) -> Tensor:
        """The loss of :meth:`sweep` in that form."""

    def empower(self, other: Tensor, keep: float) -> None:
        """Eq. 8: parameters <- keep * parameters + (1 - keep) * other; the target follows, Adam starts afresh."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on, memory excluded."""

    def restore(self, arrays: Arrays) -> None:
        """Become what :meth:`to_arrays` gave."""


class Learner(ABC):
    """What the agents share: memory, sampling, rewards, and keeping tensors."""

    _adam: Adam

    def __init__(
        self, task: Task, config: AgentConfig, device: str, whose: str, dtype: torch.dtype = torch.float32
    ) -> None:
        self.task = task
        self.device, self.dtype = torch.device(device), dtype
        self.memory = Replay(config.replay_capacity, task.n_slices)
        self.updates = 0
        self.whose = whose
        self._settings = config
        self._sampling = draws.Uniforms(task.seed, draws.REPLAY, config.batch_size, whose)

    def remember(self, state: Floats, action: int, utility: float, next_state: Floats) -> None:
        """Keep one transition."""
        self.memory.add(state, action, utility, next_state)

    def update(self, step: int) -> float | None:
        """One gradient step on remembered transitions, rewarded by the threshold of ``step``; the loss.

        ``None`` as long as fewer than ``learning_starts`` transitions have been seen.
        """
        batch = self.sample(step)
        return None if batch is None else self.learn(batch)

    @abstractmethod
    def learn(self, batch: Batch) -> float:
        """One gradient step on the given transitions; the loss."""

    def sample(self, step: int) -> Batch | None:
        """A batch drawn with replacement from the memory; ``None`` while there is too little in it."""
        settings = self._settings
        if self.memory.added < settings.learning_starts:
            return None
        places = (self._sampling(self.updates) * len(self.memory)).astype(np.int64)
        return self.rewarded(self.memory.take(places), step)

    def rewarded(self, transitions: Transitions, step: int) -> Batch:
        """Transitions with the reward that their utilities have at ``step``."""
        rewards = self.task.thresholds.reward(transitions.utilities, step).astype(np.float32)
        return Batch(transitions.states, transitions.actions, rewards, transitions.next_states)

    def pull_towards(self, anchor: Tensor, strength: float) -> None:
        """From now on every step is on ``strength / 2 |parameters - anchor|^2`` too (eq. 13)."""
        self._adam.pull_towards(anchor.to(self.device), strength)

    def tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """States, actions, rewards and next states on the agent's device."""
        states, actions, rewards, next_states = (self.tensor(array) for array in batch)
        return states, actions, rewards, next_states

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """An array on the agent's device, real numbers in the agent's precision."""
        made = torch.from_numpy(np.ascontiguousarray(array))
        return made.to(self.device, self.dtype if made.is_floating_point() else None)


class ValueLearner(Learner):
    """A learner of one network, its slowly moving target and one Adam."""

    parameters: Parameters
    target: Parameters

    def __init__(
        self, task: Task, config: AgentConfig, device: str, whose: str, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(task, config, device, whose, dtype)
        self.parameters = Parameters.drawn(self.shapes(), task.seed, whose, self.device, dtype)
        self.target = self.parameters.like(self.parameters.flat.clone())
        self._adam = Adam(self.parameters, config.learning_rate, target=self.target, target_rate=config.target_rate)

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of each weight; ``self.task`` and ``self.config`` are there."""

    @abstractmethod
    def q(self, parameters: Parameters, states: Tensor) -> Tensor:
        """Q(s, .; theta), shape ``(B, actions)``, for states of shape ``(B, N)``."""

    # -- acting ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def scores(self, states: Floats) -> Floats:
        """Q(s, .), shape ``(B, actions)``."""
        q: Floats = self.q(self.parameters, self.tensor(states)).cpu().numpy()
        return q

    @torch.no_grad()
    def act(self, states: Floats) -> NDArray[np.int64]:
        """argmax_a Q(s, a), the first of equals."""
        actions: NDArray[np.int64] = best_actions(self.q(self.parameters, self.tensor(states))).cpu().numpy()
        return actions

    # -- parameters --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def empower(self, other: Tensor, keep: float) -> None:
        """Eq. 8: parameters <- keep * parameters + (1 - keep) * other; the target follows, Adam starts afresh."""
        self.parameters.flat.mul_(keep).add_(other.to(self.device), alpha=1.0 - keep)
        self.target.flat.copy_(self.parameters.flat)
        self._adam.reset()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, target, Adam's moments, updates done."""
        return {**tensors_to_arrays(self._tensors()), "counts": np.array([self.updates, self._adam.steps], np.int64)}

    def restore(self, arrays: Arrays) -> None:
        """Become what :meth:`to_arrays` gave."""
        arrays_into_tensors(arrays, self._tensors())
        self.updates, self._adam.steps = map(int, arrays["counts"])

    def _tensors(self) -> dict[str, Tensor]:
        moments = {f"adam.{name}": tensor for name, tensor in self._adam.tensors().items()}
        return {"parameters": self.parameters.flat, "target": self.target.flat, **moments}


def surprise(q: Tensor, actions: Tensor) -> tuple[float, Tensor]:
    """Mean of log sum_b exp Q(s, b) - Q(s, a) over B states, and its gradient with respect to Q(s, .).

    The gradient is (softmax Q(s, .) - 1[a]) / B, shape ``(B, actions)`` as ``q``.
    """
    logarithms = q.log_softmax(dim=1)
    chosen = actions[:, None]
    mean = -float(logarithms.gather(1, chosen).mean())
    slopes = logarithms.exp_().div_(len(q))
    return mean, slopes.scatter_add_(1, chosen, slopes.new_full(chosen.shape, -1.0 / len(q)))


def tensors_to_arrays(tensors: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Copies on the CPU."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}


def arrays_into_tensors(arrays: Arrays, tensors: dict[str, Tensor]) -> None:
    """Write stored arrays over tensors of the same shapes.

    Raises
    ------
    KeyError, ValueError
        If one is missing, or of another shape or type.
    """
    for name, tensor in tensors.items():
        stored = torch.from_numpy(np.array(arrays[name]))
        if (stored.shape, stored.dtype) != (tensor.shape, tensor.dtype):
            rule, got = (f"{each.dtype} of shape {tuple(each.shape)}" for each in (tensor, stored))
            raise ValueError(f"{name}: must be {rule}, got {got}")
        tensor.copy_(stored)
