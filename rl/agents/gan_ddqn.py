"""Dueling GAN-DDQN (Hua et al., 2020), the paper's reference [4]: a generator of returns, judged by a critic.

The generator turns a state and noise into P value particles and an advantage for each allocation. A particle of the
return of (s, a) is

    z_i(s, a) = V_i(s) + A(s, a) - mean_a' A(s, a'),        Q(s, a) = mean_i z_i(s, a)

and it should be distributed as the target particle y_i = r + lambda z'_i(s', a*), with a* = argmax_a Q(s', a) chosen
by the learned generator and z' given by its slowly moving copy.
"""

from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from rl import draws
from rl.agents.base import (
    AgentConfig,
    Beta,
    Learner,
    Rate,
    Task,
    Width,
    arrays_into_tensors,
    surprise,
    tensors_to_arrays,
)
from rl.networks import Layers, Parameters, best_actions, linear, mlp_shapes, relu_layers, wide_linear
from rl.optimiser import Adam
from rl.replay import Arrays, Batch, Floats

POLICY_NOISE = 1 << 62
"""Index of the noise that the greedy policy uses, apart from that of all updates."""


class GanConfig(AgentConfig):
    """Hyper-parameters of Dueling GAN-DDQN."""

    noise_size: Width = 10
    """Uniform numbers that the generator is given beside a state."""
    particles: Width = 30
    """P, samples of the return."""
    embedding: Width = 256
    """Width of the embeddings of state and noise, which are multiplied."""
    common: Width = 256
    """Width of the layer that both branches share."""
    branch: Width = 128
    """Width of the layer of each branch, value and advantage."""
    critic_hidden: tuple[Width, ...] = (256, 256)
    """Widths of the critic's hidden layers."""
    critic_steps: Annotated[int, Field(ge=1, le=100)] = 5
    """Steps of the critic before each of the generator."""
    gradient_penalty: Annotated[float, Field(ge=0)] = 10.0
    """Weight of (|dD/dz| - 1)^2."""
    critic_learning_rate: Rate = 5e-4
    """Step size of the critic's Adam."""
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    """Of both Adams."""
    error_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of (Q - y)^2 / 2 beside the critic's verdict in the generator's loss: it teaches the advantages."""
    policy_noises: Width = 4
    """Noises over which the greedy policy averages."""


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


class GanDdqn(Learner):
    """Learns the distribution of returns as a Wasserstein GAN with gradient penalty (Gulrajani et al., 2017).

    The critic D maximises E D(y) - E D(z) - penalty; the generator minimises -E D(z) + weight E (Q - mean y)^2 / 2.
    """

    name: ClassVar[str] = "gan-ddqn"
    Config: ClassVar[type[GanConfig]] = GanConfig

    def __init__(
        self,
        task: Task,
        config: GanConfig | None = None,
        device: str = "cpu",
        whose: str = "",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config = config = config or GanConfig()
        super().__init__(task, config, device, whose, dtype)
        where = (self.device, dtype)
        self.parameters = Parameters.drawn(self._generator_shapes(), task.seed, whose, *where)
        self.target = self.parameters.like(self.parameters.flat.clone())
        judge = mlp_shapes("critic", [config.particles, *config.critic_hidden, 1])
        self.critic = Parameters.drawn(judge, task.seed, f"{whose} critic", *where)
        rates = {"target": self.target, "target_rate": config.target_rate}
        self._adam = Adam(self.parameters, config.learning_rate, config.betas, **rates)  # type: ignore[arg-type]
        self._critic_adam = Adam(self.critic, config.critic_learning_rate, config.betas)
        batch = config.batch_size
        self._generator, self._moving = Generator(self.parameters, batch), Generator(self.target, batch)
        self._critic = Critic(self.critic, 2 * batch)
        self._scores = self.parameters.flat.new_empty(batch, task.n_actions)

    def _generator_shapes(self) -> dict[str, tuple[int, ...]]:
        config = self.config
        return {
            **mlp_shapes("state", [self.task.n_slices, config.embedding]),
            **mlp_shapes("noise", [config.noise_size, config.embedding]),
            **mlp_shapes("common", [config.embedding, config.common]),
            **mlp_shapes("value", [config.common, config.branch]),
            **mlp_shapes("particles", [config.branch, config.particles]),
            **mlp_shapes("advantage", [config.common, config.branch]),
            **mlp_shapes("advantages", [config.branch, self.task.n_actions]),
        }

    # -- acting ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def scores(self, states: Floats) -> Floats:
        """Q(s, .), shape ``(B, actions)``, the mean over particles and over the policy's noises."""
        q = [self._q(self.tensor(states), noise) for noise in self.policy_noise()]
        scores: Floats = torch.stack(q).mean(dim=0).cpu().numpy()
        return scores

    @torch.no_grad()
    def act(self, states: Floats) -> NDArray[np.int64]:
        """argmax_a Q(s, a), the first of equals: that of the mean advantage, whose head is linear."""
        branches = [self._branches(self.tensor(states), noise)[1] for noise in self.policy_noise()]
        advantages = linear(self.parameters, "advantages.0", torch.stack(branches).mean(dim=0))
        actions: NDArray[np.int64] = best_actions(advantages).cpu().numpy()
        return actions

    def policy_noise(self) -> Tensor:
        return self._noise(POLICY_NOISE, self.config.policy_noises)

    def update_noise(self, rows: int) -> tuple[Tensor, Tensor]:
        """What the next update draws for states and for next states, shape ``(rows, noise_size)`` each."""
        noise, next_noise = self._noise(self.updates, 2 * rows).chunk(2)
        return noise, next_noise

    def _noise(self, index: int, rows: int) -> Tensor:
        size = self.config.noise_size
        drawn = draws.uniform(self.task.seed, draws.NOISE, index, rows * size, self.whose)
        return self.tensor(drawn.astype(np.float32).reshape(rows, size))

    def _branches(self, states: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return branches(self.parameters, states, noise.expand(len(states), -1))

    def _q(self, states: Tensor, noise: Tensor) -> Tensor:
        made = generated(self.parameters, states, noise.expand(len(states), -1))
        return made.values.mean(dim=1, keepdim=True) + made.advantages - made.advantages.mean(dim=1, keepdim=True)

    # -- the equations -----------------------------------------------------------------------------------------------

    def target_particles(self, parameters: Parameters, batch: Batch, noise: Tensor) -> Tensor:
        """y = r + lambda z'(s', argmax_a A(s', a)), shape ``(B, P)``."""
        next_states, rewards = self.tensor(batch.next_states), self.tensor(batch.rewards)
        chosen = generated(parameters, next_states, noise).advantages.argmax(dim=1)
        following = generated(self.target, next_states, noise).of(chosen)
        return rewards[:, None] + self.config.discount * following

    def loss(self, parameters: Parameters, batch: Batch) -> Tensor:
        """The generator's loss: - mean D(z) + weight mean (mean_i z_i - mean_i y_i)^2 / 2."""
        noise, next_noise = self.update_noise(len(batch.actions))
        with torch.no_grad():
            y = self.target_particles(parameters, batch, next_noise)
        z = generated(parameters, self.tensor(batch.states), noise).of(self.tensor(batch.actions))
        errors = z.mean(dim=1) - y.mean(dim=1)
        loss: Tensor = self.config.error_weight * (errors**2).mean() / 2.0 - judged(self.critic, z).mean()
        return loss

    def critic_loss(self, critic: Parameters, z: Tensor, y: Tensor, mix: Tensor) -> Tensor:
        """mean D(z) - mean D(y) + penalty mean (|dD/dx| - 1)^2, x between z and y."""
        x = (mix * y + (1.0 - mix) * z).requires_grad_()
        (slope,) = torch.autograd.grad(judged(critic, x).sum(), x, create_graph=True)
        penalty: Tensor = self.config.gradient_penalty * ((slope.norm(dim=1) - 1.0) ** 2).mean()
        return judged(critic, z).mean() - judged(critic, y).mean() + penalty

    def sweep_loss(self, parameters: Parameters, states: Floats, rewards: Floats, next_states: Floats) -> Tensor:
        """- mean D(z) of one allocation a state + weight mean over states of sum_a (Q(s, a) - mean_i y_i)^2 / 2."""
        noise, next_noise = self._noise(self.updates, 2 * len(states)).chunk(2)
        batch = self._one_each(states, rewards, next_states)
        with torch.no_grad():
            following = self.target_particles(parameters, batch, next_noise).mean(dim=1) - self.tensor(batch.rewards)
        made = generated(parameters, self.tensor(states), noise)
        q = made.values.mean(dim=1, keepdim=True) + made.advantages - made.advantages.mean(dim=1, keepdim=True)
        errors = q - self.tensor(rewards) - following[:, None]
        verdict = judged(self.critic, made.of(self.tensor(batch.actions))).mean()
        return self.config.error_weight * (errors**2).sum(dim=1).mean() / 2.0 - verdict

    # -- the same, quickly -------------------------------------------------------------------------------------------

    def update(self, step: int) -> float | None:
        """The critic's steps and one of the generator on remembered transitions; the generator's squared error."""
        batch = self.sample(step)
        return None if batch is None else self.learn(batch)

    @torch.no_grad()
    def learn(self, batch: Batch) -> float:
        """The critic's steps, then one of the generator; the mean of (Q(s, a) - mean y)^2."""
        return self._learn(batch)

    @torch.no_grad()
    def learn_cautiously(self, batch: Batch, caution: float, values: float = 1.0) -> float:
        """The same with caution mean (log sum_b exp Q(s, b) - Q(s, a)) beside values times the generator's loss."""
        return self._learn(batch, caution, values)

    def _learn(self, batch: Batch, caution: float = 0.0, values: float = 1.0) -> float:
        n, actions = len(batch.actions), self.tensor(batch.actions)
        noise, next_noise = self.update_noise(n)
        y = self._quick_targets(batch, next_noise)
        self._generator.forward(self.tensor(batch.states), noise)
        z = self._generator.particles(actions)
        for mix in self.mixes(n):
            self._critic.learn(z, y, mix, self.config.gradient_penalty, self._critic_adam.gradients)
            self._critic_adam.step()
        errors = z.mean(dim=1) - y.mean(dim=1)
        pull = errors * (self.config.error_weight / (n * self.config.particles))
        surprised, slopes = surprise(self._generator.q(self._scores), actions) if caution else (0.0, None)
        everywhere = None if slopes is None else slopes.mul_(caution)
        grad = (pull[:, None] - self._critic.gradient(z) / n) * values
        self._generator.backward(grad, self._adam.gradients, everywhere)
        self._adam.step()
        self.updates += 1
        return values * float(errors @ errors) / n + caution * surprised

    @torch.no_grad()
    def sweep(self, states: Floats, rewards: Floats, next_states: Floats) -> float:
        """The critic's steps on one allocation a state, then one of the generator on all; the mean squared error."""
        n = len(states)
        noise, next_noise = self._noise(self.updates, 2 * n).chunk(2)
        batch = self._one_each(states, rewards, next_states)
        y = self._quick_targets(batch, next_noise)
        self._generator.forward(self.tensor(states), noise)
        z = self._generator.particles(self.tensor(batch.actions))
        for mix in self.mixes(n):
            self._critic.learn(z, y, mix, self.config.gradient_penalty, self._critic_adam.gradients)
            self._critic_adam.step()
        following = y.mean(dim=1) - self.tensor(batch.rewards)
        errors = self._generator.q(self._scores).sub_(self.tensor(rewards)).sub_(following[:, None])
        squares = float(torch.linalg.vector_norm(errors)) ** 2
        pull = errors.mul_(self.config.error_weight / n)
        self._generator.backward(-self._critic.gradient(z) / n, self._adam.gradients, pull)
        self._adam.step()
        self.updates += 1
        return squares / rewards.size

    def _one_each(self, states: Floats, rewards: Floats, next_states: Floats) -> Batch:
        """One allocation of each state, drawn uniformly: the critic judges the returns of these."""
        u = draws.uniform(self.task.seed, draws.SWEEP, self.updates, len(states), self.whose)
        actions = (u * self.task.n_actions).astype(np.int64)
        return Batch(states, actions, rewards[np.arange(len(states)), actions], next_states)

    def mixes(self, n: int) -> Tensor:
        """Where between z and y the slope is measured: uniform, shape ``(critic steps, n, 1)``."""
        steps = self.config.critic_steps
        drawn = draws.uniform(self.task.seed, draws.PENALTY, self.updates, steps * n, self.whose)
        return self.tensor(drawn.astype(np.float32).reshape(steps, n, 1))

    def _quick_targets(self, batch: Batch, noise: Tensor) -> Tensor:
        next_states, rewards = self.tensor(batch.next_states), self.tensor(batch.rewards)
        self._generator.forward(next_states, noise)
        chosen = best_actions(self._generator.all_advantages(self._scores))
        self._moving.forward(next_states, noise)
        return self._moving.particles(chosen).mul_(self.config.discount).add_(rewards[:, None])

    # -- parameters --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def empower(self, other: Tensor, keep: float) -> None:
        """Eq. 8 on the generator: parameters <- keep * parameters + (1 - keep) * other; the target follows.

        Both Adams start afresh, and the critic stays: it judges what comes next.
        """
        self.parameters.flat.mul_(keep).add_(other.to(self.device), alpha=1.0 - keep)
        self.target.flat.copy_(self.parameters.flat)
        self._adam.reset()
        self._critic_adam.reset()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Weights of generator, its copy and critic, moments of both Adams, counts."""
        counts = [self.updates, self._adam.steps, self._critic_adam.steps]
        return {**tensors_to_arrays(self._tensors()), "counts": np.array(counts, np.int64)}

    def restore(self, arrays: Arrays) -> None:
        """Become what :meth:`to_arrays` gave."""
        arrays_into_tensors(arrays, self._tensors())
        self.updates, self._adam.steps, self._critic_adam.steps = map(int, arrays["counts"])

    def _tensors(self) -> dict[str, Tensor]:
        moments = {f"adam.{name}": tensor for name, tensor in self._adam.tensors().items()}
        moments |= {f"critic_adam.{name}": tensor for name, tensor in self._critic_adam.tensors().items()}
        networks = {"parameters": self.parameters.flat, "target": self.target.flat, "critic": self.critic.flat}
        return networks | moments


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
