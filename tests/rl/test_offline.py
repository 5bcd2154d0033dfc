"""Learning from a data set: the extra gradients are those of the equations, and an epoch is what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netsim
from netsim.errors import InputError, RunError
from rl.agents import AGENTS
from rl.agents.gan_networks import generated
from rl.checkpoints import Checkpoints
from rl.commands import evaluate, export
from rl.offline import OfflineTraining, learn_offline
from rl.offline_request import OfflineConfig, OfflineRequest, Recorded
from rl.policy import AgentController, load_agent
from rl.replay import Transitions
from tests.rl.small import NAMES, batches, config_of, files_of, metrics_of, task_of

DISCOUNT, CAUTION, VALUES, UPSILON = 0.8, 0.7, 0.4, 0.3
EPOCHS = {"epochs": 6, "evaluate_every": 3, "evaluation_seeds": 2, "evaluation_periods": 3, "checkpoint_every": 2}


@pytest.fixture(scope="module")
def tiny():
    return netsim.load_scenario("tiny")


@pytest.fixture(scope="module")
def recorded(tiny):
    """30 periods of ``tiny`` under random allocations, as far as an agent needs them."""
    generator = np.random.default_rng(7)
    states = generator.uniform(0.5, 1.5, (31, len(tiny.slices))).astype(np.float32)
    actions = generator.integers(0, netsim.allocations.count(tiny.carrier.units, len(tiny.slices)), 30)
    return Recorded(Transitions(states[:-1], actions, generator.uniform(1.0, 4.0, 30), states[1:]), ("random",))


def request_of(tiny, recorded, name="ddqn", seed=3, hyper=None, **settings):
    config = config_of(name, replay_capacity=100, **(hyper or {}))
    return OfflineRequest(tiny, name, config, OfflineConfig(**{**EPOCHS, **settings}), recorded, seed)


# -- the gradients are those of the equations --------------------------------------------------------------------------
# Numpy on its own: networks as matrices, gradients as differences of losses. After Adam's first step its first moment
# is (1 - beta1) times the gradient that it was given.


def gradient_given(agent, beta=0.9):
    return agent.to_arrays()["adam.first"] / (1.0 - beta)


def layered(theta, shapes, x, names):
    """ReLU layers one after another, the last without: numpy's own forward pass from a flat vector."""
    parts, begin = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        parts[name], begin = theta[begin : begin + size].reshape(shape), begin + size
    for i, name in enumerate(names):
        x = x @ parts[f"{name}.weight"].T + parts[f"{name}.bias"]
        x = x if i == len(names) - 1 else np.maximum(x, 0.0)
    return x


def loss_of(theta, target, shapes, batch, double, caution=0.0, values=1.0, anchor=None, upsilon=0.0):
    """values mean (Q(s, a) - y)^2 + caution mean (log sum exp Q(s, .) - Q(s, a)) + upsilon / 2 |theta - anchor|^2."""
    names = ["hidden.0", "hidden.1", "head.0"]
    states, actions, rewards, following = batch
    q = layered(theta, shapes, states, names)
    later = layered(target, shapes, following, names)
    best = (layered(double, shapes, following, names) if double is not None else later).argmax(axis=1)
    rows = np.arange(len(actions))
    squares = (q[rows, actions] - rewards - DISCOUNT * later[rows, best]) ** 2
    surprises = np.log(np.exp(q).sum(axis=1)) - q[rows, actions]
    pull = 0.0 if anchor is None else upsilon / 2.0 * float(((theta - anchor) ** 2).sum())
    return values * squares.mean() + caution * surprises.mean() + pull


def differences(function, theta, step=1e-6):
    """The gradient of a function by central differences."""
    moved = np.eye(len(theta)) * step
    return np.array([(function(theta + d) - function(theta - d)) / (2.0 * step) for d in moved])


def small_agent(name, task):
    return AGENTS[name](task, config_of(name, hidden=(4, 3)), dtype=torch.float64)


def in_double(batch):
    return [np.asarray(part, np.float64) if part.dtype == np.float32 else part for part in batch]


@pytest.mark.parametrize("name", ["dqn", "ddqn"])
@pytest.mark.parametrize("cautious", [False, True])
def test_steps_follow_the_gradient_of_eq_13_as_numpy_finds_it(name, cautious):
    """Parameters, target and anchor all apart, in double precision; the gradient to 1e-7 of its length."""
    task = task_of(8)
    agent = small_agent(name, task)
    [first, batch] = batches(task, 8, 2)
    agent.learn(first)  # target and parameters are no longer the same
    theta, target = agent.parameters.flat.numpy().copy(), agent.target.flat.numpy().copy()
    anchor = np.random.default_rng(3).normal(0.0, 0.1, theta.size)
    agent.empower(torch.from_numpy(theta), 0.0)  # Adam starts afresh, and the target with it
    agent.target.flat.copy_(torch.from_numpy(target))
    agent.pull_towards(torch.from_numpy(anchor), UPSILON)
    weights = {"caution": CAUTION, "values": VALUES} if cautious else {}
    double = theta if name == "ddqn" else None

    def loss(at, anchor=anchor):
        return loss_of(
            at, target, agent.parameters.shapes, in_double(batch), double, anchor=anchor, upsilon=UPSILON, **weights
        )

    told = agent.learn_cautiously(batch, CAUTION, VALUES) if cautious else agent.learn(batch)
    expected = differences(loss, theta)
    assert told == pytest.approx(loss(theta, None), rel=1e-9)
    assert np.linalg.norm(gradient_given(agent) - expected) < 1e-7 * np.linalg.norm(expected)
    pulled = UPSILON * (theta - anchor)
    assert np.linalg.norm(pulled) > 0.1 * np.linalg.norm(expected)  # the pull is no rounding error in this
    step = 5e-4 * expected / (np.abs(expected) + 1e-5)  # Adam's first step
    assert np.abs(agent.parameters.flat.numpy() - (theta - step)).max() < 1e-8


def readable(agent, theta, batch):
    """values loss + caution mean (log sum exp Q(s, .) - Q(s, a)), for autograd."""
    parameters = agent.parameters.like(theta)
    states, actions = agent.tensor(batch.states), agent.tensor(batch.actions)
    if agent.name == "gan-ddqn":
        noise = agent._noise(agent.updates, 2 * len(actions)).chunk(2)[0]
        made = generated(parameters, states, noise)
        q = made.values.mean(1, keepdim=True) + made.advantages - made.advantages.mean(1, keepdim=True)
    else:
        q = agent.q(parameters, states)
    surprises = torch.logsumexp(q, 1) - q.gather(1, actions[:, None])[:, 0]
    return VALUES * agent.loss(parameters, batch) + CAUTION * surprises.mean()


@pytest.mark.parametrize("name", NAMES)
def test_cautious_steps_of_every_agent_follow_autograd(name):
    """The critic of the GAN steps first, so it has no steps here."""
    task = task_of(8)
    hyper = {"critic_learning_rate": 1e-12} if name == "gan-ddqn" else {}
    agent = AGENTS[name](task, config_of(name, **hyper), dtype=torch.float64)
    anchor = agent.parameters.flat + 0.05
    agent.pull_towards(anchor, UPSILON)
    theta = agent.parameters.flat.clone().requires_grad_()
    [batch] = batches(task, 8, 1)
    loss = readable(agent, theta, batch) + UPSILON / 2.0 * ((theta - anchor) ** 2).sum()
    (expected,) = torch.autograd.grad(loss, theta)
    agent.learn_cautiously(batch, CAUTION, VALUES)
    given = gradient_given(agent, 0.5 if name == "gan-ddqn" else 0.9)
    assert np.linalg.norm(given - expected.numpy()) < 1e-8 * float(expected.norm())


@pytest.mark.parametrize("name", NAMES)
def test_without_caution_a_cautious_step_is_a_plain_one(name):
    task = task_of(20)
    plain, cautious = (AGENTS[name](task, config_of(name), dtype=torch.float64) for _ in range(2))
    for batch in batches(task, 8, 5):
        assert cautious.learn_cautiously(batch, 0.0) == pytest.approx(plain.learn(batch), rel=1e-9)
    assert torch.allclose(cautious.parameters.flat, plain.parameters.flat, rtol=0, atol=1e-12)


def test_a_strong_pull_ends_at_the_anchor():
    """Adam's steps are at most a rate long, and the pull outweighs everything else by a million."""
    task = task_of(20)
    agent = small_agent("ddqn", task)
    anchor = agent.parameters.flat + 0.02
    agent.pull_towards(anchor, 1e6)
    [batch] = batches(task, 8, 1)
    for _ in range(200):
        agent.learn(batch)
    assert float((agent.parameters.flat - anchor).abs().max()) < agent.config.learning_rate


# -- what the methods do -----------------------------------------------------------------------------------------------


def one_state(tiny, played, utilities):
    """What was played again and again in one state, and what it brought."""
    states = np.ones((len(played), len(tiny.slices)), np.float32)
    return Recorded(Transitions(states, np.array(played), np.array(utilities, np.float64), states))


@pytest.mark.parametrize("name", NAMES)
def test_a_clone_does_what_was_done_most_whatever_came_of_it(name, tiny):
    data = one_state(tiny, [4] * 20 + [9] * 10, [0.0] * 20 + [4.0] * 10)
    training = OfflineTraining(request_of(tiny, data, name, hyper={"learning_rate": 0.01}, method="bc", epochs=40))
    training.run()
    assert training.agent.act(np.ones((1, 3), np.float32)).tolist() == [4]


def test_caution_holds_down_what_was_never_tried(tiny):
    """Two allocations were tried and one was worth something: only it is left above all others."""
    data = one_state(tiny, [4] * 20 + [9] * 10, [0.0] * 20 + [4.0] * 10)
    scores = {}
    for method in ("plain", "cql"):
        request = request_of(tiny, data, hyper={"learning_rate": 0.01}, method=method, epochs=60, caution=0.1)
        training = OfflineTraining(request)
        training.run()
        scores[method] = training.agent.scores(np.ones((1, 3), np.float32))[0]
    untried = {method: np.delete(q, [4, 9]) for method, q in scores.items()}
    assert scores["cql"].argmax() == 9
    assert (scores["cql"][9] - untried["cql"].max()) > (scores["plain"][9] - untried["plain"].max())


# -- epochs ------------------------------------------------------------------------------------------------------------


def test_an_epoch_goes_through_every_transition_once_in_an_order_of_its_own(tiny, recorded):
    training = OfflineTraining(request_of(tiny, recorded))
    orders = []
    for epoch in range(3):
        parts = list(training._batches(epoch))
        assert [len(part.actions) for part in parts] == [8, 8, 8, 6]
        orders.append(np.concatenate([part.states for part in parts]))
        assert sorted(orders[-1].tolist()) == sorted(recorded.transitions.states.tolist())
    assert not np.array_equal(orders[0], orders[1])
    again = np.concatenate([part.states for part in OfflineTraining(request_of(tiny, recorded))._batches(1)])
    assert np.array_equal(again, orders[1])


def test_rewards_are_those_of_the_full_grown_threshold(tiny, recorded):
    training = OfflineTraining(request_of(tiny, recorded))
    gmax = training.agent.task.thresholds.gmax
    u = recorded.transitions.utilities
    expected = np.where(u < gmax, 0.0, np.maximum(1.0, 1.0 + (u - gmax) / 2.0))
    assert np.array_equal(training._data.rewards, expected.astype(np.float32))


# -- a training like any other -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["plain", "cql"])
def test_interrupted_and_resumed_leaves_the_same_bytes(method, tiny, recorded, tmp_path):
    request = request_of(tiny, recorded, method=method)
    summary = learn_offline(request, tmp_path / "whole")

    def stopped(done, _):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_offline(request, tmp_path / "run", progress=stopped)
    told = []
    assert learn_offline(request, tmp_path / "run", resume=True, notice=told.append) == summary
    assert told == ["going on after 3 epochs"]
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")
    assert learn_offline(request, tmp_path / "run", resume=True) == summary  # it is not run again
    lines = metrics_of(tmp_path / "run")
    assert [line["epochs"] for line in lines] == list(range(7))
    assert [line["epochs"] for line in lines if "greedy" in line] == [0, 3, 6]
    assert lines[-1]["updates"] == 6 * 4


def test_other_data_are_another_training(tiny, recorded, tmp_path):
    learn_offline(request_of(tiny, recorded, epochs=0), tmp_path / "run")
    changed = recorded.transitions._replace(utilities=recorded.transitions.utilities + 1e-9)
    with pytest.raises(InputError, match="holds another training"):
        learn_offline(request_of(tiny, Recorded(changed, ("random",)), epochs=0), tmp_path / "run", resume=True)


def test_the_folder_is_that_of_a_training(tiny, recorded, tmp_path):
    """Its agent plays, is compared, and is exported, and remembers the data."""
    learn_offline(request_of(tiny, recorded), tmp_path / "run")
    agent = load_agent(tmp_path / "run")
    report = netsim.Simulation(tiny, seed=1).reset()
    chosen = AgentController(str(tmp_path / "run"), scenario=tiny).decide_allocation(report)
    assert chosen == agent.task.allocation(agent.act(agent.task.encoder.state(report)[None])[0])
    found = Checkpoints(tmp_path / "run" / "checkpoints", every=1).newest()
    agent.memory.restore(found.arrays("replay"))
    assert all(np.array_equal(*pair) for pair in zip(agent.memory.all(), recorded.transitions, strict=True))
    assert agent.task.thresholds == OfflineTraining(request_of(tiny, recorded)).agent.task.thresholds
    played = CliRunner().invoke(evaluate, [str(tmp_path / "run"), "--periods", "3", "--seeds", "2", "--quiet"])
    exported = CliRunner().invoke(export, [str(tmp_path / "run"), "--out", str(tmp_path / "policy")])
    assert (played.exit_code, exported.exit_code) == (0, 0)


def test_a_loss_that_is_not_finite_stops_learning(tiny, recorded, tmp_path):
    utilities = recorded.transitions.utilities.copy()
    utilities[7] = np.nan
    data = Recorded(recorded.transitions._replace(utilities=utilities))
    with pytest.raises(RunError, match=r"ddqn: a loss or a weight is not finite in epoch 1, seed 3; .* learning_rate"):
        learn_offline(request_of(tiny, data), tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["0000000000"]


def test_no_transitions_teach_nothing(tiny, recorded):
    none = Recorded(Transitions(*(array[:0] for array in recorded.transitions)))
    with pytest.raises(InputError, match="collect more periods"):
        learn_offline(request_of(tiny, none))


def test_a_larger_memory_than_the_replay_is_learned_from_whole(tiny, recorded):
    request = request_of(tiny, recorded)
    training = OfflineTraining(replace(request, config=config_of("ddqn", replay_capacity=8)))
    whole = OfflineTraining(request)
    training.run()
    whole.run()
    assert (len(training.agent.memory), len(whole.agent.memory)) == (8, 30)
    assert torch.equal(training.agent.parameters.flat, whole.agent.parameters.flat)
