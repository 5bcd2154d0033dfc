"""A controller that is checked exactly: Hypothesis compares it with the best of all allocations, in whole numbers.

    python examples/max_min.py        (needs: pip install 'slicetwin[testing]')
    netsim run table1 --controller examples/max_min.py:MaxMin

`MaxMin` shares units so that the slice with the fewest units per offered bit has as many as can be. It is a greedy
rule; that it is optimal is checked against all allocations, with no tolerance. Rounding proportional shares looks as
good and is not, and Hypothesis finds the smallest case that shows it. It prints

    max_min is optimal in 300 cases of up to 4 slices
    rounded shares are not: for [3, 1] bits and 6 units [5, 1], better [4, 2]
    check_controller: nothing is wrong with it
"""

from collections.abc import Sequence
from fractions import Fraction

from netsim import PeriodReport, Scenario, allocations, hookimpl


def least(units: Sequence[int], bits: Sequence[int]) -> Fraction | None:
    """The fewest units per offered bit of all slices that offered any; ``None`` if none did."""
    return min((Fraction(given, offered) for given, offered in zip(units, bits, strict=True) if offered), default=None)


def max_min(bits: Sequence[int], units: int) -> list[int]:
    """One unit to each slice, then each further unit to the slice that has the fewest per offered bit."""
    shared = [1] * len(bits)
    for _ in range(units - len(bits)):
        poorest = max(range(len(bits)), key=lambda i: Fraction(bits[i], shared[i]))
        shared[poorest] += 1
    return shared


class MaxMin:
    """Plays :func:`max_min` for the bits offered in the period before."""

    def __init__(self, scenario: Scenario) -> None:
        self._units = scenario.carrier.units

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> list[int]:
        """The units per slice."""
        return max_min([int(bits) for bits in report.offered_bits], self._units)


def best(bits: Sequence[int], units: int) -> Fraction | None:
    """What the best of all allocations leaves the poorest slice."""
    n = len(bits)
    every = (allocations.unrank(index, units, n) for index in range(allocations.count(units, n)))
    return max((least(each, bits) for each in every), key=lambda value: value or Fraction(0))


def main() -> None:
    """Check both rules."""
    from hypothesis import find, given, settings
    from hypothesis import strategies as st

    from netsim.testing import check_controller

    offers = st.lists(st.integers(0, 50), min_size=1, max_size=4)

    @settings(max_examples=300, derandomize=True, deadline=None, database=None)
    @given(offers, st.integers(0, 8))
    def greedy_is_optimal(bits: list[int], spare: int) -> None:
        units = len(bits) + spare
        assert least(max_min(bits, units), bits) == best(bits, units)

    greedy_is_optimal()
    print("max_min is optimal in 300 cases of up to 4 slices")
    case = find(
        st.tuples(offers, st.integers(0, 8)),
        lambda case: least(_rounded(*case), case[0]) != best(case[0], len(case[0]) + case[1]),
        settings=settings(max_examples=2000, derandomize=True, database=None),
    )
    bits, units = case[0], len(case[0]) + case[1]
    print(f"rounded shares are not: for {bits} bits and {units} units {_rounded(*case)}, better {max_min(bits, units)}")
    print("check_controller:", check_controller(MaxMin) or "nothing is wrong with it")


def _rounded(bits: list[int], spare: int) -> list[int]:
    return list(allocations.largest_remainder(bits, len(bits) + spare))


if __name__ == "__main__":
    main()
