"""What an audit sees of a running simulation: queues, and the packets that left since it last looked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netsim.report import NEVER, VERDICTS

if TYPE_CHECKING:
    from netsim.simulation import Simulation

User = tuple[int, int]
"""A slice's number and a user's in it."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A packet in a queue."""

    index: int
    arrival_ns: int
    size_bits: int


@dataclass(frozen=True, slots=True)
class Left:
    """A packet that left, as the packet log tells of it."""

    index: int
    arrival_ns: int
    size_bits: int
    departure_ns: int | None
    resolved_ns: int | None
    rate_bps: int
    verdict: str


@dataclass(frozen=True)
class View:
    """The base station between two slots."""

    queues: dict[User, list[Queued]]
    """Of users who have packets, the head first."""
    sent_bits: dict[User, int]
    """Of the packet at the head."""
    backlog_bits: dict[User, int]
    next_index: dict[User, int]
    """Of users whose next packet has another number than when last looked at."""
    left: dict[User, list[Left]]
    """The packets that left since, in the order in which they did."""


class Looker:
    """Looks at a simulation again and again."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        users = simulation.cell.users
        present = zip(users["slice"].tolist(), users["number"].tolist(), strict=True)
        self._keys: list[User] = list(present)
        self._next_index = np.zeros(len(users), np.int64)
        _, self._position = simulation.packets_left(0)

    def from_the_start(self) -> None:
        """See also the packets that left before the first look."""
        self._position = 0

    def look(self) -> View:
        """What is there now."""
        cell = self._simulation.cell
        waiting = np.flatnonzero(cell.users["queued"])
        some, rings = cell.users[waiting], cell.queues[waiting].tolist()
        columns = [some[name].tolist() for name in ("head", "queued", "sent_bits", "backlog_bits")]
        queues: dict[User, list[Queued]] = {}
        sent_bits: dict[User, int] = {}
        backlog_bits: dict[User, int] = {}
        for u, ring, head, queued, sent, backlog in zip(waiting.tolist(), rings, *columns, strict=True):
            key = self._keys[u]
            places = (ring[(head + k) % len(ring)] for k in range(queued))
            queues[key] = [Queued(index, arrival_ns, bits) for arrival_ns, bits, index, _ in places]
            sent_bits[key], backlog_bits[key] = sent, backlog
        return View(queues, sent_bits, backlog_bits, self._numbered(cell.users["packet"]), self._gone())

    def _numbered(self, next_index: np.ndarray) -> dict[User, int]:
        moved = np.flatnonzero(next_index != self._next_index).tolist()
        self._next_index[moved] = next_index[moved]
        return {self._keys[u]: int(next_index[u]) for u in moved}

    def _gone(self) -> dict[User, list[Left]]:
        rows, self._position = self._simulation.packets_left(self._position)
        gone: dict[User, list[Left]] = {}
        for arrival_ns, departure_ns, resolved_ns, bits, rate_bps, index, user, s, verdict in rows.tolist():
            gone.setdefault((s, user), []).append(
                Left(
                    index, arrival_ns, bits, _instant(departure_ns), _instant(resolved_ns), rate_bps, VERDICTS[verdict]
                )
            )
        return gone


def _instant(at_ns: int) -> int | None:
    return None if at_ns == NEVER else at_ns
