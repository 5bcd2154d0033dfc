"""Hooks are called once per run or period, in the order they promise, and whoever misbehaves is named."""

import math

import numpy as np
import pytest

from netsim.errors import AllocationError, InputError, PluginError
from netsim.hooks import hookimpl
from netsim.loading import load_scenario
from netsim.run import run
from tests.unit.fake_plant import FakePlant

TABLE1 = load_scenario("table1")


def play(controller="equal", periods=4, **options):
    return run(TABLE1, controller, periods=periods, seed=9, plant=FakePlant(TABLE1), **options)


class Diary:
    """Writes down every call."""

    def __init__(self):
        self.calls = []

    @hookimpl
    def run_started(self, scenario, seed):
        self.calls.append(("run_started", scenario.name, seed))

    @hookimpl
    def decide_allocation(self, report):
        self.calls.append(("decide_allocation", report.period))

    @hookimpl
    def period_ended(self, report):
        self.calls.append(("period_ended", report.period))

    @hookimpl
    def run_ended(self, summary):
        self.calls.append(("run_ended", summary["periods"]))


def test_a_run_calls_its_hooks_in_the_promised_order():
    diary = Diary()
    play(plugins=[diary], periods=2)
    assert diary.calls == [
        ("run_started", "table1", 9),
        ("period_ended", 0),
        ("decide_allocation", 0),
        ("period_ended", 1),
        ("decide_allocation", 1),
        ("period_ended", 2),
        ("run_ended", 2),
    ]


class Decides:
    def __init__(self, *decisions):
        self.decisions = list(decisions)

    @hookimpl
    def decide_allocation(self, report):
        decision = self.decisions[min(report.period, len(self.decisions) - 1)]
        if isinstance(decision, Exception):
            raise decision
        return decision


def test_the_plant_gets_what_the_controller_decided_and_period_0_the_scenario_s_own():
    plant = FakePlant(TABLE1)
    decisions = [(1, 2, 97), [97, 2, 1], np.array([50, 25, 25])]
    run(TABLE1, Decides(*decisions), periods=3, plant=plant)
    assert plant.allocations == [(34, 33, 33), (1, 2, 97), (97, 2, 1), (50, 25, 25)]


def test_a_plugin_before_the_controller_decides_first_and_none_passes_on():
    plant = FakePlant(TABLE1)
    run(TABLE1, "fixed:3,70,27", plugins=[Decides(None, (1, 1, 98), None)], periods=3, plant=plant)
    assert plant.allocations[1:] == [(3, 70, 27), (1, 1, 98), (3, 70, 27)]


def test_observers_change_nothing():
    assert play(plugins=[Diary()])["slices"] == play()["slices"]


def test_a_plugin_cannot_change_the_summary_that_is_kept():
    class Forger:
        @hookimpl
        def run_ended(self, summary):
            summary["slices"]["video"]["arrived"] = 0

    assert play(plugins=[Forger()]) == play()


def test_nobody_deciding_is_an_error_that_says_who_was_asked():
    with pytest.raises(PluginError, match=r"no plugin decided.*Decides'.*\(period 2, seed 9\)"):
        play(Decides((1, 2, 97), None))


INVALID = {
    "nan": [math.nan, 50, 50], "infinity": [math.inf, 1, 1], "wrong sum": [3, 70, 28], "negative": [-1, 74, 27],
    "zero": [0, 73, 27], "too many": [25, 25, 25, 25], "a matrix": np.eye(3), "text": "abc",
    "floats": [3.0, 70.0, 27.0],
}  # fmt: skip


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
def test_an_invalid_allocation_ends_the_run_naming_controller_period_seed_rule_and_value(invalid):
    plant = FakePlant(TABLE1)
    with pytest.raises(AllocationError) as caught:
        run(TABLE1, Decides((1, 2, 97), invalid), periods=5, seed=9, plant=plant)
    message = str(caught.value)
    assert "controller 'tests.contract.test_hooks:Decides': allocation" in message
    assert message.endswith("(period 2, seed 9)")
    assert "must" in message
    assert ", got " in message
    assert plant.allocations == [(34, 33, 33), (1, 2, 97)]  # never clipped, never played


@pytest.mark.parametrize("fault", [*INVALID.values(), None, ZeroDivisionError()], ids=[*INVALID, "None", "raises"])
def test_score_mode_plays_the_last_valid_allocation_and_counts_the_fault(fault):
    plant = FakePlant(TABLE1)
    summary = run(TABLE1, Decides((1, 2, 97), fault, fault, (5, 5, 90)), periods=4, plant=plant, on_fault="score")
    assert plant.allocations[1:] == [(1, 2, 97), (1, 2, 97), (1, 2, 97), (5, 5, 90)]
    assert summary["faults"] == 2


def test_faults_are_marked_in_the_results(tmp_path):
    play(Decides((1, 2, 97), None, (5, 5, 90)), on_fault="score", out=tmp_path / "run")
    assert '"faults": 1' in (tmp_path / "run" / "manifest.json").read_text()
    [fault] = [line for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines() if '"fault"' in line]
    assert '"period": 2' in fault
    assert '"allocation": [1, 2, 97]' in fault


def test_what_a_controller_raises_carries_its_name_hook_period_seed_and_exception():
    with pytest.raises(PluginError) as caught:
        play(Decides((1, 2, 97), ValueError("oh")))
    name = "tests.contract.test_hooks:Decides"
    assert str(caught.value) == f"plugin '{name}' failed in decide_allocation: ValueError: oh (period 2, seed 9)"
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"periods": 0}, "periods must be a whole number, at least 1"),
        ({"periods": 2.5}, "periods must be a whole number, at least 1 and less than 2^63, got 2.5"),
        ({"seed": -1}, "seed must be a whole number, at least 0"),
        ({"on_fault": "ignore"}, "on_fault must be one of strict, score, got 'ignore'"),
        ({"seed": True}, "seed must be a whole number"),
        ({"controller": "eqal"}, "did you mean 'equal'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(options, message):
    plant = FakePlant(TABLE1)
    with pytest.raises(InputError) as caught:
        run(TABLE1, plant=plant, **options)
    assert message in str(caught.value)
    assert plant.allocations == []


def test_progress_is_told_after_every_period():
    told = []
    play(progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


# -- processes beside the base station ---------------------------------------------------------------------------------


class Wakes:
    """Has a process that wakes at every ``step_ns``, and notes when."""

    def __init__(self, step_ns, error_at=None):
        self.step_ns, self.error_at, self.woken = step_ns, error_at, []

    @hookimpl
    def processes(self, simulation):
        return [self.wake(simulation.env)]

    def wake(self, env):
        while True:
            yield env.timeout(self.step_ns)
            self.woken.append(env.now)
            if len(self.woken) == self.error_at:
                raise ValueError("bad dream")


def test_a_process_that_wakes_every_slot_changes_nothing(tmp_path):
    tiny = load_scenario("tiny")
    slot_ns, n = tiny.control.slot_ns, 3 * tiny.control.slots_per_period
    alone = run(tiny, "random", periods=2, out=tmp_path / "alone", packets=True)
    wakes = Wakes(slot_ns)
    watched = run(tiny, "random", periods=2, out=tmp_path / "watched", packets=True, plugins=[wakes])
    assert watched == alone
    for name in ("periods.parquet", "packets.parquet", "summary.json"):
        assert (tmp_path / "watched" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert wakes.woken[: n - 1] == [k * slot_ns for k in range(1, n)]


def test_a_process_that_wakes_within_slots_changes_nothing():
    assert run("tiny", periods=2, plugins=[Wakes(123_457)]) == run("tiny", periods=2)


@pytest.mark.parametrize("delay", [math.nan, -math.nan, np.float64("nan")], ids=["nan", "-nan", "numpy"])
def test_a_process_that_waits_for_nan_is_named_with_period_and_seed(delay):
    with pytest.raises(PluginError) as caught:
        run("tiny", periods=2, seed=9, plugins=[Wakes(delay)])
    what = "plugin 'tests.contract.test_hooks:Wakes' failed in a process of its own: ValueError: "
    assert str(caught.value) == f"{what}a delay must be a number of ns of at least 0, got nan (period 0, seed 9)"


def test_what_a_process_raises_carries_plugin_period_seed_and_exception():
    period_ns = load_scenario("tiny").control.period_ns
    with pytest.raises(PluginError) as caught:
        run("tiny", periods=5, seed=9, plugins=[Wakes(period_ns // 2, error_at=5)])
    what = "plugin 'tests.contract.test_hooks:Wakes' failed in a process of its own: ValueError: bad dream"
    assert str(caught.value) == f"{what} (period 2, seed 9)"
    assert isinstance(caught.value.__cause__, ValueError)
