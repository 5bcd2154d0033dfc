"""Random draws, one at a time: the numbered words of a stream and what becomes of them.

This is all of ``netsim`` that the oracle uses: Philox and the portable logarithm, power and cosine of draws. Those are
tested against the known answers of Random123 and against many digits in ``tests/unit``.
"""

import math
from dataclasses import dataclass

import numpy as np

from netsim.portable import cos_turn, exp2, log2
from netsim.streams import philox, stream_word, uniform, uniform_halves

LN2 = math.log(2.0)


@dataclass(frozen=True)
class Stream:
    """The words of one purpose, slice and user: a pure function of seed and index."""

    seed: int
    purpose: str
    slice_name: str
    user: int

    def words(self, index: int) -> tuple[int, int]:
        word = stream_word(self.purpose, self.slice_name)
        first, second = philox(np.uint64(self.seed), np.uint64(index), np.uint64(self.user), np.uint64(word))
        return int(first), int(second)

    def uniforms(self, index: int) -> tuple[float, float]:
        first, second = self.words(index)
        return uniform_of(first), uniform_of(second)


def uniform_of(word: int) -> float:
    return float(uniform(np.uint64(word)))


def logarithm(u: float) -> float:
    """Natural logarithm of a draw."""
    return LN2 * float(log2(u))


def power_of_two(x: float) -> float:
    return float(exp2(x))


def normal_of(word: int) -> float:
    """Box and Muller on the two halves of a word."""
    u, v = uniform_halves(np.uint64(word))
    return math.sqrt(-2.0 * LN2 * float(log2(u))) * float(cos_turn(v))


def trials(u: float, p: float) -> int:
    """Trials up to the first success: 1 + floor(ln u / ln(1 - p))."""
    return 1 + int(float(log2(u)) / float(log2(1.0 - p)))
