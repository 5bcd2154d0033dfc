"""The users' sources: when each next packet comes, and a wheel of slots that knows who is due."""

import numpy as np

from netsim.compiled import call_draw, inlined, inner, prefetch
from netsim.portable import lesser
from netsim.queues import arrive, discard_overdue
from netsim.state import (
    CACHE_LINE,
    DRAWN,
    FOREVER_NS,
    LARGEST_BITS,
    MOST_AT_ONCE,
    NONE,
    QUEUED,
    SUPPLY,
    USER,
    Array,
    Cell,
    Record,
)
from netsim.streams import philox, uniform
from netsim.traffic import COMPILED_PLUGIN, PLUGIN, SILENT, draw_block, multiplier

_FOREVER = float(FOREVER_NS)
USER_BYTES, QUEUED_BYTES, SUPPLY_BYTES = USER.itemsize, QUEUED.itemsize, SUPPLY * DRAWN.itemsize
CROWD = 4096
"""Users beyond which a cell's arrays outgrow the caches that are near."""
AHEAD_SLOTS = 3
"""Slots between asking for a user's rows and using them: about the time that memory takes."""


@inner
def take_arrivals(cell: Cell, slot: int) -> None:
    """Let every packet arrive that is due up to the beginning of ``slot``, that instant included.

    Updates everything but the tables. Sources that cannot go on inside the kernel end up in ``starved``.
    """
    clock = cell.clock[0]
    bucket = slot & (cell.wheel.size - 1)
    edge_ns = slot * clock.slot_ns
    if cell.users.size > CROWD:
        fetch_ahead(cell, slot + AHEAD_SLOTS)
    due = np.int64(cell.wheel[bucket])
    cell.wheel[bucket] = NONE
    while due != NONE:
        user = cell.users[due]
        following = np.int64(cell.following[due])
        going = user.present != 0
        while going and user.next_arrival_ns <= edge_ns:
            going = take_one(cell, due, edge_ns)
        if going:
            wait(clock, cell.wheel, cell.following, user, due)
        due = following


@inlined
def fetch_ahead(cell: Cell, slot: int) -> None:
    """Ask the processor for what the users due in a coming slot will touch: among many users none of it is at hand."""
    users, queues, supplies = cell.users.ctypes.data, cell.queues.ctypes.data, cell.supplies.ctypes.data
    queue_bytes = cell.queues.shape[1] * QUEUED_BYTES
    due = np.int64(cell.wheel[slot & (cell.wheel.size - 1)])
    while due != NONE:
        prefetch(users + due * USER_BYTES)
        prefetch(users + due * USER_BYTES + CACHE_LINE)
        prefetch(queues + due * queue_bytes)
        prefetch(supplies + due * SUPPLY_BYTES)
        prefetch(supplies + due * SUPPLY_BYTES + CACHE_LINE)
        due = np.int64(cell.following[due])


@inlined
def take_one(cell: Cell, u: int, edge_ns: int) -> bool:
    """Let a user's next packet arrive and date the one after it; False if the source cannot go on."""
    if log_is_full(cell):
        _stand_still(cell, u)
        return False
    clock = cell.clock[0]
    user = cell.users[u]
    part = cell.slices[user.slice]
    tally = cell.tallies[user.slice]
    now_ns = user.next_arrival_ns
    if part.discard and now_ns == edge_ns:  # what is overdue at a slot's edge leaves before those who come at it
        discard_overdue(clock, part, tally, user, cell.queues[u], cell.active, cell.log, now_ns)
    bits = cell.supplies[u, user.packet & (SUPPLY - 1)].size_bits
    if not arrive(clock, part, tally, user, cell.queues[u], cell.active, cell.log, now_ns, bits):
        if now_ns < user.leaving_ns <= edge_ns:
            user.next_arrival_ns = user.leaving_ns  # there is room as soon as those leave
            return True
        user.blocked = 1
        return False
    user.packet += 1
    if user.packet & (SUPPLY - 1) == 0 and not supply(cell, u):
        return False
    return set_next_arrival(cell, u, now_ns)


@inlined
def log_is_full(cell: Cell) -> bool:
    """Whether the packet log has rows only for the packets that are queued."""
    clock = cell.clock[0]
    if not clock.logging:
        return False
    rows = clock.logged
    for s in range(cell.slices.size):
        rows += cell.slices[s].queued
    return rows >= cell.log.size


@inner
def _stand_still(cell: Cell, u: int) -> None:
    clock = cell.clock[0]
    cell.starved[clock.starved] = u
    clock.starved += 1


@inner
def supply(cell: Cell, u: int) -> bool:
    """Draw a user's next block of packets; False if a plugin outside the kernel has to."""
    clock = cell.clock[0]
    user = cell.users[u]
    part = cell.slices[user.slice]
    if part.traffic == PLUGIN:
        user.unsupplied = 1
        _stand_still(cell, u)
        return False
    if part.traffic == SILENT:
        cell.supplies[u, 0].gap_ns = FOREVER_NS
    elif part.traffic == COMPILED_PLUGIN:
        if not _draw_plugged(clock, part, user, cell.supplies[u], cell.draw_values):
            clock.misdrawn = u + 1
            _stand_still(cell, u)
            return False
    else:
        draw_block(clock.seed, part, user, cell.supplies[u], cell.draw_bits, cell.choices, cell.trace)
    return True


@inner
def _draw_plugged(clock: Record, part: Record, user: Record, supply: Array, values: Array) -> bool:
    """Have a compiled plugin draw the user's next packets; False if it drew what is no packet, left in ``values``.

    Updates ``supply`` and ``values``.
    """
    for j in range(SUPPLY):
        index = user.packet + j
        values[2] = index
        gap_word, size_word = philox(clock.seed, np.uint64(index), np.uint64(user.number), part.packets_word)
        call_draw(part.draw_address, index, uniform(gap_word), uniform(size_word), values.ctypes.data)
        if not (values[0] >= 0.0 and 1.0 <= values[1] < LARGEST_BITS):
            return False
        supply[j].gap_ns = np.int64(lesser(values[0], _FOREVER) + 0.5)
        supply[j].size_bits = np.int64(values[1])
    return True


@inlined
def set_next_arrival(cell: Cell, u: int, now_ns: int) -> bool:
    """Date the user's next packet, its gap drawn at ``now_ns`` and shortened by the load of that instant.

    False if the source lets no time pass.
    """
    user = cell.users[u]
    part = cell.slices[user.slice]
    gap_ns = cell.supplies[u, user.packet & (SUPPLY - 1)].gap_ns
    if part.curve_points > 0:
        scaled_ns = gap_ns / multiplier(part, now_ns, cell.curve_ns, cell.curve_multiplier)
        gap_ns = np.int64(lesser(scaled_ns, _FOREVER))
    user.next_arrival_ns = now_ns + gap_ns if gap_ns < FOREVER_NS else FOREVER_NS
    return gap_ns > 0 or _moves_on(cell, u, now_ns)


@inner
def _moves_on(cell: Cell, u: int, now_ns: int) -> bool:
    """Count a gap of nothing; False, and the source stands still, if there are too many at this instant.

    A source that waits for room in its queue never gets there: it goes on at the instant of a departure.
    """
    user = cell.users[u]
    if user.standing_ns != now_ns:
        user.standing_ns = now_ns
        user.standing = 0
    user.standing += 1
    if user.standing < MOST_AT_ONCE:
        return True
    cell.clock[0].misdrawn = u + 1
    _stand_still(cell, u)
    return False


@inlined
def wait(clock: Record, wheel: Array, following: Array, user: Record, u: int) -> None:
    """Put a user into the wheel at the slot in which its next packet is first eligible."""
    if user.next_arrival_ns >= FOREVER_NS:
        return
    # The first slot that begins at or after the arrival; a float quotient and a correction, faster than a division.
    slot = np.int64(user.next_arrival_ns * clock.slots_per_ns)
    while slot * clock.slot_ns < user.next_arrival_ns:
        slot += 1
    while (slot - 1) * clock.slot_ns >= user.next_arrival_ns:
        slot -= 1
    bucket = slot & (wheel.size - 1)
    following[u] = wheel[bucket]
    wheel[bucket] = u


@inner
def revive(cell: Cell) -> None:
    """Put every source that stood still back into the wheel, now that the log has room and plugins have drawn packets.

    Users who have just joined stand still too, without packets: their first one comes after one gap from now.
    Updates everything but the tables; sources may stand still again.
    """
    clock = cell.clock[0]
    waiting = clock.starved
    clock.starved = 0
    for i in range(waiting):  # those that stand still again are written no further than i
        u = np.int64(cell.starved[i])
        user = cell.users[u]
        if user.unsupplied:
            if cell.slices[user.slice].traffic != PLUGIN and not supply(cell, u):
                continue
            user.unsupplied = 0
            if not set_next_arrival(cell, u, user.next_arrival_ns):
                continue
        wait(clock, cell.wheel, cell.following, user, u)


@inner
def unblock(cell: Cell, u: int, now_ns: int) -> None:
    """Give a source that waits for room its packet's new instant, at which a place becomes free."""
    user = cell.users[u]
    if user.blocked:
        user.blocked = 0
        user.next_arrival_ns = now_ns
        wait(cell.clock[0], cell.wheel, cell.following, user, u)
