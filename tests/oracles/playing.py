"""Running cells, and scenarios that differ in one respect."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import netsim
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from netsim.testing.strategies import Played
from tests.oracles.comparing import Record, of_kernel


class Run(NamedTuple):
    """Reports of a run, and all its packets at the end."""

    reports: list[PeriodReport]
    packets: list[Record]

    def packets_of(self, name: str) -> list[Record]:
        return [packet for packet in self.packets if packet.slice == name]

    def total(self, figure: str, name: str) -> int:
        return sum(int(getattr(report, figure)[report.slices.index(name)]) for report in self.reports)


def play(scenario: Scenario, seed: int, allocations: Sequence[tuple[int, ...]], processes: Sequence[Any] = ()) -> Run:
    """Period 0 under the scenario's initial allocation, then a period under each of the others."""
    simulation = netsim.Simulation(scenario, seed, log_packets=True, processes=processes)
    reports = [simulation.reset(), *(simulation.step(units) for units in allocations)]
    packets = of_kernel(simulation.take_packets(), scenario) + of_kernel(simulation.queued_packets(), scenario)
    return Run(reports, sorted(packets))


def play_cell(played: Played, **changes: Any) -> Run:
    """Run a drawn cell, parts of its scenario replaced."""
    return play(changed(played.scenario, **changes), played.seed, played.allocations)


def changed(scenario: Scenario, **parts: Any) -> Scenario:
    """The scenario with some of its top-level parts replaced."""
    return Scenario.from_dict({**scenario.to_dict(), **parts}, scenario.folder)


def with_slices(scenario: Scenario, change: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Scenario:
    """The scenario with every slice changed by a function of its name and content."""
    slices = scenario.to_dict()["slices"]
    return changed(scenario, slices={name: change(name, part) for name, part in slices.items()})
