"""A gradient step is what the equations say, and the fast one is the readable one."""

import numpy as np
import pytest
import torch

from rl import networks
from rl.agents import AGENTS, Agent, Task, make_agent
from rl.agents.gan_ddqn import GanDdqn
from rl.agents.gan_networks import Critic, generated
from rl.networks import Parameters, best_actions, mlp_shapes
from rl.observation import Encoder
from rl.optimiser import EPSILON, Adam
from rl.replay import Batch, Transitions
from rl.reward import Thresholds
from tests.rl.small import NAMES, batches, config_of, task_of

UPDATES = 60
RELATIVE = 1e-5
DISCOUNT = 0.8


# -- the fast update is the readable one -------------------------------------------------------------------------------


def sizes(batch_size):
    """Most batches are full, some are not."""
    return [batch_size if k % 5 else batch_size // 2 for k in range(UPDATES)]


def readable(agent, optimiser, theta, batch):
    """One step by autograd and torch's own Adam, the target following; on the agent itself."""
    optimiser.zero_grad()
    agent.loss(agent.parameters.like(theta), batch).backward()
    optimiser.step()
    with torch.no_grad():
        agent.target.flat.lerp_(theta, agent.config.target_rate)
        agent.parameters.flat.copy_(theta)
    agent.updates += 1


def distance(one, other):
    return float((one - other).detach().norm() / other.detach().norm())


@pytest.mark.parametrize("units", [20, 100])
@pytest.mark.parametrize("name", ["dqn", "ddqn", "feature-ddqn"])
def test_60_fast_updates_are_60_readable_ones(name, units):
    networks.single_thread()
    task = task_of(units)
    fast, slow = make_agent(name, task), make_agent(name, task)
    begin = fast.parameters.flat.clone()
    theta = torch.nn.Parameter(slow.parameters.flat.clone())
    optimiser = torch.optim.Adam([theta], lr=slow.config.learning_rate, eps=EPSILON)
    for k, size in enumerate(sizes(slow.config.batch_size)):
        [batch] = batches(task, size, 1, seed=k)
        assert fast.learn(batch) == pytest.approx(slow.loss(slow.parameters, batch).item(), rel=1e-4)
        readable(slow, optimiser, theta, batch)
    assert fast.updates == UPDATES
    assert distance(begin, theta) > 100 * RELATIVE  # they went somewhere
    assert distance(fast.parameters.flat, theta) < RELATIVE
    assert distance(fast.target.flat, slow.target.flat) < RELATIVE


@pytest.mark.parametrize("units", [20, 100])
def test_60_fast_updates_of_the_gan_are_60_readable_ones(units):
    """In double precision: in single, whether a unit of the critic is active at a kink depends on the last bit, and
    one unit that differs sends the two apart."""
    networks.single_thread()
    task = task_of(units)
    fast, slow = (GanDdqn(task, dtype=torch.float64) for _ in range(2))
    begin = fast.parameters.flat.clone()
    theta, judge = (torch.nn.Parameter(each.flat.clone()) for each in (slow.parameters, slow.critic))
    rates = {"eps": EPSILON, "betas": slow.config.betas}
    optimiser = torch.optim.Adam([theta], lr=slow.config.learning_rate, **rates)
    judges = torch.optim.Adam([judge], lr=slow.config.critic_learning_rate, **rates)
    for k, size in enumerate(sizes(slow.config.batch_size)):
        [batch] = batches(task, size, 1, seed=k)
        fast.learn(batch)
        critic_steps(slow, judges, judge, batch)
        readable(slow, optimiser, theta, batch)
    assert distance(begin, theta) > 100 * RELATIVE
    assert distance(fast.parameters.flat, theta) < RELATIVE
    assert distance(fast.target.flat, slow.target.flat) < RELATIVE
    assert distance(fast.critic.flat, judge) < RELATIVE


def critic_steps(agent, optimiser, judge, batch):
    """The steps of the critic before one of the generator, by autograd."""
    n = len(batch.actions)
    noise, next_noise = agent._noise(agent.updates, 2 * n).chunk(2)
    with torch.no_grad():
        y = agent.target_particles(agent.parameters, batch, next_noise)
        z = generated(agent.parameters, agent.tensor(batch.states), noise).of(agent.tensor(batch.actions))
    for mix in agent.mixes(n):
        optimiser.zero_grad()
        agent.critic_loss(agent.critic.like(judge), z, y, mix).backward()
        optimiser.step()
    agent.critic.flat.copy_(judge.detach())


def swept(task, k):
    """States, rewards of every allocation, and next states."""
    generator = np.random.default_rng(k)
    states, next_states = generator.normal(1.0, 0.1, (2, 16, task.n_slices)).astype(np.float32)
    return states, generator.uniform(0.0, 1.2, (16, task.n_actions)).astype(np.float32), next_states


@pytest.mark.parametrize("name", NAMES)
def test_20_sweeps_between_updates_are_20_readable_ones(name):
    networks.single_thread()
    task = task_of(20)
    fast, slow = (AGENTS[name](task, dtype=torch.float64) for _ in range(2))
    theta = torch.nn.Parameter(slow.parameters.flat.clone())
    rates = {"eps": EPSILON, "betas": getattr(slow.config, "betas", (0.9, 0.999))}
    optimiser = torch.optim.Adam([theta], lr=slow.config.learning_rate, **rates)
    if name == "gan-ddqn":
        judge = torch.nn.Parameter(slow.critic.flat.clone())
        judges = torch.optim.Adam([judge], lr=slow.config.critic_learning_rate, **rates)
    for k in range(20):
        given = swept(task, k)
        [batch] = batches(task, 16, 1, seed=k)
        for kind in ("sweep", "learn"):
            one_each = slow._one_each(*given) if kind == "sweep" and name == "gan-ddqn" else batch
            if name == "gan-ddqn":
                critic_steps(slow, judges, judge, one_each)
            optimiser.zero_grad()
            at = slow.parameters.like(theta)
            loss = slow.sweep_loss(at, *given) if kind == "sweep" else slow.loss(at, batch)
            loss.backward()
            mean_square = getattr(fast, kind)(*(given if kind == "sweep" else [batch]))
            if kind == "sweep" and name != "gan-ddqn":
                assert mean_square == pytest.approx(loss.item() / task.n_actions, rel=1e-6)
            optimiser.step()
            with torch.no_grad():
                slow.target.flat.lerp_(theta, slow.config.target_rate)
                slow.parameters.flat.copy_(theta)
            slow.updates += 1
    assert distance(fast.parameters.flat, theta) < RELATIVE
    assert distance(fast.target.flat, slow.target.flat) < RELATIVE


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.999)])
@pytest.mark.parametrize("where", ["_on_cpu", "_elsewhere"])
def test_adam_is_torch_s_adam_and_the_target_follows(where, betas, dtype, monkeypatch):
    monkeypatch.setattr(Adam, "_on_cpu", getattr(Adam, where))
    generator = torch.Generator().manual_seed(1)
    shapes = {"a": (30, 20), "b": (401,)}
    start = torch.randn(1001, generator=generator, dtype=dtype)
    parameters, target = (Parameters(shapes, start.clone()) for _ in range(2))
    mine = Adam(parameters, 1e-2, betas, target=target, target_rate=0.05)
    theta, following = torch.nn.Parameter(start.clone()), start.clone()
    theirs = torch.optim.Adam([theta], lr=1e-2, betas=betas, eps=EPSILON)
    for k in range(200):
        # Gradients of very different sizes, below and above epsilon, and some that are zero.
        size = 10.0 ** (torch.arange(1001, dtype=dtype) % 9 - 6)
        gradient = torch.randn(1001, generator=generator, dtype=dtype) * size * (torch.arange(1001) % 7 != k % 7)
        mine.gradients.flat.copy_(gradient)
        theta.grad = gradient.clone()
        mine.step()
        theirs.step()
        following.lerp_(theta.detach(), 0.05)
    exact = 1e-5 if dtype == torch.float32 else 1e-12
    assert distance(parameters.flat, theta.detach()) < exact
    assert distance(target.flat, following) < exact


# -- targets worked by hand --------------------------------------------------------------------------------------------

STATES = np.eye(2, dtype=np.float32)
"""Two states of two slices; three actions share four units."""


def hand_task():
    return Task(4, Encoder((1.0, 1.0)), Thresholds(0.0, 1.0, 0.1), 0)


def table_agent(name, online, target):
    """An agent whose Q(s, a) is read from a table of shape ``(states, actions)``: hidden units are the states."""
    agent = make_agent(name, hand_task(), config_of(name, hidden=(2,), discount=DISCOUNT, target_rate=1e-9))
    for parameters, table in ((agent.parameters, online), (agent.target, target)):
        parameters.flat.zero_()
        parameters["hidden.0.weight"].copy_(torch.eye(2))
        parameters["head.0.weight"].copy_(torch.tensor(table).t())
    return agent


ONLINE = [[1.0, 0.0, 2.0], [0.0, 5.0, 3.0]]
TARGET = [[9.0, 9.0, 9.0], [7.0, 1.0, 4.0]]


@pytest.mark.parametrize(("name", "next_value"), [("dqn", max(TARGET[1])), ("ddqn", TARGET[1][1])])
def test_dqn_takes_the_target_s_maximum_double_dqn_its_value_of_the_learned_choice(name, next_value):
    """From state 0, action 2, reward 1, to state 1, whose best action is 1 by the learned table, 0 by the target."""
    agent = table_agent(name, ONLINE, TARGET)
    batch = Batch(STATES[:1], np.array([2]), np.ones(1, np.float32), STATES[1:])
    expected = (ONLINE[0][2] - (1.0 + DISCOUNT * next_value)) ** 2
    assert agent.loss(agent.parameters, batch).item() == pytest.approx(expected, rel=1e-6)
    assert agent.learn(batch) == pytest.approx(expected, rel=1e-6)
    assert agent.scores(STATES).tolist() != ONLINE


def test_greedy_is_the_first_of_the_best():
    agent = table_agent("ddqn", [[1.0, 2.0, 2.0], [3.0, 3.0, 0.0]], TARGET)
    assert agent.act(STATES).tolist() == [1, 0]
    assert best_actions(torch.tensor([[0.0, 1.0, 1.0]])).tolist() == [1]


def hand_gan(**changes):
    """A generator whose particles and advantages do not depend on the state: they are the biases of its heads."""
    agent = GanDdqn(hand_task(), config_of("gan-ddqn", particles=2, discount=DISCOUNT, **changes))
    heads = ((agent.parameters, [0.0, 0.0], [0.0, 9.0, 1.0]), (agent.target, [1.0, 2.0], [0.0, 6.0, 0.0]))
    for parameters, values, advantages in heads:
        parameters["particles.0.weight"].zero_()
        parameters["advantages.0.weight"].zero_()
        parameters["particles.0.bias"].copy_(torch.tensor(values))
        parameters["advantages.0.bias"].copy_(torch.tensor(advantages))
    return agent


def test_the_gan_s_target_is_r_plus_lambda_z():
    """a* = 1 by the learned advantages; z' = V' + 6 - 2. The public script's slip, 1 + lambda z, would give 5.0, 5.8;
    discounting the reward too, 5.6, 6.4."""
    agent = hand_gan()
    batch = Batch(STATES[:1], np.array([2]), np.full(1, 2.0, np.float32), STATES[1:])
    y = agent.target_particles(agent.parameters, batch, agent._noise(0, 1))
    assert y.tolist() == [pytest.approx([2.0 + 0.8 * 5.0, 2.0 + 0.8 * 6.0])]
    q = 0.0 + 1.0 - 10.0 / 3.0
    assert agent.learn(batch) == pytest.approx((q - 6.4) ** 2, rel=1e-5)


def test_advantages_are_centred():
    task = task_of()
    agent = GanDdqn(task, config_of("gan-ddqn"))
    [batch] = batches(task, 5, 1)
    noises = agent.policy_noise()
    states = agent.tensor(batch.states)
    values = [generated(agent.parameters, states, noise.expand(5, -1)).values.mean(dim=1) for noise in noises]
    before = agent.scores(batch.states)
    assert before.mean(axis=1) == pytest.approx(torch.stack(values).mean(dim=0).numpy(), rel=1e-4)
    agent.parameters["advantages.0.bias"].add_(100.0)
    assert agent.scores(batch.states) == pytest.approx(before, abs=1e-3)  # 100 has an error of 1e-5 in single precision


def test_the_gan_acts_by_its_scores():
    agent = GanDdqn(task_of(), config_of("gan-ddqn"))
    [batch] = batches(agent.task, 50, 1)
    scores = agent.scores(batch.states)
    chosen = scores[np.arange(50), agent.act(batch.states)]
    assert (scores.max(axis=1) - chosen).max() <= 1e-5


def linear_critic(agent, weights):
    """D(x) = weights . x for x > -100: the hidden units pass x on."""
    agent.critic.flat.zero_()
    agent.critic["critic.0.weight"].copy_(torch.eye(2))
    agent.critic["critic.0.bias"].fill_(100.0)
    agent.critic["critic.1.weight"].copy_(torch.tensor([weights]))
    agent.critic["critic.1.bias"].fill_(-100.0 * sum(weights))


@pytest.mark.parametrize(("weights", "penalty"), [([3.0, 4.0], 16.0), ([0.6, 0.8], 0.0), ([0.3, 0.4], 0.25)])
def test_the_critic_s_penalty_is_that_of_its_slope(weights, penalty):
    agent = hand_gan(critic_hidden=(2,), gradient_penalty=10.0)
    linear_critic(agent, weights)
    z, y = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 5.0]])
    loss = agent.critic_loss(agent.critic, z, y, torch.tensor([[0.25], [0.75]]))
    verdicts = weights[0] * (2.0 - 0.0) + weights[1] * (1.0 - 3.0)
    assert loss.item() == pytest.approx(verdicts + 10.0 * penalty, abs=1e-4)


@pytest.mark.parametrize("hidden", [(5,), (7, 6), (6, 5, 4)])
def test_the_critic_s_written_out_gradient_is_autograd_s(hidden):
    agent = GanDdqn(task_of(), config_of("gan-ddqn", critic_hidden=hidden), dtype=torch.float64)
    generator = torch.Generator().manual_seed(2)
    z, y = torch.randn(2, 9, 4, generator=generator, dtype=torch.float64)
    mix = torch.rand(9, 1, generator=generator, dtype=torch.float64)
    theta = torch.nn.Parameter(agent.critic.flat.clone())
    agent.critic_loss(agent.critic.like(theta), z, y, mix).backward()
    gradients = agent.critic.like(torch.full_like(theta, 7.0))
    with torch.no_grad():
        critic = Critic(agent.critic, 18)
        critic.learn(z, y, mix, agent.config.gradient_penalty, gradients)
    assert torch.allclose(gradients.flat, theta.grad, rtol=1e-9, atol=1e-12)


# -- eq. 8, and what all agents do -------------------------------------------------------------------------------------


@pytest.fixture(params=NAMES)
def agent(request):
    return make_agent(request.param, task_of(), config_of(request.param))


def taught(agent, updates=5):
    for batch in batches(agent.task, 8, updates):
        agent.learn(batch)
    return agent


def test_agents_are_agents(agent):
    assert isinstance(agent, Agent)
    assert type(agent) is AGENTS[agent.name]


@pytest.mark.parametrize("keep", [0.0, 0.25, 1.0])
def test_empowering_mixes_weights_copies_the_target_and_forgets_moments(agent, keep):
    other = make_agent(agent.name, task_of(seed=6), config_of(agent.name)).parameters.flat
    mine, theirs = taught(agent).parameters.flat.clone(), other.clone()
    agent.empower(other, keep)
    assert torch.allclose(agent.parameters.flat, keep * mine + (1.0 - keep) * theirs, rtol=1e-6, atol=1e-7)
    if keep in (0.0, 1.0):
        assert torch.equal(agent.parameters.flat, mine if keep else theirs)
    assert torch.equal(agent.target.flat, agent.parameters.flat)
    assert torch.equal(other, theirs)
    arrays = agent.to_arrays()
    moments = [array for name, array in arrays.items() if "adam" in name]
    assert len(moments) in (2, 4)
    assert not any(array.any() for array in moments)
    assert arrays["counts"].tolist() == [5, *[0] * (len(moments) // 2)]


def test_a_restored_agent_goes_on_as_the_kept_one(agent):
    kept = {name: array.copy() for name, array in taught(agent).to_arrays().items()}
    other = make_agent(agent.name, agent.task, agent.config)
    other.restore(kept)
    for batch in batches(agent.task, 8, 3, seed=9):
        assert agent.learn(batch) == other.learn(batch)
    after, again = agent.to_arrays(), other.to_arrays()
    assert all(np.array_equal(after[name], again[name]) for name in after)
    assert not np.array_equal(after["parameters"], kept["parameters"])


def test_arrays_of_another_network_are_refused(agent):
    wider = make_agent(agent.name, task_of(), config_of(agent.name, **WIDER[agent.name]))
    with pytest.raises(ValueError, match=r"parameters: must be torch\.float32 of shape .*, got"):
        agent.restore(wider.to_arrays())


WIDER = {
    "dqn": {"hidden": (9,)}, "ddqn": {"hidden": (9,)}, "gan-ddqn": {"common": 9}, "feature-ddqn": {"dimensions": 9},
}  # fmt: skip


def test_nothing_is_learned_before_there_is_enough(agent):
    state = np.ones(3, np.float32)
    begin = agent.parameters.flat.clone()
    for k in range(agent.config.learning_starts - 1):
        agent.remember(state, k, 2.0, state)
        assert agent.update(k) is None
    assert torch.equal(agent.parameters.flat, begin)
    agent.remember(state, 11, 2.0, state)
    assert agent.update(11) is not None
    assert agent.updates == 1
    assert not torch.equal(agent.parameters.flat, begin)


def test_remembered_utility_is_rewarded_by_the_threshold_of_the_update():
    """g(0) = 2.0, g(1000) = 3.0: the same transition earns 1, later 0."""
    agent = make_agent("ddqn", task_of(), config_of("ddqn"))
    states = np.ones((2, 3), np.float32)
    transitions = Transitions(states, np.array([0, 1]), np.array([2.5, 4.0]), states)
    agent.memory.extend(transitions)
    kept = agent.memory.all()
    assert agent.rewarded(kept, 0).rewards.tolist() == [1.0, 1.25]
    assert agent.rewarded(kept, 1000).rewards.tolist() == [0.0, 1.25]


def test_agents_of_one_seed_are_kept_apart_by_whose():
    one, same, other = (make_agent("ddqn", task_of(), config_of("ddqn"), whose=whose) for whose in ("", "", "twin"))
    assert torch.equal(one.parameters.flat, same.parameters.flat)
    assert not torch.equal(one.parameters.flat, other.parameters.flat)


def test_weights_are_uniform_within_the_root_of_the_fan_in():
    """As many draws as this have their extremes within 1 % of the bound, but for a chance below 1e-20."""
    shapes = mlp_shapes("layer", [100, 100])
    drawn = Parameters.drawn(shapes, 3, "", torch.device("cpu"), torch.float64)
    weights = drawn["layer.0.weight"]
    assert 0.099 < float(weights.max()) < 0.1
    assert -0.1 < float(weights.min()) < -0.099
    assert abs(float(weights.mean())) < 4 * 0.1 / np.sqrt(3 * weights.numel())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", NAMES)
def test_an_update_on_a_gpu_is_that_of_the_cpu(name):
    task = task_of()
    here, there = (make_agent(name, task, device=device) for device in ("cpu", "cuda"))
    for batch in batches(task, 32, 3):
        assert here.learn(batch) == pytest.approx(there.learn(batch), rel=1e-3)
    assert distance(there.parameters.flat.cpu(), here.parameters.flat) < 1e-3
    [batch] = batches(task, 16, 1, seed=5)
    assert there.scores(batch.states) == pytest.approx(here.scores(batch.states), rel=1e-2, abs=1e-2)
    assert there.act(batch.states).shape == (16,)
