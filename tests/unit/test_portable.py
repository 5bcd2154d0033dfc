"""Logarithm, power and cosine are as near as they say to the exact values, and exact where a model needs it.

Exact values are decimal numbers of 40 digits, so the error of a check is far below one unit in the last place.
"""

import math
import struct
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netsim.portable import cos_turn, exp2, from_bits, greater, lesser, log2, sin_turn, to_bits

EXACT = Context(prec=40)
LN2 = Decimal(2).ln(EXACT)
PI = Decimal("3.141592653589793238462643383279502884197")
NORMAL = st.floats(min_value=2.0**-1022, max_value=1.7e308, allow_nan=False)


def units(found, exact):
    """Distance in units of the last place of the exact value."""
    return abs(Decimal(found) - exact) / Decimal(math.ulp(float(exact)))


def exact_log2(x):
    return EXACT.divide(Decimal(x).ln(EXACT), LN2)


def exact_exp2(y):
    return EXACT.exp(EXACT.multiply(Decimal(y), LN2))


def exact_cos(turns):
    """Taylor's series at the turns less their nearest whole number; 40 terms of (2 pi / 2)^2n / (2n)! are < 1e-70."""
    with localcontext(EXACT):
        angle = 2 * PI * (Decimal(turns) - round(Decimal(turns)))
        term, total = Decimal(1), Decimal(1)
        for n in range(1, 41):
            term *= -angle * angle / ((2 * n - 1) * (2 * n))
            total += term
        return total


# log2(x) = e + s p(s^2) has three roundings of relative size 2^-53 in the second part, besides that of the sum;
# where the parts cancel, x is next to 1 and e is 0.
@given(NORMAL)
@example(math.nextafter(1.0, 0.0))
@example(math.nextafter(1.0, 2.0))
@example(math.sqrt(2.0))
@example(math.nextafter(math.sqrt(2.0), 2.0))
@example(2.0**-53)
def test_log2_is_within_three_units_in_the_last_place(x):
    assert x == 1.0 or units(log2(x), exact_log2(x)) <= 3


@given(st.floats(min_value=-999.0, max_value=999.0))
def test_exp2_is_within_two_units_in_the_last_place(y):
    assert units(exp2(y), exact_exp2(y)) <= 2


# A rounded argument below 1/8 turn is off by 2^-57 turns, and the cosine by at most 2 pi times that, 4.4e-17; the
# polynomial adds a few roundings of numbers of at most 1, 1.1e-16 each.
@given(st.floats(min_value=-(2.0**40), max_value=2.0**40))
@example(0.125)
@example(0.375)
def test_cosine_and_sine_are_within_1e_15(turns):
    assert abs(Decimal(cos_turn(turns)) - exact_cos(turns)) <= Decimal("1e-15")


@given(st.floats(min_value=-1.0, max_value=1.0))
def test_sine_is_within_1e_15(turns):
    quarter_back = Decimal(turns) - Decimal("0.25")
    # The argument is rounded once more, by at most 2^-54 turns: 3.5e-16.
    assert abs(Decimal(sin_turn(turns)) - exact_cos(quarter_back)) <= Decimal("1.4e-15")


@pytest.mark.parametrize("n", [-999, -1, 0, 1, 52, 999])
def test_powers_of_two_are_exact(n):
    assert (log2(2.0**n), exp2(float(n))) == (n, 2.0**n)


@pytest.mark.parametrize(("turns", "cosine"), [(0.0, 1.0), (0.25, 0.0), (0.5, -1.0), (0.75, 0.0), (7.0, 1.0)])
def test_quarters_of_a_turn_are_exact(turns, cosine):
    assert cos_turn(turns) == cosine
    assert sin_turn(turns + 0.25) == cosine


@given(st.floats(min_value=2.0**-1000, max_value=2.0**1000))
def test_exp2_undoes_log2(x):
    # An error of 3 units in a logarithm below 1000 is 3 x 1.2e-13, times ln 2 relative.
    assert exp2(log2(x)) == pytest.approx(x, rel=3e-13)


@given(st.floats(allow_nan=False))
def test_bits_of_a_float_are_its_ieee_representation(x):
    word = int(to_bits(x))
    assert word == int.from_bytes(struct.pack("<d", x), "little")
    assert from_bits(np.uint64(word)) == x


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_lesser_and_greater_order_two_numbers(a, b):
    assert (lesser(a, b), greater(a, b)) == (min(a, b), max(a, b))
