"""What a run left on disk, read with pyarrow: how late packets were, and the worst period.

    python examples/read_results.py

Makes a run of the scenario `tiny` in a temporary folder and reads its two tables. `table.to_pandas()` makes data frames
of them. It prints

    slice   packets      SSR   within 0.75 ms   within 1 ms
    VoLTE      3685   1.0000           0.5075        0.9929
    video      5091   0.7586           0.4887        0.9912
    URLLC      1053   0.8253           0.3846        0.8253
    period 353, VoLTE: 17 units, SSR 1.0000
    period 353, video: 2 units, SSR 0.0000
    period 353, URLLC: 1 units, SSR 0.0000
"""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import netsim

LIMITS_NS = (750_000, 1_000_000)


def tables() -> tuple[pa.Table, pa.Table]:
    """Periods and packets of a run under a random controller."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        netsim.run("tiny", "random", periods=500, seed=1, out=out, packets=True)
        return pq.read_table(out / "periods.parquet"), pq.read_table(out / "packets.parquet")


def within(packets: pa.Table, limit_ns: int) -> float:
    """The share of packets that left within a limit; what never left has no departure, and counts as later."""
    latency_ns = pc.subtract(packets["departure_ns"], packets["arrival_ns"])
    share: float = pc.sum(pc.less_equal(latency_ns, limit_ns)).as_py() / len(packets)
    return share


def main() -> None:
    """Print a line for each slice, then the rows of the worst period."""
    periods, packets = tables()
    print("slice   packets      SSR   within 0.75 ms   within 1 ms")
    for name in pc.unique(periods["slice"]).to_pylist():
        of_slice = pc.and_(pc.equal(packets["slice"], name), pc.not_equal(packets["verdict"], "pending"))
        resolved = packets.filter(of_slice)
        ssr = pc.mean(pc.equal(resolved["verdict"], "satisfied")).as_py()
        soon, late = (within(resolved, limit_ns) for limit_ns in LIMITS_NS)
        print(f"{name:<6} {len(resolved):>8} {ssr:>8.4f} {soon:>16.4f} {late:>13.4f}")
    worst = periods["period"][pc.index(periods["utility"], pc.min(periods["utility"])).as_py()]
    for row in periods.filter(pc.equal(periods["period"], worst)).to_pylist():
        print(f"period {row['period']}, {row['slice']}: {row['allocation']} units, SSR {row['ssr']:.4f}")


if __name__ == "__main__":
    main()
