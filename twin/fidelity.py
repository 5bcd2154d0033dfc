"""How true a twin is: what it foretells against what the simulator does where the twin has not learned from it.

Each aspect has a score: 1 for one who knows the truth, 0 for one who says of every period and every allocation what is
so on the whole, and about 0 for a twin that was fitted to shuffled labels.

state, ssr, utility
    1 - squared error / variance, one period ahead, mean over slices. Arrivals that are independent from period to
    period cannot be foreseen, so 0 is then all that a state model can have.
uncertainty
    1 - CRPS / CRPS of what is so on the whole, for U one period ahead. Coverage stands beside it: intervals that cover
    what they should are no merit by themselves, for those of the whole do so too.
distribution
    How near U under each allocation, drawn, is to the simulator's: 0 is as far as U on the whole, 1 no farther than one
    half of the simulator's runs from the other.
ranking
    Spearman's correlation of U over allocations drawn uniformly.
control
    1 - regret / (best U - mean U), regret being what the allocation that the twin thinks best falls short by; 0 also
    where it is worse than one drawn at random. That happens to twins that know nothing: what they think best is seldom
    in the middle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.beststatic import Best
from netsim.statistics import Figure
from twin.compared import Choice, Control, Distances, samples_of
from twin.experience import Experience
from twin.heldout import Free, Network, by_name
from twin.predicting import Course, Predictor
from twin.scores import WITHIN, Error, Sums, Values, coverage, mean_skill, spread_skill

STEPS = (1, 2, 5, 10)
"""Periods ahead for which errors are measured."""


@dataclass(frozen=True)
class Calibration:
    """What intervals hold, one period ahead."""

    coverage: tuple[Figure, ...]
    """Of the central intervals of ``WITHIN``: 10 % to 90 %."""

    @property
    def half(self) -> Figure:
        """That of the 50 % intervals."""
        return self.coverage[4]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, by what intervals should hold."""
        return {f"{level:.1f}": figure.to_dict() for level, figure in zip(WITHIN, self.coverage, strict=True)}


@dataclass(frozen=True)
class Fidelity:
    """How true a twin is of held-out periods."""

    scenario: str
    held_out: str
    groups: int
    periods: int
    """Of random play, a group."""
    held_periods: int
    """Of each allocation, a group."""
    scores: Mapping[str, Figure]
    errors: Mapping[int, Mapping[str, Error]]
    """By periods ahead: those of U, of SSR and of the state of each slice."""
    calibration: Mapping[str, Calibration]
    """Of U and of the next state of each slice."""
    distances: Mapping[str, Distances]
    control: Control
    foretold: tuple[Values, Values]
    """U one period ahead as the twin has it and as it was, shape ``(M,)`` both."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "scenario": self.scenario,
            "held_out": self.held_out,
            "groups": self.groups,
            "periods": self.periods,
            "held_periods": self.held_periods,
            "scores": {name: figure.to_dict() for name, figure in self.scores.items()},
            "errors": {str(k): {name: one.to_dict() for name, one in each.items()} for k, each in self.errors.items()},
            "coverage": {name: each.to_dict() for name, each in self.calibration.items()},
            "distances": {name: each.to_dict() for name, each in self.distances.items()},
            "control": self.control.to_dict(),
        }


def fidelity(predictor: Predictor, network: Network, best: Best, periods: int, held_periods: int) -> Fidelity:
    """Hold one who predicts against a network.

    Parameters
    ----------
    best
        The best static allocation of the scenario.
    periods
        Of random play, a group.
    held_periods
        Under each of the allocations that are compared, a group.
    """
    names, free = network.scenario.slice_names, network.free(periods)
    errors, course = _errors(predictor, free, names)
    calibration, uncertainty = _calibration(predictor, free, names)
    choice = Choice.of(predictor, network.scenario, best)
    held = network.held(choice.table, held_periods)
    samples = samples_of(predictor, choice, held, free, names)
    control = choice.judged(held)
    scores = {
        "state": mean_skill(_starting(errors[1], "state.")),
        "ssr": mean_skill(_starting(errors[1], "ssr.")),
        "utility": mean_skill(_starting(errors[1], "utility")),
        "uncertainty": uncertainty,
        "distribution": samples["utility"].score(),
        "ranking": control.rank_correlation,
        "control": control.score,
    }
    return Fidelity(
        scenario=network.scenario.name,
        held_out=network.told,
        groups=free.count,
        periods=periods,
        held_periods=held_periods,
        scores=scores,
        errors={k: {name: sums.error() for name, sums in each.items()} for k, each in errors.items()},
        calibration=calibration,
        distances={name: each.distances() for name, each in samples.items()},
        control=control,
        foretold=course,
    )


def _starting(parts: Mapping[str, Sums], prefix: str) -> dict[str, Sums]:
    return {name: part for name, part in parts.items() if name.startswith(prefix)}


# -- periods ahead -----------------------------------------------------------------------------------------------------


def _errors(
    predictor: Predictor, free: Free, names: Sequence[str]
) -> tuple[dict[int, dict[str, Sums]], tuple[Values, Values]]:
    """By periods ahead; and U one ahead, foretold and true."""
    experience, steps = free.experience, [k for k in STEPS if k <= _longest(free.experience)]
    rows = rows_before(experience, steps[-1])
    said = predictor.along(experience, rows, steps[-1])
    found = {}
    for k in steps:
        mine, after = _figures(said, k - 1, names), _truth(experience, rows + k - 1, names)
        found[k] = {name: Sums.of(mine[name], after[name], free.groups[rows], free.count) for name in mine}
    return found, (said.utility[0], experience.utility[rows])


def rows_before(experience: Experience, steps: int) -> NDArray[np.int64]:
    """Transitions after which at least ``steps - 1`` more follow in the same run."""
    run = np.cumsum(experience.begins)
    rows = np.arange(len(experience) - steps + 1)
    kept: NDArray[np.int64] = rows[run[rows] == run[rows + steps - 1]]
    return kept


def _longest(experience: Experience) -> int:
    """Transitions in the longest run."""
    return int(np.bincount(np.cumsum(experience.begins)).max())


def _figures(course: Course, k: int, names: Sequence[str]) -> dict[str, Values]:
    return by_name(course.utility[k], course.ssr[k], course.states[k], names)


def _truth(experience: Experience, rows: NDArray[np.int64], names: Sequence[str]) -> dict[str, Values]:
    return by_name(experience.utility[rows], experience.ssr[rows], experience.next_states[rows], names)


def _calibration(predictor: Predictor, free: Free, names: Sequence[str]) -> tuple[dict[str, Calibration], Figure]:
    """Of U and of each slice's next state; and the score of the former."""
    said, experience = predictor.quantiles(free.experience), free.experience
    pairs = {"utility": (said.utility, experience.utility)}
    pairs |= {
        f"state.{name}": (said.states[:, n], experience.next_states[:, n].astype(np.float64))
        for n, name in enumerate(names)
    }
    found = {
        name: Calibration(tuple(coverage(quantiles, truth, free.groups, free.count)))
        for name, (quantiles, truth) in pairs.items()
    }
    return found, spread_skill(said.utility, experience.utility, free.groups, free.count)
