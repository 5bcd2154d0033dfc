"""TR-01 on the simulator: gaps, sizes and counts of what users send against the laws that a scenario names."""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from tests.theory import closed_forms as theory
from tests.theory.acceptance import Check, Exact, Ratio
from tests.theory.case import NOT_HERE, Case, Results
from tests.theory.faults import LEFT_OF_CAPACITY, Fault, kept
from tests.theory.observing import plugged
from tests.unit.lone_slice import STRONG, folder_with, lone_slice, packets_of

SLOT_NS = 500_000
MS = 1_000_000
USERS = 3000
PER_USER = 100
"""Packets of each user: the same number, because what arrives up to an instant leaves out the longest gaps."""
FAST = {**STRONG, "link": {"model": "shannon", "layers": 1024}}
GROUPS = 100
"""Of consecutive users, as replications."""


@dataclass(frozen=True)
class Sent:
    """What was recorded of each user's first packets, in order of users and packets."""

    user: np.ndarray
    index: np.ndarray
    arrival_ns: np.ndarray
    size_bits: np.ndarray
    users: int

    def seen_through(self, fault: Fault | None) -> "Sent":
        """The record with a fault: every gap a slot off, 2 % of every packet or one packet in 1000 missing."""
        shift_ns = {Fault.LATE: SLOT_NS, Fault.EARLY: -SLOT_NS}.get(fault, 0)
        share = LEFT_OF_CAPACITY if fault is Fault.LEAK else 1.0
        left = kept(self.user.size) if fault is Fault.LOSS else np.ones(self.user.size, bool)
        arrival_ns = self.arrival_ns + shift_ns * (self.index + 1)
        size_bits = self.size_bits * share
        return Sent(self.user[left], self.index[left], arrival_ns[left], size_bits[left], self.users)

    @property
    def gap_ns(self) -> np.ndarray:
        """From the user's packet before, and from instant 0 for its first."""
        gap_ns = np.diff(self.arrival_ns, prepend=0)
        first = np.diff(self.user, prepend=-1) != 0
        return np.where(first, self.arrival_ns, gap_ns)

    def per_group(self, values: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
        """Sums of a value of each packet over the packets of each group of users."""
        group = self.user * GROUPS // self.users
        weights = values if among is None else np.where(among, values, 0.0)
        return np.bincount(group, weights, minlength=GROUPS)

    def mean(self, of: str, expected: float, values: np.ndarray, among: np.ndarray | None = None) -> Ratio:
        """A mean over packets, all or those ``among``."""
        return Ratio(of, expected, self.per_group(values, among), self.per_group(np.ones(values.size), among))

    def share(self, of: str, expected: float, hits: np.ndarray, among: np.ndarray | None = None) -> Ratio:
        """A probability, as the share of packets that hit."""
        return self.mean(of, expected, hits.astype(float), among)

    def none_is_missing(self) -> Exact:
        """Packets are numbered without a gap."""
        last = np.zeros(self.users, np.int64)
        np.maximum.at(last, self.user, self.index + 1)
        return Exact("packets missing", 0, int(last.sum() - self.user.size))


def record(traffic: dict[str, Any], longest_ms: float, users: int = USERS, per_user: int | None = PER_USER) -> Sent:
    """The first packets of every user, or all that come up to ``longest_ms`` when there is no ``per_user``."""
    slots = math.ceil(longest_ms * MS / SLOT_NS)
    scenario = lone_slice(traffic, users=users, slots=slots, channel=FAST)
    return sent(packets_of(scenario), users, per_user)


def sent(packets: np.ndarray, users: int, per_user: int | None = None) -> Sent:
    """A record of packets that are in order of users and indices."""
    if per_user is not None:
        packets = packets[packets["index"] < per_user]
        assert packets.size == users * per_user, "the period is too short"
    return Sent(packets["user"], packets["index"], packets["arrival_ns"], packets["size_bits"], users)


def under_faults(sent: Sent, checks: Callable[[Sent], list[Check]]) -> Results:
    """The checks of a record, sound and with each fault."""
    return {fault: checks(sent.seen_through(fault)) for fault in (None, *Fault)}


# -- renewal processes -------------------------------------------------------------------------------------------------

BITS = 8000
"""In a kB, the unit of sizes: whole bits do not show in a mean."""


@dataclass(frozen=True)
class Law:
    """A distribution as a scenario writes it, in ms and kB, and what theory says of it."""

    written: dict[str, Any]
    mean: float
    low: float
    high: float
    masses: dict[float, float]
    """Probabilities of single values."""
    below: dict[float, float]
    """Values of the distribution function where it is continuous."""


def law(written: dict[str, Any], x: Any, cap: float | None = None) -> Law:
    """A law given by the continuous distribution that is cut at a cap, if there is one."""
    low, high = x.support()
    quartiles = {float(q): p for p in (0.25, 0.5, 0.75) if (q := x.ppf(p)) < (cap or math.inf)}
    if cap is None:
        return Law(written, float(x.mean()), low, high, {}, quartiles)
    return Law(written, theory.cut_mean(x, cap), low, cap, {cap: float(x.sf(cap))}, quartiles)


def in_unit(unit: str, written: Any) -> Any:
    """A law as a scenario has it, its quantities with their unit."""
    if isinstance(written, dict):
        bare = ("distribution", "shape", "sigma")
        return {key: value if key in bare else in_unit(unit, value) for key, value in written.items()}
    return [in_unit(unit, item) for item in written] if isinstance(written, list) else f"{written} {unit}"


THIRDS = {1.0: 1 / 3, 2.0: 1 / 3, 6.0: 1 / 3}
CUT_PARETO = law({"distribution": "pareto", "shape": 1.2, "from": 2, "cut": 10}, stats.pareto(1.2, scale=2), cap=10.0)
LAWS = {
    "constant": Law({"distribution": "constant", "value": 3}, 3.0, 3.0, 3.0, {3.0: 1.0}, {}),
    "choice": Law({"distribution": "choice", "values": [1, 2, 6]}, 3.0, 1.0, 6.0, THIRDS, {}),
    "uniform": law({"distribution": "uniform", "from": 1, "to": 5}, stats.uniform(1, 4)),
    "exponential": law({"distribution": "exponential", "mean": 3}, stats.expon(scale=3)),
    "cut exponential": law({"distribution": "exponential", "mean": 3, "cut": 4}, stats.expon(scale=3), cap=4.0),
    "truncated exponential": law(
        {"distribution": "truncated-exponential", "mean": 6, "max": 12}, stats.truncexpon(2, scale=6)
    ),
    "cut Pareto": CUT_PARETO,
    "cut log-normal": law(
        {"distribution": "lognormal", "median": 3, "sigma": 0.5, "cut": 5}, stats.lognorm(0.5, scale=3), cap=5.0
    ),
}


def renewal(of: Law) -> Results:
    """Gaps and sizes of one law: its mean, its ends, its point masses, and its quartiles."""

    def checks(sent: Sent) -> list[Check]:
        return [
            *law_checks(sent, "gap", of, sent.gap_ns / MS, 1 / MS),
            *law_checks(sent, "size", of, sent.size_bits / BITS, 1 / BITS),
            sent.none_is_missing(),
        ]

    traffic = {"kind": "renewal", "gap": in_unit("ms", of.written), "size": in_unit("kB", of.written)}
    return under_faults(record(traffic, 1.5 * PER_USER * min(of.high, 2 * of.mean)), checks)


def law_checks(
    sent: Sent, name: str, of: Law, values: np.ndarray, rounding: float, among: np.ndarray | None = None
) -> list[Check]:
    """What a law says of the packets ``among``; values are whole multiples of ``rounding``."""
    seen = values if among is None else values[among]
    outside = np.count_nonzero((seen < of.low - rounding) | (seen > of.high + rounding))
    at_caps = {value: abs(values - value) < rounding / 2 for value in of.masses}
    checks: list[Check] = [Exact(f"{name}s out of range", 0, outside)]
    if of.low == of.high:
        return [*checks, Exact(f"{name}s of another value", 0, int(seen.size - at_caps[of.low].sum()))]
    return [
        *checks,
        sent.mean(f"mean {name}", of.mean, values, among),
        *(sent.share(f"P({name} = {value:g})", of.masses[value], hits, among) for value, hits in at_caps.items()),
        *(sent.share(f"P({name} < {value:.3g})", p, values < value, among) for value, p in of.below.items()),
    ]


# -- other kinds -------------------------------------------------------------------------------------------------------

RATE_PER_MS = 0.5
WINDOW_MS = 10
WINDOWS = 120


def poisson() -> Results:
    """Packets in windows: their mean, and an index of dispersion of 1."""
    expected = RATE_PER_MS * WINDOW_MS

    def checks(sent: Sent) -> list[Check]:
        window = (sent.arrival_ns - 1) // (WINDOW_MS * MS)
        inside = (window >= 0) & (window < WINDOWS)
        counts = np.bincount(sent.user[inside] * WINDOWS + window[inside], minlength=sent.users * WINDOWS)
        counts = counts.reshape(GROUPS, -1)
        return [
            Ratio("packets in a window", expected, counts.sum(axis=1), counts.shape[1]),
            Ratio("index of dispersion", 1.0, ((counts - expected) ** 2).sum(axis=1), counts.sum(axis=1)),
            Exact("bits of a packet", 800, int(sent.size_bits.min())),
            sent.none_is_missing(),
        ]

    size = {"distribution": "constant", "value": "800 bit"}
    traffic = {"kind": "poisson", "rate": f"{RATE_PER_MS * 1000} /s", "size": size}
    return under_faults(record(traffic, WINDOW_MS * WINDOWS, per_user=None), checks)


FRAME_MS = 50
PACKETS_PER_FRAME = 4  # of at most 10 ms from one to the next: frames never overlap


def ngmn_video() -> Results:
    """Frames that keep their beat from a uniform phase, and the laws of gaps within them and of sizes."""

    def checks(sent: Sent) -> list[Check]:
        first = sent.index % PACKETS_PER_FRAME == 0
        phase_ns = sent.arrival_ns - sent.index // PACKETS_PER_FRAME * FRAME_MS * MS
        start_ns = np.zeros(sent.users)
        start_ns[sent.user[sent.index == 0]] = phase_ns[sent.index == 0]
        offbeat = np.count_nonzero(phase_ns[first] != start_ns[sent.user[first]])
        return [
            Exact("frames off their beat", 0, offbeat),
            sent.mean("phase, frames", 0.5, phase_ns / (FRAME_MS * MS), among=sent.index == 0),
            *law_checks(sent, "gap", CUT_PARETO, sent.gap_ns / MS, 1 / MS, among=~first),
            *law_checks(sent, "size", CUT_PARETO, sent.size_bits / BITS, 1 / BITS),
            sent.none_is_missing(),
        ]

    traffic = {
        "kind": "ngmn-video",
        "frame_period": f"{FRAME_MS} ms",
        "packets_per_frame": PACKETS_PER_FRAME,
        "gap": in_unit("ms", CUT_PARETO.written),
        "size": in_unit("kB", CUT_PARETO.written),
    }
    frames = 8
    video = record(traffic, (frames + 2) * FRAME_MS, users=16_000, per_user=frames * PACKETS_PER_FRAME)
    return under_faults(video, checks)


TO_TALK, TO_SILENCE = 0.1, 0.2
VOICE_FRAME_MS = 20
VOICE_FRAMES = 300
VOICE_WARM_UP = 50
FRAMES_OF_SILENCE = 8


def two_state_voice() -> Results:
    """Packets of talk and of comfort noise per frame, their sizes, and their beat.

    The first frames are left out: who is silent at instant 0 sends comfort noise before it talks, however soon it would
    have talked, so that the source is stationary only later.
    """
    talk, comfort = theory.voice_packets_per_frame(TO_SILENCE, TO_TALK, FRAMES_OF_SILENCE)

    def checks(sent: Sent) -> list[Check]:
        talking, silent = sent.size_bits == 320, sent.size_bits == 120
        frames = sent.users * VOICE_FRAMES / GROUPS
        counted = sent.arrival_ns > VOICE_WARM_UP * VOICE_FRAME_MS * MS
        offbeat = (sent.gap_ns % (VOICE_FRAME_MS * MS) != 0) & (sent.index > 0)
        return [
            Ratio("talk packets a frame", talk, sent.per_group(talking & counted), frames),
            Ratio("comfort packets a frame", comfort, sent.per_group(silent & counted), frames),
            Exact("packets of another size", 0, int(np.count_nonzero(~talking & ~silent))),
            Exact("packets off the beat", 0, int(np.count_nonzero(offbeat))),
            sent.none_is_missing(),
        ]

    traffic = {"kind": "two-state-voice", "to_talk": TO_TALK, "to_silence": TO_SILENCE}
    voice = record(traffic, (VOICE_WARM_UP + VOICE_FRAMES) * VOICE_FRAME_MS, users=4000, per_user=None)
    return under_faults(voice, checks)


ROWS = ((1_500_000, 100), (0, 200), (2_000_000, 300))


def recorded_trace() -> Results:
    """The rows of a file, again and again."""

    def checks(sent: Sent) -> list[Check]:
        gap_ns, size_bits = np.array(ROWS)[sent.index % len(ROWS)].T
        return [
            Exact("gaps that are not the file's", 0, int(np.count_nonzero(sent.gap_ns != gap_ns))),
            Exact("sizes that are not the file's", 0, int(np.count_nonzero(sent.size_bits != size_bits))),
            sent.none_is_missing(),
        ]

    with tempfile.TemporaryDirectory() as folder:
        rows = "".join(f"{gap},{bits}\n" for gap, bits in ROWS)
        folder_with(Path(folder), "rows.csv", "gap_ns,size_bits\n" + rows)
        scenario = lone_slice({"kind": "trace", "file": "rows.csv"}, slots=8000, folder=Path(folder))
        return under_faults(sent(packets_of(scenario), users=1), checks)


P, Q = 0.3, 0.4


def plugged_geometric() -> Results:
    """Bernoulli arrivals at slots' edges and geometric sizes: the compiled plugin that QT-04 and QT-07 are fed by."""

    def checks(sent: Sent) -> list[Check]:
        gap_slots, units = sent.gap_ns / SLOT_NS, sent.size_bits / BITS
        return [
            sent.mean("mean gap, slots", 1 / P, gap_slots),
            sent.share("P(gap = 1)", P, gap_slots == 1),
            sent.mean("mean size", 1 / Q, units),
            sent.share("P(size = 1)", Q, units == 1),
            sent.none_is_missing(),
        ]

    traffic = plugged("BernoulliGeometric", p=P, q=Q, slot_bits=BITS, slot_ns=SLOT_NS)
    return under_faults(record(traffic, 2 * PER_USER / P * SLOT_NS / MS), checks)


def silent() -> Results:
    """No packets."""
    packets = packets_of(lone_slice({"kind": "silent"}, users=USERS))
    return {None: [Exact("packets", 0, packets.size)]}


ANALOGUES = {
    Fault.LATE: "each gap is one slot more",
    Fault.EARLY: "each gap is one slot less",
    Fault.LEAK: "each packet is 2 % smaller",
}
NOTHING = dict.fromkeys(Fault, NOT_HERE + "there is nothing to plant it in")
CASES = (
    *(Case("TR-01", f"renewal, {name}", partial(renewal, of), ANALOGUES) for name, of in LAWS.items()),
    Case("TR-01", "Poisson", poisson, ANALOGUES),
    Case("TR-01", "NGMN video", ngmn_video, ANALOGUES),
    Case("TR-01", "two-state voice", two_state_voice, ANALOGUES),
    Case("TR-01", "recorded trace", recorded_trace, ANALOGUES),
    Case("TR-01", "plugged geometric", plugged_geometric, ANALOGUES),
    Case("TR-01", "silent", silent, NOTHING),
)
