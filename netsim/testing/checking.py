"""The books of an audit against what is seen of a slot, of the kernel's counts and of a period's report."""

from typing import TYPE_CHECKING, NoReturn

from netsim.report import PeriodReport
from netsim.testing.books import RESOLVED, Grant, Packet, SliceBook
from netsim.testing.looking import Left, User, View
from netsim.testing.violations import AuditError, PacketTrace, Violation

if TYPE_CHECKING:
    from netsim.simulation import Simulation

_PACKET_COUNTS = ("arrived", *RESOLVED, "departed")
_BIT_COUNTS = ("offered_bits", "carried_bits", "discarded_bits")


class Checks:
    """Compares; what it finds first ends the audit.

    ``gone`` are the packets that left by the books since they were last looked at, with slice and user.
    """

    def __init__(self, simulation: "Simulation", books: list[SliceBook]) -> None:
        self._simulation, self._scenario, self._books = simulation, simulation.scenario, books
        self._slot_ns = simulation.scenario.control.slot_ns
        self.gone: list[tuple[int, int, Packet]] = []

    # -- a slot ----------------------------------------------------------------------------------------------------

    def identity(self, book: SliceBook, user: int, view: View, slot: int) -> None:
        """Packets that are known are what they were, and none of them leaves twice."""
        key, known = (book.number, user), {p.index: p for p in book.waiting.get(user, ())}
        known |= {p.index: p for s, number, p in self.gone if (s, number) == key}
        for seen in (*view.queues.get(key, ()), *view.left.get(key, ())):
            packet = known.get(seen.index)
            if packet is None:
                continue
            if seen.size_bits != packet.size_bits:
                what = f"bits of packet {seen.index}"
                self.fail("2", slot, book, user, what, seen.size_bits, packet.size_bits)
            if seen.arrival_ns != packet.arrival_ns:
                what = f"arrival of packet {seen.index}, ns"
                self.fail("6", slot, book, user, what, seen.arrival_ns, packet.arrival_ns)
        told = [row.index for row in view.left.get(key, ())]
        for index in told:
            open_before = index in known or index >= book.next_index.get(user, 0)
            if told.count(index) != open_before:
                what = f"times that packet {index} is said to have left now = times it can have"
                self.fail("7", slot, book, user, what, told.count(index), int(open_before))

    def service(self, key: User, before: dict[int, int], view: View, slot: int, grant: Grant | None) -> None:
        """Bits sent to a user, seen from outside, against its grant: order first, then how many."""
        book, user = self._books[key[0]], key[1]
        departed = [row.index for row in view.left.get(key, ()) if row.departure_ns is not None]
        in_line = list(before)[: len(departed)]
        if departed != in_line:
            self.fail("5", slot, book, user, "packets that departed = packets first in line", departed, in_line)
        sent = sum(before[index] for index in departed)
        queue = view.queues.get(key, [])
        if queue and queue[0].index in before:
            sent += before[queue[0].index] - (queue[0].size_bits - view.sent_bits[key])
        elif queue and view.sent_bits[key]:
            what = "bits sent of a packet that has just arrived"
            self.fail("4", slot, book, user, what, view.sent_bits[key], 0)
        there = {*departed, *(packet.index for packet in queue)}
        sent += sum(self._sent_of_gone(key, index, bits) for index, bits in before.items() if index not in there)
        due = min(grant.bits, sum(before.values())) if grant is not None else 0
        if sent != due:
            law, why = ("3", "the lesser of grant and backlog") if grant is not None else ("4", "none without a grant")
            self.fail(law, slot, book, user, f"bits sent to the user in the slot = {why}", sent, due)

    def _sent_of_gone(self, key: User, index: int, before_bits: int) -> int:
        """Bits that the books sent of a packet that then left otherwise: from outside they cannot be seen."""
        waiting = self._books[key[0]].waiting.get(key[1], ())
        gone = (packet for s, user, packet in self.gone if (s, user) == key)
        return sum(before_bits - packet.left_bits for packet in (*waiting, *gone) if packet.index == index)

    def left(self, view: View, slot: int) -> None:
        """Every packet that left is told of once, with its own verdict, and no other packet is."""
        due = {(s, user, packet.index): packet for s, user, packet in self.gone}
        told = {(*key, row.index): row for key, rows in view.left.items() for row in rows}
        for (s, user, index), row in told.items():
            packet = due.get((s, user, index))
            if packet is None:
                what = f"times that packet {index} was said to have left ({row.verdict}) = times it did"
                self.fail("7", slot, self._books[s], user, what, 1, 0)
            self._row(self._books[s], user, row, packet, slot)
        for s, user, packet in self.gone:
            if (s, user, packet.index) not in told:
                law = "7" if any(q.index == packet.index for q in view.queues.get((s, user), ())) else "1"
                what = f"times that packet {packet.index} was said to have left = times it did ({packet.verdict})"
                self.fail(law, slot, self._books[s], user, what, 0, 1)

    def _row(self, book: SliceBook, user: int, row: Left, packet: Packet, slot: int) -> None:
        if row.departure_ns != packet.departure_ns:
            what = f"departure of packet {row.index}, ns"
            self.fail("6", slot, book, user, what, row.departure_ns, packet.departure_ns)
        least_ns = packet.slots_needed * self._slot_ns
        if row.departure_ns is not None and row.departure_ns - row.arrival_ns < least_ns:
            what = f"latency of packet {row.index}, ns >= that of the {packet.slots_needed} slots its bits need"
            self.fail("6", slot, book, user, what, row.departure_ns - row.arrival_ns, least_ns)
        judged = (row.verdict, row.resolved_ns, row.rate_bps)
        own = (packet.verdict, packet.resolved_ns, packet.rate_bps)
        if judged != own:
            what = f"verdict, instant of the verdict in ns, and rate in bit/s of packet {row.index}"
            self.fail("7", slot, book, user, what, judged, own)

    def queues(self, book: SliceBook, view: View, slot: int) -> None:
        """Every user's queue holds the packets that it should, and the kernel knows who has some."""
        users = {user for s, user in view.queues if s == book.number} | set(book.waiting)
        for user in sorted(users):
            key = (book.number, user)
            seen, mine = view.queues.get(key, []), book.waiting.get(user, [])
            if [q.index for q in seen] != [p.index for p in mine]:
                law = "1" if {q.index for q in seen} != {p.index for p in mine} else "5"
                what = "packets queued, the head first"
                self.fail(law, slot, book, user, what, [q.index for q in seen], [p.index for p in mine])
            bits = sum(packet.left_bits for packet in mine)
            if view.backlog_bits.get(key, 0) != bits:
                what = "bits queued by the user = bits of its packets that are left"
                self.fail("2", slot, book, user, what, view.backlog_bits.get(key, 0), bits)
        active = int(self._simulation.cell.slices[book.number]["n_active"])
        if active != len(book.waiting):
            what = "active users = users with packets"
            self.fail("4", slot, book, None, what, active, len(book.waiting))

    def counts(self, slot: int) -> None:
        """The kernel's counts of the period so far against those of the books."""
        counts = self._simulation.counts()
        for book in self._books:
            s, mine = book.number, book.period
            for name in _PACKET_COUNTS:
                if counts[name][s] != mine[name]:
                    self.fail("1", slot, book, None, f"packets {name} in the period", int(counts[name][s]), mine[name])
            resolved = sum(int(counts[name][s]) for name in RESOLVED)
            came, told = book.pending_before + int(counts["arrived"][s]), resolved + int(counts["pending"][s])
            if int(counts["pending"][s]) != book.pending or came != told:
                what = "pending before + arrived = satisfied + slow + late + dropped + pending"
                self.fail("1", slot, book, None, what, came, told)
            for name in _BIT_COUNTS:
                if counts[name][s] != mine[name]:
                    self.fail("2", slot, book, None, f"{name} in the period", int(counts[name][s]), mine[name])
            if int(counts["backlog_bits"][s]) != book.queued_bits:
                what = "backlog_bits of the slice = bits of its packets that are left"
                self.fail("2", slot, book, None, what, int(counts["backlog_bits"][s]), book.queued_bits)
            if int(counts["prb_slots_granted"][s]) != mine["prb_slots_granted"]:
                what = "prb_slots_granted in the period = grants that were seen"
                self.fail("3", slot, book, None, what, int(counts["prb_slots_granted"][s]), mine["prb_slots_granted"])

    def report(self, book: SliceBook, report: PeriodReport, slot: int) -> None:
        """What a period's report says of a slice."""
        s, mine = book.number, book.period
        resolved = sum(mine[name] for name in RESOLVED)
        ssr = mine["satisfied"] / resolved if resolved else 1.0
        told = float(report.ssr[s])
        if not 0.0 <= told <= 1.0 or told != ssr or bool(report.idle[s]) != (resolved == 0):
            what = f"SSR of period {report.period} = {mine['satisfied']} of {resolved} packets"
            self.fail("8", slot, book, None, what, told, ssr)
        for name in (*_PACKET_COUNTS, *_BIT_COUNTS, "prb_slots_granted"):
            if int(getattr(report, name)[s]) != mine[name]:
                law = "2" if name in _BIT_COUNTS else "3" if name == "prb_slots_granted" else "1"
                what = f"{name} of period {report.period} = sum over its slots"
                self.fail(law, slot, book, None, what, int(getattr(report, name)[s]), mine[name])
        latencies = sorted(self._simulation.latencies_ns()[s].tolist())
        if latencies != sorted(book.latencies_ns):
            what = f"latencies of the departures of period {report.period}, ns"
            self.fail("6", slot, book, None, what, latencies[:8], sorted(book.latencies_ns)[:8])
        held = report.allocation[s] * self._scenario.carrier.allocation_unit_prb
        if int(self._simulation.cell.slices[s]["prb"]) != held:
            what = "PRB the slice holds = its allocation"
            self.fail("3", slot, book, None, what, int(self._simulation.cell.slices[s]["prb"]), held)

    # -- failing -------------------------------------------------------------------------------------------------------

    def fail(
        self,
        law: str,
        slot: int,
        book: SliceBook | None,
        user: int | None,
        equation: str,
        left: object,
        right: object,
        only_gone: bool = False,
    ) -> NoReturn:
        """End the audit.

        Raises
        ------
        AuditError
            With the packets of the user, or of the slice, or of all; ``only_gone`` leaves out those that are queued.
        """
        concerned = [book] if book is not None else self._books
        packets = tuple(trace for each in concerned for trace in self._traces(each, user, only_gone))
        name = None if book is None else book.name
        raise AuditError(Violation(law, slot, slot * self._slot_ns, name, user, equation, left, right, packets))

    def _traces(self, book: SliceBook, user: int | None, only_gone: bool) -> tuple[PacketTrace, ...]:
        gone = [(number, packet) for s, number, packet in self.gone if s == book.number]
        return book.traces(user, gone, queued=not only_gone)
