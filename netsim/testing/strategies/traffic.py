"""Traffic of every built-in kind."""

import hashlib
from functools import cache, lru_cache
from pathlib import Path

from hypothesis import strategies as st

from netsim.testing.strategies.quantities import (
    SLOT_NS,
    Content,
    gaps,
    gaps_within_frames,
    mapping,
    packet_sizes,
    short_gaps,
    sizes,
    times,
)

Rows = list[tuple[int, int]]


@lru_cache(maxsize=16)
def traffic(folder: Path | None = None) -> st.SearchStrategy[Content]:
    """The ``traffic`` of a slice: renewal, Poisson, framed video, two-state voice, silence, and recorded traces.

    Parameters
    ----------
    folder
        Where the files of recorded traces are put, the folder of the scenario that names them. Without one no
        recorded trace is drawn.
    """
    generated = _generated()
    return generated if folder is None else st.one_of(generated, recorded_traces(folder))


@cache
def _generated() -> st.SearchStrategy[Content]:
    return st.one_of(
        mapping({"kind": "renewal", "gap": gaps(), "size": packet_sizes()}),
        mapping({"kind": "renewal", "gap": short_gaps(), "size": packet_sizes()}),
        mapping({"kind": "poisson", "rate": st.sampled_from(["200 /s", "1500 /s"]), "size": packet_sizes()}),
        mapping(
            {
                "kind": "ngmn-video",
                "frame_period": times(SLOT_NS, 12 * SLOT_NS),
                "packets_per_frame": st.integers(1, 5),
                "gap": gaps_within_frames(),
                "size": packet_sizes(),
            }
        ),
        _voices(),
        st.just({"kind": "silent"}),
    )


@st.composite
def _voices(draw: st.DrawFn) -> Content:
    probability = st.sampled_from([0.05, 0.3, 0.9])
    frame_ns = draw(st.sampled_from([SLOT_NS, 700_001, 3 * SLOT_NS]))
    return {
        "kind": "two-state-voice",
        "frame": f"{frame_ns} ns",
        "silence_gap": f"{draw(st.integers(1, 8)) * frame_ns} ns",
        "to_silence": draw(probability),
        "to_talk": draw(probability),
        "size": draw(sizes()),
        "silence_size": draw(sizes()),
    }


@st.composite
def recorded_traces(draw: st.DrawFn, folder: Path) -> Content:
    """Recorded traces of 1 to 20 packets, each in a CSV or Parquet file that is written into ``folder``.

    Gaps are 0 to 4 slots, on average at least a quarter slot, often whole slots and often 0; sizes 1 to 30 000 bits.
    A file is named after what it holds, so the same draw is the same file and no file is ever written anew.
    """
    rows = draw(_rows())
    kind = draw(st.sampled_from(["csv", "parquet"]))
    return {
        "kind": "trace",
        "file": _written(folder, rows, kind),
        "stride": draw(st.integers(0, 7)),
        "repeat": draw(st.booleans()),
    }


@cache
def _rows() -> st.SearchStrategy[Rows]:
    gap_ns = st.one_of(st.sampled_from([0, 1, SLOT_NS, 3 * SLOT_NS]), st.integers(0, 4 * SLOT_NS))
    rows = st.lists(st.tuples(gap_ns, st.integers(1, 30_000)), min_size=1, max_size=20)
    return rows.filter(lambda rows: 4 * sum(gap for gap, _ in rows) >= SLOT_NS * len(rows))


def _written(folder: Path, rows: Rows, kind: str) -> str:
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
    path = folder / f"trace-{digest}.{kind}"
    if not path.exists():
        _write_csv(path, rows) if kind == "csv" else _write_parquet(path, rows)
    return path.name


def _write_csv(path: Path, rows: Rows) -> None:
    path.write_text("\n".join(["gap_ns,size_bits", *(f"{gap_ns},{bits}" for gap_ns, bits in rows)]) + "\n")


def _write_parquet(path: Path, rows: Rows) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    gaps_ns, size_bits = zip(*rows, strict=True)
    parquet.write_table(pa.table({"gap_ns": pa.array(gaps_ns), "size_bits": pa.array(size_bits)}), path)
