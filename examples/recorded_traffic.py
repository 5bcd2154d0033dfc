"""Traffic from a recording: packets of a capture, as times and sizes, become a trace that the users of a slice play.

    python examples/recorded_traffic.py [CAPTURE.csv]

A capture is a CSV file with the columns `time_s` and `bytes`, as `tshark -T fields -E header=y -E separator=,
-e frame.time_relative -e frame.len` writes after its two columns are renamed; without one, a made-up one is used. It
becomes `packets.csv` beside a scenario file that names it. It prints

    recorded: 2000 packets, 0.554 Mbit/s; ten users play it
    captured: 9396 packets, 5.478 Mbit/s, SSR 1.0000
    background: 10019 packets, 4.007 Mbit/s, SSR 1.0000
"""

import csv
import random
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import netsim

SCENARIO = """
name: recorded
carrier: {prb: 20}
control: {slots_per_period: 200, periods: 100}
slices:
  captured:
    users: 10
    traffic: {kind: trace, file: packets.csv, stride: 97, repeat: true}   # user n starts at row 97 n
    sla: {rate_floor: 5 Mbit/s, latency_limit: 10 ms}
  background:
    users: 10
    traffic: {kind: poisson, rate: 100 /s, size: {distribution: constant, value: 500 B}}
    sla: {rate_floor: 1 Mbit/s, latency_limit: 50 ms}
"""


def made_up() -> list[tuple[float, int]]:
    """Times and sizes of 2,000 packets in bursts of four."""
    numbers, time_s, packets = random.Random(1), 0.0, []
    for n in range(2000):
        time_s += numbers.expovariate(25) if n % 4 == 0 else 0.0005
        packets.append((time_s, numbers.choice((60, 576, 1500))))
    return packets


def captured(file: str) -> list[tuple[float, int]]:
    """Times and sizes from a capture."""
    with open(file, newline="") as lines:
        return [(float(row["time_s"]), int(row["bytes"])) for row in csv.DictReader(lines)]


def write_trace(packets: list[tuple[float, int]], path: Path) -> None:
    """Whole nanoseconds since the packet before, and whole bits."""
    times_ns = [round(time_s * 1e9) for time_s, _ in packets]
    gaps_ns = [0, *(later - earlier for earlier, later in pairwise(times_ns))]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["gap_ns", "size_bits"])
        rows.writerows((gap_ns, 8 * size) for gap_ns, (_, size) in zip(gaps_ns, packets, strict=True))


def main() -> None:
    """Write trace and scenario, and run it."""
    packets = captured(sys.argv[1]) if len(sys.argv) > 1 else made_up()
    with tempfile.TemporaryDirectory() as folder:
        write_trace(packets, Path(folder) / "packets.csv")
        (Path(folder) / "recorded.yaml").write_text(SCENARIO)
        summary = netsim.run(Path(folder) / "recorded.yaml", "proportional", seed=1)
    mbps = 8 * sum(size for _, size in packets) / packets[-1][0] / 1e6
    print(f"recorded: {len(packets)} packets, {mbps:.3f} Mbit/s; ten users play it")
    for name, part in summary["slices"].items():
        mbps, ssr = part["carried_mbps"]["mean"], part["ssr"]["mean"]
        print(f"{name}: {part['arrived']} packets, {mbps:.3f} Mbit/s, SSR {ssr:.4f}")


if __name__ == "__main__":
    main()
