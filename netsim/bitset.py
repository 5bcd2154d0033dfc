"""The set of active users of a slice as a tree of 64-bit words: three levels hold 262 144 users.

A bit of ``level1`` says whether a word of ``level0`` is non-zero, a bit of ``level2`` the same of ``level1``. Adding,
removing and finding the next member touch at most five words, however many users there are.
"""

import numpy as np

from netsim.compiled import inner, kernel, lowest_bit
from netsim.state import NONE, Array, Record

_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_63 = np.int64(63)


def words_needed(users: int) -> tuple[int, int, int]:
    """Words of level 0, 1 and 2."""
    level0 = max(1, -(-users // 64))
    level1 = -(-level0 // 64)
    return level0, level1, -(-level1 // 64)


@kernel
def add(words: Array, part: Record, member: int) -> None:
    """Make a user active. Updates ``words``."""
    w = member >> 6
    words[part.level0 + w] |= _ONE << np.uint64(member & _63)
    words[part.level1 + (w >> 6)] |= _ONE << np.uint64(w & _63)
    words[part.level2 + (w >> 12)] |= _ONE << np.uint64((w >> 6) & _63)


@kernel
def remove(words: Array, part: Record, member: int) -> None:
    """Make a user inactive. Updates ``words``."""
    w = member >> 6
    words[part.level0 + w] &= ~(_ONE << np.uint64(member & _63))
    if words[part.level0 + w] == _ZERO:
        words[part.level1 + (w >> 6)] &= ~(_ONE << np.uint64(w & _63))
        if words[part.level1 + (w >> 6)] == _ZERO:
            words[part.level2 + (w >> 12)] &= ~(_ONE << np.uint64((w >> 6) & _63))


@kernel
def first_from(words: Array, part: Record, start: int) -> int:
    """The first active user numbered ``start`` or more, or ``NONE``."""
    if start >= part.users_ever:
        return NONE
    rest = words[part.level0 + (start >> 6)] >> np.uint64(start & _63)
    if rest != _ZERO:
        return start + lowest_bit(rest)
    w = _next_word(words, part, (start >> 6) + 1)
    if w == NONE:
        return NONE
    return (w << 6) + lowest_bit(words[part.level0 + w])


@inner
def _next_word(words: Array, part: Record, start: int) -> int:
    """The first non-zero word of level 0 from ``start`` on, or ``NONE``."""
    if start << 6 >= part.users_ever:
        return NONE
    rest = words[part.level1 + (start >> 6)] >> np.uint64(start & _63)
    if rest != _ZERO:
        return start + lowest_bit(rest)
    above = (start >> 6) + 1
    if above << 12 >= part.users_ever:
        return NONE
    rest = words[part.level2 + (above >> 6)] >> np.uint64(above & _63)
    if rest == _ZERO:
        return NONE
    v = above + lowest_bit(rest)
    return (v << 6) + lowest_bit(words[part.level1 + v])
