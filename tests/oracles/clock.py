"""The clock: whole nanoseconds, and what comes first among things due at the same instant."""

from enum import IntEnum

import simpy


class Rank(IntEnum):
    """At equal instants: departures, then arrivals, then the control decision, then the slot begins.

    SimPy starts new processes before any of these.
    """

    DEPARTURE = 1
    LIMIT = 2
    """Latency limits pass: a packet that departs at the very instant of its limit is in time."""
    DISCARD = 3
    """Late packets leave their queues, where the scenario has them discarded."""
    ARRIVAL = 4
    DECISION = 5
    """A period ends, with all of the above; the controller decides."""
    DATED_EVENT = 6
    SLOT_BEGIN = 7


class Due(simpy.Event):
    """A timeout to an instant, with a rank among those due then."""

    def __init__(self, env: simpy.Environment, instant_ns: int, rank: Rank) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=rank, delay=instant_ns - env.now)
