"""Audits: a run whose every slot is checked against books kept from its packets alone.

>>> import netsim
>>> from netsim.testing.audit import audit
>>> audited = audit(netsim.load_scenario("tiny"), seed=7, periods=2)
>>> audited.slots
120
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsim.hooks import hookimpl
from netsim.report import PeriodReport
from netsim.testing.violations import LAWS, AuditError, Case, PacketTrace, Service, Violation

if TYPE_CHECKING:
    from netsim.scenario import Scenario
    from netsim.simulation import Processes, Simulation
    from netsim.testing.auditing import Auditor

__all__ = [
    "LAWS",
    "Audit",
    "AuditError",
    "Audited",
    "Case",
    "PacketTrace",
    "Service",
    "Violation",
    "audit",
    "audit_played",
]


@dataclass(frozen=True)
class Audited:
    """How much was audited without a fault."""

    slots: int
    packets: int

    def __str__(self) -> str:
        return f"audited {self.slots} slots and {self.packets} packets: invariants 1 to 8 hold"


class Audit:
    """The plugin that audits one run at a time; its simulation must log packets.

    It changes nothing: reports and packets are the same bytes with it and without.
    """

    def __init__(self) -> None:
        self._auditor: Auditor | None = None

    @hookimpl
    def processes(self, simulation: "Simulation") -> Iterable[Any]:
        """Open the books of a simulation that starts, or that goes on after it was loaded."""
        from netsim.testing.auditing import Auditor

        self._auditor = Auditor(simulation)
        return [self._auditor.slots_of(simulation.env)]

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        """Compare a report with the books.

        Raises
        ------
        AuditError
            A law was broken; those of single slots are raised while the period runs.
        """
        if self._auditor is not None:
            self._auditor.period_ended(report)

    @property
    def audited(self) -> Audited:
        """What was audited so far."""
        return Audited(0, 0) if self._auditor is None else Audited(self._auditor.slots, self._auditor.packets)


def audit_played(
    scenario: "Scenario", seed: int, allocations: Sequence[Sequence[int]], processes: "Sequence[Processes]" = ()
) -> Audited:
    """Audit period 0 and a period under each of some allocations, as the strategy ``cells`` draws them.

    The law that is broken first is told of as it is, not in a smaller case: Hypothesis finds that itself.

    Raises
    ------
    AuditError
        A law was broken.
    """
    from netsim.simulation import Simulation

    auditing = Audit()
    simulation = Simulation(scenario, seed, log_packets=True, processes=[auditing.processes, *processes])
    auditing.period_ended(simulation.reset())
    for units in allocations:
        simulation.take_packets()  # they have been looked at
        auditing.period_ended(simulation.step(units))
    return auditing.audited


def audit(
    scenario: "Scenario | str | Path",
    seed: int = 0,
    controller: str | object = "equal",
    *,
    periods: int | None = None,
    plugins: Sequence[str | object] = (),
) -> Audited:
    """Run a scenario as :func:`netsim.run` does and check invariants 1 to 8 after every slot.

    The books are kept from queues, grants and departures; the kernel's own counts are compared with them. Schedulers
    that come from plugins are asked again for their decisions, at every period's end.

    Returns
    -------
    Audited
        How many slots and packets were checked.

    Raises
    ------
    AuditError
        A law was broken. It carries the :class:`~netsim.testing.Violation`, in the smallest case found that breaks
        the same law.
    """
    from netsim.run import run

    auditing = Audit()
    run(scenario, controller, periods=periods, seed=seed, plugins=plugins, audit=auditing)
    return auditing.audited
