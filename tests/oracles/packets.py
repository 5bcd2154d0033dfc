"""What happens to a packet, and what is written down about it."""

from dataclasses import dataclass, field
from typing import NamedTuple


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
    """The user's granted rate in each slot in which at least one bit of the packet was sent."""
    departure_ns: int | None = None
    rate_bps: int = 0
    resolved_ns: int | None = None
    verdict: str = "pending"

    def resolve(self, verdict: str, now_ns: int) -> None:
        """A packet is resolved once."""
        assert self.verdict == "pending"
        self.verdict, self.resolved_ns = verdict, now_ns

    def rate_achieved_bps(self, rate: str) -> int:
        """Once departed: the mean granted rate over the slots that served it, or its goodput; whole bit/s."""
        if rate == "goodput":
            return self.size_bits * 10**9 // (self.departure_ns - self.arrival_ns)
        return sum(self.rates_bps) // len(self.rates_bps)


class Grant(NamedTuple):
    """What a user was granted in a slot, and what it made of it."""

    prb: int
    rate_bps: int
    sent_bits: int
    prb_used: int


@dataclass
class Journal:
    """What happened in a slice during one period."""

    arrived: list[Packet] = field(default_factory=list)
    resolved: list[Packet] = field(default_factory=list)
    left: list[Packet] = field(default_factory=list)
    """Packets that are no longer in the base station: departed, dropped or discarded."""
    grants: list[Grant] = field(default_factory=list)
