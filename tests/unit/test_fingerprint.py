"""Two traces that differ are told apart by layer, period and slice, in one run or between two."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import netsim
from netsim import kernel, tables
from netsim.errors import InputError, RunError
from netsim.fingerprint import Block, Difference, Fingerprint, first_difference
from netsim.hooks import hookimpl
from netsim.loading import load_scenario
from netsim.replay import Recorded, compared
from netsim.report import LAYERS
from netsim.results import read_manifest
from netsim.run import run
from tests.unit.fake_plant import FakePlant

TINY = load_scenario("tiny")
NAMES = sorted(TINY.slices)


def marks_of(periods, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (periods, len(NAMES), len(LAYERS)), np.uint64)


def blocks_of(marks):
    return [Block(period, (1, 1, 18), one) for period, one in enumerate(marks)]


def digests_of(marks, names=NAMES):
    fingerprint = Fingerprint(names)
    for one in marks:
        fingerprint.add(one)
    return fingerprint.digests()


# -- digests -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 8), st.integers(0, 2), st.integers(0, 3), st.integers(0, 63))
def test_a_flipped_bit_changes_the_digest_of_its_layer_and_no_other(period, s, layer, bit):
    marks = marks_of(9)
    before = digests_of(marks)
    marks[period, s, layer] ^= np.uint64(1 << bit)
    after = digests_of(marks)
    assert [name for name in LAYERS if before[name] != after[name]] == [LAYERS[layer]]
    slices = (NAMES[s],)
    assert first_difference(blocks_of(marks_of(9)), blocks_of(marks), NAMES) == Difference(
        period, (LAYERS[layer],), slices
    )


def test_exchanged_periods_and_exchanged_slices_change_every_digest():
    marks = marks_of(5)
    told = [digests_of(each) for each in (marks, marks[[1, 0, 2, 3, 4]], marks[:, [1, 0, 2]], marks[:4])]
    for layer in LAYERS:
        assert len({each[layer] for each in told}) == len(told)


def test_the_order_of_slices_does_not_matter_and_their_names_do():
    marks, order = marks_of(5), [2, 0, 1]
    assert digests_of(marks[:, order], [NAMES[s] for s in order]) == digests_of(marks)
    assert set(digests_of(marks, ["a", "b", "c"]).values()).isdisjoint(digests_of(marks).values())


def test_a_trace_without_periods_has_no_fingerprint():
    assert Fingerprint(NAMES).digests() is None


def test_the_first_layer_names_the_difference_and_the_earliest_period():
    marks, other = marks_of(9), marks_of(9)
    other[6, :, 0] += np.uint64(1)
    other[4, 1, 2:] += np.uint64(1)
    difference = first_difference(blocks_of(marks), blocks_of(other), NAMES)
    assert str(difference) == f"first difference: layer grants, period 4, slice {NAMES[1]} (there too: departures)"


def test_a_trace_that_ends_early_differs_in_its_missing_period():
    difference = first_difference(blocks_of(marks_of(9)[:5]), blocks_of(marks_of(9)), NAMES)
    assert str(difference) == "first difference: only one of them has a period 5"


# -- of a run ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path):
    run(TINY, "random", periods=30, seed=3, out=tmp_path / "run")
    return tmp_path / "run"


def test_the_manifest_has_the_fingerprint_of_the_simulation(recorded):
    simulation, marks = netsim.Simulation(TINY, 3), []
    for block in Recorded(recorded).blocks():
        report = simulation.step(block.allocation) if block.period else simulation.reset()
        assert report.allocation == block.allocation
        marks.append(simulation.marks())
    assert read_manifest(recorded)["fingerprint"] == digests_of(marks, TINY.slice_names)
    assert len(marks) == 31


def test_what_is_written_beside_the_trace_does_not_move_it(tmp_path, recorded, monkeypatch):
    monkeypatch.setattr(tables, "PERIODS_IN_GROUP", 7)

    class Onlooker:
        @hookimpl
        def processes(self, simulation):
            def waking():
                while True:
                    yield simulation.env.timeout(700_001)

            return [waking()]

    run(TINY, "random", periods=30, seed=3, out=tmp_path / "other", packets=True, plugins=[Onlooker()])
    assert read_manifest(tmp_path / "other")["fingerprint"] == read_manifest(recorded)["fingerprint"]
    assert compared(recorded, tmp_path / "other").difference is None
    assert compared(tmp_path / "other").difference is None


def test_a_run_of_two_thousand_periods_is_read_back_whole(tmp_path):
    run(TINY, "random", periods=2000, seed=3, out=tmp_path / "run")
    found = compared(tmp_path / "run")
    assert (found.periods, found.difference) == (2001, None)


def test_another_seed_differs_from_the_first_arrival_on(tmp_path, recorded):
    run(TINY, "random", periods=30, seed=4, out=tmp_path / "other")
    found = compared(recorded, tmp_path / "other")
    assert found.difference == Difference(0, LAYERS, tuple(NAMES))
    assert "seed: 3 in the one, 4 in the other" in found.notes


class SwitchesAt:
    def __init__(self, period):
        self.period = period

    @hookimpl
    def decide_allocation(self, report):
        return (2, 12, 6) if report.period + 1 < self.period else (3, 12, 5)


def test_two_controllers_differ_in_grants_from_the_period_in_which_they_decide_differently(tmp_path):
    for name, period in (("a", 17), ("b", 99)):
        run(TINY, SwitchesAt(period), periods=30, seed=3, out=tmp_path / name)
    difference = compared(tmp_path / "a", tmp_path / "b").difference
    assert (difference.period, difference.layers[0]) == (17, "grants")


def test_a_simulator_that_has_changed_is_told_by_layer_and_period(recorded, monkeypatch):
    """As if a fault had come into the channel after the run was recorded: it shows from the dated period on."""
    close = kernel.close_period

    def faulty(cells, i):
        close(cells, i)
        if simulations[0].slot == 18 * TINY.control.slots_per_period:
            simulations[0].cell.users["snr"][:] *= 0.99

    simulations = []
    reset = netsim.Simulation.reset

    def kept(simulation, seed=None):
        simulations.append(simulation)
        return reset(simulation, seed)

    monkeypatch.setattr(kernel, "close_period", faulty)
    monkeypatch.setattr(netsim.Simulation, "reset", kept)
    difference = compared(recorded).difference
    assert (difference.period, difference.layers[0], difference.slices) == (18, "fading", tuple(NAMES))


def test_a_plant_without_a_trace_has_no_fingerprint(tmp_path):
    run(TINY, "equal", periods=5, plant=FakePlant(TINY), out=tmp_path / "run")
    assert read_manifest(tmp_path / "run")["fingerprint"] is None
    assert pq.read_table(tmp_path / "run" / "periods.parquet")["arrivals_mark"].null_count == 18
    with pytest.raises(InputError, match="has no fingerprint"):
        compared(tmp_path / "run")


def test_a_stopped_run_has_the_fingerprint_of_the_periods_it_kept(tmp_path, recorded):
    class Stops:
        @hookimpl
        def period_ended(self, report):
            if report.period == 11:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(TINY, "random", periods=30, seed=3, out=tmp_path / "stopped", plugins=[Stops()])
    assert compared(tmp_path / "stopped").difference is None
    assert compared(recorded, tmp_path / "stopped").difference == Difference(12, (), ())


def test_runs_that_cannot_be_compared_are_refused(tmp_path, recorded):
    other = load_scenario("tiny", ["slices.more={users: 1, traffic: {kind: silent}, sla: {rate_floor: 1 kbit/s, "
                                   "latency_limit: 1 ms}}"])  # fmt: skip
    run(other, "equal", periods=2, out=tmp_path / "other")
    with pytest.raises(InputError, match="have different slices"):
        compared(recorded, tmp_path / "other")
    with (recorded / "periods.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match="is not the file that was written"):
        compared(recorded)
    with pytest.raises(InputError, match="is no run directory"):
        compared(tmp_path)


def test_the_command_says_it_and_its_exit_status_too(tmp_path, recorded):
    from click.testing import CliRunner

    from netsim.cli import netsim as command

    same = CliRunner().invoke(command, ["fingerprint", str(recorded)])
    assert same.exit_code == 0
    told = read_manifest(recorded)["fingerprint"]
    assert same.output.splitlines()[:4] == [f"{layer:<11} {told[layer]}" for layer in LAYERS]
    assert same.output.splitlines()[-1] == "compared with the run simulated again: the same in all 31 periods"
    run(TINY, "equal", periods=30, seed=3, out=tmp_path / "other")
    differs = CliRunner().invoke(command, ["fingerprint", str(recorded), str(tmp_path / "other"), "--json"])
    assert differs.exit_code == 1
    found = json.loads(differs.output)["difference"]
    assert (found["period"], found["layers"][0]) == (1, "grants")
