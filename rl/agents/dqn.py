"""Deep Q-network (Mnih et al., 2015), the paper's reference [32]."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rl.agents.base import Task, surprise
from rl.agents.q_agent import QAgent, QConfig
from rl.networks import Layers, Parameters, best_actions, linear, mlp_shapes, relu_layers, wide_linear
from rl.replay import Batch, Floats

SMALL = 8192
"""Outputs of a head up to which torch's own product is the faster one."""


class DqnConfig(QConfig):
    """Hyper-parameters of DQN and Double DQN."""


class Dqn(QAgent):
    """Learns Q(s, .) with one output per allocation from y = r + lambda max_a Q'(s', a), Q' the slowly moving target.

    The loss is the mean over the batch of (Q(s, a) - y)^2.
    """

    name: ClassVar[str] = "dqn"
    Config: ClassVar[type[DqnConfig]] = DqnConfig
    config: DqnConfig

    def __init__(
        self,
        task: Task,
        config: DqnConfig | None = None,
        device: str = "cpu",
        whose: str = "",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(task, config, device, whose, dtype)
        batch = self.config.batch_size
        self._hidden = Layers(self.parameters, "hidden", 2 * batch)
        self._target_hidden = Layers(self.target, "hidden", batch)
        self._scores = self.parameters.flat.new_empty(batch, task.n_actions)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Hidden layers, and a head with an output per allocation."""
        widths = [self.task.n_slices, *self.config.hidden]
        return mlp_shapes("hidden", widths) | mlp_shapes("head", [widths[-1], self.task.n_actions])

    def q(self, parameters: Parameters, states: Tensor) -> Tensor:
        """Q(s, .; theta), shape ``(B, actions)``."""
        return linear(parameters, "head.0", relu_layers(parameters, "hidden", states))

    # -- the same, quickly -------------------------------------------------------------------------------------------

    @torch.no_grad()
    def act(self, states: Floats) -> NDArray[np.int64]:
        """argmax_a Q(s, a), the first of equals."""
        h = relu_layers(self.parameters, "hidden", self.tensor(states))
        weight, bias = self.parameters["head.0.weight"], self.parameters["head.0.bias"]
        product = wide_linear if len(h) * len(weight) > SMALL else torch.nn.functional.linear
        actions: NDArray[np.int64] = best_actions(product(h, weight, bias)).cpu().numpy()
        return actions

    @torch.no_grad()
    def learn(self, batch: Batch) -> float:
        """One gradient step of :meth:`loss`, of which only the chosen rows of the head are computed."""
        states, actions, rewards, next_states = self.tensors(batch)
        h, next_values = self._forward(states, next_states)
        targets = next_values.mul_(self.config.discount).add_(rewards)
        weight, bias = self.parameters["head.0.weight"], self.parameters["head.0.bias"]
        rows = weight[actions]
        errors = (h * rows).sum(dim=1) + bias[actions] - targets
        slopes = errors * (2.0 / len(errors))
        weight_gradient, bias_gradient = (self._adam.gradients[f"head.0.{part}"] for part in ("weight", "bias"))
        weight_gradient.index_add_(0, actions, h * slopes[:, None])
        bias_gradient.index_add_(0, actions, slopes)
        self._hidden.backward(rows * slopes[:, None], self._adam.gradients)
        self._adam.step()
        weight_gradient[actions] = 0.0  # all other rows have stayed zero
        bias_gradient[actions] = 0.0
        self.updates += 1
        return float(errors @ errors) / len(errors)

    @torch.no_grad()
    def learn_cautiously(self, batch: Batch, caution: float, values: float = 1.0) -> float:
        """One gradient step of values loss + caution mean (log sum_b exp Q(s, b) - Q(s, a)); what that is."""
        states, actions, rewards, next_states = self.tensors(batch)
        h, next_values = self._forward(states, next_states)
        q = self._all_scores(self.parameters, h)
        chosen = actions[:, None]
        errors = q.gather(1, chosen)[:, 0] - next_values.mul_(self.config.discount).add_(rewards)
        surprised, slopes = surprise(q, actions)
        slopes.mul_(caution).scatter_add_(1, chosen, errors[:, None] * (2.0 * values / len(errors)))
        self._descend(h, slopes)
        return values * float(errors @ errors) / len(errors) + caution * surprised

    @torch.no_grad()
    def sweep(self, states: Floats, rewards: Floats, next_states: Floats) -> float:
        """One gradient step of :meth:`sweep_loss`; the mean squared error."""
        h, next_values = self._forward(self.tensor(states), self.tensor(next_states))
        errors = self._all_scores(self.parameters, h) - self.tensor(rewards)
        errors -= next_values.mul_(self.config.discount)[:, None]
        squares = float(torch.linalg.vector_norm(errors)) ** 2
        self._descend(h, errors.mul_(2.0 / len(errors)))
        return squares / errors.numel()

    def _descend(self, h: Tensor, slopes: Tensor) -> None:
        """One step from dL/dQ(s, .), shape ``(B, actions)``."""
        weight_gradient, bias_gradient = (self._adam.gradients[f"head.0.{part}"] for part in ("weight", "bias"))
        torch.mm(slopes.t(), h, out=weight_gradient)
        torch.sum(slopes, 0, out=bias_gradient)
        self._hidden.backward(slopes @ self.parameters["head.0.weight"], self._adam.gradients)
        self._adam.step()
        weight_gradient.zero_()  # as an update on transitions expects it
        bias_gradient.zero_()
        self.updates += 1

    def _forward(self, states: Tensor, next_states: Tensor) -> tuple[Tensor, Tensor]:
        """The last hidden layer for the states, and what the next states are worth."""
        scores = self._all_scores(self.target, self._target_hidden.forward(next_states))
        return self._hidden.forward(states), scores.amax(dim=1)

    def _all_scores(self, parameters: Parameters, h: Tensor) -> Tensor:
        return wide_linear(h, parameters["head.0.weight"], parameters["head.0.bias"], self._scores)
