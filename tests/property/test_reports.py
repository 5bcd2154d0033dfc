"""What a controller gets: finite figures in their ranges, and nothing of the simulator's own."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

import netsim
from netsim.report import SLICE_FIELDS
from netsim.run import run
from tests.oracles.cells import SLOT_NS, cells
from tests.oracles.playing import play_cell


@settings(max_examples=60)
@given(cells())
def test_reports_are_finite_and_within_their_ranges(played):
    """Invariant 14: latencies of nothing are NaN and nothing else is."""
    scenario = played.scenario
    n, slots = len(scenario.slices), scenario.control.slots_per_period
    most_promised = sum(part.weight for part in scenario.slices.values())
    for report in play_cell(played).reports:
        for name in SLICE_FIELDS:
            values = getattr(report, name)
            assert values.shape == (n,)
            if name.startswith("latency_"):
                np.testing.assert_array_equal(np.isfinite(values), report.departed > 0)
            else:
                assert np.isfinite(values).all()
                assert (values >= 0).all()
        sent = report.departed > 0
        mean, p50, p99, most = (getattr(report, f"latency_{which}_ms")[sent] for which in ("mean", "p50", "p99", "max"))
        assert (p50 >= SLOT_NS / 1e6).all()
        assert (p50 <= p99).all()
        assert (p99 <= most).all()
        assert (mean <= most * (1 + 1e-12)).all()
        assert (report.ssr <= 1).all()
        assert (report.pending <= report.backlog_packets).all()
        assert (report.prb_slots_used <= report.prb_slots_granted).all()
        assert report.prb_slots_granted.sum() <= scenario.carrier.prb * slots
        assert sum(report.allocation) == scenario.carrier.units
        assert 0 <= report.se_carried <= report.se_capacity * (1 + 1e-12) < math.inf
        rewarded = scenario.utility.alpha * report.se_capacity * (n if scenario.utility.alpha_per_slice else 1)
        assert 0 <= report.utility <= (most_promised + rewarded) * (1 + 1e-12)


@settings(max_examples=40)
@given(cells())
def test_reports_are_read_only_and_share_no_memory_with_the_simulation(played):
    """Invariant 14: what a controller keeps stays as it was, whatever the simulation does next."""
    simulation = netsim.Simulation(played.scenario, played.seed)
    reports, figures = [], []
    for period, units in enumerate([played.scenario.initial_allocation, *played.allocations]):
        reports.append(simulation.step(units) if period else simulation.reset())
        figures.append([getattr(reports[-1], name).tolist() for name in SLICE_FIELDS])
    for report, then in zip(reports, figures, strict=True):
        np.testing.assert_equal([getattr(report, name).tolist() for name in SLICE_FIELDS], then)
        for name in SLICE_FIELDS:
            values = getattr(report, name)
            assert not any(np.shares_memory(values, array) for array in simulation.cell)
            with pytest.raises(ValueError, match="read-only"):
                values[...] = 0
        with pytest.raises(AttributeError):
            report.utility = 0.0


class Vandal:
    """Decides as ``fixed`` does, keeps every report, and overwrites all that can be reached from it."""

    def __init__(self, units):
        self.units, self.kept = units, []

    @netsim.hookimpl
    def decide_allocation(self, report):
        self.kept.append(report)
        for past in self.kept:
            for name in SLICE_FIELDS:
                owner = getattr(past, name)
                while owner.base is not None:
                    owner = owner.base
                owner.flags.writeable = True
                owner.view(np.uint8)[...] = 0xAB
        return self.units


@settings(max_examples=25)
@given(cells())
def test_a_controller_that_writes_into_reports_it_kept_changes_nothing(played):
    """Invariant 14: not even through the arrays that a report's figures are views of."""
    units = played.allocations[-1]
    summaries = [
        run(played.scenario, controller, periods=4, seed=played.seed % 2**63)
        for controller in (f"fixed:{','.join(map(str, units))}", Vandal(units))
    ]
    assert _but_for_the_name(summaries[0]) == _but_for_the_name(summaries[1])


def _but_for_the_name(summary):
    return {key: value for key, value in summary.items() if key != "controller"}
