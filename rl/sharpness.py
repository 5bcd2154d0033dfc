"""How sharp the place is where training has left an agent, in numbers.

All are in units of the variance of the targets at lambda = 0, so that agents with Q on different scales compare. Eq. 11
and its directions are those of :mod:`rl.landscape`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from rl.agents import Agent
from rl.landscape import gradient, line, random_direction, scale
from rl.replay import Batch
from rl.settings import Settings

WITHIN = 21
"""Places in the ball at which SAM sharpness looks for the highest loss."""
SHARPNESS: Mapping[str, str] = {
    "loss": "L at the agent's parameters, of a generator up to what its critic adds to everything",
    "slope": "length of the gradient",
    "curvature": "second derivative along the normalised gradient, v' H v",
    "sam": "highest rise of L within rho along the normalised gradient",
    "rise_gradient": "mean rise of L over lambda along the normalised gradient",
    "rise_random": "mean rise of L over lambda along filter-normalised random directions",
}
"""What is measured, and what it is."""
FLATNESS = tuple(name for name in SHARPNESS if name != "loss")
"""What tells flat from sharp."""


class LandscapeConfig(Settings):
    """Where losses are measured, and on what."""

    transitions: Annotated[int, Field(ge=2, le=1_000_000)] = 512
    """Held-out transitions that lines and sharpness are measured on."""
    plane_transitions: Annotated[int, Field(ge=2, le=1_000_000)] = 64
    """The first of them, which planes are measured on."""
    radius: Annotated[float, Field(gt=0)] = 0.1
    """lambda goes from minus this to this along the normalised gradient."""
    random_radius: Annotated[float, Field(gt=0)] = 0.5
    """The same along random directions, in which 1 moves each neuron's weights by their own length."""
    points: Annotated[int, Field(ge=3, le=1001)] = 51
    """Values of lambda."""
    directions: Annotated[int, Field(ge=1, le=100)] = 4
    """Random directions over which a line is averaged."""
    rho: Annotated[float, Field(gt=0)] = 0.05
    """Radius of the ball of SAM sharpness (Foret et al., 2021)."""

    @property
    def steps(self) -> NDArray[np.float64]:
        """The values of lambda along the gradient."""
        return np.linspace(-self.radius, self.radius, self.points)

    @property
    def random_steps(self) -> NDArray[np.float64]:
        """The values of lambda along random directions."""
        return np.linspace(-self.random_radius, self.random_radius, self.points)


@dataclass(frozen=True)
class Landscape:
    """The loss of one agent over lambda, divided by its scale, and its sharpness."""

    scale: float
    gradient: NDArray[np.float64]
    """Along the normalised gradient, shape ``(points,)``."""
    random: NDArray[np.float64]
    """Along random directions, their mean, shape ``(points,)``."""
    sharpness: dict[str, float]
    """By the names of :data:`SHARPNESS`."""


def landscape(agent: Agent, batch: Batch, config: LandscapeConfig, seed: int) -> Landscape:
    """Measure an agent in float64 on a batch; ``seed`` is that of the random directions."""
    unit, v = scale(agent, batch), gradient(agent, batch)
    along = line(agent, batch, v, config.steps) / unit
    aside = np.mean(
        [
            line(agent, batch, random_direction(agent.parameters, seed, k), config.random_steps) / unit
            for k in range(config.directions)
        ],
        axis=0,
    )
    here, slope, curvature = derivatives(agent, batch, v)
    within = line(agent, batch, v, np.linspace(0.0, config.rho, WITHIN))
    sharpness = {
        "loss": here / unit,
        "slope": slope / unit,
        "curvature": curvature / unit,
        "sam": float(within.max() - within[0]) / unit,
        "rise_gradient": float(along.mean()) - here / unit,
        "rise_random": float(aside.mean()) - here / unit,
    }
    return Landscape(unit, along, aside, sharpness)


def derivatives(agent: Agent, batch: Batch, v: Tensor) -> tuple[float, float, float]:
    """L, dL/dlambda and d2L/dlambda2 = v' H v at lambda = 0, the last by a Hessian-vector product.

    Targets are constants, as they are for the gradient that trains the agent.
    """
    theta = agent.parameters.flat.detach().requires_grad_()
    loss = agent.loss(agent.parameters.like(theta), batch)
    (slopes,) = torch.autograd.grad(loss, theta, create_graph=True)
    (curved,) = torch.autograd.grad(slopes @ v, theta)
    return float(loss.detach()), float(slopes.detach() @ v), float(curved @ v)
