"""What a packet's end is worth: verdicts, utility and reward."""

from collections.abc import Sequence

import numpy as np

from netsim.compiled import formula, inlined
from netsim.report import FloatArray, IntArray
from netsim.state import Record

SATISFIED, SLOW, LATE, DROPPED, PENDING = range(5)


_AT_ONCE_BITS = (2**63 - 1) // 1_000_000_000
"""Bits that times 10^9 are still a whole number of 63 bits."""


@formula
def per_second(bits: int, time_ns: int) -> int:
    """Bits over a time as whole bit/s, rounded down; exact for times below 29 years whatever the bits.

    >>> int(per_second(np.int64(800), np.int64(900_000)))
    888888
    """
    if bits <= _AT_ONCE_BITS:
        return bits * 1_000_000_000 // time_ns
    rate_bps = bits // time_ns
    rest = bits % time_ns
    for _ in range(9):  # long division, one decimal after the other
        rest *= 10
        rate_bps = rate_bps * 10 + rest // time_ns
        rest %= time_ns
    return rate_bps


@inlined
def achieved_rate_bps(part: Record, size_bits: int, latency_ns: int, rate_sum_bps: int, rate_slots: int) -> int:
    """A departed packet's rate, whole bit/s: mean granted rate over the slots that served it, or its goodput."""
    if part.goodput:
        return per_second(size_bits, latency_ns)
    return rate_sum_bps // rate_slots


@inlined
def verdict(part: Record, latency_ns: int, rate_bps: int) -> int:
    """The verdict on a packet at its departure: limit and floor themselves are kept promises."""
    if latency_ns > part.latency_limit_ns:
        return LATE
    return SATISFIED if rate_bps >= part.rate_floor_bps else SLOW


@inlined
def count(tally: Record, outcome: int) -> None:
    """Count a packet that departs, and was not late before. Updates ``tally``."""
    if outcome == SATISFIED:
        tally.satisfied += 1
    elif outcome == SLOW:
        tally.slow += 1
    else:
        tally.late += 1


def ssr(satisfied: IntArray, resolved: IntArray) -> FloatArray:
    """SLA satisfaction ratio (paper eq. 3): satisfied over resolved, 1 where nothing was resolved.

    >>> ssr(np.array([3, 0]), np.array([4, 0]))
    array([0.75, 1.  ])
    """
    return np.divide(satisfied, resolved, out=np.ones(np.shape(resolved)), where=np.asarray(resolved) > 0)


def utility(alpha: float, se: float | FloatArray, weights: FloatArray, ssr_n: FloatArray) -> FloatArray:
    """U = alpha se + sum_n beta_n SSR_n (paper eq. 5), slices along the last axis.

    >>> round(float(utility(0.01, 72.6, np.ones(3), np.array([1.0, 0.9997, 0.966]))), 4)
    3.6917
    """
    return np.asarray(alpha * np.asarray(se) + (weights * ssr_n).sum(axis=-1))


def threshold(step: IntArray | int, gmin: float, gmax: float, sigma: float) -> FloatArray:
    """g(t) = min(gmin + sigma t, gmax), t in steps."""
    return np.minimum(gmin + sigma * np.asarray(step), gmax)


def reshaped_reward(
    utility: FloatArray | float, step: IntArray | Sequence[int] | int, gmin: float, gmax: float, sigma: float
) -> FloatArray:
    """Paper eq. 6: 0 below g(t), 1 from there to gmax, and 1 + (U - gmax) / 2 from gmax on.

    >>> reshaped_reward(np.array([1.0, 3.0, 4.0]), 0, gmin=2.0, gmax=3.5, sigma=0.001)
    array([0.  , 1.  , 1.25])
    """
    u = np.asarray(utility, float)
    above = np.where(u >= gmax, 1.0 + (u - gmax) / 2.0, 1.0)
    return np.where(u < threshold(np.asarray(step), gmin, gmax, sigma), 0.0, above)
