"""An agent's loss at many places near its parameters, at a fraction of the cost of computing it anew at each.

With theta + a d1 + b d2 in place of theta a wide head W becomes W + a D1 + b D2. Of Q(s, a) only the rows of the
batch's actions are needed, which are gathered once. Where the target takes the best allocation of the moved network,
all allocations are scored: in float32, whose error is bounded, and where that leaves more than one candidate, these are
scored again in float64. Everything else is float64, so the values are those of ``agent.loss`` to rounding.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rl.agents import AGENTS, Agent
from rl.agents.ddqn import DoubleDqn
from rl.agents.dqn import Dqn
from rl.agents.feature_ddqn import FeatureDdqn, tower
from rl.agents.gan_ddqn import GanDdqn
from rl.agents.gan_networks import branches, generated, judged
from rl.networks import Parameters, layer_names, linear, relu_layers, wide_linear
from rl.replay import Batch

ROUNDING = 2.0**-24
"""Of float32."""
BEYOND = 8
"""Roundings of a sum in float32 beside those of its terms: of what is multiplied, of the bias, and room."""

Place = tuple[float, ...]
"""1, a, b: what theta and the directions are multiplied by."""


class Moved(Protocol):
    """A loss at ``theta + a d1 + b d2``."""

    def __call__(self, place: Place) -> Tensor:
        """The loss at a place."""


def moved_loss(agent: Agent, directions: Sequence[Tensor], batch: Batch) -> Moved:
    """The loss of an agent in float64: of those of this package the quick form, of others as they write it."""
    layers = [agent.parameters, *(agent.parameters.like(direction) for direction in directions)]
    if type(agent) not in AGENTS.values():
        return _MovedAgent(agent, layers, batch)
    if isinstance(agent, Dqn):
        return _MovedDqn(agent, layers, batch)
    if isinstance(agent, GanDdqn):
        return _MovedGan(agent, layers, batch)
    assert isinstance(agent, FeatureDdqn)
    return _MovedFeatures(agent, layers, batch)


class _MovedAgent:
    """The loss of any agent, computed anew at each place."""

    def __init__(self, agent: Agent, layers: Sequence[Parameters], batch: Batch) -> None:
        self._agent, self._batch = agent, batch
        self._parts = [each.flat for each in layers]

    def __call__(self, place: Place) -> Tensor:
        """The loss at a place."""
        return self._agent.loss(self._agent.parameters.like(_sum(self._parts, place)), self._batch)


def _sum(parts: Sequence[Tensor], place: Place) -> Tensor:
    total = parts[0] * place[0]
    for part, factor in zip(parts[1:], place[1:], strict=True):
        total.add_(part, alpha=factor)
    return total


class Body:
    """All layers but the head, which comes last in the flat vector."""

    def __init__(self, layers: Sequence[Parameters], head: str) -> None:
        self._shapes = {name: shape for name, shape in layers[0].shapes.items() if not name.startswith(f"{head}.")}
        size = sum(layers[0][name].numel() for name in self._shapes)
        self._parts = [each.flat[:size] for each in layers]

    def at(self, place: Place) -> Parameters:
        """The layers at a place."""
        return Parameters(self._shapes, _sum(self._parts, place))


class Head:
    """A wide last layer at ``W + a D1 + b D2``."""

    def __init__(self, layers: Sequence[Parameters], name: str, actions: Tensor) -> None:
        """Gather the rows of a batch's actions."""
        self._weights = [each[f"{name}.weight"] for each in layers]
        self._biases = [each[f"{name}.bias"] for each in layers]
        self._rows = [weight[actions] for weight in self._weights]
        self._offsets = [bias[actions] for bias in self._biases]
        self._means = [weight.mean(dim=0) for weight in self._weights], [bias.mean() for bias in self._biases]
        self._single = [weight.float() for weight in self._weights], [bias.float() for bias in self._biases]
        self._norms = [float(weight.norm(dim=1).max()) for weight in self._weights]
        self._heights = [float(bias.abs().max()) for bias in self._biases]
        self._fixed: tuple[Place, Tensor] | None = None
        self._moved = torch.empty_like(self._single[0][0])

    def of_actions(self, h: Tensor, place: Place) -> Tensor:
        """Scores of the batch's actions, shape ``(B,)``."""
        return (h * _sum(self._rows, place)).sum(dim=1) + _sum(self._offsets, place)

    def mean(self, h: Tensor, place: Place) -> Tensor:
        """The mean score over all allocations, shape ``(B,)``."""
        return h @ _sum(self._means[0], place) + _sum(self._means[1], place)

    def best(self, h: Tensor, place: Place) -> Tensor:
        """The number of the highest score of each row of h, the first of equals."""

        def exact(rows: NDArray[np.int64], actions: NDArray[np.int64]) -> Tensor:
            weights, biases = ([part[actions] for part in parts] for parts in (self._weights, self._biases))
            return (h[rows] * _sum(weights, place)).sum(dim=1) + _sum(biases, place)

        return best_of(self._in_single(h, place), self._error(h, place), exact)

    def _in_single(self, h: Tensor, place: Place) -> Tensor:
        """All scores in float32; along a line of the grid only one product is added to what the others come to."""
        weights, biases = self._single
        rest = (place[0], 0.0, *place[2:])
        if self._fixed is None or self._fixed[0] != rest:
            self._fixed = rest, _sum(weights, rest)
        torch.add(self._fixed[1], weights[1], alpha=place[1], out=self._moved)
        return wide_linear(h.float(), self._moved, _sum(biases, place))

    def _error(self, h: Tensor, place: Place) -> Tensor:
        """What a score in float32 may be wrong by: as many roundings of |h| |w| and of the bias, shape ``(B,)``."""
        factors = np.abs(place)
        w, b = float(factors @ self._norms), float(factors @ self._heights)
        bound: Tensor = (h.norm(dim=1) * w + b) * ((h.shape[1] + BEYOND) * ROUNDING)
        return bound


def best_of(scores: Tensor, error: Tensor, exact: Callable[[NDArray[np.int64], NDArray[np.int64]], Tensor]) -> Tensor:
    """The number of the highest score of each row, the first of equals.

    Parameters
    ----------
    scores
        In float32, shape ``(B, actions)``.
    error
        What those of a row may be wrong by, shape ``(B,)``.
    exact
        Scores of the given rows and actions in float64, asked where more than one action of a row may be the best.
    """
    near = scores >= (scores.amax(dim=1) - 2.0 * error.float())[:, None]
    rows, actions = np.divmod(np.flatnonzero(near.numpy()), near.shape[1])
    if len(rows) > len(scores):
        actions = _first_best(rows, actions, exact(rows, actions).numpy())
    return torch.from_numpy(actions)


def _first_best(rows: NDArray[np.int64], actions: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The action of the highest score in each row; candidates come row by row, actions ascending."""
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    best = np.repeat(np.maximum.reduceat(scores, begins), np.diff(begins, append=len(rows)))
    found = np.flatnonzero(scores == best)
    best_actions: NDArray[np.int64] = actions[found[np.flatnonzero(np.diff(rows[found], prepend=-1))]]
    return best_actions


class _MovedDqn:
    """DQN, whose target does not move, and Double DQN, whose choice in the target does."""

    def __init__(self, agent: Dqn, layers: Sequence[Parameters], batch: Batch) -> None:
        states, actions, self._rewards, next_states = agent.tensors(batch)
        self._discount = agent.config.discount
        self._body, self._head = Body(layers, "head.0"), Head(layers, "head.0", actions)
        following = agent.q(agent.target, next_states)
        self._doubled = isinstance(agent, DoubleDqn)
        self._following = following if self._doubled else following.amax(dim=1)
        self._states = torch.cat([states, next_states]) if self._doubled else states

    def __call__(self, place: Place) -> Tensor:
        h, n = relu_layers(self._body.at(place), "hidden", self._states), len(self._rewards)
        worth = self._following
        if self._doubled:
            worth = worth.gather(1, self._head.best(h[n:], place)[:, None])[:, 0]
        values = self._head.of_actions(h[:n], place)
        return ((values - self._rewards - self._discount * worth) ** 2).mean()


class _MovedGan:
    """The generator's loss of Dueling GAN-DDQN."""

    def __init__(self, agent: GanDdqn, layers: Sequence[Parameters], batch: Batch) -> None:
        states, actions, self._rewards, next_states = agent.tensors(batch)
        noise, next_noise = agent.update_noise(len(actions))
        self._states, self._noise = torch.cat([states, next_states]), torch.cat([noise, next_noise])
        self._agent, self._name = agent, "advantages.0"
        self._body, self._head = Body(layers, self._name), Head(layers, self._name, actions)
        following = generated(agent.target, next_states, next_noise)
        self._following = (
            following.advantages + (following.values.mean(dim=1) - following.advantages.mean(dim=1))[:, None]
        )

    def __call__(self, place: Place) -> Tensor:
        body, config, n = self._body.at(place), self._agent.config, len(self._rewards)
        value, advantage = branches(body, self._states, self._noise)
        chosen = self._head.best(advantage[n:], place)
        y = self._rewards + config.discount * self._following.gather(1, chosen[:, None])[:, 0]
        above_mean = self._head.of_actions(advantage[:n], place) - self._head.mean(advantage[:n], place)
        z = linear(body, "particles.0", value[:n]) + above_mean[:, None]
        errors = z.mean(dim=1) - y
        return config.error_weight * (errors**2).mean() / 2.0 - judged(self._agent.critic, z).mean()


class _MovedFeatures:
    """The agent that scores allocations by what they are: psi moves, and so do the scores of all."""

    def __init__(self, agent: FeatureDdqn, layers: Sequence[Parameters], batch: Batch) -> None:
        states, self._actions, self._rewards, next_states = agent.tensors(batch)
        self._agent, self._parts = agent, [each.flat for each in layers]
        self._states, self._following = torch.cat([states, next_states]), agent.q(agent.target, next_states)
        self._single = agent.features.float()
        self._length = float(agent.features.norm(dim=1).max())

    def __call__(self, place: Place) -> Tensor:
        parameters, n = self._agent.parameters.like(_sum(self._parts, place)), len(self._rewards)
        phi = tower(parameters, "state", self._states)
        values = self._scores(parameters, phi[:n], self._actions)
        worth = self._following.gather(1, self._best(parameters, phi[n:])[:, None])[:, 0]
        return ((values - self._rewards - self._agent.config.discount * worth) ** 2).mean()

    def _scores(self, parameters: Parameters, phi: Tensor, actions: Tensor) -> Tensor:
        psi = tower(parameters, "share", self._agent.features[actions])
        return (phi * psi).sum(dim=1) * self._agent.scale

    def _best(self, parameters: Parameters, phi: Tensor) -> Tensor:
        """argmax_w phi . psi(w): with h(w) the last hidden layer it is that of (phi W) . h(w), one product less."""
        weighted = phi @ parameters["share_out.0.weight"]
        h, error = self._hidden(parameters)
        scores = wide_linear(weighted.float(), h, h.new_zeros(len(h)))
        far = (weighted.shape[1] + BEYOND) * ROUNDING * float(h.norm(dim=1).max())
        return best_of(
            scores,
            weighted.norm(dim=1) * (error + far),
            lambda rows, actions: self._scores(parameters, phi[rows], torch.from_numpy(actions)),
        )

    def _hidden(self, parameters: Parameters) -> tuple[Tensor, float]:
        """The last hidden layer of psi for all allocations in float32, and what the length of a row may be wrong by.

        A layer passes on the error of its inputs, at most |W| times, and adds roundings of |W| |x| + |b|, with |W| the
        root of the sum of squares; max(0, .) adds nothing.
        """
        x, length, error = self._single, self._length, ROUNDING * self._length
        for name in layer_names(parameters, "share"):
            weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
            size, roundings = float(weight.norm()), (weight.shape[1] + BEYOND) * ROUNDING
            error = size * error + roundings * (size * length + float(bias.norm()))
            x = wide_linear(x, weight.float(), bias.float()).relu_()
            length = float(x.norm(dim=1).max())
        return x, error
