"""What an audit finds: which law was broken, where, by how much, and the packets that show it."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from netsim.errors import RunError

LAWS = {
    "1": "packets: arrived = satisfied + slow + late + dropped + pending",
    "2": "bits: bits in = sent + discarded + queued",
    "3": "grants: a slice's grants share exactly its resource blocks, and a user is sent what its grant carries",
    "4": "no grant without backlog, no service without a grant",
    "5": "first in first out: packets leave in order, and only the one at the head is partly sent",
    "6": "latency: at least a slot, at least the slots that the packet's bits need",
    "7": "each packet is resolved exactly once, by its own latency, rate or drop",
    "8": "SSR: satisfied over resolved, in [0, 1], 1 where nothing was resolved",
    "17": "isolation: what happens in one slice changes no other slice's packets",
    "20": "resumption: a run resumed at any slot goes on as the one that was not interrupted",
}
"""Every law that is audited, by its number: 1 to 8 are invariants of any run, the others relations between runs."""


@dataclass(frozen=True)
class Service:
    """A slot in which a packet was sent, wholly or in part."""

    slot: int
    prb: int
    """Resource blocks granted to its user in the slot."""
    rate_bps: int
    """Rate of the grant."""
    bits: int
    """Bits of the packet that were sent."""


@dataclass(frozen=True)
class PacketTrace:
    """A packet as the audit's books have it."""

    slice: str
    user: int
    index: int
    arrival_ns: int
    size_bits: int
    services: tuple[Service, ...]
    left_bits: int
    verdict: str
    """``satisfied``, ``slow``, ``late``, ``dropped`` or ``pending``."""


@dataclass(frozen=True)
class Violation:
    """A law that does not hold, with the two sides of its equation."""

    law: str
    """Its number, a key of :data:`netsim.testing.violations.LAWS`."""
    slot: int
    time_ns: int
    """The slot's beginning."""
    slice: str | None
    """The slice concerned, ``None`` if it is the cell."""
    user: int | None
    """Number of the user in the slice, ``None`` if it is the slice."""
    equation: str
    """What was compared, the simulator's figure on the left, the audit's on the right."""
    left: object
    right: object
    packets: tuple[PacketTrace, ...] = ()
    """The packets concerned, in order of user and arrival."""

    @property
    def name(self) -> str:
        """The law in words."""
        return LAWS[self.law]

    def to_dict(self) -> dict[str, Any]:
        """The violation as plain values."""
        return {**asdict(self), "name": self.name}

    def __str__(self) -> str:
        where = "" if self.slice is None else f", slice {self.slice}"
        who = "" if self.user is None else f", user {self.user}"
        kind = "invariant" if int(self.law) <= 8 else "relation"
        return (
            f"{kind} {self.law} is broken in slot {self.slot} ({self.time_ns / 1e6:g} ms){where}{who}\n"
            f"  {self.name}\n"
            f"  {self.equation}: {self.left} is not {self.right}"
        )


@dataclass(frozen=True)
class Case:
    """What turns a run into the smallest one found that breaks the same law."""

    overrides: tuple[str, ...]
    """Of the scenario, ``key.path=value``."""
    controller: str
    periods: int

    def command(self, scenario: str, seed: int, overrides: Sequence[str] = (), plugins: Sequence[str] = ()) -> str:
        """The command line that shows it, for a shell; ``overrides`` and ``plugins`` are those of the run."""
        words = ["netsim", "run", scenario, "--controller", self.controller]
        words += [word for plugin in plugins for word in ("--plugin", plugin)]
        words += [word for override in (*overrides, *self.overrides) for word in ("--set", override)]
        return shlex.join([*words, "--periods", str(self.periods), "--seed", str(seed), "--audit"])


class AuditError(RunError):
    """An audited run broke a law.

    Attributes
    ----------
    violation
        What was broken, the first time it was.
    case
        How to come to the run it is from, if that is a smaller one than what was asked for; else ``None``.
    command
        The command that shows it again, where the run was one of the command line, else ``None``.
    """

    def __init__(self, violation: Violation, case: Case | None = None, command: str | None = None) -> None:
        super().__init__(violation, case, command)
        self.violation, self.case, self.command = violation, case, command

    def __str__(self) -> str:
        """The violation, the packets that show it as a table, and how to see it again."""
        parts = [str(self.violation), *packet_table(self.violation.packets)]
        if self.command is not None:
            parts.append(f"again: {self.command}")
        elif self.case is not None:
            told = ", ".join([*self.case.overrides, f"controller {self.case.controller}"])
            parts.append(f"in the run cut down to {told}, {self.case.periods} periods")
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Violation, case and command as plain values."""
        case = None if self.case is None else asdict(self.case)
        return {"violation": self.violation.to_dict(), "case": case, "command": self.command}


MOST_PACKETS, MOST_SERVICES = 20, 4


def packet_table(packets: Sequence[PacketTrace]) -> list[str]:
    """The packets as lines of a table, the first ``MOST_PACKETS`` of them; none if there are none."""
    if not packets:
        return []
    rows: list[tuple[str, ...]] = [
        ("slice", "user", "packet", "arrived, ms", "bits", "granted: slot, PRB -> bits sent", "left", "verdict")
    ]
    rows += [_row(packet) for packet in packets[:MOST_PACKETS]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    hidden = len(packets) - MOST_PACKETS
    return [*lines, f"  and {hidden} more packets"] if hidden > 0 else lines


def _row(packet: PacketTrace) -> tuple[str, ...]:
    return (
        packet.slice,
        str(packet.user),
        str(packet.index),
        f"{packet.arrival_ns / 1e6:.6f}",
        str(packet.size_bits),
        _services(packet.services) or "-",
        str(packet.left_bits),
        packet.verdict,
    )


def _services(services: Sequence[Service]) -> str:
    earlier = len(services) - MOST_SERVICES
    told: Iterable[str] = (f"{each.slot}, {each.prb} -> {each.bits}" for each in services[-MOST_SERVICES:])
    return "; ".join([f"{earlier} slots before", *told] if earlier > 0 else told)
