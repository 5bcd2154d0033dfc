"""Kernel and oracle take logarithms and powers from different libraries; they differ by no more than is allowed for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from netsim import Simulation
from netsim.portable import log2
from tests.oracles.channel import LOG_DOUBT, SNR_DOUBT, Radio, Undecided, truncated
from tests.oracles.everything import cells_with_everything
from tests.oracles.playing import changed


@settings(max_examples=30)
@given(cells_with_everything())
def test_the_mean_snr_differs_by_less_than_a_third_of_the_doubt(whole):
    """The other two thirds are for what fading does in the last bits."""
    scenario = changed(whole.played.scenario, slices=silenced(whole.played.scenario))
    simulation = Simulation(scenario, whole.played.seed)
    simulation.reset()
    gains = iter(simulation.cell.users["gain"])
    for name in scenario.slice_names:
        for number in range(scenario.users_ever(name)):
            ours = Radio(scenario, whole.played.seed, name, number).gain_hz_per_mw
            assert abs(next(gains) / ours - 1.0) <= SNR_DOUBT / 3


def silenced(scenario):
    """The slices without their traffic, whose files are not there."""
    return {name: part | {"traffic": {"kind": "silent"}} for name, part in scenario.to_dict()["slices"].items()}


def test_the_logarithms_differ_by_less_than_the_doubt():
    snr = 10 ** np.random.default_rng(1).uniform(-6, 12, 5000)
    for x in snr.tolist():
        theirs, ours = float(log2(1.0 + x)), math.log2(1.0 + x)
        assert abs(theirs - ours) <= LOG_DOUBT * ours + SNR_DOUBT / 10


def test_a_rate_on_the_brink_of_a_whole_number_is_undecided():
    assert truncated(6.9999, 1e-5) == 6
    with pytest.raises(Undecided):
        truncated(7.0 - 1e-6, 1e-5)
    with pytest.raises(Undecided):
        truncated(7.0, 1e-5)
    assert truncated(7.0, 0.0) == 7
    assert truncated(1e-9, 1e-5) == 0
