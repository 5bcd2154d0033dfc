"""Traffic: gaps and sizes as distributions, and the kinds of source that string them together.

A packet's gap and size are functions of the 128 random bits of (seed, user, index). They are drawn a block of
``SUPPLY`` at a time, in loops that the compiler turns into vector instructions.
"""

import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from netsim.channel import normal
from netsim.compiled import inner
from netsim.portable import LN2, exp2, from_bits, greater, lesser, log2, to_bits
from netsim.scenario import (
    NgmnVideo,
    PluggedTraffic,
    Poisson,
    Renewal,
    Silent,
    Traffic,
    TwoStateVoice,
)
from netsim.scenario import Trace as TraceTraffic
from netsim.state import DRAWN, FOREVER_NS, LARGEST_BITS, SUPPLY, Array, Record
from netsim.streams import philox, uniform

RENEWAL, NGMN_VIDEO, TWO_STATE_VOICE, TRACE, SILENT, PLUGIN, COMPILED_PLUGIN = range(7)
CONSTANT, UNIFORM, EXPONENTIAL, TRUNCATED_EXPONENTIAL, PARETO, LOGNORMAL, CHOICE = range(7)

_FOREVER = float(FOREVER_NS)


class TrafficKind(Protocol):
    """What a traffic plugin is: plain Python, or compiled by numba and then called inside the kernel."""

    def draw(self, index: int, u_gap: float, u_size: float) -> tuple[float, float]:
        """Gap before packet ``index`` of a user in ns and its size in bits, from two uniform numbers of its own.

        Must depend on its arguments alone. A gap of 2^61 or more means that the user sends nothing further.
        """


# -- scenario to arrays ------------------------------------------------------------------------------------------------


def encode(traffic: Traffic, part: Any, choices: list[float]) -> None:
    """Write a built-in traffic kind into a ``SLICE`` record; lists of choices are appended to ``choices``."""
    match traffic:
        case Renewal():
            part["traffic"] = RENEWAL
            _encode_pair(traffic, part, choices)
        case Poisson():
            part["traffic"] = RENEWAL
            part["gap_law"]["kind"], part["gap_law"]["a"], part["gap_law"]["cut"] = (
                EXPONENTIAL,
                1e9 / traffic.rate_per_s,
                np.inf,
            )
            encode_distribution(traffic.size, part["size_law"], choices)
        case NgmnVideo():
            part["traffic"], part["frame_ns"] = NGMN_VIDEO, traffic.frame_period_ns
            part["frame_packets"] = traffic.packets_per_frame
            _encode_pair(traffic, part, choices)
        case TwoStateVoice():
            part["traffic"], part["frame_ns"], part["silence_ns"] = (
                TWO_STATE_VOICE,
                traffic.frame_ns,
                traffic.silence_gap_ns,
            )
            part["size_law"]["a"], part["silence_bits"] = traffic.size_bits, traffic.silence_size_bits
            part["to_silence"], part["to_talk"] = traffic.to_silence, traffic.to_talk
        case TraceTraffic():
            part["traffic"], part["trace_stride"], part["trace_repeat"] = TRACE, traffic.stride, traffic.repeat
        case Silent():
            part["traffic"] = SILENT
        case PluggedTraffic():
            part["traffic"] = PLUGIN


def _encode_pair(traffic: Renewal | NgmnVideo, part: Any, choices: list[float]) -> None:
    encode_distribution(traffic.gap, part["gap_law"], choices)
    encode_distribution(traffic.size, part["size_law"], choices)


def encode_distribution(law: Any, into: Any, choices: list[float]) -> None:
    """Write a distribution into a ``DISTRIBUTION`` record, quantities in ns or bits."""
    values = {name.rsplit("_", 1)[0]: value for name, value in law if name not in ("distribution", "shape", "sigma")}
    cut = values.get("cut")
    into["cut"] = np.inf if cut is None else cut
    match law.distribution:
        case "constant":
            into["kind"], into["a"] = CONSTANT, values["value"]
        case "uniform":
            into["kind"], into["a"], into["b"] = UNIFORM, values["low"], values["high"] - values["low"]
        case "exponential":
            into["kind"], into["a"] = EXPONENTIAL, values["mean"]
        case "truncated-exponential":
            into["kind"], into["a"] = TRUNCATED_EXPONENTIAL, values["mean"]
            into["b"] = -math.expm1(-values["max"] / values["mean"])
        case "pareto":
            into["kind"], into["a"], into["b"] = PARETO, values["scale"], 1.0 / law.shape
        case "lognormal":
            into["kind"], into["a"], into["b"] = LOGNORMAL, values["median"], law.sigma / LN2
        case "choice":
            into["kind"], into["first"], into["count"] = CHOICE, len(choices), len(values["values"])
            choices.extend(float(value) for value in values["values"])


def read_trace(traffic: TraceTraffic, folder: Path | None) -> Array:
    """The rows of a recorded trace, shape ``(rows,)`` of ``DRAWN``.

    Raises
    ------
    ScenarioError
        The file is not in the scenario's folder, cannot be read, lacks a column, or has a value out of range.
    """
    from netsim.traces import read  # here, because pyarrow takes longer to import than a short run

    gap_ns, size_bits = read(traffic.file, folder, repeat=traffic.repeat)
    rows = np.empty(len(gap_ns), DRAWN)
    rows["gap_ns"], rows["size_bits"] = gap_ns, size_bits
    return rows


# -- drawing -----------------------------------------------------------------------------------------------------------


@inner
def draw_block(seed: int, part: Record, user: Record, supply: Array, bits: Array, choices: Array, trace: Array) -> None:
    """Draw the user's next ``SUPPLY`` packets. Updates ``supply`` and the user's ``phase``, and works in ``bits``."""
    if part.traffic == TRACE:
        _play(part, user, supply, trace)
        return
    first = np.uint64(user.packet)
    number = np.uint64(user.number)
    word = part.packets_word
    for j in range(SUPPLY):
        bits[j], bits[SUPPLY + j] = philox(seed, first + np.uint64(j), number, word)
    if part.traffic == TWO_STATE_VOICE:
        _talk(part, user, supply, bits)
        return
    start = uniform(bits[0])
    sample(part.gap_law, bits[:SUPPLY], choices)
    sample(part.size_law, bits[SUPPLY:], choices)
    for j in range(SUPPLY):
        supply[j].gap_ns = np.int64(lesser(from_bits(bits[j]), _FOREVER) + 0.5)
        supply[j].size_bits = np.int64(lesser(greater(from_bits(bits[SUPPLY + j]), 1.0), LARGEST_BITS))
    if part.traffic == NGMN_VIDEO:
        _keep_beat(part, user, supply, start)


@inner
def sample(law: Record, bits: Array, choices: Array) -> None:
    """Turn random words into draws of a distribution, one each. Updates ``bits``, in place: two arrays might overlap,
    which would keep the compiler from vector code."""
    kind = law.kind
    a = law.a
    b = law.b
    cut = law.cut
    if kind == CONSTANT:
        for j in range(SUPPLY):
            bits[j] = to_bits(a)
    elif kind == UNIFORM:
        for j in range(SUPPLY):
            bits[j] = to_bits(a + b * uniform(bits[j]))
    elif kind == EXPONENTIAL:
        for j in range(SUPPLY):
            bits[j] = to_bits(lesser(cut, -a * LN2 * log2(uniform(bits[j]))))
    elif kind == TRUNCATED_EXPONENTIAL:
        for j in range(SUPPLY):
            bits[j] = to_bits(-a * LN2 * log2(1.0 - b * uniform(bits[j])))
    elif kind == PARETO:
        for j in range(SUPPLY):
            bits[j] = to_bits(lesser(cut, a * exp2(lesser(-b * log2(uniform(bits[j])), 900.0))))
    elif kind == LOGNORMAL:
        for j in range(SUPPLY):
            bits[j] = to_bits(lesser(cut, a * exp2(b * normal(bits[j]))))
    else:
        for j in range(SUPPLY):
            bits[j] = to_bits(choices[law.first + np.int64(uniform(bits[j]) * law.count)])


@inner
def _keep_beat(part: Record, user: Record, supply: Array, start: float) -> None:
    """Turn the gaps of framed video into frames: the first packet of each waits for the frame to begin.

    ``phase`` is how far into its frame the user's last packet was, ``start`` the share of a frame before the first.
    """
    for j in range(SUPPLY):
        index = user.packet + j
        if index == 0:
            supply[j].gap_ns = np.int64(start * part.frame_ns)
            user.phase = 0
        elif index % part.frame_packets == 0:
            rest_ns = part.frame_ns - user.phase
            supply[j].gap_ns = rest_ns if rest_ns > 0 else 0
            user.phase = 0 if rest_ns > 0 else -rest_ns
        else:
            user.phase += supply[j].gap_ns


@inner
def _talk(part: Record, user: Record, supply: Array, words: Array) -> None:
    """Draw the packets of a talker. ``phase`` is 1 while talking."""
    for j in range(SUPPLY):
        u = uniform(words[j])
        if user.packet + j == 0:
            share = part.to_talk / (part.to_talk + part.to_silence)
            user.phase = 1 if u < share else 0
            place = u / share if u < share else (u - share) / (1.0 - share)
            supply[j].gap_ns = np.int64(place * (part.frame_ns if user.phase else part.silence_ns))
        elif user.phase and u >= part.to_silence:
            supply[j].gap_ns = part.frame_ns
        else:
            v = u / part.to_silence if user.phase else u
            # In the frame after the last talk the talker is silent; then each frame may be the first of the next spurt.
            frames = 1 + user.phase + np.int64(log2(v) / log2(1.0 - part.to_talk))
            user.phase = 0
            if frames * part.frame_ns <= part.silence_ns:
                user.phase = 1
                supply[j].gap_ns = frames * part.frame_ns
            else:
                supply[j].gap_ns = part.silence_ns
        supply[j].size_bits = np.int64(part.size_law.a) if user.phase else part.silence_bits


@inner
def _play(part: Record, user: Record, supply: Array, trace: Array) -> None:
    """Copy the user's next rows of a recorded trace."""
    for j in range(SUPPLY):
        row = user.packet + j + user.number * part.trace_stride
        if part.trace_repeat:
            row %= part.trace_rows
        supply[j].gap_ns = FOREVER_NS
        supply[j].size_bits = 1
        if row < part.trace_rows:
            supply[j].gap_ns = trace[part.trace_first + row].gap_ns
            supply[j].size_bits = trace[part.trace_first + row].size_bits


@inner
def multiplier(part: Record, now_ns: int, curve_ns: Array, curve_multiplier: Array) -> float:
    """The slice's load at an instant: piecewise linear, constant outside its points. At a jump the later value."""
    if part.curve_repeat_ns > 0:
        now_ns = now_ns % part.curve_repeat_ns
    low = part.curve_first
    high = low + part.curve_points
    while low < high:  # the first point after now
        middle = (low + high) // 2
        if curve_ns[middle] <= now_ns:
            low = middle + 1
        else:
            high = middle
    if low == part.curve_first:
        return curve_multiplier[low]
    if low == part.curve_first + part.curve_points:
        return curve_multiplier[low - 1]
    part_way = (now_ns - curve_ns[low - 1]) / (curve_ns[low] - curve_ns[low - 1])
    return curve_multiplier[low - 1] + part_way * (curve_multiplier[low] - curve_multiplier[low - 1])
