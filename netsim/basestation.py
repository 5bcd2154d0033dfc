"""The base station as a SimPy process: it decides when slots run, never what they compute."""

from collections.abc import Generator
from typing import Any

import simpy
from simpy.core import SimTime
from simpy.events import NORMAL, EventPriority

from netsim.model import Model
from netsim.scenario import Event
from netsim.state import Stack

# Priorities at equal instants: departures and arrivals, the end of a period, everybody else, the slot's beginning.
ARRIVALS, PERIOD_END, SLOT_BEGIN = -1, 0, 2


class Environment(simpy.Environment):
    """SimPy's, but NaN is refused where a process asks for such a delay: it has no place in an order of events."""

    def schedule(self, event: simpy.Event, priority: EventPriority = NORMAL, delay: SimTime = 0) -> None:
        """Have an event happen after a delay in ns.

        Raises
        ------
        ValueError
            The delay is NaN.
        """
        if delay != delay:
            raise ValueError(f"a delay must be a number of ns of at least 0, got {delay}")
        super().schedule(event, priority, delay)


class BaseStation:
    """Runs the slots of one cell beside whatever else happens in a SimPy environment.

    What others change (:meth:`allocate`, :meth:`happen`) takes effect when the next slot begins, so that an instant
    inside a slot sees the state of the slot's beginning and changes nothing that has begun.
    """

    def __init__(self, env: simpy.Environment, model: Model, stack: Stack) -> None:
        self.env = env
        self._model = model
        self._stack = stack
        self._slot_ns = model.scenario.control.slot_ns
        self._changes: list[Event | tuple[int, ...]] = []
        self._process = env.process(self.slots())
        for event in model.events:
            if event.at_ns >= env.now:
                env.process(self.dated(event))

    def allocate(self, units: tuple[int, ...]) -> None:
        """Give each slice its units from the next slot on."""
        self._changes.append(units)

    def happen(self, event: Event) -> None:
        """Let a dated event happen when the next slot begins."""
        self._changes.append(event)

    def raise_failure(self) -> None:
        """Raise what ended the process, if something did.

        A process fails with an event of its own, which at the instant that ends a period comes after the end.
        """
        failure = self._process.value if self._process.triggered else None
        if isinstance(failure, BaseException):
            raise failure

    def slots(self) -> Generator[simpy.Event, Any, None]:
        """The process: look up when the next event is due, and advance all slots up to it in one call."""
        yield self._at(0, SLOT_BEGIN)
        while True:
            self._take_effect()
            slot = int(self.env.now) // self._slot_ns
            until_ns = self.env.peek() - self.env.now
            if until_ns == float("inf"):
                return
            ahead = int(until_ns) // self._slot_ns
            if ahead > 0:
                self._model.advance(self._stack, 0, slot + ahead)
                yield self._at(ahead * self._slot_ns, SLOT_BEGIN)
            else:  # something happens inside this slot, which must not see its end
                yield self._at(self._slot_ns, ARRIVALS)
                self._model.advance(self._stack, 0, slot + 1)
                yield self._at(0, SLOT_BEGIN)

    def dated(self, event: Event) -> Generator[simpy.Event, Any, None]:
        """A dated event of the scenario, as a process."""
        yield self.env.timeout(event.at_ns - int(self.env.now))
        self.happen(event)

    def _take_effect(self) -> None:
        for change in self._changes:
            if isinstance(change, Event):
                self._model.apply(self._stack, 0, change)
            else:
                self._model.allocate(self._stack.cell(0), change)
        self._changes.clear()

    def _at(self, delay_ns: int, priority: int) -> simpy.Event:
        return event_at(self.env, delay_ns, priority)


def event_at(env: simpy.Environment, delay_ns: int, priority: float) -> simpy.Event:
    """An event that is due after a delay, with a priority among those due at the same instant; timeouts have none."""
    event = simpy.Event(env)
    event._ok, event._value = True, None
    env.schedule(event, priority=priority, delay=delay_ns)  # type: ignore[arg-type]  # any number orders events
    return event
