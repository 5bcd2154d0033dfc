"""Algorithm 2: an agent that is held to one that practised in a twin of the data."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netsim
from netsim.errors import InputError
from rl.checkpoints import Checkpoints
from rl.offline import OfflineConfig, OfflineTraining, learn_offline
from rl.policy import load_agent
from tests.rl.small import config_of, files_of, metrics_of
from twin.commands import COMMANDS
from twin.keeping import twin_of
from twin.offline import DataSet, OfflineTwinConfig, prior_of, request_of
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
