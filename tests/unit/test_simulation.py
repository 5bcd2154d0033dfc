"""The plant: what reset and step promise, and what they refuse."""

import numpy as np
import pytest

import netsim
from netsim import sla
from netsim.errors import AllocationError, RunError
from netsim.report import SLICE_FIELDS

TINY = netsim.load_scenario("tiny")


def test_a_simulation_is_a_plant():
    assert isinstance(netsim.Simulation(TINY), netsim.Plant)


def test_reset_runs_period_0_under_the_initial_allocation():
    report = netsim.Simulation(TINY, seed=1).reset()
    assert (report.period, report.allocation) == (0, TINY.initial_allocation)
    assert report.time_s == TINY.control.period_ns / 1e9


def test_periods_are_numbered_and_end_one_after_the_other():
    simulation = netsim.Simulation(TINY, seed=1)
    simulation.reset()
    reports = [simulation.step([2, 12, 6]) for _ in range(3)]
    assert [report.period for report in reports] == [1, 2, 3]
    assert [report.time_s for report in reports] == [(k + 1) * TINY.control.period_ns / 1e9 for k in (1, 2, 3)]


def test_reset_starts_the_same_run_again_and_another_seed_another_one():
    simulation = netsim.Simulation(TINY, seed=1)
    first = [simulation.reset(), *(simulation.step([2, 12, 6]) for _ in range(10))]
    again = [simulation.reset(), *(simulation.step([2, 12, 6]) for _ in range(10))]
    other = [simulation.reset(2), *(simulation.step([2, 12, 6]) for _ in range(10))]
    assert first == again
    assert first != other


def test_a_report_is_read_only_and_shares_nothing_with_the_simulator():
    simulation = netsim.Simulation(TINY, seed=1)
    report = simulation.reset()
    kept = {name: getattr(report, name).copy() for name in SLICE_FIELDS}
    with pytest.raises(ValueError, match="read-only"):
        report.arrived[0] = 5
    simulation.step([18, 1, 1])
    assert all(np.array_equal(kept[name], getattr(report, name), equal_nan=name.startswith("lat")) for name in kept)


@pytest.mark.parametrize(
    "allocation",
    [[2, 12], [2, 12, 7], [0, 14, 6], [2.0, 12.0, 6.0], [True, 13, 6], "abc", None, [[2, 12, 6]], [float("nan")] * 3],
)
def test_what_is_no_allocation_is_refused_and_changes_nothing(allocation):
    simulation, untouched = netsim.Simulation(TINY, seed=1), netsim.Simulation(TINY, seed=1)
    simulation.reset()
    untouched.reset()
    with pytest.raises(AllocationError):
        simulation.step(allocation)
    assert simulation.step([2, 12, 6]) == untouched.step([2, 12, 6])


ONE_TOO_MANY = [[True, 13, 6], [np.True_, 13, 6], (13, 6, np.True_), np.array([True, True, True])]


@pytest.mark.parametrize("wrong", ONE_TOO_MANY, ids=str)
@pytest.mark.parametrize(
    "others", [[[2, 12, 6]], [(2, 12, 6)], [np.array([2, 12, 6])]], ids=["lists", "tuples", "rows"]
)
def test_a_batch_refuses_what_a_simulation_does(wrong, others):
    with netsim.SimulationBatch(TINY, [1, 2]) as batch:
        batch.reset()
        for wanted in ([*others, wrong], [wrong, *others]):
            with pytest.raises(AllocationError, match="must be a whole number, got True"):
                batch.step(wanted)


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_a_batch_takes_whole_numbers_of_any_kind(kind):
    wanted = kind([kind([2, 12, 6]), kind([1, 13, 6])])
    with netsim.SimulationBatch(TINY, [1, 2]) as batch:
        batch.reset()
        assert [report.allocation for report in batch.step(wanted)] == [(2, 12, 6), (1, 13, 6)]


def test_a_report_s_ssr_and_utility_are_their_equations():
    # The kernel adds the slices in order of their names: N + 1 roundings of terms that are at most U.
    settings = TINY.utility
    weights = np.array([part.weight for part in TINY.slices.values()])
    simulation = netsim.Simulation(TINY, seed=9)
    for report in [simulation.reset(), *(simulation.step(units) for units in ([2, 12, 6], [18, 1, 1], [1, 1, 18]))]:
        assert np.array_equal(report.ssr, sla.ssr(report.satisfied, report.resolved))
        expected = float(sla.utility(settings.alpha, report.se_capacity, weights, report.ssr))
        assert abs(report.utility - expected) <= 2 * (len(weights) + 1) * np.spacing(expected)


def test_step_before_reset_is_refused():
    with pytest.raises(RunError, match="call reset first"):
        netsim.Simulation(TINY).step([2, 12, 6])


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "7", None, True])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(RunError, match="seed must be a whole number"):
        netsim.Simulation(TINY, seed=seed)


def test_the_largest_seed_is_one():
    assert netsim.Simulation(TINY, seed=2**64 - 1).reset().period == 0


def test_a_process_cannot_step_the_simulation_it_runs_in():
    def meddle(simulation):
        def process():
            yield simulation.env.timeout(1)
            simulation.step([2, 12, 6])

        return [process()]

    with pytest.raises(RunError, match="cannot be called from a process"):
        netsim.Simulation(TINY, processes=[meddle]).reset()


def test_a_process_sees_time_in_nanoseconds_and_counts_that_only_grow():
    seen = []

    def watch(simulation):
        def process():
            while True:
                yield simulation.env.timeout(TINY.control.slot_ns)
                seen.append((simulation.env.now, simulation.slot, int(simulation.counts()["arrived"].sum())))

        return [process()]

    simulation = netsim.Simulation(TINY, seed=5, processes=[watch])
    report = simulation.reset()
    slots = TINY.control.slots_per_period
    assert [now for now, _, _ in seen] == [k * TINY.control.slot_ns for k in range(1, slots)]
    assert [slot for _, slot, _ in seen] == list(range(1, slots))
    arrivals = [arrived for _, _, arrived in seen]
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] <= report.arrived.sum()


def test_packets_are_not_to_be_had_unless_logged():
    simulation = netsim.Simulation(TINY)
    simulation.reset()
    with pytest.raises(RunError, match="log_packets=True"):
        simulation.take_packets()


def test_the_packet_log_grows_with_the_packets():
    # Far more drops within one slot than a first buffer of the log holds.
    flood = ["slices.video.traffic={kind: poisson, rate: 3000000 /s, size: {distribution: constant, value: 1 kB}}"]
    simulation = netsim.Simulation(netsim.load_scenario("tiny", flood), seed=1, log_packets=True)
    report = simulation.reset()
    packets = simulation.take_packets()
    queued = simulation.queued_packets()
    assert report.arrived.sum() > 100_000
    assert len(packets) + len(queued) == report.arrived.sum()
    assert len(packets[packets["verdict"] == 3]) == report.dropped.sum()


def test_an_environment_that_was_run_by_somebody_else_is_noticed():
    simulation = netsim.Simulation(TINY)
    simulation.reset()
    simulation.env.run(until=simulation.env.now + TINY.control.slot_ns)
    with pytest.raises(RunError, match="outside of reset and step"):
        simulation.step([2, 12, 6])
