"""Double deep Q-network (van Hasselt, Guez and Silver, 2016), the paper's reference [33]."""

import torch
from torch import Tensor

from rl.agents.dqn import Dqn
from rl.networks import Parameters, best_actions


class DoubleDqn(Dqn):
    """DQN with y = r + lambda Q'(s', argmax_a Q(s', a)): one network chooses, the other says what it is worth.

    The maximum of noisy values is too high on average; a choice and a value with different errors are not.
    """

    name = "ddqn"

    def next_values(self, parameters: Parameters, next_states: Tensor) -> Tensor:
        """Q'(s', argmax_a Q(s', a; theta)), shape ``(B,)``."""
        chosen = self.q(parameters, next_states).argmax(dim=1)
        return self.q(self.target, next_states).gather(1, chosen[:, None])[:, 0]

    def _forward(self, states: Tensor, next_states: Tensor) -> tuple[Tensor, Tensor]:
        both, n = self._hidden.forward(torch.cat([states, next_states])), len(states)
        chosen = best_actions(self._all_scores(self.parameters, both[n:]))
        target_h = self._target_hidden.forward(next_states)
        values = (target_h * self.target["head.0.weight"][chosen]).sum(dim=1)
        return both[:n], values.add_(self.target["head.0.bias"][chosen])
