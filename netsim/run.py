"""The only loop: a controller plays periods on a plant, plugins look on, and what happened is kept."""

import copy
import numbers
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from netsim import allocations
from netsim.errors import AllocationError, InputError, NetsimError, PluginError, RunError
from netsim.plugins import Named, PluginSet, attach, make_controller, name_of, plugin_set, processes_of, using
from netsim.provenance import Request, request_of
from netsim.report import NEVER, IntArray, PeriodReport
from netsim.results import RunDirectory, finished_summary, refuse_existing
from netsim.scenario import Scenario
from netsim.summary import Tally

if TYPE_CHECKING:
    from netsim.simulation import Plant, Simulation
    from netsim.state import Array
    from netsim.testing.audit import Audit

OnFault = Literal["strict", "score"]


def run(
    scenario: Scenario | str | Path,
    controller: str | object = "equal",
    *,
    periods: int | None = None,
    seed: int = 0,
    plugins: Sequence[str | object] = (),
    out: str | Path | None = None,
    packets: bool = False,
    plant: "Plant | None" = None,
    progress: Callable[[int, int], None] | None = None,
    on_fault: OnFault = "strict",
    force: bool = False,
    resume: bool = False,
    audit: "Audit | None" = None,
    deadline_s: float | None = None,
) -> dict[str, Any]:
    """Run a controller for a number of periods after period 0 and return what ``summary.json`` holds.

    Period 0 runs under the scenario's initial allocation. It is kept with the others but not counted in the summary.

    Parameters
    ----------
    scenario
        A scenario, a shipped name, or a file.
    controller
        ``NAME``, ``NAME:TEXT``, ``pkg.module:Class``, ``file.py:Class``, or the controller itself.
    periods
        Controlled periods; without it as many as the scenario says.
    plugins
        Further plugins, the first to be called first, before the controller.
    out
        The run directory to write; without it nothing is written.
    packets
        Whether to keep every packet too.
    plant
        What to run on, instead of a :class:`~netsim.simulation.Simulation` of the scenario. It brings its own
        processes; the hook ``processes`` is not called.
    progress
        Called with the periods done and their number, after every period.
    on_fault
        ``"strict"``: a controller that raises or returns no allocation ends the run. ``"score"``: the last allocation
        that was valid is used again, and the summary counts the faults.
    force
        Replace the run in ``out``.
    resume
        Give the summary of the run in ``out`` if it finished, run it again from its start if it did not.
    audit
        Checks every slot, which takes longer and changes nothing; not with ``plant`` or ``resume``.
    deadline_s
        Runs the controller, which is then given by its name, in a process of its own, with so many seconds for each
        decision: one that is late, hangs or dies is at fault, and in ``"score"`` mode begins anew.

    Raises
    ------
    InputError
        If what was asked for is wrong, before anything ran.
    AllocationError, PluginError
        If a controller or another plugin is at fault; the message names it, the period and the seed.
    RunError
        If results could not be written.
    AuditError
        If the audit found a law broken; it shows the smallest case found that breaks the same law.
    """
    if on_fault not in get_args(OnFault):
        raise InputError(f"on_fault must be one of {', '.join(get_args(OnFault))}, got {on_fault!r}")
    if audit is not None and (plant is not None or resume):
        raise InputError("an audit needs a run of its own, from the start: give neither plant nor resume with it")
    attached = [attach(plugin) for plugin in plugins]
    with using(plugin_set(attached)):
        scenario = _loaded(scenario)
        request = request_of(
            scenario,
            seed=_whole("seed", seed, 0),
            controller=controller if isinstance(controller, str) else name_of(controller),
            plugins=[plugin.name for plugin in attached],
            periods=_whole("periods", scenario.control.periods if periods is None else periods, 1),
            packets=packets,
            on_fault=on_fault,
        )
        folder = None if out is None else Path(out)
        finished = _at_rest(folder, request, force, resume)
        if finished is not None:
            return finished
        playing = _playing(controller, scenario, request.plugins, deadline_s)
    with playing as player:
        others = [*attached, Named(request.controller, player)]
        everybody = plugin_set(others if audit is None else [Named("the audit", audit), *others])
        with using(everybody):
            running = _Run(scenario, request, everybody, plant, progress, audited=audit is not None)
            return running.play(folder) if audit is None else _shown_small(running, folder, plugin_set(others))


def _playing(
    controller: str | object, scenario: Scenario, plugins: Sequence[str], deadline_s: float | None
) -> AbstractContextManager[object]:
    """The controller, in this process or in one of its own that ends with the block."""
    if deadline_s is None:
        return nullcontext(make_controller(controller, scenario))
    if not isinstance(controller, str):
        raise InputError(f"a controller with a deadline must be given by its name, got {name_of(controller)}")
    from netsim.isolation import Isolated

    return closing(Isolated(controller, scenario, plugins, deadline_s=deadline_s))


def _shown_small(running: "_Run", folder: Path | None, plugins: PluginSet) -> dict[str, Any]:
    """An audited run; a law that it breaks is shown in the smallest case found that breaks it, with these plugins."""
    from netsim.testing.violations import AuditError

    try:
        return running.play(folder)
    except AuditError as error:
        from netsim.testing.shrinking import smallest

        scenario, seed, allocations = running.played
        raise smallest(error.violation, scenario, seed, allocations, [processes_of(plugins)]) from None


def _loaded(scenario: Scenario | str | Path) -> Scenario:
    if isinstance(scenario, Scenario):
        return scenario
    from netsim.loading import load_scenario

    return load_scenario(scenario)


def _whole(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= int(value) < 1 << 63:
        raise InputError(f"{name} must be a whole number, at least {least} and less than 2^63, got {value!r}")
    return int(value)


def _at_rest(folder: Path | None, request: Request, force: bool, resume: bool) -> dict[str, Any] | None:
    """The summary of the finished run that is resumed, if it is one."""
    if folder is None:
        return None
    if resume:
        return finished_summary(folder, request)
    refuse_existing(folder, force)
    return None


class _Run:
    """One run while it goes on."""

    def __init__(
        self,
        scenario: Scenario,
        request: Request,
        plugins: PluginSet,
        plant: "Plant | None",
        progress: Callable[[int, int], None] | None,
        audited: bool,
    ) -> None:
        self._scenario, self._request, self._plugins = scenario, request, plugins
        self._plant, self._progress, self._audited = plant, progress, audited
        self._tally = Tally(scenario, request.periods)
        self._results: RunDirectory | None = None
        self._period = 0
        self._allocations: list[tuple[int, ...]] = []

    @property
    def played(self) -> tuple[Scenario, int, list[tuple[int, ...]]]:
        """The scenario, the seed, and the allocations decided so far."""
        return self._scenario, self._request.seed, self._allocations

    def play(self, folder: Path | None) -> dict[str, Any]:
        """Run all periods and return the summary."""
        if folder is not None:
            self._results = RunDirectory(folder, self._request, self._scenario.slice_names)
        try:
            with self._located():
                summary = self._play()
        except BaseException:
            if self._results is not None:
                self._results.abandon()
            raise
        return summary

    def _play(self) -> dict[str, Any]:
        hook, seed, units = self._plugins.hook, self._request.seed, self._scenario.carrier.units
        hook.run_started(scenario=self._scenario, seed=seed)
        plant = self._made_plant()
        self._event(0, "started", scenario=self._scenario.name, seed=seed, controller=self._request.controller)
        report = plant.reset(seed)
        self._tally.begin(report)
        self._observe(plant, report)
        for period in range(1, self._request.periods + 1):
            self._period = period
            self._allocations.append(self._decide(report, units))
            report = plant.step(self._allocations[-1])
            self._tally.add(report, _latencies(plant))
            self._observe(plant, report)
        return self._end(plant)

    def _made_plant(self) -> "Plant":
        if self._plant is not None:
            if self._request.packets and not hasattr(self._plant, "take_packets"):
                raise InputError(f"{type(self._plant).__name__} keeps no packets, run it without them")
            return self._plant
        from netsim.simulation import Simulation

        logged = self._request.packets or self._audited
        processes = [processes_of(self._plugins)]
        return Simulation(self._scenario, self._request.seed, log_packets=logged, processes=processes)

    # -- a period ----------------------------------------------------------------------------------------------------

    def _decide(self, report: PeriodReport, units: int) -> tuple[int, ...]:
        """The next allocation; in ``score`` mode that of the period before where the controller is at fault."""
        try:
            return self._decision(report, units)
        except (AllocationError, PluginError) as error:
            if self._request.on_fault == "strict":
                raise
            self._tally.faults += 1
            self._event(self._period, "fault", message=str(error), allocation=list(report.allocation))
            return report.allocation

    def _decision(self, report: PeriodReport, units: int) -> tuple[int, ...]:
        allocation = self._plugins.hook.decide_allocation(report=report)
        if allocation is None:
            deciders = ", ".join(map(repr, self._plugins.implementers("decide_allocation"))) or "no plugin has the hook"
            raise PluginError(f"no plugin decided: decide_allocation returned None from all ({deciders})")
        try:
            return allocations.check(allocation, units, len(report.slices))
        except AllocationError as error:
            raise AllocationError(f"controller {self._plugins.decided_by!r}: {error}") from None

    def _observe(self, plant: "Plant", report: PeriodReport) -> None:
        if self._results is not None:
            self._results.add(report, _marks(plant))
        if self._results is not None and self._request.packets:
            self._results.add_packets(_simulation(plant).take_packets(), report.period)
        elif self._audited:
            _simulation(plant).take_packets()  # they have been looked at
        self._plugins.hook.period_ended(report=report)
        if self._progress is not None:
            self._progress(report.period, self._request.periods)

    def _end(self, plant: "Plant") -> dict[str, Any]:
        summary = {
            "scenario": self._scenario.name,
            "scenario_hash": self._request.scenario_hash,
            "controller": self._request.controller,
            "seed": self._request.seed,
            "periods": self._tally.counted,
            "faults": self._tally.faults,
            **self._tally.summary(),
        }
        self._plugins.hook.run_ended(summary=copy.deepcopy(summary))
        self._event(self._period, "ended", faults=self._tally.faults)
        if self._results is not None:
            if self._request.packets:
                self._results.add_packets(_simulation(plant).queued_packets(), NEVER)
            self._results.finish(summary)
        return summary

    def _event(self, period: int, what: str, **more: object) -> None:
        if self._results is not None:
            self._results.event(period=period, event=what, **more)

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Say the period and the seed in the error of a plugin; its own exception stays the cause."""
        where = f"seed {self._request.seed}"
        try:
            yield
        except AllocationError as error:
            raise AllocationError(f"{error} (period {self._period}, {where})") from None
        except PluginError as error:
            located = PluginError(f"{error} (period {self._period}, {where})")
            located.exit_status = error.exit_status
            raise located from original(error)


def original(error: BaseException) -> BaseException | None:
    """The exception of somebody else's code that a netsim error was made from, if there is one."""
    cause = error.__cause__
    while isinstance(cause, NetsimError) and cause.__cause__ is not None:
        cause = cause.__cause__
    return None if isinstance(cause, NetsimError) else cause


def _latencies(plant: "Plant") -> tuple[IntArray, ...] | None:
    """Latencies of the period's departures, from a plant that knows them."""
    latencies_ns = getattr(plant, "latencies_ns", None)
    return None if latencies_ns is None else latencies_ns()


def _marks(plant: "Plant") -> "Array | None":
    """The period's marks, from a plant that has a trace."""
    marks = getattr(plant, "marks", None)
    return None if marks is None else marks()


def _simulation(plant: "Plant") -> "Simulation":
    """The plant, if it is one that has packets."""
    if not hasattr(plant, "take_packets"):
        raise RunError(f"a {type(plant).__name__} has no packets to keep; run without --packets")
    return cast("Simulation", plant)
