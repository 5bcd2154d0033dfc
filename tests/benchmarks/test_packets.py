"""The packet log: ten million rows in under 2 s of CPU (all threads) and 80 MB.

The rows are those of a simulated ``table1``, repeated.
"""

import time

import pytest

from netsim.loading import load_scenario
from netsim.report import NEVER
from netsim.simulation import Simulation
from netsim.tables import PacketWriter

ROWS = 10_000_000
ALLOCATIONS = {"good": (3, 70, 27), "equal": (34, 33, 33)}


def simulated(allocation, periods=600):
    """Packets as a run logs them, a piece per period, about a million in all."""
    simulation = Simulation(load_scenario("table1"), seed=1, log_packets=True)
    simulation.reset()
    pieces = [simulation.take_packets()]
    for _ in range(periods):
        simulation.step(allocation)
        pieces.append(simulation.take_packets())
    return pieces


def ten_million(pieces):
    """The pieces again and again, each time later, until there are enough."""
    span_ns = int(pieces[-1]["resolved_ns"].max()) // 500_000 * 500_000
    made, shift_ns = 0, 0
    while made < ROWS:
        for piece in pieces:
            later = piece[: ROWS - made].copy()
            for instant in ("arrival_ns", "departure_ns", "resolved_ns"):
                later[instant][later[instant] != NEVER] += shift_ns
            made += later.size
            yield later
        shift_ns += span_ns


@pytest.mark.parametrize("allocation", ALLOCATIONS.values(), ids=ALLOCATIONS)
def test_ten_million_packets_cost_under_2_s_and_80_mb(allocation, tmp_path):
    pieces, seconds = simulated(allocation), 0.0
    writer = PacketWriter(tmp_path / "packets.parquet", ["VoLTE", "video", "URLLC"])
    for period, piece in enumerate(ten_million(pieces)):
        started = time.process_time()
        writer.write(piece, period)
        seconds += time.process_time() - started
    started = time.process_time()
    writer.close()
    seconds += time.process_time() - started
    size = (tmp_path / "packets.parquet").stat().st_size
    print(f"\n{seconds:.2f} s of CPU, {size / 1e6:.1f} MB, {size / ROWS:.2f} B a row")  # noqa: T201
    assert seconds < 2.0
    assert size <= 80_000_000
