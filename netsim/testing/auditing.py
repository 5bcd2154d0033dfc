"""One simulation under audit: its books kept slot by slot, and compared with what the kernel did and counted."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

from netsim.basestation import ARRIVALS, PERIOD_END, SLOT_BEGIN, event_at
from netsim.report import PeriodReport
from netsim.scenario import Event
from netsim.state import Served
from netsim.testing.books import DROPPED, LATE, PENDING, Grant, Packet, SliceBook, books_of
from netsim.testing.checking import Checks
from netsim.testing.links import Efficiency
from netsim.testing.looking import Left, Looker, Queued, User, View
from netsim.testing.replaying import Fault, Replays
from netsim.testing.violations import AuditError

if TYPE_CHECKING:
    from netsim.simulation import Simulation

AFTER_SLOT = (ARRIVALS + PERIOD_END) / 2  # departures and arrivals have happened, the period has not ended
AFTER_CHANGES = SLOT_BEGIN + 1  # allocations and dated events have taken effect, the slot has not been served


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
        self._checks = Checks(simulation, self._books)
        self._replays = Replays(self._scenario)
        self._channel = Efficiency(self._scenario)
        self._found: AuditError | None = None
        self._open()
        simulation.watch(self._watch)

    def slots_of(self, env: simpy.Environment) -> Generator[simpy.Event, Any, None]:
        """The process: look after the changes at a slot's beginning, and after what the slot did."""
        try:
            while True:
                yield event_at(env, 0, AFTER_CHANGES)
                self._changed()
                yield event_at(env, self._slot_ns, AFTER_SLOT)
                self._slot_done()
        except AuditError as error:
            self._found = error  # at the end of a period the environment stops before it hears of it
            raise

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
        self._checks.gone.clear()
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
        self._checks.gone.append((book.number, user, packet))

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
            self._raise(self._replays.last())  # it may tell more of how it came
            what, shared = "sum of the grants = PRB of the slice", f"{' + '.join(map(str, grants))} = {sum(grants)}"
            self._checks.fail("3", served.slot, book, None, what, shared, served.prb)
        for user in served.users.tolist():
            if user not in book.waiting:
                what = "packets queued by a user who is granted something >= 1"
                self._checks.fail("4", served.slot, book, user, what, 0, 1)

    def _slot_done(self) -> None:
        slot = self._simulation.slot - 1
        self._checks.gone.clear()
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
                what = "whether the slice's blocks were granted = whether it has packets"
                self._checks.fail("3", slot, book, None, what, served is not None, bool(book.waiting))
            if served is None:
                continue
            in_use += served.prb
            if served.prb < prb[book.number] or (self._isolated and served.prb != prb[book.number]):
                what = "PRB shared in the slice = PRB it holds"
                self._checks.fail("3", slot, book, None, what, served.prb, prb[book.number])
            shares = zip(served.users.tolist(), served.grants.tolist(), served.faded.tolist(), strict=True)
            grants |= {(book.number, user): self._channel.grant(n, faded) for user, n, faded in shares if n > 0}
        whole = self._scenario.carrier.prb
        if sum(prb) != whole or in_use > whole or (busy and not self._isolated and in_use != whole):
            self._checks.fail("3", slot, None, None, "PRB shared by all slices = PRB of the carrier", in_use, whole)
        return grants

    @property
    def _isolated(self) -> bool:
        return self._scenario.carrier.sharing == "isolated"

    # -- comparing -----------------------------------------------------------------------------------------------------

    def _compare(self, view: View, now_ns: int, grants: dict[User, Grant]) -> None:
        """Do in the books what a slot does, user by user, and compare with what is seen."""
        serving = bool(grants) or bool(self._served)
        slot = now_ns // self._slot_ns - serving
        for book in self._books:
            for _, user in self._keys_of(book, view, grants):
                self._checks.identity(book, user, view, slot)
        lefts = {key: book.left_bits(key[1]) for book in self._books for key in self._keys_of(book, view, grants)}
        for book in self._books:
            for (s, user), grant in grants.items():
                if s == book.number:
                    book.serve(user, slot, grant)
            self._depart(book, now_ns)
        for key in sorted(lefts):
            self._checks.service(key, lefts[key], view, slot, grants.get(key))
        for book in self._books:
            for key in self._keys_of(book, view, grants):
                self._arrive(book, key, view, slot, now_ns)
            self._settle(book, now_ns)
        self._checks.left(view, slot)
        for book in self._books:
            self._checks.queues(book, view, slot)
        self._checks.counts(slot)

    def _keys_of(self, book: SliceBook, view: View, grants: dict[User, Grant]) -> list[User]:
        known = {(book.number, user) for user in book.waiting}
        seen = {key for keys in (view.queues, view.next_index, view.left, grants) for key in keys}
        gone = {(s, user) for s, user, _ in self._checks.gone}
        return sorted(known | {key for key in seen | gone if key[0] == book.number})

    def _depart(self, book: SliceBook, now_ns: int) -> None:
        for user, packets in list(book.waiting.items()):
            if packets[0].left_bits > 0:
                continue
            sent = [packet for packet in packets if packet.left_bits == 0]
            for packet in sent:
                book.depart(packet, now_ns)
                self._checks.gone.append((book.number, user, packet))
            self._keep(book, user, packets[len(sent) :])

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
            self._checks.fail("1", slot, book, user, what, list(range(first, following)), sorted(told))
        for index in sorted(told):
            new = told[index]
            if new.arrival_ns > now_ns:
                what = "arrival of a packet that is queued, ns <= the slot's edge"
                self._checks.fail("6", slot, book, user, what, new.arrival_ns, now_ns)
            packet = Packet(index, new.arrival_ns, new.size_bits, new.size_bits)
            book.arrive(user, packet)
            self.packets += 1
            if isinstance(new, Left) and new.verdict == DROPPED:
                book.waiting[user].remove(packet)
                self._keep(book, user, book.waiting[user])
                self._give_up(book, user, packet, DROPPED, packet.arrival_ns)

    # -- a period's end ------------------------------------------------------------------------------------------------

    def period_ended(self, report: PeriodReport) -> None:
        """Compare the period's report with the books, and ask the plugged schedulers again."""
        if self._found is not None:
            raise self._found
        slot = self._simulation.slot - 1
        for book in self._books:
            self._checks.report(book, report, slot)
        self._raise(self._replays.gravest())

    def _raise(self, fault: Fault | None) -> None:
        if fault is not None:
            book = self._books[fault.served.slice]
            self._checks.gone = [(book.number, user, packet) for user, packet in fault.active]
            slot, sides = fault.served.slot, (fault.left, fault.right)
            self._checks.fail(fault.law, slot, book, None, fault.what, *sides, only_gone=True)
