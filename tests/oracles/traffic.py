"""The sources of the oracle: each is a generator of (gap in ns, size in bits), one packet after the other."""

import csv
import itertools
import math
from collections.abc import Iterator
from typing import Any

from netsim.portable import log2
from netsim.scenario import Load, Scenario
from tests.oracles.draws import LN2, Stream, logarithm, normal_of, power_of_two, uniform_of

Packets = Iterator[tuple[int, int]]


def source(scenario: Scenario, slice_name: str, stream: Stream) -> Packets:
    """What a user sends; the generator ends when it falls silent for ever."""
    kind = scenario.slices[slice_name].traffic
    match kind.kind:
        case "renewal":
            return renewal(kind.gap, kind.size, stream)
        case "poisson":
            return poisson(kind, stream)
        case "ngmn-video":
            return ngmn_video(kind, stream)
        case "two-state-voice":
            return two_state_voice(kind, stream)
        case "trace":
            return trace(kind, scenario.folder, stream.user)
        case "silent":
            return iter(())
    raise ValueError(kind.kind)


def renewal(gap: Any, size: Any, stream: Stream) -> Packets:
    for index in itertools.count():
        yield pair(gap, size, stream.words(index))


def poisson(kind: Any, stream: Stream) -> Packets:
    for index in itertools.count():
        first, second = stream.words(index)
        yield nearest(-(1e9 / kind.rate_per_s) * logarithm(uniform_of(first))), whole_bits(drawn(kind.size, second))


def ngmn_video(kind: Any, stream: Stream) -> Packets:
    """Packets on the source's own time line; the first of frame f not before the beat f."""
    first_beat = int(stream.uniforms(0)[0] * kind.frame_period_ns)
    now = 0
    for index in itertools.count():
        frame, place = divmod(index, kind.packets_per_frame)
        gap_ns, size_bits = pair(kind.gap, kind.size, stream.words(index))
        at = now + gap_ns if place else max(now, first_beat + frame * kind.frame_period_ns)
        yield at - now, size_bits
        now = at


def two_state_voice(kind: Any, stream: Stream) -> Packets:
    """The first word of a packet decides where the chain begins, or what happens after the packet before."""
    talk_share = kind.to_talk / (kind.to_talk + kind.to_silence)
    u = stream.uniforms(0)[0]
    talking = u < talk_share
    if talking:
        yield int(u / talk_share * kind.frame_ns), kind.size_bits
    else:
        yield int((u - talk_share) / (1.0 - talk_share) * kind.silence_gap_ns), kind.silence_size_bits
    for index in itertools.count(1):
        u = stream.uniforms(index)[0]
        if talking and u >= kind.to_silence:
            yield kind.frame_ns, kind.size_bits
            continue
        # In the frame after the last of a talk the talker is silent; then each frame may be the first of the next.
        silent_frames = talking + geometric(u / kind.to_silence if talking else u, kind.to_talk)
        talking = silent_frames * kind.frame_ns <= kind.silence_gap_ns
        if talking:
            yield silent_frames * kind.frame_ns, kind.size_bits
        else:
            yield kind.silence_gap_ns, kind.silence_size_bits


def geometric(u: float, p: float) -> int:
    """Trials up to the first success: 1 + floor(ln u / ln(1 - p))."""
    return 1 + int(log2(u) / log2(1.0 - p))


def trace(kind: Any, folder: Any, user: int) -> Packets:
    with open(folder / kind.file, newline="") as file:
        rows = [(int(row["gap_ns"]), int(row["size_bits"])) for row in csv.DictReader(file)]
    for index in itertools.count(user * kind.stride):
        if index >= len(rows) and not kind.repeat:
            return
        yield rows[index % len(rows)]


# -- distributions -----------------------------------------------------------------------------------------------------


def pair(gap: Any, size: Any, words: tuple[int, int]) -> tuple[int, int]:
    return nearest(drawn(gap, words[0])), whole_bits(drawn(size, words[1]))


def nearest(gap_ns: float) -> int:
    return math.floor(min(gap_ns, 2.0**61) + 0.5)


def whole_bits(size_bits: float) -> int:
    return int(min(max(size_bits, 1.0), 1e15))


def drawn(law: Any, word: int) -> float:
    """One draw of a distribution, by inversion of its distribution function (Box and Muller for the log-normal)."""

    def value(name: str) -> Any:
        return getattr(law, f"{name}_ns", None) or getattr(law, f"{name}_bits", None) or 0

    u = uniform_of(word)
    match law.distribution:
        case "constant":
            return float(value("value"))
        case "uniform":
            return value("low") + (value("high") - value("low")) * u
        case "exponential":
            return cut(law, -value("mean") * logarithm(u))
        case "truncated-exponential":
            inside = -math.expm1(-value("max") / value("mean"))
            return -value("mean") * logarithm(1.0 - inside * u)
        case "pareto":
            return cut(law, value("scale") * power_of_two(min(-(1.0 / law.shape) * logarithm(u) / LN2, 900.0)))
        case "lognormal":
            return cut(law, value("median") * power_of_two(law.sigma / LN2 * normal_of(word)))
        case "choice":
            return float(value("values")[int(u * len(value("values")))])
    raise ValueError(law.distribution)


def cut(law: Any, value: float) -> float:
    cap = getattr(law, "cut_ns", None) or getattr(law, "cut_bits", None)
    return value if cap is None else min(value, cap)


# -- load --------------------------------------------------------------------------------------------------------------


def multiplier(load: Load, now_ns: int) -> float:
    """The load curve at an instant; where two points share an instant, the later one counts from it on."""
    at = now_ns % load.repeat_ns if load.repeat_ns else now_ns
    before = [point for point in load.points if point.at_ns <= at]
    after = [point for point in load.points if point.at_ns > at]
    if not before or not after:
        return (before[-1] if before else after[0]).multiplier
    left, right = before[-1], after[0]
    share = (at - left.at_ns) / (right.at_ns - left.at_ns)
    return left.multiplier + share * (right.multiplier - left.multiplier)
