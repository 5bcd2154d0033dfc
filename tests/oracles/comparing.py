"""What kernel and oracle say about the same periods, in one form."""

from typing import NamedTuple

import numpy as np

import netsim
from netsim.report import NEVER, VERDICTS, PeriodReport
from netsim.scenario import Scenario
from tests.oracles.base_station import BaseStation
from tests.oracles.packets import Packet
from tests.oracles.report import Period


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


def assert_same_period(report: PeriodReport, period: Period) -> None:
    """Whole figures and shares equal; means and efficiencies, which are sums in another order, to 1e-12."""
    for s, name in enumerate(report.slices):
        told = {key: int(getattr(report, key)[s]) for key in period.counts[name]}
        differing = {key: (told[key], value) for key, value in period.counts[name].items() if told[key] != value}
        assert not differing, f"{name} in period {report.period}, kernel and oracle: {differing}"
        assert (report.ssr[s], report.idle[s]) == (period.ssr[name], period.idle[name])
        for key, value in period.latencies_ms[name].items():
            np.testing.assert_allclose(getattr(report, f"latency_{key}_ms")[s], value, rtol=1e-12, atol=0)
    told = [report.se_capacity, report.se_carried, report.utility]
    np.testing.assert_allclose(told, [period.se_capacity, period.se_carried, period.utility], rtol=1e-12, atol=0)


def assert_same_packets(kernel: list[Record], oracle: list[Record]) -> None:
    """Names the first packets that differ, because a list of thousands does not."""
    ours, theirs = sorted(set(kernel) - set(oracle)), sorted(set(oracle) - set(kernel))
    assert not ours, f"{len(ours)} packets differ: the kernel has {ours[:2]}, the oracle {theirs[:2]}"
    assert not theirs, f"the kernel lacks {len(theirs)} packets: {theirs[:2]}"
    assert len(kernel) == len(oracle)


def assert_same_run(scenario: Scenario, seed: int, allocations: tuple[tuple[int, ...], ...]) -> None:
    """Kernel and oracle agree report by report and packet by packet.

    Raises
    ------
    Undecided
        The last bits of logarithms decide; see :mod:`tests.oracles.channel`.
    """
    periods = BaseStation(scenario, seed).run([scenario.initial_allocation, *allocations])
    simulation = netsim.Simulation(scenario, seed, log_packets=True)
    for number, period in enumerate(periods):
        report = simulation.step(allocations[number - 1]) if number else simulation.reset()
        assert_same_packets(of_kernel(simulation.take_packets(), scenario), of_oracle(period.left))
        assert_same_packets(of_kernel(simulation.queued_packets(), scenario), of_oracle(period.queued))
        assert_same_period(report, period)
