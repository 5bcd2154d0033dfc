"""What a landscape in two dimensions costs, at full size: 51 x 51 places, 4851 allocations, one core.

Directions and transitions are those of the command: two random directions, its default of transitions for planes.
"""

import time

import numpy as np
import pytest
import torch

from rl.agents import make_agent
from rl.landscape import gradient, in_double, losses, plane, random_direction
from rl.networks import single_thread
from rl.sharpness import LandscapeConfig
from tests.rl.small import batches, task_of

SIDE = 51
MARK_S = 10.0
PLACES = [(0.0, 0.0), (0.37, -0.21), (-0.5, 0.5)]


def trained(name):
    single_thread()
    agent = make_agent(name, task_of(100))
    assert agent.task.n_actions == 4851
    for batch in batches(agent.task, 32, 100, seed=1):
        agent.learn(batch)
    return in_double(agent)


@torch.no_grad()
def plainly(agent, batch, directions, place):
    moved = sum(step * direction for step, direction in zip(place, directions, strict=True))
    return float(agent.loss(agent.parameters.like(agent.parameters.flat + moved), batch))


@pytest.mark.parametrize("name", ["dqn", "ddqn", "gan-ddqn", "feature-ddqn"])
def test_a_plane_of_51_by_51_places_takes_under_10_s(name):
    """CPU time, and the values are the plain ones."""
    agent, config = trained(name), LandscapeConfig()
    [batch] = batches(agent.task, config.plane_transitions, 1, seed=2)
    assert config.points == SIDE
    directions = [random_direction(agent.parameters, 0, k) for k in (0, 1)]
    started = time.process_time()
    surface = plane(agent, batch, directions, config.random_steps, config.random_steps)
    quick_s = time.process_time() - started
    started = time.process_time()
    expected = [plainly(agent, batch, directions, place) for place in PLACES]
    plain_s = (time.process_time() - started) / len(PLACES) * SIDE**2
    print(f"\n{name}: {quick_s:.2f} s, plainly {plain_s:.1f} s")  # noqa: T201
    assert surface.shape == (SIDE, SIDE)
    np.testing.assert_allclose(losses(agent, batch, directions, PLACES), expected, rtol=1e-6)
    assert quick_s < MARK_S


def test_what_a_line_of_512_transitions_costs():
    """No mark: 51 places along the gradient."""
    for name in ("dqn", "ddqn"):
        agent = trained(name)
        [batch] = batches(agent.task, LandscapeConfig().transitions, 1, seed=2)
        v = gradient(agent, batch)
        started = time.process_time()
        losses(agent, batch, [v], LandscapeConfig().steps[:, None])
        print(f"\n{name}: a line in {time.process_time() - started:.2f} s")  # noqa: T201
