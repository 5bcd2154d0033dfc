"""The equality cases that decide between strict and non-strict really occur in what is drawn, and often."""

from collections import Counter

from hypothesis import Phase, given, settings

import netsim
from netsim.testing.strategies import SLOT_NS
from tests.oracles.comparing import of_kernel
from tests.property.arranged import cells_and_edges

DRAWN = 200
LEAST = 10
"""Cells of the drawn ones, at least, in which each equality occurs: what a property with 60 examples meets thrice."""


def test_every_equality_occurs_in_what_is_drawn():
    """A property cannot see a `<` in place of a `<=` in cells where nothing is ever equal."""
    found = Counter()

    @settings(max_examples=DRAWN, derandomize=True, database=None, phases=[Phase.generate])
    @given(cells_and_edges())
    def look(played):
        found.update(equalities(played))

    look()
    assert found["cells"] == DRAWN
    names = ("latency at the limit", "rate at the floor", "arrival on an edge", "queue just full", "limit on an edge")
    assert {name: found[name] for name in names if found[name] < LEAST} == {}


def equalities(played):
    """Which equalities happen in a cell, ``cells`` always among them."""
    scenario = played.scenario
    simulation = netsim.Simulation(scenario, played.seed, log_packets=True)
    simulation.reset()
    met = {"cells"}
    for units in played.allocations:
        simulation.step(units)
        met |= {"queue just full" for _ in _full(simulation)}
    for packet in of_kernel(simulation.take_packets(), scenario):
        sla = scenario.slices[packet.slice].sla
        if packet.departure_ns is not None:
            in_time = packet.departure_ns - packet.arrival_ns <= sla.latency_limit_ns
            if packet.departure_ns - packet.arrival_ns == sla.latency_limit_ns:
                met.add("latency at the limit")
            if in_time and packet.rate_bps == sla.rate_floor_bps > 0:
                met.add("rate at the floor")
        if packet.verdict == "late" and packet.resolved_ns % SLOT_NS == 0:
            met.add("limit on an edge")
        if packet.arrival_ns > 0 and packet.arrival_ns % SLOT_NS == 0:
            met.add("arrival on an edge")
    return met


def _full(simulation):
    """The users whose queues hold as many packets as they may, at the end of a period."""
    cell = simulation.cell
    return [user for user in cell.users if user["queued"] == cell.slices["queue_packets"][user["slice"]]]
