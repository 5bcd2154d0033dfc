"""Recorded traces are played row by row, by kernel and oracle alike."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.scenario import Scenario
from tests.oracles.cells import SLOT_NS, cells
from tests.oracles.comparing import assert_same_run

ROWS = st.lists(
    st.tuples(st.sampled_from([0, 1, SLOT_NS, 3 * SLOT_NS]) | st.integers(0, 4 * SLOT_NS), st.integers(1, 30_000)),
    min_size=1,
    max_size=20,
).filter(lambda rows: sum(gap_ns for gap_ns, _ in rows) >= SLOT_NS * len(rows) // 4)


@settings(max_examples=40)
@given(played=cells(), rows=ROWS, stride=st.integers(0, 7), repeat=st.booleans())
def test_kernel_equals_oracle_on_a_recorded_trace(played, rows, stride, repeat):
    traffic = {"kind": "trace", "file": "recorded.csv", "stride": stride, "repeat": repeat}
    content = played.scenario.to_dict()
    content["slices"] = {name: {**part, "traffic": traffic} for name, part in content["slices"].items()}
    with tempfile.TemporaryDirectory() as folder:
        lines = ["gap_ns,size_bits", *(f"{gap_ns},{bits}" for gap_ns, bits in rows)]
        (Path(folder) / "recorded.csv").write_text("\n".join(lines) + "\n")
        scenario = Scenario.from_dict(content, Path(folder))
        assert_same_run(scenario, played.seed, played.allocations)
