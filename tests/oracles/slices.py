"""One slice: its users and their sources, their queues, and the verdicts on their packets."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import simpy

from netsim.scenario import Scenario
from tests.oracles.channel import Radio
from tests.oracles.clock import Due, Rank
from tests.oracles.draws import Stream
from tests.oracles.packets import Grant, Journal, Packet
from tests.oracles.schedulers import Scheduler, scheduler
from tests.oracles.traffic import Packets, shortened, source


@dataclass(eq=False)
class User:
    """A user: what it sends, its queue, and what its radio can do."""

    number: int
    radio: Radio
    traffic: Packets
    room: simpy.Event
    """Happens when a packet leaves the queue; then a new one is waited for."""
    queue: list[Packet] = field(default_factory=list)
    present: bool = True
    average_bits: float = 0.0
    """Of what was sent to it per slot, for proportional fair."""

    @property
    def backlog_bits(self) -> int:
        return sum(packet.left_bits for packet in self.queue)


class Slice:
    """The users of one slice, from the longest present to the latest."""

    def __init__(self, env: simpy.Environment, scenario: Scenario, seed: int, name: str) -> None:
        self.env, self.scenario, self.seed, self.name = env, scenario, seed, name
        self.part = scenario.slices[name]
        self.limit_ns, self.floor_bps = self.part.sla.latency_limit_ns, self.part.sla.rate_floor_bps
        self.scheduler: Scheduler = scheduler(self.part.scheduler)
        self.prb = 0
        self.users: list[User] = []
        self.users_ever = 0
        self.journal = Journal()
        self.join(self.part.users)

    @property
    def now_ns(self) -> int:
        return int(self.env.now)

    # -- traffic ---------------------------------------------------------------------------------------------------

    def source(self, user: User) -> Iterator[simpy.Event]:
        """The first packet comes after one gap. At a full queue it is dropped, or the source waits for room."""
        for index, (gap_ns, size_bits) in enumerate(user.traffic):
            yield Due(self.env, self.now_ns + shortened(gap_ns, self.part.load, self.now_ns), Rank.ARRIVAL)
            while self.is_full(user) and self.part.queue.when_full == "defer":
                yield user.room
                yield Due(self.env, self.now_ns, Rank.ARRIVAL)
            if not user.present:
                return
            self.arrive(user, Packet(self.name, user.number, index, self.now_ns, size_bits, left_bits=size_bits))

    def is_full(self, user: User) -> bool:
        """The packet being sent counts."""
        return len(user.queue) == self.part.queue.packets

    def arrive(self, user: User, packet: Packet) -> None:
        self.journal.arrived.append(packet)
        if self.is_full(user):
            self.resolve(packet, "dropped")
            self.journal.left.append(packet)
        else:
            user.queue.append(packet)
            self.env.process(self.latency_limit(packet))

    # -- a slot ----------------------------------------------------------------------------------------------------

    @property
    def active(self) -> list[User]:
        """Those with an eligible packet. When a slot begins, all that is queued has arrived at or before that."""
        return [user for user in self.users if user.queue]

    def serve(self, slot: int, prb: int, power_dbm: float) -> None:
        """Share the slice's resource blocks among its active users, and send what the shares carry."""
        grants = self.scheduler.share(self.active, prb, slot, power_dbm, self.limit_ns) if self.active else {}
        for user in self.users:
            sent_bits = self.send(user, slot, grants.get(user.number, 0), power_dbm)
            self.scheduler.remember(user, sent_bits)

    def send(self, user: User, slot: int, prb: int, power_dbm: float) -> int:
        """First in, first out. What the queue does not need is lost."""
        if prb == 0:
            return 0
        rate_bps = user.radio.whole_bps(slot, prb, power_dbm)
        granted_bits = room = user.radio.whole_bits(slot, prb, power_dbm)
        for packet in user.queue:
            if room > 0:
                bits = min(room, packet.left_bits)
                packet.left_bits -= bits
                packet.rates_bps.append(rate_bps)
                room -= bits
        sent_bits = granted_bits - room
        prb_used = user.radio.prb_needed(sent_bits, prb, slot, power_dbm)
        self.journal.grants.append(Grant(prb, rate_bps, sent_bits, prb_used))
        return sent_bits

    def depart(self) -> None:
        """At a slot's end those whose last bit was sent in it depart. One that is not late by now is in time."""
        for user in self.users:
            for packet in [packet for packet in user.queue if packet.left_bits == 0]:
                packet.departure_ns = self.now_ns
                packet.rate_bps = packet.rate_achieved_bps(self.part.sla.rate)
                if packet.verdict == "pending":
                    assert packet.departure_ns - packet.arrival_ns <= self.limit_ns
                    self.resolve(packet, "satisfied" if packet.rate_bps >= self.floor_bps else "slow")
                self.leave_queue(user, packet)

    def leave_queue(self, user: User, packet: Packet) -> None:
        user.queue.remove(packet)
        self.journal.left.append(packet)
        user.room.succeed()
        user.room = self.env.event()

    # -- the SLA ---------------------------------------------------------------------------------------------------

    def resolve(self, packet: Packet, verdict: str) -> None:
        packet.resolve(verdict, self.now_ns)
        self.journal.resolved.append(packet)

    def latency_limit(self, packet: Packet) -> Iterator[Due]:
        """A packet that is not resolved when its latency limit passes is late."""
        yield Due(self.env, packet.arrival_ns + self.limit_ns, Rank.LIMIT)
        if packet.verdict == "pending" and self.is_overdue(packet):  # unless the limit has been raised meanwhile
            self.resolve(packet, "late")

    def is_overdue(self, packet: Packet) -> bool:
        return packet.arrival_ns + self.limit_ns <= self.now_ns

    def discard(self) -> None:
        """Bits of late packets are still sent unless the scenario says to discard them."""
        if self.part.late == "discard":
            for user in self.users:
                for packet in [packet for packet in user.queue if packet.verdict == "late"]:
                    self.leave_queue(user, packet)

    # -- dated events ----------------------------------------------------------------------------------------------

    def change_sla(self, floor_bps: int | None, limit_ns: int | None) -> None:
        """What is not named stays. Who is overdue by a new limit is late from now on; who was late stays late."""
        self.floor_bps = self.floor_bps if floor_bps is None else floor_bps
        self.limit_ns = self.limit_ns if limit_ns is None else limit_ns
        for packet in [packet for packet in self.queued if packet.verdict == "pending"]:
            if self.is_overdue(packet):
                self.resolve(packet, "late")
            else:
                self.env.process(self.latency_limit(packet))
        self.discard()

    def join(self, n: int) -> None:
        """New users are numbered onwards."""
        for number in range(self.users_ever, self.users_ever + n):
            radio = Radio(self.scenario, self.seed, self.name, number)
            packets = source(self.scenario, self.name, Stream(self.seed, "packets", self.name, number))
            user = User(number, radio, packets, room=self.env.event())
            self.users.append(user)
            self.env.process(self.source(user))
        self.users_ever += n

    def leave(self, n: int) -> None:
        """The longest present go; what they had queued and was not late is dropped."""
        for user in self.users[:n]:
            for packet in list(user.queue):
                if packet.verdict == "pending":
                    self.resolve(packet, "dropped")
                self.leave_queue(user, packet)
            user.present = False
        del self.users[:n]

    @property
    def queued(self) -> list[Packet]:
        return [packet for user in self.users for packet in user.queue]
