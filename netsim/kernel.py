"""The slot loop, compiled.

Slot k covers [kS, (k+1)S). When it runs, all packets that arrived up to kS are in their queues. It shares the resource
blocks, serves the queues, and lets arrive what arrives up to (k+1)S; packets that end in it depart at (k+1)S, before
anything that arrives at that same instant.
"""

import math

import numpy as np

from netsim import bitset, channel, marks, queues, scheduling, sources
from netsim.channel import bits_in_slot, efficiency, jakes_gain, rate_of, rayleigh_gain, shadowing_gain, shannon
from netsim.compiled import call_share, inlined, inner, kernel
from netsim.handles import cell_of
from netsim.scheduling import COMPILED_PLUGIN, PROPORTIONAL_FAIR, ROUND_ROBIN
from netsim.state import LANES, NONE, Array, Cell, Record

NS_PER_MS = 1e6
_FIRST = np.int64(0)  # typed: the compiler would make a copy of a function for a literal
_ONE = np.int64(1)
PROBED = np.int64(64)
"""Users of a slice whose channel is marked at a period's end."""
DONE, ROWS_SHORT, STARVED, MISGRANTED = range(4)
"""Why a kernel returned: the target slot is reached, a buffer may overflow in the next slot, sources wait for packets
that a plugin draws or for room in the log, or a plugged scheduler shared its blocks wrongly."""


@kernel
def advance(cells: Array, i: int, target_slot: int) -> int:
    """Run slots of cell ``i`` up to ``target_slot``; returns why it stopped. Updates everything but the tables.

    Sources that stand still when it is called go on first: users who have just joined among them.
    """
    cell = cell_of(cells, i)
    clock = cell.clock[0]
    if clock.starved > 0:
        sources.revive(cell)
        sources.take_arrivals(cell, clock.slot)
        while discard(cell):  # as at the end of the slot in which they stood still
            sources.take_arrivals(cell, clock.slot)
        if clock.starved > 0:
            return STARVED
    while clock.slot < target_slot:
        if rows_short(cell):
            return ROWS_SHORT
        if clock.served_slot != clock.slot:
            lend(clock, cell.slices)
            for s in range(cell.slices.size):
                run_slice(cell, s)
                if clock.misgranted > 0:
                    return MISGRANTED
        clock.slot += 1
        discard(cell)  # before the arrivals: at equal instants departures are first
        sources.take_arrivals(cell, clock.slot)
        while discard(cell):  # those whose limit passed within the slot they arrived in
            sources.take_arrivals(cell, clock.slot)
        if clock.starved > 0:
            return STARVED
    return DONE


@inlined
def rows_short(cell: Cell) -> bool:
    """Whether more packets might leave in the next slot than the buffers have rows for."""
    for s in range(cell.slices.size):
        if cell.tallies[s].departed + cell.slices[s].queued > cell.latencies.shape[1]:
            return True
    return sources.log_is_full(cell)


@inlined
def lend(clock: Record, slices: Array) -> None:
    """Settle the resource blocks of each slice in this slot. Updates ``lent_prb``.

    In the work-conserving mode, blocks of slices with nothing to send go to the others in proportion to what they
    hold, by largest remainder, ties by name.
    """
    idle = np.int64(0)
    holding = np.int64(0)
    for s in range(slices.size):
        part = slices[s]
        part.lent_prb = part.prb
        if part.n_active == 0:
            idle += part.prb
        else:
            holding += part.prb
    if not clock.work_conserving or idle == 0 or holding == 0:
        return
    lent = 0
    for s in range(slices.size):
        if slices[s].n_active > 0:
            share = idle * slices[s].prb // holding
            slices[s].lent_prb += share
            lent += share
    for _ in range(idle - lent):
        slices[_most_short(slices, idle, holding)].lent_prb += 1


@inner
def _most_short(slices: Array, idle: int, holding: int) -> int:
    """The busy slice whose exact share exceeds what it was lent by most."""
    best = NONE
    best_short = 0
    for s in range(slices.size):
        if slices[s].n_active > 0:
            short = idle * slices[s].prb - (slices[s].lent_prb - slices[s].prb) * holding
            earlier = best != NONE and slices[s].name_rank < slices[best].name_rank
            if best == NONE or short > best_short or (short == best_short and earlier):
                best = s
                best_short = short
    return best


@inlined
def run_slice(cell: Cell, s: int) -> None:
    """Share a slice's resource blocks in this slot and serve its users."""
    part = cell.slices[s]
    if part.n_active == 0:
        return
    if part.scheduler == ROUND_ROBIN:
        n = scheduling.share_round_robin(cell.active, part, part.lent_prb, cell.served, cell.grants)
        fade(cell, part, n)
    else:
        n = show(cell, part)
        share_seen(cell, s, n)
        if cell.clock[0].misgranted > 0:
            return  # with the grants as they are, for the message
    serve_users(cell, s, n)


@inlined
def fade(cell: Cell, part: Record, n: int) -> None:
    """Compute what the channel of the first ``n`` served users carries in this slot. Updates ``faded``.

    The loops over whole groups of ``LANES`` become vector code; lanes beyond ``n`` compute in vain.
    """
    clock = cell.clock[0]
    served = cell.served
    faded = cell.faded
    lanes = (n + LANES - 1) // LANES * LANES
    if clock.fading == channel.RAYLEIGH:
        seed, slot, word = clock.seed, np.uint64(clock.slot), part.fading_word
        for i in range(lanes):
            faded[i] = rayleigh_gain(seed, slot, np.uint64(served[i]), word)
    for i in range(n):
        u = part.first_user + served[i]
        gain = 1.0
        if clock.fading == channel.RAYLEIGH:
            gain = faded[i]
        elif clock.fading == channel.JAKES:
            gain = jakes_gain(cell.oscillators[u], clock.slot * clock.doppler_turns)
        if clock.shadowing_db > 0.0:
            number = np.uint64(served[i])
            gain *= shadowing_gain(clock.shadowing_db, clock.seed, np.uint64(clock.slot), number, part.shadowing_word)
        faded[i] = gain * cell.users[u].snr
    if clock.spread and clock.link == channel.SHANNON:
        layers, log_scale, ceiling = clock.layers, clock.log_scale, clock.ceiling
        for i in range(lanes):
            faded[i] = shannon(faded[i], layers, log_scale, ceiling)
    elif clock.spread:
        for i in range(n):
            faded[i] = efficiency(clock, faded[i], cell.thresholds, cell.efficiencies)


@inner
def show(cell: Cell, part: Record) -> int:
    """Describe all active users of a slice to a scheduler; returns how many. Updates ``seen``, clears ``grants``."""
    clock = cell.clock[0]
    n = scheduling.gather(cell.active, part, cell.served)
    fade(cell, part, n)
    for i in range(n):
        user = cell.users[part.first_user + cell.served[i]]
        seen = cell.seen[i]
        seen.user = user.number
        seen.packets = user.queued
        seen.backlog_bits = user.backlog_bits
        seen.deadline_ns = cell.queues[part.first_user + user.number, user.head].arrival_ns + part.latency_limit_ns
        rate_bps = rate_of(clock, _ONE, cell.faded[i], cell.thresholds, cell.efficiencies)
        seen.bits_per_prb = rate_bps * clock.slot_ns / 1e9
        seen.average_bits = scheduling.average_now(part, user, clock.slot)
        cell.grants[i] = 0
    return n


@inner
def share_seen(cell: Cell, s: int, n: int) -> None:
    """Let a compiled plugin or a built-in scheduler that ranks users share the blocks. Updates ``grants``."""
    clock = cell.clock[0]
    part = cell.slices[s]
    if part.scheduler == COMPILED_PLUGIN:
        seen, grants = cell.seen.ctypes.data, cell.grants.ctypes.data
        call_share(part.share_address, part.lent_prb, clock.slot, seen, n, grants)
        if not shares_all(cell, s, n):
            clock.misgranted = s + 1
        return
    for i in range(n):
        cell.scores[i] = scheduling.score(part.scheduler, cell.seen[i], clock.slot * clock.slot_ns)
    scheduling.share_by_score(cell, part.lent_prb, n)


@inner
def shares_all(cell: Cell, s: int, n: int) -> bool:
    """Whether a plugin's grants share exactly the slice's resource blocks."""
    total = 0
    for i in range(n):
        if cell.grants[i] < 0:
            return False
        total += cell.grants[i]
    return total == cell.slices[s].lent_prb


@inlined
def serve_users(cell: Cell, s: int, n: int) -> None:
    """Serve the first ``n`` users from their grants, and count what was granted, needed and sent."""
    clock = cell.clock[0]
    part = cell.slices[s]
    tally = cell.tallies[s]
    latencies = cell.latencies[s]
    end_ns = (clock.slot + 1) * clock.slot_ns
    for i in range(n):
        prb = cell.grants[i]
        if prb == 0:
            continue
        u = part.first_user + cell.served[i]
        user = cell.users[u]
        rate_bps = rate_of(clock, prb, cell.faded[i], cell.thresholds, cell.efficiencies)
        bits = bits_in_slot(clock, rate_bps)
        whole_bps = np.int64(rate_bps)
        marks.grant(tally, user, clock.slot, prb, bits)
        tally.prb_slots_granted += prb
        tally.granted_bps += whole_bps
        sent = queues.serve(
            clock, part, tally, user, cell.queues[u], cell.active, latencies, cell.log, bits, whole_bps, end_ns
        )
        if sent > 0:
            enough = np.int64(math.ceil(sent * np.float64(prb) / bits))  # by rule of three; a few less may do
            tally.prb_slots_used += scheduling.prb_needed(
                clock, sent, enough, cell.faded[i], cell.thresholds, cell.efficiencies
            )
        if part.scheduler == PROPORTIONAL_FAIR:
            scheduling.update_average(part, user, clock.slot, sent)
        if user.blocked and user.leaving_ns == end_ns:
            sources.unblock(cell, u, end_ns)


@inner
def discard(cell: Cell) -> bool:
    """Empty the queues of overdue packets in the slices that do not send them; whether a waiting source got room."""
    clock = cell.clock[0]
    unblocked = False
    now_ns = clock.slot * clock.slot_ns
    for s in range(cell.slices.size):
        part = cell.slices[s]
        if part.discard:
            member = bitset.first_from(cell.active, part, _FIRST)
            while member != NONE:
                u = part.first_user + member
                user = cell.users[u]
                queue = cell.queues[u]
                before = user.queued
                queues.discard_overdue(clock, part, cell.tallies[s], user, queue, cell.active, cell.log, now_ns)
                if user.blocked and user.queued < before:
                    sources.unblock(cell, u, now_ns)
                    unblocked = True
                member = bitset.first_from(cell.active, part, member + 1)
    return unblocked


@kernel
def close_period(cells: Array, i: int) -> None:
    """Count what became overdue up to now, and work out what follows from the counts. Updates clock and tallies."""
    cell = cell_of(cells, i)
    clock = cell.clock[0]
    granted_bps = 0
    carried_bits = 0
    for s in range(cell.slices.size):
        mark_slice(cell, s, clock.slot * clock.slot_ns)
        probe(cell, s)
        close_slice(cell, s)
        granted_bps += cell.tallies[s].granted_bps
        carried_bits += cell.tallies[s].carried_bits
    slots = np.float64(clock.slot - clock.period_slot)
    bandwidth_hz = clock.prb * clock.prb_bandwidth_hz
    clock.se_capacity = granted_bps / slots / bandwidth_hz
    clock.se_carried = carried_bits / (slots * clock.slot_ns / 1e9) / bandwidth_hz
    se = clock.se_carried if clock.values_carried else clock.se_capacity
    clock.utility = clock.alpha * se + weighted_ssr(cell)
    clock.period_slot = clock.slot


@inner
def close_slice(cell: Cell, s: int) -> None:
    """Work out a slice's report: SSR (paper eq. 3), what is queued, and latencies. Updates the tally."""
    part = cell.slices[s]
    tally = cell.tallies[s]
    tally.backlog_packets = part.queued
    tally.backlog_bits = part.backlog_bits
    tally.pending = part.queued - part.overdue
    resolved = tally.satisfied + tally.slow + tally.late + tally.dropped
    tally.idle = resolved == 0
    tally.ssr = tally.satisfied / resolved if resolved > 0 else 1.0
    n = tally.departed
    tally.latency_mean_ms = np.nan
    tally.latency_p50_ms = np.nan
    tally.latency_p99_ms = np.nan
    tally.latency_max_ms = np.nan
    if n > 0:
        latencies = cell.latencies[s, :n]
        median = (n + 1) // 2 - 1
        tally.latency_mean_ms = tally.latency_sum_ns / n / NS_PER_MS
        tally.latency_p50_ms = order_statistic(latencies, median) / NS_PER_MS
        tally.latency_p99_ms = order_statistic(latencies[median:], (99 * n + 99) // 100 - 1 - median) / NS_PER_MS
        tally.latency_max_ms = tally.latency_max_ns / NS_PER_MS


@inner
def probe(cell: Cell, s: int) -> None:
    """Mark what a resource block carries in the slot that follows, for ``PROBED`` users, in turn from period to period.

    What users meet while they are served depends on who is served; this depends on the channel alone, so that it tells
    a fault of the channel from one of the station. Updates ``fading_mark`` and what a slot works with.
    """
    clock = cell.clock[0]
    part = cell.slices[s]
    n = min(part.users_ever, PROBED)
    number = (clock.slot // (clock.slot - clock.period_slot) - 1) * PROBED % max(part.users_ever, 1)
    for i in range(n):
        cell.served[i] = number
        number = number + 1 if number + 1 < part.users_ever else 0
    fade(cell, part, n)
    for i in range(n):
        user = cell.users[part.first_user + cell.served[i]]
        rate_bps = rate_of(clock, _ONE, cell.faded[i], cell.thresholds, cell.efficiencies)
        marks.fading(cell.tallies[s], user, clock.slot, np.int64(rate_bps))


@inner
def weighted_ssr(cell: Cell) -> float:
    """Sum of beta_n SSR_n, in order of the slices' names: their order in the file must not move the last bit."""
    total = 0.0
    for rank in range(cell.slices.size):
        for s in range(cell.slices.size):
            if cell.slices[s].name_rank == rank:
                total += cell.slices[s].weight * cell.tallies[s].ssr
    return total


@inner
def mark_slice(cell: Cell, s: int, now_ns: int) -> None:
    """Count the packets of a slice whose latency limit has passed by ``now_ns``."""
    part = cell.slices[s]
    member = bitset.first_from(cell.active, part, _FIRST)
    while member != NONE:
        u = part.first_user + member
        queues.mark_overdue(part, cell.tallies[s], cell.users[u], cell.queues[u], now_ns)
        member = bitset.first_from(cell.active, part, member + 1)


@inner
def order_statistic(values: Array, k: int) -> int:
    """The ``k``-th smallest value, from 0: quickselect. Updates the order of ``values``."""
    low = 0
    high = values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i = low
        j = high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            return values[k]
    return values[k]


@kernel
def mark_one(cells: Array, i: int, s: int, now_ns: int) -> None:
    """:func:`mark_slice`, for Python."""
    mark_slice(cell_of(cells, i), s, now_ns)


@kernel
def leave(cells: Array, i: int, first: int, count: int) -> None:
    """Let users leave now; their packets are given up, and the wheel forgets them when it next comes by."""
    cell = cell_of(cells, i)
    clock = cell.clock[0]
    for u in range(first, first + count):
        user = cell.users[u]
        user.present = 0
        user.blocked = 0
        part = cell.slices[user.slice]
        tally = cell.tallies[user.slice]
        now_ns = clock.slot * clock.slot_ns
        queues.abandon(clock, part, tally, user, cell.queues[u], cell.active, cell.log, now_ns)


# -- many cells at once -----------------------------------------------------------------------------------------------


@kernel
def advance_many(cells: Array, lo: int, hi: int, target_slot: int, statuses: Array) -> None:
    """Advance cells ``lo`` to ``hi`` of stacked cells; writes why each stopped into ``statuses``."""
    for i in range(lo, hi):
        statuses[i] = advance(cells, i, target_slot)


@kernel
def close_many(cells: Array, lo: int, hi: int) -> None:
    """:func:`close_period` for cells ``lo`` to ``hi`` of stacked cells."""
    for i in range(lo, hi):
        close_period(cells, i)


# -- slot by slot, for schedulers that are plain Python ----------------------------------------------------------------


@kernel
def begin_slot(cells: Array, i: int) -> bool:
    """Settle the slices' resource blocks in this slot; False if a buffer has to grow first."""
    cell = cell_of(cells, i)
    if rows_short(cell):
        return False
    lend(cell.clock[0], cell.slices)
    return True


@kernel
def run_one(cells: Array, i: int, s: int) -> None:
    """:func:`run_slice`, for Python."""
    run_slice(cell_of(cells, i), s)


@kernel
def show_one(cells: Array, i: int, s: int) -> int:
    """:func:`show`, for Python."""
    cell = cell_of(cells, i)
    return show(cell, cell.slices[s])


@kernel
def serve_one(cells: Array, i: int, s: int, n: int) -> bool:
    """Serve a slice's users from the grants that a plugin wrote; False if those do not share exactly its blocks."""
    cell = cell_of(cells, i)
    if not shares_all(cell, s, n):
        return False
    serve_users(cell, s, n)
    return True


@kernel
def discard_now(cells: Array, i: int) -> None:
    """Discard what a new latency limit has made overdue, and let sources in that waited for room."""
    cell = cell_of(cells, i)
    while discard(cell):
        sources.take_arrivals(cell, cell.clock[0].slot)
