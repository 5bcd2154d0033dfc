"""What learning costs: an update, a whole interaction, a thousand of them.

The other side is Stable-Baselines3's DQN with the same network, batch and optimiser on the same thread, in the same
process, in turns of several updates each, so that either works mostly in its own caches, as it would alone. Both learn
on ``table1``, 4851 allocations.
"""

import time

import numpy as np
import pytest
import torch

import netsim
from rl.agents import AGENTS, Task, make_agent
from rl.env import SlicingEnv
from rl.learner import LearningController
from rl.networks import single_thread
from rl.observation import Encoder
from rl.reward import Thresholds
from rl.training import Request, TrainingConfig, train
from tests.benchmarks.turns import in_turns

HIDDEN = [256, 256, 128, 128]
TURN = 20
"""Updates or interactions in a turn."""
SCENARIOS = {4851: "table1", 171: "table1-1mhz"}


def turn(work):
    def several():
        for _ in range(TURN):
            work()

    return several


@pytest.fixture(autouse=True)
def one_thread():
    single_thread()


def theirs(scenario, learning_starts):
    """Their DQN, which after ``learning_starts`` makes one update per interaction."""
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    return stable_baselines3.DQN(
        "MlpPolicy",
        SlicingEnv(scenario),
        policy_kwargs={"net_arch": HIDDEN, "optimizer_kwargs": {"eps": 1e-5}},
        learning_rate=5e-4,
        buffer_size=50_000,
        learning_starts=learning_starts,
        batch_size=32,
        tau=0.01,
        gamma=0.8,
        train_freq=1,
        target_update_interval=1,
        exploration_initial_eps=0.05,
        exploration_final_eps=0.05,
        seed=1,
        device="cpu",
    )


def ours(name, actions):
    """An agent that has seen the states a cell has, and what to call for one update of it."""
    units = 100 if actions == 4851 else 20
    agent = make_agent(name, Task(units, Encoder((4.7, 7.3, 2.3)), Thresholds(2.0, 3.5, 1e-3), 1))
    assert agent.task.n_actions == actions
    rng = np.random.Generator(np.random.Philox(1))
    for _ in range(1000):
        states = rng.normal(1.0, 0.1, (2, 3)).astype(np.float32)
        agent.remember(states[0], int(rng.integers(actions)), float(rng.uniform(2.0, 4.0)), states[1])
    return agent, lambda: agent.update(500)


@pytest.mark.parametrize("actions", SCENARIOS)
def test_a_ddqn_update_is_4_times_as_fast_as_stable_baselines3_s(actions, benchmark):
    model = theirs(netsim.load_scenario(SCENARIOS[actions]), learning_starts=1000)
    model.learn(1000)
    agent, update = ours("ddqn", actions)
    assert sum(p.numel() for p in model.q_net.parameters()) == agent.parameters.flat.numel()
    turns = in_turns(turn(lambda: model.train(1, batch_size=32)), turn(update), rounds=15)
    print(f"\n{TURN} updates with {actions} actions, Stable-Baselines3 to ours: {turns}")  # noqa: T201
    benchmark.extra_info["ratio"] = turns.ratio
    benchmark.pedantic(update, rounds=100)
    if actions == 4851:
        assert turns.ratio >= 4.0


def test_a_whole_interaction_is_4_times_as_fast_as_stable_baselines3_s(benchmark):
    """Act, step the simulator, remember, update; explored as little as late in a training, when acting costs most."""
    scenario = netsim.load_scenario("table1")
    model = theirs(scenario, learning_starts=300)
    model.learn(300)

    task = Task.of(scenario, 10_000, 1)
    config = AGENTS["ddqn"].Config(epsilon_final=0.05, epsilon_decay_interactions=1e-6)
    controller, plant = LearningController(make_agent("ddqn", task, config)), netsim.Simulation(scenario, 1)
    controller.period_ended(plant.reset())

    def interact():
        controller.period_ended(plant.step(controller.decide_allocation()))

    for _ in range(300):
        interact()
    turns = in_turns(lambda: model.learn(TURN, reset_num_timesteps=False), turn(interact), rounds=25)
    print(f"\n{TURN} interactions on table1, Stable-Baselines3 to ours: {turns}")  # noqa: T201
    benchmark.extra_info["ratio"] = turns.ratio
    benchmark.pedantic(interact, rounds=100)
    assert turns.ratio >= 4.0


@pytest.mark.parametrize("actions", SCENARIOS)
def test_an_update_of_the_gan_costs_at_most_5_of_ddqn(actions, benchmark):
    """With five critic steps in each."""
    gan, update = ours("gan-ddqn", actions)
    assert gan.config.critic_steps == 5
    _, other = ours("ddqn", actions)
    turns = in_turns(turn(update), turn(other), rounds=15)
    print(f"\n{TURN} updates with {actions} actions, Dueling GAN-DDQN to DDQN: {turns}")  # noqa: T201
    benchmark.extra_info["ratio"] = turns.ratio
    benchmark.pedantic(update, rounds=100)
    if actions == 4851:
        assert turns.ratio <= 5.0


@pytest.mark.parametrize("name", ["dqn", "feature-ddqn"])
def test_other_agents_beside_ddqn(name):
    """No mark: for the table."""
    _, update = ours(name, 4851)
    _, other = ours("ddqn", 4851)
    turns = in_turns(turn(update), turn(other), rounds=10)
    print(f"\n{TURN} updates with 4851 actions, {name} to DDQN: {turns}")  # noqa: T201


def test_a_thousand_interactions_of_ddqn_on_table1_take_under_15_s(tmp_path):
    """CPU time of a whole training with its folder, evaluations and checkpoint included; one thread."""
    config = AGENTS["ddqn"].Config()
    request = Request(netsim.load_scenario("table1"), "ddqn", config, TrainingConfig(interactions=1000), 1)
    started, cpu = time.perf_counter(), time.process_time()
    train(request, tmp_path / "run")
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    print(f"\n1000 interactions on table1: {cpu_s:.2f} s of CPU, {wall_s:.2f} s")  # noqa: T201
    assert cpu_s < 15.0


def test_where_the_time_of_an_interaction_goes():
    """No mark: act, simulate, remember, update, and the rest, in microseconds."""
    scenario = netsim.load_scenario("table1")
    task, plant = Task.of(scenario, 10_000, 1), netsim.Simulation(scenario, 1)
    agent = make_agent("ddqn", task)
    report, parts = plant.reset(), {"act": 0.0, "simulate": 0.0, "encode, remember": 0.0, "update": 0.0}

    def timed(part, work):
        started = time.process_time()
        result = work()
        parts[part] += time.process_time() - started
        return result

    n, state = 600, task.encoder.state(report)
    for k in range(n):
        if k == n // 2:
            parts = dict.fromkeys(parts, 0.0)
        action = int(timed("act", lambda s=state: agent.act(s[None]))[0])
        allocation = task.allocation((action + 13 * k) % task.n_actions)
        report = timed("simulate", lambda a=allocation: plant.step(a))

        def remembered(before=state, did=action, after=report):
            following = task.encoder.state(after)
            agent.remember(before, did, after.utility, following)
            return following

        state = timed("encode, remember", remembered)
        timed("update", lambda step=k: agent.update(step))
    for part, seconds in parts.items():
        print(f"\n{part}: {seconds / (n // 2) * 1e6:.0f} us", end="")  # noqa: T201
    assert torch.isfinite(agent.parameters.flat).all()
