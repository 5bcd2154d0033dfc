"""An agent of which only the network has to be written: Q-learning with a target network, by autograd.

The equations of :class:`rl.agents.dqn.Dqn` as they stand in a book. The agents of this package write their gradients
out, which is several times faster; what they compute is this.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from rl.agents.base import AgentConfig, Task, ValueLearner, Width
from rl.networks import Parameters
from rl.replay import Batch, Floats


class QConfig(AgentConfig):
    """Hyper-parameters of an agent with hidden layers."""

    hidden: tuple[Width, ...] = (256, 256, 128, 128)
    """Widths of the hidden layers."""


class QAgent(ValueLearner):
    """Learns Q(s, .) from y = r + lambda max_a Q'(s', a), Q' the slowly moving target.

    A subclass has :meth:`shapes` and :meth:`q`, which may be all; ``netsim train --agent path/file.py:Class`` trains
    it. Another target is another :meth:`next_values`, another loss :meth:`loss`, more hyper-parameters a ``Config``
    derived from :class:`rl.agents.QConfig` or :class:`rl.agents.base.AgentConfig`.
    """

    Config: ClassVar[type[AgentConfig]] = QConfig

    def __init__(
        self,
        task: Task,
        config: AgentConfig | None = None,
        device: str = "cpu",
        whose: str = "",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Draw the weights; see :func:`rl.agents.make_agent` for the parameters."""
        self.config = self.Config() if config is None else config
        super().__init__(task, self.config, device, whose, dtype)

    # -- what a subclass writes --------------------------------------------------------------------------------------

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of each weight, ``layer.weight`` of shape ``(out, in)``, and ``layer.bias``.

        ``rl.networks.mlp_shapes`` has those of fully connected layers. They are drawn within 1 / sqrt(in).
        """

    @abstractmethod
    def q(self, parameters: Parameters, states: Tensor) -> Tensor:
        """Q(s, .; theta), shape ``(B, actions)``, for states of shape ``(B, N)``; a function of its arguments alone."""

    def next_values(self, parameters: Parameters, next_states: Tensor) -> Tensor:
        """max_a Q'(s', a), shape ``(B,)``."""
        return self.q(self.target, next_states).max(dim=1).values

    # -- the equations -----------------------------------------------------------------------------------------------

    def loss(self, parameters: Parameters, batch: Batch) -> Tensor:
        """Mean of (Q(s, a; theta) - r - lambda V(s'))^2, V as :meth:`next_values` has it."""
        states, actions, rewards, next_states = self.tensors(batch)
        with torch.no_grad():
            targets = rewards + self.config.discount * self.next_values(parameters, next_states)
        chosen = self.q(parameters, states).gather(1, actions[:, None])[:, 0]
        return ((chosen - targets) ** 2).mean()

    def sweep_loss(self, parameters: Parameters, states: Floats, rewards: Floats, next_states: Floats) -> Tensor:
        """Mean over states of the sum over allocations of (Q(s, a; theta) - r(s, a) - lambda V(s'))^2."""
        with torch.no_grad():
            following = self.next_values(parameters, self.tensor(next_states))
            targets = self.tensor(rewards) + self.config.discount * following[:, None]
        return ((self.q(parameters, self.tensor(states)) - targets) ** 2).sum(dim=1).mean()

    def cautious_loss(self, parameters: Parameters, batch: Batch, caution: float, values: float) -> Tensor:
        """values loss + caution mean (log sum_b exp Q(s, b) - Q(s, a)), see :meth:`learn_cautiously`."""
        states, actions, _, _ = self.tensors(batch)
        surprised = torch.nn.functional.cross_entropy(self.q(parameters, states), actions)
        return values * self.loss(parameters, batch) + caution * surprised

    # -- learning ----------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> float:
        """One gradient step of :meth:`loss`."""
        return self._descend_by_autograd(lambda theta: self.loss(theta, batch))

    def learn_cautiously(self, batch: Batch, caution: float, values: float = 1.0) -> float:
        """One gradient step of :meth:`cautious_loss`; what that is."""
        return self._descend_by_autograd(lambda theta: self.cautious_loss(theta, batch, caution, values))

    def sweep(self, states: Floats, rewards: Floats, next_states: Floats) -> float:
        """One gradient step of :meth:`sweep_loss`; the mean squared error."""
        loss = self._descend_by_autograd(lambda theta: self.sweep_loss(theta, states, rewards, next_states))
        return loss / self.task.n_actions

    def _descend_by_autograd(self, loss_of: Callable[[Parameters], Tensor]) -> float:
        theta = self.parameters.flat.detach().requires_grad_()
        with torch.enable_grad():
            loss = loss_of(self.parameters.like(theta))
            (gradient,) = torch.autograd.grad(loss, theta)
        self._adam.gradients.flat.copy_(gradient)
        self._adam.step()
        self.updates += 1
        return float(loss.detach())
