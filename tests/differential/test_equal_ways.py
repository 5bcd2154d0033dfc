"""Every way of running the same cell gives the same figures, bit for bit."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.scenario import Scenario
from netsim.testing.strategies import SLOT_NS, cells
from tests.oracles.comparing import of_kernel
from tests.oracles.playing import play, play_cell, with_slices

# -- batches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
@settings(max_examples=25)
@given(played=cells(), seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
def test_cells_of_a_batch_are_lone_runs(threads, played, seeds):
    with netsim.SimulationBatch(played.scenario, seeds, threads=threads) as batch:
        together = [list(batch.reset()), *(list(batch.step([units] * len(seeds))) for units in played.allocations)]
    alone = [play(played.scenario, seed, played.allocations).reports for seed in seeds]
    assert together == [list(period) for period in zip(*alone, strict=True)]


@settings(max_examples=15)
@given(played=cells(), seed=st.integers(0, 2**64 - 1))
def test_neighbours_in_a_batch_may_play_other_allocations(played, seed):
    units = played.scenario.initial_allocation
    batch = netsim.SimulationBatch(played.scenario, [seed, seed])
    periods = [batch.reset(), *(batch.step([units, other]) for other in played.allocations)]
    held = play(played.scenario, seed, [units] * len(played.allocations)).reports
    moved = play(played.scenario, seed, played.allocations).reports
    assert [list(period) for period in periods] == [list(pair) for pair in zip(held, moved, strict=True)]


# -- saving ------------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(played=cells(periods=4), period=st.integers(0, 2))
def test_a_saved_and_loaded_run_goes_on_as_the_uninterrupted_one(played, period):
    before, after = played.allocations[:period], played.allocations[period:]
    simulation = netsim.Simulation(played.scenario, played.seed, log_packets=True)
    reports = [simulation.reset(), *map(simulation.step, before)]
    with tempfile.TemporaryDirectory() as folder:
        simulation.save(Path(folder) / "saved")
        simulation = netsim.Simulation.load(Path(folder) / "saved")
    reports += map(simulation.step, after)
    packets = [simulation.take_packets(), simulation.queued_packets()]
    told = sorted(record for part in packets for record in of_kernel(part, played.scenario))
    whole = play_cell(played)
    assert (reports, told) == (whole.reports, whole.packets)


@settings(max_examples=10)
@given(played=cells())
def test_a_reset_run_is_a_new_one(played):
    simulation = netsim.Simulation(played.scenario, seed=0)
    simulation.reset()
    again = [simulation.reset(seed=played.seed), *map(simulation.step, played.allocations)]
    assert again == play_cell(played).reports


# -- processes beside the base station ---------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    played=cells(), waits_ns=st.lists(st.integers(SLOT_NS // 7, 3 * SLOT_NS) | st.just(SLOT_NS), min_size=1, max_size=4)
)
def test_a_process_that_wakes_on_and_between_slots_and_looks_changes_nothing(played, waits_ns):
    def onlooker(simulation):
        while True:
            for wait_ns in waits_ns:
                yield simulation.env.timeout(wait_ns)
                simulation.counts()

    watched = play(played.scenario, played.seed, played.allocations, [lambda simulation: [onlooker(simulation)]])
    assert watched == play_cell(played)


# -- plugins -----------------------------------------------------------------------------------------------------------


def with_scheduler(scenario, kind):
    return with_slices(scenario, lambda _, part: {**part, "scheduler": {"kind": kind}})


def with_traffic(scenario, traffic):
    return with_slices(scenario, lambda _, part: {**part, "traffic": traffic})


@settings(max_examples=30)
@given(played=cells())
def test_round_robin_as_a_plain_plugin_is_the_built_in_one(played):
    built_in, plugged = (
        with_scheduler(played.scenario, kind) for kind in ("round-robin", "tests.oracles.plugged:PlainRoundRobin")
    )
    one, other = (play(scenario, played.seed, played.allocations) for scenario in (built_in, plugged))
    assert one == other


@pytest.mark.parametrize("rule", ["Rotating", "ByQueue"])
@settings(max_examples=15)
@given(played=cells())
def test_a_scheduler_plugin_gives_the_same_plain_and_compiled(rule, played):
    plain, compiled = (
        with_scheduler(played.scenario, f"tests.oracles.plugged:{how}{rule}") for how in ("Plain", "Compiled")
    )
    one, other = (play(scenario, played.seed, played.allocations) for scenario in (plain, compiled))
    assert one == other


@settings(max_examples=15)
@given(played=cells())
def test_a_traffic_plugin_gives_the_same_plain_compiled_and_built_in(played):
    built_in = {
        "kind": "renewal",
        "gap": {"distribution": "uniform", "from": "0.1 ms", "to": "1.3 ms"},
        "size": {"distribution": "uniform", "from": "100 bit", "to": "9100 bit"},
    }
    plugged = [{"kind": f"tests.oracles.plugged:{how}Uniform"} for how in ("Plain", "Compiled")]
    one, two, three = (
        play(with_traffic(played.scenario, traffic), played.seed, played.allocations)
        for traffic in (built_in, *plugged)
    )
    assert one == two == three


@settings(max_examples=10)
@given(played=cells())
def test_a_batch_with_a_plain_plugin_is_lone_runs(played):
    scenario = with_scheduler(played.scenario, "tests.oracles.plugged:PlainRotating")
    batch = netsim.SimulationBatch(scenario, [played.seed, 1])
    together = [list(batch.reset()), *(list(batch.step([units] * 2)) for units in played.allocations)]
    alone = [play(scenario, seed, played.allocations).reports for seed in (played.seed, 1)]
    assert together == [list(period) for period in zip(*alone, strict=True)]


# -- without the compiler ----------------------------------------------------------------------------------------------

UNCOMPILED = """
import json, sys
import netsim
from netsim.scenario import Scenario
scenario = Scenario.from_dict(json.load(sys.stdin))
simulation = netsim.Simulation(scenario, seed=5, log_packets=True)
reports = [simulation.reset(), simulation.step([3, 3, 6])]
print([repr(report) for report in reports], simulation.take_packets().tolist(), simulation.queued_packets().tolist())
"""


def every_kind():
    """Three slices with different schedulers, kinds of traffic and ways with late packets and full queues."""

    gap = {"distribution": "uniform", "from": "0 ms", "to": "1 ms"}
    renewal = {"kind": "renewal", "gap": gap}
    video = {"kind": "ngmn-video", "frame_period": "2 ms", "gap": gap}
    voice = {"kind": "two-state-voice", "frame": "1 ms", "silence_gap": "2 ms"}

    def part(traffic, scheduler, late, when_full):
        size = {"distribution": "pareto", "shape": 1.2, "from": "2 kB", "cut": "4 kB"}
        return {
            "users": 2,
            "traffic": traffic | ({} if traffic["kind"] == "two-state-voice" else {"size": size}),
            "sla": {"rate_floor": "10 Mbit/s", "latency_limit": "1 ms"},
            "scheduler": {"kind": scheduler},
            "queue": {"packets": 2, "when_full": when_full},
            "late": late,
            "load": {"points": [{"at": "0 ms", "multiplier": 1.0}, {"at": "5 ms", "multiplier": 3.0}]},
        }

    return Scenario.from_dict(
        {
            "name": "every-kind",
            "carrier": {"prb": 12, "sharing": "work-conserving"},
            "control": {"slots_per_period": 10},
            "channel": {
                "fading": {"model": "jakes", "doppler": "50 Hz"},
                "shadowing": {"sigma": "4 dB", "per": "slot"},
            },
            "slices": {
                "a": part(renewal, "round-robin", "discard", "defer"),
                "b": part(video, "proportional-fair", "send", "drop"),
                "c": part(voice, "max-rate", "send", "defer"),
            },
            "events": [
                {"at": "5 ms", "leave": {"slice": "a", "users": 1}},
                {"at": "6 ms", "join": {"slice": "b", "users": 1}},
            ],
        }
    )


def test_kernels_run_unchanged_as_plain_python():
    told = []
    for disabled in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled}
        ran = subprocess.run(
            [sys.executable, "-c", UNCOMPILED],
            input=json.dumps(every_kind().to_dict()),
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-1500:]
        told.append(ran.stdout)
    assert told[0] == told[1]
