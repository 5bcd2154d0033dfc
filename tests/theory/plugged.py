"""Traffic kinds that netsim has not, compiled, as a user would write them."""

import numba
import numpy as np


class Bernoulli:
    """A packet with probability ``p`` at the beginning of every slot, ``slots_of_service`` of ``slot_bits`` long."""

    def __init__(self, p: float, slots_of_service: int, slot_bits: int, slot_ns: int) -> None:
        bits = slots_of_service * slot_bits

        @numba.njit
        def draw(index: int, u_gap: float, u_size: float) -> tuple[float, float]:
            return slot_ns * np.ceil(np.log(u_gap) / np.log1p(-p)), bits

        self.draw = draw


class BernoulliGeometric:
    """A packet with probability ``p`` at the beginning of every slot, whose service ends in each slot with ``q``."""

    def __init__(self, p: float, q: float, slot_bits: int, slot_ns: int) -> None:
        @numba.njit
        def draw(index: int, u_gap: float, u_size: float) -> tuple[float, float]:
            gap_slots = np.ceil(np.log(u_gap) / np.log1p(-p))
            return slot_ns * gap_slots, slot_bits * np.ceil(np.log(u_size) / np.log1p(-q))

        self.draw = draw


class PoissonHyperexponential:
    """Poisson arrivals of exponential sizes, the mean of which is short or long at random."""

    def __init__(self, mean_gap_ns: float, p_long: float, long_bits: float, short_bits: float) -> None:
        @numba.njit
        def draw(index: int, u_gap: float, u_size: float) -> tuple[float, float]:
            if u_size < p_long:
                bits = -long_bits * np.log(u_size / p_long)
            else:
                bits = -short_bits * np.log((u_size - p_long) / (1.0 - p_long))
            return -mean_gap_ns * np.log(u_gap), max(bits, 1.0)

        self.draw = draw
