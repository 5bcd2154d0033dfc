"""Two things measured in turns, so that what else the machine does burdens both alike."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Turns(NamedTuple):
    """What one round of each took, medians in seconds, and the median of the rounds' ratios."""

    one_s: float
    other_s: float
    ratio: float

    def __str__(self) -> str:
        """For the report of a run.

        >>> print(Turns(0.0002, 0.0004, 0.5))
        0.200 ms to 0.400 ms: 0.500
        """
        return f"{self.one_s * 1e3:.3f} ms to {self.other_s * 1e3:.3f} ms: {self.ratio:.3f}"


def in_turns(
    one: Callable[[], object], other: Callable[[], object], rounds: int, clock: Callable[[], float] = time.process_time
) -> Turns:
    """Cost of ``one``, of ``other``, and of ``one`` over ``other``."""
    pairs = []
    for _ in range(rounds):
        started = clock()
        one()
        between = clock()
        other()
        pairs.append((between - started, clock() - between))
    ones, others = zip(*pairs, strict=True)
    return Turns(statistics.median(ones), statistics.median(others), statistics.median(a / b for a, b in pairs))
