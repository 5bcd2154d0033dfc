"""Where more resource blocks may carry less: NR link adaptation with all the power on a user's own blocks."""

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from netsim.testing.strategies import Played, cells
from tests.oracles.channel import Undecided
from tests.oracles.comparing import assert_same_run
from tests.oracles.playing import changed, with_slices

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
