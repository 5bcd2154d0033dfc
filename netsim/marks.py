"""Marks: 64 bits a slice, period and layer that change with every event of the layer.

A mark is the exclusive or of a number per event, so the order in which the kernel comes across events of a period does
not matter; what matters, the instant, is part of each event's number. :mod:`netsim.fingerprint` chains the marks of all
periods with SHA-256. They are always on: three multiplications an event, measured at 2 to 3 % of a period of
``table1``.
"""

import numba
import numpy as np

from netsim.compiled import formula, inlined
from netsim.state import Record

_32 = np.uint64(32)
# Odd numbers of 64 bits without a pattern: the fractional parts of the square roots of 2, 3 and 5.
_K0 = np.uint64(0x6A09E667F3BCC909)
_K1 = np.uint64(0xBB67AE8584CAA73B)
_K2 = np.uint64(0x3C6EF372FE94F82B)


def _product(a: int, b: int) -> int:
    return np.uint64(int(a) * int(b) & 0xFFFF_FFFF_FFFF_FFFF)


if numba.config.DISABLE_JIT:
    product = _product
else:

    @formula
    def product(a: int, b: int) -> int:
        """The low 64 bits of a product of uint64; numpy's own would warn that the rest is lost."""
        return a * b


@formula
def mixed(who: int, when: int, what: int) -> int:
    """One number of 64 bits for three that are not negative.

    It differs, but for one case in 2^64 or so, whichever of the three changes; and so does the exclusive or of many
    such numbers where records exchange parts.
    """
    x = product(np.uint64(who), _K0) ^ product(np.uint64(what), _K2) ^ np.uint64(when)
    return product(x ^ (x >> _32), _K1)


@inlined
def arrival(tally: Record, user: Record, now_ns: int, bits: int) -> None:
    """A packet came, and found room or not. Updates ``arrivals_mark``."""
    tally.arrivals_mark ^= mixed((user.number << 32) + user.packet, now_ns, bits)


@inlined
def grant(tally: Record, user: Record, slot: int, prb: int, bits: int) -> None:
    """A user was granted resource blocks, which carry so many whole bits. Updates ``grants_mark``."""
    tally.grants_mark ^= mixed((user.number << 32) + prb, slot, bits)


@inlined
def end(tally: Record, user: Record, index: int, now_ns: int, rate_bps: int, outcome: int) -> None:
    """A packet departed, was dropped or given up, or its limit passed. Updates ``departures_mark``."""
    tally.departures_mark ^= mixed((user.number << 32) + index, now_ns, (rate_bps << 3) + outcome)


@inlined
def fading(tally: Record, user: Record, slot: int, rate_bps: int) -> None:
    """What one resource block would carry for a user in a slot. Updates ``fading_mark``."""
    tally.fading_mark ^= mixed(user.number, slot, rate_bps)
