"""What a twin is held against: periods of the simulator that it has not learned from.

They are of other seeds, which are other networks of the same kind: users elsewhere, other packets, other fading. Or
they are of the network that was recorded: it is simulated again up to where its record ends, and goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import netsim
from netsim import allocations
from netsim.beststatic import CELLS, THREADS
from netsim.controllers import uniform_index
from netsim.errors import InputError
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from rl.observation import Encoder
from twin.datasets import origin
from twin.experience import Experience, Floats
from twin.history import History

FIRST_SEED = (1 << 63) + (1 << 41)
"""Seeds from here on are held out, far from those of users, of the best static allocation's race and of pilots."""
BLOCKS = 10
"""Of a continued run: intervals are over these."""
PURPOSE = "twin-held-out"
"""Of the allocations that are played at random."""
_FIGURES = ("utility", "ssr", "arrived")

Units = NDArray[np.int64]
"""Whole units, a row per allocation."""


@dataclass(frozen=True)
class Held:
    """What followed under each of A allocations held for P periods, in each of G groups."""

    utility: NDArray[np.float64]
    """Shape ``(A, G, P)``."""
    ssr: NDArray[np.float64]
    """Shape ``(A, G, P, N)``."""
    states: Floats
    """As agents see them, shape ``(A, G, P, N)``."""

    def of(self, places: NDArray[np.int64]) -> "Held":
        """Some of the allocations."""
        return Held(self.utility[places], self.ssr[places], self.states[places])

    def figures(self, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Each figure, shape ``(A, G, P)``."""
        return by_name(self.utility, self.ssr, self.states, names)


@dataclass(frozen=True)
class Free:
    """Periods under allocations drawn at random."""

    experience: Experience
    groups: NDArray[np.int64]
    """Which of the G groups a transition belongs to, shape ``(M,)``."""
    count: int
    """G."""

    def figures(self, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Each figure, shape ``(G, P)``."""
        all_rows = by_name(self.experience.utility, self.experience.ssr, self.experience.next_states, names)
        return {name: values.reshape(self.count, -1) for name, values in all_rows.items()}


def by_name(
    utility: NDArray[Any], ssr: NDArray[Any], states: NDArray[Any], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """U, and SSR and state of each slice: shapes ``(...)`` from ``(...)`` and ``(..., N)``."""
    slices = {
        f"{what}.{name}": values[..., n].astype(np.float64)
        for what, values in (("ssr", ssr), ("state", states))
        for n, name in enumerate(names)
    }
    return {"utility": utility, **slices}


class Network(Protocol):
    """Where held-out periods come from."""

    @property
    def scenario(self) -> Scenario:
        """Of the network."""

    @property
    def told(self) -> str:
        """What it is, for readers."""

    def free(self, periods: int) -> Free:
        """``periods`` a group under random allocations."""

    def held(self, table: Units, periods: int) -> Held:
        """``periods`` a group under each allocation, all of which meet the same packets and the same fading."""


@dataclass(frozen=True)
class OtherSeeds:
    """Networks of a scenario that nobody was trained on; each seed is a group."""

    scenario: Scenario
    encoder: Encoder
    seeds: tuple[int, ...]

    @property
    def told(self) -> str:
        """What they are."""
        return f"other networks of {self.scenario.name}, {len(self.seeds)} seeds from {self.seeds[0]} on"

    def free(self, periods: int) -> Free:
        """``periods`` after period 0 for each seed."""
        with netsim.SimulationBatch(self.scenario, self.seeds) as batch:
            reports = [batch.reset()[:]]
            for period in range(1, periods + 1):
                reports.append(batch.step([_drawn(self.scenario, seed, period) for seed in self.seeds])[:])
        groups = np.repeat(np.arange(len(self.seeds)), periods)
        return _free(self.scenario, self.encoder, list(zip(*reports, strict=True)), groups)

    def held(self, table: Units, periods: int) -> Held:
        """The first ``periods`` of each seed."""
        runs = [_held(self.scenario, self.encoder, partial(_start_alike, seed), table, periods) for seed in self.seeds]
        return Held(*(np.stack([getattr(run, name) for run in runs], axis=1) for name in ("utility", "ssr", "states")))


class LaterOn:
    """The network that a data set was recorded of, after the record ends; each tenth of what follows is a group."""

    def __init__(self, data: Path, scenario: Scenario, encoder: Encoder) -> None:
        """Simulate the recorded run again.

        Raises
        ------
        InputError
            The data set is not of one run, its seed is not known, or it is of another scenario.
        """
        of, history = origin(data), History.read(data)
        if of.scenario_hash != scenario.hash:
            raise InputError(f"{data}: is of another scenario than the twin; give the data set that it was fitted to")
        if len(of.runs) != 1 or of.runs[0]["seed"] is None:
            raise InputError(f"{data}: what follows is known of one run with its seed, got {len(of.runs)} runs")
        self.scenario, self.seed = scenario, of.runs[0]["seed"]
        self.told = f"{scenario.name} of seed {self.seed} after the {len(history)} periods in {data}"
        self._encoder, self._simulation = encoder, netsim.Simulation(scenario, self.seed)
        self._replay(data, history)

    def _replay(self, data: Path, history: History) -> None:
        reports = [self._simulation.reset()]
        reports += [self._simulation.step(row) for row in history.allocation[1:].tolist()]
        again = History.of(reports, history.units)
        if not (np.array_equal(again.period, history.period) and np.array_equal(again.arrived, history.arrived)):
            raise InputError(f"{data}: its run simulated again is another run, so nothing is known of what follows")
        self._last = reports[-1].period
        self._cells = netsim.SimulationBatch(self.scenario, [self.seed])
        self._cells.copy_from(self._simulation.cell, self._last)
        self._begun = reports[-1]

    def free(self, periods: int) -> Free:
        """``periods`` a block, all in a row."""
        reports = [self._begun]
        for period in range(self._last + 1, self._last + 1 + BLOCKS * periods):
            reports += self._cells.step([_drawn(self.scenario, self.seed, period)])[:]
        return _free(self.scenario, self._encoder, [reports], np.repeat(np.arange(BLOCKS), periods))

    def held(self, table: Units, periods: int) -> Held:
        """``periods`` a block, in one go from where the record ends."""

        def begin(batch: netsim.SimulationBatch) -> None:
            batch.copy_from(self._simulation.cell, self._last)

        run = _held(self.scenario, self._encoder, begin, table, BLOCKS * periods)
        shape = len(table), BLOCKS, periods
        return Held(
            run.utility.reshape(shape), run.ssr.reshape(*shape, -1), run.states.reshape(*shape, run.states.shape[-1])
        )


def _start_alike(seed: int, batch: netsim.SimulationBatch) -> None:
    batch.start_alike(seed)


def _drawn(scenario: Scenario, seed: int, period: int) -> tuple[int, ...]:
    units, n = scenario.carrier.units, len(scenario.slices)
    return allocations.unrank(uniform_index(seed, period, allocations.count(units, n), PURPOSE), units, n)


def _free(
    scenario: Scenario, encoder: Encoder, runs: Sequence[Sequence[PeriodReport]], groups: NDArray[np.int64]
) -> Free:
    history = History.joined(History.of(run, scenario.carrier.units) for run in runs)
    return Free(Experience.of(history, encoder), groups, int(groups.max()) + 1)


def _held(
    scenario: Scenario,
    encoder: Encoder,
    begin: Callable[[netsim.SimulationBatch], None],
    table: Units,
    periods: int,
) -> Held:
    """One run of each allocation, shapes ``(A, P)`` and ``(A, P, N)``: all meet the same packets and fading."""
    kept: dict[str, list[NDArray[np.float64]]] = {name: [] for name in _FIGURES}
    with netsim.SimulationBatch(scenario, [0] * min(CELLS, len(table)), threads=THREADS) as batch:
        for first in range(0, len(table), CELLS):
            chunk = [tuple(row) for row in table[first : first + CELLS].tolist()]
            begin(batch)
            columns = _played(batch, chunk, periods)
            for name in _FIGURES:
                kept[name].append(columns[name])
    utility, ssr, arrived = (np.concatenate(kept[name]) for name in _FIGURES)
    return Held(utility, ssr, encoder(arrived))


def _played(
    batch: netsim.SimulationBatch, chunk: list[tuple[int, ...]], periods: int
) -> dict[str, NDArray[np.float64]]:
    """Figures of the first cells under an allocation each, shape ``(len(chunk), periods, ...)``."""
    every = chunk + chunk[:1] * (len(batch) - len(chunk))
    seen: dict[str, list[NDArray[np.float64]]] = {name: [] for name in _FIGURES}
    for _ in range(periods):
        batch.advance(every)
        columns = batch.columns()
        for name in _FIGURES:
            seen[name].append(np.array(columns[name][: len(chunk)], np.float64))
    return {name: np.stack(values, axis=1) for name, values in seen.items()}
