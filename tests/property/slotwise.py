"""Cells taken slot by slot: a period is a slot, so that reports say what every single slot did."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import netsim
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from tests.oracles.cells import Played
from tests.oracles.comparing import Record, of_kernel
from tests.oracles.playing import changed


class Slot(NamedTuple):
    """A slot that has been run."""

    number: int
    report: PeriodReport
    left: list[Record]
    """Packets that left in it."""
    queued: list[Record]
    """Packets that are queued at its end."""
    before: np.ndarray
    """The users' records at its beginning, before dated events, and at its end."""
    after: np.ndarray


def in_slots(scenario: Scenario) -> Scenario:
    """The scenario with one slot a period."""
    return changed(scenario, control={**scenario.to_dict()["control"], "slots_per_period": 1})


def units_of_slots(played: Played) -> list[tuple[int, ...]]:
    """The allocation of every slot of a drawn cell."""
    every = [played.scenario.initial_allocation, *played.allocations]
    return [units for units in every for _ in range(played.scenario.control.slots_per_period)]


def slot_by_slot(
    played: Played,
    change: Callable[[Scenario], Scenario] = lambda scenario: scenario,
    look: Callable[[netsim.Simulation], Any] = lambda simulation: None,
) -> Iterator[Slot]:
    """Run a drawn cell, changed if need be, slot by slot; ``look`` is called after each with the simulation."""
    scenario = in_slots(change(played.scenario))
    simulation = netsim.Simulation(scenario, played.seed, log_packets=True)
    before = np.zeros_like(simulation.cell.users)
    for number, units in enumerate(units_of_slots(played)):
        report = simulation.reset() if number == 0 else simulation.step(units)
        after = simulation.cell.users.copy()
        left = of_kernel(simulation.take_packets(), scenario)
        look(simulation)
        yield Slot(number, report, left, of_kernel(simulation.queued_packets(), scenario), before, after)
        before = after


def without_events(scenario: Scenario) -> Scenario:
    return changed(scenario, events=[])


def power_dbm_in(scenario: Scenario, slot: int) -> float:
    """The transmit power of a slot, as dated events have changed it by then."""
    now_ns = slot * scenario.control.slot_ns
    told = sorted(scenario.events, key=lambda event: event.at_ns)
    changes = [e.transmit_power_dbm for e in told if e.transmit_power_dbm is not None and e.at_ns <= now_ns]
    return changes[-1] if changes else scenario.channel.transmit_power_dbm
