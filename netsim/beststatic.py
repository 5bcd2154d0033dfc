"""What any controller is measured against: the best allocation that never changes, and the best with hindsight.

The best static allocation is raced over all allocations by successive halving. All candidates of a round meet the
same packets and the same fading (common random numbers), so that few periods tell them apart; the finalists then run
on seeds that no round has used, so that the winner's utility is not flattered by having been chosen for it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import netsim
from netsim import allocations
from netsim.controllers import uniform_index
from netsim.errors import RunError
from netsim.files import cache_root, to_json, write_atomic
from netsim.hooks import hookimpl
from netsim.report import FloatArray, IntArray, PeriodReport
from netsim.scenario import Scenario

if TYPE_CHECKING:
    from netsim.simulation import Simulation

METHOD = 1
"""Changes when the race is run differently; a result of another method is not taken from the cache."""
CELLS = 64
"""Cells stepped together: their arrays stay within the second-level cache."""
THREADS = 2
FIRST_SEED = 1 << 63
"""Seeds from here on are the race's, far from those that users choose."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Best:
    """The best static allocation of a scenario."""

    allocation: tuple[int, ...]
    utility: float
    """Its mean utility over the final seeds."""
    utility_ci95: tuple[float, float]
    """95 % Student interval over the final seeds."""
    random_median_utility: float
    """Median utility of a period under the random policy: gmin of the reward, unless the scenario gives it."""
    seeds: int
    periods: int
    """Periods per final seed."""

    def to_dict(self) -> dict[str, Any]:
        """Its figures as plain values, the thresholds of the reward included."""
        return {**asdict(self), "gmin": self.gmin, "gmax": self.gmax}

    @property
    def gmin(self) -> float:
        """Lower threshold of the reshaped reward, at most the upper one."""
        return min(self.random_median_utility, self.gmax)

    @property
    def gmax(self) -> float:
        """Upper threshold of the reshaped reward: 0.98 of the best static utility."""
        return 0.98 * self.utility


@dataclass(frozen=True)
class Round:
    """One round of the race: every survivor runs ``periods`` on each of ``seeds``, then the best ``keep`` go on."""

    seeds: int
    periods: int
    keep: int


def rounds(scenario: Scenario) -> tuple[Round, ...]:
    """The race of a scenario. Where the load moves, every run covers all of the scenario's periods."""
    horizon = scenario.control.periods
    if _moves(scenario):
        return Round(1, horizon, 36), Round(2, horizon, 8), Round(8, horizon, 1)
    return (
        Round(1, 4, 1600),
        Round(1, 8, 540),
        Round(2, 12, 180),
        Round(4, 18, 60),
        Round(8, 25, 20),
        Round(16, 40, 6),
        Round(16, 128, 1),
    )


def _moves(scenario: Scenario) -> bool:
    return bool(scenario.events) or any(part.load is not None for part in scenario.slices.values())


def best_static(scenario: Scenario, progress: Progress | None = None, *, again: bool = False) -> Best:
    """The best static allocation: from the cache, else raced over all allocations and kept there.

    Parameters
    ----------
    scenario
        The scenario; its name, description and run length do not matter unless its load moves.
    progress
        Called with cell-periods done and to do.
    again
        Race even if the cache knows the answer.
    """
    found = None if again else cached(scenario)
    if found is None:
        found = race(scenario, progress)
        _keep(scenario, found)
    return found


def race(scenario: Scenario, progress: Progress | None = None) -> Best:
    """Race all allocations, without looking at the cache."""
    candidates = allocations.enumerate_all(scenario.carrier.units, len(scenario.slices))
    plan = rounds(scenario)
    ticker = _Ticker(_work(len(candidates), plan), progress)
    seed, scores = FIRST_SEED, np.zeros((0, 0))
    with netsim.SimulationBatch(scenario, [0] * min(CELLS, len(candidates)), threads=THREADS) as batch:
        for stage in plan:
            runs = [_means(batch, candidates, seed + k, stage.periods, ticker) for k in range(stage.seeds)]
            seed += stage.seeds
            scores = np.array(runs)
            order = np.argsort(-scores.mean(axis=0), kind="stable")[: stage.keep]
            candidates, scores = candidates[order], scores[:, order]
    low, high = _interval(scores[:, 0])
    return Best(
        allocation=tuple(int(units) for units in candidates[0]),
        utility=float(scores[:, 0].mean()),
        utility_ci95=(low, high),
        random_median_utility=_random_median(scenario, seed),
        seeds=plan[-1].seeds,
        periods=plan[-1].periods,
    )


def _work(candidates: int, plan: Iterable[Round]) -> int:
    total = 0
    for stage in plan:
        total += candidates * stage.seeds * stage.periods
        candidates = min(candidates, stage.keep)
    return total


class _Ticker:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total = total
        self.done = 0
        self._progress = progress

    def tick(self, amount: int) -> None:
        self.done += amount
        if self._progress is not None:
            self._progress(self.done, self.total)


def _means(
    batch: "netsim.SimulationBatch", candidates: IntArray, seed: int, periods: int, ticker: _Ticker
) -> FloatArray:
    """Mean utility of each candidate over the first periods of a seed, shape ``(len(candidates),)``."""
    means = []
    for chunk in _chunks(candidates, len(batch)):
        batch.start_alike(seed)
        total = np.zeros(len(batch))
        for _ in range(periods):
            batch.advance(_padded(chunk, len(batch)))
            total += batch.columns()["utility"]
        means.append(total[: len(chunk)] / periods)
        ticker.tick(len(chunk) * periods)
    return np.concatenate(means)


def _chunks(candidates: IntArray, size: int) -> Iterator[list[tuple[int, ...]]]:
    for first in range(0, len(candidates), size):
        yield [tuple(row) for row in candidates[first : first + size].tolist()]


def _padded(chunk: list[tuple[int, ...]], size: int) -> list[tuple[int, ...]]:
    return chunk + chunk[:1] * (size - len(chunk))


def _interval(means: FloatArray) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf(0.975, len(means) - 1)) * float(means.std(ddof=1)) / len(means) ** 0.5
    return float(means.mean()) - half, float(means.mean()) + half


def _random_median(scenario: Scenario, first_seed: int, runs: int = 16) -> float:
    """The median utility of a period under the random policy; every run covers a moving load, else 64 periods."""
    units, n = scenario.carrier.units, len(scenario.slices)
    seeds = range(first_seed, first_seed + runs)
    drawn = []
    with netsim.SimulationBatch(scenario, seeds, threads=THREADS) as batch:
        batch.start()
        for period in range(scenario.control.periods if _moves(scenario) else 64):
            ranks = [uniform_index(seed, period, allocations.count(units, n)) for seed in seeds]
            batch.advance([allocations.unrank(rank, units, n) for rank in ranks])
            drawn.append(batch.columns()["utility"])
    return float(np.median(drawn))


# -- the cache ---------------------------------------------------------------------------------------------------------


def _place(scenario_hash: str, horizon: int | None) -> Path:
    periods = "" if horizon is None else f"-{horizon}"
    return cache_root() / "best-static" / f"{scenario_hash}{periods}.json"


def _horizon(scenario: Scenario) -> int | None:
    """Periods that a result holds for, where the load moves."""
    return scenario.control.periods if _moves(scenario) else None


def cached(scenario: Scenario) -> Best | None:
    """The best static allocation if it has been raced before by this version, with the very files it names."""
    if not _recognisable(scenario):
        return None
    return kept(scenario.hash, _horizon(scenario))


def kept(scenario_hash: str, horizon: int | None) -> Best | None:
    """The same by the hash of a scenario, and its periods if its load moves: as manifests name it."""
    try:
        content = json.loads(_place(scenario_hash, horizon).read_text(encoding="utf-8"))
        if content.pop("method") != [METHOD, netsim.__version__]:
            return None
        content["allocation"], content["utility_ci95"] = tuple(content["allocation"]), tuple(content["utility_ci95"])
        return Best(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never raced, or a file of another version: race again


def _recognisable(scenario: Scenario) -> bool:
    """Whether an edit of anything that the scenario names would be noticed."""
    return None not in scenario.files().values()


def _keep(scenario: Scenario, best: Best) -> None:
    if not _recognisable(scenario):
        return
    place = _place(scenario.hash, _horizon(scenario))
    with suppress(OSError):  # a cache that cannot be written only costs time
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, to_json({"method": [METHOD, netsim.__version__], **asdict(best)}))


# -- controllers -------------------------------------------------------------------------------------------------------


class BestStatic:
    """The best allocation that never changes."""

    def __init__(self, scenario: Scenario, progress: Progress | None = None) -> None:
        self.best = best_static(scenario, progress)

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """Always the same units."""
        return self.best.allocation


class Clairvoyant:
    """The best allocation of each period with hindsight: all of them are tried from the very state of the cell.

    An upper bound on what any controller can reach in the next period; what it leaves for later periods it does not
    look at.
    """

    def __init__(self) -> None:
        self._simulation: Simulation | None = None
        self._batch: netsim.SimulationBatch | None = None
        self._all: list[list[tuple[int, ...]]] = []

    @hookimpl
    def processes(self, simulation: "Simulation") -> tuple[()]:
        """Take hold of the simulation; no process is needed."""
        self._simulation = simulation
        scenario = simulation.scenario
        every = allocations.enumerate_all(scenario.carrier.units, len(scenario.slices))
        self._all = list(_chunks(every, CELLS))
        self._batch = netsim.SimulationBatch(scenario, [0] * len(self._all[0]), threads=THREADS)
        return ()

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The allocation of highest utility in the next period, the first in lexicographic order among equals."""
        if self._simulation is None or self._batch is None:
            raise RunError("clairvoyant needs the simulator: it cannot look into another plant's future")
        best, best_utility = self._all[0][0], -np.inf
        for chunk in self._all:
            self._batch.copy_from(self._simulation.cell, report.period)
            self._batch.advance(_padded(chunk, len(self._batch)))
            utilities = self._batch.columns()["utility"][: len(chunk)]
            if utilities.max() > best_utility:
                best_utility = float(utilities.max())
                best = chunk[int(utilities.argmax())]
        return best

    @hookimpl
    def run_ended(self) -> None:
        """Let the threads go."""
        if self._batch is not None:
            self._batch.close()
