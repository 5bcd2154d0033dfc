"""Allocations: N whole numbers of units, each at least 1, that sum to the carrier, in lexicographic order.

Number 0 is ``(1, ..., 1, U - N + 1)``, the last is ``(U - N + 1, 1, ..., 1)``.
"""

import math
import numbers
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim import limits
from netsim.errors import AllocationError, InputError


def count(units: int, n: int) -> int:
    """How many allocations there are: C(units - 1, n - 1).

    >>> count(100, 3), count(20, 3)
    (4851, 171)
    """
    return math.comb(units - 1, n - 1)


def rank(allocation: Sequence[int]) -> int:
    """The number of an allocation in lexicographic order.

    >>> rank((1, 1, 98)), rank((1, 2, 97)), rank((98, 1, 1))
    (0, 1, 4850)
    """
    number, left = 0, sum(allocation)
    for i, given in enumerate(allocation[:-1]):
        after = len(allocation) - i - 1
        number += sum(count(left - smaller, after) for smaller in range(1, given))
        left -= given
    return number


def unrank(index: int, units: int, n: int) -> tuple[int, ...]:
    """The allocation that :func:`rank` numbers ``index``.

    >>> unrank(4850, 100, 3)
    (98, 1, 1)

    Raises
    ------
    IndexError
        Unless ``0 <= index < count(units, n)``.
    """
    if not 0 <= index < count(units, n):
        raise IndexError(
            f"allocations of {units} units to {n} slices are numbered 0..{count(units, n) - 1}, got {index}"
        )
    allocation = []
    for after in range(n - 1, 0, -1):
        given = 1
        while index >= (following := count(units - given, after)):
            index -= following
            given += 1
        allocation.append(given)
        units -= given
    return (*allocation, units)


def enumerate_all(units: int, n: int) -> NDArray[np.int64]:
    """All allocations in lexicographic order, shape ``(count(units, n), n)``.

    >>> enumerate_all(4, 2).tolist()
    [[1, 3], [2, 2], [3, 1]]

    Raises
    ------
    InputError
        There are more than ``netsim.limits.MAX_ALLOCATIONS``.
    """
    number = count(units, n)
    if number > limits.MAX_ALLOCATIONS:
        raise InputError(
            f"there are {number:,} allocations of {units} units to {n} slices, they can be gone through one by one up "
            f"to {limits.MAX_ALLOCATIONS:,}; raise carrier.allocation_unit_prb, which makes fewer and larger units"
        )
    cuts = np.array(list(combinations(range(1, units), n - 1)), dtype=np.int64).reshape(number, n - 1)
    return np.diff(cuts, axis=1, prepend=0, append=units)


def check(allocation: object, units: int, n: int) -> tuple[int, ...]:
    """The allocation as Python ints; numpy integers are whole numbers too, ``True``, ``3.0`` and ``"3"`` are not.

    >>> check(np.array([3, 70, 27]), 100, 3)
    (3, 70, 27)

    Raises
    ------
    AllocationError
        Naming the rule that is broken and the value.
    """
    parts = _parts(allocation)
    if parts is None or len(parts) != n:
        raise AllocationError(f"allocation must be a sequence of {n} whole numbers, got {_shown(allocation)}")
    whole = tuple(_unit(i, part) for i, part in enumerate(parts))
    if sum(whole) != units:
        got = f"{_shown(whole)}, which sums to {_shown(sum(whole))}"
        raise AllocationError(f"allocation must sum to {units} units, got {got}")
    return whole


def _unit(i: int, part: object) -> int:
    if isinstance(part, bool | np.bool_) or not isinstance(part, numbers.Integral):
        raise AllocationError(f"allocation[{i}] must be a whole number, got {_shown(part)}")
    if int(part) < 1:
        raise AllocationError(f"allocation[{i}] must be at least 1 unit, got {_shown(part)}")
    return int(part)


def _parts(allocation: object) -> list[object] | None:
    if isinstance(allocation, np.ndarray):
        return list(allocation) if allocation.ndim == 1 else None
    if isinstance(allocation, Sequence) and not isinstance(allocation, str | bytes | bytearray | memoryview):
        return list(allocation)
    return None


def _shown(value: object, most: int = 120) -> str:
    try:
        text = repr(value.tolist() if isinstance(value, np.ndarray | np.generic) else value)
    except Exception:  # a controller's own object may raise anything here
        text = f"an object of {type(value).__name__}"
    return text if len(text) <= most else text[: most - 3] + "..."


def largest_remainder(weights: ArrayLike, units: int) -> tuple[int, ...]:
    """Units in proportion to the weights, at least 1 each, by largest remainder; ties go to the first.

    Every slice is given one unit, the others are shared so that the whole is as near the exact quotas as one unit
    each allows. Weights that are all zero share equally.

    >>> largest_remainder([1, 1, 1], 100), largest_remainder([0, 5, 5], 11)
    ((34, 33, 33), (1, 5, 5))

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or there are fewer units than slices.
    """
    shares = np.asarray(weights, dtype=np.float64)
    if shares.ndim != 1 or not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError(f"weights must be finite and not negative, got {_shown(weights)}")
    if units < shares.size:
        raise ValueError(f"{shares.size} slices need at least {shares.size} units, got {units}")
    if not shares.any():
        shares = np.ones_like(shares)
    return _at_least_one(shares / shares.max(), units)


def _at_least_one(shares: NDArray[np.float64], units: int) -> tuple[int, ...]:
    """Slices whose quota is below one unit get one; the rest share what is left, again until none is below."""
    poor = np.zeros(shares.size, dtype=bool)
    while True:
        rich = np.where(poor, 0.0, shares)
        quotas = np.where(poor, 1.0, rich * ((units - poor.sum()) / rich.sum()))
        below = (quotas < 1.0) & ~poor
        if not below.any():
            break
        poor |= below
    whole = np.floor(quotas).astype(np.int64)
    order = np.argsort(whole - quotas, kind="stable")
    whole[order[: units - int(whole.sum())]] += 1
    return tuple(int(w) for w in whole)
