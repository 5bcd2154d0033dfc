"""Allocations side by side: which a twin thinks good, what they bring, and how figures spread under each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim import allocations
from netsim.beststatic import Best
from netsim.controllers import uniform_index
from netsim.scenario import Scenario
from netsim.statistics import Figure, spearman
from twin.experience import Floats
from twin.heldout import Free, Held, Units
from twin.predicting import Predictor
from twin.scores import Kept, Values, distance, jackknife

ALL = 200
"""Up to so many allocations all are compared; of more, as many are chosen."""
NEAR = 40
"""Allocations chosen about the best static one, and about the one that the twin thinks best."""
CONTRASTS = 20
"""Allocations under which distributions are compared, at most."""


@dataclass(frozen=True)
class Distances:
    """Wasserstein-1 distances from the simulator's periods, in standard deviations, mean over allocations held."""

    twin: Figure
    simulator: Figure
    """Of one half of the simulator's runs from the other."""
    whole: Figure
    """Of periods of random play, whatever the allocation."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {name: getattr(self, name).to_dict() for name in ("twin", "simulator", "whole")}


@dataclass(frozen=True)
class Control:
    """Which allocations a twin thinks good, and what they bring."""

    table: Units
    """Allocations that were simulated, shape ``(A, N)``."""
    uniform: NDArray[np.bool_]
    """Which were drawn uniformly; the others are near the best, shape ``(A,)``."""
    said: Values
    """U as the twin has it, shape ``(A,)``."""
    measured: Values
    """Mean U of the simulator."""
    best_static: tuple[int, ...]
    twin_best: tuple[int, ...]
    best_static_utility: Figure
    twin_best_utility: Figure
    regret_percent: Figure
    """Of best-static's U, paired: both meet the same packets and the same fading."""
    rank_correlation: Figure
    """Over allocations drawn uniformly."""
    rank_correlation_near_best: Figure
    """Over the others; over the upper tenth where all allocations were simulated."""
    score: Figure

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        figures = (
            "best_static_utility",
            "twin_best_utility",
            "regret_percent",
            "rank_correlation",
            "rank_correlation_near_best",
            "score",
        )
        return {
            "best_static": list(self.best_static),
            "twin_best": list(self.twin_best),
            **{name: getattr(self, name).to_dict() for name in figures},
            "allocations": {
                "units": self.table.tolist(),
                "uniform": self.uniform.tolist(),
                "twin": self.said.tolist(),
                "simulator": self.measured.tolist(),
            },
        }


# -- allocations -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """Which allocations are compared, and what the twin says of them."""

    table: Units
    uniform: NDArray[np.bool_]
    said: Values
    shares: Floats
    best: int
    """Place of best-static."""
    thought: NDArray[np.int64]
    """Places of what the twin thinks best: several where it says the same of them."""

    @classmethod
    def of(cls, predictor: Predictor, scenario: Scenario, best: Best) -> "Choice":
        """What is compared in a scenario with this best static allocation."""
        units, n = scenario.carrier.units, len(scenario.slices)
        every = allocations.enumerate_all(units, n)
        shares = np.asarray(every / units, np.float32)
        said = predictor.over(shares)
        wanted = allocations.rank(best.allocation)
        places, uniform = _chosen(every, (wanted, int(said.argmax())))
        kept = said[places]
        thought = np.flatnonzero(kept == kept.max())
        return cls(every[places], uniform, kept, shares[places], int(np.flatnonzero(places == wanted)[0]), thought)

    def judged(self, held: Held) -> Control:
        """What they bring."""
        means = held.utility.mean(axis=2)
        near = self._near(means.mean(axis=1))
        best, thought = means[self.best], means[self.thought].mean(axis=0)
        groups = means.shape[1]

        def regret(kept: Kept) -> float:
            return float(best[kept].mean() - thought[kept].mean())

        def score(kept: Kept) -> float:
            room = float(best[kept].mean() - means[self.uniform][:, kept].mean())
            return min(1.0, max(0.0, 1.0 - regret(kept) / room)) if room > 0.0 else math.nan

        def ranks(of: NDArray[np.bool_]) -> Figure:
            # Where all are said or found to be equal, nothing is ranked, which is worth 0.
            return jackknife(groups, lambda kept: spearman(self.said[of], means[of][:, kept].mean(axis=1)) or 0.0)

        return Control(
            table=self.table,
            uniform=self.uniform,
            said=self.said,
            measured=means.mean(axis=1),
            best_static=_row(self.table, self.best),
            twin_best=_row(self.table, int(self.thought[0])),
            best_static_utility=jackknife(groups, lambda kept: float(best[kept].mean())),
            twin_best_utility=jackknife(groups, lambda kept: float(thought[kept].mean())),
            regret_percent=jackknife(groups, lambda kept: 100.0 * regret(kept) / float(best[kept].mean())),
            rank_correlation=ranks(self.uniform),
            rank_correlation_near_best=ranks(near),
            score=jackknife(groups, score),
        )

    def _near(self, measured: Values) -> NDArray[np.bool_]:
        if not self.uniform.all():
            return ~self.uniform
        return measured >= np.quantile(measured, 0.9)


def _row(table: Units, place: int) -> tuple[int, ...]:
    return tuple(table[place].tolist())


def _chosen(every: Units, good: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Places of allocations, and which are drawn uniformly: all, or a draw and the neighbours of good ones."""
    if len(every) <= ALL:
        return np.arange(len(every)), np.ones(len(every), bool)
    drawn = _drawn(len(every), ALL - len(good) * NEAR)
    near = np.concatenate([_neighbours(every, place) for place in good])
    places = np.union1d(drawn, near)
    return places, np.isin(places, drawn)


def _drawn(size: int, count: int) -> NDArray[np.int64]:
    """Different places, uniformly, always the same."""
    found: dict[int, None] = {}
    index = 0
    while len(found) < count:
        found[uniform_index(0, index, size, "twin-fidelity-allocations")] = None
        index += 1
    return np.array(list(found), np.int64)


def _neighbours(every: Units, place: int) -> NDArray[np.int64]:
    """Those nearest to an allocation in units moved, itself first."""
    return np.argsort(np.abs(every - every[place]).sum(axis=1), kind="stable")[:NEAR]


# -- distributions -----------------------------------------------------------------------------------------------------


class Samples:
    """What was drawn, what was simulated under C allocations held, and what was simulated on the whole."""

    def __init__(self, lived: Values, real: Values, whole: Values) -> None:
        """Take samples of shape ``(C, G, P)``, ``(C, G, P)`` and ``(G, P)``, P of each its own."""
        self._lived, self._real = lived, real
        self._whole = np.broadcast_to(whole, (len(real), *whole.shape))
        self._scale = float(real.std()) or 1.0
        self._groups = real.shape[1]
        self._even = np.arange(self._groups) % 2 == 0

    def distances(self) -> Distances:
        """All of them."""
        return Distances(*(jackknife(self._groups, each) for each in (self._twin, self._simulator, self._of_whole)))

    def score(self) -> Figure:
        """1 for a twin no farther than the simulator from itself, 0 for one as far as what is so on the whole."""
        return jackknife(self._groups, self._score)

    def _score(self, kept: Kept) -> float:
        least = self._simulator(kept)
        room = self._of_whole(kept) - least
        return 1.0 - max(0.0, self._twin(kept) - least) / room if room > 0.0 else math.nan

    def _twin(self, kept: Kept) -> float:
        return distance(self._lived[:, kept], self._real[:, kept]) / self._scale

    def _of_whole(self, kept: Kept) -> float:
        return distance(self._whole[:, kept], self._real[:, kept]) / self._scale

    def _simulator(self, kept: Kept) -> float:
        one, other = kept & self._even, kept & ~self._even
        if not (one.any() and other.any()):
            return math.nan
        return distance(self._real[:, one], self._real[:, other]) / self._scale


def samples_of(
    predictor: Predictor, choice: Choice, held: Held, free: Free, names: Sequence[str]
) -> dict[str, Samples]:
    """Those of U, SSR and states under some allocations drawn uniformly."""
    drawn = np.flatnonzero(choice.uniform)
    places = drawn[np.unique(np.linspace(0, len(drawn) - 1, CONTRASTS).astype(np.int64))]
    real = held.of(places)
    _, groups, periods = real.utility.shape
    lived, whole = predictor.lived(choice.shares[places], groups, periods).figures(names), free.figures(names)
    return {name: Samples(lived[name], values, whole[name]) for name, values in real.figures(names).items()}
