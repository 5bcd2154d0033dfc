"""Those who foretell a network in tests: one who knows the truth, one who knows only what is so on the whole."""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

import netsim
from netsim import allocations
from netsim.beststatic import Best
from rl.observation import Encoder
from twin.digital_twin import DigitalTwin, TwinConfig
from twin.experience import Experience
from twin.fitting import FitConfig
from twin.heldout import FIRST_SEED, Free, Held, OtherSeeds
from twin.models.outcome import OutcomeConfig
from twin.models.state import StateConfig
from twin.predicting import Course, Quantiles
from twin.scores import LEVELS, climatology

SCENARIO = netsim.load_scenario("tiny")
ENCODER = Encoder.of(SCENARIO)
PERIODS, HELD_PERIODS, SEEDS = 60, 8, 8
TABLE = allocations.enumerate_all(SCENARIO.carrier.units, len(SCENARIO.slices))


class Remembered:
    """Other seeds of ``tiny``, simulated once."""

    scenario, told = SCENARIO, "remembered"

    @cached_property
    def network(self) -> OtherSeeds:
        return OtherSeeds(SCENARIO, ENCODER, tuple(range(FIRST_SEED, FIRST_SEED + SEEDS)))

    @cached_property
    def played(self) -> Free:
        return self.network.free(PERIODS)

    @cached_property
    def every(self) -> Held:
        return self.network.held(TABLE, HELD_PERIODS)

    def free(self, periods: int) -> Free:
        assert periods == PERIODS
        return self.played

    def held(self, table: np.ndarray, periods: int) -> Held:
        assert periods == HELD_PERIODS
        return self.every.of(np.array([allocations.rank(row) for row in table.tolist()]))

    @cached_property
    def best(self) -> Best:
        """In the held-out runs themselves."""
        means = self.every.utility.mean(axis=(1, 2))
        place = int(means.argmax())
        return Best(tuple(TABLE[place].tolist()), float(means[place]), (0.0, 9.0), 0.0, SEEDS, HELD_PERIODS)


@dataclass
class Truth:
    """Foretells what the simulator does, for sure."""

    world: Remembered

    def along(self, experience: Experience, rows: np.ndarray, steps: int) -> Course:
        after = rows + np.arange(steps)[:, None]
        return Course(experience.next_states[after], experience.ssr[after], experience.utility[after])

    def quantiles(self, experience: Experience) -> Quantiles:
        return Quantiles(
            *(np.repeat(x[..., None], len(LEVELS), -1) for x in (experience.utility, experience.next_states))
        )

    def over(self, shares: np.ndarray) -> np.ndarray:
        return self._held(shares).utility.mean(axis=(1, 2))

    def lived(self, shares: np.ndarray, groups: int, periods: int) -> Held:
        return self._held(shares)

    def _held(self, shares: np.ndarray) -> Held:
        units = np.rint(shares * SCENARIO.carrier.units).astype(int)
        return self.world.held(units, HELD_PERIODS)


@dataclass
class OnTheWhole(Truth):
    """Says of everything what is so on the whole."""

    def along(self, experience: Experience, rows: np.ndarray, steps: int) -> Course:
        return Course(
            *(np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape) for x in super().along(experience, rows, steps))
        )

    def quantiles(self, experience: Experience) -> Quantiles:
        states = [climatology(column) for column in experience.next_states.T]
        return Quantiles(climatology(experience.utility), np.stack(states, axis=1))

    def over(self, shares: np.ndarray) -> np.ndarray:
        return np.zeros(len(shares))

    def lived(self, shares: np.ndarray, groups: int, periods: int) -> Held:
        seen = self.world.played.experience
        parts = (x.reshape(SEEDS, PERIODS, *x.shape[1:]) for x in (seen.utility, seen.ssr, seen.next_states))
        return Held(*(np.broadcast_to(x, (len(shares), *x.shape)) for x in parts))


# -- fitted ones

CONFIG = TwinConfig(
    state=StateConfig(hidden=1, context=0, fit=FitConfig(steps=10)),
    outcome=OutcomeConfig(members=1, hidden=(), fit=FitConfig(steps=100, learning_rate=0.1)),
)


def recorded() -> Experience:
    """Random play on other seeds than those that are held out."""
    return OtherSeeds(SCENARIO, ENCODER, tuple(range(8))).free(100).experience


def shuffled(experience: Experience, seed: int) -> Experience:
    """Outcomes and next states permuted over transitions."""
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(experience))
    labels = {f.name for f in fields(Experience)} - {"states", "shares", "begins"}
    return replace(experience, **{name: getattr(experience, name)[order] for name in labels})


def fitted(experience: Experience, seed: int = 0) -> DigitalTwin:
    """A small twin."""
    return DigitalTwin.fit(experience, SCENARIO, ENCODER, CONFIG, seed)
