"""What a period, a user and a thread cost."""

import time

import pytest
import simpy

import netsim
from netsim.scenario import Scenario
from tests.benchmarks.turns import in_turns

GOOD = [3, 70, 27]


def timeouts():
    """One SimPy process that waits 400 times."""

    def waiting(env):
        while True:
            yield env.timeout(500_000)

    env = simpy.Environment()
    env.process(waiting(env))
    env.run(until=400 * 500_000 + 1)


@pytest.mark.parametrize("allocation", [GOOD, [34, 33, 33]], ids=["good", "equal"])
def test_a_period_of_table1_costs_no_more_than_400_simpy_timeouts(allocation, benchmark):
    simulation = netsim.Simulation(netsim.load_scenario("table1"), seed=1)
    simulation.reset()
    for _ in range(50):
        simulation.step(allocation)
    turns = in_turns(lambda: simulation.step(allocation), timeouts, rounds=500)
    print(f"\nperiod of table1 to 400 timeouts: {turns}")  # noqa: T201
    benchmark.extra_info["ratio"] = turns.ratio
    benchmark.pedantic(simulation.step, (allocation,), rounds=500)
    assert turns.ratio <= 1.0


PACKETS_PER_S = 8000


def crowd(users):
    """A cell of one slice that gets the same packets a second however many users send them.

    Four packets come in a slot and every one fits into the next, so users served in a slot are as many too.
    """
    size = {"distribution": "constant", "value": "40 B"}
    part = {
        "users": users,
        "traffic": {"kind": "poisson", "rate": f"{PACKETS_PER_S / users} /s", "size": size},
        "sla": {"rate_floor": "51 kbit/s", "latency_limit": "10 ms"},
    }
    return Scenario.from_dict({"name": f"crowd-{users}", "slices": {"all": part}})


def under_way(users):
    """A simulation in which every user has drawn afresh a few times: it draws eight packets at once."""
    simulation = netsim.Simulation(crowd(users), seed=1)
    simulation.reset()
    for _ in range(24 * users // (PACKETS_PER_S // 5) + 50):
        simulation.step([100])
    return simulation


def test_a_packet_costs_the_same_among_100_000_users_as_among_100(benchmark):
    few, many = under_way(100), under_way(100_000)
    arrived = {few: 0, many: 0}

    def step(simulation):
        arrived[simulation] += int(simulation.step([100]).arrived[0])

    turns = in_turns(lambda: step(many), lambda: step(few), rounds=500)
    per_packet = turns.ratio * arrived[few] / arrived[many]
    print(f"\nperiod with 100 000 users to one with 100: {turns}; per packet {per_packet:.3f}")  # noqa: T201
    benchmark.extra_info["ratio"] = per_packet
    benchmark.pedantic(many.step, ([100],), rounds=200)
    assert per_packet <= 1.3


def test_two_threads_step_64_cells_1_7_times_as_fast_as_one(benchmark):
    """Wall clock: the only mark that two cores can show."""
    scenario, seeds = netsim.load_scenario("table1"), range(64)
    with netsim.SimulationBatch(scenario, seeds) as one, netsim.SimulationBatch(scenario, seeds, threads=2) as two:
        one.reset()
        two.reset()
        allocations = [GOOD] * 64
        turns = in_turns(lambda: one.step(allocations), lambda: two.step(allocations), 60, time.perf_counter)
        print(f"\n64 cells on one thread to two: {turns}")  # noqa: T201
        benchmark.extra_info["ratio"] = turns.ratio
        benchmark.pedantic(two.step, (allocations,), rounds=30)
    assert turns.ratio >= 1.7
