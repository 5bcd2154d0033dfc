"""What is planted in front of a case to show that its acceptance rule has power."""

from enum import Enum

import numpy as np


class Fault(Enum):
    """A fault that every case must reject, if it can be put to it."""

    LATE = "latency one slot more"
    EARLY = "latency one slot less"
    LEAK = "2 % of capacity leaks"
    LOSS = "one packet in 1000 is lost"


LEFT_OF_CAPACITY = 0.98


def kept(count: int, first: int = 0) -> np.ndarray:
    """Which of ``count`` records numbered from ``first`` on are left when one in 1000 is lost, by a hash."""
    number = np.arange(first, first + count, dtype=np.uint64)
    mixed = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    left: np.ndarray = (mixed >> np.uint64(32)) % np.uint64(1000) != 0
    return left
