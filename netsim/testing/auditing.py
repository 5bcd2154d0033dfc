"""One simulation under audit: its books kept slot by slot, and compared with what the kernel did and counted."""

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import simpy

from netsim.basestation import ARRIVALS, PERIOD_END, SLOT_BEGIN, event_at
from netsim.nr import link_table
from netsim.portable import log2
from netsim.report import PeriodReport
from netsim.scenario import Event, NrLink, Scenario, Shannon
from netsim.state import Served
from netsim.testing.books import DROPPED, LATE, PENDING, RESOLVED, Grant, Packet, SliceBook, books_of
from netsim.testing.looking import Left, Looker, Queued, User, View
from netsim.testing.replaying import Replays
from netsim.testing.violations import AuditError, Violation

if TYPE_CHECKING:
    from netsim.simulation import Simulation

AFTER_SLOT = (ARRIVALS + PERIOD_END) / 2  # departures and arrivals have happened, the period has not ended
AFTER_CHANGES = SLOT_BEGIN + 1  # allocations and dated events have taken effect, the slot has not been served
_PACKET_COUNTS = ("arrived", *RESOLVED, "departed")
_BIT_COUNTS = ("offered_bits", "carried_bits", "discarded_bits")


class Auditor:
    """The books of one simulation, opened when it starts or is loaded.

    ``slots`` and ``packets`` count what was audited.
    """

    def __init__(self, simulation: "Simulation") -> None:
        self.slots = self.packets = 0
        self._simulation, self._scenario = simulation, simulation.scenario
        self._slot_ns = simulation.scenario.control.slot_ns
        self._start = simulation.slot
        self._books = books_of(self._scenario)
        self._present = {name: (0, part.users) for name, part in self._scenario.slices.items()}
        self._looker = Looker(simulation)
        self._served: dict[int, Served] = {}
        self._gone: list[tuple[int, int, Packet]] = []
        self._replays = Replays(self._scenario)
        self._channel = Efficiency(self._scenario)
        self._open()
        simulation.watch(self._watch)

    def slots_of(self, env: simpy.Environment) -> Generator[simpy.Event, Any, None]:
        """The process: look after the changes at a slot's beginning, and after what the slot did."""
        while True:
            yield event_at(env, 0, AFTER_CHANGES)
            self._changed()
            yield event_at(env, self._slot_ns, AFTER_SLOT)
            self._slot_done()

    # -- opening -------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """At time 0 everything is still to come; later, take over what is there."""
        if self._start == 0:
            self._looker.from_the_start()
            return
        now_ns = self._start * self._slot_ns
        for event in self._events(before_ns=now_ns):
            self._promise_or_move(event, event.at_ns)
        view = self._looker.look()
        for book in self._books:
            for number in range(self._scenario.users_ever(book.name)):
                self._adopt(book, number, view)
            book.mark_late(now_ns)
            book.begin_period()
            book.before = dict.fromkeys(book.before, 0)

    def _adopt(self, book: SliceBook, number: int, view: View) -> None:
        key = (book.number, number)
        book.next_index[number] = view.next_index.get(key, 0)
        packets = [Packet(q.index, q.arrival_ns, q.size_bits, q.size_bits) for q in view.queues.get(key, ())]
        if packets:
            row = self._simulation.cell.users[sum(self._ever(s) for s in range(book.number)) + number]
            head = packets[0]
            head.left_bits -= view.sent_bits[key]
            head.rate_sum_bps, head.rate_slots = int(row["rate_sum_bps"]), int(row["rate_slots"])
            book.waiting[number] = packets

    def _ever(self, s: int) -> int:
        return self._scenario.users_ever(self._scenario.slice_names[s])

    # -- a slot's beginning --------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        slot = self._simulation.slot
        if slot > self._start and slot % self._scenario.control.slots_per_period == 0:
            for book in self._books:
                book.begin_period()
        self._gone.clear()
        now_ns = slot * self._slot_ns
        for event in self._events(at_ns=now_ns):
            self._promise_or_move(event, now_ns)
        self._compare(self._looker.look(), now_ns, {})

    def _events(self, *, at_ns: int | None = None, before_ns: int = 0) -> list[Event]:
        dated = sorted(self._scenario.events, key=lambda event: event.at_ns)
        return [e for e in dated if (e.at_ns == at_ns if at_ns is not None else e.at_ns < before_ns)]

    def _promise_or_move(self, event: Event, now_ns: int) -> None:
        """Do in the books what a dated event does."""
        if event.sla is not None:
            promise = self._book(event.sla.slice).promise
            if event.sla.rate_floor_bps is not None:
                promise.floor_bps = event.sla.rate_floor_bps
            if event.sla.latency_limit_ns is not None:
                promise.limit_ns, promise.since_ns = event.sla.latency_limit_ns, now_ns
            self._settle(self._book(event.sla.slice), now_ns)
        elif event.leave is not None:
            first, last = self._present[event.leave.slice]
            self._present[event.leave.slice] = first + event.leave.users, last
            book = self._book(event.leave.slice)
            for user in range(first, first + event.leave.users):
                for packet in book.waiting.pop(user, []):
                    self._give_up(book, user, packet, DROPPED, now_ns)
        elif event.join is not None:
            first, last = self._present[event.join.slice]
            self._present[event.join.slice] = first, last + event.join.users

    def _book(self, name: str) -> SliceBook:
        return self._books[self._scenario.slice_names.index(name)]

    def _settle(self, book: SliceBook, now_ns: int) -> None:
        """Count what is late by now; where the slice discards it, it leaves."""
        book.mark_late(now_ns)
        if book.promise.part.late != "discard":
            return
        for user, packets in list(book.waiting.items()):
            late = [packet for packet in packets if packet.verdict == LATE]
            for packet in late:
                self._give_up(book, user, packet, LATE, now_ns)
            self._keep(book, user, [packet for packet in packets if packet.verdict != LATE])

    def _give_up(self, book: SliceBook, user: int, packet: Packet, verdict: str, now_ns: int) -> None:
        if packet.verdict == PENDING:
            packet.resolve(verdict, now_ns)
            book.resolved(packet)
        book.period["discarded_bits"] += packet.left_bits
        self._gone.append((book.number, user, packet))

    @staticmethod
    def _keep(book: SliceBook, user: int, packets: list[Packet]) -> None:
        if packets:
            book.waiting[user] = packets
        else:
            book.waiting.pop(user, None)

    # -- a slot --------------------------------------------------------------------------------------------------------

    def _watch(self, served: Served) -> None:
        """Take down what a slice was granted; grants that do not share its blocks end the audit here."""
        book, grants = self._books[served.slice], served.grants.tolist()
        active = [(user, packet) for user in served.users.tolist() for packet in book.waiting.get(user, ())]
        self._served[served.slice] = served
        self._replays.note(served, active)
        if min(grants) < 0 or sum(grants) != served.prb:
            at_slot = served.slot
            shared = f"{' + '.join(map(str, grants))} = {sum(grants)}"
            self._fail(
                "3", at_slot, book, None, "grants shared among the active users = PRB of the slice", shared, served.prb
            )
        for user in served.users.tolist():
            if user not in book.waiting:
                self._fail("4", served.slot, book, user, "packets queued by a user with a grant > 0", 0, "at least 1")

    def _slot_done(self) -> None:
        slot = self._simulation.slot - 1
        self._gone.clear()
        end_ns = (slot + 1) * self._slot_ns
        grants = self._shared(slot)
        self._compare(self._looker.look(), end_ns, grants)
        self._served.clear()
        self.slots += 1

    def _shared(self, slot: int) -> dict[User, Grant]:
        """Every user's grant in the slot just served, after a look at the slices' shares of the carrier."""
        grants: dict[User, Grant] = {}
        prb, in_use = self._simulation.cell.slices["prb"].tolist(), 0
        busy = any(book.waiting for book in self._books)
        for book in self._books:
            served = self._served.get(book.number)
            if (served is not None) != bool(book.waiting):
                told = "served" if served is not None else "not served"
                self._fail("3", slot, book, None, "the slice was served = it has packets", told, bool(book.waiting))
            if served is None:
                continue
            in_use += served.prb
            if served.prb < prb[book.number] or (self._isolated and served.prb != prb[book.number]):
                self._fail(
                    "3", slot, book, None, "PRB shared by the slice = PRB it holds", served.prb, prb[book.number]
                )
            shares = zip(served.users.tolist(), served.grants.tolist(), served.faded.tolist(), strict=True)
            grants |= {(book.number, user): self._channel.grant(n, faded) for user, n, faded in shares if n > 0}
        whole = self._scenario.carrier.prb
        if sum(prb) != whole or in_use > whole or (busy and not self._isolated and in_use != whole):
            self._fail("3", slot, None, None, "PRB shared by all slices = PRB of the carrier", in_use, whole)
        return grants

    @property
    def _isolated(self) -> bool:
        return self._scenario.carrier.sharing == "isolated"

    # -- comparing -----------------------------------------------------------------------------------------------------

    def _compare(self, view: View, now_ns: int, grants: dict[User, Grant]) -> None:
        """Do in the books what a slot does, user by user, and compare with what is seen."""
        serving = bool(grants) or bool(self._served)
        slot = now_ns // self._slot_ns - serving
        lefts = {key: _lefts(book, key) for book in self._books for key in self._keys_of(book, view, grants)}
        for book in self._books:
            for (s, user), grant in grants.items():
                if s == book.number:
                    book.serve(user, slot, grant)
            self._depart(book, now_ns)
        for key in sorted(lefts):
            self._check_service(key, lefts[key], view, slot, grants.get(key), now_ns)
        for book in self._books:
            for key in self._keys_of(book, view, grants):
                self._arrive(book, key, view, slot, now_ns)
            self._settle(book, now_ns)
        self._check_left(view, slot, now_ns)
        for book in self._books:
            self._check_queues(book, view, slot)
        self._check_counts(slot)

    def _keys_of(self, book: SliceBook, view: View, grants: dict[User, Grant]) -> list[User]:
        known = {(book.number, user) for user in book.waiting}
        seen = {key for keys in (view.queues, view.next_index, view.left, grants) for key in keys}
        gone = {(s, user) for s, user, _ in self._gone}
        return sorted(known | {key for key in seen | gone if key[0] == book.number})

    def _depart(self, book: SliceBook, now_ns: int) -> None:
        for user, packets in list(book.waiting.items()):
            if packets[0].left_bits > 0:
                continue
            sent = [packet for packet in packets if packet.left_bits == 0]
            for packet in sent:
                book.depart(packet, now_ns)
                self._gone.append((book.number, user, packet))
            self._keep(book, user, packets[len(sent) :])

    def _check_service(
        self, key: User, before: dict[int, int], view: View, slot: int, grant: Grant | None, now_ns: int
    ) -> None:
        """Bits sent to a user, seen from outside, against its grant: order first, then how many."""
        book, user = self._books[key[0]], key[1]
        departed = [row.index for row in view.left.get(key, ()) if row.departure_ns is not None]
        in_line = list(before)[: len(departed)]
        if departed != in_line:
            self._fail("5", slot, book, user, "packets that departed = packets first in line", departed, in_line)
        sent = sum(before[index] for index in departed)
        queue = view.queues.get(key, [])
        if queue and queue[0].index in before:
            sent += before[queue[0].index] - (queue[0].size_bits - view.sent_bits[key])
        elif queue and view.sent_bits[key]:
            what = "bits sent of a packet that has just arrived"
            self._fail("4", slot, book, user, what, view.sent_bits[key], 0)
        there = {*departed, *(packet.index for packet in queue)}
        sent += sum(self._sent_of_gone(key, index, bits) for index, bits in before.items() if index not in there)
        due = min(grant.bits, sum(before.values())) if grant is not None else 0
        if sent != due:
            law, why = ("3", "the lesser of grant and backlog") if grant is not None else ("4", "none without a grant")
            self._fail(law, slot, book, user, f"bits sent to the user in the slot = {why}", sent, due)

    def _sent_of_gone(self, key: User, index: int, before_bits: int) -> int:
        """Bits that the books sent of a packet that then left otherwise: from outside they cannot be seen."""
        waiting = self._books[key[0]].waiting.get(key[1], ())
        gone = (packet for s, user, packet in self._gone if (s, user) == key)
        return sum(before_bits - packet.left_bits for packet in (*waiting, *gone) if packet.index == index)

    def _arrive(self, book: SliceBook, key: User, view: View, slot: int, now_ns: int) -> None:
        """Take new packets into the books: those in the queue, and those that were dropped as they came."""
        user, first = key[1], book.next_index.get(key[1], 0)
        told: dict[int, Queued | Left] = {}
        for packet in (*view.left.get(key, ()), *view.queues.get(key, ())):
            if packet.index >= first:
                told.setdefault(packet.index, packet)
        following = view.next_index.get(key, first)
        if sorted(told) != list(range(first, following)):
            what = "numbers of the packets that arrived since = numbers told of"
            self._fail("1", slot, book, user, what, list(range(first, following)), sorted(told))
        for index in sorted(told):
            new = told[index]
            if new.arrival_ns > now_ns:
                what = "arrival of a packet that is queued, ns <= the slot's edge"
                self._fail("6", slot, book, user, what, new.arrival_ns, now_ns)
            packet = Packet(index, new.arrival_ns, new.size_bits, new.size_bits)
            book.arrive(user, packet)
            self.packets += 1
            if isinstance(new, Left) and new.verdict == DROPPED:
                book.waiting[user].remove(packet)
                self._keep(book, user, book.waiting[user])
                self._give_up(book, user, packet, DROPPED, packet.arrival_ns)

    def _check_left(self, view: View, slot: int, now_ns: int) -> None:
        """Every packet that left is told of once, with its own verdict, and no other packet is."""
        due = {(s, user, packet.index): packet for s, user, packet in self._gone}
        told: dict[tuple[int, int, int], Left] = {}
        for key, rows in view.left.items():
            for row in rows:
                book, place = self._books[key[0]], (*key, row.index)
                if place in told or place not in due:
                    times = 2 if place in told else 1
                    what = f"times that packet {row.index} was said to have left ({row.verdict}) = times it did"
                    self._fail("7", slot, book, key[1], what, times, times - 1)
                told[place] = row
                self._check_row(book, key[1], row, due[place], slot)
        for s, user, packet in self._gone:
            if (s, user, packet.index) not in told:
                law = "7" if any(q.index == packet.index for q in view.queues.get((s, user), ())) else "1"
                what = f"times that packet {packet.index} was said to have left = times it did ({packet.verdict})"
                self._fail(law, slot, self._books[s], user, what, 0, 1)

    def _check_row(self, book: SliceBook, user: int, row: Left, packet: Packet, slot: int) -> None:
        told = row.departure_ns, row.arrival_ns
        mine = packet.departure_ns, packet.arrival_ns
        if told != mine:
            what = f"departure and arrival of packet {row.index}, ns"
            self._fail("6", slot, book, user, what, told, mine)
        if row.departure_ns is not None:
            slots = (
                max(1, math.ceil(packet.size_bits / packet.most_bits))
                if packet.rate_slots == len(packet.services)
                else 1
            )
            if row.departure_ns - row.arrival_ns < slots * self._slot_ns:
                what = f"latency of packet {row.index}, ns >= that of the {slots} slots its bits need"
                self._fail("6", slot, book, user, what, row.departure_ns - row.arrival_ns, slots * self._slot_ns)
        if row.size_bits != packet.size_bits:
            self._fail("2", slot, book, user, f"bits of packet {row.index}", row.size_bits, packet.size_bits)
        judged = (row.verdict, row.resolved_ns, row.rate_bps)
        own = (packet.verdict, packet.resolved_ns, packet.rate_bps)
        if judged != own:
            what = f"verdict, instant of the verdict in ns, and rate in bit/s of packet {row.index}"
            self._fail("7", slot, book, user, what, judged, own)

    def _check_queues(self, book: SliceBook, view: View, slot: int) -> None:
        users = {user for s, user in view.queues if s == book.number} | set(book.waiting)
        for user in sorted(users):
            key = (book.number, user)
            seen, mine = view.queues.get(key, []), book.waiting.get(user, [])
            if [q.index for q in seen] != [p.index for p in mine]:
                law = "1" if {q.index for q in seen} != {p.index for p in mine} else "5"
                what = "packets queued, the head first"
                self._fail(law, slot, book, user, what, [q.index for q in seen], [p.index for p in mine])
            for there, packet in zip(seen, mine, strict=True):
                if there.size_bits != packet.size_bits:
                    what = f"bits of packet {packet.index}"
                    self._fail("2", slot, book, user, what, there.size_bits, packet.size_bits)
                if there.arrival_ns != packet.arrival_ns:
                    what = f"arrival of packet {packet.index}, ns"
                    self._fail("6", slot, book, user, what, there.arrival_ns, packet.arrival_ns)
            bits = sum(packet.left_bits for packet in mine)
            if view.backlog_bits.get(key, 0) != bits:
                what = "bits queued by the user = bits of its packets that are left"
                self._fail("2", slot, book, user, what, view.backlog_bits.get(key, 0), bits)
        active = int(self._simulation.cell.slices[book.number]["n_active"])
        if active != len(book.waiting):
            what = "active users = users with packets"
            self._fail("4", slot, book, None, what, active, len(book.waiting))

    def _check_counts(self, slot: int) -> None:
        """The kernel's counts of the period so far against those of the books."""
        counts = self._simulation.counts()
        for book in self._books:
            s, mine = book.number, book.period
            for name in _PACKET_COUNTS:
                if counts[name][s] != mine[name]:
                    self._fail("1", slot, book, None, f"packets {name} in the period", int(counts[name][s]), mine[name])
            resolved = sum(int(counts[name][s]) for name in RESOLVED)
            came, told = book.pending_before + int(counts["arrived"][s]), resolved + int(counts["pending"][s])
            if int(counts["pending"][s]) != book.pending or came != told:
                what = "pending before + arrived = satisfied + slow + late + dropped + pending"
                self._fail("1", slot, book, None, what, came, told)
            for name in _BIT_COUNTS:
                if counts[name][s] != mine[name]:
                    self._fail("2", slot, book, None, f"{name} in the period", int(counts[name][s]), mine[name])
            if int(counts["backlog_bits"][s]) != book.queued_bits:
                what = "backlog_bits of the slice = bits of its packets that are left"
                self._fail("2", slot, book, None, what, int(counts["backlog_bits"][s]), book.queued_bits)
            if int(counts["prb_slots_granted"][s]) != mine["prb_slots_granted"]:
                what = "prb_slots_granted in the period = grants that were seen"
                self._fail("3", slot, book, None, what, int(counts["prb_slots_granted"][s]), mine["prb_slots_granted"])

    # -- a period's end ------------------------------------------------------------------------------------------------

    def period_ended(self, report: PeriodReport) -> None:
        """Compare the period's report with the books, and ask the plugged schedulers again."""
        slot = self._simulation.slot - 1
        for book in self._books:
            self._check_report(book, report, slot)
        for law, served, active, what, left, right in self._replays.faults():
            book = self._books[served.slice]
            self._gone = [(book.number, user, packet) for user, packet in active]
            self._fail(law, served.slot, book, None, what, left, right, only_gone=True)

    def _check_report(self, book: SliceBook, report: PeriodReport, slot: int) -> None:
        s, mine = book.number, book.period
        resolved = sum(mine[name] for name in RESOLVED)
        ssr = mine["satisfied"] / resolved if resolved else 1.0
        told = float(report.ssr[s])
        if not 0.0 <= told <= 1.0 or told != ssr or bool(report.idle[s]) != (resolved == 0):
            what = f"SSR of period {report.period} = {mine['satisfied']} of {resolved} packets"
            self._fail("8", slot, book, None, what, told, ssr)
        for name in (*_PACKET_COUNTS, *_BIT_COUNTS, "prb_slots_granted"):
            if int(getattr(report, name)[s]) != mine[name]:
                law = "2" if name in _BIT_COUNTS else "3" if name == "prb_slots_granted" else "1"
                what = f"{name} of period {report.period} = sum over its slots"
                self._fail(law, slot, book, None, what, int(getattr(report, name)[s]), mine[name])
        latencies = sorted(self._simulation.latencies_ns()[s].tolist())
        if latencies != sorted(book.latencies_ns):
            what = f"latencies of the departures of period {report.period}, ns"
            self._fail("6", slot, book, None, what, latencies[:8], sorted(book.latencies_ns)[:8])
        held = report.allocation[s] * self._scenario.carrier.allocation_unit_prb
        if int(self._simulation.cell.slices[s]["prb"]) != held:
            what = "PRB the slice holds = its allocation"
            self._fail("3", slot, book, None, what, int(self._simulation.cell.slices[s]["prb"]), held)

    # -- failing -------------------------------------------------------------------------------------------------------

    def _fail(
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
        packets = [
            trace
            for each in ([book] if book is not None else self._books)
            for trace in self._traces(each, user, only_gone)
        ]
        name = None if book is None else book.name
        raise AuditError(Violation(law, slot, slot * self._slot_ns, name, user, equation, left, right, tuple(packets)))

    def _traces(self, book: SliceBook, user: int | None, only_gone: bool) -> Any:
        gone = [(number, packet) for s, number, packet in self._gone if s == book.number]
        return book.traces(user, gone, queued=not only_gone)


def _lefts(book: SliceBook, key: User) -> dict[int, int]:
    """Bits left of each queued packet of a user, in the order of its queue."""
    return {packet.index: packet.left_bits for packet in book.waiting.get(key[1], ())}


class Efficiency:
    """What a grant carries, by the scenario's link and the channel of the slot."""

    def __init__(self, scenario: Scenario) -> None:
        self._slot_ns = scenario.control.slot_ns
        self._prb_hz = float(scenario.carrier.prb_bandwidth_hz)
        self._spread = scenario.channel.power == "spread"
        self._link = scenario.channel.link
        self._steps = link_table(self._link) if isinstance(self._link, NrLink) else None

    def grant(self, prb: int, faded: float) -> Grant:
        """A grant of resource blocks, given the slot's ``faded`` of :class:`netsim.state.Served`."""
        rate_bps = prb * self._prb_hz * (faded if self._spread else self._efficiency(faded / prb))
        return Grant(prb, int(rate_bps), int(rate_bps * self._slot_ns / 1e9))

    def _efficiency(self, snr: float) -> float:
        if isinstance(self._link, Shannon):
            scale = 1.0 if self._link.log == "log2" else float(np.log10(2.0))
            ceiling = math.inf if self._link.ceiling is None else self._link.ceiling
            return self._link.layers * min(scale * float(log2(1.0 + snr)), ceiling)
        assert self._steps is not None
        thresholds, efficiencies = self._steps
        supported = int(np.searchsorted(thresholds, snr, side="right"))
        return float(self._link.layers * efficiencies[supported - 1]) if supported else 0.0
