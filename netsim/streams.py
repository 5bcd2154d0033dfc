"""Philox4x32-10 and the named random streams: every draw is a pure function of (seed, purpose, user, index).

The generator is that of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11). The key
is the 64-bit seed. The counter's words are the index (low, high), the user's number in its slice, and a word for the
purpose and the slice's name: draws depend neither on the order of slices nor on who else is there.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.compiled import formula, kernel
from netsim.errors import ScenarioError

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_12 = np.uint64(12)

PACKETS = "packets"
FADING = "fading"
SHADOWING = "shadowing"
POSITION = "position"
PATH_LOSS = "path-loss"
OSCILLATORS = "oscillators"
PURPOSES = (PACKETS, FADING, SHADOWING, POSITION, PATH_LOSS, OSCILLATORS)


_2W0, _3W0, _4W0, _5W0, _6W0, _7W0, _8W0, _9W0 = (np.uint64(n * int(_W0)) for n in range(2, 10))
_2W1, _3W1, _4W1, _5W1, _6W1, _7W1, _8W1, _9W1 = (np.uint64(n * int(_W1)) for n in range(2, 10))


@formula
def _round(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> tuple[int, int, int, int]:
    """One round; only the low 32 bits of the keys count."""
    product0 = c0 * _M0
    product1 = c2 * _M1
    high0 = (product1 >> _32) ^ c1 ^ (k0 & _LOW)
    high2 = (product0 >> _32) ^ c3 ^ (k1 & _LOW)
    return high0, product1 & _LOW, high2, product0 & _LOW


@formula
def philox(seed: int, index: int, user: int, stream: int) -> tuple[int, int]:
    """Ten rounds on the counter (index low, index high, user, stream): two words of 64 random bits.

    All arguments are uint64, scalars or (uncompiled) arrays; ``user`` and ``stream`` are below 2^32.
    """
    c0, c1, c2, c3 = index & _LOW, index >> _32, user, stream
    k0, k1 = seed & _LOW, seed >> _32
    # Written out, because the compiler puts several users side by side only where there is no inner loop.
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _W0, k1 + _W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _2W0, k1 + _2W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _3W0, k1 + _3W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _4W0, k1 + _4W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _5W0, k1 + _5W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _6W0, k1 + _6W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _7W0, k1 + _7W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _8W0, k1 + _8W1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0 + _9W0, k1 + _9W1)
    return (c1 << _32) | c0, (c3 << _32) | c2


@formula
def uniform(word: int) -> float:
    """A uniform number strictly between 0 and 1 from 64 random bits: 52 of them and a half."""
    return (np.float64(word >> _12) + 0.5) * (1.0 / 4503599627370496.0)


@formula
def uniform_halves(word: int) -> tuple[float, float]:
    """Two uniform numbers strictly between 0 and 1 from the two halves of 64 random bits."""
    scale = 1.0 / 4294967296.0
    return (np.float64(word & _LOW) + 0.5) * scale, (np.float64(word >> _32) + 0.5) * scale


def stream_word(purpose: str, slice_name: str) -> int:
    """The counter's last word: the first 32 bits of SHA-256 of ``purpose:slice_name``."""
    return int.from_bytes(hashlib.sha256(f"{purpose}:{slice_name}".encode()).digest()[:4], "little")


def stream_words(slice_names: tuple[str, ...]) -> dict[tuple[str, str], int]:
    """The words of all purposes and slices, which must differ.

    Raises
    ------
    ScenarioError
        Two of them agree, which happens by chance to one set of names in millions.
    """
    words = {(purpose, name): stream_word(purpose, name) for purpose in PURPOSES for name in slice_names}
    if len(set(words.values())) < len(words):
        raise ScenarioError(f"slices: names {', '.join(slice_names)} share a random stream; rename one of them")
    return words


def uniforms(seed: int, word: int, users: NDArray[Any], index: int | NDArray[Any] = 0) -> NDArray[np.float64]:
    """Two uniform numbers for each user number, shape ``(len(users), 2)``, at an index of the stream each."""
    numbers = np.ascontiguousarray(users, np.uint64)
    indices = np.ascontiguousarray(np.broadcast_to(np.asarray(index, np.uint64), numbers.shape))
    out = np.empty((len(numbers), 2))
    _fill_uniforms(np.uint64(seed), np.uint64(word), numbers, indices, out)
    return out


@kernel
def _fill_uniforms(seed: int, word: int, numbers: NDArray[Any], indices: NDArray[Any], out: NDArray[Any]) -> None:
    for i in range(numbers.size):
        first, second = philox(seed, indices[i], numbers[i], word)
        out[i, 0] = uniform(first)
        out[i, 1] = uniform(second)
