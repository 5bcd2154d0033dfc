"""What a scenario promises its slices and measures U by, told by the scenario as a manifest holds it.

No scenario is made of it: one may name plugins, which are code, and a report runs none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netsim import beststatic
from netsim.beststatic import Best
from netsim.reports.starvation import Scale
from netsim.units import TIME

NS_PER_MS = 1e6
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Promise:
    """The SLA of a slice."""

    rate_floor: str
    limits: tuple[str, ...]
    """The latency limit, and those that events put in its place, each once."""
    users: int
    weight: float

    @classmethod
    def of(cls, scenario: Mapping[str, Any], name: str) -> "Promise":
        """That of a slice of a scenario."""
        part = scenario["slices"][name]
        changes = [each["sla"] for each in scenario["events"] if each.get("sla", {}).get("slice") == name]
        later = [change["latency_limit"] for change in changes if "latency_limit" in change]
        limits = dict.fromkeys([part["sla"]["latency_limit"], *later])
        return cls(part["sla"]["rate_floor"], tuple(limits), part["users"], part["weight"])

    @property
    def limits_ns(self) -> tuple[int, ...]:
        """The latency limits."""
        return tuple(map(TIME.parse_whole, self.limits))


def event_periods(scenario: Mapping[str, Any]) -> list[float]:
    """When the scenario's events happen, in periods from its beginning; 3.5 is in the middle of period 3."""
    control = scenario["control"]
    period_ns = TIME.parse_whole(control["slot"]) * control["slots_per_period"]
    return [TIME.parse_whole(event["at"]) / period_ns for event in scenario["events"]]


def best_of(request: Mapping[str, Any]) -> Best | None:
    """The best static allocation of a request's scenario, if it has been raced on this machine."""
    scenario = request["scenario"]
    if not _DIGEST.fullmatch(request["scenario_hash"]):
        return None
    return beststatic.kept(request["scenario_hash"], scenario["control"]["periods"] if moves(scenario) else None)


def moves(scenario: Mapping[str, Any]) -> bool:
    """Whether the load moves, so that one part of a run is not like another."""
    return bool(scenario["events"]) or any("load" in part for part in scenario["slices"].values())


def comparable(request: Mapping[str, Any]) -> bool:
    """Whether a run of a request can be held against what was measured over the whole course of its load."""
    control = request["scenario"]["control"]
    return not moves(request["scenario"]) or request["periods"] == control["periods"]


def scale_of(scenario: Mapping[str, Any], best: Best | None) -> Scale | None:
    """The scale of U: the scenario's thresholds, else those of the race for its best static allocation."""
    if (reward := scenario.get("reward")) is not None:
        return Scale(reward["gmin"], reward["gmax"], "the scenario's thresholds")
    if best is not None:
        return Scale(best.gmin, best.gmax, "measured by netsim calibrate")
    return None
