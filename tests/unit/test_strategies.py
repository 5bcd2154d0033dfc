"""What the public strategies draw is what they say, and what is given takes the place of one part only."""

import itertools

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import netsim
from netsim.scenario import SCHEDULERS, TRAFFIC_KINDS
from netsim.testing import strategies
from netsim.testing.strategies import SLOT_NS

SEARCH = settings(max_examples=2000, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)


def can_be_drawn(strategy, condition):
    find(strategy, condition, settings=SEARCH)
    return True


# -- everything is drawn -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_every_scheduler_is_drawn(kind):
    assert can_be_drawn(strategies.schedulers(), lambda drawn: drawn["kind"] == kind)


@pytest.mark.parametrize("kind", TRAFFIC_KINDS)
def test_every_traffic_kind_is_drawn(kind, tmp_path):
    assert can_be_drawn(strategies.traffic(tmp_path), lambda drawn: drawn["kind"] == kind)


@pytest.mark.parametrize("what", ["join", "leave", "sla", "transmit_power"])
def test_every_event_is_drawn(what):
    assert can_be_drawn(strategies.events({"alpha": 2}, 10), lambda drawn: any(what in event for event in drawn))


@pytest.mark.parametrize(
    "equal",
    [
        lambda part: part["sla"]["latency_limit"] == f"{SLOT_NS} ns",
        lambda part: part["queue"]["packets"] == 1 and part["users"] > 0,
        lambda part: part["traffic"].get("gap") == {"distribution": "constant", "value": f"{SLOT_NS} ns"},
        lambda part: part["late"] == "discard" and part["queue"]["when_full"] == "defer",
    ],
    ids=["limit of one slot", "queue of one", "arrivals on edges", "discard and defer"],
)
def test_equalities_are_drawn_on_purpose(equal):
    assert can_be_drawn(strategies.slices(), equal)


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.integers(n, 12), st.just(n))), st.data())
def test_allocations_are_allocations(units_n, data):
    units, n = units_n
    drawn = data.draw(strategies.allocations(units, n))
    assert len(drawn) == n
    assert sum(drawn) == units
    assert min(drawn) >= 1


@given(strategies.times(1, 3 * SLOT_NS), strategies.sizes(50, 70))
def test_quantities_stay_within_their_bounds_and_carry_their_units(time, size):
    assert time.endswith(" ns")
    assert 1 <= int(time.split()[0]) <= 3 * SLOT_NS
    assert size.endswith(" bit")
    assert 50 <= int(size.split()[0]) <= 70


# -- what is given takes the place of one part -------------------------------------------------------------------------


def test_parts_that_are_given_are_used(tmp_path):
    scheduler, traffic, channel = {"kind": "mine.py:Mine"}, {"kind": "silent"}, {"transmit_power": "12 dBm"}
    given_parts = {"schedulers": st.just(scheduler), "traffic": st.just(traffic), "channels": st.just(channel)}

    @settings(max_examples=20)
    @given(strategies.scenarios(**given_parts, folder=tmp_path))
    def check(scenario):
        assert scenario.folder == tmp_path
        assert scenario.channel.transmit_power_dbm == 12.0
        assert {(part.scheduler.kind, part.traffic.kind) for part in scenario.slices.values()} == {
            ("mine.py:Mine", "silent")
        }

    check()


@settings(max_examples=20)
@given(strategies.cells(slices=strategies.slices().map(lambda part: {**part, "users": 6}), periods=4, slots=(2, 3)))
def test_slices_periods_and_slots_that_are_given_are_used(cell):
    assert {part.users for part in cell.scenario.slices.values()} == {6}
    assert len(cell.allocations) == 3
    assert cell.scenario.control.slots_per_period in (2, 3)


# -- recorded traces ---------------------------------------------------------------------------------------------------


def test_recorded_traces_are_drawn_into_the_folder_and_play(tmp_path):
    played = set()

    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(strategies.cells(traffic=strategies.recorded_traces(tmp_path), folder=tmp_path))
    def check(cell):
        netsim.Simulation(cell.scenario, cell.seed).reset()
        played.update(part.traffic.file.rpartition(".")[2] for part in cell.scenario.slices.values())

    check()
    assert played == {"csv", "parquet"}


def test_without_a_folder_no_file_is_needed():
    with pytest.raises(NoSuchExample):
        find(strategies.traffic(), lambda drawn: drawn["kind"] == "trace", settings=SEARCH)


# -- controllers -------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(strategies.controllers(), strategies.scenarios(with_events=False), st.integers(0, 1000))
def test_controllers_decide_validly_and_deterministically(controller, scenario, seed):
    def decided():
        taken = []

        class Watching:
            @netsim.hookimpl
            def period_ended(self, report):
                taken.append(report.allocation)

        netsim.run(scenario, controller, periods=6, seed=seed, plugins=[Watching()])
        return taken

    first = decided()
    assert len(first) == 7
    assert decided() == first


def test_controllers_are_fixed_scripted_random_and_reacting():
    def decisions(controller, n=3):
        report = netsim.Simulation(netsim.load_scenario("tiny"), 1).reset()
        return [tuple(controller.decide_allocation(report)) for _ in range(n)]

    assert can_be_drawn(strategies.controllers(), lambda c: type(c).__name__ == "Scripted" and len(c.ranks) == 1)
    assert can_be_drawn(strategies.controllers(), lambda c: type(c).__name__ == "Random")
    memory = strategies.controllers().filter(lambda c: type(c).__name__ == "Reacting")
    assert can_be_drawn(memory, lambda c: len({*itertools.chain(decisions(c))}) > 1)
