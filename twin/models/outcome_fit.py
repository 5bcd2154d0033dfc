"""Fitting the reward model of a twin (eq. 7, second line).

Every member of the ensemble learns from a bootstrap sample. What a member has not seen of the transitions says how far
its predictions are off, and from that come the quantiles of U.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rl import draws
from twin.experience import Experience
from twin.fitting import Gradient, Scaling, batch_of, draw_weights, fit, looked_at, split
from twin.models.outcome import LEAST_DEVIATION, Objective, OutcomeConfig, OutcomeModel
from twin.models.outcome_gradient import OutcomeGradient
from twin.models.outcome_loss import Lessons, outcome_loss

BOOTSTRAP = "twin-bootstrap"
"""Purpose of random draws."""


def fit_outcome_model(
    experience: Experience,
    objective: Objective,
    config: OutcomeConfig,
    seed: int,
    whose: str = "",
    rewards: NDArray[np.float64] | None = None,
    warm: OutcomeModel | None = None,
) -> OutcomeModel:
    """An outcome model fitted to transitions.

    Parameters
    ----------
    rewards
        What is predicted where the configuration's target is the reward, shape ``(M,)``.
    warm
        A model to go on from, with its scaling.

    Raises
    ------
    RunError
        The loss is not finite.
    """
    model = OutcomeModel(config, objective, experience.states.shape[1])
    fitting = _Fitting(model, experience, rewards, seed, whose)
    if warm is None:
        draw_weights(model.network, seed, f"outcome {whose}")
        model.inputs, model.continuous = Scaling.of(experience.states), Scaling.of(fitting.targets)
    else:
        model.network.load_state_dict(warm.network.state_dict())
        model.inputs, model.continuous = warm.inputs, warm.continuous
    fitting.run()
    return model


class _Fitting:
    """A fit while it goes on: the tensors of the transitions, and the losses."""

    def __init__(
        self,
        model: OutcomeModel,
        experience: Experience,
        rewards: NDArray[np.float64] | None,
        seed: int,
        whose: str,
    ) -> None:
        self.model, self._seed, self._whose = model, seed, f"outcome {whose}"
        self._states, self._shares = torch.from_numpy(experience.states), torch.from_numpy(experience.shares)
        self._ssr = torch.from_numpy(experience.ssr)
        predicted = experience.utility
        if model.config.target == "reward":
            if rewards is None:
                raise ValueError("a model of rewards is fitted to rewards")
            predicted = rewards
            self.targets = rewards[:, None]
        else:
            self.targets = continuous_targets(experience)
        self._utility = torch.tensor(predicted, dtype=torch.float32)
        self._rows = split(len(experience), model.config.fit.held_out_share)
        self._chosen = self._bootstrap()

    def _bootstrap(self) -> NDArray[np.int64]:
        """Which transitions each member may learn from, shape ``(E, rows)``; all, if there is one member."""
        members, rows = self.model.config.members, self._rows
        if members == 1:
            return np.arange(rows)[None]
        u = np.stack([draws.uniform(self._seed, BOOTSTRAP, member, rows, self._whose) for member in range(members)])
        return (u * rows).astype(np.int64)

    def run(self) -> None:
        model = self.model
        model.spread = self._utility.std(correction=0).clamp_min(LEAST_DEVIATION)
        scaled = model.continuous(torch.tensor(self.targets, dtype=torch.float32))
        lessons = Lessons(model.features(self._states, self._shares), self._ssr, scaled, self._utility)
        tail = torch.from_numpy(looked_at(len(self._utility), model.config.fit)).expand(model.config.members, -1)
        model.fitted = fit(
            model.network,
            lambda places: outcome_loss(model, lessons, torch.from_numpy(self._chosen[:, places])),
            lambda: outcome_loss(model, lessons, tail),
            self._rows,
            model.config.fit,
            self._seed,
            self._whose,
            self._gradient(lessons),
        )
        self._calibrate(lessons.features)

    def _gradient(self, lessons: Lessons) -> Gradient:
        gradient = OutcomeGradient(self.model, lessons, batch_of(self._rows, self.model.config.fit))
        return lambda places: gradient(self._chosen.take(places, axis=1))

    def _unseen(self) -> Tensor:
        """Which members learned from which transitions not, shape ``(E, M)``."""
        unseen = torch.ones(len(self._chosen), len(self._utility), dtype=torch.bool)
        for member, rows in enumerate(self._chosen):
            unseen[member, rows] = False
        return unseen

    @torch.no_grad()
    def _calibrate(self, features: Tensor) -> None:
        """Residuals of every transition that some members did not learn from, as those members predict it."""
        model = self.model
        means, deviations = model.utilities_of(model.members_outputs(features))
        weights = self._unseen().float()
        there = weights.sum(dim=0) > 0
        means, deviations, weights = means[:, there], deviations[:, there], weights[:, there]
        count, members = weights.sum(dim=0), len(means)
        errors = self._utility[there] - (means * weights).sum(dim=0) / count
        if model.config.head == "point":
            model.spread = errors.square().mean().sqrt().clamp_min(LEAST_DEVIATION)
            deviations = model.spread.expand_as(deviations)
        noise = (deviations**2).mean(dim=0)
        between = means.var(dim=0, correction=1) if members > 1 else torch.zeros_like(noise)
        # Few members err more than all: k independent ones by noise + between / k. Without this, the intervals of the
        # whole ensemble would be too wide.
        errors = errors * ((noise + between / members) / (noise + between / count)).sqrt()
        variance = noise + between * (1.0 - 1.0 / members)
        model.residuals = (errors / variance.sqrt()).sort().values


def continuous_targets(experience: Experience) -> NDArray[np.float64]:
    """What is predicted by squared error: both SE, logarithms of backlogs and latency, shape ``(M, 2 + 3 N)``."""
    logarithms = [
        np.log1p(np.asarray(part, np.float64))
        for part in (experience.backlog_packets, experience.backlog_bits, experience.latency_mean_ms)
    ]
    return np.column_stack([experience.se_capacity, experience.se_carried, *logarithms])
