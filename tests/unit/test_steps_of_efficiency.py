"""Where more resource blocks may carry less: NR link adaptation with all the power on a user's own blocks."""

from itertools import pairwise

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from netsim.testing.strategies import Played, cells
from tests.oracles.channel import Radio, Undecided
from tests.oracles.comparing import assert_same_run
from tests.oracles.playing import changed, with_slices
from tests.property.arranged import arranged
from tests.unit.lone_slice import packets_of

BLOCKS = 40
RANKED = ("max-rate", "largest-queue", "earliest-deadline", "proportional-fair")
CHANNEL = {
    "power": "full",
    "cell_radius": "1 km",
    "fading": {"model": "rayleigh"},
    "link": {"model": "nr", "table": "qam256", "report": "mcs"},
}


@st.composite
def stepped(draw):
    """Cells of such a channel in which every scheduler ranks, so that it asks how many blocks a backlog needs."""
    played = draw(cells())
    kind = draw(st.sampled_from(RANKED))
    power = f"{draw(st.integers(10, 46))} dBm"
    scenario = changed(played.scenario, channel={**CHANNEL, "transmit_power": power}, events=[])
    ranked = with_slices(scenario, lambda _, part: {**part, "scheduler": {"kind": kind}})
    return Played(ranked, played.seed, played.allocations)


@settings(max_examples=100)
@given(stepped())
def test_the_fewest_blocks_that_carry_a_backlog_are_found_on_steps_too(played):
    """Kernel and oracle agree packet by packet; the oracle tries one block after the other."""
    try:
        assert_same_run(played.scenario, played.seed, played.allocations)
    except Undecided:
        reject()


def test_every_backlog_is_granted_the_first_number_of_blocks_that_carries_it(tmp_path):
    """Each number of blocks has a backlog that it just carries."""
    constant = {**CHANNEL, "path_loss": {"model": "constant", "loss": "155 dB"}, "fading": {"model": "none"}}
    whole = stepped_cell(tmp_path, constant, 1)
    radio = Radio(whole, 0, "only", 0)
    power_dbm = whole.channel.transmit_power_dbm
    bits = [radio.whole_bits(0, blocks, power_dbm) for blocks in range(BLOCKS + 1)]
    assert any(more < fewer for fewer, more in pairwise(bits))
    for backlog_bits in sorted(set(bits[1:])):
        fewest = next(blocks for blocks in range(1, BLOCKS + 1) if bits[blocks] >= backlog_bits)
        packets = packets_of(stepped_cell(tmp_path, constant, backlog_bits))
        assert packets["rate_bps"][0] == radio.whole_bps(0, fewest, power_dbm)


def stepped_cell(folder, channel, backlog_bits):
    """The first of two users has a backlog and the first choice of blocks."""
    scheduler = {"kind": "earliest-deadline"}
    each = [[(0, backlog_bits)], [(0, 10**6)]]
    return arranged(each, folder, prb=BLOCKS, channel=channel, slots=1, scheduler=scheduler)
