"""Schedulers from plugins, asked again: what they decide must follow from what they are shown, and from that alone.

A run can be resumed in another process, many cells can share one scheduler, and slices must not feel each other; none
of that holds for a scheduler that remembers, that shares a variable with its like, or that reads and writes beyond the
arrays it is given (a compiled one can, no bounds are checked).
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netsim import plugins
from netsim.loadobject import blamed, load_object_inside
from netsim.scenario import PluggedScheduler, Scenario
from netsim.state import ACTIVE, Array, Served
from netsim.testing.books import Packet

if TYPE_CHECKING:
    Active = list[tuple[int, Packet]]

_UNTOUCHED = -(1 << 40)
"""What stands around ``grants``: nothing a scheduler would write."""


class Fault(NamedTuple):
    """A decision that breaks a law: the law, what was granted, whose packets, what was compared, both sides."""

    law: str
    served: Served
    active: "Active"
    what: str
    left: object
    right: object


class Replays:
    """The decisions of a period, to be asked for again."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._plugged = {
            s: _Maker(part.scheduler, scenario.folder)
            for s, part in enumerate(scenario.slices.values())
            if isinstance(part.scheduler, PluggedScheduler)
        }
        self._calls: list[tuple[Served, Active]] = []

    def note(self, served: Served, active: "Active") -> None:
        """Keep a decision if a plugin made it."""
        if served.slice in self._plugged:
            self._calls.append((served, active))

    def last(self) -> Fault | None:
        """What is wrong with the last decision kept."""
        return self._fault(*self._calls[-1]) if self._calls else None

    def gravest(self) -> Fault | None:
        """The gravest fault of the decisions kept, the earliest of its kind; forgets them.

        They are asked for in reverse, each of new schedulers, so that what a scheduler keeps is not what it had.
        """
        calls, self._calls = self._calls, []
        found = [fault for served, active in reversed(calls) if (fault := self._fault(served, active)) is not None]
        return min(found, key=lambda fault: (int(fault.law), fault.served.slot), default=None)

    def _fault(self, served: Served, active: "Active") -> Fault | None:
        one, beyond = self._ask(served, fill=0)
        again, _ = self._ask(served, fill=0)
        elsewhere, _ = self._ask(served, fill=1)
        granted = served.grants.tolist()
        n = len(granted)
        if beyond:
            what = f"places of `grants` that were written, of the {n} that belong to active users"
            return Fault("4", served, active, what, beyond, f"0..{n - 1}")
        if one != again:
            what = "grants of two new schedulers that were asked the same (they share a variable, or draw at random)"
            return Fault("17", served, active, what, one, again)
        if one != elsewhere:
            what = f"grants when the memory beyond the {n} records of `active` holds something else"
            return Fault("17", served, active, what, elsewhere, one)
        if one != granted:
            what = "grants in the run = grants of a new scheduler that is shown the same (the run's remembers)"
            return Fault("20", served, active, what, granted, one)
        return None

    def _ask(self, served: Served, fill: int) -> tuple[list[int], list[int]]:
        """Grants of a new scheduler, and the places it wrote to outside of them.

        There is room on both sides of what it is given, filled with what no decision may depend on.
        """
        n, room = len(served.users), self._scenario.users_ever(self._scenario.slice_names[served.slice]) + 8
        seen = np.zeros(n + 2 * room, ACTIVE)
        if fill:
            seen[...] = np.array((room, 3, 10**6, 10**12, 1e4, 1e4), ACTIVE)
        grants = np.full(n + 2 * room, _UNTOUCHED)
        mine = slice(room, room + n)
        seen[mine], grants[mine] = served.seen, 0
        plugged = self._plugged[served.slice]
        with blamed(f"scheduler {plugged.part.kind!r}, asked again for its decision in slot {served.slot},"):
            plugged.new().share(served.prb, served.slot, seen[mine], grants[mine])
        places: Array = np.flatnonzero(grants != _UNTOUCHED) - room
        return grants[mine].tolist(), [int(i) for i in places if not 0 <= i < n]


class _Maker:
    """Makes schedulers of one kind, looked up once."""

    def __init__(self, part: PluggedScheduler, folder: Path | None) -> None:
        self.part = part
        self._make = plugins.factory("schedulers", part.kind, partial(load_object_inside, folder))

    def new(self) -> Any:
        return self._make(**self.part.options)
