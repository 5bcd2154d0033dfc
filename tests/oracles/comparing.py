"""What kernel and oracle say about the same periods, in one form."""

import math
from typing import Any, NamedTuple

import numpy as np

import netsim
from netsim.report import NEVER, VERDICTS, PeriodReport
from netsim.scenario import Scenario
from tests.oracles.base_station import BaseStation, Counts, Packet, quantile

COUNTED = (
    "arrived",
    "satisfied",
    "slow",
    "late",
    "dropped",
    "departed",
    "offered_bits",
    "carried_bits",
    "discarded_bits",
    "prb_slots_granted",
    "prb_slots_used",
)
NS_PER_MS = 1e6


class Record(NamedTuple):
    """A packet as both sides tell it."""

    slice: str
    user: int
    index: int
    arrival_ns: int
    departure_ns: int | None
    resolved_ns: int | None
    size_bits: int
    rate_bps: int
    verdict: str


def of_kernel(records: np.ndarray, scenario: Scenario) -> list[Record]:
    def instant(ns: int) -> int | None:
        return None if ns == NEVER else int(ns)

    return sorted(
        Record(
            scenario.slice_names[row["slice"]],
            int(row["user"]),
            int(row["index"]),
            int(row["arrival_ns"]),
            instant(row["departure_ns"]),
            instant(row["resolved_ns"]),
            int(row["size_bits"]),
            int(row["rate_bps"]),
            VERDICTS[row["verdict"]],
        )
        for row in records
    )


def of_oracle(packets: list[Packet]) -> list[Record]:
    return sorted(
        Record(
            packet.slice_name,
            packet.user,
            packet.index,
            packet.arrival_ns,
            packet.departure_ns,
            packet.resolved_ns,
            packet.size_bits,
            packet.rate_bps,
            packet.verdict,
        )
        for packet in packets
    )


def counts_of(report: PeriodReport, name: str) -> dict[str, int]:
    """The whole figures of one slice in a report."""
    s = report.slices.index(name)
    keys = (*COUNTED, "pending", "backlog_packets", "backlog_bits")
    return {key: int(getattr(report, key)[s]) for key in keys}


def expected_counts(station: BaseStation, name: str) -> dict[str, int]:
    part = station.slices[name]
    queued = [packet for user in part.users for packet in user.queue]
    return {
        **{key: getattr(part.counts, key) for key in COUNTED},
        "pending": sum(packet.verdict == "pending" for packet in queued),
        "backlog_packets": len(queued),
        "backlog_bits": sum(packet.left_bits for packet in queued),
    }


def latencies_of(report: PeriodReport, name: str) -> list[float]:
    s = report.slices.index(name)
    return [float(getattr(report, f"latency_{which}_ms")[s]) for which in ("mean", "p50", "p99", "max")]


def expected_latencies(counts: Counts) -> list[float]:
    found = counts.latencies_ns
    if not found:
        return [math.nan] * 4
    mean = sum(found) / len(found) / NS_PER_MS
    return [mean, *(quantile(found, percent) / NS_PER_MS for percent in (50, 99, 100))]


def expected_ssr(counts: Counts) -> float:
    resolved = counts.satisfied + counts.slow + counts.late + counts.dropped
    return counts.satisfied / resolved if resolved else 1.0


def expected_efficiencies(scenario: Scenario, counts: dict[str, Counts]) -> tuple[float, float]:
    """Spectral efficiency by granted rate and by bits sent, bit/s/Hz."""
    slots, hz = scenario.control.slots_per_period, scenario.carrier.bandwidth_hz
    granted_bps = sum(part.granted_bps for part in counts.values()) / slots
    seconds = scenario.control.period_ns / 1e9
    return granted_bps / hz, sum(part.carried_bits for part in counts.values()) / seconds / hz


def expected_utility(scenario: Scenario, counts: dict[str, Counts]) -> float:
    settings, (capacity, carried) = scenario.utility, expected_efficiencies(scenario, counts)
    alpha = settings.alpha * (len(counts) if settings.alpha_per_slice else 1)
    promised = sum(scenario.slices[name].weight * expected_ssr(part) for name, part in counts.items())
    return alpha * (capacity if settings.se == "capacity" else carried) + promised


def assert_same_period(report: PeriodReport, station: BaseStation) -> None:
    """Whole figures equal; means and efficiencies, which are sums in another order, to 1e-12."""
    counts = {name: part.counts for name, part in station.slices.items()}
    for name, part in counts.items():
        told, expected = counts_of(report, name), expected_counts(station, name)
        differing = {key: (told[key], expected[key]) for key in told if told[key] != expected[key]}
        assert not differing, f"{name} in period {report.period}, kernel and oracle: {differing}"
        np.testing.assert_allclose(latencies_of(report, name), expected_latencies(part), rtol=1e-12, atol=0)
        assert report.ssr[report.slices.index(name)] == expected_ssr(part)
    figures: list[Any] = [report.se_capacity, report.se_carried, report.utility]
    expected = [*expected_efficiencies(station.scenario, counts), expected_utility(station.scenario, counts)]
    np.testing.assert_allclose(figures, expected, rtol=1e-12, atol=0)


def assert_same_packets(kernel: list[Record], oracle: list[Record]) -> None:
    """Names the first packets that differ, because a list of thousands does not."""
    ours, theirs = sorted(set(kernel) - set(oracle)), sorted(set(oracle) - set(kernel))
    assert not ours, f"{len(ours)} packets differ: the kernel has {ours[:2]}, the oracle {theirs[:2]}"
    assert not theirs, f"the kernel lacks {len(theirs)} packets: {theirs[:2]}"
    assert len(kernel) == len(oracle)


def assert_same_run(scenario: Scenario, seed: int, allocations: tuple[tuple[int, ...], ...]) -> None:
    """Kernel and oracle agree report by report and packet by packet."""
    simulation = netsim.Simulation(scenario, seed, log_packets=True)
    station = BaseStation(scenario, seed)
    for units in (scenario.initial_allocation, *allocations):
        report = simulation.reset() if simulation.slot == 0 else simulation.step(units)
        station.run_period(units)
        left = [packet for part in station.slices.values() for packet in part.log]
        for part in station.slices.values():
            part.log = []
        assert_same_packets(of_kernel(simulation.take_packets(), scenario), of_oracle(left))
        assert_same_packets(of_kernel(simulation.queued_packets(), scenario), of_oracle(station.queued()))
        assert_same_period(report, station)
