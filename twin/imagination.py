"""Imagined periods: roll-outs of a twin, hundreds at once, and sweeps over every allocation of a state.

Every draw is a function of (seed, purpose, number of the step, place), so what is imagined does not depend on what was
imagined elsewhere.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from rl import draws
from rl.replay import Floats
from twin.digital_twin import DigitalTwin

STARTS, CHANCES = "twin-starts", "twin-chances"
"""Purposes of random draws."""


@dataclass(frozen=True)
class Imagined:
    """One period of B roll-outs."""

    utilities: NDArray[np.float64]
    """U, or the reward where that is what the twin predicts, shape ``(B,)``."""
    next_states: Floats
    """Shape ``(B, N)``."""


class Rollouts:
    """B roll-outs of a twin from real states.

    Parameters
    ----------
    twin
        Whose periods are imagined.
    count
        B.
    horizon
        Periods after which all begin anew, each from a real state; ``None`` for never.
    seed, whose
        Of all draws.
    sampled
        Whether U and the next state are drawn from what the twin holds possible, or are its means.
    """

    def __init__(
        self, twin: DigitalTwin, count: int, horizon: int | None, seed: int, whose: str = "", *, sampled: bool = True
    ) -> None:
        self._twin, self._count, self._horizon = twin, count, horizon
        self._seed, self._whose, self._sampled = seed, whose, sampled
        self.steps = 0
        """Periods imagined so far, times B transitions."""
        self.states: Floats = np.empty((count, twin.outcomes.n), np.float32)
        """Where the roll-outs stand, shape ``(B, N)``."""
        self._begin()

    def _begin(self) -> None:
        starts = self._twin.starts
        u = draws.uniform(self._seed, STARTS, self.steps, self._count, self._whose)
        places = (u * len(starts)).astype(np.int64)
        self.states = starts.states[places]
        self._memory = self._twin.states.begin(*starts.contexts(places))

    def step(self, shares: Floats) -> Imagined:
        """Imagine the next period of each roll-out under its shares, shape ``(B, N)``, and go there."""
        states, given = torch.from_numpy(self.states), torch.from_numpy(shares)
        outcome = self._twin.outcomes.utility(states, given)
        following = self._twin.states.advance(self._memory, states, given)
        utilities, next_states = outcome.mean, following.mean
        if self._sampled:
            u = draws.uniform(self._seed, CHANCES, self.steps, self._count * (1 + states.shape[1]), self._whose)
            chance, places = u[: self._count], u[self._count :].reshape(self._count, -1)
            utilities = self._twin.outcomes.quantile(outcome, torch.from_numpy(chance).float())
            next_states = following.mean + following.deviation * torch.from_numpy(ndtri(places)).float()
        imagined = Imagined(utilities.double().numpy(), next_states.clamp_min(0.0).numpy())
        self.steps += 1
        self.states = imagined.next_states
        if self._horizon is not None and self.steps % self._horizon == 0:
            self._begin()
        return imagined


class Sweeps:
    """Every allocation of real states at once: what no network can be asked, and a twin can.

    The twin's U of all A allocations is worked out once for a pool of P real states.
    """

    def __init__(
        self, twin: DigitalTwin, shares: Floats, pool: int, seed: int, whose: str = "", *, sampled: bool = True
    ) -> None:
        """Work out the pool; ``shares`` of shape ``(A, N)`` are those of every allocation."""
        self._twin, self._shares = twin, shares
        self._seed, self._whose, self._sampled = seed, whose, sampled
        self.steps = 0
        u = draws.uniform(seed, STARTS, 0, pool, f"{whose} pool")
        self._places = (u * len(twin.starts)).astype(np.int64)
        pooled = torch.from_numpy(twin.starts.states[self._places])
        self._means, self._deviations = twin.outcomes.sweep(pooled, torch.from_numpy(shares))

    def next(self, states: int) -> tuple[Floats, NDArray[np.float64], Floats]:
        """Some of the pool's states, U of all their allocations, and a state that follows each.

        Shapes ``(B, N)``, ``(B, A)``, ``(B, N)``. A state's chances are the same for all its allocations. What follows
        is imagined under an allocation drawn for each: arrivals hardly depend on it unless sources wait for room.
        """
        n = self._shares.shape[1]
        u = draws.uniform(self._seed, CHANCES, self.steps, states * (3 + n), f"{self._whose} sweep")
        which, action, chance = u[: 3 * states].reshape(3, states)
        rows = (which * len(self._places)).astype(np.int64)
        places = self._places[rows]
        at = torch.from_numpy(self._twin.starts.states[places])
        given = torch.from_numpy(self._shares[(action * len(self._shares)).astype(np.int64)])
        following = self._twin.states.advance(self._twin.states.begin(*self._twin.starts.contexts(places)), at, given)
        utilities, next_states = self._means[rows], following.mean
        if self._sampled:
            residuals = self._twin.outcomes.residual(torch.from_numpy(chance).float())
            utilities = utilities + self._deviations[rows] * residuals[:, None]
            normal = torch.from_numpy(ndtri(u[3 * states :].reshape(states, n))).float()
            next_states = following.mean + following.deviation * normal
        self.steps += 1
        return at.numpy(), utilities.double().numpy(), next_states.clamp_min(0.0).numpy()
