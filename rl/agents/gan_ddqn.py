"""Dueling GAN-DDQN (Hua et al., 2020), the paper's reference [4]: a generator of returns, judged by a critic.

The generator turns a state and noise into P value particles and an advantage for each allocation. A particle of the
return of (s, a) is

    z_i(s, a) = V_i(s) + A(s, a) - mean_a' A(s, a'),        Q(s, a) = mean_i z_i(s, a)

and it should be distributed as the target particle y_i = r + lambda z'_i(s', a*), with a* = argmax_a Q(s', a) chosen
by the learned generator and z' given by its slowly moving copy.
"""

from typing import Annotated, Any, ClassVar

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
from rl.agents.gan_networks import Critic, Generator, branches, generated, judged
from rl.networks import Parameters, best_actions, linear, mlp_shapes
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
        return generated(self.parameters, states, noise.expand(len(states), -1)).q()

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
        noise, next_noise = self.update_noise(len(states))
        batch = self._one_each(states, rewards, next_states)
        with torch.no_grad():
            following = self.target_particles(parameters, batch, next_noise).mean(dim=1) - self.tensor(batch.rewards)
        made = generated(parameters, self.tensor(states), noise)
        errors = made.q() - self.tensor(rewards) - following[:, None]
        verdict = judged(self.critic, made.of(self.tensor(batch.actions))).mean()
        return self.config.error_weight * (errors**2).sum(dim=1).mean() / 2.0 - verdict

    # -- the same, quickly -------------------------------------------------------------------------------------------

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
        self._teach_critic(z, y)
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
        noise, next_noise = self.update_noise(n)
        batch = self._one_each(states, rewards, next_states)
        y = self._quick_targets(batch, next_noise)
        self._generator.forward(self.tensor(states), noise)
        z = self._generator.particles(self.tensor(batch.actions))
        self._teach_critic(z, y)
        following = y.mean(dim=1) - self.tensor(batch.rewards)
        errors = self._generator.q(self._scores).sub_(self.tensor(rewards)).sub_(following[:, None])
        squares = float(torch.linalg.vector_norm(errors)) ** 2
        pull = errors.mul_(self.config.error_weight / n)
        self._generator.backward(-self._critic.gradient(z) / n, self._adam.gradients, pull)
        self._adam.step()
        self.updates += 1
        return squares / rewards.size

    def _teach_critic(self, z: Tensor, y: Tensor) -> None:
        for mix in self.mixes(len(z)):
            self._critic.learn(z, y, mix, self.config.gradient_penalty, self._critic_adam.gradients)
            self._critic_adam.step()

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
