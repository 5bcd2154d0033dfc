"""A user's queue: packets come in, bits go out, and every packet is resolved once."""

import numpy as np

from netsim import bitset, marks, sla
from netsim.compiled import inlined, inner
from netsim.report import NEVER
from netsim.state import Array, Record

_NEVER = np.int64(NEVER)  # typed: the compiler would make a copy of a function for a literal
_NO_RATE = np.int64(0)


@inlined
def arrive(
    clock: Record,
    part: Record,
    tally: Record,
    user: Record,
    queue: Array,
    words: Array,
    log: Array,
    now_ns: int,
    bits: int,
) -> bool:
    """Offer a packet to a user's queue; returns False if its source has to wait for room.

    Packets that leave the queue at a later instant than ``now_ns`` still take their places. Updates ``user``,
    ``queue``, ``part``, ``tally`` and the active set ``words``.
    """
    places = user.queued + (user.leaving if now_ns < user.leaving_ns else 0)
    full = places >= part.queue_packets
    if full and part.defer:
        return False
    tally.arrived += 1
    tally.offered_bits += bits
    marks.arrival(tally, user, now_ns, bits)
    if full:
        tally.dropped += 1
        tally.discarded_bits += bits
        marks.end(tally, user, user.packet, now_ns, _NO_RATE, sla.DROPPED)
        if clock.logging:
            _write(clock, log, user, now_ns, _NEVER, now_ns, bits, _NO_RATE, user.packet, sla.DROPPED)
        return True
    place = user.head + user.queued
    if place >= queue.shape[0]:
        place -= queue.shape[0]
    queue[place].arrival_ns = now_ns
    queue[place].size_bits = bits
    queue[place].index = user.packet
    if user.queued == 0:
        bitset.add(words, part, user.number)
        part.n_active += 1
    user.queued += 1
    user.backlog_bits += bits
    part.queued += 1
    part.backlog_bits += bits
    return True


@inlined
def serve(
    clock: Record,
    part: Record,
    tally: Record,
    user: Record,
    queue: Array,
    words: Array,
    latencies: Array,
    log: Array,
    granted_bits: int,
    rate_bps: int,
    end_ns: int,
) -> int:
    """Send up to ``granted_bits`` of a user's queue, first in first out; packets that end depart at ``end_ns``.

    Returns the bits sent; what the queue does not need is lost. Updates all but ``clock``.
    """
    room = granted_bits
    while room > 0 and user.queued > 0:
        packet = queue[user.head]
        user.rate_sum_bps += rate_bps
        user.rate_slots += 1
        missing = packet.size_bits - user.sent_bits
        if missing > room:
            user.sent_bits += room
            user.backlog_bits -= room
            part.backlog_bits -= room
            room = 0
        else:
            room -= missing
            user.backlog_bits -= missing
            part.backlog_bits -= missing
            _depart(clock, part, tally, user, packet, latencies, log, end_ns)
            _leave_head(part, user, queue, words, end_ns)
    sent = granted_bits - room
    tally.carried_bits += sent
    return sent


@inlined
def _depart(
    clock: Record, part: Record, tally: Record, user: Record, packet: Record, latencies: Array, log: Array, end_ns: int
) -> None:
    """Judge the packet at the head at its departure. Updates ``tally``, ``latencies`` and ``log``."""
    latency_ns = end_ns - packet.arrival_ns
    rate_bps = sla.achieved_rate_bps(part, packet.size_bits, latency_ns, user.rate_sum_bps, user.rate_slots)
    outcome = sla.verdict(part, latency_ns, rate_bps)
    if user.overdue > 0:
        outcome = sla.LATE  # and counted when the limit passed
    else:
        sla.count(tally, outcome)
    marks.end(tally, user, packet.index, end_ns, rate_bps, outcome)
    latencies[tally.departed] = latency_ns
    tally.departed += 1
    tally.latency_sum_ns += latency_ns
    if latency_ns > tally.latency_max_ns:
        tally.latency_max_ns = latency_ns
    if clock.logging:
        resolved_ns = end_ns
        if user.overdue > 0:
            resolved_ns = packet.resolved_ns
        elif outcome == sla.LATE:
            resolved_ns = passed_ns(part, packet)
        _write(
            clock, log, user, packet.arrival_ns, end_ns, resolved_ns, packet.size_bits, rate_bps, packet.index, outcome
        )


@inlined
def _leave_head(part: Record, user: Record, queue: Array, words: Array, end_ns: int) -> None:
    """Take the packet at the head out of the queue; its place is free from ``end_ns`` on."""
    user.head = user.head + 1 if user.head + 1 < queue.shape[0] else 0
    user.queued -= 1
    part.queued -= 1
    if user.overdue > 0:
        user.overdue -= 1
        part.overdue -= 1
    user.sent_bits = 0
    user.rate_sum_bps = 0
    user.rate_slots = 0
    if user.leaving_ns < end_ns:
        user.leaving_ns = end_ns
        user.leaving = 0
    user.leaving += 1
    if user.queued == 0:
        user.head = 0  # an empty queue begins where its first cache line does
        bitset.remove(words, part, user.number)
        part.n_active -= 1


@inner
def passed_ns(part: Record, packet: Record) -> int:
    """The instant at which a packet's limit passed: no sooner than the limit was set."""
    due_ns = packet.arrival_ns + part.latency_limit_ns
    return due_ns if due_ns > part.limit_since_ns else part.limit_since_ns


@inner
def mark_overdue(part: Record, tally: Record, user: Record, queue: Array, now_ns: int) -> None:
    """Count as late the queued packets whose latency limit has passed. Updates ``user``, ``part`` and ``tally``.

    Packets wait in order of arrival, so the late ones are the first ones.
    """
    while user.overdue < user.queued:
        place = (user.head + user.overdue) % queue.shape[0]
        if queue[place].arrival_ns + part.latency_limit_ns > now_ns:
            return
        queue[place].resolved_ns = passed_ns(part, queue[place])
        marks.end(tally, user, queue[place].index, queue[place].resolved_ns, _NO_RATE, sla.LATE)
        user.overdue += 1
        part.overdue += 1
        tally.late += 1


@inner
def discard_overdue(
    clock: Record, part: Record, tally: Record, user: Record, queue: Array, words: Array, log: Array, now_ns: int
) -> None:
    """Take out of the queue the packets whose latency limit has passed. Updates all but ``clock``."""
    mark_overdue(part, tally, user, queue, now_ns)
    while user.overdue > 0:
        _give_up_head(clock, part, tally, user, queue, words, log, now_ns, sla.LATE)


@inner
def _give_up_head(
    clock: Record,
    part: Record,
    tally: Record,
    user: Record,
    queue: Array,
    words: Array,
    log: Array,
    now_ns: int,
    outcome: int,
) -> None:
    """Take the packet at the head out of the queue unsent, or partly sent."""
    packet = queue[user.head]
    lost_bits = packet.size_bits - user.sent_bits
    user.backlog_bits -= lost_bits
    part.backlog_bits -= lost_bits
    tally.discarded_bits += lost_bits
    marks.end(tally, user, packet.index, now_ns, _NO_RATE, outcome)
    if clock.logging:
        resolved_ns = packet.resolved_ns if outcome == sla.LATE else now_ns
        _write(
            clock,
            log,
            user,
            packet.arrival_ns,
            _NEVER,
            resolved_ns,
            packet.size_bits,
            _NO_RATE,
            packet.index,
            outcome,
        )
    _leave_head(part, user, queue, words, now_ns)


@inner
def abandon(
    clock: Record, part: Record, tally: Record, user: Record, queue: Array, words: Array, log: Array, now_ns: int
) -> None:
    """Empty the queue of a user who leaves: what was not yet late counts as dropped. Updates all but ``clock``."""
    mark_overdue(part, tally, user, queue, now_ns)
    while user.queued > 0:
        if user.overdue > 0:
            _give_up_head(clock, part, tally, user, queue, words, log, now_ns, sla.LATE)
        else:
            tally.dropped += 1
            _give_up_head(clock, part, tally, user, queue, words, log, now_ns, sla.DROPPED)


@inner
def _write(
    clock: Record,
    log: Array,
    user: Record,
    arrival_ns: int,
    departure_ns: int,
    resolved_ns: int,
    size_bits: int,
    rate_bps: int,
    index: int,
    outcome: int,
) -> None:
    row = log[clock.logged]
    row.arrival_ns = arrival_ns
    row.departure_ns = departure_ns
    row.resolved_ns = resolved_ns
    row.size_bits = size_bits
    row.rate_bps = rate_bps
    row.index = index
    row.user = user.number
    row.slice = user.slice
    row.verdict = outcome
    clock.logged += 1
