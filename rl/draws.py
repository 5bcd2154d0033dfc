"""Random draws of learning: like the simulator's, each is a function of (seed, purpose, index) alone.

So there is no generator whose state has to be saved, and exploring more changes no sample of the replay.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from netsim.streams import stream_word, uniforms

EXPLORATION, REPLAY, WEIGHTS, NOISE, PENALTY = "exploration", "replay", "weights", "noise", "penalty"


@cache
def _word(purpose: str, whose: str) -> int:
    return stream_word(f"rl-{purpose}", whose)


def uniform(seed: int, purpose: str, index: int, n: int, whose: str = "") -> NDArray[np.float64]:
    """``n`` uniform numbers strictly between 0 and 1: those of draw ``index`` of a purpose, shape ``(n,)``.

    ``whose`` keeps apart those who draw for the same purpose, as the two agents of a dual loop.

    >>> bool((uniform(1, REPLAY, 3, 5)[:4] == uniform(1, REPLAY, 3, 4)).all())
    True
    """
    pairs = uniforms(seed, _word(purpose, whose), np.arange((n + 1) // 2), index)
    return pairs.reshape(-1)[:n]


def whole(seed: int, purpose: str, index: int, n: int, below: int, whose: str = "") -> NDArray[np.int64]:
    """``n`` whole numbers from 0 up to but not including ``below``, uniform to 52 bits, shape ``(n,)``.

    >>> sorted(set(whole(1, REPLAY, 0, 100, 3).tolist()))
    [0, 1, 2]
    """
    return (uniform(seed, purpose, index, n, whose) * below).astype(np.int64)
