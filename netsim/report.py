"""What crosses the hook line: the report of one observation period."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PeriodReport:
    """One observation period of the base station. Arrays are read-only, shape ``(N,)``, in the scenario's slice order.

    Packets are counted in the period in which they are resolved; the instant that ends a period belongs to it, so
    that for every slice ``pending before + arrived = satisfied + slow + late + dropped + pending``.
    """

    period: int
    """Number of the period; 0 is the one :meth:`Plant.reset` runs."""
    time_s: float
    """The period's end, seconds since the start."""
    slices: tuple[str, ...]
    """Names of the slices."""
    allocation: tuple[int, ...]
    """Units of the carrier each slice held during the period."""
    utility: float
    """U = alpha se + sum of beta_n SSR_n (paper eq. 5, alpha term counted once unless the scenario says otherwise)."""
    se_capacity: float
    """Granted rate, summed over users, mean over slots, over the carrier's bandwidth, bit/s/Hz."""
    se_carried: float
    """Bits sent over period times bandwidth, bit/s/Hz."""

    arrived: IntArray
    """Packets that arrived, those dropped at a full queue included: the state of the paper."""
    satisfied: IntArray
    """Departed in time and fast enough."""
    slow: IntArray
    """In time, rate below the floor."""
    late: IntArray
    """Latency limit passed."""
    dropped: IntArray
    """Met a full queue, or queued when their user left."""
    pending: IntArray
    """Queued at the period's end and not yet resolved."""
    ssr: FloatArray
    """satisfied / resolved, 1 where nothing was resolved."""
    idle: NDArray[np.bool_]
    """True where nothing was resolved, so that ``ssr`` is 1 by convention."""
    backlog_packets: IntArray
    """Packets queued at the period's end, late ones included."""
    backlog_bits: IntArray
    """Bits queued at the period's end, bits of a partly sent packet that are left included."""
    departed: IntArray
    """Packets whose last bit was sent."""
    latency_mean_ms: FloatArray
    """Mean latency of departures, NaN without one."""
    latency_p50_ms: FloatArray
    """Median latency of departures (smallest latency that half of them do not exceed), NaN without one."""
    latency_p99_ms: FloatArray
    """99th percentile of the latency of departures, by the same rule, NaN without one."""
    latency_max_ms: FloatArray
    """Largest latency of departures, NaN without one."""
    offered_bits: IntArray
    """Bits of the packets that arrived."""
    carried_bits: IntArray
    """Bits sent."""
    discarded_bits: IntArray
    """Bits of arrived packets that will never be sent: dropped, discarded when late, or left with their user."""
    prb_slots_granted: IntArray
    """Resource blocks granted, summed over slots."""
    prb_slots_used: IntArray
    """Resource blocks that the bits sent needed, summed over slots."""

    @property
    def resolved(self) -> IntArray:
        """satisfied + slow + late + dropped."""
        return self.satisfied + self.slow + self.late + self.dropped

    def __eq__(self, other: object) -> bool:
        """Equal when every figure is, bit for bit (NaN equals NaN)."""
        if not isinstance(other, PeriodReport):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]  # holds arrays


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b


SLICE_FIELDS = tuple(
    f.name
    for f in fields(PeriodReport)
    if f.name not in ("period", "time_s", "slices", "allocation", "utility", "se_capacity", "se_carried")
)
"""Names of the per-slice arrays of a report, in order."""

LAYERS = ("arrivals", "fading", "grants", "departures")
"""What a trace consists of, each layer before those that follow from it."""

VERDICTS = ("satisfied", "slow", "late", "dropped", "pending")
"""Names of the verdict codes of packet records, in order."""

PACKET = np.dtype(
    [
        ("arrival_ns", np.int64),
        ("departure_ns", np.int64),  # NEVER unless its last bit was sent
        ("resolved_ns", np.int64),  # NEVER while pending
        ("size_bits", np.int64),
        ("rate_bps", np.int64),  # by the slice's definition; 0 unless it departed
        ("index", np.int64),  # the user's packets are numbered from 0
        ("user", np.int32),  # number of the user in its slice
        ("slice", np.int8),
        ("verdict", np.int8),  # index into VERDICTS
    ],
    align=True,
)
"""One packet of the packet log, written when it leaves the base station."""

NEVER = -1
"""Instant of what did not happen, in packet records; written as null in files."""
