"""What a period reports, counted from what was written down."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netsim.scenario import Scenario
from tests.oracles.packets import Journal, Packet

if TYPE_CHECKING:
    from tests.oracles.slices import Slice

NS_PER_MS = 1e6
VERDICTS = ("satisfied", "slow", "late", "dropped")


@dataclass
class Period:
    """One period: the cell's figures, those of each slice, and the packets."""

    utility: float
    se_capacity: float
    se_carried: float
    counts: dict[str, dict[str, int]]
    ssr: dict[str, float]
    idle: dict[str, bool]
    latencies_ms: dict[str, dict[str, float]]
    left: list[Packet]
    queued: list[Packet]


def close_period(scenario: Scenario, slices: dict[str, "Slice"]) -> Period:
    """The report of the period that ends now. New journals are begun."""
    journals = {name: part.journal for name, part in slices.items()}
    queues = {name: part.queued for name, part in slices.items()}
    for part in slices.values():
        part.journal = Journal()
    shares = {name: satisfaction(journal) for name, journal in journals.items()}
    capacity, carried = spectral_efficiencies(scenario, journals)
    return Period(
        utility=utility(scenario, shares, capacity, carried),
        se_capacity=capacity,
        se_carried=carried,
        counts={name: counts(journals[name], queues[name]) for name in slices},
        ssr=shares,
        idle={name: not journal.resolved for name, journal in journals.items()},
        latencies_ms={name: latencies(journal) for name, journal in journals.items()},
        left=[packet for journal in journals.values() for packet in journal.left],
        queued=[replace(packet) for queue in queues.values() for packet in queue],
    )


def counts(journal: Journal, queue: list[Packet]) -> dict[str, int]:
    """The whole figures of a slice."""
    verdicts = {verdict: sum(packet.verdict == verdict for packet in journal.resolved) for verdict in VERDICTS}
    return verdicts | {
        "arrived": len(journal.arrived),
        "departed": sum(packet.departure_ns is not None for packet in journal.left),
        "pending": sum(packet.verdict == "pending" for packet in queue),
        "backlog_packets": len(queue),
        "backlog_bits": sum(packet.left_bits for packet in queue),
        "offered_bits": sum(packet.size_bits for packet in journal.arrived),
        "carried_bits": sum(grant.sent_bits for grant in journal.grants),
        "discarded_bits": sum(packet.left_bits for packet in journal.left),
        "prb_slots_granted": sum(grant.prb for grant in journal.grants),
        "prb_slots_used": sum(grant.prb_used for grant in journal.grants),
    }


def satisfaction(journal: Journal) -> float:
    """SSR: satisfied over resolved, 1 if nothing was resolved."""
    satisfied = sum(packet.verdict == "satisfied" for packet in journal.resolved)
    return satisfied / len(journal.resolved) if journal.resolved else 1.0


def latencies(journal: Journal) -> dict[str, float]:
    """Latencies of departures: a percentile is the smallest that so many percent do not exceed; NaN without one."""
    departed = [packet for packet in journal.left if packet.departure_ns is not None]
    ordered = sorted(packet.departure_ns - packet.arrival_ns for packet in departed)
    if not ordered:
        return dict.fromkeys(("mean", "p50", "p99", "max"), math.nan)
    percentiles = {name: ordered[math.ceil(q * len(ordered) / 100) - 1] for name, q in (("p50", 50), ("p99", 99))}
    in_ns = {"mean": sum(ordered) / len(ordered), **percentiles, "max": ordered[-1]}
    return {name: value / NS_PER_MS for name, value in in_ns.items()}


def spectral_efficiencies(scenario: Scenario, journals: dict[str, Journal]) -> tuple[float, float]:
    """Capacity: granted rate, summed over users, mean over slots, over W. Carried: bits sent over period times W."""
    grants = [grant for journal in journals.values() for grant in journal.grants]
    bandwidth_hz = scenario.carrier.prb * scenario.carrier.prb_bandwidth_hz
    slots = scenario.control.slots_per_period
    seconds = slots * scenario.control.slot_ns / 1e9
    capacity = sum(grant.rate_bps for grant in grants) / slots / bandwidth_hz
    return capacity, sum(grant.sent_bits for grant in grants) / seconds / bandwidth_hz


def utility(scenario: Scenario, ssr: dict[str, float], capacity: float, carried: float) -> float:
    """U = alpha se + sum of beta_n SSR_n; the literal reading counts the first term once per slice."""
    settings = scenario.utility
    alpha = settings.alpha * (len(ssr) if settings.alpha_per_slice else 1)
    se = capacity if settings.se == "capacity" else carried
    return alpha * se + sum(scenario.slices[name].weight * share for name, share in ssr.items())
