"""The loss near an agent's parameters (paper, section III-F).

    L'(theta, lambda) = L(theta + lambda v) = 1/B sum_i L_Q(s_i, a_i, r_i, s_i+1)        (eq. 11)

with v the normalised gradient of L at theta, or a random direction in which every neuron's weights have the length that
they have in theta (Li et al., 2018; biases stay). L is ``agent.loss`` as it stands: DQN's target network is not moved;
Double DQN and the others choose the next allocation with the moved network and value it with the target network.

All agents are measured on the same transitions of the real network, which none has learned from, rewarded by the
threshold at the end of training. A loss is in units of Q squared, and agents differ in the scale of their Q; so losses
are divided by the variance of the targets at lambda = 0.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from torch import Tensor

import netsim
from netsim.errors import InputError, RunError
from netsim.scenario import Scenario
from rl import draws
from rl.agents import Agent
from rl.agents.feature_ddqn import FeatureDdqn
from rl.agents.gan_ddqn import GanDdqn
from rl.agents.q_agent import QAgent
from rl.checkpoints import read_arrays
from rl.networks import Parameters
from rl.observation import Encoder
from rl.perturbed import moved_loss
from rl.replay import Batch, Transitions

DIRECTIONS, HELD_OUT = "landscape-directions", "landscape-transitions"
CELLS = 16
"""Cells that the random controller is played on for held-out transitions."""

Losses = NDArray[np.float64]


# -- what the loss is of -----------------------------------------------------------------------------------------------


def held_out_transitions(scenario: Scenario, count: int, first_seed: int) -> Transitions:
    """What the random controller meets on 16 cells of the seeds from ``first_seed`` on, period by period."""
    encoder, units = Encoder.of(scenario), scenario.carrier.units
    n_actions = netsim.allocations.count(units, len(scenario.slices))
    rows = []
    with netsim.SimulationBatch(scenario, range(first_seed, first_seed + CELLS)) as batch:
        states = encoder(batch.reset().columns["arrived"])
        for period in range(-(-count // CELLS)):
            drawn = draws.uniform(first_seed, HELD_OUT, period, CELLS)
            actions = (drawn * n_actions).astype(np.int64)
            columns = batch.step([netsim.allocations.unrank(int(a), units, encoder.size) for a in actions]).columns
            following = encoder(columns["arrived"])
            rows.append((states, actions, columns["utility"], following))
            states = following
    joined = [np.concatenate(parts)[:count] for parts in zip(*rows, strict=True)]
    return Transitions(*joined)


_FORMS = {
    "states": ("f", 2, "real numbers of shape (B, N)"),
    "actions": ("iu", 1, "whole numbers of shape (B,)"),
    "utilities": ("f", 1, "real numbers of shape (B,)"),
    "next_states": ("f", 2, "real numbers of shape (B, N)"),
}
"""Kinds of numbers and dimensions of each array of transitions, and both in words."""


def read_transitions(path: Path) -> Transitions:
    """Transitions from a file of safetensors, as the ``replay.safetensors`` of a checkpoint.

    Raises
    ------
    InputError
        The file cannot be read, or holds something else.
    """
    try:
        arrays = read_arrays(path)
        parts = Transitions(*(arrays[name] for name in Transitions._fields))
    except RunError as error:
        raise InputError(str(error)) from None
    except KeyError as error:
        known = ", ".join(Transitions._fields)
        raise InputError(f"{path} has no array {error.args[0]!r}; transitions are {known}") from None
    for (name, (kinds, dimensions, form)), part in zip(_FORMS.items(), parts, strict=True):
        if part.dtype.kind not in kinds or part.ndim != dimensions:
            raise InputError(f"{path}: {name} must be {form}, got {part.dtype} of shape {part.shape}")
    if len({len(part) for part in parts}) != 1 or parts.states.shape != parts.next_states.shape:
        raise InputError(f"{path}: its arrays must have a row for each transition, got {[p.shape for p in parts]}")
    return parts._replace(actions=parts.actions.astype(np.int64))


def rewarded(agent: Agent, transitions: Transitions, step: int) -> Batch:
    """Transitions with the reward that their utilities have at ``step``.

    Raises
    ------
    InputError
        They are not of the agent's task.
    """
    n, actions = transitions.states.shape[1], transitions.actions
    if n != agent.task.n_slices or not ((actions >= 0) & (actions < agent.task.n_actions)).all():
        raise InputError(
            f"the transitions are not of {agent.task.n_slices} slices and {agent.task.n_actions} allocations, as the "
            f"agent's; got {n} slices and allocations up to {int(actions.max())}"
        )
    rewards = agent.task.thresholds.reward(transitions.utilities, step)
    return Batch(transitions.states, transitions.actions, rewards, transitions.next_states)


def in_double(agent: Agent) -> Agent:
    """The same agent in float64, so that differences of losses are not rounding errors."""
    if not isinstance(agent, QAgent | GanDdqn | FeatureDdqn):
        raise InputError(f"the landscape of a {type(agent).__name__} is not known")
    made = type(agent)(agent.task, agent.config, whose=agent.whose, dtype=torch.float64)  # type: ignore[arg-type]
    arrays = agent.to_arrays()
    made.restore({name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in arrays.items()})
    return made


def targets(agent: Agent, batch: Batch) -> Tensor:
    """What Q(s, a) is drawn towards at the agent's parameters, of a generator the mean of its particles, ``(B,)``."""
    if isinstance(agent, GanDdqn):
        _, noise = agent.update_noise(len(batch.actions))
        return agent.target_particles(agent.parameters, batch, noise).mean(dim=1)
    assert isinstance(agent, QAgent | FeatureDdqn)
    _, _, rewards, next_states = agent.tensors(batch)
    if isinstance(agent, FeatureDdqn):
        return agent.targets(agent.parameters, rewards, next_states)
    return rewards + agent.config.discount * agent.next_values(agent.parameters, next_states)


@torch.no_grad()
def scale(agent: Agent, batch: Batch) -> float:
    """The variance of the targets at lambda = 0, by which losses are divided.

    Raises
    ------
    InputError
        All targets are equal.
    """
    variance = float(targets(agent, batch).var())
    if not variance > 0.0:
        raise InputError("all targets of these transitions are equal, their loss has no scale; give more transitions")
    return variance


# -- directions --------------------------------------------------------------------------------------------------------


def gradient(agent: Agent, batch: Batch) -> Tensor:
    """v of eq. 11: the gradient of the loss at the agent's parameters, its length 1.

    Raises
    ------
    InputError
        It is zero.
    """
    theta = agent.parameters.flat.detach().requires_grad_()
    (slope,) = torch.autograd.grad(agent.loss(agent.parameters.like(theta), batch), theta)
    length = float(slope.norm())
    if not length > 0.0:
        raise InputError("the gradient of the loss is zero on these transitions; give more transitions")
    return slope / length


def random_direction(parameters: Parameters, seed: int, index: int) -> Tensor:
    """A normal direction, the weights into every neuron scaled to the length that they have in ``parameters``."""
    drawn = ndtri(draws.uniform(seed, DIRECTIONS, index, parameters.flat.numel()))
    made = parameters.like(torch.from_numpy(drawn).to(parameters.flat.dtype))
    for name, tensor in made.items():
        if name.endswith(".bias"):
            tensor.zero_()
        else:
            tensor.mul_(parameters[name].norm(dim=1, keepdim=True) / tensor.norm(dim=1, keepdim=True))
    return made.flat


# -- eq. 11 ------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def losses(agent: Agent, batch: Batch, directions: Sequence[Tensor], places: ArrayLike) -> Losses:
    """L at theta + sum_k x_k d_k for places x of shape ``(P, directions)``, shape ``(P,)``."""
    at = moved_loss(agent, directions, batch)
    rows = np.asarray(places, np.float64).reshape(-1, len(directions)).tolist()
    return np.array([float(at((1.0, *row))) for row in rows])


def line(agent: Agent, batch: Batch, direction: Tensor, steps: ArrayLike) -> Losses:
    """Eq. 11 at each lambda of ``steps``."""
    return losses(agent, batch, [direction], np.asarray(steps)[:, None])


def plane(agent: Agent, batch: Batch, directions: Sequence[Tensor], across: ArrayLike, up: ArrayLike) -> Losses:
    """The loss over two directions, shape ``(up, across)``: the first direction across."""
    x, y = np.meshgrid(np.asarray(across, np.float64), np.asarray(up, np.float64))
    return losses(agent, batch, directions, np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)
