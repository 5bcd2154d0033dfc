"""A change of the network is noticed by what its twin expected otherwise; where there is none, nothing is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import netsim
from rl.agents import Task
from tests.rl.small import config_of, loop_of
from tests.twin.small import SHARES, TINY, N, fitted_twin, recorded
from twin.drift import DriftConfig
from twin.dual_loop import DualLoop
from twin.models.outcome import Spread
from twin.models.state import NextState
from twin.synchronisation import REFERENCE, Watch

RARELY = DriftConfig(periods_between_false_alarms=1e6)


class KnownTwin:
    """Expects the next state to be 1 with a deviation of 0.1, and U to be 3 with one of 0.2, whatever was before."""

    config, starts = fitted_twin().config, fitted_twin().starts

    def __init__(self):
        self.states, self.outcomes = self, self

    def begin(self, states, shares, there):
        self.read = states, shares
        return

    def advance(self, memory, states, shares):
        return NextState(torch.ones_like(states), torch.full_like(states, 0.1))

    def utility(self, states, shares):
        return Spread(torch.full((len(states),), 3.0), torch.full((len(states),), 0.2))


def law(rows, seed, shift=0.0, utility_shift=0.0):
    """States and utilities as the twin expects them, shifted by deviations."""
    rng = np.random.Generator(np.random.Philox(seed))
    states = (1.0 + 0.1 * (rng.normal(size=(rows, N)) + shift)).astype(np.float32)
    return states, 3.0 + 0.2 * (rng.normal(size=rows) + utility_shift)


def watched(config=RARELY, rows=1000):
    """A watch that began after an experience of the law."""
    states, utility = law(rows + 1, 1)
    blank = np.zeros((rows, N), np.float32)
    experience = replace(
        recorded(), states=states[:-1], next_states=states[1:], utility=utility[1:], shares=blank + 1 / 3, ssr=blank,
        backlog_packets=blank, backlog_bits=blank, latency_mean_ms=blank, se_capacity=utility[1:],
        se_carried=utility[1:], begins=np.arange(rows) == 0,
    )  # fmt: skip
    twin = KnownTwin()
    twin.starts = type(fitted_twin().starts).of(experience, 3)
    watch = Watch(config)
    watch.begin(twin, experience)
    return watch


def noticed(watch, states, utilities):
    """After how many periods there is an alarm."""
    share = SHARES[0]
    for number, (state, utility) in enumerate(zip(states, utilities, strict=True), 1):
        watch.see(np.ones(N, np.float32), share, float(utility), state)
        if watch.alarmed:
            return number
    return None


def test_nothing_is_noticed_while_the_network_is_as_expected():
    assert noticed(watched(), *law(300, 2)) is None


@pytest.mark.parametrize(("shifts", "channel"), [({"shift": 3.0}, None), ({"utility_shift": -3.0}, N)])
def test_a_change_of_state_or_of_utility_is_noticed_soon(shifts, channel):
    """Of 3 deviations: scores of what is beyond all of 150 are 2.5 at the most, so a threshold near 13 takes 6 or 7."""
    watch = watched()
    assert noticed(watch, *law(60, 2)) is None
    after = noticed(watch, *law(60, 3, **shifts))
    assert after is not None
    assert after <= 15
    if channel is not None:
        assert (watch.alarm.channel, watch.alarm.direction) == (channel, "down")
        assert after - 2 <= watch.alarm.lasted_periods <= after + 2


def test_after_an_alarm_nothing_more_is_compared_until_there_is_another_twin():
    watch = watched()
    noticed(watch, *law(60, 3, shift=5.0))
    alarm = watch.alarm
    assert noticed(watch, *law(5, 4)) == 1  # still the same
    assert watch.alarm is alarm
    watch.end()
    assert (watch.alarmed, watch.to_arrays()) == (False, {})
    assert noticed(watch, *law(60, 5, shift=9.0)) is None


def test_a_short_held_out_tail_is_filled_up_with_the_first_periods():
    """From 60 transitions 9 are held out; the other 91 of the reference come from what is seen next."""
    watch = watched(rows=60)
    tail = 9
    assert len(watch._reference) == tail
    assert noticed(watch, *law(REFERENCE - tail, 2)) is None
    assert len(watch._reference) == REFERENCE
    assert "detector/ranked" not in watch.to_arrays()
    noticed(watch, *law(1, 3))
    assert "detector/ranked" in watch.to_arrays()


def test_residuals_are_in_units_of_what_the_twin_expects():
    watch = watched(rows=60)
    watch.see(np.ones(N, np.float32), SHARES[0], 3.4, np.array([1.1, 0.9, 1.0], np.float32))
    assert watch._reference[-1] == pytest.approx([1.0, -1.0, 0.0, 2.0], abs=1e-5)


def test_a_watch_that_is_restored_notices_alike():
    one, other = watched(), Watch(RARELY)
    noticed(one, *law(20, 2))
    other.restore(one.to_arrays(), one._twin)
    states, utilities = law(40, 3, shift=2.0)
    assert noticed(one, states, utilities) == noticed(other, states, utilities)
    assert one.alarm == other.alarm
    mine, theirs = one.to_arrays(), other.to_arrays()
    assert all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)
    again = Watch(RARELY)
    again.restore(mine, one._twin)
    assert again.alarm == one.alarm


# -- in the loop -------------------------------------------------------------------------------------------------------


def drifting():
    settings = {"refit": "drift", "drift": {"periods_between_false_alarms": 1e6}, "first_collect": 30, "collect": 3}
    return DualLoop(TINY, Task.of(TINY, 400, 3), "ddqn", config_of("ddqn"), loop_of("ddqn-dt", **settings))


def test_on_a_network_that_does_not_change_there_is_one_fit():
    """A false alarm in 220 periods has a probability of 220 in 1e6 by what the charts are set to."""
    loop = drifting()
    netsim.run(TINY, loop, periods=250, seed=4)
    spent = loop.ledger()
    assert (spent["twin_fits"], spent["alarms"], loop.figures()["iteration"]) == (1, 0, 1)


def test_after_an_alarm_what_was_before_is_forgotten_and_a_twin_is_fitted_to_what_is_new():
    """Arrivals are eightfold from period 160 on."""
    loop, simulation, lengths = drifting(), netsim.Simulation(TINY, 4), []
    loop.period_ended(simulation.reset())
    for period in range(1, 231):
        report = simulation.step(loop.decide_allocation())
        if period >= 160:
            report = replace(report, arrived=report.arrived * 8)
        loop.period_ended(report)
        lengths.append((period, loop.ledger()["alarms"], len(loop._log), len(loop.agent.memory), loop.twin is None))
    at, _, kept, remembered, fitless = next(row for row in lengths if row[1] == 1)
    assert 160 <= at <= 175
    assert kept <= at - 155  # the change is estimated to have come when it came, or a little before
    assert remembered == 0
    assert fitless
    assert loop.ledger()["twin_fits"] == 2
    refitted = next(row[0] for row in lengths if row[0] > at and not row[4])
    assert refitted == at + 30  # as many as at first, there being no twin
    low = loop.twin.starts.states[kept:]
    assert low.min(axis=0).tolist() > fitted_twin().starts.states.mean(axis=0).tolist()
