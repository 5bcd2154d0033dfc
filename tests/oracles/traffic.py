"""The sources: each is a generator of (gap in ns, size in bits), one packet after the other."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow import parquet

from netsim.scenario import Load, Scenario
from tests.oracles import plugin_calls
from tests.oracles.draws import Stream, logarithm, trials, uniform_of
from tests.oracles.laws import NEVER_NS, drawn, gap_and_size, nearest_ns, whole_bits

Packets = Iterator[tuple[int, int]]


def source(scenario: Scenario, slice_name: str, stream: Stream) -> Packets:
    """What a user sends; the generator ends when it falls silent for ever."""
    kind = scenario.slices[slice_name].traffic
    match kind.kind:
        case "renewal":
            return renewal(kind, stream)
        case "poisson":
            return poisson(kind, stream)
        case "ngmn-video":
            return ngmn_video(kind, stream)
        case "two-state-voice":
            return two_state_voice(kind, stream)
        case "trace":
            return recorded(kind, scenario.folder, stream.user)
        case "silent":
            return iter(())
    return plugged(kind, stream)


def renewal(kind: Any, stream: Stream) -> Packets:
    for index in itertools.count():
        yield gap_and_size(kind.gap, kind.size, stream.words(index))


def poisson(kind: Any, stream: Stream) -> Packets:
    mean_ns = 1e9 / kind.rate_per_s
    for index in itertools.count():
        first, second = stream.words(index)
        yield nearest_ns(-mean_ns * logarithm(uniform_of(first))), whole_bits(drawn(kind.size, second))


def ngmn_video(kind: Any, stream: Stream) -> Packets:
    """Trains of packets on a time line of the source's own; the first of frame f leaves no sooner than beat f."""
    first_beat_ns = int(stream.uniforms(0)[0] * kind.frame_period_ns)
    now_ns = 0
    for index in itertools.count():
        frame, place = divmod(index, kind.packets_per_frame)
        gap_ns, size_bits = gap_and_size(kind.gap, kind.size, stream.words(index))
        at_ns = now_ns + gap_ns if place else max(now_ns, first_beat_ns + frame * kind.frame_period_ns)
        yield at_ns - now_ns, size_bits
        now_ns = at_ns


def two_state_voice(kind: Any, stream: Stream) -> Packets:
    """The first word of a packet decides where the chain begins, or what happens after the packet before."""
    talk_share = kind.to_talk / (kind.to_talk + kind.to_silence)
    u, _ = stream.uniforms(0)
    talking = u < talk_share
    if talking:
        yield int(u / talk_share * kind.frame_ns), kind.size_bits
    else:
        yield int((u - talk_share) / (1.0 - talk_share) * kind.silence_gap_ns), kind.silence_size_bits
    for index in itertools.count(1):
        u, _ = stream.uniforms(index)
        if talking and u >= kind.to_silence:
            yield kind.frame_ns, kind.size_bits
            continue
        # In the frame after the last of a talk the talker is silent; then each frame may be the first of the next.
        silent_frames = talking + trials(u / kind.to_silence if talking else u, kind.to_talk)
        talking = silent_frames * kind.frame_ns <= kind.silence_gap_ns
        if talking:
            yield silent_frames * kind.frame_ns, kind.size_bits
        else:
            yield kind.silence_gap_ns, kind.silence_size_bits


def recorded(kind: Any, folder: Path, user: int) -> Packets:
    """Each user plays the rows in order from a row of its own, again and again or once."""
    rows = read_rows(folder / kind.file)
    for index in itertools.count(user * kind.stride):
        if index >= len(rows) and not kind.repeat:
            return
        yield rows[index % len(rows)]


def read_rows(path: Path) -> list[tuple[int, int]]:
    if path.suffix == ".parquet":
        rows = parquet.read_table(path).to_pylist()
    else:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    return [(int(row["gap_ns"]), int(row["size_bits"])) for row in rows]


def plugged(kind: Any, stream: Stream) -> Packets:
    plugin = plugin_calls.made(kind.kind, kind.options)
    for index in itertools.count():
        gap_ns, size_bits = plugin_calls.draw(plugin, index, *stream.uniforms(index))
        if gap_ns >= NEVER_NS:
            return
        yield nearest_ns(gap_ns), int(size_bits)


# -- load --------------------------------------------------------------------------------------------------------------


def shortened(gap_ns: int, load: Load | None, now_ns: int) -> int:
    """A multiplier m shortens gaps by m at the instant they are drawn."""
    return gap_ns if load is None else int(min(gap_ns / multiplier(load, now_ns), float(NEVER_NS)))


def multiplier(load: Load, now_ns: int) -> float:
    """The load curve at an instant; where two points share an instant, the later one counts from it on."""
    at_ns = now_ns % load.repeat_ns if load.repeat_ns else now_ns
    before = [point for point in load.points if point.at_ns <= at_ns]
    after = [point for point in load.points if point.at_ns > at_ns]
    if not before or not after:
        return (before[-1] if before else after[0]).multiplier
    left, right = before[-1], after[0]
    share = (at_ns - left.at_ns) / (right.at_ns - left.at_ns)
    return left.multiplier + share * (right.multiplier - left.multiplier)
