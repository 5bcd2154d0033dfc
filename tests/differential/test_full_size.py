"""Kernel and oracle agree on the shipped scenarios at their full size, around their events too.

Seeds are fixed, and none of these leaves a rate to the last bits of logarithms. With 64 layers and all the power to
each user, rates are so high that half of all seeds do within 25 periods of ``hua2019``.
"""

from itertools import cycle, islice

import pytest

import netsim
from netsim.scenario import Scenario
from netsim.units import TIME
from tests.oracles.comparing import assert_same_run

UNITS = {
    100: [(3, 70, 27), (20, 30, 50), (60, 1, 39), (1, 98, 1)],
    53: [(10, 23, 20), (3, 20, 30), (1, 51, 1), (25, 14, 14)],
    20: [(1, 12, 7), (9, 6, 5), (4, 4, 12), (3, 15, 2), (1, 1, 18)],
}
"""Good and bad allocations for carriers of so many units."""


def assert_same(scenario, seed, periods):
    units = islice(cycle(UNITS[scenario.carrier.units]), periods - 1)
    assert_same_run(scenario, seed, tuple(units))


@pytest.mark.parametrize("name", ["table1", "table1-one-layer", "hua2019", "nr-umi"])
def test_kernel_equals_oracle_at_full_size_under_allocations_that_change(name):
    assert_same(netsim.load_scenario(name), seed=11, periods=5)


@pytest.mark.parametrize("name", ["churn", "flash-crowd", "diurnal"])
def test_kernel_equals_oracle_through_all_that_happens_a_hundred_times_as_fast(name):
    """Two minutes in 1.2 s, which is six periods, each event 37 slots after its place so that most are within one."""
    scenario = netsim.load_scenario(name)
    assert_same(hurried(scenario, factor=100, later_slots=37), seed=5, periods=8)


def hurried(scenario, factor, later_slots):
    """The scenario with its events and its load curves ``factor`` times as fast, the events a little later."""
    content, slot_ns = scenario.to_dict(), scenario.control.slot_ns

    def sooner(time, later_ns=0):
        return f"{int(TIME.parse(time)) // factor + later_ns} ns"

    for event in content["events"]:
        event["at"] = sooner(event["at"], later_slots * slot_ns)
    for part in content["slices"].values():
        load = part.get("load", {"points": []})
        for point in load["points"]:
            point["at"] = sooner(point["at"])
        if "repeat" in load:
            load["repeat"] = sooner(load["repeat"])
    return Scenario.from_dict(content)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["churn", "flash-crowd", "diurnal"])
def test_kernel_equals_oracle_through_all_that_happens_ten_times_as_fast(name):
    assert_same(hurried(netsim.load_scenario(name), factor=10, later_slots=123), seed=3, periods=62)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"),
    [("table1", seed) for seed in range(8)]
    + [("nr-umi", seed) for seed in range(8)]
    + [("hua2019", seed) for seed in (1, 3, 5, 6)],
)
def test_kernel_equals_oracle_at_full_size_for_a_while(name, seed):
    assert_same(netsim.load_scenario(name), seed, periods=25)
