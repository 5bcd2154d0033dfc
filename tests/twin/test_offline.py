"""Algorithm 2: an agent that is held to one that practised in a twin of the data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netsim
from netsim.errors import InputError
from rl.agents import make_agent
from rl.agents.base import in_parts
from rl.checkpoints import Checkpoints
from rl.fitted_q import FittedQConfig, fitted_utility
from rl.offline import OfflineTraining, learn_offline
from rl.offline_request import OfflineConfig
from rl.policy import load_agent
from rl.replay import Transitions
from tests.rl.small import config_of, files_of, metrics_of, task_of
from twin.commands import COMMANDS
from twin.keeping import twin_of
from twin.offline import DataSet, OfflineTwinConfig, prior_of, request_of
from twin.ope import errors
from twin.recorder import Recorder

UPSILON = 0.2
LOOP = {
    "practice_updates": 12,
    "upsilon": UPSILON,
    "sweep_states": 4,
    "twin": {"outcome": {"members": 2, "hidden": (8,), "fit": {"steps": 50}}, "state": {"fit": {"steps": 30}}},
}
EPOCHS = {"epochs": 4, "evaluate_every": 2, "evaluation_seeds": 2, "evaluation_periods": 3, "checkpoint_every": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 periods of ``tiny`` under random allocations, in two runs."""
    out = tmp_path_factory.mktemp("data") / "random"
    for seed in (1, 2):
        with Recorder(out, controller="random") as recorder:
            netsim.run(netsim.load_scenario("tiny"), "random", periods=20, seed=seed, plugins=[recorder])
    return out


@pytest.fixture(scope="module")
def data(folder):
    return DataSet.read([folder])


def asked(data, name="ddqn-dt", loop=LOOP, **settings):
    config = config_of(name.removesuffix("-dt"), replay_capacity=100)
    around = None if loop is None else OfflineTwinConfig(**loop)
    return request_of(data, name, config, OfflineConfig(**{**EPOCHS, **settings}), around, 3)


def trained(data, **settings):
    request = asked(data, **settings)
    training = OfflineTraining(request, prior=prior_of(data, request))
    training.run()
    return training


def test_a_data_set_is_read_as_the_transitions_within_its_runs(data):
    transitions, experience = data.recorded.transitions, data.experience
    assert len(data.recorded) == 40
    assert data.recorded.controllers == ("random",)
    units = data.scenario.carrier.units
    given = [netsim.allocations.unrank(int(a), units, 3) for a in transitions.actions]
    assert np.allclose(np.array(given) / units, experience.shares)
    assert np.array_equal(transitions.utilities, experience.utility)
    joined = np.flatnonzero(experience.begins)[1]
    assert joined == 20
    assert not np.array_equal(transitions.next_states[joined - 1], transitions.states[joined])


@pytest.mark.parametrize("name", ["ddqn-dt", "gan-ddqn-dt"])
@pytest.mark.parametrize("zeta", [0.0, 0.25])
def test_agent_1_begins_as_agent_2_empowers_it(name, zeta, data):
    """Eq. 8 before the first epoch: theta_1 = zeta theta_1 + (1 - zeta) theta_2, from the same first parameters."""
    request = asked(data, name, {**LOOP, "zeta": zeta}, epochs=0)
    training = OfflineTraining(request, prior=prior_of(data, request))
    first = training.agent.parameters.flat.numpy().copy()
    training.run()
    second = training._prior.second.parameters.flat.numpy()
    assert np.linalg.norm(second - first) > 0.1
    assert np.allclose(training.agent.parameters.flat.numpy(), zeta * first + (1.0 - zeta) * second, atol=1e-6)


def test_an_epoch_moves_agent_1_by_the_gradient_of_eq_13_towards_agent_2(data):
    """Numpy on its own: the pull's share of the first gradient is upsilon (theta_1 - theta_2).

    After Adam's first step its first moment is a tenth of the gradient; with upsilon 0 it is that of L_Q alone.
    """
    moments, start = {}, {}
    for upsilon in (0.0, UPSILON):
        request = asked(data, loop={**LOOP, "zeta": 0.5, "upsilon": upsilon}, epochs=0)
        training = OfflineTraining(request, prior=prior_of(data, request))
        training.run()
        start[upsilon] = training.agent.parameters.flat.numpy().copy()
        training._learn(next(training._batches(0)))
        moments[upsilon] = training.agent.to_arrays()["adam.first"] / 0.1
        second = training._prior.second.parameters.flat.numpy()
    assert np.array_equal(*start.values())
    pull = UPSILON * (start[UPSILON].astype(np.float64) - second)
    assert np.linalg.norm(moments[UPSILON] - moments[0.0] - pull) < 1e-5 * np.linalg.norm(pull)


def test_metrics_tell_the_second_term_of_eq_13(data, tmp_path):
    request = asked(data)
    learn_offline(request, tmp_path / "run", prior=prior_of(data, request))
    line = metrics_of(tmp_path / "run")[-1]
    one = load_agent(tmp_path / "run").parameters.flat
    found = Checkpoints(tmp_path / "run" / "checkpoints", 1).newest()
    distance = float(np.linalg.norm(one.numpy().astype(np.float64) - found.arrays("second")["parameters"]))
    assert line["distance"] == pytest.approx(distance, rel=1e-6)
    assert line["penalty"] == pytest.approx(UPSILON / 2.0 * distance**2, rel=1e-6)


def test_the_stronger_the_pull_the_nearer_agent_1_stays(data):
    distances = []
    for upsilon in (0.0, 1.0, 1000.0):
        training = trained(data, loop={**LOOP, "upsilon": upsilon}, epochs=8)
        distances.append(training._prior.figures(training.agent)["distance"])
    assert distances[0] > distances[1] > distances[2] > 0.0


@pytest.mark.parametrize("practice", ["sweeps", "rollouts"])
def test_interrupted_and_resumed_leaves_the_same_bytes(practice, data, tmp_path):
    request = asked(data, loop={**LOOP, "practice": practice, "rollouts": 8})
    prior = prior_of(data, request)
    summary = learn_offline(request, tmp_path / "whole", prior=prior)

    def stopped(done, _):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_offline(request, tmp_path / "run", prior=prior, progress=stopped)
    assert learn_offline(request, tmp_path / "run", prior=prior, resume=True) == summary
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")
    assert summary["ledger"]["real_interactions"] == 40
    assert summary["ledger"]["imagined_transitions"] > 0
    twin, scenario = twin_of(tmp_path / "run")
    assert scenario.hash == data.scenario.hash
    assert len(twin.starts) == 40


def test_the_literal_preset_knows_the_settings_that_are_here():
    literal = OfflineTwinConfig(preset="literal")
    assert (literal.practice, literal.zeta, literal.twin.outcome.target) == ("rollouts", 0.5, "reward")


def test_settings_of_a_twin_need_an_agent_in_one(data):
    with pytest.raises(InputError, match="as ddqn-dt; ddqn has none"):
        asked(data, "ddqn")


def test_data_sets_of_several_scenarios_are_refused(folder, tmp_path):
    other = tmp_path / "other"
    with Recorder(other, controller="random") as recorder:
        scenario = netsim.load_scenario("tiny", ["utility.alpha=0.02"])
        netsim.run(scenario, "random", periods=2, seed=1, plugins=[recorder])
    with pytest.raises(InputError, match="of another scenario than"):
        DataSet.read([folder, other])


# -- the command -------------------------------------------------------------------------------------------------------


def called(*arguments):
    [command] = [each for each in COMMANDS if each.name == "offline"]
    return CliRunner().invoke(command, [str(each) for each in arguments])


def test_the_command_learns_what_the_library_does(folder, data, tmp_path):
    options = ["--hyper", "hidden=8,8", "--epochs", 2, "--seed", 4, "--json"]
    options += ["--training", "evaluation_seeds=2", "--training", "evaluation_periods=3"]
    made = called(folder, "--out", tmp_path / "run", "--method", "cql", *options)
    assert made.exit_code == 0, made.output
    assert made.stdout == (tmp_path / "run" / "summary.json").read_text()
    assert '"method": "cql"' in made.stdout
    assert (
        called(folder, "--out", tmp_path / "run", *options).exception.args[0].startswith(f"{tmp_path / 'run'} exists")
    )


def test_the_command_pulls_as_strongly_as_it_is_told(folder, tmp_path):
    loop = ["practice_updates=2", "twin.outcome.members=1", "twin.outcome.fit.steps=5", "twin.state.fit.steps=5"]
    options = [part for each in loop for part in ("--loop", each)]
    options += ["--epochs", 1, "--hyper", "hidden=4,", "--upsilon", 0.5, "--quiet", "--out", tmp_path / "run"]
    made = called(folder, "--agent", "ddqn-dt", *options)
    assert made.exit_code == 0, made.output
    line = metrics_of(tmp_path / "run")[-1]
    assert line["penalty"] == pytest.approx(0.25 * line["distance"] ** 2)
    refused = called(folder, "--agent", "ddqn", "--upsilon", 0.5)
    assert "settings of a twin are for agents in one" in str(refused.exception)
    assert torch.isfinite(load_agent(tmp_path / "run").parameters.flat).all()


# -- off-policy evaluation ---------------------------------------------------------------------------------------------


def ope_of(folder, *runs):
    [command] = [each for each in COMMANDS if each.name == "ope"]
    options = ["--periods", "5", "--seeds", "2", "--setting", "rollouts=16", "--setting", "steps=10"]
    made = CliRunner().invoke(command, [str(folder), *map(str, runs), *options, "--json"])
    assert made.exit_code == 0, made.output
    return json.loads(made.stdout)


def test_policies_are_evaluated_from_data_beside_the_simulator(folder, data, tmp_path):
    for seed in (1, 2):
        request = replace(asked(data, "ddqn", None, epochs=1), seed=seed)
        learn_offline(request, tmp_path / str(seed))
    shown = ope_of(folder, tmp_path / "1", tmp_path / "2")
    assert shown["data"] == data.recorded.to_dict()
    for way in ("fitted_q", "twin"):
        missed = [row[way] - row["simulator"]["mean"] for row in shown["policies"]]
        assert shown["errors"][way]["bias"]["mean"] == pytest.approx(np.mean(missed))
        assert shown["errors"][way]["root_mean_square"] == pytest.approx(np.sqrt(np.mean(np.square(missed))))
    for row in shown["policies"]:
        assert row["simulator"]["mean"] == pytest.approx(played(data.scenario, load_agent(Path(row["run"]))))


def test_policies_are_not_evaluated_by_a_twin_of_rewards(folder, data, tmp_path, monkeypatch):
    """It is told before anything is fitted."""
    learn_offline(asked(data, "ddqn", None, epochs=0), tmp_path / "run")
    monkeypatch.setattr("twin.digital_twin.fit_state_model", None)
    [command] = [each for each in COMMANDS if each.name == "ope"]
    options = ["--setting", "twin.outcome.target=reward", "--setting", "twin.outcome.structure=joint"]
    made = CliRunner().invoke(command, [str(folder), str(tmp_path / "run"), *options, "--quiet"])
    assert isinstance(made.exception, InputError)
    assert "outcome.target must be outcome where there are data alone, got reward" in str(made.exception)


def played(scenario, agent):
    """Mean U of five periods on the first two held-out seeds, one simulation at a time."""
    utilities = []
    for seed in (1_000_000, 1_000_001):
        simulation = netsim.Simulation(scenario, seed)
        report = simulation.reset()
        for _ in range(5):
            action = agent.act(agent.task.encoder.state(report)[None])[0]
            report = simulation.step(agent.task.allocation(action))
            utilities.append(report.utility)
    return np.mean(utilities)


class Constant:
    """The policy that plays one allocation."""

    def __init__(self, task, action):
        self.task, self._action = task, action

    def act(self, states):
        return np.full(len(states), self._action, np.int64)


def test_a_policy_is_asked_about_a_thousand_states_at_a_time():
    """All at once would need their number times that of allocations in memory, and give the same."""
    generator, task = np.random.default_rng(5), task_of(8)
    states = generator.normal(1.0, 0.1, (2301, 3)).astype(np.float32)
    transitions = Transitions(states[:-1], generator.integers(0, 21, 2300), generator.random(2300), states[1:])
    agent, asked_about = make_agent("ddqn", task, config_of("ddqn")), []

    class Watched:
        def __init__(self):
            self.task = task

        def act(self, states):
            asked_about.append(len(states))
            return agent.act(states)

    fitted_utility(Watched(), transitions, FittedQConfig(epochs=1, batch_size=512), seed=1)
    assert asked_about == 2 * [1000, 1000, 300]
    assert np.array_equal(in_parts(agent.act, states), agent.act(states))


def test_fitted_q_knows_what_a_policy_of_the_data_is_worth():
    """U is a function of the allocation alone, so (1 - lambda) Q(s, pi(s)) of a constant policy is its U.

    With 400 transitions of 21 allocations, all tried, what is left is the network's error: a tenth of the spread of U.
    """
    generator = np.random.default_rng(5)
    task = task_of(8)
    worth = 3.0 - (task.shares() - [0.2, 0.5, 0.3]) ** 2 @ [3.0, 1.0, 2.0]
    states = generator.normal(1.0, 0.1, (401, 3)).astype(np.float32)
    actions = generator.integers(0, task.n_actions, 400)
    transitions = Transitions(states[:-1], actions, worth[actions], states[1:])
    for action in (2, 11, 17):
        told = fitted_utility(Constant(task, action), transitions, FittedQConfig(epochs=60, learning_rate=2e-3), seed=1)
        assert told == pytest.approx(worth[action], abs=0.1 * worth.std())


def test_a_policy_that_is_right_about_the_order_has_rank_correlation_1_and_no_regret():
    rows = [{"simulator": {"mean": u}, "twin": 2.0 * u} for u in (3.0, 3.5, 3.25, 2.0, 3.75)]
    found = errors(rows, "twin")
    assert found["rank_correlation"]["mean"] == 1.0
    assert found["regret"] == 0.0
    turned = errors([{**row, "twin": -row["twin"]} for row in rows], "twin")
    assert turned["rank_correlation"]["mean"] == -1.0
    assert turned["regret"] == 1.75
