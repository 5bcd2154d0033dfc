"""RN-01: the draws of the named streams are uniform, and independent of those of their neighbours."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from netsim import streams
from tests.theory.acceptance import Check, Exact, Ratio
from tests.theory.case import NOT_HERE, Case, Results
from tests.theory.faults import LEFT_OF_CAPACITY, Fault, kept
from tests.unit.test_streams import KNOWN_ANSWERS, drawn, words

BATCHES = 120
BATCH = 40_000
BINS = 1024
"""Along one axis, or 32 along each of two: about 39 draws in each of a batch."""

Draws = np.ndarray
"""Uniform numbers, ``(BATCHES, BATCH)``."""


def known_answers() -> Results:
    """The vectors of Random123, which :mod:`tests.unit.test_streams` has; each batch of words is one exact figure."""
    wrong = sum(drawn(words(counter), words(key)) != words(answer) for counter, key, answer in KNOWN_ANSWERS)
    return {None: [Exact("wrong answers", 0, wrong)]}


@cache
def stream(
    seed: int = 1, purpose: str = streams.PACKETS, slice_name: str = "video", user: int = 0, index: int = 0
) -> Draws:
    """The first words of a batch's users at a batch's index, counted from ``user`` and ``index``."""
    word = streams.stream_word(purpose, slice_name)
    users = user + np.arange(BATCH)
    return np.stack([streams.uniforms(seed, word, users, index + b)[:, 0] for b in range(BATCHES)])


@cache
def of_one_user(index: int = 0, word_of_draw: int = 0) -> Draws:
    """Consecutive indices of one user a batch: a packet after the other, or a slot after the other."""
    word = streams.stream_word(streams.FADING, "video")
    indices = np.arange(BATCH) + index
    users = np.zeros(BATCH, int)
    return np.stack([streams.uniforms(1, word, users + b, indices)[:, word_of_draw] for b in range(BATCHES)])


NEIGHBOURS: dict[str, Callable[[], tuple[Draws, Draws]]] = {
    "the next user": lambda: (stream(), stream(user=1)),
    "the next index": lambda: (of_one_user(), of_one_user(index=1)),
    "an index 2^32 on": lambda: (of_one_user(), of_one_user(index=2**32)),
    "the second word": lambda: (of_one_user(), of_one_user(word_of_draw=1)),
    "the next seed": lambda: (stream(), stream(seed=2)),
    "a seed 2^32 on": lambda: (stream(), stream(seed=1 + 2**32)),
    "another purpose": lambda: (stream(), stream(purpose=streams.FADING)),
    "another slice": lambda: (stream(), stream(slice_name="VoLTE")),
}


def faulty(draws: Draws, fault: Fault | None) -> Draws:
    """A generator that leaves out 2 % of the range, or is stuck once in 1000 times."""
    if fault is Fault.LEAK:
        return LEFT_OF_CAPACITY * draws
    if fault is Fault.LOSS:
        return np.where(kept(draws.size).reshape(draws.shape), draws, 0.5)
    return draws


def dispersion(of: str, cells: np.ndarray) -> Ratio:
    """Pearson's chi-square over its degrees of freedom, a batch each: 1 on average if all cells are equally likely."""
    counts = np.stack([np.bincount(batch, minlength=BINS) for batch in cells])
    expected = BATCH / BINS
    return Ratio(of, 1.0, ((counts - expected) ** 2 / expected).sum(axis=1), BINS - 1)


def uniformity() -> Results:
    """Moments and frequencies of the draws of users at one index, and of one user at many."""

    def checks(draws: dict[str, Draws], fault: Fault | None) -> list[Check]:
        found: list[Check] = []
        for of, sound in draws.items():
            seen = faulty(sound, fault)
            found += [
                Ratio(f"mean, {of}", 1 / 2, seen.mean(axis=1)),
                Ratio(f"mean square, {of}", 1 / 3, (seen**2).mean(axis=1)),
                dispersion(f"chi-square / {BINS - 1}, {of}", (seen * BINS).astype(np.int64)),
            ]
        return found

    draws = {"of users": stream(), "of indices": of_one_user(), "second words": of_one_user(word_of_draw=1)}
    return {fault: checks(draws, fault) for fault in (None, Fault.LEAK, Fault.LOSS)}


def independence(neighbour: str) -> Results:
    """Correlation and joint frequencies of draws and those that differ from them in one thing."""
    side = int(BINS**0.5)

    def checks(first: Draws, second: Draws) -> list[Check]:
        cells = (first * side).astype(np.int64) * side + (second * side).astype(np.int64)
        return [
            Ratio("correlation", 0.0, 12 * ((first - 0.5) * (second - 0.5)).mean(axis=1), scale=1.0),
            dispersion(f"chi-square / {BINS - 1}", cells),
        ]

    first, second = NEIGHBOURS[neighbour]()
    results = {fault: checks(faulty(first, fault), faulty(second, fault)) for fault in (None, Fault.LEAK, Fault.LOSS)}
    leaning = {Fault.LATE: 1, Fault.EARLY: -1}
    mixed = {fault: checks(first, _leaning(first, second, sign)) for fault, sign in leaning.items()}
    return results | mixed


def _leaning(first: Draws, second: Draws, sign: int) -> Draws:
    """Streams that overlap, in the same order or mirrored, for one draw in a hundred."""
    shared = np.arange(first.size).reshape(first.shape) % 100 == 0
    return np.where(shared, first if sign > 0 else 1 - first, second)


NO_SLOT = NOT_HERE + "there is no time in it"
CONSTANTS = dict.fromkeys(Fault, NOT_HERE + "any wrong bit is an error")
CASES = (
    Case("RN-01", "Random123's known answers", known_answers, CONSTANTS),
    Case(
        "RN-01",
        "uniformity",
        uniformity,
        {
            Fault.LATE: NO_SLOT,
            Fault.EARLY: NO_SLOT,
            Fault.LEAK: "2 % of the range is never drawn",
            Fault.LOSS: "one draw in 1000 is stuck at 1/2",
        },
    ),
    *(
        Case(
            "RN-01",
            f"independence of {neighbour}",
            partial(independence, neighbour),
            {
                Fault.LATE: "one draw in 100 is the other stream's",
                Fault.EARLY: "one draw in 100 is the other stream's, mirrored",
                Fault.LEAK: "2 % of the range is never drawn",
                Fault.LOSS: "one draw in 1000 is stuck at 1/2",
            },
        )
        for neighbour in NEIGHBOURS
    ),
)
