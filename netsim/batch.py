"""Many independent cells of one scenario, stepped together."""

import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netsim import allocations
from netsim.errors import RunError
from netsim.report import FloatArray, IntArray
from netsim.scenario import Scenario
from netsim.simulation import Reports, checked_seed, marks_of, report_columns
from netsim.state import TABLES, WORK, Cell

_TRUTHS = frozenset({bool, np.bool_})


class SimulationBatch:
    """B cells of a scenario, each with a seed of its own, each identical to a lone :class:`netsim.Simulation`.

    Cells have dated events but no SimPy processes beside the base station.

    >>> import netsim
    >>> batch = netsim.SimulationBatch(netsim.load_scenario("tiny"), seeds=[1, 2])
    >>> reports = batch.reset()
    >>> reports = batch.step([[2, 12, 6], [6, 7, 7]])
    >>> [report.allocation for report in reports]
    [(2, 12, 6), (6, 7, 7)]

    Parameters
    ----------
    scenario
        What every cell simulates.
    seeds
        One per cell.
    threads
        How many threads share the cells; results do not depend on it.
    """

    def __init__(self, scenario: Scenario, seeds: Iterable[int], *, threads: int = 1) -> None:
        # Imported here, because `import netsim` must not wait for the compiler.
        from netsim.model import Model

        self.scenario = scenario
        self.seeds = [checked_seed(seed) for seed in seeds]
        self.threads = threads
        self._model = Model(scenario)
        self._stack = self._model.new_stack(len(self.seeds))
        self._period = -1
        self._units: list[tuple[int, ...]] = []
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __len__(self) -> int:
        return len(self.seeds)

    def reset(self, seeds: Iterable[int] | None = None) -> Reports:
        """Start all cells at time 0, with other seeds if given, run period 0, and report it."""
        self.start(seeds)
        self.advance([self.scenario.initial_allocation] * len(self))
        return self.reports()

    def step(self, wanted: Sequence[Sequence[int]]) -> Reports:
        """Run the next period, cell b under ``wanted[b]``, and report it.

        Raises
        ------
        AllocationError
            One of them is not an allocation of the scenario's carrier.
        RunError
            There is not one for each cell, or :meth:`reset` has not been called.
        """
        units = self.scenario.carrier.units
        if len(wanted) != len(self):
            raise RunError(f"there must be one allocation per cell, {len(self)}, got {len(wanted)}")
        if self._period < 0:
            raise RunError("step was called before reset; call reset first")
        self.advance(_checked(wanted, units, len(self.scenario.slices)))
        return self.reports()

    # -- the same in parts, for those who need no reports ----------------------------------------------------------

    def start(self, seeds: Iterable[int] | None = None) -> None:
        """Put all cells at time 0."""
        if seeds is not None:
            replaced = [checked_seed(seed) for seed in seeds]
            if len(replaced) != len(self):
                raise RunError(f"there must be one seed per cell, {len(self)}, got {len(replaced)}")
            self.seeds = replaced
        for i, seed in enumerate(self.seeds):
            self._model.start(self._stack, i, seed)
        self._period = -1

    def advance(self, units: Sequence[tuple[int, ...]]) -> None:
        """Run the next period under valid allocations."""
        self._units = [*units]
        control = self.scenario.control
        begin = (self._period + 1) * control.slots_per_period
        end = begin + control.slots_per_period
        if self._period >= 0:  # before period 0, packets of instant 0 have arrived already
            self._stack.arrays.tallies.view(np.int64).fill(0)
        prb = np.array(units, np.int64) * self.scenario.carrier.allocation_unit_prb
        self._stack.arrays.slices["prb"] = prb
        for event in self._model.events:
            slot = event.at_ns // control.slot_ns
            if begin <= slot < end:
                self._run_to(slot)
                for i in range(len(self)):
                    self._model.apply(self._stack, i, event)
        self._run_to(end)
        self._period += 1
        self._in_threads(self._close)

    def columns(self) -> dict[str, FloatArray | IntArray]:
        """The figures of the period just ended: per cell of shape ``(B,)``, per slice of shape ``(B, N)``."""
        return report_columns(self._stack.arrays.clock[:, 0], self._stack.arrays.tallies)

    def reports(self) -> Reports:
        """The period just ended, a report per cell."""
        arrays = self._stack.arrays
        return Reports(self.scenario, self._period, self._units, arrays.clock[:, 0], arrays.tallies)

    def marks(self) -> NDArray[np.uint64]:
        """:meth:`netsim.Simulation.marks` of every cell, shape ``(B, N, layers)``."""
        return marks_of(self._stack.arrays.tallies)

    def copy_from(self, source: Cell, period: int) -> None:
        """Put every cell where a cell of the same scenario stands at the end of a period (-1: at time 0)."""
        for name, into, array in zip(Cell._fields, self._stack.arrays, source, strict=True):
            if name not in TABLES and name not in WORK and name not in ("latencies", "log"):
                into[...] = array
        self._stack.arrays.clock["logging"] = 0
        self._period = period

    def start_alike(self, seed: int) -> None:
        """Put all cells at time 0 of one seed."""
        self._model.start(self._stack, 0, checked_seed(seed))
        self.seeds = [seed] * len(self)
        self.copy_from(self._stack.cell(0), -1)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run_to(self, slot: int) -> None:
        """Advance all cells to a slot; what the kernel stops for is done cell by cell."""
        from netsim import kernel

        if self._model.plugged.schedulers:
            for i in range(len(self)):
                self._model.advance(self._stack, i, slot)
            return
        statuses = np.zeros(len(self), np.int64)

        def run(low: int, high: int) -> None:
            kernel.advance_many(self._stack.handles, low, high, slot, statuses)

        self._stack.handles  # noqa: B018  # made here, not by two threads at once
        self._in_threads(run)
        for i in np.flatnonzero(statuses).tolist():
            self._model.resolve(self._stack, i, int(statuses[i]))
            self._model.advance(self._stack, i, slot)

    def _close(self, low: int, high: int) -> None:
        from netsim import kernel

        kernel.close_many(self._stack.handles, low, high)

    def _in_threads(self, work: Any) -> None:
        """Call ``work(low, high)`` on ranges that cover the cells, one range per thread."""
        if self._pool is None:
            work(0, len(self))
            return
        bounds = np.linspace(0, len(self), self.threads + 1).astype(int).tolist()
        for done in [self._pool.submit(work, *pair) for pair in itertools.pairwise(bounds)]:
            done.result()


def _checked(wanted: Sequence[Sequence[int]], units: int, n: int) -> list[tuple[int, ...]]:
    """The allocations, if they are: all at once where they form an array of whole numbers, else one by one.

    An array keeps its type; in a sequence numpy would take ``True`` for 1.
    """
    try:
        table = np.asarray(wanted)
    except ValueError:
        table = np.zeros(0)
    whole = table.dtype.kind == "i" and table.shape == (len(wanted), n)
    if whole and not isinstance(wanted, np.ndarray):
        whole = _TRUTHS.isdisjoint({type(unit) for one in wanted for unit in one})
    if whole and table.min() >= 1 and (table.sum(axis=1) == units).all():
        return [tuple(row) for row in table.tolist()]
    return [allocations.check(one, units, n) for one in wanted]
