"""Cells in which any value that a scenario can have may have been drawn: traces, plugins and seldom used values too.

They begin as one of :func:`netsim.testing.strategies.cells`, of which parts are then replaced.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

from netsim.scenario import Scenario
from netsim.testing.strategies import SLOT_NS, Played, allocations, cells

PLUGGED = "tests.oracles.plugged"
SCHEDULERS = tuple(
    {"options": options, "kind": f"{PLUGGED}:{name}"}
    for name, options in (
        ("PlainRotating", {}),
        ("CompiledRotating", {}),
        ("PlainByQueue", {}),
        ("CompiledByQueue", {}),
        ("PlainRoundRobin", {}),
        ("Patient", {"slots": 3}),
    )
)
TRAFFIC_KINDS = tuple(
    {"options": options, "kind": f"{PLUGGED}:{name}"}
    for name, options in (
        ("PlainUniform", {}),
        ("CompiledUniform", {}),
        ("PlainPaced", {"mean_ns": 400_000.0, "largest_bits": 9000}),
        ("PlainPaced", {"mean_ns": 2e6, "largest_bits": 30_000}),
    )
)
PATH_LOSSES = tuple(
    {"options": options, "model": f"{PLUGGED}:{name}"}
    for name, options in (("Corridor", {}), ("Corridor", {"per_metre_db": 0.0}), ("Stairs", {}))
)
Rows = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Whole:
    """A cell, and the rows of the traces that it names, by file."""

    played: Played
    traces: dict[str, Rows]

    def in_folder(self, folder: Path) -> Played:
        """The cell with its traces written into a folder."""
        for name, rows in self.traces.items():
            write_rows(folder / name, rows)
        return replace(self.played, scenario=Scenario.from_dict(self.played.scenario.to_dict(), folder))


def write_rows(path: Path, rows: Rows) -> None:
    """A trace as a CSV or Parquet file."""
    gaps_ns, sizes_bits = zip(*rows, strict=True)
    if path.suffix == ".parquet":
        parquet.write_table(pa.table({"gap_ns": gaps_ns, "size_bits": sizes_bits}), path)
    else:
        path.write_text("\n".join(["gap_ns,size_bits", *(f"{gap},{bits}" for gap, bits in rows)]) + "\n")


def trace_rows() -> st.SearchStrategy[Rows]:
    """Up to 20 packets, at least a quarter of a slot apart in the mean; gaps are often 0 or whole slots."""
    gaps_ns = st.sampled_from([0, 1, SLOT_NS, 3 * SLOT_NS]) | st.integers(0, 4 * SLOT_NS)
    rows = st.lists(st.tuples(gaps_ns, st.integers(1, 30_000)), min_size=1, max_size=20).map(tuple)
    return rows.filter(lambda rows: sum(gap_ns for gap_ns, _ in rows) >= SLOT_NS * len(rows) // 4)


@st.composite
def cells_with_everything(draw: Any, periods: int = 3, slots: tuple[int, int] = (1, 30)) -> Whole:
    played = draw(cells(periods=periods, slots=slots))
    content, traces = played.scenario.to_dict(), {}
    for name, part in content["slices"].items():
        content["slices"][name] = part | draw(
            st.sampled_from([{}, {}, {}, {"scheduler": draw(st.sampled_from(SCHEDULERS))}])
        )
        if draw(st.sampled_from([False, False, False, True])):
            content["slices"][name]["traffic"] = draw(st.sampled_from(TRAFFIC_KINDS) | traces_of(name, traces))
    content["control"] |= draw(controls(played))
    if content["channel"]["link"].get("ceiling") != 1.0:  # on that channel floors are met exactly, and that is to stay
        content["carrier"]["prb_bandwidth"] = draw(st.sampled_from(["200 kHz", "180 kHz"]))
        content["channel"] |= draw(channel_parts(content["channel"]))
    content["utility"]["alpha"] = draw(st.sampled_from([0.0, 0.01, 1.0]))
    return Whole(replace(played, scenario=Scenario.from_dict(content)), traces)


@st.composite
def traces_of(draw: Any, name: str, traces: dict[str, Rows]) -> dict[str, Any]:
    """A recorded trace; its rows are put into ``traces``."""
    file = f"{name}.{draw(st.sampled_from(['csv', 'parquet']))}"
    traces[file] = draw(trace_rows())
    return {"kind": "trace", "file": file, "stride": draw(st.integers(0, 7)), "repeat": draw(st.booleans())}


@st.composite
def controls(draw: Any, played: Played) -> dict[str, Any]:
    """Slots of which the events' instants are multiples, and an allocation to begin with."""
    units = draw(allocations(played.scenario.carrier.units, len(played.scenario.slices)))
    return {
        "slot": draw(st.sampled_from([f"{SLOT_NS} ns"] * 3 + [f"{SLOT_NS // 2} ns", f"{SLOT_NS // 5} ns"])),
        "initial_allocation": draw(st.sampled_from(["equal", list(units)])),
    }


@st.composite
def channel_parts(draw: Any, channel: dict[str, Any]) -> dict[str, Any]:
    """Values of the channel that are seldom other than the default ones."""
    replaced: dict[str, Any] = {"min_distance": draw(st.sampled_from(["1 m", "1 m", "25 m"]))}
    if draw(st.sampled_from([True, True, False])):
        replaced["path_loss"] = draw(path_losses())
    if channel["link"]["model"] == "nr":
        replaced["link"] = channel["link"] | {
            "layers": draw(st.integers(1, 8)),
            "gap": draw(st.sampled_from(["3 dB", "0 dB"])),
        }
    if channel["fading"]["model"] == "jakes":
        replaced["fading"] = {"model": "jakes", "doppler": draw(st.sampled_from(["50 Hz", "9.7 Hz", "400 Hz"]))}
    return replaced


def path_losses() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({"model": "log-distance", "intercept": "128.1 dB", "slope": "37.6 dB"}),
        st.fixed_dictionaries(
            {
                "model": st.just("umi-38901"),
                "carrier_frequency": st.sampled_from(["3.5 GHz", "28 GHz"]),
                "base_station_height": st.sampled_from(["10 m", "25 m"]),
                "user_height": st.sampled_from(["1.5 m", "10 m"]),
                "shadowing": st.booleans(),
            }
        ),
        st.sampled_from(PATH_LOSSES),
    )
