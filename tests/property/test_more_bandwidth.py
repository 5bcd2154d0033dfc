"""More bandwidth never lowers the SSR: where that is so packet by packet, and where it is not.

A slice is given more of a carrier's resource blocks, everything else staying as it was. Nothing is dropped at a full
queue and no floor is set, but where it is said. A run ends with everybody's packets resolved.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles.cells import SLOT_NS
from tests.oracles.playing import play
from tests.property.arranged import EXACT, FADED, arranged, plans

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
