"""The plant: what a controller acts on, and the packet-level simulation that is the real one."""

from collections.abc import Callable, Generator, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, overload, runtime_checkable

import numpy as np
import simpy

from netsim import __version__, allocations
from netsim.errors import RunError
from netsim.report import LAYERS, SLICE_FIELDS, IntArray, PeriodReport
from netsim.scenario import Scenario

if TYPE_CHECKING:
    from netsim.state import Array, Cell, Served

MAX_SEED = 2**64 - 1
_BITS_AND_BLOCKS = ("offered_bits", "carried_bits", "discarded_bits", "prb_slots_granted", "prb_slots_used")
_COUNTED = ("arrived", "satisfied", "slow", "late", "dropped", "departed", *_BITS_AND_BLOCKS)
Processes = Callable[["Simulation"], Iterable[Generator[simpy.Event, Any, Any]] | None]


@runtime_checkable
class Plant(Protocol):
    """The one seam between control and physics."""

    def reset(self, seed: int | None = None) -> PeriodReport:
        """Start again at time 0, run period 0 under the scenario's initial allocation, and report it."""

    def step(self, allocation: Sequence[int]) -> PeriodReport:
        """Run the next period under an allocation, whole units per slice, and report it."""


class Simulation:
    """The base station of a scenario, packet by packet.

    >>> import netsim
    >>> simulation = netsim.Simulation(netsim.load_scenario("tiny"), seed=7)
    >>> report = simulation.reset()
    >>> report = simulation.step([2, 12, 6])
    >>> report.period, report.allocation
    (1, (2, 12, 6))

    Parameters
    ----------
    scenario
        What to simulate.
    seed
        0 to 2^64 - 1. Every random draw is a function of (seed, purpose, user, index).
    log_packets
        Keep a record of every packet for :meth:`take_packets`.
    processes
        Called with the simulation at each start; returns SimPy process generators to run beside the base station.

    Raises
    ------
    ScenarioError, PluginError
        A trace file or a plugin that the scenario names cannot be used.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int = 0,
        *,
        log_packets: bool = False,
        processes: Sequence[Processes] = (),
    ) -> None:
        # Imported here, because `import netsim` must not wait for the compiler.
        from netsim.model import Model

        self.scenario = scenario
        self.seed = checked_seed(seed)
        self.env: simpy.Environment = simpy.Environment()
        self._processes = tuple(processes)
        self._log_packets = log_packets
        self._files = scenario.files()
        self._model = Model(scenario)
        self._stack = self._model.new_stack()
        self._period = -1
        self._allocation: tuple[int, ...] = ()
        self._running = False
        self._at_end = False
        self._taken = 0

    # -- a plant ---------------------------------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> PeriodReport:
        """Start again at time 0, with another seed if one is given, and run period 0.

        Period 0 runs under ``scenario.control.initial_allocation``.
        """
        self._refuse_within()
        if seed is not None:
            self.seed = checked_seed(seed)
        self._model.start(self._stack, 0, self.seed, self._log_packets)
        self._period, self._taken = -1, 0
        self._populate(0)
        return self._run_period(self.scenario.initial_allocation)

    def step(self, allocation: Sequence[int]) -> PeriodReport:
        """Run the next period under an allocation in the scenario's units.

        Raises
        ------
        AllocationError
            It is not one whole number of at least 1 per slice that sum to ``scenario.carrier.units``.
        RunError
            :meth:`reset` has not been called, or a process calls ``step`` while a period runs.
        """
        self._refuse_within()
        units = allocations.check(allocation, self.scenario.carrier.units, len(self.scenario.slices))
        if self._period < 0:
            raise RunError("step was called before reset; call reset first")
        return self._run_period(units)

    def _refuse_within(self) -> None:
        if self._running:
            raise RunError("step and reset cannot be called from a process that runs beside the base station")

    def _populate(self, now_ns: int) -> None:
        """A new environment with the base station and everybody else's processes in it."""
        from netsim.basestation import BaseStation, Environment

        self.env = Environment(now_ns)
        self._model.watchers.clear()
        self._station = BaseStation(self.env, self._model, self._stack)
        for make in self._processes:
            for process in make(self) or ():
                self.env.process(process)

    def _run_period(self, units: tuple[int, ...]) -> PeriodReport:
        from netsim.basestation import PERIOD_END, event_at

        self._running, self._at_end = True, False
        try:
            cell = self._stack.cell(0)
            if self._period >= 0:  # before period 0, packets of instant 0 have arrived already
                cell.tallies.view(np.int64).fill(0)
            self._station.allocate(units)
            self.env.run(until=event_at(self.env, self.scenario.control.period_ns, PERIOD_END))
            self._station.raise_failure()
        finally:
            self._running = False
        self._period += 1
        self._allocation = units
        self._at_end = self._slots_are_done()
        if not self._at_end:
            raise RunError("the environment was run outside of reset and step; let those move its clock")
        return self._report()

    def _slots_are_done(self) -> bool:
        """Whether exactly the slots of the periods so far have run."""
        return self.slot == (self._period + 1) * self.scenario.control.slots_per_period

    def _report(self) -> PeriodReport:
        from netsim import kernel

        kernel.close_period(self._stack.handles, 0)
        cell = self._stack.cell(0)
        return Reports(self.scenario, self._period, [self._allocation], cell.clock, cell.tallies[None])[0]

    # -- what lies behind the report -------------------------------------------------------------------------------

    @property
    def cell(self) -> "Cell":
        """The state as arrays, to look at and to copy from: the running simulation changes them."""
        return self._stack.cell(0)

    @property
    def slot(self) -> int:
        """The next slot to run: everything up to its beginning has happened."""
        return int(self._stack.cell(0).clock[0]["slot"])

    def counts(self) -> dict[str, IntArray]:
        """The running period's counts per slice so far, each of shape ``(N,)``, for processes beside the base station.

        Late packets are counted when their limit passes, so this looks through the queues: ask once per period or
        slot, not per packet. A process that is due at the very end of a period runs in the next one.
        """
        from netsim import kernel

        cell = self._stack.cell(0)
        for s in range(len(self.scenario.slices)):
            kernel.mark_one(self._stack.handles, 0, s, self.slot * self.scenario.control.slot_ns)
        counted = {name: cell.tallies[name].copy() for name in _COUNTED}
        counted["pending"] = cell.slices["queued"] - cell.slices["overdue"]
        counted["backlog_packets"] = cell.slices["queued"].copy()
        counted["backlog_bits"] = cell.slices["backlog_bits"].copy()
        return counted

    def latencies_ns(self) -> tuple[IntArray, ...]:
        """Latencies of the departures of the period just ended, one array per slice, in no particular order."""
        cell = self._stack.cell(0)
        return tuple(cell.latencies[s, : cell.tallies[s]["departed"]].copy() for s in range(len(self.scenario.slices)))

    def marks(self) -> "Array":
        """What :mod:`netsim.marks` made of the events of the period just ended, uint64 of shape ``(N, layers)``."""
        return marks_of(self._stack.cell(0).tallies)

    def take_packets(self) -> "Array":
        """The packets that left since the last call, records of ``netsim.report.PACKET``.

        In order of leaving, slice, user and index. Only with ``log_packets``.
        """
        self._refuse_unlogged()
        taken = self._model.take_packets(self._stack.cell(0))
        self._taken += len(taken)
        return taken

    def packets_left(self, since: int) -> "tuple[Array, int]":
        """The packets that left after the first ``since`` ones, in order of leaving, and how many have left in all.

        Looks without taking. Start with 0 after :meth:`reset` or :meth:`load`; those taken in between are missing.
        """
        self._refuse_unlogged()
        cell = self._stack.cell(0)
        there = cell.log[: cell.clock[0]["logged"]]
        return there[max(since - self._taken, 0) :].copy(), self._taken + len(there)

    def _refuse_unlogged(self) -> None:
        if not self._log_packets:
            raise RunError("packets are not logged; create the simulation with log_packets=True")

    def watch(self, watcher: "Callable[[Served], None]") -> None:
        """Have ``watcher`` called for each slice in each slot in which the slice has something to send.

        It is called right after the slice's users were served, with what they were granted, and also with grants that
        are then refused. Slots run one by one from now on, which costs time and changes nothing. Ends with the next
        :meth:`reset`; a process beside the base station is where to ask for it.
        """
        self._model.watchers.append(watcher)

    def queued_packets(self) -> "Array":
        """The packets that are still queued, as records of ``netsim.report.PACKET``: late or pending."""
        return self._model.queued_packets(self._stack.cell(0))

    # -- on disk ---------------------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Keep the simulation as it stands at the end of a period, in one file, written so that a crash leaves the
        old file or the new one.

        Processes beside the base station are not part of it; they start afresh after :meth:`load`.

        Raises
        ------
        RunError
            It stands within a period, also because a step raised, or before :meth:`reset`; or the file cannot be
            written.
        """
        from netsim import saving

        if self._period < 0:
            raise RunError("there is nothing to save before reset")
        if not self._at_end or not self._slots_are_done():
            raise RunError(
                "the simulation must be at the end of a period to be saved, it stands in slot "
                f"{self.slot} within period {self._period + 1}; save it after reset or step, not in a process, and "
                "call reset first after a step that raised"
            )
        saving.write(path, self._header(), self._stack.cell(0))

    def _header(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.to_dict(),
            # Where the files are that the scenario names; one that names none is the same wherever it lies.
            "folder": str(self.scenario.folder) if self.scenario.folder and self._files else None,
            "files": self._files,
            "version": __version__,
            "seed": self.seed,
            "period": self._period,
            "allocation": list(self._allocation),
            "log_packets": self._log_packets,
        }

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        processes: Sequence[Processes] = (),
        scenario: Scenario | None = None,
        seed: int | None = None,
    ) -> Self:
        """A simulation that goes on where :meth:`save` left it, bit for bit.

        Parameters
        ----------
        path
            The file.
        processes
            As for a new simulation.
        scenario
            Goes on only if the file's scenario is this one; the files that it names are then looked for in its folder.
        seed
            Goes on only if the file's seed is this one.

        Raises
        ------
        RunError
            The file cannot be read, is damaged, or holds another scenario, other contents of the files that the
            scenario names, another seed or a state of another version; the message says what differs.
        """
        from netsim import saving

        header, arrays = saving.read(path)
        stored = Scenario.from_dict(header["scenario"], Path(header["folder"]) if header["folder"] else None)
        if scenario is not None and scenario.folder is not None:
            stored = Scenario.from_dict(header["scenario"], scenario.folder)
        saving.refuse_another(path, header, stored, scenario, seed)
        made = cls(stored, header["seed"], log_packets=header["log_packets"], processes=processes)
        saving.restore(made._stack, made._model, arrays, path)
        made._period, made._allocation = header["period"], tuple(header["allocation"])
        made._at_end = True
        made._populate((made._period + 1) * stored.control.period_ns)
        return made


def checked_seed(seed: int) -> int:
    """The seed, if it is one.

    Raises
    ------
    RunError
        It is no whole number from 0 to 2^64 - 1.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= MAX_SEED:
        raise RunError(f"seed must be a whole number from 0 to 2^64 - 1, got {seed!r}")
    return int(seed)


class Reports(Sequence[PeriodReport]):
    """The reports of B cells on the same period: a sequence of :class:`PeriodReport`, and its figures as columns.

    ``columns[name]`` has shape ``(B,)`` for a figure per cell and ``(B, N)`` for one per slice. A report is made when
    it is asked for, because most users of many cells read columns.
    """

    def __init__(
        self, scenario: Scenario, period: int, units: Sequence[tuple[int, ...]], clocks: "Array", tallies: "Array"
    ) -> None:
        self.columns = report_columns(clocks, tallies)
        self._scenario = scenario
        self._period = period
        self._units = tuple(units)

    def __len__(self) -> int:
        return len(self._units)

    @overload
    def __getitem__(self, b: int) -> PeriodReport: ...

    @overload
    def __getitem__(self, b: slice) -> list[PeriodReport]: ...

    def __getitem__(self, b: int | slice) -> PeriodReport | list[PeriodReport]:
        if isinstance(b, slice):
            return [self[i] for i in range(len(self))[b]]
        row = range(len(self))[b]
        return PeriodReport(
            period=self._period,
            time_s=(self._period + 1) * self._scenario.control.period_ns / 1e9,
            slices=self._scenario.slice_names,
            allocation=self._units[row],
            utility=float(self.columns["utility"][row]),
            se_capacity=float(self.columns["se_capacity"][row]),
            se_carried=float(self.columns["se_carried"][row]),
            **{name: self.columns[name][row] for name in SLICE_FIELDS},
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # holds arrays


def report_columns(clocks: "Array", tallies: "Array") -> dict[str, Any]:
    """Every figure of a period just closed, from arrays of shapes ``(B,)`` and ``(B, N)``; copies, read-only."""
    counted, ended = tallies.copy(), clocks.copy()
    counted.flags.writeable = ended.flags.writeable = False
    per_cell = {name: ended[name] for name in ("utility", "se_capacity", "se_carried")}
    return per_cell | {name: counted[name] for name in SLICE_FIELDS}


def marks_of(tallies: "Array") -> "Array":
    """What :mod:`netsim.marks` made of the events of the period just ended, uint64, layers along the last axis."""
    first = tallies.dtype.fields["arrivals_mark"][1] // 8  # type: ignore[index]  # the others follow it
    words = np.ascontiguousarray(tallies).view(np.uint64).reshape(*tallies.shape, -1)
    return words[..., first : first + len(LAYERS)].copy()
