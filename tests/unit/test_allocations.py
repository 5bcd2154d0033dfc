"""The numbering of allocations, what counts as one, and rounding by largest remainder."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netsim import allocations, limits
from netsim.errors import AllocationError, InputError

SIZES = st.integers(1, 5).flatmap(lambda n: st.tuples(st.integers(n, 12), st.just(n)))


@given(SIZES)
def test_enumeration_is_every_composition_in_lexicographic_order(size):
    units, n = size
    brute = [a for a in product(range(1, units + 1), repeat=n) if sum(a) == units]
    assert [tuple(row) for row in allocations.enumerate_all(units, n).tolist()] == brute
    assert allocations.count(units, n) == len(brute)


@given(st.data(), st.integers(1, 16), st.integers(0, 259))
def test_rank_and_unrank_are_inverse(data, n, more):
    units = n + more
    index = data.draw(st.integers(0, allocations.count(units, n) - 1))
    allocation = allocations.unrank(index, units, n)
    assert allocations.check(allocation, units, n) == allocation
    assert allocations.rank(allocation) == index


@pytest.mark.parametrize("index", [-1, 4851])
def test_numbers_beyond_the_allocations_are_refused(index):
    with pytest.raises(IndexError, match=r"0\.\.4850"):
        allocations.unrank(index, 100, 3)


@pytest.mark.parametrize("valid", [(3, 70, 27), [3, 70, 27], np.array([3, 70, 27]), np.array([3, 70, 27], np.uint8)])
def test_whole_numbers_of_any_kind_are_an_allocation(valid):
    checked = allocations.check(valid, 100, 3)
    assert checked == (3, 70, 27)
    assert all(type(part) is int for part in checked)


class Hostile:
    def __repr__(self):
        raise RuntimeError("no representation")


INVALID = {
    "nothing": (None, "sequence of 3"),
    "a number": (100, "sequence of 3"),
    "a text": ("abc", "sequence of 3"),
    "bytes": (b"\x03\x46\x1b", "sequence of 3"),
    "a mapping": ({0: 3, 1: 70, 2: 27}, "sequence of 3"),
    "a set": ({3, 70, 27}, "sequence of 3"),
    "a generator": ((x for x in (3, 70, 27)), "sequence of 3"),
    "too short": ((50, 50), "sequence of 3"),
    "too long": ((25, 25, 25, 25), "sequence of 3"),
    "empty": ((), "sequence of 3"),
    "a matrix": (np.array([[3, 70, 27]]), "sequence of 3"),
    "a column": (np.array([[3], [70], [27]]), "sequence of 3"),
    "a scalar array": (np.array(100), "sequence of 3"),
    "an object": (Hostile(), "sequence of 3"),
    "floats": ((3.0, 70.0, 27.0), r"allocation\[0\] must be a whole number, got 3.0"),
    "a float array": (np.array([3.0, 70.0, 27.0]), r"allocation\[0\] must be a whole number"),
    "nan": ((3, math.nan, 27), r"allocation\[1\] must be a whole number, got nan"),
    "infinity": ((3, 70, math.inf), r"allocation\[2\] must be a whole number, got inf"),
    "digits": (("3", "70", "27"), r"allocation\[0\] must be a whole number, got '3'"),
    "truth": ((True, 70, 29), r"allocation\[0\] must be a whole number, got True"),
    "numpy truth": (np.array([True, True, True]), r"allocation\[0\] must be a whole number"),
    "a hole": ((3, None, 97), r"allocation\[1\] must be a whole number, got None"),
    "complex": ((3 + 0j, 70, 27), r"allocation\[0\] must be a whole number"),
    "objects": ((Hostile(), 70, 27), r"allocation\[0\] must be a whole number, got an object of Hostile"),
    "zero": ((0, 73, 27), r"allocation\[0\] must be at least 1 unit, got 0"),
    "negative": ((3, -70, 167), r"allocation\[1\] must be at least 1 unit, got -70"),
    "too much": ((4, 70, 27), r"must sum to 100 units, got \(4, 70, 27\), which sums to 101"),
    "too little": ((2, 70, 27), "which sums to 99"),
    "numpy overflow": (np.array([2**63 - 1, 2**63 - 1, 102]), "must sum to 100"),
    "a huge number": ((10**5000, 70, 27), "must sum to 100"),
    "a huge negative number": ((-(10**5000), 70, 27), "at least 1 unit"),
}


@pytest.mark.parametrize(("value", "rule"), INVALID.values(), ids=INVALID)
def test_anything_else_is_refused_by_rule_and_value(value, rule):
    with pytest.raises(AllocationError, match=rule) as caught:
        allocations.check(value, 100, 3)
    assert len(str(caught.value)) < 400


WEIGHTS = st.lists(st.floats(0, 1e300, allow_subnormal=True), min_size=1, max_size=16)


@given(WEIGHTS, st.integers(0, 275))
def test_largest_remainder_is_an_allocation(weights, more):
    units = len(weights) + more
    assert allocations.check(allocations.largest_remainder(weights, units), units, len(weights)) is not None


@given(st.lists(st.integers(10, 100), min_size=1, max_size=8), st.integers(80, 275))
def test_shares_are_within_one_unit_of_quotas_that_are_all_above_one(weights, units):
    quotas = np.array(weights) * units / sum(weights)
    assert (np.abs(allocations.largest_remainder(weights, units) - quotas) < 1).all()


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_whole_quotas_are_met_exactly(weights):
    assert allocations.largest_remainder(weights, sum(weights)) == tuple(weights)


@given(WEIGHTS)
def test_more_weight_is_never_given_less(weights):
    units = np.array(allocations.largest_remainder(weights, 275))
    order = np.argsort(weights, kind="stable")
    heavier = np.diff(np.array(weights)[order]) > 0
    assert (np.diff(units[order])[heavier] >= 0).all()


@pytest.mark.parametrize("weights", [[1.0, -1.0], [math.nan, 1.0], [math.inf, 1.0], [[1.0, 2.0]]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="weights must be finite and not negative"):
        allocations.largest_remainder(weights, 10)


def test_fewer_units_than_slices_are_refused():
    with pytest.raises(ValueError, match="3 slices need at least 3 units, got 2"):
        allocations.largest_remainder([1, 1, 1], 2)


@given(st.integers(2, 16), st.integers(1, 275))
def test_more_allocations_than_can_be_listed_are_refused_by_their_number(n, units):
    number = allocations.count(units, n)
    assume(number > limits.MAX_ALLOCATIONS)
    with pytest.raises(InputError) as caught:
        allocations.enumerate_all(units, n)
    told = f"{number:,} allocations of {units} units to {n} slices"
    assert told in str(caught.value)
    assert "carrier.allocation_unit_prb" in str(caught.value)
