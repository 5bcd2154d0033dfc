"""What an imagined transition costs: the state model's part of it, and a network that chooses among 4851 allocations.

The other side is the loop that is written first: one roll-out at a time, which reads its window anew at every step.
"""

import time

import numpy as np
import pytest
import torch

import netsim
from netsim.allocations import enumerate_all
from rl.agents import Task, make_agent
from rl.networks import single_thread
from rl.observation import Encoder
from rl.reward import Thresholds
from tests.benchmarks.turns import in_turns
from twin.digital_twin import DigitalTwin, TwinConfig
from twin.experience import Experience
from twin.fitting import FitConfig
from twin.history import History
from twin.imagination import Rollouts
from twin.loop_config import DualLoopConfig
from twin.models.state import StateConfig, fit_state_model
from twin.practice import Practice

ROLL_OUTS, HORIZON, N = 256, 10, 3


@pytest.fixture(autouse=True)
def one_thread():
    single_thread()


def experience(rows=1000):
    """As many transitions as there are of ``table1`` in the paper, near the states that it has."""
    rng = np.random.Generator(np.random.Philox(1))
    states = rng.normal(1.0, 0.05, (rows + 1, N)).astype(np.float32)
    per_slice, per_cell = np.zeros((rows, N), np.float32), np.zeros(rows)
    shares = rng.dirichlet(np.ones(N), rows).astype(np.float32)
    return Experience(
        states[:-1], shares, states[1:], *[per_slice] * 4, *[per_cell] * 3, begins=np.arange(rows) == 0
    )  # fmt: skip


def modelled(**settings):
    """A model of the default size, which learned for a moment, and pasts of roll-outs."""
    model = fit_state_model(experience(), StateConfig(fit=FitConfig(steps=1), **settings), 1)
    context = model.config.context
    drawn = np.random.Generator(np.random.Philox(2)).random((2, ROLL_OUTS, context + HORIZON, N), np.float32)
    states, shares = torch.from_numpy(drawn)
    return model, states, shares, torch.ones(ROLL_OUTS, context + HORIZON, dtype=torch.bool)


def together(model, states, shares, there):
    """All roll-outs, a step at a time, from what is carried on."""
    context = model.config.context
    memory = model.begin(states[:, :context], shares[:, :context], there[:, :context])
    for t in range(context, context + HORIZON):
        said = model.advance(memory, states[:, t], shares[:, t])
    return said.mean


def one_by_one(model, states, shares, there, rows):
    """Each roll-out on its own; at every step its window is read from the beginning."""
    context, means = model.config.context, []
    for row in range(rows):
        for t in range(context, context + HORIZON):
            window = (each[row : row + 1, t - context : t + 1] for each in (states, shares, there))
            said = model.forecast(*window)
        means.append(said.mean[:, -1])
    return torch.cat(means)


@pytest.mark.parametrize(("kind", "at_least"), [("lstm", 30.0), ("transformer", 10.0)])
def test_roll_outs_together_cost_a_fraction_of_one_by_one(kind, at_least, benchmark):
    """Per imagined transition, the reading of the past included."""
    world = modelled(kind=kind)
    rows = 4
    turns = in_turns(lambda: one_by_one(*world, rows), lambda: together(*world), rounds=15)
    ratio = turns.ratio * ROLL_OUTS / rows
    per_s = ROLL_OUTS * HORIZON / turns.other_s, rows * HORIZON / turns.one_s
    print(f"\n{kind}: {per_s[0]:.0f} transitions a second together, {per_s[1]:.0f} one by one: {ratio:.1f}")  # noqa: T201
    benchmark.extra_info["ratio"] = ratio
    benchmark.pedantic(together, world, rounds=20)
    assert ratio >= at_least


def agent():
    """A Double DQN of ``table1``."""
    return make_agent("ddqn", Task(100, Encoder((4.7, 7.3, 2.3)), Thresholds(2.0, 3.5, 1e-3), 1))


def test_a_step_of_the_lstm_costs_less_than_half_of_a_greedy_choice(benchmark):
    """For 256 roll-outs at once, 4851 allocations to choose from."""
    model, states, shares, there = modelled()
    learner, context = agent(), model.config.context
    memory = model.begin(states[:, :context], shares[:, :context], there[:, :context])
    present, given = states[:, -1].contiguous(), shares[:, -1].contiguous()
    seen = present.numpy()
    turns = in_turns(lambda: model.advance(memory, present, given), lambda: learner.act(seen), rounds=300)
    print(f"\nstep of the LSTM to greedy choice, 256 roll-outs: {turns}")  # noqa: T201
    both_s = turns.one_s + turns.other_s
    print(f"{ROLL_OUTS / both_s:.0f} imagined transitions a second without rewards")  # noqa: T201
    benchmark.extra_info["ratio"] = turns.ratio
    benchmark.pedantic(model.advance, (memory, present, given), rounds=300)
    assert turns.ratio <= 0.5


def table1_twin():
    """A twin of ``table1`` of default size, fitted to 300 random periods, and the task of its agents."""
    scenario, rng = netsim.load_scenario("table1"), np.random.Generator(np.random.Philox(1))
    simulation, table = netsim.Simulation(scenario, 1), enumerate_all(scenario.carrier.units, N)
    played = (simulation.step(table[rng.integers(len(table))]) for _ in range(300))
    history, task = History.of([simulation.reset(), *played], scenario.carrier.units), Task.of(scenario, 10_000, 1)
    return DigitalTwin.fit(Experience.of(history, task.encoder), scenario, task.encoder, TwinConfig(), 1), task


def test_a_core_imagines_40_000_transitions_a_second_with_a_greedy_policy_over_4851_allocations(benchmark):
    """256 roll-outs at once, contexts, chances and the memory included; beside one roll-out after the other.

    The best of the rounds: a core that others use too is slower.
    """
    twin, task = table1_twin()
    config = DualLoopConfig(practice="rollouts", horizon=HORIZON)
    practice = Practice(twin, make_agent("ddqn", task), config, task.shares(), 0, "benchmark")

    def imagine(rollouts):
        for _ in range(HORIZON):
            practice._imagine(rollouts)

    many, one = (Rollouts(twin, count, HORIZON, 1) for count in (ROLL_OUTS, 1))
    turns = in_turns(lambda: imagine(one), lambda: imagine(many), rounds=30)
    ratio, transitions = turns.ratio * ROLL_OUTS, ROLL_OUTS * HORIZON
    benchmark.pedantic(imagine, (many,), rounds=30)
    best_s = min(process_s(lambda: imagine(many)) for _ in range(30))
    rates = (
        f"{transitions / turns.other_s:.0f}, at best {transitions / best_s:.0f}, against {HORIZON / turns.one_s:.0f}"
    )
    print(f"\nimagined transitions a second: {rates} one by one: {ratio:.1f}")  # noqa: T201
    benchmark.extra_info["ratio"] = ratio
    assert transitions / best_s >= 40_000
    assert ratio >= 10.0


def process_s(work):
    started = time.process_time()
    work()
    return time.process_time() - started


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_a_fit_on_1000_transitions_takes_under_5_s(kind):
    """CPU time, of as many steps as a fit takes that finds nothing, 300."""
    config = StateConfig(kind=kind)
    fit_state_model(experience(20), config, 1)
    started = time.process_time()
    model = fit_state_model(experience(), config, 1)
    cpu_s = time.process_time() - started
    print(f"\n{kind}: {model.fitted.steps} steps in {cpu_s:.2f} s of CPU")  # noqa: T201
    assert cpu_s / model.fitted.steps * 300 < 5.0
