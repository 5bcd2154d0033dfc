"""An agent of one's own, which `netsim train` takes like any other: a dueling network.

    netsim train tiny --agent examples/dueling.py:Dueling --interactions 1000 --out runs/dueling
    netsim train tiny --agent examples/dueling.py:Dueling-dt ...      # the same with a digital twin to practise on

Q(s, a) = V(s) + A(s, a) - mean A(s, .) (Wang et al., 2016). Targets, replay, exploration, checkpoints and the loop with
a twin are those of every agent; `next_values` is Double DQN's, and leaving it out gives those of DQN.
"""

from rl.agents import QAgent
from rl.networks import linear, mlp_shapes, relu_layers


class Dueling(QAgent):
    """Double DQN with a dueling head."""

    def shapes(self):
        widths = [self.task.n_slices, *self.config.hidden]
        heads = {"value": 1, "advantage": self.task.n_actions}
        return mlp_shapes("hidden", widths) | {
            name: shape for head, n in heads.items() for name, shape in mlp_shapes(head, [widths[-1], n]).items()
        }

    def q(self, parameters, states):
        h = relu_layers(parameters, "hidden", states)
        advantages = linear(parameters, "advantage.0", h)
        return linear(parameters, "value.0", h) + advantages - advantages.mean(dim=1, keepdim=True)

    def next_values(self, parameters, next_states):
        chosen = self.q(parameters, next_states).argmax(dim=1)
        return self.q(self.target, next_states).gather(1, chosen[:, None])[:, 0]
