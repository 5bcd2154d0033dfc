"""Adam, and the slow step of a target network, in one pass over the parameters."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netsim.compiled import kernel
from rl.networks import Parameters

EPSILON = 1e-5
"""With the usual 1e-8 a gradient that is nothing but rounding error moves its weight by a full step."""

Vector = NDArray[np.floating]


class Adam:
    """Adam (Kingma and Ba, 2015) on one flat vector: for a gradient g at step k

        m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2,
        theta <- theta - rate / (1 - beta1^k) m / (sqrt(v / (1 - beta2^k)) + epsilon)

    followed, where there is a target network, by theta' <- theta' + target_rate (theta - theta').

    Where theta is pulled towards an anchor, g + strength (theta - anchor) is in the place of g.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        target: Parameters | None = None,
        target_rate: float = 0.0,
    ) -> None:
        """Start with no moments; ``gradients`` has the names of the parameters and begins with zeros."""
        self._theta, self._rate, self._betas = parameters.flat, learning_rate, betas
        # Without a target a vector of its own is moved: theta under two names would hold up the loop fivefold.
        self._target = torch.zeros_like(self._theta) if target is None else target.flat
        self._target_rate = 0.0 if target is None else target_rate
        self.gradients = parameters.like(torch.zeros_like(self._theta))
        self.first, self.second = torch.zeros_like(self._theta), torch.zeros_like(self._theta)
        self.steps = 0
        # Without a pull any vector will do that is only read: one that is written too would hold up the loop.
        self._anchor, self._strength = self.gradients.flat, 0.0

    def pull_towards(self, anchor: Tensor, strength: float) -> None:
        """From now on add to each gradient that of strength / 2 |theta - anchor|^2."""
        self._anchor, self._strength = anchor.clone(), strength

    def reset(self) -> None:
        """Forget all moments."""
        self.first.zero_()
        self.second.zero_()
        self.steps = 0

    def step(self) -> None:
        """Move the parameters along ``gradients``, then the target towards them."""
        self.steps += 1
        rate = self._rate / (1.0 - self._betas[0] ** self.steps)
        scale = 1.0 / math.sqrt(1.0 - self._betas[1] ** self.steps)
        if self._theta.device.type == "cpu":
            self._on_cpu(rate, scale)
        else:
            self._elsewhere(rate, scale)

    def _on_cpu(self, rate: float, scale: float) -> None:
        tensors = (self._theta, self.gradients.flat, self.first, self.second, self._target, self._anchor)
        vectors = [tensor.numpy() for tensor in tensors]
        # Constants are rounded here, once: 1 - beta rounded after the subtraction keeps all its digits.
        shares = (1.0 - self._betas[0], 1.0 - self._betas[1])
        constants = (rate, scale, *shares, EPSILON, self._target_rate, self._strength)
        exact = vectors[0].dtype.type
        _move(*vectors, *(exact(constant) for constant in constants))  # type: ignore[arg-type]

    def _elsewhere(self, rate: float, scale: float) -> None:
        g = self.gradients.flat
        if self._strength:
            g = g + self._strength * (self._theta - self._anchor)
        self.first.lerp_(g, 1.0 - self._betas[0])
        self.second.lerp_(g * g, 1.0 - self._betas[1])
        self._theta.addcdiv_(self.first, self.second.sqrt().mul_(scale).add_(EPSILON), value=-rate)
        if self._target_rate:
            self._target.lerp_(self._theta, self._target_rate)

    def tensors(self) -> dict[str, Tensor]:
        """Both moments, to be saved or written over."""
        return {"first": self.first, "second": self.second}


@kernel
def _move(
    theta: Vector,
    gradient: Vector,
    first: Vector,
    second: Vector,
    target: Vector,
    anchor: Vector,
    rate: float,
    scale: float,
    first_share: float,
    second_share: float,
    epsilon: float,
    target_rate: float,
    strength: float,
) -> None:
    """One step. Updates ``theta``, ``first``, ``second``, ``target``."""
    for i in range(theta.size):
        g = gradient[i] + strength * (theta[i] - anchor[i])
        m = first[i] + first_share * (g - first[i])
        v = second[i] + second_share * (g * g - second[i])
        first[i], second[i] = m, v
        moved = theta[i] - rate * m / (np.sqrt(v) * scale + epsilon)
        theta[i] = moved
        target[i] += target_rate * (moved - target[i])
