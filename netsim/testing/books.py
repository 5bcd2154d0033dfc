"""The books of an audit: every packet, kept from what is seen of queues, grants and departures alone.

None of the kernel's counters is used to keep them; those are what the books are compared with.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netsim.report import VERDICTS
from netsim.testing.violations import PacketTrace, Service

if TYPE_CHECKING:
    from netsim.scenario import Scenario, Slice

SATISFIED, SLOW, LATE, DROPPED, PENDING = VERDICTS
RESOLVED = (SATISFIED, SLOW, LATE, DROPPED)
NO_RATE = 0


@dataclass
class Packet:
    """A packet that has arrived."""

    index: int
    arrival_ns: int
    size_bits: int
    left_bits: int
    verdict: str = PENDING
    resolved_ns: int | None = None
    departure_ns: int | None = None
    rate_bps: int = NO_RATE
    services: list[Service] = field(default_factory=list)
    rate_sum_bps: int = 0
    rate_slots: int = 0
    most_bits: int = 0
    """The most bits that a grant carried in a slot that served it."""

    @property
    def slots_needed(self) -> int:
        """Slots that its bits need at least; of a packet taken over partly sent nothing more than 1 is known."""
        return -(-self.size_bits // self.most_bits) if 0 < self.rate_slots == len(self.services) else 1

    def resolve(self, verdict: str, at_ns: int) -> None:
        """Give it its verdict."""
        self.verdict, self.resolved_ns = verdict, at_ns

    def serve(self, service: Service, granted_bits: int) -> None:
        """Send bits of it."""
        self.left_bits -= service.bits
        self.services.append(service)
        self.rate_sum_bps += service.rate_bps
        self.rate_slots += 1
        self.most_bits = max(self.most_bits, granted_bits)


@dataclass(frozen=True)
class Grant:
    """What one user was granted in one slot."""

    prb: int
    rate_bps: int
    bits: int


@dataclass
class Promise:
    """A slice's SLA as it stands, from the scenario and its dated events."""

    part: "Slice"
    limit_ns: int
    floor_bps: int
    since_ns: int = 0

    def passed_ns(self, packet: Packet) -> int:
        """The instant at which a packet's limit passes: no sooner than the limit was set."""
        return max(packet.arrival_ns + self.limit_ns, self.since_ns)

    def rate_bps(self, packet: Packet, latency_ns: int) -> int:
        """The rate of a packet that departs, by the slice's definition, whole bit/s."""
        if self.part.sla.rate == "goodput":
            return packet.size_bits * 10**9 // latency_ns
        return packet.rate_sum_bps // packet.rate_slots

    def judge(self, packet: Packet, end_ns: int) -> None:
        """Settle a packet whose last bit was sent in the slot that ends now."""
        latency_ns = end_ns - packet.arrival_ns
        packet.departure_ns, packet.rate_bps = end_ns, self.rate_bps(packet, latency_ns)
        if packet.verdict != PENDING:
            return
        if latency_ns > self.limit_ns:
            packet.resolve(LATE, self.passed_ns(packet))
        else:
            packet.resolve(SATISFIED if packet.rate_bps >= self.floor_bps else SLOW, end_ns)

    def mark_late(self, packets: Iterable[Packet], now_ns: int) -> int:
        """Settle the packets whose limit has passed while they are queued; returns how many."""
        late = [p for p in packets if p.verdict == PENDING and p.arrival_ns + self.limit_ns <= now_ns]
        for packet in late:
            packet.resolve(LATE, self.passed_ns(packet))
        return len(late)


COUNTS = ("arrived", *RESOLVED, "departed", "offered_bits", "carried_bits", "discarded_bits", "prb_slots_granted")


class SliceBook:
    """One slice: its promise, its users' queues, and what its packets add up to, in this period and in all."""

    def __init__(self, number: int, name: str, part: "Slice") -> None:
        self.number, self.name = number, name
        self.promise = Promise(part, part.sla.latency_limit_ns, part.sla.rate_floor_bps)
        self.waiting: dict[int, list[Packet]] = {}
        """Queued packets by the number of their user, who have some; the first is the next to be sent."""
        self.next_index: dict[int, int] = {}
        self.period = dict.fromkeys(COUNTS, 0)
        self.before = dict.fromkeys(COUNTS, 0)
        self.pending_before = 0
        self.latencies_ns: list[int] = []

    @property
    def total(self) -> dict[str, int]:
        """Counts since the audit began."""
        return {name: self.before[name] + self.period[name] for name in COUNTS}

    def begin_period(self) -> None:
        """Start the period's counts again."""
        self.before, self.period = self.total, dict.fromkeys(COUNTS, 0)
        self.pending_before = self.pending
        self.latencies_ns = []

    def arrive(self, user: int, packet: Packet) -> None:
        """Take a new packet in."""
        self.waiting.setdefault(user, []).append(packet)
        self.next_index[user] = packet.index + 1
        self.period["arrived"] += 1
        self.period["offered_bits"] += packet.size_bits

    def resolved(self, packet: Packet) -> None:
        """Count a packet's verdict."""
        self.period[packet.verdict] += 1

    def serve(self, user: int, slot: int, grant: Grant) -> int:
        """Send a user's packets from its grant, first in first out; returns the bits sent."""
        room = grant.bits
        for packet in self.waiting.get(user, ()):
            if room == 0:
                break
            bits = min(room, packet.left_bits)
            packet.serve(Service(slot, grant.prb, grant.rate_bps, bits), grant.bits)
            room -= bits
        self.period["carried_bits"] += grant.bits - room
        self.period["prb_slots_granted"] += grant.prb
        return grant.bits - room

    def depart(self, packet: Packet, end_ns: int) -> None:
        """Judge and count a packet that was sent."""
        open_until_now = packet.verdict == PENDING
        self.promise.judge(packet, end_ns)
        if open_until_now:
            self.resolved(packet)
        self.period["departed"] += 1
        self.latencies_ns.append(end_ns - packet.arrival_ns)

    def mark_late(self, now_ns: int) -> None:
        """Count the queued packets whose limit has passed."""
        for packets in self.waiting.values():
            self.period[LATE] += self.promise.mark_late(packets, now_ns)

    def left_bits(self, user: int) -> dict[int, int]:
        """Bits left of each queued packet of a user, by the packet's number, in the order of the queue."""
        return {packet.index: packet.left_bits for packet in self.waiting.get(user, ())}

    @property
    def packets(self) -> list[Packet]:
        """All queued packets."""
        return [packet for packets in self.waiting.values() for packet in packets]

    @property
    def pending(self) -> int:
        """Queued packets without a verdict."""
        return sum(packet.verdict == PENDING for packet in self.packets)

    @property
    def queued_bits(self) -> int:
        """Bits still to be sent."""
        return sum(packet.left_bits for packet in self.packets)

    def traces(
        self, user: int | None = None, gone: Iterable[tuple[int, Packet]] = (), queued: bool = True
    ) -> tuple[PacketTrace, ...]:
        """The packets of a user, or of all, those that have just gone among them; without ``queued`` only those."""
        users = (sorted(self.waiting) if user is None else [user]) if queued else []
        known = [(u, packet) for u in users for packet in self.waiting.get(u, ())]
        known += [(u, packet) for u, packet in gone if user is None or u == user]
        numbered = {(u, packet.index): packet for u, packet in known}
        return tuple(_trace(self.name, u, packet) for (u, _), packet in sorted(numbered.items()))


def _trace(name: str, user: int, packet: Packet) -> PacketTrace:
    return PacketTrace(
        name,
        user,
        packet.index,
        packet.arrival_ns,
        packet.size_bits,
        tuple(packet.services),
        packet.left_bits,
        packet.verdict,
    )


def books_of(scenario: "Scenario") -> list[SliceBook]:
    """Empty books of every slice."""
    return [SliceBook(s, name, part) for s, (name, part) in enumerate(scenario.slices.items())]
