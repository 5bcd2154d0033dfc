"""What a twin is asked when it is held against the simulator: :class:`Predictor`, and a fitted twin as one."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from netsim.errors import InputError
from rl import draws
from twin.digital_twin import DigitalTwin
from twin.experience import Experience, Floats
from twin.heldout import Held
from twin.models.state import forecasts
from twin.plant import consistent
from twin.scores import LEVELS, Values

STARTS, CHANCES = "twin-fidelity-starts", "twin-fidelity-chances"
"""Purposes of random draws."""
STATES = 32
"""Recorded states over which what an allocation brings is averaged."""


class Course(NamedTuple):
    """What is expected of the next K periods after each of B transitions' states."""

    states: Values
    """Shape ``(K, B, N)``."""
    ssr: Values
    utility: Values
    """Shape ``(K, B)``."""


class Quantiles(NamedTuple):
    """What may come of each of M transitions, at ``LEVELS``."""

    utility: Values
    """Shape ``(M, 19)``."""
    states: Values
    """Shape ``(M, N, 19)``."""


class Predictor(Protocol):
    """One who foretells a network; fidelity knows nothing else of a twin."""

    def along(self, experience: Experience, rows: NDArray[np.int64], steps: int) -> Course:
        """Go ``steps`` periods on from the states at ``rows``, under the allocations that were given there."""

    def quantiles(self, experience: Experience) -> Quantiles:
        """What the period of every transition may bring."""

    def over(self, shares: Floats) -> Values:
        """U expected of each of A allocations, shape ``(A, N)`` to ``(A,)``."""

    def lived(self, shares: Floats, groups: int, periods: int) -> Held:
        """Drawn courses under each of A allocations held: ``groups`` times ``periods`` in a row."""


class OfTwin:
    """A fitted twin, asked.

    Parameters
    ----------
    seed
        Of what is drawn.

    Raises
    ------
    InputError
        The twin predicts rewards alone.
    """

    def __init__(self, twin: DigitalTwin, seed: int) -> None:
        if twin.outcomes.config.target == "reward":
            raise InputError("a twin that predicts rewards alone says no SSR and no U: fit one whose target is outcome")
        self._twin, self._seed = twin, seed

    def along(self, experience: Experience, rows: NDArray[np.int64], steps: int) -> Course:
        """Go on from means to means, from the real context of each row."""
        contexts, there = experience.contexts(self._twin.config.state.context + 1)
        past = contexts[rows, :-1]
        before = (experience.states[past], experience.shares[past], there[rows, :-1])
        memory = self._twin.states.begin(*(torch.from_numpy(each) for each in before))
        state, seen = torch.from_numpy(experience.states[rows]), []
        for k in range(steps):
            given = torch.from_numpy(experience.shares[rows + k])
            outcome = self._twin.outcomes.predict(state, given)
            state = self._twin.states.advance(memory, state, given).mean.clamp_min(0.0)
            seen.append((state, outcome.ssr, outcome.utility.mean))
        return Course(*(torch.stack(part).double().numpy() for part in zip(*seen, strict=True)))

    def quantiles(self, experience: Experience) -> Quantiles:
        """Those of U from the residuals of the fit, those of states normal."""
        model = self._twin.outcomes
        spread = model.utility(torch.from_numpy(experience.states), torch.from_numpy(experience.shares))
        levels = torch.from_numpy(LEVELS).float()
        utility = torch.stack([model.quantile(spread, level) for level in levels], dim=1)
        said = forecasts(self._twin.states, experience)
        states = said.mean[..., None] + said.deviation[..., None] * torch.from_numpy(ndtri(LEVELS)).float()
        return Quantiles(utility.double().numpy(), states.clamp_min(0.0).double().numpy())

    def over(self, shares: Floats) -> Values:
        """The mean over recorded states, evenly spaced."""
        starts = self._twin.starts.states
        places = np.unique(np.linspace(0, len(starts) - 1, STATES).astype(np.int64))
        spread = self._twin.outcomes.sweep(torch.from_numpy(starts[places]), torch.from_numpy(shares))
        return np.asarray(spread.mean.double().mean(dim=0).numpy())

    def lived(self, shares: Floats, groups: int, periods: int) -> Held:
        """Roll-outs from recorded states with their contexts."""
        given = torch.from_numpy(np.repeat(shares, groups, axis=0))
        count, n = given.shape
        u = draws.uniform(self._seed, STARTS, 0, count)
        places = (u * len(self._twin.starts)).astype(np.int64)
        memory = self._twin.states.begin(*self._twin.starts.contexts(places))
        state, seen = torch.from_numpy(self._twin.starts.states[places]), []
        for period in range(periods):
            u = draws.uniform(self._seed, CHANCES, period, count * (1 + n))
            chance, normal = u[:count], ndtri(u[count:].reshape(count, n))
            outcome = self._twin.outcomes.predict(state, given)
            utility = self._twin.outcomes.quantile(outcome.utility, torch.from_numpy(chance).float()).double().numpy()
            following = self._twin.states.advance(memory, state, given)
            state = (following.mean + following.deviation * torch.from_numpy(normal).float()).clamp_min(0.0)
            seen.append((utility, consistent(outcome, utility, self._twin.outcomes.objective), state.numpy()))
        shape = len(shares), groups, periods
        utilities, ssr, states = (np.stack(part, axis=1) for part in zip(*seen, strict=True))
        return Held(utilities.reshape(shape), ssr.reshape(*shape, n), states.reshape(*shape, n))
