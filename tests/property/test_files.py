"""What goes through a file comes back: simulations, scenarios, and traces of packets."""

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.limits import MAX_TIME_NS
from netsim.loading import dump_scenario, load_scenario, parse_scenario
from netsim.run import run
from netsim.testing.strategies import cells
from tests.oracles.playing import play, with_slices
from tests.property.slotwise import in_slots, units_of_slots


@settings(max_examples=30)
@given(played=cells(slots=(1, 12)), data=st.data())
def test_a_run_split_at_any_slots_is_the_whole_run(folder, played, data):
    """Relation 20: saved and loaded at every one of some slots of a run."""
    scenario, units = in_slots(played.scenario), units_of_slots(played)
    splits = data.draw(st.sets(st.integers(1, len(units))))
    outcomes = []
    for places in ((), splits):
        simulation = netsim.Simulation(scenario, played.seed, log_packets=True)
        reports = []
        for k, now in enumerate(units):
            if k in places:
                simulation.save(folder / "split")
                simulation = netsim.Simulation.load(folder / "split", scenario=scenario)
            reports.append(simulation.step(now) if k else simulation.reset())
        outcomes.append((reports, simulation.take_packets().tolist(), simulation.queued_packets().tolist()))
    assert outcomes[0] == outcomes[1]


@settings(max_examples=40)
@given(cells())
def test_a_scenario_written_to_a_file_is_read_as_itself(folder, played):
    """Relation 27: by text, by file and by plain values; what it does is the same, and so is its text."""
    (folder / "written.yaml").write_text(dump_scenario(played.scenario), encoding="utf-8")
    readers = (
        load_scenario(folder / "written.yaml"),
        parse_scenario(dump_scenario(played.scenario)),
        netsim.Scenario.from_dict(played.scenario.to_dict()),
    )
    expected = play(played.scenario, played.seed, played.allocations)
    for read in readers:
        assert read == played.scenario
        assert read.hash == played.scenario.hash
        assert dump_scenario(read) == dump_scenario(played.scenario)
        assert play(read, played.seed, played.allocations) == expected


@pytest.mark.parametrize("form", ["csv", "parquet"])
@settings(max_examples=20)
@given(played=cells(with_events=False))
def test_a_recorded_run_replayed_as_a_trace_is_the_run(folder, form, played):
    """Relation 27: the packets of ``packets.parquet``, cut into gaps, arrive and fare as they did.

    A source that waited for room sends at the instants at which it had room.
    """
    out = folder / "recorded"
    fixed = f"fixed:{','.join(map(str, played.allocations[0]))}"
    seed = played.seed % 2**63
    run(played.scenario, fixed, periods=2, seed=seed, out=out, packets=True, force=True)
    recorded = pq.read_table(out / "packets.parquet").to_pylist()

    def replayed(name, part):
        mine = [row for row in recorded if row["slice"] == name]
        traffic = _written(folder / f"{name}.{form}", _plans(mine, part["users"]))
        return {**{key: value for key, value in part.items() if key != "load"}, "traffic": traffic}

    scenario = with_slices(played.scenario, replayed)
    scenario = netsim.Scenario.from_dict(scenario.to_dict(), folder)
    run(scenario, fixed, periods=2, seed=seed, out=folder / "replayed", packets=True, force=True)
    for file in ("packets.parquet", "periods.parquet"):
        assert (folder / "replayed" / file).read_bytes() == (out / file).read_bytes()


def _plans(rows, users):
    """Gaps and sizes of each user's packets, from their records.

    Of packets that came together those that found room came first, and what found room leaves in its order.
    """
    plans = []
    for user in range(users):
        mine = [row for row in rows if row["user"] == user]
        mine.sort(key=lambda row: (row["arrival_ns"], row["verdict"] == "dropped"))
        gaps_ns = np.diff([row["arrival_ns"] for row in mine], prepend=0).tolist()
        plans.append([(gap_ns, row["size_bits"]) for gap_ns, row in zip(gaps_ns, mine, strict=True)])
    return plans


def _written(path, plans):
    """The traffic of users who play a stretch of a file each, and then wait for ever."""
    stride = 1 + max((len(plan) for plan in plans), default=0)
    rows = [row for plan in plans for row in [*plan, *[(MAX_TIME_NS, 1)] * (stride - len(plan))]] or [(1, 1)]
    columns = dict(zip(("gap_ns", "size_bits"), map(list, zip(*rows, strict=True)), strict=True))
    if path.suffix == ".parquet":
        import pyarrow as pa

        pq.write_table(pa.table(columns), path)
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([list(columns), *rows])
    return {"kind": "trace", "file": path.name, "stride": stride, "repeat": False}
