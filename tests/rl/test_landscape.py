"""The loss around an agent's parameters is what eq. 11 says, quickly as well as plainly, and sharpness is its shape."""

import json
import math
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netsim
from netsim import cli
from netsim.errors import InputError
from rl import landscape as landscapes
from rl import landscape_figure as figures
from rl import sharpness
from rl.agents import make_agent
from rl.agents.feature_ddqn import tower
from rl.checkpoints import Checkpoints, write_arrays
from rl.flatness import correlations, shifted
from rl.greedy import HeldOutSeeds
from rl.landscape import (
    gradient,
    held_out_transitions,
    in_double,
    line,
    losses,
    plane,
    random_direction,
    read_transitions,
    rewarded,
    scale,
    targets,
)
from rl.networks import relu_layers, single_thread
from rl.observation import Encoder
from rl.offline import learn_offline
from rl.offline_request import OfflineConfig, OfflineRequest, Recorded
from rl.perturbed import Head, moved_loss
from rl.replay import Transitions
from rl.sharpness import LandscapeConfig, derivatives, landscape
from rl.training import train
from tests.rl.small import NAMES, batches, config_of, request_of, task_of


@pytest.fixture(autouse=True)
def one_thread():
    single_thread()


def double(name, units=20, updates=6, **settings):
    """An agent in float64 that is no longer where it was drawn, and whose target lags behind."""
    task = task_of(units)
    agent = make_agent(name, task, config_of(name, target_rate=0.2, learning_rate=0.02, **settings))
    for batch in batches(task, 8, updates, seed=3):
        agent.learn(batch)
    return in_double(agent)


def batch_of(agent, size=16, seed=9):
    [batch] = batches(agent.task, size, 1, seed=seed)
    return batch


PLACES = [(0.0, 0.0), (0.3, 0.0), (-0.8, 0.4), (0.05, -1.1), (1.5, 1.5)]


@torch.no_grad()
def plainly(agent, batch, directions, places):
    """agent.loss with the whole vector of parameters laid anew at each place."""
    found = []
    for place in places:
        theta = agent.parameters.flat.clone()
        for step, direction in zip(place, directions, strict=True):
            theta += step * direction
        found.append(float(agent.loss(agent.parameters.like(theta), batch)))
    return found


# -- eq. 11 ------------------------------------------------------------------------------------------------------------


def in_numpy(weights, states):
    """Q of a DQN layer by layer."""
    x = states.astype(np.float64)
    for i in range(2):
        x = np.maximum(x @ weights[f"hidden.{i}.weight"].T + weights[f"hidden.{i}.bias"], 0.0)
    return x @ weights["head.0.weight"].T + weights["head.0.bias"]


def loss_in_numpy(name, weights, target, batch, discount=0.8):
    """1/B sum_i L_Q(s_i, a_i, r_i, s_i+1) of DQN and of Double DQN, one transition after the other."""
    total = 0.0
    for s, a, r, s2 in zip(*batch, strict=True):
        following = in_numpy(target, s2)
        chosen = following.argmax() if name == "dqn" else in_numpy(weights, s2).argmax()
        total += (in_numpy(weights, s)[a] - r - discount * following[chosen]) ** 2
    return total / len(batch.actions)


def named(parameters, flat):
    return {name: tensor.numpy() for name, tensor in parameters.like(flat).items()}


@pytest.mark.parametrize("name", ["dqn", "ddqn"])
def test_eq_11_along_the_normalised_gradient(name):
    """v by central differences, one parameter at a time, and L(theta + lambda v) written out in numpy."""
    agent = double(name, units=6)
    batch, theta = batch_of(agent), agent.parameters.flat
    target = named(agent.parameters, agent.target.flat)

    def at(flat, held=None):
        """The loss, its targets those of ``held`` where given: targets are constants of the gradient."""
        weights = named(agent.parameters, flat)
        if held is None or name == "dqn":
            return loss_in_numpy(name, weights, target, batch)
        following = in_numpy(target, batch.next_states)
        chosen = in_numpy(held, batch.next_states).argmax(axis=1)
        y = batch.rewards + 0.8 * following[np.arange(len(chosen)), chosen]
        return ((in_numpy(weights, batch.states)[np.arange(len(y)), batch.actions] - y) ** 2).mean()

    here, h = named(agent.parameters, theta), 1e-6
    slope = np.array(
        [(at(theta + h * e, here) - at(theta - h * e, here)) / (2 * h) for e in torch.eye(len(theta)).double()]
    )
    v = gradient(agent, batch)
    np.testing.assert_allclose(v.numpy(), slope / np.linalg.norm(slope), atol=1e-7)
    steps = [-0.7, -0.1, 0.0, 0.25, 0.9]
    expected = [at(theta + step * v) for step in steps]
    np.testing.assert_allclose(line(agent, batch, v, steps), expected, rtol=1e-9)


@pytest.mark.parametrize("units", [20, 100])
@pytest.mark.parametrize("name", NAMES)
def test_the_quick_loss_is_the_plain_one(name, units):
    """To 1e-6 relative at every place: 171 and 4851 allocations."""
    agent = double(name, units)
    batch = batch_of(agent)
    directions = [gradient(agent, batch), random_direction(agent.parameters, 1, 0)]
    expected = plainly(agent, batch, directions, PLACES)
    np.testing.assert_allclose(losses(agent, batch, directions, PLACES), expected, rtol=1e-6)
    assert len(set(expected)) == len(PLACES)


@pytest.mark.parametrize("name", NAMES)
def test_the_quick_loss_does_not_ask_for_the_plain_one(name, monkeypatch):
    agent = double(name)
    batch = batch_of(agent)
    at = moved_loss(agent, [gradient(agent, batch)], batch)
    monkeypatch.setattr(type(agent), "loss", None)
    assert math.isfinite(float(at((1.0, 0.5))))


def test_the_target_of_dqn_does_not_move_and_the_choice_of_its_double_does():
    """Far along a random direction the moved network prefers other allocations, which the target then values."""
    for name, moves in {"dqn": False, "ddqn": True}.items():
        agent = double(name)
        batch, far = batch_of(agent), 3.0 * random_direction(agent.parameters, 1, 0)
        moved = agent.parameters.like(agent.parameters.flat + far)
        states = agent.tensor(batch.next_states)
        changed = agent.next_values(moved, states) != agent.next_values(agent.parameters, states)
        assert bool(changed.any()) is moves


def test_the_best_action_is_exact_where_float32_cannot_tell():
    """Scores that differ by 1e-12, and equal ones, of which the first counts."""
    agent = double("ddqn")
    weight = agent.parameters["head.0.weight"]
    weight[:] = weight[5]
    agent.parameters["head.0.bias"][:] = 1.0
    agent.parameters["head.0.bias"][[40, 90]] += 1e-12
    still = agent.parameters.like(torch.zeros_like(agent.parameters.flat))
    head = Head([agent.parameters, still], "head.0", torch.tensor([0]))
    assert head.best(torch.rand(7, weight.shape[1]).double(), (1.0, 0.3)).tolist() == [40] * 7


def test_the_best_action_is_exact_where_float32_has_it_wrong():
    """All scores of a state within 1e-8 of each other, the last the highest; sums in float32 are off by more."""
    agent = double("ddqn")
    weight, h = agent.parameters["head.0.weight"], torch.rand(1, 8).double()
    agent.parameters["head.0.bias"][:] = 2.0 - weight @ h[0] + torch.linspace(0.0, 1e-8, len(weight)).double()
    exact = (h @ weight.t() + agent.parameters["head.0.bias"])[0]
    single = (h.float() @ weight.float().t() + agent.parameters["head.0.bias"].float())[0]
    assert (int(exact.argmax()), int(single.argmax()) != 170) == (170, True)
    still = agent.parameters.like(torch.zeros_like(agent.parameters.flat))
    head = Head([agent.parameters, still], "head.0", torch.tensor([0]))
    assert head.best(h, (1.0, 0.7)).tolist() == [170]


@pytest.mark.parametrize("units", [20, 100])
def test_hidden_layers_in_float32_are_wrong_by_no_more_than_is_said(units):
    """At places far off too; and what is said is within a thousand times of what is so, or it would tell nothing."""
    agent = double("feature-ddqn", units, hidden=(64, 64))
    batch = batch_of(agent)
    moved = moved_loss(agent, [far := random_direction(agent.parameters, 1, 0)], batch)
    for step in (0.0, 0.5, 4.0):
        parameters = agent.parameters.like(agent.parameters.flat + step * far)
        h, error = moved._hidden(parameters)
        off = (h.double() - relu_layers(parameters, "share", agent.features)).norm(dim=1).max()
        assert off <= error <= 1000.0 * off


def test_the_best_allocation_is_exact_where_float32_cannot_tell_features_apart():
    """psi of allocations differs by 1e-9; of equal ones the first counts."""
    agent = double("feature-ddqn")
    batch = batch_of(agent)
    agent.parameters["share.0.weight"].mul_(1e-9)
    agent.parameters["share.0.bias"].fill_(1.0)
    single = relu_layers(
        {name: part.float() for name, part in agent.parameters.items()}, "share", agent.features.float()
    )
    assert torch.equal(single, single[:1].expand_as(single))
    phi = tower(agent.parameters, "state", agent.tensor(batch.states))
    moved = moved_loss(agent, [torch.zeros_like(agent.parameters.flat)], batch)
    best = agent.q(agent.parameters, agent.tensor(batch.states)).argmax(dim=1)
    assert torch.equal(moved._best(agent.parameters, phi), best)
    agent.parameters["share.0.weight"].zero_()
    assert not moved._best(agent.parameters, phi).any()


def test_a_plane_has_the_lines_of_its_directions():
    agent = double("ddqn")
    batch = batch_of(agent)
    directions = [random_direction(agent.parameters, 2, k) for k in (0, 1)]
    across, up = np.linspace(-1, 1, 5), np.linspace(-0.5, 0.5, 3)
    surface = plane(agent, batch, directions, across, up)
    assert surface.shape == (3, 5)
    np.testing.assert_allclose(surface[1], line(agent, batch, directions[0], across), rtol=1e-12)
    np.testing.assert_allclose(surface[:, 2], line(agent, batch, directions[1], up), rtol=1e-12)


# -- directions, scale, transitions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_random_directions_have_the_length_of_every_neuron_s_weights(name):
    agent = double(name)
    one, again, other = (random_direction(agent.parameters, 1, k) for k in (0, 0, 1))
    assert torch.equal(one, again)
    assert abs(float(torch.nn.functional.cosine_similarity(one, other, dim=0))) < 0.5
    for part, tensor in agent.parameters.like(one).items():
        if part.endswith(".bias"):
            assert not tensor.any()
        else:
            torch.testing.assert_close(tensor.norm(dim=1), agent.parameters[part].norm(dim=1))


@pytest.mark.parametrize("name", ["dqn", "ddqn", "feature-ddqn"])
def test_targets_are_what_the_loss_draws_q_towards(name):
    agent = double(name)
    batch = batch_of(agent)
    values = agent.scores(batch.states)[np.arange(16), batch.actions]
    expected = ((values - targets(agent, batch).numpy()) ** 2).mean()
    assert float(agent.loss(agent.parameters, batch)) == pytest.approx(expected, rel=1e-9)


def test_the_landscape_does_not_change_with_the_scale_of_q():
    """Rewards and outputs ten times as high: the loss is a hundred times as high, and so is its scale."""
    agent = double("dqn")
    batch = batch_of(agent)
    small = float(agent.loss(agent.parameters, batch)) / scale(agent, batch)
    for parameters in (agent.parameters, agent.target):
        for part in ("weight", "bias"):
            parameters[f"head.0.{part}"].mul_(10.0)
    large = batch._replace(rewards=10.0 * batch.rewards.astype(np.float64))
    assert float(agent.loss(agent.parameters, large)) / scale(agent, large) == pytest.approx(small, rel=1e-9)


def test_targets_that_are_all_equal_have_no_scale():
    agent = double("dqn")
    batch = batch_of(agent)
    same = batch._replace(next_states=batch.next_states[:1].repeat(16, 0), rewards=np.ones(16, np.float32))
    with pytest.raises(InputError, match="all targets of these transitions are equal"):
        scale(agent, same)


def test_held_out_transitions_are_what_the_random_controller_meets():
    tiny = netsim.load_scenario("tiny")
    met = held_out_transitions(tiny, 40, first_seed=1 << 62)
    assert [len(part) for part in met] == [40] * 4
    encoder = Encoder.of(tiny)
    for cell in (0, 5):
        simulation = netsim.Simulation(tiny, (1 << 62) + cell)
        states = [encoder.state(simulation.reset())]
        for k in range(cell, 40, 16):
            report = simulation.step(netsim.allocations.unrank(int(met.actions[k]), 20, 3))
            states.append(encoder.state(report))
            assert met.utilities[k] == report.utility
            np.testing.assert_array_equal(met.states[k], states[-2])
            np.testing.assert_array_equal(met.next_states[k], states[-1])
    few = held_out_transitions(tiny, 10, first_seed=1 << 62)
    assert all((a == b[:10]).all() for a, b in zip(few, met, strict=True))


def test_rewards_are_those_of_the_end_of_training():
    agent, tiny = double("dqn"), netsim.load_scenario("tiny")
    met = held_out_transitions(tiny, 16, first_seed=1)._replace(utilities=np.linspace(1.0, 5.0, 16))
    expected = [0.0 if u < 3.5 else max(1.0, 1.0 + (u - 3.5) / 2.0) for u in met.utilities]
    np.testing.assert_allclose(rewarded(agent, met, step=1500).rewards, expected)
    assert rewarded(agent, met, step=0).rewards.sum() > sum(expected)


# -- sharpness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dqn", "gan-ddqn", "feature-ddqn"])
def test_slope_and_curvature_are_the_differences_of_the_line(name):
    """Central differences of eq. 11 between the kinks, of agents whose choice in the target stays there."""
    agent = double(name)
    batch, h = batch_of(agent), 1e-5
    v = gradient(agent, batch)
    low, here, high = line(agent, batch, v, [-h, 0.0, h])
    found = derivatives(agent, batch, v)
    assert found[0] == pytest.approx(here, rel=1e-12)
    assert found[1] == pytest.approx((high - low) / (2 * h), rel=1e-6)
    assert found[2] == pytest.approx((high - 2 * here + low) / h**2, rel=1e-3)


def test_sharpness_is_told_of_the_lines():
    agent = double("ddqn")
    batch, config = batch_of(agent), LandscapeConfig(points=5, directions=2, radius=0.2, random_radius=0.4, rho=0.1)
    found = landscape(agent, batch, config, seed=3)
    v, unit = gradient(agent, batch), scale(agent, batch)
    here = float(agent.loss(agent.parameters, batch)) / unit
    along = line(agent, batch, v, [-0.2, -0.1, 0.0, 0.1, 0.2]) / unit
    np.testing.assert_allclose(found.gradient, along, rtol=1e-12)
    aside = [
        line(agent, batch, random_direction(agent.parameters, 3, k), [-0.4, -0.2, 0.0, 0.2, 0.4]) / unit for k in (0, 1)
    ]
    np.testing.assert_allclose(found.random, np.mean(aside, axis=0), rtol=1e-12)
    assert found.sharpness["loss"] == pytest.approx(here, rel=1e-12)
    assert found.sharpness["rise_gradient"] == pytest.approx(along.mean() - here, rel=1e-9)
    assert found.sharpness["rise_random"] == pytest.approx(np.mean(aside) - here, rel=1e-9)
    within = line(agent, batch, v, np.linspace(0.0, 0.1, 21)) / unit
    assert found.sharpness["sam"] == pytest.approx(within.max() - here, rel=1e-9)
    assert within.max() > here
    _, slope, curvature = derivatives(agent, batch, v)
    assert found.sharpness["slope"] == pytest.approx(slope / unit, rel=1e-9)
    assert found.sharpness["curvature"] == pytest.approx(curvature / unit, rel=1e-9)


def test_sam_sharpness_is_of_the_highest_place_in_the_ball(monkeypatch):
    """Also where the loss falls again before its edge."""
    agent = double("ddqn")
    monkeypatch.setattr(sharpness, "line", lambda *of: 7.0 + np.sin(np.linspace(0.0, np.pi, len(of[3]))))
    batch = batch_of(agent)
    assert landscape(agent, batch, LandscapeConfig(), 0).sharpness["sam"] == pytest.approx(1.0 / scale(agent, batch))


# -- flatness and U ----------------------------------------------------------------------------------------------------


def test_what_tells_agents_apart_plays_no_part_within_them():
    """Two agents, the sharper one better by far, and within each the flatter trainings better."""
    sharpness, u = np.array([1.0, 2.0, 3.0, 11.0, 12.0, 13.0]), np.array([1.3, 1.2, 1.1, 9.3, 9.2, 9.1])
    found = correlations({"sam": sharpness}, {"there": u}, ["a", "a", "a", "b", "b", "b"])["sam"]["there"]
    assert found["all_trainings"]["mean"] > 0.5
    assert found["within_agents"]["mean"] == pytest.approx(-1.0)


def test_a_scenario_to_shift_to_is_named_or_made_by_overrides():
    tiny = netsim.load_scenario("tiny")
    users = {name: part.users for name, part in tiny.slices.items()}
    names = list(users)
    text = " ".join(f"slices.{name}.users={users[name] + 1}" for name in names[:2])
    made = shifted(text, tiny)
    assert [part.users for part in made.slices.values()] == [users[names[0]] + 1, users[names[1]] + 1, users[names[2]]]
    assert shifted("flash-crowd", tiny).name == "flash-crowd"
    with pytest.raises(InputError, match="'table1' shares 100 units between 3 slices, the agents share 20 between 3"):
        shifted("table1", tiny)


# -- the command -------------------------------------------------------------------------------------------------------

QUICK = ("--hyper=points=5", "--hyper=transitions=24", "--hyper=plane_transitions=8", "--hyper=directions=2")
SHIFTED = ("--shifted", "flash-crowd", "--periods", 3, "--seeds", 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two trainings of ``ddqn`` and one of ``dqn``."""
    folders = []
    for name, seed in (("ddqn", 3), ("ddqn", 4), ("dqn", 3)):
        folders.append(tmp_path_factory.mktemp(name) / "run")
        train(request_of(name, seed), folders[-1])
    return folders


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("landscape")
    told = invoked(
        "landscape", *trained, "--out", out, *QUICK, "--shifted", "flash-crowd", "--periods", 3, "--seeds", 2
    )
    return out, told


def invoked(*arguments):
    result = CliRunner().invoke(cli.netsim, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_one_command_makes_figures_and_numbers(made, trained):
    out, told = made
    drawings = {f"{name}.{form}" for name in ("landscape", "planes", "flatness") for form in ("svg", "png")}
    assert {path.name for path in out.iterdir()} == {"landscape.json", *drawings}
    shown = json.loads((out / "landscape.json").read_text())
    assert {name: group["trainings"] for name, group in shown["agents"].items()} == {"ddqn": 2, "dqn": 1}
    assert [run["run"] for run in shown["runs"]] == [str(folder) for folder in trained]
    for run in shown["runs"]:
        assert set(run["utility"]) == {"trained on", "flash-crowd"}
    slopes = [run["sharpness"]["slope"] for run in shown["runs"]]
    assert shown["agents"]["ddqn"]["sharpness"]["slope"]["mean"] == pytest.approx(np.mean(slopes[:2]))
    assert np.shape(shown["planes"]["dqn"]["random"]) == (5, 5)
    for word in ("24 transitions of tiny", "ddqn, 2 trainings", "rank correlation with U", "rise random"):
        assert word in told


def test_figures_are_the_same_to_the_byte(made, trained, tmp_path):
    out, _ = made
    invoked("landscape", *trained, "--out", tmp_path, *QUICK, *SHIFTED)
    for path in out.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_an_agent_that_learned_offline_is_another_one(trained, tmp_path):
    """In numbers and in columns of the figure, as `evaluate` tells them apart."""
    replay = Checkpoints(trained[0] / "checkpoints", every=1).newest().arrays("replay")
    data = Recorded(Transitions(*(replay[name] for name in Transitions._fields)))
    tiny, settings = netsim.load_scenario("tiny"), OfflineConfig(epochs=1, evaluate_every=0)
    learn_offline(OfflineRequest(tiny, "ddqn", config_of("ddqn"), settings, data, 3), tmp_path / "run")
    config = LandscapeConfig(points=5, transitions=24, directions=1)
    held_out = HeldOutSeeds(3, 1, 2)
    folders = [trained[0], tmp_path / "run"]
    shown = figures.numbers(folders, config, seed=0, transitions=None, shifts=(), played=held_out, planes=False)
    assert [run["agent"] for run in shown["runs"]] == ["ddqn", "ddqn, offline plain"]
    assert [group["trainings"] for group in shown["agents"].values()] == [1, 1]
    titles = [each.get_title() for each in figures.drawn_lines(shown).axes]
    assert titles == 2 * ["ddqn", "ddqn, offline plain"]


def test_a_column_has_an_algorithm_without_a_twin_and_with():
    agents = ["ddqn-dt, offline plain", "gan-ddqn-dt", "ddqn", "ddqn, offline plain", "ddqn-dt", "ddqn-dt, offline cql"]
    assert list(figures._families(agents)) == [
        ("ddqn, offline plain", ["ddqn, offline plain", "ddqn-dt, offline plain"]),
        ("gan-ddqn", ["gan-ddqn-dt"]),
        ("ddqn", ["ddqn", "ddqn-dt"]),
        ("ddqn, offline cql", ["ddqn-dt, offline cql"]),
    ]


def test_transitions_of_a_file_take_the_place_of_the_random_controller_s(trained, tmp_path):
    replay = trained[0] / "checkpoints" / "0000000060" / "replay.safetensors"
    shown = json.loads(
        invoked("landscape", trained[0], "--out", tmp_path, "--no-planes", *QUICK, "--data", replay, "--json")
    )
    assert shown["transitions"] == {"count": 40, "first_seed": None}
    assert "planes" not in shown
    assert {path.name for path in tmp_path.iterdir()} == {f"landscape.{form}" for form in ("svg", "png", "json")}


def test_a_file_without_transitions_is_refused(trained, tmp_path):
    with pytest.raises(InputError, match="has no array 'states'"):
        read_transitions(trained[0] / "checkpoints" / "0000000060" / "agent.safetensors")
    with pytest.raises(InputError, match="cannot be read"):
        read_transitions(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("states", np.ones(4, np.float32), "real numbers of shape (B, N), got float32 of shape (4,)"),
        ("next_states", np.ones((4, 3), np.int64), "real numbers of shape (B, N), got int64 of shape (4, 3)"),
        ("actions", np.zeros(4, np.float32), "whole numbers of shape (B,), got float32 of shape (4,)"),
        ("actions", np.zeros((4, 1), np.int64), "whole numbers of shape (B,), got int64 of shape (4, 1)"),
        ("utilities", np.ones((4, 4)), "real numbers of shape (B,), got float64 of shape (4, 4)"),
        ("utilities", np.ones(3), "a row for each transition, got [(4, 3), (4,), (3,), (4, 3)]"),
        ("next_states", np.ones((4, 2), np.float32), "a row for each transition, got [(4, 3), (4,), (4,), (4, 2)]"),
    ],
)
def test_arrays_that_are_no_transitions_are_refused(name, array, told, tmp_path):
    states = np.ones((4, 3), np.float32)
    arrays = {"states": states, "actions": np.zeros(4, np.int64), "utilities": np.ones(4), "next_states": states}
    write_arrays(tmp_path / "data.safetensors", {**arrays, name: array})
    with pytest.raises(InputError, match=re.escape(told)) as refused:
        read_transitions(tmp_path / "data.safetensors")
    assert str(refused.value).startswith(f"{tmp_path / 'data.safetensors'}: ")
    write_arrays(tmp_path / "data.safetensors", {**arrays, "actions": np.zeros(4, np.int32)})
    assert read_transitions(tmp_path / "data.safetensors").actions.dtype == np.int64  # as torch looks them up by


def test_transitions_of_another_task_are_refused():
    agent = double("dqn")
    met = Transitions(np.ones((2, 3), np.float32), np.array([0, 171]), np.ones(2), np.ones((2, 3), np.float32))
    with pytest.raises(InputError, match="3 slices and 171 allocations, as the agent's; got 3 slices and"):
        rewarded(agent, met, 0)


def test_trainings_on_several_scenarios_are_refused(trained, tmp_path):
    other = netsim.load_scenario("tiny", ["control.slots_per_period=50"])
    train(request_of("dqn", scenario=other), tmp_path / "other")
    with pytest.raises(InputError, match="was trained on another scenario than"):
        invoked("landscape", trained[0], tmp_path / "other", "--out", tmp_path / "out", *QUICK)


def test_figures_are_not_written_over(made, trained):
    out, _ = made
    with pytest.raises(InputError, match=r"landscape\.json is there already"):
        invoked("landscape", trained[0], "--out", out, *QUICK)


def test_an_agent_of_another_kind_is_refused():
    with pytest.raises(InputError, match="the landscape of a object is not known"):
        landscapes.in_double(object())
