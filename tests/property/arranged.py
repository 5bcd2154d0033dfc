"""Cells arranged to the bit: packets told one by one, and a channel on which a block carries a whole number of bits."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from netsim.limits import MAX_TIME_NS
from netsim.scenario import Scenario
from tests.oracles.cells import SLOT_NS

PRB_BITS = 500
"""What a resource block carries in a slot on :data:`EXACT`: 5 layers of 1 bit/s/Hz on 200 kHz for 0.5 ms."""
EXACT = {
    "transmit_power": "70 dBm",
    "receiver_gain": "0 dB",
    "noise_density": "-100 dBm/Hz",
    "path_loss": {"model": "constant", "loss": "100 dB"},
    "fading": {"model": "none"},
    "link": {"model": "shannon", "layers": 5, "ceiling": 1.0},
}
FADED = {"path_loss": {"model": "constant", "loss": "110 dB"}, "fading": {"model": "rayleigh"}}
NEVER_LATE = {"rate_floor": "0 bit/s", "latency_limit": "1000 s"}

Plan = Sequence[tuple[int, int]]
"""Gaps in ns and sizes in bits of one user's packets."""


def gaps() -> st.SearchStrategy[int]:
    """Often none, so that packets come together, and often whole slots, so that they come on a slot's edge."""
    return st.sampled_from([0, 0, 1, SLOT_NS, 3 * SLOT_NS]) | st.integers(0, 4 * SLOT_NS)


def sizes() -> st.SearchStrategy[int]:
    return st.sampled_from([1, PRB_BITS - 1, PRB_BITS, PRB_BITS + 1, 4 * PRB_BITS]) | st.integers(1, 5000)


def whole_blocks() -> st.SearchStrategy[int]:
    """Sizes that fill resource blocks to the bit."""
    return st.integers(1, 12).map(lambda blocks: blocks * PRB_BITS)


@cache
def plans(users: tuple[int, int] = (1, 4), packets: int = 6, size: Any = sizes) -> st.SearchStrategy[list[Plan]]:
    """What each of some users sends."""
    plan = st.lists(st.tuples(gaps(), size()), max_size=packets)
    return st.lists(plan, min_size=users[0], max_size=users[1])


def told(each: Sequence[Plan], folder: Path) -> dict[str, Any]:
    """The traffic of users who send what their plans say and then nothing: a recorded trace, a stretch of it each."""
    stride = 1 + max((len(plan) for plan in each), default=0)
    rows = [row for plan in each for row in [*plan, *[(MAX_TIME_NS, 1)] * (stride - len(plan))]]
    text = "\n".join(["gap_ns,size_bits", *(f"{gap_ns},{bits}" for gap_ns, bits in rows)]) + "\n"
    name = f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.csv"
    (folder / name).write_text(text)
    return {"kind": "trace", "file": name, "stride": stride, "repeat": False}


def slots_until_empty(each: Sequence[Plan]) -> int:
    """Slots after which all has been sent that the plans say, one block of EXACT at a time, and nothing is queued."""
    last_ns = max((sum(gap_ns for gap_ns, _ in plan) for plan in each), default=0)
    return last_ns // SLOT_NS + 3 + sum(-(-bits // PRB_BITS) for plan in each for _, bits in plan)


def arranged(
    each: Sequence[Plan],
    folder: Path,
    *,
    prb: int,
    spare_prb: int = 0,
    channel: dict[str, Any] = EXACT,
    slots: int | None = None,
    **part: Any,
) -> Scenario:
    """One slice of ``prb`` resource blocks, its users' packets told; a slice without users holds the spare ones.

    ``part`` are further keys of the slice. Nothing is dropped or late unless they say so.
    """
    only = {
        "users": len(each),
        "traffic": told(each, folder),
        "sla": NEVER_LATE,
        "queue": {"packets": 1 + max((len(plan) for plan in each), default=0)},
        **part,
    }
    nobody = {"users": 0, "traffic": {"kind": "silent"}, "sla": NEVER_LATE}
    content = {
        "name": "arranged",
        "carrier": {"prb": prb + spare_prb},
        "control": {
            "slot": f"{SLOT_NS} ns",
            "slots_per_period": slots or slots_until_empty(each),
            "initial_allocation": [prb, spare_prb] if spare_prb else [prb],
        },
        "channel": channel,
        "slices": {"only": only, **({"spare": nobody} if spare_prb else {})},
    }
    return Scenario.from_dict(content, folder)
