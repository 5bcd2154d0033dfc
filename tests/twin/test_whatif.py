"""A recorded run goes on under another controller with the packets and the fading that it had, and nothing else."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import netsim
from netsim import results
from netsim.errors import AllocationError, InputError, RunError
from netsim.hooks import hookimpl
from tests.unit.fake_plant import FakePlant
from twin.commands import whatif
from twin.whatif import mean_of, what_if

TINY = netsim.load_scenario("tiny")
SEED, LAST = 6, 24


class Listener:
    def __init__(self):
        self.reports = []

    @hookimpl
    def period_ended(self, report):
        self.reports.append(report)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run of the random controller, and its reports."""
    folder, listener = tmp_path_factory.mktemp("runs") / "run", Listener()
    netsim.run(TINY, "random", periods=LAST, seed=SEED, out=folder, plugins=[listener])
    return folder, listener.reports


def simulated(allocations):
    """The reports of period 0 and of the allocations after it."""
    simulation = netsim.Simulation(TINY, SEED)
    return [simulation.reset(), *(simulation.step(units) for units in allocations)]


# -- on the simulator --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2, 11, LAST])
def test_it_goes_on_as_if_the_other_had_decided_from_that_period_on(recorded, at):
    folder, reports = recorded
    found = what_if(folder, "fixed:2,12,6", at=at)
    before = [report.allocation for report in reports[1:at]]
    assert list(found.recorded.reports) == reports[at:]
    assert list(found.changed.reports) == simulated([*before, *[(2, 12, 6)] * (LAST - at + 1)])[at:]


def test_the_controller_of_the_run_changes_nothing(recorded):
    folder, reports = recorded
    found = what_if(folder, "random", at=5)
    assert found.changed.reports == found.recorded.reports == tuple(reports[5:])
    for figure in found.gain.values():
        assert (figure.mean, figure.ci95) == (0.0, (0.0, 0.0))


def test_only_the_periods_asked_for_are_played(recorded):
    folder, reports = recorded
    found = what_if(folder, "equal", at=3, periods=4)
    assert [report.period for report in found.changed.reports] == [3, 4, 5, 6]
    assert list(found.recorded.reports) == reports[3:7]


def test_differences_are_paired_by_period(recorded):
    folder, _ = recorded
    found = what_if(folder, "fixed:2,12,6", at=5)
    per_period = found.changed.figures()["utility"] - found.recorded.figures()["utility"]
    low, high = stats.t.interval(0.95, len(per_period) - 1, per_period.mean(), stats.sem(per_period))
    gain = found.gain["utility"]
    assert gain.mean == pytest.approx(per_period.mean(), rel=1e-12)
    assert gain.ci95 == pytest.approx((low, high), rel=1e-9)
    assert low > 0  # most of random's allocations starve a slice


def test_a_mean_leaves_out_what_is_not_known():
    assert mean_of([np.nan, 2.0, np.nan, 4.0]).mean == 3.0
    assert mean_of([np.nan, 2.0, np.nan, 4.0]).ci95 == mean_of([2.0, 4.0]).ci95
    assert mean_of([np.nan]).mean is None
    assert mean_of([5.0]).ci95 is None


def test_the_other_controller_has_heard_the_run_and_is_asked_from_then_on(recorded):
    folder, reports = recorded
    heard, asked = [], []

    class Listening:
        @hookimpl
        def run_started(self, scenario, seed):
            heard.append((scenario.name, seed))

        @hookimpl
        def period_ended(self, report):
            heard.append(report.period)

        @hookimpl
        def decide_allocation(self, report):
            asked.append(report)
            return 2, 12, 6

    found = what_if(folder, Listening(), at=4, periods=3)
    assert heard == [("tiny", SEED), *range(7)]
    assert asked == [reports[3], *found.changed.reports[:2]]
    assert found.changed.controller.endswith("Listening")


def test_the_clairvoyant_can_be_asked_what_it_would_have_done(recorded):
    folder, _ = recorded
    best = what_if(folder, "clairvoyant", at=7, periods=1).changed.reports[0].utility
    for units in ("2,12,6", "7,7,6", "3,14,3"):
        assert best >= what_if(folder, f"fixed:{units}", at=7, periods=1).changed.reports[0].utility


# -- on a twin ---------------------------------------------------------------------------------------------------------


class PerfectTwin:
    """A twin that knows everything: the simulator, brought to where the reports end."""

    def __init__(self, scenario):
        self.simulation = netsim.Simulation(scenario, SEED)
        self.began_with = None

    def begin(self, reports):
        self.began_with = list(reports)
        self.simulation.reset()
        for report in reports[1:]:
            self.simulation.step(report.allocation)

    def reset(self, seed=None):
        raise AssertionError("it begins from reports")

    def step(self, allocation):
        return self.simulation.step(allocation)


class FakeTwin(FakePlant):
    """Counts from nowhere, after the reports it begins with."""

    def begin(self, reports):
        self.reset(3)
        for report in reports[1:]:
            self.step(report.allocation)


def test_a_perfect_twin_shows_what_the_simulator_shows(recorded):
    folder, reports = recorded
    twins = []

    def make(scenario):
        twins.append(PerfectTwin(scenario))
        return twins[-1]

    found = what_if(folder, "proportional", at=9, twin=make)
    assert twins[0].began_with == reports[:9]
    assert found.twin.reports == found.changed.reports
    assert {figure.mean for figure in found.twin_error.values()} == {0.0}


def test_what_a_twin_gets_wrong_is_told_beside_it(recorded):
    folder, _ = recorded
    found = what_if(folder, "fixed:2,12,6", at=9, twin=FakeTwin)
    assert {report.allocation for report in found.twin.reports} == {(2, 12, 6)}
    per_period = found.twin.figures()["ssr.video"] - found.changed.figures()["ssr.video"]
    assert found.twin_error["ssr.video"].mean == pytest.approx(per_period.mean(), rel=1e-12)
    assert found.twin_error["ssr.video"].mean < 0  # a fake loses 6 % of all packets


def test_on_the_twin_another_of_its_kind_decides_from_what_the_twin_reports(recorded):
    folder, _ = recorded
    found = what_if(folder, "proportional", at=9, periods=4, twin=FakeTwin)
    assert found.twin.reports[0].allocation == found.changed.reports[0].allocation  # after the same report
    assert found.twin.reports[1].allocation != found.changed.reports[1].allocation


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"at": 0}, f"has controlled periods 1 to {LAST}, none can be decided anew at 0"),
        ({"at": LAST + 1}, f"none can be decided anew at {LAST + 1}"),
        ({"at": 20, "periods": 6}, "has 5 periods from 20 on, got periods=6"),
        ({"at": 20, "periods": 0}, "has 5 periods from 20 on, got periods=0"),
    ],
)
def test_periods_that_were_not_recorded_are_refused(recorded, asked, told):
    with pytest.raises(InputError, match=told):
        what_if(recorded[0], "equal", **asked)


def test_a_folder_without_a_run_on_the_simulator_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no run directory"):
        what_if(tmp_path, "equal", at=1)
    netsim.run(TINY, "equal", periods=3, plant=FakePlant(TINY), out=tmp_path / "run")
    with pytest.raises(InputError, match="it was not run on the simulator"):
        what_if(tmp_path / "run", "equal", at=1)


def test_a_run_that_is_not_what_its_manifest_says_is_refused(tmp_path):
    netsim.run(TINY, "equal", periods=5, seed=1, out=tmp_path / "run")
    manifest = results.read_manifest(tmp_path / "run")
    manifest["request"]["seed"] = 2
    manifest["request"]["versions"]["numpy"] = "1.0"
    results.KIND.write(tmp_path / "run", manifest)
    with pytest.raises(RunError) as error:
        what_if(tmp_path / "run", "equal", at=3)
    first, *more = str(error.value).splitlines()
    assert "simulated again is another run: first difference: layer arrivals, period 0" in first
    assert any(line.startswith('versions.numpy: "1.0" then') for line in more)


def test_a_controller_that_gives_no_allocation_is_named_with_the_period(recorded):
    class Wrong:
        @hookimpl
        def decide_allocation(self, report):
            return 1, 2, 3

    with pytest.raises(AllocationError, match=r"Wrong': allocation must sum to 20 units, .* \(period 8\)"):
        what_if(recorded[0], Wrong(), at=8)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_figures_side_by_side(recorded):
    folder, _ = recorded
    asked = [str(folder), "--at", "5", "--allocation", "2,12,6"]
    shown = CliRunner().invoke(whatif, asked, catch_exceptions=False).output
    assert shown.splitlines()[:2] == [
        f"tiny, seed {SEED}, periods 5 to {LAST}",
        "recorded: random; what if: fixed:2,12,6",
    ]
    found = what_if(folder, "fixed:2,12,6", at=5)
    row = next(line.split() for line in shown.splitlines() if "utility U" in line)
    means = [found.recorded.figures()["utility"].mean(), found.changed.figures()["utility"].mean()]
    assert row[2::3] == [f"{mean:.4f}" for mean in (*means, found.gain["utility"].mean)]


def test_the_command_tells_every_period_as_json(recorded):
    folder, reports = recorded
    asked = [str(folder), "--at", "5", "--controller", "equal", "--periods", "6", "--json"]
    told = json.loads(CliRunner().invoke(whatif, asked, catch_exceptions=False).output)
    assert (told["at"], told["periods"], told["seed"], told["twin"]) == (5, 6, SEED, None)
    assert told["recorded"]["periods"]["utility"] == [report.utility for report in reports[5:11]]
    assert told["recorded"]["periods"]["allocation"] == [list(report.allocation) for report in reports[5:11]]
    assert told["what_if"]["periods"]["allocation"] == [[7, 7, 6]] * 6
    known = [None if np.isnan(x) else x for x in (report.latency_mean_ms[2] for report in reports[5:11])]
    assert told["recorded"]["periods"]["latency_mean_ms.URLLC"] == known


def test_the_command_asks_the_twin_that_it_is_given(recorded, monkeypatch):
    asked_for = []

    def load_plant(text, scenario):
        asked_for.append((text, scenario.name))
        return PerfectTwin(scenario)

    module = ModuleType("twin.plant")
    module.load_plant = load_plant
    monkeypatch.setitem(sys.modules, "twin.plant", module)
    asked = [str(recorded[0]), "--at", "5", "--allocation", "2,12,6", "--twin", "runs/twin"]
    shown = CliRunner().invoke(whatif, asked, catch_exceptions=False).output
    assert asked_for == [("runs/twin", "tiny")]
    assert "on the twin" in shown
    row = next(line.split() for line in shown.splitlines() if "utility U" in line)
    assert row[-3:] == ["0.0000", "±", "0.0000"]


@pytest.mark.parametrize("more", [[], ["--allocation", "2,12,6", "--controller", "equal"]])
def test_the_command_wants_one_who_decides(recorded, more):
    done = CliRunner().invoke(whatif, [str(recorded[0]), "--at", "5", *more])
    assert (done.exit_code, "give either --allocation UNITS or --controller NAME" in done.output) == (2, True)
