"""Schedulers: how a slice's resource blocks are shared among its active users in one slot."""

from typing import Any, Protocol

import numpy as np

from netsim import bitset
from netsim.channel import NR, bits_in_slot, rate_of
from netsim.compiled import inlined, inner
from netsim.portable import exp2, greater
from netsim.state import NONE, Array, Cell, Record

ROUND_ROBIN, PROPORTIONAL_FAIR, MAX_RATE, EARLIEST_DEADLINE, LARGEST_QUEUE, PLUGIN, COMPILED_PLUGIN = range(7)
SCHEDULERS = {
    "round-robin": ROUND_ROBIN,
    "proportional-fair": PROPORTIONAL_FAIR,
    "max-rate": MAX_RATE,
    "earliest-deadline": EARLIEST_DEADLINE,
    "largest-queue": LARGEST_QUEUE,
}
_FIRST = np.int64(0)  # typed: the compiler would make a copy of a function for a literal
NEWCOMER_BITS = 1e-9
"""Least average of proportional fair: a user who was never served comes first."""


class Scheduler(Protocol):
    """What a scheduler plugin is: plain Python, or compiled by numba and then called inside the kernel."""

    def share(self, prb: int, slot: int, active: Any, grants: Any) -> None:
        """Share ``prb`` resource blocks of a slot among the active users.

        ``active`` has one record of :data:`netsim.state.ACTIVE` per active user, in order of their numbers; the
        answer is written into ``grants``, int64, one entry per record, zero before the call. All blocks have to be
        granted: what a user does not need is lost, and nothing is left idle while somebody has packets.
        """


@inlined
def share_round_robin(words: Array, part: Record, prb: int, served: Array, grants: Array) -> int:
    """Write the users served and their resource blocks; returns how many they are. Updates the pointer.

    Every active user gets ``prb div A``; the rest go one each to the first active users from the pointer on.
    """
    equal = prb // part.n_active
    extra = prb - equal * part.n_active
    if equal == 0:
        return _next_active(words, part, prb, served, grants)
    n = gather(words, part, served)
    for i in range(n):
        grants[i] = equal
    if extra > 0:
        _add_extra(part, extra, served, grants, n)
    return n


@inner
def _next_active(words: Array, part: Record, count: int, served: Array, grants: Array) -> int:
    """One resource block to each of the next ``count`` active users, fewer than there are."""
    member = part.pointer
    for i in range(count):
        member = bitset.first_from(words, part, member)
        if member == NONE:
            member = bitset.first_from(words, part, _FIRST)
        served[i] = member
        grants[i] = 1
        member += 1
    part.pointer = member if member < part.users_ever else 0
    return count


@inlined
def _add_extra(part: Record, extra: int, served: Array, grants: Array, n: int) -> None:
    """One more resource block to each of ``extra`` users, going round from the pointer."""
    at = 0
    while at < n and served[at] < part.pointer:
        at += 1
    for _ in range(extra):
        if at == n:
            at = 0
        grants[at] += 1
        at += 1
    member = served[at - 1] + 1
    part.pointer = member if member < part.users_ever else 0


@inlined
def gather(words: Array, part: Record, served: Array) -> int:
    """Write the numbers of all active users, in order; returns how many they are."""
    found = 0
    member = bitset.first_from(words, part, _FIRST)
    while member != NONE:
        served[found] = member
        found += 1
        member = bitset.first_from(words, part, member + 1)
    return found


@inner
def average_now(part: Record, user: Record, slot: int) -> float:
    """The average of bits sent per slot before ``slot``; it has decayed since the user was last served."""
    return user.average_bits * exp2(greater((slot - user.average_slot) * part.log2_keep, -900.0))


@inner
def update_average(part: Record, user: Record, slot: int, sent_bits: int) -> None:
    """Take the bits sent in ``slot`` into the user's average. Updates ``user``."""
    user.average_bits = part.keep * average_now(part, user, slot) + (1.0 - part.keep) * sent_bits
    user.average_slot = slot + 1


@inner
def score(kind: int, seen: Record, now_ns: int) -> float:
    """How soon a user is served: the highest score first, the lowest number among equals."""
    if kind == PROPORTIONAL_FAIR:
        return seen.bits_per_prb / greater(seen.average_bits, NEWCOMER_BITS)
    if kind == MAX_RATE:
        return seen.bits_per_prb
    if kind == EARLIEST_DEADLINE:
        return np.float64(now_ns - seen.deadline_ns)
    return np.float64(seen.backlog_bits)


@inner
def share_by_score(cell: Cell, prb: int, n: int) -> None:
    """Grant resource blocks by score, each user as many as its backlog needs; what is left goes to the first.

    Updates ``grants``, zero before, of the first ``n`` users.
    """
    clock = cell.clock[0]
    scores = cell.scores
    grants = cell.grants
    left = prb
    first = NONE
    for _ in range(n):
        best = NONE
        for i in range(n):
            if grants[i] == 0 and (best == NONE or scores[i] > scores[best]):
                best = i
        if first == NONE:
            first = best
        backlog_bits = cell.seen[best].backlog_bits
        grants[best] = prb_needed(clock, backlog_bits, left, cell.faded[best], cell.thresholds, cell.efficiencies)
        left -= grants[best]
        if left == 0:
            return
    grants[first] += left


@inner
def prb_needed(
    clock: Record, backlog_bits: int, most: int, faded: float, thresholds: Array, efficiencies: Array
) -> int:
    """The fewest resource blocks that carry a backlog in one slot, ``most`` if that many do not."""
    low = 1
    if clock.link == NR and not clock.spread:  # steps of efficiency: more blocks may carry less
        while low < most and bits_in_slot(clock, rate_of(clock, low, faded, thresholds, efficiencies)) < backlog_bits:
            low += 1
        return low
    high = most
    while low < high:
        middle = (low + high) // 2
        if bits_in_slot(clock, rate_of(clock, middle, faded, thresholds, efficiencies)) >= backlog_bits:
            high = middle
        else:
            low = middle + 1
    return low
