"""A scenario: everything that decides what the base station computes, as one frozen value that cannot exist invalid.

Attribute names carry their unit (``slot_ns``); the key in the file is the name without it (``slot: 0.5 ms``).
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PrivateAttr, Tag, model_validator

from netsim import limits
from netsim.errors import ScenarioError
from netsim.files import sha256
from netsim.loadobject import module_digest
from netsim.units import (
    ArrivalRate,
    BandwidthHz,
    DataBits,
    Flag,
    FrequencyHz,
    GainDb,
    LengthM,
    NoiseDbmPerHz,
    PositiveReal,
    PositiveTimeNs,
    PowerDbm,
    RateBps,
    Real,
    SpreadDb,
    TimeNs,
    Whole,
)


class Part(BaseModel):
    """A frozen part of a scenario; unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        serialize_by_alias=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,  # the JSON Schema shows them while one types
    )


class Plugged(Part):
    """What a plugin provides: a registered name, ``pkg.module:Class`` or ``file.py:Class``, and options for it."""

    options: dict[str, Any] = {}


# -- distributions -----------------------------------------------------------------------------------------------------
# Each exists twice, once over time and once over data; only the quantity's type differs.


class ConstantTime(Part):
    """Always the same gap."""

    distribution: Literal["constant"]
    value_ns: PositiveTimeNs = Field(alias="value")


class UniformTime(Part):
    """Uniform between two gaps."""

    distribution: Literal["uniform"]
    low_ns: TimeNs = Field(alias="from")
    high_ns: PositiveTimeNs = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_ns >= self.high_ns:
            raise ValueError("`from` must be less than `to`")
        return self


class ExponentialTime(Part):
    """Exponential with a mean; ``cut`` replaces longer draws by the cap."""

    distribution: Literal["exponential"]
    mean_ns: PositiveTimeNs = Field(alias="mean")
    cut_ns: PositiveTimeNs | None = Field(default=None, alias="cut")


class TruncatedExponentialTime(Part):
    """Exponential conditional on being at most ``max`` (redrawn, not cut). ``mean`` is that of the untruncated law."""

    distribution: Literal["truncated-exponential"]
    mean_ns: PositiveTimeNs = Field(alias="mean")
    max_ns: PositiveTimeNs = Field(alias="max")


class ParetoTime(Part):
    """Classical Pareto: the support starts at ``from``; ``cut`` replaces longer draws by the cap."""

    distribution: Literal["pareto"]
    shape: PositiveReal
    scale_ns: PositiveTimeNs = Field(alias="from")
    cut_ns: PositiveTimeNs | None = Field(default=None, alias="cut")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.cut_ns is not None and self.cut_ns < self.scale_ns:
            raise ValueError("`cut` must be at least `from`")
        return self


class LognormalTime(Part):
    """Log-normal: ln of the gap is normal around ln ``median`` with standard deviation ``sigma``."""

    distribution: Literal["lognormal"]
    median_ns: PositiveTimeNs = Field(alias="median")
    sigma: Annotated[float, Field(strict=True, ge=0, le=10)]
    cut_ns: PositiveTimeNs | None = Field(default=None, alias="cut")


class ChoiceTime(Part):
    """One of a list of gaps, equally likely."""

    distribution: Literal["choice"]
    values_ns: Annotated[tuple[PositiveTimeNs, ...], Field(min_length=1, max_length=256)] = Field(alias="values")


GapDistribution = Annotated[
    ConstantTime | UniformTime | ExponentialTime | TruncatedExponentialTime | ParetoTime | LognormalTime | ChoiceTime,
    Field(discriminator="distribution"),
]


class ConstantSize(Part):
    """Always the same size."""

    distribution: Literal["constant"]
    value_bits: DataBits = Field(alias="value")


class UniformSize(Part):
    """Uniform between two sizes."""

    distribution: Literal["uniform"]
    low_bits: DataBits = Field(alias="from")
    high_bits: DataBits = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_bits >= self.high_bits:
            raise ValueError("`from` must be less than `to`")
        return self


class ExponentialSize(Part):
    """Exponential with a mean; ``cut`` replaces larger draws by the cap."""

    distribution: Literal["exponential"]
    mean_bits: DataBits = Field(alias="mean")
    cut_bits: DataBits | None = Field(default=None, alias="cut")


class TruncatedExponentialSize(Part):
    """Exponential conditional on being at most ``max`` (redrawn, not cut). ``mean`` is that of the untruncated law."""

    distribution: Literal["truncated-exponential"]
    mean_bits: DataBits = Field(alias="mean")
    max_bits: DataBits = Field(alias="max")


class ParetoSize(Part):
    """Classical Pareto: the support starts at ``from``; ``cut`` replaces larger draws by the cap."""

    distribution: Literal["pareto"]
    shape: PositiveReal
    scale_bits: DataBits = Field(alias="from")
    cut_bits: DataBits | None = Field(default=None, alias="cut")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.cut_bits is not None and self.cut_bits < self.scale_bits:
            raise ValueError("`cut` must be at least `from`")
        return self


class LognormalSize(Part):
    """Log-normal: ln of the size is normal around ln ``median`` with standard deviation ``sigma``."""

    distribution: Literal["lognormal"]
    median_bits: DataBits = Field(alias="median")
    sigma: Annotated[float, Field(strict=True, ge=0, le=10)]
    cut_bits: DataBits | None = Field(default=None, alias="cut")


class ChoiceSize(Part):
    """One of a list of sizes, equally likely."""

    distribution: Literal["choice"]
    values_bits: Annotated[tuple[DataBits, ...], Field(min_length=1, max_length=256)] = Field(alias="values")


SizeDistribution = Annotated[
    ConstantSize | UniformSize | ExponentialSize | TruncatedExponentialSize | ParetoSize | LognormalSize | ChoiceSize,
    Field(discriminator="distribution"),
]


# -- traffic -----------------------------------------------------------------------------------------------------------


class Renewal(Part):
    """Independent gaps and sizes; the first packet of a user comes after one gap."""

    kind: Literal["renewal"]
    gap: GapDistribution
    size: SizeDistribution


class Poisson(Part):
    """Poisson arrivals: exponential gaps of mean 1 / ``rate``."""

    kind: Literal["poisson"]
    rate_per_s: ArrivalRate = Field(alias="rate")
    size: SizeDistribution


class NgmnVideo(Part):
    """Framed video of the NGMN evaluation methodology: every frame period, a train of packets with their own gaps.

    The frames of a user start at a phase drawn uniformly over the frame period. The gap before the first packet of a
    frame is what is left of the period, so that frames keep their beat.
    """

    kind: Literal["ngmn-video"]
    frame_period_ns: PositiveTimeNs = Field(default=100_000_000, alias="frame_period")
    packets_per_frame: Annotated[Whole, Field(ge=1, le=1000)] = 8
    gap: GapDistribution
    size: SizeDistribution


class TwoStateVoice(Part):
    """Two-state voice of the NGMN evaluation methodology: a Markov chain over talking and silence.

    While talking a packet of ``size`` leaves every ``frame``; after each the talker falls silent with probability
    ``to_silence``. In silence a comfort-noise packet of ``silence_size`` leaves every ``silence_gap``, and in each
    frame the talker starts again with probability ``to_talk``.
    """

    kind: Literal["two-state-voice"]
    frame_ns: PositiveTimeNs = Field(default=20_000_000, alias="frame")
    size_bits: DataBits = Field(default=320, alias="size")
    silence_gap_ns: PositiveTimeNs = Field(default=160_000_000, alias="silence_gap")
    silence_size_bits: DataBits = Field(default=120, alias="silence_size")
    to_silence: Annotated[float, Field(strict=True, ge=1e-9, lt=1)] = 0.01
    to_talk: Annotated[float, Field(strict=True, ge=1e-9, lt=1)] = 0.01

    @model_validator(mode="after")
    def _beat(self) -> Self:
        if self.silence_gap_ns % self.frame_ns:
            raise ValueError("`silence_gap` must be a whole number of frames")
        return self


class Trace(Part):
    """A recorded trace: a CSV or Parquet file in the scenario's folder with whole columns ``gap_ns``, ``size_bits``.

    Each user plays the rows in order, starting at the row ``stride`` times its number in the slice; with ``repeat``
    the rows start again at the end, without it the source falls silent.
    """

    kind: Literal["trace"]
    file: Annotated[str, Field(min_length=1, max_length=255)]
    stride: Annotated[Whole, Field(ge=0, le=limits.MAX_TRACE_PACKETS)] = 0
    repeat: Flag = True


class Silent(Part):
    """No packets at all."""

    kind: Literal["silent"]


class PluggedTraffic(Plugged):
    """A traffic kind that a plugin provides."""

    kind: Annotated[str, Field(min_length=1, max_length=255)]


def _tag(key: str, built_in: tuple[str, ...]) -> Discriminator:
    """Choose a built-in part by its name under ``key``, and the plugged one for any other name."""

    def choose(value: Any) -> str | None:
        name = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
        if not isinstance(name, str):
            return None
        return name if name in built_in else "plugged"

    return Discriminator(
        choose,
        custom_error_type="missing_kind",
        custom_error_message=f"must be a mapping with `{key}`, one of {', '.join(built_in)} or a plugin's name",
    )


TRAFFIC_KINDS = ("renewal", "poisson", "ngmn-video", "two-state-voice", "trace", "silent")
Traffic = Annotated[
    Annotated[Renewal, Tag("renewal")]
    | Annotated[Poisson, Tag("poisson")]
    | Annotated[NgmnVideo, Tag("ngmn-video")]
    | Annotated[TwoStateVoice, Tag("two-state-voice")]
    | Annotated[Trace, Tag("trace")]
    | Annotated[Silent, Tag("silent")]
    | Annotated[PluggedTraffic, Tag("plugged")],
    _tag("kind", TRAFFIC_KINDS),
]


# -- schedulers --------------------------------------------------------------------------------------------------------


class RoundRobin(Part):
    """Equal shares for all active users; the resource blocks left over go round from a pointer."""

    kind: Literal["round-robin"] = "round-robin"


class ProportionalFair(Part):
    """Ranks users by the rate they could have now over their past average, an exponential one."""

    kind: Literal["proportional-fair"]
    time_constant_slots: Annotated[float, Field(strict=True, gt=1, le=1e9)] = 100.0


class MaxRate(Part):
    """Ranks users by the rate they could have now."""

    kind: Literal["max-rate"]


class EarliestDeadline(Part):
    """Ranks users by the instant at which the latency limit of their oldest packet passes."""

    kind: Literal["earliest-deadline"]


class LargestQueue(Part):
    """Ranks users by the bits they have queued."""

    kind: Literal["largest-queue"]


class PluggedScheduler(Plugged):
    """A scheduler that a plugin provides."""

    kind: Annotated[str, Field(min_length=1, max_length=255)]


SCHEDULERS = ("round-robin", "proportional-fair", "max-rate", "earliest-deadline", "largest-queue")
Scheduler = Annotated[
    Annotated[RoundRobin, Tag("round-robin")]
    | Annotated[ProportionalFair, Tag("proportional-fair")]
    | Annotated[MaxRate, Tag("max-rate")]
    | Annotated[EarliestDeadline, Tag("earliest-deadline")]
    | Annotated[LargestQueue, Tag("largest-queue")]
    | Annotated[PluggedScheduler, Tag("plugged")],
    _tag("kind", SCHEDULERS),
]


# -- channel -----------------------------------------------------------------------------------------------------------


class LogDistance(Part):
    """Path loss ``intercept + slope log10(d in km)``."""

    model: Literal["log-distance"] = "log-distance"
    intercept_db: GainDb = Field(default=145.4, alias="intercept")
    slope_db: GainDb = Field(default=37.5, alias="slope")


class ConstantLoss(Part):
    """The same loss for every user."""

    model: Literal["constant"]
    loss_db: GainDb = Field(alias="loss")


class UmiStreetCanyon(Part):
    """TR 38.901 UMi street canyon, table 7.4.1-1, with the line-of-sight probability of table 7.4.2-1.

    With ``shadowing`` each user has the log-normal shadow fading of the table, 4 dB in sight and 7.82 dB out of it.
    """

    model: Literal["umi-38901"]
    carrier_frequency_hz: FrequencyHz = Field(default=3.5e9, alias="carrier_frequency")
    base_station_height_m: LengthM = Field(default=10.0, alias="base_station_height")
    user_height_m: LengthM = Field(default=1.5, alias="user_height")
    shadowing: Flag = True

    @model_validator(mode="after")
    def _heights(self) -> Self:
        if not 1.5 <= self.user_height_m <= 22.5 or self.base_station_height_m <= 1.0:
            raise ValueError("`user_height` must be 1.5 m to 22.5 m and `base_station_height` above 1 m")
        return self


class PluggedPathLoss(Plugged):
    """A path-loss model that a plugin provides."""

    model: Annotated[str, Field(min_length=1, max_length=255)]


PATH_LOSS_MODELS = ("log-distance", "constant", "umi-38901")
PathLoss = Annotated[
    Annotated[LogDistance, Tag("log-distance")]
    | Annotated[ConstantLoss, Tag("constant")]
    | Annotated[UmiStreetCanyon, Tag("umi-38901")]
    | Annotated[PluggedPathLoss, Tag("plugged")],
    _tag("model", PATH_LOSS_MODELS),
]


class NoFading(Part):
    """The power gain is 1 in every slot."""

    model: Literal["none"]


class Rayleigh(Part):
    """Block fading: the power gain is Exp(1), one independent draw per user and slot."""

    model: Literal["rayleigh"] = "rayleigh"


class Jakes(Part):
    """Rayleigh fading whose complex gain has the autocorrelation J0(2 pi ``doppler`` tau)."""

    model: Literal["jakes"]
    doppler_hz: FrequencyHz = Field(alias="doppler")


Fading = Annotated[NoFading | Rayleigh | Jakes, Field(discriminator="model")]


class Shadowing(Part):
    """Log-normal shadowing of standard deviation ``sigma``, drawn once per user or once per user and slot."""

    sigma_db: SpreadDb = Field(default=0.0, alias="sigma")
    per: Literal["user", "slot"] = "user"


class Shannon(Part):
    """Rate ``layers b log2(1 + snr)``; ``log: log10`` is the scale of Hua et al.; ``ceiling`` caps bit/s/Hz a layer."""

    model: Literal["shannon"] = "shannon"
    layers: Annotated[Whole, Field(ge=1, le=1024)] = 4
    log: Literal["log2", "log10"] = "log2"
    ceiling: PositiveReal | None = None


class NrLink(Part):
    """NR link adaptation: the efficiency of a CQI or MCS of TS 38.214 that the SNR, less ``gap``, supports.

    ``report: cqi`` quantises to the CQI a user would report (tables 5.2.2.1-2 and -3), ``mcs`` to the finer MCS
    (tables 5.1.3.1-1 and -2). ``overhead`` is the part of the grid that carries no data (TS 38.306 clause 4.1.2).
    """

    model: Literal["nr"]
    layers: Annotated[Whole, Field(ge=1, le=1024)] = 4
    table: Literal["qam64", "qam256"] = "qam256"
    report: Literal["cqi", "mcs"] = "cqi"
    gap_db: SpreadDb = Field(default=3.0, alias="gap")
    overhead: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.14


Link = Annotated[Shannon | NrLink, Field(discriminator="model")]


class Channel(Part):
    """The radio channel from the base station to its users."""

    transmit_power_dbm: PowerDbm = Field(default=46.0, alias="transmit_power")
    power: Literal["spread", "full"] = "spread"
    """Power spread evenly over the carrier, or all of it to each user as in Hua et al."""
    receiver_gain_db: GainDb = Field(default=20.0, alias="receiver_gain")
    noise_density_dbm_per_hz: NoiseDbmPerHz = Field(default=-174.0, alias="noise_density")
    cell_radius_m: LengthM = Field(default=40.0, alias="cell_radius")
    min_distance_m: LengthM = Field(default=1.0, alias="min_distance")
    path_loss: PathLoss = LogDistance()
    fading: Fading = Rayleigh()
    shadowing: Shadowing = Shadowing()
    link: Link = Shannon()

    @model_validator(mode="after")
    def _disc(self) -> Self:
        if self.min_distance_m > self.cell_radius_m:
            raise ValueError("`min_distance` must be at most `cell_radius`")
        return self


# -- slices ------------------------------------------------------------------------------------------------------------


class Sla(Part):
    """What a packet needs to be satisfied: latency at most the limit, and rate at least the floor."""

    rate_floor_bps: RateBps = Field(alias="rate_floor")
    latency_limit_ns: PositiveTimeNs = Field(alias="latency_limit")
    rate: Literal["granted", "goodput"] = "granted"
    """``granted``: mean rate granted over the slots in which the packet was served. ``goodput``: size / latency."""


class Queue(Part):
    """A user's queue: at most ``packets``, the one being sent included."""

    packets: Annotated[Whole, Field(ge=1, le=limits.MAX_QUEUE_PACKETS)] = 5
    when_full: Literal["drop", "defer"] = "drop"
    """An arrival at a full queue is dropped and counted, or its source waits until there is room."""


class LoadPoint(Part):
    """A point of a load curve: from here the rate of packets is ``multiplier`` times the traffic kind's own."""

    at_ns: TimeNs = Field(alias="at")
    multiplier: Annotated[float, Field(strict=True, ge=1e-6, le=1e6)]


class Load(Part):
    """A rate multiplier over time, piecewise linear, constant before the first point and after the last.

    ``repeat`` makes the curve periodic.
    """

    points: Annotated[tuple[LoadPoint, ...], Field(min_length=1, max_length=limits.MAX_CURVE_POINTS)]
    repeat_ns: PositiveTimeNs | None = Field(default=None, alias="repeat")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        instants = [point.at_ns for point in self.points]
        if instants != sorted(instants):
            raise ValueError("`points` must be in order of `at`")
        if self.repeat_ns is not None and instants[-1] > self.repeat_ns:
            raise ValueError("`repeat` must be at least the last point's `at`")
        return self


class Slice(Part):
    """One slice: who uses it, what they send, and what they were promised."""

    users: Annotated[Whole, Field(ge=0, le=limits.MAX_USERS)]
    traffic: Traffic
    sla: Sla
    scheduler: Scheduler = RoundRobin()
    queue: Queue = Queue()
    late: Literal["send", "discard"] = "send"
    """A packet whose limit has passed is still sent, or leaves the queue at the next slot boundary."""
    weight: Annotated[float, Field(strict=True, ge=0, le=1e6)] = 1.0
    """beta_n of the utility."""
    load: Load | None = None


# -- the rest ----------------------------------------------------------------------------------------------------------


class Carrier(Part):
    """The carrier that the slices share."""

    prb: Annotated[Whole, Field(ge=1, le=limits.MAX_PRB)] = 100
    prb_bandwidth_hz: BandwidthHz = Field(default=200_000, alias="prb_bandwidth")
    allocation_unit_prb: Annotated[Whole, Field(ge=1, le=limits.MAX_PRB)] = 1
    """Resource blocks in one unit of an allocation."""
    sharing: Literal["isolated", "work-conserving"] = "isolated"
    """``work-conserving`` lends the resource blocks of slices with nothing to send, for the slot."""

    @model_validator(mode="after")
    def _units(self) -> Self:
        if self.prb % self.allocation_unit_prb:
            raise ValueError("`prb` must be a whole number of `allocation_unit_prb`")
        return self

    @property
    def units(self) -> int:
        """What an allocation sums to."""
        return self.prb // self.allocation_unit_prb

    @property
    def bandwidth_hz(self) -> int:
        """The bandwidth of the carrier."""
        return self.prb * self.prb_bandwidth_hz


class Control(Part):
    """When decisions are made."""

    slot_ns: PositiveTimeNs = Field(default=500_000, alias="slot")
    slots_per_period: Annotated[Whole, Field(ge=1, le=1_000_000)] = 400
    periods: Annotated[Whole, Field(ge=1, le=100_000_000)] = 500
    """Controlled periods of a run, unless the run says otherwise."""
    initial_allocation: Literal["equal"] | tuple[Annotated[Whole, Field(ge=1)], ...] = "equal"
    """The allocation of period 0, in units; ``equal`` gives what is left over to the first slices."""

    @property
    def period_ns(self) -> int:
        """The observation period."""
        return self.slot_ns * self.slots_per_period


class Utility(Part):
    """U = alpha se + sum of weight_n SSR_n."""

    alpha: Annotated[float, Field(strict=True, ge=0, le=1e6)] = 0.01
    alpha_per_slice: Flag = False
    """Counts the alpha term once per slice, as eq. 4 is written."""
    se: Literal["capacity", "carried"] = "capacity"


class Reward(Part):
    """Thresholds of the reshaped reward (paper eq. 6): g(t) = min(gmin + sigma t, gmax)."""

    gmin: Real
    gmax: Real
    sigma: Annotated[float, Field(strict=True, ge=0, le=1e6)] | None = None
    """Growth a step; without it gmax is reached at two thirds of the budget."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.gmin > self.gmax:
            raise ValueError("`gmin` must be at most `gmax`")
        return self


class UsersEvent(Part):
    """How many users, of which slice."""

    slice: str
    users: Annotated[Whole, Field(ge=1, le=limits.MAX_USERS)]


class SlaEvent(Part):
    """A new promise for a slice; what is not named stays."""

    slice: str
    rate_floor_bps: RateBps | None = Field(default=None, alias="rate_floor")
    latency_limit_ns: PositiveTimeNs | None = Field(default=None, alias="latency_limit")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.rate_floor_bps is None and self.latency_limit_ns is None:
            raise ValueError("must name `rate_floor` or `latency_limit`")
        return self


class Event(Part):
    """Something dated, at a slot's beginning: exactly one of ``join``, ``leave``, ``sla``, ``transmit_power``.

    Users who leave are the longest present; what they had queued is counted as dropped.
    """

    at_ns: TimeNs = Field(alias="at")
    join: UsersEvent | None = None
    leave: UsersEvent | None = None
    sla: SlaEvent | None = None
    transmit_power_dbm: PowerDbm | None = Field(default=None, alias="transmit_power")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(v is not None for v in (self.join, self.leave, self.sla, self.transmit_power_dbm)) != 1:
            raise ValueError("must have exactly one of `join`, `leave`, `sla`, `transmit_power`")
        return self


SliceName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]


class Scenario(Part):
    """A base station, its slices, and what happens to them."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    description: Annotated[str, Field(max_length=2000)] = ""
    carrier: Carrier = Carrier()
    control: Control = Control()
    channel: Channel = Channel()
    slices: Annotated[dict[SliceName, Slice], Field(min_length=1, max_length=limits.MAX_SLICES)]
    utility: Utility = Utility()
    reward: Reward | None = None
    events: Annotated[tuple[Event, ...], Field(max_length=limits.MAX_EVENTS)] = ()

    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*self._allocation_faults(), *self._event_faults(), *self._size_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    # Each fault begins with the dotted key it is about.

    def _allocation_faults(self) -> list[str]:
        initial, units, n = self.control.initial_allocation, self.carrier.units, len(self.slices)
        if units < n:
            return [f"carrier: must have at least {n} units, one a slice, got {units}"]
        if initial != "equal" and (len(initial) != n or sum(initial) != units):
            rule = f"must be {n} whole numbers that sum to {units}"
            return [f"control.initial_allocation: {rule}, got {list(initial)}"]
        return []

    def _event_faults(self) -> list[str]:
        faults, present = [], {name: part.users for name, part in self.slices.items()}
        for i, event in sorted(enumerate(self.events), key=lambda numbered: numbered[1].at_ns):
            if event.at_ns % self.control.slot_ns:
                faults.append(f"events.{i}.at: must be a whole number of slots")
            for kind, part in (("join", event.join), ("leave", event.leave), ("sla", event.sla)):
                if part is not None and part.slice not in present:
                    faults.append(f"events.{i}.{kind}.slice: must be one of {', '.join(present)}, got {part.slice!r}")
            if event.join and event.join.slice in present:
                present[event.join.slice] += event.join.users
            if event.leave and event.leave.slice in present:
                there = present[event.leave.slice]
                if event.leave.users > there:
                    faults.append(f"events.{i}.leave.users: must be at most {there}, who are there then")
                else:
                    present[event.leave.slice] = there - event.leave.users
        return faults

    def _size_faults(self) -> list[str]:
        users = sum(self.users_ever(name) for name in self.slices)
        deepest = max(part.queue.packets for part in self.slices.values())
        if users > limits.MAX_USERS:
            return [f"slices: must have at most {limits.MAX_USERS} users over time, got {users}"]
        if users * deepest > limits.MAX_QUEUE_CELLS:
            most = limits.MAX_QUEUE_CELLS
            return [f"slices: must have at most {most} users times queue.packets, got {users * deepest}"]
        return []

    def users_ever(self, slice_name: str) -> int:
        """Users of a slice that are present at some time: those at the start and those who join."""
        joins = (e.join.users for e in self.events if e.join and e.join.slice == slice_name)
        return self.slices[slice_name].users + sum(joins)

    @property
    def slice_names(self) -> tuple[str, ...]:
        """The slices, in order."""
        return tuple(self.slices)

    @property
    def initial_allocation(self) -> tuple[int, ...]:
        """The allocation of period 0 in units, ``equal`` resolved.

        >>> import netsim
        >>> netsim.load_scenario("table1").initial_allocation
        (34, 33, 33)
        """
        initial = self.control.initial_allocation
        if initial != "equal":
            return initial
        share, left_over = divmod(self.carrier.units, len(self.slices))
        return tuple(share + (i < left_over) for i in range(len(self.slices)))

    @property
    def folder(self) -> Path | None:
        """The folder of the scenario's file, in which its traces are looked for; ``None`` if it was not a file."""
        return self._folder

    def files(self) -> dict[str, str | None]:
        """Name -> SHA-256 of each file that the scenario names: traces and plugins of its folder, modules of plugins.

        ``None`` for one that cannot be read, which is an error as soon as it is used unless it is a module without a
        file.
        """
        traces = {part.traffic.file for part in self.slices.values() if isinstance(part.traffic, Trace)}
        holders = {where for where, colon, _ in (spec.rpartition(":") for spec in self._plugins()) if colon}
        files = traces | {where for where in holders if where.endswith(".py")}
        digests = {name: _digest(self._folder, name) for name in files}
        return dict(sorted((digests | {name: module_digest(name) for name in holders - files}).items()))

    def _plugins(self) -> Iterator[str]:
        if isinstance(self.channel.path_loss, PluggedPathLoss):
            yield self.channel.path_loss.model
        for part in self.slices.values():
            for plugged in (part.traffic, part.scheduler):
                if isinstance(plugged, PluggedTraffic | PluggedScheduler):
                    yield plugged.kind

    def to_dict(self) -> dict[str, Any]:
        """The resolved scenario as plain values with units, every default spelled out; loads back to an equal one."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def from_dict(cls, content: dict[str, Any], folder: Path | None = None) -> Self:
        """The scenario that :meth:`to_dict` gave, its files looked for in ``folder``."""
        made = cls.model_validate(content)
        made._folder = folder
        return made

    def __eq__(self, other: object) -> bool:
        """Equal when every value is, wherever the scenarios were read from."""
        return isinstance(other, Scenario) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # see :attr:`hash`

    @property
    def hash(self) -> str:
        """SHA-256 of the resolved scenario and the files it names, less name, description, reward and run length.

        Equal physics, equal hash.
        """
        content = self.to_dict()
        if files := self.files():
            content["files"] = files
        for key in ("name", "description", "reward"):
            content.pop(key, None)
        content["control"].pop("periods")
        content["slice_order"] = list(self.slices)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digest(folder: Path | None, name: str) -> str | None:
    from netsim.loading import resolve_inside  # here, because loading makes scenarios

    try:
        return sha256(resolve_inside(folder, name))
    except (ScenarioError, OSError):
        return None
