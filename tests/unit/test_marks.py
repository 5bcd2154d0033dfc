"""A mark changes with every event of its layer, and with nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import netsim
from netsim import marks
from netsim.scenario import Scenario

WORDS = st.tuples(st.integers(0, 2**50), st.integers(0, 2**62), st.integers(0, 2**50))


@given(WORDS, st.integers(0, 2), st.integers(0, 49))
def test_a_flipped_bit_of_any_part_changes_the_number(words, part, bit):
    flipped = [word ^ (1 << bit) if i == part else word for i, word in enumerate(words)]
    assert marks.mixed(*words) != marks.mixed(*flipped)


@given(WORDS, WORDS, st.integers(0, 2))
def test_two_events_that_exchange_a_part_change_the_mark(one, other, part):
    swapped = [list(one), list(other)]
    swapped[0][part], swapped[1][part] = other[part], one[part]
    if sorted(map(tuple, swapped)) != sorted([one, other]):
        before, after = (marks.mixed(*a) ^ marks.mixed(*b) for a, b in ((one, other), swapped))
        assert before != after


def test_a_hundred_thousand_neighbouring_events_have_as_many_numbers():
    # By chance two of them agree in 3 cases of 10^10.
    grid = {marks.mixed((user << 32) + index, slot * 500_000, 320) for user in range(10) for index in range(100)
            for slot in range(100)}  # fmt: skip
    assert len(grid) == 100_000


def test_every_bit_of_the_number_moves_in_half_of_all_cases():
    # 64 bits, 3 parts of 40 bits, 200 draws: 24 000 flips for each bit of the result, standard deviation 0.0032.
    draw = np.random.default_rng(1)
    moved = np.zeros(64)
    for words in draw.integers(0, 2**40, (200, 3)).tolist():
        for part in range(3):
            for bit in range(40):
                flipped = [word ^ (1 << bit) if i == part else word for i, word in enumerate(words)]
                change = int(marks.mixed(*words)) ^ int(marks.mixed(*flipped))
                moved += [change >> i & 1 for i in range(64)]
    share = moved / (200 * 3 * 40)
    assert share[32:].min() > 0.5 - 4 * 0.0032


# -- of a cell ---------------------------------------------------------------------------------------------------------

PART = {
    "users": 3,
    "traffic": {"kind": "poisson", "rate": "900 /s", "size": {"distribution": "constant", "value": "1 kB"}},
    "sla": {"rate_floor": "1 Mbit/s", "latency_limit": "2 ms"},
}
BASE = {"name": "pair", "carrier": {"prb": 8}, "control": {"slots_per_period": 40}, "slices": {"a": PART, "b": PART}}


def marked(periods=4, allocation=(4, 4), seed=1, **changes):
    """Marks of the first periods, ``(periods, slices, layers)``, as a dict of layers."""
    content = {**BASE, **changes}
    simulation = netsim.Simulation(Scenario.from_dict(content), seed)
    simulation.reset()
    found = [simulation.marks()]
    for _ in range(periods - 1):
        simulation.step(allocation)
        found.append(simulation.marks())
    return dict(zip(("arrivals", "fading", "grants", "departures"), np.moveaxis(found, -1, 0), strict=True))


def differing(one, other):
    return {layer for layer in one if not np.array_equal(one[layer], other[layer])}


def channel(**changes):
    return {"channel": changes}


def changed_part(**changes):
    return {"slices": {"a": {**PART, **changes}, "b": {**PART, **changes}}}


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({"seed": 2}, {"arrivals", "fading", "grants", "departures"}),
        ({"allocation": (5, 3)}, {"grants", "departures"}),
        (channel(transmit_power="45 dBm"), {"fading", "grants", "departures"}),
        (channel(fading={"model": "none"}), {"fading", "grants", "departures"}),
        (changed_part(scheduler={"kind": "max-rate"}), {"grants", "departures"}),
        (changed_part(sla={"rate_floor": "1000 Mbit/s", "latency_limit": "2 ms"}), {"departures"}),
        (changed_part(sla={"rate_floor": "1 Mbit/s", "latency_limit": "0.6 ms"}), {"departures"}),
        (changed_part(weight=2.0), set()),
        ({"description": "another"}, set()),
    ],
    ids=["seed", "allocation", "power", "fading", "scheduler", "floor", "limit", "weight", "description"],
)
def test_a_change_shows_in_the_layers_that_follow_from_it_and_in_no_other(changes, layers):
    assert differing(marked(), marked(**changes)) == layers


def test_marks_of_a_slice_do_not_change_with_the_order_of_slices_or_with_another_slice():
    here = marked()
    there = marked(slices={"b": PART, "a": PART})
    assert all(np.array_equal(here[layer], there[layer][:, ::-1]) for layer in here)
    other = marked(slices={"a": PART, "b": {**PART, "users": 5}})
    for layer in here:
        assert np.array_equal(here[layer][:, 0], other[layer][:, 0])
        assert not np.array_equal(here[layer][:, 1], other[layer][:, 1])


def test_the_channel_of_every_user_is_marked_in_turn():
    """With 65 users, 64 a period, the power of a single one shows within two periods."""
    crowd = {"slices": {"a": {**PART, "users": 65}}, "carrier": {"prb": 8}}
    simulations = [netsim.Simulation(Scenario.from_dict({**BASE, **crowd}), seed=1) for _ in range(2)]
    for simulation in simulations:
        simulation.reset()
    for user in range(65):
        simulations[1].cell.users["snr"][user] *= 2
        seen = []
        for _ in range(2):
            for simulation in simulations:
                simulation.step([8])
            one, other = (simulation.marks()[0, 1] for simulation in simulations)
            seen.append(one != other)
        assert any(seen), user
        simulations[1].cell.users["snr"][user] /= 2


def test_who_asks_for_counts_within_a_period_leaves_the_marks_as_they_are():
    # Counting looks for packets whose limit has passed; one that departs late unlooked-for had its limit pass as well.
    overloaded = Scenario.from_dict({**BASE, "carrier": {"prb": 2}})

    def curious(simulation):
        while True:
            simulation.counts()
            yield simulation.env.timeout(overloaded.control.slot_ns)

    alone, watched = (
        netsim.Simulation(overloaded, 1),
        netsim.Simulation(overloaded, 1, processes=[lambda s: [curious(s)]]),
    )
    assert alone.reset().late.sum() > 0
    watched.reset()
    assert np.array_equal(alone.marks(), watched.marks())
