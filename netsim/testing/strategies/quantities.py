"""Times, sizes and the distributions over them, as scenario files write them."""

from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

SLOT_NS = 500_000
"""The slot of every scenario that is drawn, in ns."""

Content = dict[str, Any]
"""A part of a scenario as a file holds it."""


@cache
def times(low_ns: int, high_ns: int) -> st.SearchStrategy[str]:
    """Times from ``low_ns`` to ``high_ns``, at least a slot apart, such as ``"1500000 ns"``; half are whole slots."""
    slots = st.integers(-(-low_ns // SLOT_NS), high_ns // SLOT_NS).map(lambda n: n * SLOT_NS)
    return st.one_of(slots, st.integers(low_ns, high_ns)).map(lambda ns: f"{ns} ns")


@cache
def sizes(low: int = 1, high: int = 60_000) -> st.SearchStrategy[str]:
    """Sizes from ``low`` to ``high`` bits, such as ``"4000 bit"``; half are round numbers, one bit among them."""
    round_numbers = [bits for bits in (1, 100, 4000, 20_000, 60_000) if low <= bits <= high]
    return st.one_of(st.integers(low, high), st.sampled_from(round_numbers or [low])).map(lambda bits: f"{bits} bit")


def gaps() -> st.SearchStrategy[Content]:
    """Distributions of the time between packets: typically 1/8 slot to 6 slots, at most 20 slots where capped."""
    return _laws(times, 0, SLOT_NS // 8, 6 * SLOT_NS, 20 * SLOT_NS)


def short_gaps() -> st.SearchStrategy[Content]:
    """Distributions of gaps of up to a slot, so that several packets of a user arrive in one."""
    return _laws(times, 0, SLOT_NS // 8, SLOT_NS, 2 * SLOT_NS)


def gaps_within_frames() -> st.SearchStrategy[Content]:
    """Distributions of the gaps between the packets of a video frame: up to a slot, at most 4 slots where capped."""
    return _laws(times, 0, SLOT_NS // 8, SLOT_NS, 4 * SLOT_NS)


def packet_sizes() -> st.SearchStrategy[Content]:
    """Distributions of packet sizes: typically 1 bit to 20 kbit, at most 60 kbit where capped."""
    return _laws(sizes, 1, 1, 20_000, 60_000)


@cache
def _laws(
    quantity: Callable[[int, int], st.SearchStrategy[str]], low: int, least: int, middle: int, high: int
) -> st.SearchStrategy[Content]:
    """A distribution of every kind over a quantity given by a strategy ``quantity(low, high)``.

    Draws can be as small as ``low`` or less, their typical value is ``least`` to ``middle``, their cap up to ``high``.
    """
    some, more = quantity(least, middle), quantity(middle + 1, high)
    shape = st.sampled_from([0.5, 1.0, 1.2, 3.0])
    sigma = st.sampled_from([0.0, 0.7, 2.0])
    parts: list[Content] = [
        {"distribution": "constant", "value": some},
        {"distribution": "uniform", "from": quantity(low, middle), "to": more},
        {"distribution": "exponential", "mean": some},
        {"distribution": "exponential", "mean": some, "cut": more},
        {"distribution": "truncated-exponential", "mean": some, "max": more},
        {"distribution": "pareto", "shape": shape, "from": some},
        {"distribution": "pareto", "shape": shape, "from": some, "cut": more},
        {"distribution": "lognormal", "median": some, "sigma": sigma},
        {"distribution": "lognormal", "median": some, "sigma": sigma, "cut": more},
        {"distribution": "choice", "values": st.lists(some, min_size=1, max_size=4)},
    ]
    return st.one_of([mapping(part) for part in parts])


def mapping(part: Content) -> st.SearchStrategy[Content]:
    """A mapping whose values are strategies or constants."""
    drawn = {key: v if isinstance(v, st.SearchStrategy) else st.just(v) for key, v in part.items()}
    return st.fixed_dictionaries(drawn)
