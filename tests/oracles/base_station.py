"""The base station, one packet at a time: a slow and obvious second implementation of the model.

It shares nothing with ``netsim`` but the random streams, the portable arithmetic of draws, and the scenario's values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from netsim.scenario import Event, Scenario
from tests.oracles import schedulers
from tests.oracles.channel import Radio
from tests.oracles.draws import Stream
from tests.oracles.traffic import Packets, multiplier, source


@dataclass(eq=False)
class Packet:
    """One packet and all that happened to it."""

    slice_name: str
    user: int
    index: int
    arrival_ns: int
    size_bits: int
    left_bits: int
    rates_bps: list[int] = field(default_factory=list)
    departure_ns: int | None = None
    resolved_ns: int | None = None
    verdict: str = "pending"
    rate_bps: int = 0

    def resolve(self, verdict: str, at_ns: int) -> None:
        assert self.resolved_ns is None
        self.verdict, self.resolved_ns = verdict, at_ns


@dataclass(eq=False)
class User:
    """A user: its source, its queue, and what its radio can do."""

    number: int
    radio: Radio
    packets: Packets
    queue: list[Packet] = field(default_factory=list)
    sent_packets: int = 0
    next_ns: int | None = None
    next_bits: int = 0
    average_bits: float = 0.0

    @property
    def backlog_bits(self) -> int:
        return sum(packet.left_bits for packet in self.queue)


@dataclass
class Counts:
    """What a period counts for one slice."""

    arrived: int = 0
    satisfied: int = 0
    slow: int = 0
    late: int = 0
    dropped: int = 0
    departed: int = 0
    offered_bits: int = 0
    carried_bits: int = 0
    discarded_bits: int = 0
    prb_slots_granted: int = 0
    prb_slots_used: int = 0
    granted_bps: int = 0
    latencies_ns: list[int] = field(default_factory=list)


class Slice:
    """The state of one slice."""

    def __init__(self, scenario: Scenario, seed: int, name: str) -> None:
        self.scenario, self.seed, self.name = scenario, seed, name
        self.part = scenario.slices[name]
        self.limit_ns, self.floor_bps = self.part.sla.latency_limit_ns, self.part.sla.rate_floor_bps
        self.prb = 0
        self.pointer = 0
        self.users: list[User] = []
        self.users_ever = 0
        self.counts = Counts()
        self.log: list[Packet] = []
        self.join(self.part.users, 0)

    # -- who is there ----------------------------------------------------------------------------------------------

    def join(self, n: int, now_ns: int) -> None:
        for number in range(self.users_ever, self.users_ever + n):
            stream = Stream(self.seed, "packets", self.name, number)
            radio = Radio(self.scenario, self.seed, self.name, number)
            user = User(number, radio, source(self.scenario, self.name, stream))
            self.draw_next(user, now_ns)
            self.users.append(user)
        self.users_ever += n

    def leave(self, n: int, now_ns: int) -> None:
        """The longest present go; what they had queued is dropped."""
        for user in self.users[:n]:
            for packet in user.queue:
                if packet.verdict == "pending":
                    packet.resolve("dropped", now_ns)
                    self.counts.dropped += 1
                self.give_up(packet)
        del self.users[:n]

    def give_up(self, packet: Packet) -> None:
        """A packet that leaves without having been sent in full."""
        self.counts.discarded_bits += packet.left_bits
        self.log.append(packet)

    # -- arrivals --------------------------------------------------------------------------------------------------

    def draw_next(self, user: User, now_ns: int) -> None:
        gap_ns, user.next_bits = next(user.packets, (None, 0))
        if gap_ns is not None and self.part.load is not None:
            gap_ns = int(gap_ns / multiplier(self.part.load, now_ns))
        user.next_ns = None if gap_ns is None else now_ns + gap_ns

    def arrivals(self, user: User, before_ns: int, now_ns: int) -> None:
        """Arrivals before an instant; a source that waits for room at a full queue goes on at ``now_ns``."""
        while user.next_ns is not None and user.next_ns < before_ns:
            full = len(user.queue) == self.part.queue.packets
            if full and self.part.queue.when_full == "defer":
                user.next_ns = now_ns
                return
            self.arrive(user, full)

    def arrive(self, user: User, full: bool) -> None:
        at_ns, size_bits = user.next_ns, user.next_bits
        packet = Packet(self.name, user.number, user.sent_packets, at_ns, size_bits, size_bits)
        user.sent_packets += 1
        self.counts.arrived += 1
        self.counts.offered_bits += size_bits
        if full:
            packet.resolve("dropped", at_ns)
            self.counts.dropped += 1
            self.give_up(packet)
        else:
            user.queue.append(packet)
        self.draw_next(user, at_ns)

    # -- ends ------------------------------------------------------------------------------------------------------

    def departures(self, user: User, now_ns: int) -> None:
        while user.queue and user.queue[0].left_bits == 0:
            packet = user.queue.pop(0)
            packet.departure_ns, latency_ns = now_ns, now_ns - packet.arrival_ns
            if self.part.sla.rate == "goodput":
                packet.rate_bps = packet.size_bits * 10**9 // latency_ns
            else:
                packet.rate_bps = sum(packet.rates_bps) // len(packet.rates_bps)
            self.counts.departed += 1
            self.counts.latencies_ns.append(latency_ns)
            if packet.verdict == "pending":
                self.judge(packet, latency_ns)
            self.log.append(packet)

    def judge(self, packet: Packet, latency_ns: int) -> None:
        if latency_ns > self.limit_ns:
            packet.resolve("late", packet.arrival_ns + self.limit_ns)
            self.counts.late += 1
        elif packet.rate_bps >= self.floor_bps:
            packet.resolve("satisfied", packet.departure_ns)
            self.counts.satisfied += 1
        else:
            packet.resolve("slow", packet.departure_ns)
            self.counts.slow += 1

    def overdue(self, now_ns: int, not_before_ns: int = 0) -> None:
        """Packets whose limit has passed and that are still queued are late."""
        for user in self.users:
            for packet in list(user.queue):
                passed_ns = packet.arrival_ns + self.limit_ns
                if packet.verdict == "pending" and passed_ns <= now_ns:
                    packet.resolve("late", max(passed_ns, not_before_ns))
                    self.counts.late += 1
                if packet.verdict == "late" and self.part.late == "discard":
                    user.queue.remove(packet)
                    self.give_up(packet)

    def change_sla(self, floor_bps: int | None, limit_ns: int | None, now_ns: int) -> None:
        self.floor_bps = self.floor_bps if floor_bps is None else floor_bps
        if limit_ns is not None:
            self.limit_ns = limit_ns
            self.overdue(now_ns, not_before_ns=now_ns)

    # -- a slot ----------------------------------------------------------------------------------------------------

    @property
    def active(self) -> list[User]:
        return [user for user in self.users if user.queue]

    def serve(self, slot: int, prb: int, power_dbm: float) -> None:
        """Share the resource blocks among the active users, and send what the shares carry."""
        grants = schedulers.share(self, slot, prb, power_dbm) if self.active else {}
        sent = {user.number: self.send(user, slot, grants.get(user.number, 0), power_dbm) for user in self.users}
        if self.part.scheduler.kind == "proportional-fair":
            share = 1.0 / self.part.scheduler.time_constant_slots
            for user in self.users:
                user.average_bits = (1.0 - share) * user.average_bits + share * sent[user.number]

    def send(self, user: User, slot: int, prb: int, power_dbm: float) -> int:
        if prb == 0:
            return 0
        rate_bps = int(user.radio.rate_bps(slot, prb, power_dbm))
        most = left = user.radio.bits(slot, prb, power_dbm)
        for packet in user.queue:
            if left > 0:
                taken = min(left, packet.left_bits)
                packet.left_bits -= taken
                packet.rates_bps.append(rate_bps)
                left -= taken
        needed = next(b for b in range(prb + 1) if user.radio.bits(slot, b, power_dbm) >= most - left)
        self.counts.carried_bits += most - left
        self.counts.prb_slots_granted += prb
        self.counts.prb_slots_used += needed
        self.counts.granted_bps += rate_bps
        return most - left


class BaseStation:
    """Runs whole periods; ``log`` of each slice has the packets that left, ``queued`` those that did not."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.slices = {name: Slice(scenario, seed, name) for name in scenario.slices}
        self.power_dbm = scenario.channel.transmit_power_dbm
        self.events = sorted(scenario.events, key=lambda event: event.at_ns)
        self.slot = 0
        self.arrivals_at(0)

    def run_period(self, units: Sequence[int]) -> dict[str, Counts]:
        """The counts of the next period under an allocation."""
        for part, unit in zip(self.slices.values(), units, strict=True):
            part.prb = unit * self.scenario.carrier.allocation_unit_prb
            if self.slot > 0:  # what arrived at instant 0 belongs to period 0
                part.counts = Counts()
        for _ in range(self.scenario.control.slots_per_period):
            self.run_slot()
        return {name: part.counts for name, part in self.slices.items()}

    def run_slot(self) -> None:
        """One slot, from what happens at its beginning to what arrives at its end."""
        slot_ns = self.scenario.control.slot_ns
        begin_ns, end_ns = self.slot * slot_ns, (self.slot + 1) * slot_ns
        while self.events and self.events[0].at_ns == begin_ns:
            self.happen(self.events.pop(0), begin_ns)
        self.arrivals_at(begin_ns)
        prb = self.lent()
        for name, part in self.slices.items():
            part.serve(self.slot, prb[name], self.power_dbm)
        for part in self.slices.values():
            for user in part.users:
                part.arrivals(user, end_ns, end_ns)
                part.departures(user, end_ns)
            part.overdue(end_ns)
        self.arrivals_at(end_ns)
        self.slot += 1

    def arrivals_at(self, now_ns: int) -> None:
        for part in self.slices.values():
            for user in part.users:
                part.arrivals(user, now_ns + 1, now_ns)

    def happen(self, event: Event, now_ns: int) -> None:
        if event.join:
            self.slices[event.join.slice].join(event.join.users, now_ns)
        elif event.leave:
            self.slices[event.leave.slice].leave(event.leave.users, now_ns)
        elif event.sla:
            change = event.sla
            self.slices[change.slice].change_sla(change.rate_floor_bps, change.latency_limit_ns, now_ns)
        else:
            self.power_dbm = event.transmit_power_dbm

    def lent(self) -> dict[str, int]:
        """Resource blocks of each slice in this slot; work-conserving sharing lends those of idle slices."""
        prb = {name: part.prb for name, part in self.slices.items()}
        busy = sorted(name for name, part in self.slices.items() if part.active)
        if self.scenario.carrier.sharing == "isolated" or not busy:
            return prb
        held = sum(prb[name] for name in busy)
        idle = self.scenario.carrier.prb - held
        by_remainder = sorted(busy, key=lambda name: -(idle * prb[name] % held))
        left_over = idle - sum(idle * prb[name] // held for name in busy)
        for name in busy:
            prb[name] += idle * prb[name] // held + (name in by_remainder[:left_over])
        return prb

    def queued(self) -> list[Packet]:
        return [packet for part in self.slices.values() for user in part.users for packet in user.queue]


def quantile(latencies_ns: list[int], percent: int) -> int:
    """The smallest latency that at least ``percent`` of them do not exceed."""
    ordered = sorted(latencies_ns)
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]
