"""The two networks of Dueling GAN-DDQN, a generator of returns and their critic.

Both are here twice: in the form that autograd follows, which the equations of the agent are written in, and with their
gradients written out, which updates use.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rl.networks import Layers, Parameters, linear, relu_layers, wide_linear


class Particles(NamedTuple):
    """What a generator makes of B states."""

    values: Tensor
    """V, shape ``(B, P)``."""
    advantages: Tensor
    """A, shape ``(B, actions)``."""

    def of(self, actions: Tensor) -> Tensor:
        """z(s, a), shape ``(B, P)``."""
        chosen = self.advantages.gather(1, actions[:, None])
        return self.values + chosen - self.advantages.mean(dim=1, keepdim=True)

    def q(self) -> Tensor:
        """Q(s, .), shape ``(B, actions)``."""
        value = self.values.mean(dim=1, keepdim=True)
        return value + self.advantages - self.advantages.mean(dim=1, keepdim=True)


def branches(parameters: Parameters, states: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The last hidden layers of the value and the advantage branch, shape ``(B, branch)`` each."""
    embedded = relu_layers(parameters, "state", states) * relu_layers(parameters, "noise", noise)
    common = relu_layers(parameters, "common", embedded)
    return relu_layers(parameters, "value", common), relu_layers(parameters, "advantage", common)


def generated(parameters: Parameters, states: Tensor, noise: Tensor) -> Particles:
    """V and A of a generator, in the form that autograd follows."""
    value, advantage = branches(parameters, states, noise)
    return Particles(linear(parameters, "particles.0", value), linear(parameters, "advantages.0", advantage))


def judged(critic: Parameters, z: Tensor) -> Tensor:
    """D(z), shape ``(B, 1)``, in the form that autograd follows."""
    last = len(critic) // 2 - 1
    for i in range(last):
        z = torch.relu(linear(critic, f"critic.{i}", z))
    return linear(critic, f"critic.{last}", z)


class Generator:
    """The generator on batches, with its gradient written out."""

    def __init__(self, parameters: Parameters, batch: int) -> None:
        self.parameters = parameters
        self.state, self.noise, self.common, self.value, self.advantage = (
            Layers(parameters, name, batch) for name in ("state", "noise", "common", "value", "advantage")
        )
        self._weight, self._bias = parameters["advantages.0.weight"], parameters["advantages.0.bias"]

    def forward(self, states: Tensor, noise: Tensor) -> None:
        """Run both branches up to their last hidden layers."""
        self._e, self._f = self.state.forward(states), self.noise.forward(noise)
        common = self.common.forward(self._e * self._f)
        self.v, self.a = self.value.forward(common), self.advantage.forward(common)

    def all_advantages(self, out: Tensor) -> Tensor:
        """A(s, .), shape ``(B, actions)``, in the order of Q(s, .); ``out`` may be used."""
        return wide_linear(self.a, self._weight, self._bias, out)

    def q(self, out: Tensor) -> Tensor:
        """Q(s, .), shape ``(B, actions)``; ``out`` may be used."""
        advantages = self.all_advantages(out)
        value = linear(self.parameters, "particles.0", self.v).mean(dim=1, keepdim=True)
        return advantages.add_(value - advantages.mean(dim=1, keepdim=True))

    def particles(self, actions: Tensor) -> Tensor:
        """z(s, a), shape ``(B, P)``: the mean over all allocations is that of the head's rows."""
        self._actions, self._rows = actions, self._weight[actions] - self._weight.mean(dim=0)
        offsets = self._bias[actions] - self._bias.mean()
        advantage = (self.a * self._rows).sum(dim=1).add_(offsets)
        return linear(self.parameters, "particles.0", self.v).add_(advantage[:, None])

    def backward(self, grad: Tensor, gradients: Parameters, everywhere: Tensor | None = None) -> None:
        """From dL/dz of shape ``(B, P)`` of the chosen allocations write dL/d(parameters) over ``gradients``.

        ``everywhere`` is dL/dQ of all allocations, shape ``(B, actions)``, where the loss depends on them too.
        """
        torch.mm(grad.t(), self.v, out=gradients["particles.0.weight"])
        torch.sum(grad, 0, out=gradients["particles.0.bias"])
        slopes = grad.sum(dim=1)
        self._backward_advantages(slopes, gradients)
        to_value, to_advantage = grad @ self.parameters["particles.0.weight"], self._rows * slopes[:, None]
        if everywhere is not None:
            more = self._backward_everywhere(everywhere, gradients)
            to_value, to_advantage = to_value + more[0], to_advantage + more[1]
        to_common = self.value.backward(to_value, gradients) @ self._of("value")
        to_common += self.advantage.backward(to_advantage, gradients) @ self._of("advantage")
        to_product = self.common.backward(to_common, gradients) @ self._of("common")
        self.state.backward(to_product * self._f, gradients)
        self.noise.backward(to_product * self._e, gradients)

    def _backward_everywhere(self, slopes: Tensor, gradients: Parameters) -> tuple[Tensor, Tensor]:
        """Add to the heads' gradients those through Q(s, .); return dL/d(hidden layer) of both branches."""
        total = slopes.sum(dim=1, keepdim=True)
        head = self.parameters["particles.0.weight"]
        each = total.expand(-1, len(head)) / len(head)  # Q is the mean over particles
        gradients["particles.0.weight"].addmm_(each.t(), self.v)
        gradients["particles.0.bias"].add_(each.sum(dim=0))
        advantages = slopes - total / slopes.shape[1]
        gradients["advantages.0.weight"].addmm_(advantages.t(), self.a)
        gradients["advantages.0.bias"].add_(advantages.sum(dim=0))
        return each @ head, advantages @ self._weight

    def _backward_advantages(self, slopes: Tensor, gradients: Parameters) -> None:
        """Every row of the head is in the mean; the chosen rows are there once more."""
        weight, bias = gradients["advantages.0.weight"], gradients["advantages.0.bias"]
        share = -1.0 / len(weight)
        weight.copy_((slopes @ self.a).mul_(share).expand_as(weight))
        bias.copy_(slopes.sum().mul_(share).expand_as(bias))
        weight.index_add_(0, self._actions, self.a * slopes[:, None])
        bias.index_add_(0, self._actions, slopes)

    def _of(self, name: str) -> Tensor:
        return self.parameters[f"{name}.0.weight"]


class Critic:
    """D, a network of ReLU layers and one output, with the gradients that WGAN-GP needs written out.

    Between the kinks of its layers D is linear, D(x) = g(x) . x + c with g = W_1' (m_1 o W_2' (m_2 o ... w)), m_i the
    layers' active units. So the penalty's gradient needs no second pass of autograd.
    """

    def __init__(self, parameters: Parameters, batch: int) -> None:
        self.parameters = parameters
        self._layers = Layers(parameters, "critic", batch, depth=len(parameters) // 2 - 1)
        self._weights = [weight for name, weight in parameters.items() if name.endswith("weight")]
        self._names = [name for name in parameters if name.endswith("weight")]

    def gradient(self, x: Tensor) -> Tensor:
        """dD/dx at each row of x, same shape."""
        return self._down(self._active(x))[-1]

    def _active(self, x: Tensor) -> list[Tensor]:
        self._layers.forward(x)
        return [(h[: len(x)] > 0).to(x.dtype) for h in self._layers.outputs]

    def _down(self, active: list[Tensor]) -> list[Tensor]:
        """dD/d(input of each layer), from the output down to x."""
        grad = self._weights[-1].expand(len(active[-1]), -1)
        passed = [grad]
        for weight, mask in zip(reversed(self._weights[:-1]), reversed(active), strict=True):
            passed.append((passed[-1] * mask) @ weight)
        return passed

    def learn(self, z: Tensor, y: Tensor, mix: Tensor, penalty: float, gradients: Parameters) -> None:
        """Write the gradient of E D(z) - E D(y) + penalty E (|dD/dx| - 1)^2 at x = mix y + (1 - mix) z."""
        n = len(z)
        both = torch.cat([z, y])
        h = self._layers.forward(both)
        signs = both.new_full((2 * n, 1), 1.0 / n)
        signs[n:] = -1.0 / n
        torch.mm(signs.t(), h, out=gradients[self._names[-1]])
        gradients[self._names[-1].replace("weight", "bias")].zero_()  # the mean of D is free
        self._layers.backward(signs * self._weights[-1], gradients)
        self._add_penalty(y * mix + z * (1.0 - mix), penalty, gradients)

    def _add_penalty(self, x: Tensor, penalty: float, gradients: Parameters) -> None:
        active = self._active(x)
        passed = self._down(active)
        slope = passed[-1]
        norm = slope.norm(dim=1, keepdim=True).clamp_min(1e-12)
        grad = slope * ((norm - 1.0) / norm * (2.0 * penalty / len(x)))
        # Backwards through the chain of _down: from dD/dx up to the last layer's weights.
        for weight, name, mask, above in zip(
            self._weights[:-1], self._names[:-1], active, reversed(passed[:-1]), strict=True
        ):
            gradients[name].addmm_((above * mask).t(), grad)
            grad = (grad @ weight.t()) * mask
        gradients[self._names[-1]].add_(grad.sum(dim=0))
