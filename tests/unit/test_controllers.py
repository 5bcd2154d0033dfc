"""What the controllers that come with netsim decide, and what check_controller says of others."""

import os
import random
import signal
import sys
import warnings
from collections import Counter

import numpy as np
import pytest
from scipy import stats

import netsim.controllers
from netsim import allocations
from netsim.controllers import Equal, Fixed, Proportional, Random, uniform_index
from netsim.errors import InputError
from netsim.hooks import hookimpl
from netsim.loading import load_scenario
from netsim.testing import check_controller
from netsim.testing.reports import report_of

TABLE1 = load_scenario("table1")


def report(arrived, period=0):
    return report_of(TABLE1, period, np.array(arrived))


def test_equal_gives_what_is_left_over_to_the_first_slices():
    assert Equal(TABLE1).decide_allocation(report([1, 2, 3])) == (34, 33, 33)


def test_fixed_gives_what_it_was_told():
    assert Fixed("3,70,27", scenario=TABLE1).decide_allocation(report([1, 2, 3])) == (3, 70, 27)
    assert Fixed(" 3, 70 ,27 ", scenario=TABLE1).decide_allocation(report([1, 2, 3])) == (3, 70, 27)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3,70",
        "3,70,28",
        "0,73,27",
        "-3,76,27",
        "3.0,70,27",
        "3;70;27",
        "3,70,27,",
        "a,b,c",
        "３,70,27",
        "1e1,63,27",
    ],
)
def test_fixed_refuses_what_is_no_allocation_before_anything_runs(text):
    with pytest.raises(InputError, match="fixed:VoLTE,video,URLLC needs 3 whole numbers of units that sum to 100"):
        Fixed(text, scenario=TABLE1)


def test_proportional_follows_the_bits_offered():
    controller = Proportional(TABLE1)
    assert controller.decide_allocation(report([10, 70, 20])) == (10, 70, 20)
    assert controller.decide_allocation(report([0, 1, 0])) == (1, 98, 1)
    assert controller.decide_allocation(report([0, 0, 0])) == (34, 33, 33)


def test_random_is_a_function_of_seed_and_period_alone():
    first, second = Random(TABLE1), Random(TABLE1)
    first.run_started(seed=7)
    second.run_started(seed=7)
    ahead = [first.decide_allocation(report([1, 2, 3], period)) for period in range(20)]
    back = [second.decide_allocation(report([9, 0, 3], period)) for period in reversed(range(20))]
    assert ahead == back[::-1]
    second.run_started(seed=8)
    assert ahead != [second.decide_allocation(report([1, 2, 3], period)) for period in range(20)]


def test_random_is_uniform_over_all_allocations():
    counts = Counter(uniform_index(1, period, 171) for period in range(17_100))
    assert set(counts) <= set(range(171))
    statistic = sum((counts[i] - 100) ** 2 / 100 for i in range(171))
    assert stats.chi2.sf(statistic, 170) > 1e-4


def test_random_controls_every_shipped_scenario_validly():
    for name in ("tiny", "table1-1mhz", "table1"):
        scenario = load_scenario(name)
        controller = Random(scenario)
        controller.run_started(seed=3)
        for period in range(50):
            decided = controller.decide_allocation(report_of(scenario, period, np.ones(len(scenario.slices))))
            allocations.check(decided, scenario.carrier.units, len(scenario.slices))


@pytest.mark.parametrize("name", ["Equal", "Random", "Proportional"])
def test_controllers_of_netsim_pass_its_own_check(name):
    assert check_controller(getattr(netsim.controllers, name)) == []


# -- check_controller --------------------------------------------------------------------------------------------------


def controller(decide, **methods):
    """A class whose ``decide_allocation(self, report)`` is given."""
    marked = {name: hookimpl(method) for name, method in {"decide_allocation": decide, **methods}.items()}
    return type("Mine", (), marked)


def half(self, report):
    return 5, 5, 10


def print_it(self, report):
    print("hello")  # noqa: T201
    return half(self, report)


def draw_numpy(self, report):
    np.random.rand()  # noqa: NPY002
    return half(self, report)


def draw_python(self, report):
    random.random()
    return half(self, report)


def move(self, report):
    os.chdir("/")
    return half(self, report)


def take_signals(self, report):
    signal.signal(signal.SIGTERM, signal.SIG_DFL if signal.getsignal(signal.SIGTERM) else signal.SIG_IGN)
    return half(self, report)


def filter_warnings(self, report):
    warnings.simplefilter("ignore", category=ResourceWarning)
    return half(self, report)


def keep(self, report):
    self.__dict__.setdefault("kept", []).append(report)
    return half(self, report)


def unseal(self, report):
    report.arrived.flags.writeable = True
    report.arrived[0] += 1
    return half(self, report)


def write(self, report):
    report.arrived[0] += 1
    return half(self, report)


def undecided(self, report):
    return None


def leave(self, report):
    sys.exit(3)


class TwoWays:
    count = 0

    def __init__(self):
        TwoWays.count += 1
        self.first = 5 + TwoWays.count % 2

    @hookimpl
    def decide_allocation(self, report):
        return self.first, 15 - self.first, 5


FINDINGS = {
    "prints": (controller(print_it), "prints to standard output"),
    "draws from numpy": (controller(draw_numpy), "uses global random state"),
    "draws from random": (controller(draw_python), "uses global random state"),
    "moves": (controller(move), "changes the working folder"),
    "filters warnings": (controller(filter_warnings), "changes the filters of warnings"),
    "keeps": (controller(keep), "keeps the reports of past periods"),
    "changes": (controller(unseal), "changes the report"),
    "writes": (controller(write), "failed in decide_allocation: ValueError"),
    "undecided": (controller(undecided), "decide_allocation returns None"),
    "exits": (controller(leave), "failed in decide_allocation: SystemExit: 3"),
    "two ways": (TwoWays, "not deterministic"),
    "floats": (controller(lambda self, report: (5.0, 5.0, 10.0)), "must be a whole number, got 5.0"),
    "wrong sum": (controller(lambda self, report: (5, 5, 11)), "must sum to 20 units"),
    "divides by zero": (controller(lambda self, report: 1 // 0), "failed in decide_allocation: ZeroDivisionError"),
    "fails in period_ended": (
        controller(half, period_ended=lambda self, report: [][0]),
        "failed in period_ended: IndexError",
    ),
    "wrong argument": (controller(lambda self, state: None), "takes 'state', which the hook does not pass"),
    "close argument": (controller(lambda self, reprt: None), "did you mean 'report'"),
    "misspelt": (controller(half, perod_ended=lambda self: None), "did you mean 'period_ended'"),
    "unmarked": (
        type("Mine", (), {"decide_allocation": lambda s, report: None}),
        "not marked with @netsim.hookimpl",
    ),
    "nearly named": (
        type("Mine", (), {"decide_alocation": lambda s, report: None}),
        "did you mean 'decide_allocation'",
    ),
    "nothing": (type("Mine", (), {}), "no method is marked"),
    "an observer": (type("Mine", (), {"run_ended": hookimpl(lambda self: None)}), "decide_allocation is missing"),
    "wants more": (type("Mine", (), {"__init__": lambda self, x: None}), "a new instance cannot be made"),
    "no such file": ("nowhere/mine.py:Mine", "cannot read"),
}


@pytest.mark.parametrize(("it", "finding"), FINDINGS.values(), ids=FINDINGS)
def test_check_controller_says_what_is_wrong(it, finding):
    here, python, numpy = os.getcwd(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = check_controller(it)
    assert any(finding in line for line in found), found
    assert (os.getcwd(), random.getstate()) == (here, python)
    assert np.array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002


def test_check_controller_finds_nothing_wrong_with_a_good_one():
    assert check_controller(controller(half)) == []
    assert check_controller(controller(half)()) == []


def test_check_controller_gives_the_scenario_to_those_that_ask():
    class Asks:
        def __init__(self, scenario):
            self.units = scenario.carrier.units

        @hookimpl
        def decide_allocation(self, report):
            return allocations.largest_remainder(report.arrived, self.units)

    assert check_controller(Asks, "table1") == []
