"""The base station as a slow and obvious SimPy model: one packet, one user, one slot at a time.

It is to be read beside the description of the model, top to bottom. It shares nothing with ``netsim`` but the values of
a scenario and the random streams, that is the words of Philox and the portable logarithm, power and cosine that make
numbers of them, which have known-answer tests of their own (see :mod:`tests.oracles.draws`).

==================  =====================================================================
``clock.py``        instants, and what comes first among equal ones
``base_station.py`` the processes of the cell: slots, control decisions, dated events
``slices.py``       the processes of a slice: sources, latency limits; queues and verdicts
``schedulers.py``   who gets the resource blocks of a slot
``channel.py``      what a user can be sent; ``path_loss.py``, ``link_adaptation.py``
``traffic.py``      what a user sends; ``laws.py``
``report.py``       what a period reports
==================  =====================================================================
"""

import itertools
from collections.abc import Iterable, Iterator

import simpy

from netsim.scenario import Event, Scenario
from tests.oracles.clock import Due, Rank
from tests.oracles.report import Period, close_period
from tests.oracles.slices import Slice


class BaseStation:
    """One cell of a scenario."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.env = simpy.Environment()
        self.power_dbm = scenario.channel.transmit_power_dbm
        self.slices = {name: Slice(self.env, scenario, seed, name) for name in scenario.slices}
        self.periods: list[Period] = []

    def run(self, allocations: Iterable[tuple[int, ...]]) -> list[Period]:
        """One period under each of the allocations, and what each reports."""
        self.env.process(self.slots())
        self.env.process(self.dated_events())
        self.env.run(until=self.env.process(self.control(allocations)))
        return self.periods

    def slots(self) -> Iterator[Due]:
        """Slot k covers [kS, (k+1)S): it is shared out at its beginning, and what was sent departs at its end."""
        for slot in itertools.count():
            begin_ns, end_ns = (n * self.scenario.control.slot_ns for n in (slot, slot + 1))
            yield Due(self.env, begin_ns, Rank.SLOT_BEGIN)
            prb = self.prb_in_slot()
            for name, part in self.slices.items():
                part.serve(slot, prb[name], self.power_dbm)
            yield Due(self.env, end_ns, Rank.DEPARTURE)
            for part in self.slices.values():
                part.depart()
            yield Due(self.env, end_ns, Rank.DISCARD)
            for part in self.slices.values():
                part.discard()

    def prb_in_slot(self) -> dict[str, int]:
        """What each slice holds; the work-conserving mode lends the blocks of slices that have nothing to send.

        Those go to the others in proportion to what these hold, by largest remainder, equal remainders by name.
        """
        prb = {name: part.prb for name, part in self.slices.items()}
        busy = sorted(name for name, part in self.slices.items() if part.active)
        if self.scenario.carrier.sharing == "isolated" or not busy:
            return prb
        held = sum(prb[name] for name in busy)
        idle = self.scenario.carrier.prb - held
        shares = {name: divmod(idle * prb[name], held) for name in busy}
        left_over = idle - sum(whole for whole, _ in shares.values())
        by_remainder = sorted(busy, key=lambda name: -shares[name][1])
        return prb | {name: prb[name] + shares[name][0] + (name in by_remainder[:left_over]) for name in busy}

    def control(self, allocations: Iterable[tuple[int, ...]]) -> Iterator[Due]:
        """A decision every period. The instant that ends a period belongs to it, arrivals of that instant included."""
        for period, units in enumerate(allocations, start=1):
            for part, unit in zip(self.slices.values(), units, strict=True):
                part.prb = unit * self.scenario.carrier.allocation_unit_prb
            yield Due(self.env, period * self.scenario.control.period_ns, Rank.DECISION)
            self.periods.append(close_period(self.scenario, self.slices))

    def dated_events(self) -> Iterator[Due]:
        for event in sorted(self.scenario.events, key=lambda event: event.at_ns):
            yield Due(self.env, event.at_ns, Rank.DATED_EVENT)
            self.happen(event)

    def happen(self, event: Event) -> None:
        if event.join:
            self.slices[event.join.slice].join(event.join.users)
        elif event.leave:
            self.slices[event.leave.slice].leave(event.leave.users)
        elif event.sla:
            self.slices[event.sla.slice].change_sla(event.sla.rate_floor_bps, event.sla.latency_limit_ns)
        else:
            self.power_dbm = event.transmit_power_dbm
