"""Random draws of learning: like the simulator's, each is a function of (seed, purpose, index) alone.

So there is no generator whose state has to be saved, and exploring more changes no sample of the replay.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from netsim.streams import stream_word, uniforms

EXPLORATION, REPLAY, WEIGHTS, NOISE, PENALTY = "exploration", "replay", "weights", "noise", "penalty"
SWEEP = "sweep"

BLOCK = 64
"""Draws that :class:`Uniforms` makes at a time."""


@cache
def _word(purpose: str, whose: str) -> int:
    return stream_word(f"rl-{purpose}", whose)


def uniform(seed: int, purpose: str, index: int, n: int, whose: str = "") -> NDArray[np.float64]:
    """``n`` uniform numbers strictly between 0 and 1: those of draw ``index`` of a purpose, shape ``(n,)``.

    ``whose`` keeps apart those who draw for the same purpose, as the two agents of a dual loop.

    >>> bool((uniform(1, REPLAY, 3, 5)[:4] == uniform(1, REPLAY, 3, 4)).all())
    True
    """
    drawn: NDArray[np.float64] = _rows(seed, purpose, index, 1, n, whose)[0]
    return drawn


def _rows(seed: int, purpose: str, first: int, rows: int, n: int, whose: str) -> NDArray[np.float64]:
    """The draws ``first``, ``first + 1``, ..., shape ``(rows, n)``."""
    half = (n + 1) // 2
    places, indices = np.tile(np.arange(half), rows), np.repeat(np.arange(first, first + rows), half)
    return uniforms(seed, _word(purpose, whose), places, indices).reshape(rows, 2 * half)[:, :n]


class Uniforms:
    """The same draws as those of :func:`uniform`, made many at a time for one who asks for them in order.

    >>> drawn = Uniforms(1, REPLAY, 5)
    >>> bool((drawn(70) == uniform(1, REPLAY, 70, 5)).all())
    True
    """

    def __init__(self, seed: int, purpose: str, n: int, whose: str = "") -> None:
        self._of = seed, purpose, n, whose
        self._block, self._rows = -1, np.empty((0, n))

    def __call__(self, index: int) -> NDArray[np.float64]:
        """Those of one draw, shape ``(n,)``."""
        block, row = divmod(index, BLOCK)
        if block != self._block:
            seed, purpose, n, whose = self._of
            self._block, self._rows = block, _rows(seed, purpose, block * BLOCK, BLOCK, n, whose)
        drawn: NDArray[np.float64] = self._rows[row]
        return drawn
