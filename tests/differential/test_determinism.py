"""The same trace for a seed: whatever the process, threads, hash seed, cells together, and point of resumption.

Traces are compared by their marks, period by period, so that a failure names layer and period.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netsim
from netsim.fingerprint import Block, first_difference
from netsim.loading import load_scenario
from netsim.report import LAYERS
from netsim.results import read_manifest
from netsim.scenario import Scenario
from tests.differential.test_equal_ways import every_kind

HASH_SEEDS = ("0", "1", "2", "3", "4294967295", "random")
THREADS = ("1", "2", "4")
ENVIRONMENTS = [
    {"PYTHONHASHSEED": HASH_SEEDS[i % 6], **dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), THREADS[i % 3])}
    for i in range(10)
]
PLAY = """
import json, sys
import netsim
from netsim.report import LAYERS
from netsim.run import run
from netsim.scenario import Scenario
given = json.load(sys.stdin)
run(Scenario.from_dict(given["scenario"]), "random", periods=given["periods"], seed=11, out=given["out"], packets=True)
"""


def python(code, given, environment):
    """Run code in a process of its own, ``given`` on its standard input."""
    variables = {**os.environ, **environment}
    told = {"capture_output": True, "text": True, "timeout": 300}
    ran = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(given), env=variables, cwd=Path.cwd(), check=False, **told
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


def same(marks, others, scenario):
    """Assert that traces are equal; the first that is not is told by layer and period."""
    order = np.argsort(scenario.slice_names)
    for name, other in others.items():
        assert len(other) == len(marks), name
        pairs = ([Block(period, (), one[order]) for period, one in enumerate(each)] for each in (marks, other))
        difference = first_difference(*pairs, scenario.slice_names)
        assert difference is None, f"{name}: {difference}"


# -- processes ---------------------------------------------------------------------------------------------------------


def test_a_run_directory_has_the_same_bytes_in_10_processes_of_6_hash_seeds_and_3_thread_counts(tmp_path):
    scenario = every_kind()
    told = []
    for i, environment in enumerate(ENVIRONMENTS):
        out = tmp_path / str(i)
        python(PLAY, {"scenario": scenario.to_dict(), "periods": 20, "out": str(out)}, environment)
        told.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert read_manifest(tmp_path / "0")["fingerprint"]
    assert [sorted(each) for each in told] == [sorted(told[0])] * len(told)
    for name in told[0]:
        assert len({each[name] for each in told}) == 1, name


# -- cells together ----------------------------------------------------------------------------------------------------

SCENARIOS = {"tiny": load_scenario("tiny"), "churn": load_scenario("churn"), "every kind": every_kind()}


def allocations(scenario, periods):
    """Other units in every period, all of them valid."""
    units, n = scenario.carrier.units, len(scenario.slices)
    draw = np.random.default_rng(5)
    for _ in range(periods):
        cuts = np.sort(draw.choice(units - 1, n - 1, replace=False)) + 1
        yield tuple(np.diff([0, *cuts, units]).tolist())


def marks_alone(scenario, seed, periods):
    simulation = netsim.Simulation(scenario, seed)
    simulation.reset()
    found = [simulation.marks()]
    for units in allocations(scenario, periods):
        simulation.step(units)
        found.append(simulation.marks())
    return found


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_1_2_7_and_64_cells_together_have_the_traces_of_lone_cells(name, threads):
    scenario, periods = SCENARIOS[name], 6
    alone = [marks_alone(scenario, seed, periods) for seed in range(64)]
    for cells in (1, 2, 7, 64):
        with netsim.SimulationBatch(scenario, range(cells), threads=threads) as batch:
            batch.reset()
            together = [batch.marks()]
            for units in allocations(scenario, periods):
                batch.step([units] * cells)
                together.append(batch.marks())
        for seed in range(cells):
            same(alone[seed], {f"cell {seed} of {cells}": [each[seed] for each in together]}, scenario)


# -- resumption --------------------------------------------------------------------------------------------------------

RESUME = """
import json, sys
import netsim
given = json.load(sys.stdin)
allocations = [tuple(each) for each in given["allocations"]]
for name in given["names"]:
    simulation = netsim.Simulation.load(f"{given['folder']}/{name}")
    found = []
    for units in allocations[int(name) : int(name) + given["most"]]:
        simulation.step(units)
        found.append(simulation.marks().tolist())
    print(json.dumps(found))
"""


def resumed_elsewhere(scenario, tmp_path, periods, points, most):
    """Save at the end of some periods while running on, load each in another process, and compare what follows.

    ``most`` is how many periods are compared after each point.
    """
    units = list(allocations(scenario, periods))
    simulation = netsim.Simulation(scenario, seed=9)
    simulation.reset()
    whole = []
    for done in range(periods):
        if done in points:
            simulation.save(tmp_path / str(done))
        simulation.step(units[done])
        whole.append(simulation.marks())
    names = [str(point) for point in sorted(points)]
    given = {"folder": str(tmp_path), "names": names, "allocations": units, "most": most}
    lines = python(RESUME, given, {"PYTHONHASHSEED": "7"}).splitlines()
    assert len(lines) == len(points)
    for name, line in zip(names, lines, strict=True):
        after = np.array(json.loads(line), np.uint64)
        same(whole[int(name) : int(name) + most], {f"resumed after period {name}": list(after)}, scenario)


def by_the_slot(scenario):
    """The scenario with a decision after every slot, so that every slot's end can be saved."""
    content = scenario.to_dict()
    content["control"] |= {"slots_per_period": 1}
    return Scenario.from_dict(content)


@pytest.mark.parametrize("name", ["tiny", pytest.param("churn", marks=pytest.mark.slow), "every kind"])
def test_every_slot_of_200_is_a_point_to_save_at_and_to_go_on_from_in_another_process(tmp_path, name):
    resumed_elsewhere(by_the_slot(SCENARIOS[name]), tmp_path, 200, set(range(200)), most=200)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table1", "churn", "nr-umi"])
def test_50_random_slots_of_a_long_run_are_points_to_go_on_from_in_another_process(tmp_path, name):
    scenario, slots = by_the_slot(load_scenario(name)), 40_000
    points = {int(point) for point in np.random.default_rng(2).choice(slots, 50, replace=False)}
    resumed_elsewhere(scenario, tmp_path, slots, points, most=2_000)


def test_a_state_resumed_in_a_process_has_the_layers_that_are_named(tmp_path):
    """That the comparison above can fail: going on under another allocation differs in grants, from its period on."""
    scenario = SCENARIOS["tiny"]
    one = marks_alone(scenario, 9, 10)
    other = [each.copy() for each in one]
    other[7][1, LAYERS.index("grants")] ^= np.uint64(1)
    with pytest.raises(AssertionError, match=r"seventh: first difference: layer grants, period 7, slice video"):
        same(one, {"seventh": other}, scenario)
