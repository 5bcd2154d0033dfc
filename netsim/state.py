"""The state of one base station as plain arrays: what a kernel reads and writes, and what a saved run consists of."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.report import PACKET

Array = NDArray[Any]
Record = Any
"""One row of a structured array: its fields are attributes in a kernel, keys in Python."""

SUPPLY = 8
"""Packets drawn ahead per user, a block at a time: as many as the widest vector registers hold."""
CACHE_LINE = 64
"""Bytes that processors fetch from memory at once."""
LANES = 8
"""Users whose fading is computed together."""
FOREVER_NS = np.int64(1 << 61)
"""Instants from here on never come."""
LARGEST_BITS = 1e15
"""No packet is larger."""
MOST_AT_ONCE = 100_000
"""Packets at one instant that are too many of one user: a source without gaps would let no time pass, no slot end."""
NONE = -1
"""No user: the end of a list of users."""


def _record(**fields: Any) -> np.dtype[np.void]:
    return np.dtype(list(fields.items()), align=True)


CLOCK = _record(
    seed=np.uint64,
    slot=np.int64,  # the next slot to run; everything up to its beginning has happened
    served_slot=np.int64,  # the slot whose users Python has served, for schedulers that are plain Python
    slot_ns=np.int64,
    slots_per_ns=np.float64,
    period_slot=np.int64,  # first slot of the running period
    prb=np.int64,
    prb_bandwidth_hz=np.float64,
    spread=np.int64,  # power spread over the carrier, else all of it to each user
    layers=np.float64,
    log_scale=np.float64,  # what turns log2 into the scenario's logarithm
    ceiling=np.float64,
    link=np.int64,
    fading=np.int64,
    doppler_turns=np.float64,  # Doppler frequency times a slot
    shadowing_db=np.float64,  # of the draw per slot
    work_conserving=np.int64,
    logging=np.int64,
    logged=np.int64,  # rows used of the packet log
    alpha=np.float64,  # of the utility, slices counted in
    values_carried=np.int64,  # the utility takes the carried spectral efficiency, else the capacity
    utility=np.float64,  # of the period just ended, as the next two
    se_capacity=np.float64,
    se_carried=np.float64,
    starved=np.int64,  # rows used of ``starved``
    misdrawn=np.int64,  # 1 + the user for whom a compiled traffic kind drew what is no packet, or who lets no time pass
    misgranted=np.int64,  # 1 + the slice whose plugged scheduler did not share its blocks as it must
)

DISTRIBUTION = _record(kind=np.int64, a=np.float64, b=np.float64, cut=np.float64, first=np.int64, count=np.int64)
"""A distribution over whole base units; ``first`` and ``count`` point into the table of choices."""

SLICE = _record(
    # what the scenario says, changed by dated events only
    latency_limit_ns=np.int64,
    limit_since_ns=np.int64,  # when the limit was last changed
    rate_floor_bps=np.int64,
    goodput=np.int64,
    discard=np.int64,
    defer=np.int64,
    queue_packets=np.int64,
    scheduler=np.int64,
    keep=np.float64,  # of the proportional-fair average, per slot
    log2_keep=np.float64,
    traffic=np.int64,
    gap_law=DISTRIBUTION,
    size_law=DISTRIBUTION,
    frame_ns=np.int64,
    frame_packets=np.int64,
    silence_ns=np.int64,
    silence_bits=np.int64,
    to_silence=np.float64,
    to_talk=np.float64,
    trace_first=np.int64,
    trace_rows=np.int64,
    trace_stride=np.int64,
    trace_repeat=np.int64,
    curve_first=np.int64,
    curve_points=np.int64,
    curve_repeat_ns=np.int64,
    share_address=np.int64,  # of a compiled scheduler, in this process
    draw_address=np.int64,  # of a compiled traffic kind, in this process
    name_rank=np.int64,  # place of the slice's name in alphabetical order
    weight=np.float64,  # of its SSR in the utility
    packets_word=np.uint64,
    fading_word=np.uint64,
    shadowing_word=np.uint64,
    first_user=np.int64,
    users_ever=np.int64,
    level0=np.int64,  # where the slice's active set starts in ``active``, level by level
    level1=np.int64,
    level2=np.int64,
    # what moves
    prb=np.int64,
    lent_prb=np.int64,  # the resource blocks of the present slot, borrowed ones included
    joined=np.int64,
    left=np.int64,
    pointer=np.int64,
    n_active=np.int64,
    queued=np.int64,
    overdue=np.int64,  # queued and already counted as late
    backlog_bits=np.int64,
)

TALLY = _record(
    arrived=np.int64,
    satisfied=np.int64,
    slow=np.int64,
    late=np.int64,
    dropped=np.int64,
    departed=np.int64,
    offered_bits=np.int64,
    carried_bits=np.int64,
    discarded_bits=np.int64,
    prb_slots_granted=np.int64,
    prb_slots_used=np.int64,
    latency_sum_ns=np.int64,
    latency_max_ns=np.int64,
    granted_bps=np.int64,  # rate granted, bit/s, summed over users and slots
    # what :mod:`netsim.marks` makes of the period's events
    arrivals_mark=np.uint64,
    fading_mark=np.uint64,
    grants_mark=np.uint64,
    departures_mark=np.uint64,
    # what follows from these when the period ends
    pending=np.int64,
    backlog_packets=np.int64,
    backlog_bits=np.int64,
    ssr=np.float64,
    latency_mean_ms=np.float64,
    latency_p50_ms=np.float64,
    latency_p99_ms=np.float64,
    latency_max_ms=np.float64,
    idle=np.bool_,
)
"""What a period counts, per slice; all zero when it begins. Fields are named as in :class:`PeriodReport`."""

USER = _record(
    # what an arrival and a service touch: two cache lines
    next_arrival_ns=np.int64,
    packet=np.int64,  # index of the next packet to arrive
    slice=np.int64,
    number=np.int64,  # in the slice
    present=np.int64,
    head=np.int64,
    queued=np.int64,
    backlog_bits=np.int64,
    leaving=np.int64,  # packets that leave the queue at ``leaving_ns``
    leaving_ns=np.int64,
    snr=np.float64,  # mean SNR: over the carrier when power is spread, on one resource block otherwise
    sent_bits=np.int64,  # of the packet at the head
    rate_sum_bps=np.int64,  # over the slots that served the packet at the head
    rate_slots=np.int64,
    overdue=np.int64,  # of the queued packets, the first ones already counted as late
    blocked=np.int64,  # its source waits for room in the queue
    # what is seldom looked at: a third one
    gain=np.float64,  # path gain times shadowing times receiver gain, over the noise density, Hz/mW
    phase=np.int64,  # what the traffic kind remembers
    unsupplied=np.int64,  # a plugin has to draw its next packets
    average_bits=np.float64,  # proportional fair: sent per slot, before slot ``average_slot``
    average_slot=np.int64,
    standing_ns=np.int64,  # where its last gap of nothing was
    standing=np.int64,  # gaps of nothing there
    spare=np.int64,
)

QUEUED = _record(
    arrival_ns=np.int64,
    size_bits=np.int64,
    index=np.int64,
    resolved_ns=np.int64,  # once its latency limit has passed
)
DRAWN = _record(gap_ns=np.int64, size_bits=np.int64)

ACTIVE = _record(
    user=np.int64,
    packets=np.int64,
    backlog_bits=np.int64,
    deadline_ns=np.int64,
    bits_per_prb=np.float64,
    average_bits=np.float64,
)
"""One active user as a scheduler sees it: number in the slice, packets and bits queued, the instant at which the
latency limit of its oldest packet passes, bits that one resource block would carry in this slot, and the average of
bits sent per slot that proportional fair keeps (0 under other built-in schedulers)."""

OSCILLATOR = _record(in_phase=np.float64, quadrature=np.float64, turns=np.float64)


class Cell(NamedTuple):
    """One base station. Every array but the tables at the end belongs to this cell alone."""

    clock: Array  # (1,) CLOCK
    slices: Array  # (N,) SLICE
    tallies: Array  # (N,) TALLY
    users: Array  # (U,) USER, slice after slice
    queues: Array  # (U, Q) QUEUED, a ring per user
    supplies: Array  # (U, SUPPLY) DRAWN
    wheel: Array  # (buckets,) first user whose next packet is due in a slot of this bucket
    following: Array  # (U,) the next user in the same bucket
    active: Array  # uint64 words: the users with packets, as a tree of bits per slice
    starved: Array  # (U,) users whose sources stand still until the kernel is called again
    latencies: Array  # (N, rows) latency of each departure of the period, ns
    log: Array  # (rows,) PACKET
    # what a slot works with: the users of one slice that may be served in it
    served: Array  # (U + LANES,) their numbers in the slice
    grants: Array  # (U + LANES,) their resource blocks
    faded: Array  # (U + LANES,) bit/s/Hz, or SNR on one resource block where the rate depends on their number
    scores: Array  # (U + LANES,)
    seen: Array  # (U,) ACTIVE
    draw_bits: Array  # uint64 (2 SUPPLY,) random words of the block being drawn, gaps before sizes; then the values
    draw_values: Array  # (3,) gap and size that a compiled traffic kind draws, and the packet's index
    oscillators: Array  # (U, M) OSCILLATOR, M = 0 unless fading is Jakes'
    # tables, shared by all cells of a scenario
    choices: Array
    curve_ns: Array
    curve_multiplier: Array
    thresholds: Array  # least SNR of each efficiency of NR link adaptation
    efficiencies: Array
    trace: Array  # (rows,) DRAWN


MEMBERS: dict[str, tuple[Any, int]] = {
    "clock": (CLOCK, 1),
    "slices": (SLICE, 1),
    "tallies": (TALLY, 1),
    "users": (USER, 1),
    "queues": (QUEUED, 2),
    "supplies": (DRAWN, 2),
    "wheel": (np.int32, 1),
    "following": (np.int32, 1),
    "active": (np.uint64, 1),
    "starved": (np.int32, 1),
    "latencies": (np.int64, 2),
    "log": (PACKET, 1),
    "served": (np.int64, 1),
    "grants": (np.int64, 1),
    "faded": (np.float64, 1),
    "scores": (np.float64, 1),
    "seen": (ACTIVE, 1),
    "draw_bits": (np.uint64, 1),
    "draw_values": (np.float64, 1),
    "oscillators": (OSCILLATOR, 2),
    "choices": (np.float64, 1),
    "curve_ns": (np.int64, 1),
    "curve_multiplier": (np.float64, 1),
    "thresholds": (np.float64, 1),
    "efficiencies": (np.float64, 1),
    "trace": (DRAWN, 1),
}
"""Type and number of dimensions of every array of a cell, in the order of :class:`Cell`."""
TABLES = ("choices", "curve_ns", "curve_multiplier", "thresholds", "efficiencies", "trace")
WORK = ("served", "grants", "faded", "scores", "seen", "draw_bits", "draw_values")
"""Arrays that carry nothing from one slot to the next."""


class Served(NamedTuple):
    """What one slice's users were granted in one slot, as copies; all that happened to the slice's queues in it."""

    slot: int
    slice: int
    prb: int  # the slice's resource blocks, borrowed ones included
    users: Array  # (n,) int64: numbers of the users in the slice, among whom the blocks were shared
    grants: Array  # (n,) int64: resource blocks
    faded: Array  # (n,) float64: bit/s/Hz, or SNR on one resource block where the rate depends on their number
    seen: Array  # (n,) ACTIVE: what a scheduler from a plugin was shown; (0,) for a built-in one


class Stack:
    """Cells of one scenario side by side: the same arrays with a leading axis over cells.

    ``arrays`` is replaced when a buffer has to grow, so views of it are taken afresh through :meth:`cell`.
    """

    def __init__(self, arrays: Cell) -> None:
        self.arrays = arrays
        self._cells: list[Cell] = []
        self._handles: Any = None

    @property
    def handles(self) -> Any:
        """What the entry points of the kernel take for these cells."""
        if self._handles is None:
            from netsim.handles import handles_of

            self._handles = handles_of(self)
        return self._handles

    def __len__(self) -> int:
        return len(self.arrays.clock)

    def cell(self, i: int) -> Cell:
        """The arrays of one cell, as views."""
        if not self._cells:
            self._cells = [self._view(j) for j in range(len(self))]
        return self._cells[i]

    def _view(self, i: int) -> Cell:
        names = Cell._fields
        return Cell(*(a if name in TABLES else a[i] for name, a in zip(names, self.arrays, strict=True)))

    def grow_latencies(self) -> None:
        """Double the room for latencies."""
        self._replace(latencies=_widened(self.arrays.latencies, axis=2))

    def grow_log(self, rows: int) -> None:
        """Make room for ``rows`` rows more in the packet log."""
        self._replace(log=_widened(self.arrays.log, axis=1, by=rows))

    def fit(self, latency_rows: int, log_rows: int) -> None:
        """Give the buffers that can grow these sizes; what they hold is lost."""
        cells, n, _ = self.arrays.latencies.shape
        self._replace(latencies=np.zeros((cells, n, latency_rows), np.int64), log=np.zeros((cells, log_rows), PACKET))

    def _replace(self, **arrays: Array) -> None:
        self.arrays = self.arrays._replace(**arrays)
        self._cells, self._handles = [], None


def _widened(array: Array, axis: int, by: int | None = None) -> Array:
    more = list(array.shape)
    more[axis] = by if by is not None else array.shape[axis]
    return np.concatenate([array, np.zeros(more, array.dtype)], axis=axis)


def empty_stack(
    cells: int, n_slices: int, n_users: int, queue_packets: int, words: int, oscillators: int, tables: dict[str, Array]
) -> Stack:
    """A stack of cells of zeros; nobody is present and nothing is due."""
    widest = max(n_users, 1)
    shapes: dict[str, tuple[int, ...]] = {
        "clock": (1,),
        "slices": (n_slices,),
        "tallies": (n_slices,),
        "users": (widest,),
        "queues": (widest, queue_packets),
        "supplies": (widest, SUPPLY),
        "wheel": (_buckets(n_users),),
        "following": (widest,),
        "active": (words,),
        "starved": (widest,),
        "latencies": (n_slices, 4096),
        "log": (0,),
        "served": (widest + LANES,),
        "grants": (widest + LANES,),
        "faded": (widest + LANES,),
        "scores": (widest + LANES,),
        "seen": (widest,),
        "draw_bits": (2 * SUPPLY,),
        "draw_values": (3,),
        "oscillators": (widest, oscillators),
    }
    arrays = {name: _aligned((cells, *shape), MEMBERS[name][0]) for name, shape in shapes.items()}
    return Stack(Cell(**arrays, **tables))


def _aligned(shape: tuple[int, ...], kind: Any) -> Array:
    """Zeros that begin on a cache line, so that rows of whole lines stay in theirs."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    raw = np.zeros(size + CACHE_LINE, np.uint8)
    first = -raw.ctypes.data % CACHE_LINE
    aligned: Array = raw[first : first + size].view(kind).reshape(shape)
    return aligned


def _buckets(n_users: int) -> int:
    """Enough buckets that few users share one: a power of two, at least twice the users."""
    return max(512, 1 << (2 * n_users).bit_length())
