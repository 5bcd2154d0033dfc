"""Stories of a few packets, told by the kernel and by the oracle.

The channel carries exactly 1 Mbit/s on a resource block of 200 kHz, which is 500 bits in a slot of 0.5 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import netsim
from netsim.scenario import Scenario
from tests.oracles.base_station import BaseStation
from tests.oracles.comparing import Record, of_kernel, of_oracle
from tests.oracles.report import Period

SLOT_NS = 500_000
NEVER_NS = 10**18
CHANNEL = {
    "transmit_power": "70 dBm",
    "receiver_gain": "0 dB",
    "noise_density": "-100 dBm/Hz",
    "path_loss": {"model": "constant", "loss": "100 dB"},
    "fading": {"model": "none"},
    "link": {"model": "shannon", "layers": 5, "ceiling": 1.0},
}
Sent = tuple[int, int]
"""Gap in ns and size in bits of a packet."""


class Fate(NamedTuple):
    """What became of a packet."""

    verdict: str
    arrival_ns: int
    departure_ns: int | None
    resolved_ns: int | None
    rate_bps: int = 0


@dataclass
class SliceOf:
    """A slice whose users send the given packets, one list a user, those who join later included."""

    users: Sequence[Sequence[Sent]]
    units: int = 1
    limit_ns: int = 10**9
    floor_bps: int = 0
    rate: str = "granted"
    present: int | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> list[Sent]:
        """A trace of which each user plays a stretch of its own, which ends with a gap for ever."""
        stretch = self.stretch
        return [row for sent in self.users for row in [*sent, *[(NEVER_NS, 1)] * (stretch - len(sent))]]

    @property
    def stretch(self) -> int:
        return 1 + max(len(sent) for sent in self.users)

    def content(self, name: str) -> dict[str, Any]:
        return {
            "users": len(self.users) if self.present is None else self.present,
            "traffic": {"kind": "trace", "file": f"{name}.csv", "stride": self.stretch, "repeat": False},
            "sla": {
                "rate_floor": f"{self.floor_bps} bit/s",
                "latency_limit": f"{self.limit_ns} ns",
                "rate": self.rate,
            },
            **self.more,
        }


@dataclass
class Story:
    """What was told: the fate of each packet by slice, user and index, and what each period reported."""

    packets: dict[tuple[str, int, int], Fate]
    reports: list[dict[str, Any]]

    def of(self, user: int, name: str = "a") -> list[Fate]:
        """The packets of a user, in order."""
        return [fate for key, fate in sorted(self.packets.items()) if key[:2] == (name, user)]

    def count(self, figure: str, name: str = "a") -> list[int]:
        """A whole figure of a slice, period by period."""
        return [report[name][figure] for report in self.reports]


def scenario_of(folder: Path, slices: dict[str, SliceOf], slots: int, **parts: Any) -> Scenario:
    for name, part in slices.items():
        lines = ["gap_ns,size_bits", *(f"{gap_ns},{bits}" for gap_ns, bits in part.rows())]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    units = [part.units for part in slices.values()]
    content = {
        "name": "story",
        "carrier": {"prb": sum(units), "sharing": parts.pop("sharing", "isolated")},
        "control": {"slots_per_period": slots, "initial_allocation": units},
        "channel": CHANNEL,
        "slices": {name: part.content(name) for name, part in slices.items()},
        **parts,
    }
    return Scenario.from_dict(content, folder)


def by_kernel(scenario: Scenario, allocations: Sequence[tuple[int, ...]]) -> Story:
    simulation = netsim.Simulation(scenario, log_packets=True)
    reports = [simulation.reset(), *map(simulation.step, allocations)]
    told = [of_kernel(rows, scenario) for rows in (simulation.take_packets(), simulation.queued_packets())]
    return Story(fates(told[0] + told[1]), [figures_of_kernel(report) for report in reports])


def figures_of_kernel(report: netsim.PeriodReport) -> dict[str, Any]:
    cell = {name: getattr(report, name) for name in ("utility", "se_capacity", "se_carried")}
    per_slice = [name for name in vars(report) if name not in (*cell, "period", "time_s", "slices", "allocation")]
    slices = {
        name: {figure: getattr(report, figure)[s].item() for figure in per_slice}
        for s, name in enumerate(report.slices)
    }
    return cell | slices


def by_oracle(scenario: Scenario, allocations: Sequence[tuple[int, ...]]) -> Story:
    periods = BaseStation(scenario, seed=0).run([scenario.initial_allocation, *allocations])
    left = [packet for period in periods for packet in period.left]
    return Story(fates(of_oracle(left + periods[-1].queued)), [figures_of_oracle(period) for period in periods])


def figures_of_oracle(period: Period) -> dict[str, Any]:
    cell = {name: getattr(period, name) for name in ("utility", "se_capacity", "se_carried")}
    slices = {
        name: counts
        | {"ssr": period.ssr[name], "idle": period.idle[name]}
        | {f"latency_{key}_ms": value for key, value in period.latencies_ms[name].items()}
        for name, counts in period.counts.items()
    }
    return cell | slices


def fates(records: list[Record]) -> dict[tuple[str, int, int], Fate]:
    return {
        (told.slice, told.user, told.index): Fate(
            told.verdict, told.arrival_ns, told.departure_ns, told.resolved_ns, told.rate_bps
        )
        for told in records
    }
