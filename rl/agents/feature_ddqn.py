"""Double DQN that scores allocations by what they are: Q(s, w) with the allocation w as an input.

The networks of the paper have one output per allocation, so what is learned of 1/70/29 says nothing of 1/71/28. A
digital twin is fed w and can tell; this agent can too, without a twin. It shows which of the two helps.

    Q(s, w) = phi(s) . psi(w) / sqrt(d)

with two networks phi and psi into d dimensions, so that all allocations are scored by one matrix product.
"""

import math
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl.agents.base import AgentConfig, Task, ValueLearner, Width, surprise
from rl.networks import Layers, Parameters, best_actions, linear, mlp_shapes, relu_layers
from rl.replay import Batch, Floats

TOWERS = ("state", "share")


class FeatureConfig(AgentConfig):
    """Hyper-parameters of the agent that scores allocations by their features."""

    hidden: tuple[Width, ...] = (64, 64)
    """Widths of the hidden layers of phi and of psi."""
    dimensions: Width = 64
    """d."""


class FeatureDdqn(ValueLearner):
    """Learns Q(s, w) from y = r + lambda Q'(s', argmax_w Q(s', w)), the mean of (Q(s, w) - y)^2 as its loss."""

    name: ClassVar[str] = "feature-ddqn"
    Config: ClassVar[type[FeatureConfig]] = FeatureConfig

    def __init__(
        self,
        task: Task,
        config: FeatureConfig | None = None,
        device: str = "cpu",
        whose: str = "",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config = config = config or FeatureConfig()
        super().__init__(task, config, device, whose, dtype)
        self.features = self.tensor(features(task.shares()))
        """Of all allocations, shape ``(actions, 2 N)``."""
        self._phi, self._psi = (Layers(self.parameters, name, config.batch_size) for name in TOWERS)
        self._every: Layers | None = None
        """psi of all allocations, where they are learned from together."""
        self.scale = 1.0 / math.sqrt(config.dimensions)
        """1 / sqrt(d)."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of phi, the tower of the state, and of psi, that of the shares."""
        n, widths, d = self.task.n_slices, self.config.hidden, self.config.dimensions
        shapes = mlp_shapes("state", [n, *widths]) | mlp_shapes("state_out", [widths[-1], d])
        return shapes | mlp_shapes("share", [2 * n, *widths]) | mlp_shapes("share_out", [widths[-1], d])

    # -- the equations -----------------------------------------------------------------------------------------------

    def q(self, parameters: Parameters, states: Tensor) -> Tensor:
        """Q(s, .; theta) of all allocations, shape ``(B, actions)``."""
        return tower(parameters, "state", states) @ tower(parameters, "share", self.features).t() * self.scale

    def q_of(self, parameters: Parameters, states: Tensor, actions: Tensor) -> Tensor:
        """Q(s, w; theta) of one allocation for each state, shape ``(B,)``."""
        psi = tower(parameters, "share", self.features[actions])
        return (tower(parameters, "state", states) * psi).sum(dim=1) * self.scale

    def loss(self, parameters: Parameters, batch: Batch) -> Tensor:
        """Mean of (Q(s, w; theta) - r - lambda Q'(s', argmax_w' Q(s', w'; theta)))^2."""
        states, actions, rewards, next_states = self.tensors(batch)
        with torch.no_grad():
            targets = self.targets(parameters, rewards, next_states)
        return ((self.q_of(parameters, states, actions) - targets) ** 2).mean()

    def sweep_loss(self, parameters: Parameters, states: Floats, rewards: Floats, next_states: Floats) -> Tensor:
        """Mean over states of the sum over allocations of (Q(s, w; theta) - r(s, w) - lambda Q'(s', w*))^2."""
        with torch.no_grad():
            targets = self.targets(parameters, self.tensor(rewards), self.tensor(next_states))
        return ((self.q(parameters, self.tensor(states)) - targets) ** 2).sum(dim=1).mean()

    def next_actions(self, parameters: Parameters, next_states: Tensor) -> Tensor:
        """The allocations whose values the next states have: argmax_w Q(s', w; theta), shape ``(B,)``."""
        return best_actions(self.q(parameters, next_states))

    def targets(self, parameters: Parameters, rewards: Tensor, next_states: Tensor) -> Tensor:
        """r + lambda Q'(s', argmax_w' Q(s', w'; theta)), in the shape of the rewards, ``(B,)`` or ``(B, actions)``."""
        chosen = self.next_actions(parameters, next_states)
        following = self.config.discount * self.q_of(self.target, next_states, chosen)
        return rewards + (following if rewards.dim() == 1 else following[:, None])

    # -- the same, quickly -------------------------------------------------------------------------------------------

    @torch.no_grad()
    def learn(self, batch: Batch) -> float:
        """One gradient step of :meth:`loss`."""
        states, actions, rewards, next_states = self.tensors(batch)
        targets = self.targets(self.parameters, rewards, next_states)
        hidden = {"state": self._phi.forward(states), "share": self._psi.forward(self.features[actions])}
        phi, psi = (linear(self.parameters, f"{name}_out.0", h) for name, h in hidden.items())
        errors = (phi * psi).sum(dim=1) * self.scale - targets
        slopes = (errors * (2.0 * self.scale / len(errors)))[:, None]
        self._backward("state", self._phi, hidden["state"], psi * slopes)
        self._backward("share", self._psi, hidden["share"], phi * slopes)
        self._adam.step()
        self.updates += 1
        return float(errors @ errors) / len(errors)

    @torch.no_grad()
    def learn_cautiously(self, batch: Batch, caution: float, values: float = 1.0) -> float:
        """One gradient step of values loss + caution mean (log sum_b exp Q(s, b) - Q(s, w)); what that is."""
        states, actions, rewards, next_states = self.tensors(batch)
        targets = self.targets(self.parameters, rewards, next_states)
        every = self._of_all(states)
        q, chosen = every.phi @ every.psi.t() * self.scale, actions[:, None]
        errors = q.gather(1, chosen)[:, 0] - targets
        surprised, slopes = surprise(q, actions)
        slopes.mul_(caution).scatter_add_(1, chosen, errors[:, None] * (2.0 * values / len(errors)))
        self._descend(every, slopes)
        return values * float(errors @ errors) / len(errors) + caution * surprised

    @torch.no_grad()
    def sweep(self, states: Floats, rewards: Floats, next_states: Floats) -> float:
        """One gradient step of :meth:`sweep_loss`; the mean squared error."""
        targets = self.targets(self.parameters, self.tensor(rewards), self.tensor(next_states))
        every = self._of_all(self.tensor(states))
        errors = (every.phi @ every.psi.t()).mul_(self.scale).sub_(targets)
        squares = float(torch.linalg.vector_norm(errors)) ** 2
        self._descend(every, errors.mul_(2.0 / len(errors)))
        return squares / errors.numel()

    def _of_all(self, states: Tensor) -> "Towers":
        if self._every is None:
            self._every = Layers(self.parameters, "share", len(self.features))
        hidden = self._phi.forward(states), self._every.forward(self.features)
        outputs = (linear(self.parameters, f"{name}_out.0", h) for name, h in zip(TOWERS, hidden, strict=True))
        return Towers(*hidden, *outputs)

    def _descend(self, every: "Towers", slopes: Tensor) -> None:
        """One step from dL/dQ(s, .), shape ``(B, actions)``, which is changed."""
        assert self._every is not None
        slopes *= self.scale
        self._backward("state", self._phi, every.h_state, slopes @ every.psi)
        self._backward("share", self._every, every.h_share, slopes.t() @ every.phi)
        self._adam.step()
        self.updates += 1

    def _backward(self, name: str, layers: Layers, h: Tensor, grad: Tensor) -> None:
        gradients = self._adam.gradients
        torch.mm(grad.t(), h, out=gradients[f"{name}_out.0.weight"])
        torch.sum(grad, 0, out=gradients[f"{name}_out.0.bias"])
        layers.backward(grad @ self.parameters[f"{name}_out.0.weight"], gradients)


class Towers(NamedTuple):
    """Both towers on B states and all A allocations: last hidden layers, and outputs of width d."""

    h_state: Tensor
    h_share: Tensor
    phi: Tensor
    psi: Tensor


def features(shares: Floats) -> Floats:
    """What psi is told of allocations: shares and their logarithms, shape ``(actions, 2 N)``.

    An SSR rises from 0 to 1 over a range of shares that is narrow for one slice and wide for another, which the
    logarithm puts on one scale.
    """
    return np.concatenate([shares, np.log(shares) / 4.0], axis=1, dtype=np.float32)


def tower(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """phi or psi of each row, shape ``(rows, d)``."""
    return linear(parameters, f"{name}_out.0", relu_layers(parameters, name, x))
