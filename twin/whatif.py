"""What if another had decided from some period on? A recorded run goes on both ways, and on a twin beside it.

The run is simulated again from its scenario, seed and allocations, and must leave the trace that was recorded. Every
draw of the simulator is a function of (seed, purpose, user, index), so both ways meet the same packets and the same
fading, and their difference is due to the allocations alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim import allocations
from netsim.errors import AllocationError, InputError, RunError
from netsim.fingerprint import Block, first_difference
from netsim.plugins import make_controller, name_of, processes_of, using
from netsim.pluginset import Named, PluginSet
from netsim.provenance import differences, versions
from netsim.replay import Recorded
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from netsim.simulation import Plant, Simulation
from netsim.statistics import BatchedSums, Figure, ratio

Reports = Sequence[PeriodReport]


class Continuing(Plant, Protocol):
    """A plant that can go on from periods of another one."""

    def begin(self, reports: Reports) -> None:
        """Go on after these periods, all from period 0 on."""


@dataclass(frozen=True)
class Way:
    """How a run went on."""

    controller: str
    reports: tuple[PeriodReport, ...]

    def figures(self) -> dict[str, NDArray[np.float64]]:
        """Figures of each period, shape ``(periods,)``; those of a slice are called ``FIGURE.SLICE``."""
        per_cell = {name: self._column(name) for name in ("utility", "se_capacity", "se_carried")}
        names = self.reports[0].slices
        per_slice = {
            f"{figure}.{name}": self._column(figure)[:, n]
            for figure in ("ssr", "latency_mean_ms")
            for n, name in enumerate(names)
        }
        return per_cell | per_slice

    def _column(self, name: str) -> NDArray[np.float64]:
        return np.array([getattr(report, name) for report in self.reports], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ``None`` where a period has no such figure."""
        return {
            "controller": self.controller,
            "figures": {name: mean_of(values).to_dict() for name, values in self.figures().items()},
            "periods": {
                "allocation": [list(report.allocation) for report in self.reports],
                **{name: [_plain(value) for value in values] for name, values in self.figures().items()},
            },
        }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def mean_of(values: ArrayLike) -> Figure:
    """Mean over consecutive periods with its 95 % interval over batches of them; NaN is left out.

    >>> mean_of([1.0, 2.0, np.nan, 3.0]).mean
    2.0
    """
    sums = BatchedSums(2)
    for value in np.asarray(values, np.float64):
        sums.add([0.0, 0.0] if np.isnan(value) else [value, 1.0])
    return ratio(sums.sums[:, 0], sums.sums[:, 1])


@dataclass(frozen=True)
class WhatIf:
    """A recorded run from a period on, as it was and as it would have been."""

    scenario: str
    seed: int
    at: int
    """The first period that differs."""
    recorded: Way
    changed: Way
    """On the simulator."""
    twin: Way | None
    """The same on a twin, under its own reports."""

    @property
    def gain(self) -> dict[str, Figure]:
        """What the other way adds to each figure: mean of paired differences."""
        return _paired(self.changed, self.recorded)

    @property
    def twin_error(self) -> dict[str, Figure] | None:
        """What the twin adds to each figure of the simulator."""
        return None if self.twin is None else _paired(self.twin, self.changed)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        error = self.twin_error
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "at": self.at,
            "periods": len(self.recorded.reports),
            "recorded": self.recorded.to_dict(),
            "what_if": self.changed.to_dict(),
            "twin": None if self.twin is None else self.twin.to_dict(),
            "gain": {name: figure.to_dict() for name, figure in self.gain.items()},
            "twin_error": None if error is None else {name: figure.to_dict() for name, figure in error.items()},
        }


def _paired(one: Way, other: Way) -> dict[str, Figure]:
    theirs = other.figures()
    return {name: mean_of(values - theirs[name]) for name, values in one.figures().items()}


# -- how it goes on ----------------------------------------------------------------------------------------------------


def what_if(
    folder: str | Path,
    controller: str | object,
    *,
    at: int,
    periods: int | None = None,
    twin: "Callable[[Scenario], Continuing] | None" = None,
    files: Path | None = None,
) -> WhatIf:
    """Let another controller decide in a recorded run from a period on.

    The controller hears of the recorded periods (``run_started``, ``period_ended``) and is asked from ``at`` on. On the
    twin another one of its kind decides, from what the twin reports.

    Parameters
    ----------
    folder
        A run directory of ``netsim run``.
    controller
        As for :func:`netsim.run`.
    at
        The first period it decides, 1 or later.
    periods
        How many; without it all that were recorded.
    twin
        Makes a plant that goes on beside the simulator.
    files
        The folder of the files that the scenario names.

    Raises
    ------
    InputError
        The folder holds no run on the simulator, it has no such periods, or there is no such controller.
    RunError
        The run simulated again is not the one that was recorded.
    AllocationError, PluginError
        The controller is at fault.
    """
    run = Recorded(folder)
    last = _last(run, at, periods)
    scenario, name = run.scenario(files), controller if isinstance(controller, str) else name_of(controller)
    with using(run.plugins()), TemporaryDirectory() as scratch:
        fork = Path(scratch) / "fork"
        reports = _again(run, scenario, at, last, fork)
        known, recorded = reports[:at], Way(run.request["controller"], tuple(reports[at:]))
        play = _Playing(scenario, run.request["seed"], controller, name, known, len(recorded.reports))
        changed = play.on_the_simulator(fork)
        beside = None if twin is None else play.on(twin(scenario))
    return WhatIf(scenario.name, run.request["seed"], at, recorded, changed, beside)


def _last(run: Recorded, at: int, periods: int | None) -> int:
    there = run.periods - 1
    if not 1 <= at <= there:
        raise InputError(f"{run.folder} has controlled periods 1 to {there}, none can be decided anew at {at}")
    if periods is not None and not 1 <= periods <= there - at + 1:
        raise InputError(f"{run.folder} has {there - at + 1} periods from {at} on, got periods={periods}")
    return there if periods is None else at + periods - 1


def _again(run: Recorded, scenario: Scenario, at: int, last: int, fork: Path) -> list[PeriodReport]:
    """The reports up to the last period, simulated again and compared; the state before ``at`` is left in ``fork``."""
    reports: list[PeriodReport] = []

    def simulated() -> Iterator[Block]:
        for simulation, report in islice(run.played(scenario), last + 1):
            reports.append(report)
            if report.period == at - 1:
                simulation.save(fork)
            yield run.block_of(simulation, report)

    difference = first_difference(islice(run.blocks(), last + 1), simulated(), run.slice_names)
    if difference is not None:
        changed = differences(run.request["versions"], versions(), "versions", ("then", "now"))
        raise RunError("\n".join([f"{run.folder} simulated again is another run: {difference}", *changed]))
    return reports


@dataclass(frozen=True)
class _Playing:
    """Who decides, and after what."""

    scenario: Scenario
    seed: int
    controller: str | object
    name: str
    known: Reports
    periods: int

    def on_the_simulator(self, fork: Path) -> Way:
        player = self._player()
        processes = processes_of(player)
        simulation = Simulation.load(fork, scenario=self.scenario, seed=self.seed, processes=[processes])
        return self._goes_on(player, simulation)

    def on(self, plant: Continuing) -> Way:
        plant.begin(self.known)
        return self._goes_on(self._player(), plant)

    def _player(self) -> PluginSet:
        """A controller that has heard of what is known."""
        player = PluginSet([Named(self.name, make_controller(self.controller, self.scenario))])
        player.hook.run_started(scenario=self.scenario, seed=self.seed)
        for report in self.known:
            player.hook.period_ended(report=report)
        return player

    def _goes_on(self, player: PluginSet, plant: Plant) -> Way:
        report, reports = self.known[-1], []
        for _ in range(self.periods):
            report = plant.step(self._decided(player, report))
            player.hook.period_ended(report=report)
            reports.append(report)
        return Way(self.name, tuple(reports))

    def _decided(self, player: PluginSet, report: PeriodReport) -> tuple[int, ...]:
        allocation = player.hook.decide_allocation(report=report)
        try:
            return allocations.check(allocation, self.scenario.carrier.units, len(self.scenario.slices))
        except AllocationError as error:
            raise AllocationError(f"controller {self.name!r}: {error} (period {report.period + 1})") from None
