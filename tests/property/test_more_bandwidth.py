"""More bandwidth never lowers the SSR: where that is so packet by packet, and where it is not.

A slice is given more of a carrier's resource blocks, everything else staying as it was. Nothing is dropped at a full
queue and no floor is set, but where it is said. A run ends with everybody's packets resolved.
"""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.scenario import SCHEDULERS, Scenario
from netsim.testing.strategies import SLOT_NS
from tests.oracles.playing import play
from tests.property.arranged import EXACT, FADED, PRB_BITS, arranged, plans

SLOTS = 400
"""Slots after which no packet is pending, whatever was drawn: the last arrives in slot 30, limits are 8 slots."""


def limits():
    return st.integers(1, 8).map(lambda slots: {"rate_floor": "0 bit/s", "latency_limit": f"{slots * SLOT_NS} ns"})


def met(each, folder, prb, of_prb, **part):
    """Which packets are satisfied when the slice holds ``prb`` of ``of_prb`` resource blocks, and the report's SSR."""
    scenario = arranged(each, folder, prb=prb, spare_prb=of_prb - prb, slots=SLOTS, **part)
    run = play(scenario, 0, ())
    assert all(packet.verdict != "pending" for packet in run.packets)
    satisfied = {(packet.user, packet.index) for packet in run.packets if packet.verdict == "satisfied"}
    return satisfied, run.reports[0].ssr[0]


def assert_more_is_never_worse(each, folder, blocks, **part):
    """Every packet that is satisfied with the fewer blocks is with the more."""
    of_prb = max(blocks) + 1
    (few, ssr_few), (many, ssr_many) = (met(each, folder, prb, of_prb, **part) for prb in sorted(blocks))
    assert few <= many
    assert ssr_few <= ssr_many


CHANNELS = st.sampled_from([EXACT, FADED, {**FADED, "power": "full"}])
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(max_examples=60)
@given(
    each=plans((1, 1), packets=10),
    blocks=PAIRS,
    channel=CHANNELS,
    sla=limits(),
    late=st.sampled_from(["send", "discard"]),
)
def test_more_bandwidth_never_lowers_the_ssr_of_one_user(folder, each, blocks, channel, sla, late):
    """Relation 28: one queue first in first out; also where what is late is discarded, which is a hard deadline."""
    assert_more_is_never_worse(each, folder, blocks, channel=channel, sla=sla, late=late)


@settings(max_examples=60)
@given(
    each=plans((1, 4)),
    blocks=st.sampled_from([(12, 24), (12, 36), (24, 36)]),
    channel=CHANNELS,
    sla=limits(),
    late=st.sampled_from(["send", "discard"]),
)
def test_more_bandwidth_never_lowers_the_ssr_of_equal_shares(folder, each, blocks, channel, sla, late):
    """Relation 28: round robin over at most four users is an equal share where 12 divides the blocks, so that nothing
    is left over for its pointer to hand out. Larger packets than elsewhere, or all would go in a slot."""
    larger = [[(gap_ns, 12 * bits) for gap_ns, bits in plan] for plan in each]
    assert_more_is_never_worse(larger, folder, blocks, channel=channel, sla=sla, late=late)


@settings(max_examples=60)
@given(each=plans((1, 4)), blocks=PAIRS, channel=CHANNELS, sla=limits(), late=st.sampled_from(["send", "discard"]))
def test_more_bandwidth_never_lowers_the_ssr_of_max_rate(folder, each, blocks, channel, sla, late):
    """Relation 28: whom max-rate prefers in a slot the channel alone decides."""
    part = {"channel": channel, "sla": sla, "late": late, "scheduler": {"kind": "max-rate"}}
    assert_more_is_never_worse(each, folder, blocks, **part)


# -- where it is not so ------------------------------------------------------------------------------------------------


def at(*packets):
    """A plan from slots and resource blocks."""
    slots = [0, *(slot for slot, _ in packets)]
    return [((k - j) * SLOT_NS, blocks * PRB_BITS) for j, (k, blocks) in zip(slots, packets, strict=False)]


WORSE_WITH_MORE = {
    # The block more lets the two large packets go on side by side, and the pointer stands before them when the small
    # one comes, which alone can be sent in time.
    "round robin with a pointer": (
        [at((5, 3)), at((5, 3)), at((7, 1))],
        (1, 2),
        1,
        {"scheduler": {"kind": "round-robin"}},
    ),
    "proportional fair": (
        [at((1, 6)), at((1, 3), (3, 6))],
        (3, 4),
        3,
        {"scheduler": {"kind": "proportional-fair", "time_constant_slots": 3.5}},
    ),
    "largest queue": (
        [at((5, 6)), at((1, 1), (6, 3))],
        (3, 4),
        2,
        {"scheduler": {"kind": "largest-queue"}},
    ),
    "largest queue, hard deadline": (
        [at((2, 3)), at((1, 8))],
        (4, 5),
        2,
        {"scheduler": {"kind": "largest-queue"}, "late": "discard"},
    ),
    "earliest deadline": (
        [at((0, 8), (2, 1)), at((0, 4), (0, 1))],
        (3, 4),
        1,
        {"scheduler": {"kind": "earliest-deadline"}},
    ),
    # Whose oldest packet is due first is sent its younger ones too.
    "earliest deadline, hard deadline, several users": (
        [at((1, 2), (1, 8), (3, 2)), at((0, 6), (2, 8), (4, 2)), at((0, 1), (1, 2), (3, 3))],
        (3, 4),
        3,
        {"scheduler": {"kind": "earliest-deadline"}, "late": "discard"},
    ),
    # With the block more a large packet finds room, and those after it do not.
    "tail drop of unequal sizes": (
        [at((0, 2), (1, 20), (2, 1), (3, 1), (4, 1))],
        (1, 2),
        4,
        {"queue": {"packets": 1}},
    ),
}


@pytest.mark.parametrize("case", WORSE_WITH_MORE)
def test_more_bandwidth_can_lower_the_ssr(folder, case):
    """Relation 28 is false in general: a counter-example each, found by search."""
    each, blocks, limit_slots, part = WORSE_WITH_MORE[case]
    sla = {"rate_floor": "0 bit/s", "latency_limit": f"{limit_slots * SLOT_NS} ns"}
    few, many = (met(each, folder, prb, max(blocks) + 1, sla=sla, **part)[1] for prb in blocks)
    assert many < few


SEEDS = range(300)


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_more_bandwidth_raises_the_mean_ssr_over_paired_seeds(kind):
    """Relation 28 where it is not exact: over 300 pairs that share packets and fading, z of the mean at least 4."""
    traffic = {
        "kind": "renewal",
        "gap": {"distribution": "exponential", "mean": f"{2 * SLOT_NS} ns"},
        "size": {"distribution": "choice", "values": ["2000 bit", "8000 bit", "32000 bit"]},
    }
    part = {
        "users": 4,
        "traffic": traffic,
        "sla": {"rate_floor": "0 bit/s", "latency_limit": f"{4 * SLOT_NS} ns"},
        "scheduler": {"kind": kind},
    }
    nobody = {"users": 0, "traffic": {"kind": "silent"}, "sla": part["sla"]}
    ssr = []
    for prb in (4, 5):
        content = {
            "name": "paired",
            "carrier": {"prb": 8},
            "control": {"slot": f"{SLOT_NS} ns", "slots_per_period": 200, "initial_allocation": [prb, 8 - prb]},
            "channel": FADED,
            "slices": {"only": part, "spare": nobody},
        }
        with netsim.SimulationBatch(Scenario.from_dict(content), SEEDS) as batch:
            batch.reset()
            ssr.append(batch.columns()["ssr"][:, 0])
    gained = ssr[1] - ssr[0]
    assert gained.mean() / (gained.std(ddof=1) / math.sqrt(len(SEEDS))) >= 4.0
