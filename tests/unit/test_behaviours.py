"""Controllers that collect data play what they say, as often as they say, and the same again for the same seed."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import netsim
from netsim import allocations
from netsim.behaviours import Near
from netsim.controllers import BUILT_IN
from netsim.errors import InputError, PluginError
from netsim.hooks import hookimpl
from netsim.loading import load_scenario
from netsim.plugins import make_controller
from netsim.pluginset import Named, PluginSet
from netsim.testing import check_controller
from netsim.testing.reports import report_of

TINY, TABLE1 = load_scenario("tiny"), load_scenario("table1")
PERIODS = 4000


def played(text, seed=1, periods=PERIODS, scenario=TINY):
    """The allocations that a controller decides, a report of period 0, 1, ... at a time."""
    hook = PluginSet([Named(text, make_controller(text, scenario))]).hook
    hook.run_started(scenario=scenario, seed=seed)
    report = report_of(scenario, 0, np.arange(1, len(scenario.slices) + 1))
    decided = []
    for period in range(periods):
        object.__setattr__(report, "period", period)
        decided.append(tuple(hook.decide_allocation(report=report)))
    return decided


@pytest.mark.parametrize(
    "text",
    ["explore:0.3/fixed:2,12,6", "mixed:random|equal|fixed:2,12,6", "narrow:2,12,6/3", "explore:0.5/explore:0.5/equal"],
)
def test_what_is_played_is_a_function_of_the_seed_and_the_period(text):
    assert played(text, seed=7, periods=50) == played(text, seed=7, periods=60)[:50]
    assert played(text, seed=7, periods=50) != played(text, seed=8, periods=50)


@pytest.mark.parametrize("epsilon", ["0", "0.2", "1"])
def test_explore_plays_random_with_its_probability(epsilon):
    decided = played(f"explore:{epsilon}/fixed:2,12,6")
    random = played("random")
    others = [(mine, theirs) for mine, theirs in zip(decided, random, strict=True) if mine != (2, 12, 6)]
    assert all(mine == theirs for mine, theirs in others)
    meeting = random.count((2, 12, 6)) / PERIODS  # random plays the fixed one too
    explored = len(others) / PERIODS / (1 - meeting)
    probability = float(epsilon)
    assert explored == pytest.approx(probability, abs=4 * np.sqrt(probability * (1 - probability) / PERIODS))


def test_mixed_plays_each_as_often():
    counts = Counter(played("mixed:fixed:1,1,18|fixed:1,18,1|fixed:18,1,1|equal"))
    assert len(counts) == 4
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def test_controllers_within_controllers_draw_apart():
    """Two coins of one half each leave a quarter to the inner controller; one coin for both would leave a half."""
    left = played("explore:0.5/explore:0.5/fixed:1,1,18").count((1, 1, 18)) / PERIODS
    assert left == pytest.approx(0.25 + 0.75 / 171, abs=4 * np.sqrt(0.25 * 0.75 / PERIODS))


def test_narrow_is_uniform_over_what_is_near():
    near = [w for w in allocations.enumerate_all(20, 3) if np.abs(w - [2, 12, 6]).max() <= 2]
    counts = Counter(played("narrow:2,12,6/2"))
    assert set(counts) == {tuple(w.tolist()) for w in near}
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4
    assert set(played("narrow:2,12,6/0", periods=20)) == {(2, 12, 6)}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 6))
def test_near_numbers_every_allocation_within_the_radius_in_order(middle, radius):
    ranges = [range(max(1, each - radius), each + radius + 1) for each in middle]
    expected = [each for each in product(*ranges) if sum(each) == sum(middle)]
    near = Near(middle, radius)
    assert [near.unrank(index) for index in range(near.count)] == expected


def test_near_counts_what_cannot_be_listed():
    """Within 99 units of an allocation of 400 to 100 slices there is more than memory holds; all from 1 to 100 fit."""
    near = Near([4] * 100, 396)
    assert near.count == allocations.count(400, 100)
    assert near.unrank(near.count - 1) == allocations.unrank(near.count - 1, 400, 100)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("explore", "needs a probability from 0 to 1"),
        ("explore:1.5/equal", "needs a probability from 0 to 1, got '1.5/equal'"),
        ("explore:nan/equal", "needs a probability from 0 to 1"),
        ("explore:0.5", "needs a controller after the probability"),
        ("explore:0.5/eqal", "did you mean 'equal'"),
        ("mixed:equal", "needs at least two controllers, got 'equal'"),
        ("mixed:equal|", "needs at least two controllers"),
        ("mixed:equal|randm", "did you mean 'random'"),
        ("narrow:2,12,6", "narrow:VoLTE,video,URLLC/UNITS needs a whole number of units after the slash"),
        ("narrow:2,12,6/-1", "needs a whole number of units after the slash"),
        ("narrow:2,12/1", "needs 3 whole numbers of units that sum to 20"),
    ],
)
def test_what_is_written_wrong_is_told_before_anything_runs(text, told):
    with pytest.raises(InputError, match=told):
        make_controller(text, TINY)


def test_all_hear_of_the_whole_run_and_one_is_asked_each_period():
    heard = []

    class Listening:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def run_started(self, seed):
            heard.append((self.name, "started", seed))

        @hookimpl
        def decide_allocation(self, report):
            heard.append((self.name, "asked", report.period))
            return 2, 12, 6

        @hookimpl
        def period_ended(self, report):
            heard.append((self.name, "ended", report.period))

        @hookimpl
        def run_ended(self):
            heard.append((self.name, "done", None))

    class Offering:
        @hookimpl
        def controllers(self):
            return {name: lambda name=name: Listening(name) for name in ("a", "b")}

    netsim.run(TINY, "mixed:a|b", periods=9, seed=3, plugins=[Offering()])
    for name in ("a", "b"):
        assert [each for each in heard if each[0] == name and each[1] != "asked"] == [
            (name, "started", 3),
            *((name, "ended", period) for period in range(10)),
            (name, "done", None),
        ]
    asked = [(name, period) for name, what, period in heard if what == "asked"]
    assert [period for _, period in asked] == list(range(9))
    assert {name for name, _ in asked} == {"a", "b"}


def test_the_clairvoyant_sees_the_simulation_from_within():
    alone = netsim.run(TINY, "clairvoyant", periods=2, seed=1)
    assert netsim.run(TINY, "explore:0/clairvoyant", periods=2, seed=1)["utility"] == alone["utility"]


def test_a_controller_that_fails_within_is_named(tmp_path):
    lines = (
        "import netsim",
        "class Mine:",
        "  @netsim.hookimpl",
        "  def decide_allocation(self, report): return 1 / 0",
    )
    (tmp_path / "mine.py").write_text("\n".join(lines))
    with pytest.raises(PluginError, match=r"mine.py:Mine' failed in decide_allocation: ZeroDivisionError"):
        netsim.run(TINY, f"explore:0/{tmp_path}/mine.py:Mine", periods=2)


@pytest.mark.parametrize("text", ["explore:0.5/proportional", "mixed:random|proportional", "narrow:2,12,6/4"])
def test_they_pass_the_check_of_controllers(text):
    name, _, more = text.partition(":")

    def make(scenario):
        return BUILT_IN[name](more, scenario=scenario)

    assert check_controller(make) == []
