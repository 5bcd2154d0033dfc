"""Imagined periods: roll-outs of a twin, hundreds at once, and sweeps over every allocation of a state.

Every draw is a function of (seed, purpose, number of the step, place), so what is imagined does not depend on what was
imagined elsewhere.
"""

from collections.abc import Callable
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
POSSIBLE = 20
"""Quantiles of U over which an expected reward is taken."""


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

    The reward expected of all A allocations is worked out once for a pool of P real states: the mean over what the twin
    holds possible, since a reward that jumps at a threshold is not that of the mean U.
    """

    def __init__(
        self,
        twin: DigitalTwin,
        shares: Floats,
        reward: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        pool: int,
        seed: int,
        whose: str = "",
        *,
        sampled: bool = True,
    ) -> None:
        """Work out the pool.

        Parameters
        ----------
        shares
            Of every allocation, shape ``(A, N)``.
        reward
            Of utilities.
        sampled
            Whether rewards are means over possible U, and next states are drawn; or both are those of the means.
        """
        self._twin, self._shares = twin, shares
        self._seed, self._whose, self._sampled = seed, whose, sampled
        self.steps = 0
        u = draws.uniform(seed, STARTS, 0, pool, f"{whose} pool")
        self._places = (u * len(twin.starts)).astype(np.int64)
        pooled = torch.from_numpy(twin.starts.states[self._places])
        spread = twin.outcomes.sweep(pooled, torch.from_numpy(shares))
        levels = (torch.arange(POSSIBLE) + 0.5) / POSSIBLE if sampled else torch.empty(0)
        possible = [twin.outcomes.quantile(spread, level) for level in levels] or [spread.mean]
        rewards = sum(reward(each.double().numpy()) for each in possible) / len(possible)
        self._rewards: Floats = np.asarray(rewards, np.float32)
        self._past = twin.states.begin(*twin.starts.contexts(self._places))

    def next(self, states: int) -> tuple[Floats, Floats, Floats]:
        """Some of the pool's states, the rewards of all their allocations, and a state that follows each.

        Shapes ``(B, N)``, ``(B, A)``, ``(B, N)``. What follows is imagined under an allocation drawn for each state:
        arrivals hardly depend on it unless sources wait for room.
        """
        n = self._shares.shape[1]
        u = draws.uniform(self._seed, CHANCES, self.steps, states * (2 + n), f"{self._whose} sweep")
        which, action = u[: 2 * states].reshape(2, states)
        rows = (which * len(self._places)).astype(np.int64)
        at: Floats = self._twin.starts.states[self._places[rows]]
        given = torch.from_numpy(self._shares[(action * len(self._shares)).astype(np.int64)])
        past = self._past.rows(torch.from_numpy(rows))
        following = self._twin.states.advance(past, torch.from_numpy(at), given)
        next_states = following.mean
        if self._sampled:
            normal = torch.from_numpy(ndtri(u[2 * states :].reshape(states, n))).float()
            next_states = next_states + following.deviation * normal
        self.steps += 1
        return at, self._rewards[rows], next_states.clamp_min(0.0).numpy()
