"""A twin as a plant: what controls or learns from a simulation runs on it unchanged."""

import json
import sys

import gymnasium
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from gymnasium.utils.env_checker import check_env

import netsim
from netsim import cli, sla
from netsim.allocations import enumerate_all
from netsim.controllers import Proportional
from netsim.errors import AllocationError, InputError, RunError
from netsim.plugins import make_plant
from netsim.report import SLICE_FIELDS
from rl.agents import make_agent
from rl.env import SlicingEnv
from rl.training import Training
from tests.rl.small import NAMES, request_of
from tests.twin.small import TINY, TWIN, encoder, fitted_twin, played, recorded
from twin.commands import whatif
from twin.digital_twin import DigitalTwin, TwinConfig
from twin.keeping import keep
from twin.plant import LearnedPlant, consistent, decoded, mean_packet_bits

ALLOCATIONS = enumerate_all(20, 3)


def plant_of(**options):
    return LearnedPlant(TINY, fitted_twin(), **options)


def reports_of(plant, periods=40, seed=3):
    rng = np.random.Generator(np.random.Philox(seed))
    return [plant.reset(seed), *(plant.step(ALLOCATIONS[rng.integers(171)]) for _ in range(periods))]


def columns(reports):
    """Everything that reports say, NaN equal to NaN."""
    names = ("period", "time_s", "allocation", "utility", "se_capacity", "se_carried", *SLICE_FIELDS)
    return [[np.asarray(getattr(report, name)).tobytes() for name in names] for report in reports]


# -- reports -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampled", [True, False])
def test_packets_are_conserved_in_every_period(sampled):
    pending = np.zeros(3, np.int64)
    for report in reports_of(plant_of(sampled=sampled)):
        assert (pending + report.arrived == report.resolved + report.pending).all()
        assert (report.resolved == report.satisfied + report.slow + report.late + report.dropped).all()
        for name in ("arrived", "satisfied", "late", "pending", "resolved", "backlog_packets", "backlog_bits"):
            assert (getattr(report, name) >= 0).all()
        pending = report.pending


def test_figures_are_consistent_with_one_another():
    weights = np.array([part.weight for part in TINY.slices.values()])
    for number, report in enumerate(reports_of(plant_of())):
        assert ((report.ssr >= 0.0) & (report.ssr <= 1.0)).all()
        assert report.utility == sla.utility(TINY.utility.alpha, report.se_capacity, weights, report.ssr)
        assert (report.idle == (report.resolved == 0)).all()
        assert (report.ssr[report.idle] == 1.0).all()
        assert (np.isnan(report.latency_mean_ms) == report.idle).all()
        assert np.abs(report.satisfied - report.resolved * report.ssr).max() <= 0.5
        assert (report.period, report.time_s) == (number, pytest.approx((number + 1) * 0.02))
        assert report.slices == TINY.slice_names


def test_bits_that_arrive_are_packets_of_the_size_that_they_have_in_the_network():
    """Of each slice within four standard errors of the mean over the pilot periods and over 80 others."""
    size = mean_packet_bits(TINY)
    with netsim.SimulationBatch(TINY, range(80)) as batch:
        found = batch.reset().columns
    packets, bits = (found[name].astype(float) for name in ("arrived", "offered_bits"))
    mean = bits.sum(axis=0) / packets.sum(axis=0)
    spread = np.sqrt(((bits - mean * packets) ** 2).sum(axis=0)) / packets.sum(axis=0)  # of a ratio of sums
    assert (np.abs(size - mean) <= 4.0 * np.sqrt(2.0) * spread + 1e-9).all()
    assert (size > 0).all()
    for report in reports_of(plant_of()):
        assert np.abs(report.offered_bits - report.arrived * size).max() <= 0.5


def test_a_controller_that_looks_at_bits_decides_on_a_twin_as_on_the_network():
    """In the mean over periods; it played the equal split while a twin said that no bits arrive."""
    rule, plant = Proportional(TINY), plant_of()
    report, played_there = plant.reset(1), []
    for _ in range(60):
        report = plant.step(rule.decide_allocation(report))
        played_there.append(report.allocation)
    simulation = netsim.Simulation(TINY, seed=1)
    report, played_here = simulation.reset(), []
    for _ in range(60):
        report = simulation.step(rule.decide_allocation(report))
        played_here.append(report.allocation)
    there, here = np.mean(played_there, axis=0), np.mean(played_here, axis=0)
    assert np.abs(there - here).max() < 2.0
    assert np.abs(here - 20 / 3).max() > 2.0  # which is not the equal split


def test_reports_cannot_be_changed():
    report = plant_of().reset()
    for name in SLICE_FIELDS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(report, name)[0] = 1


def test_ssr_make_the_utility_what_was_drawn_as_far_as_they_can():
    """What is missing is laid upon the slices by how uncertain they are; none leaves 0 .. 1."""
    outcome = fitted_twin().outcomes.predict(torch.ones(1, 3), torch.tensor([[0.1, 0.6, 0.3]]))
    outcome = outcome._replace(ssr=torch.tensor([[0.5, 0.9, 1.0]]))
    mean, objective = float(outcome.utility.mean), fitted_twin().outcomes.objective
    for missing in (-0.2, 0.0, 0.1):
        ssr = consistent(outcome, np.array([mean + missing]), objective)[0]
        assert ssr.sum() == pytest.approx(2.4 + missing, abs=1e-6)
        assert (ssr[0] - 0.5) * 0.09 == pytest.approx((ssr[1] - 0.9) * 0.25, abs=1e-6)
        assert ssr[2] == 1.0
    assert consistent(outcome, np.array([mean + 9.0]), objective)[0].tolist() == [1.0, 1.0, 1.0]
    assert consistent(outcome, np.array([mean - 9.0]), objective)[0].tolist() == [0.0, 0.0, 1.0]


def test_equal_seeds_give_equal_reports_and_a_reset_starts_again():
    plant = plant_of()
    first = columns(reports_of(plant))
    assert columns(reports_of(plant)) == first
    assert columns(reports_of(plant_of())) == first
    assert columns(reports_of(plant, seed=4))[0] != first[0]
    again = plant_of(seed=3)
    assert columns([again.reset()]) == first[:1]


def test_what_a_state_stands_for_is_what_was_encoded():
    arrived = np.array([[0, 1, 17], [250, 3, 100_000]])
    assert decoded(encoder(), encoder()(arrived)).tolist() == arrived.tolist()


@pytest.mark.parametrize("allocation", [(1, 2, 3), (20, 0, 0), (10, 10), (6.5, 6.5, 7)])
def test_an_allocation_that_is_none_is_refused(allocation):
    plant = plant_of()
    plant.reset()
    with pytest.raises(AllocationError):
        plant.step(allocation)


def test_a_step_before_a_reset_is_refused_as_by_the_simulator():
    for plant in (plant_of(), netsim.Simulation(TINY)):
        with pytest.raises(RunError, match="step was called before reset; call reset first"):
            plant.step((2, 12, 6))


@pytest.mark.parametrize("seed", [-1, 1.5, True, 1 << 64])
def test_a_seed_that_is_none_is_refused_as_by_the_simulator(seed):
    told = "seed must be a whole number from 0 to"
    with pytest.raises(RunError, match=told):
        plant_of(seed=seed)
    with pytest.raises(RunError, match=told):
        plant_of().reset(seed)


def test_a_twin_of_rewards_is_no_plant():
    config = {**TWIN, "outcome": {**TWIN["outcome"], "target": "reward", "structure": "joint"}}
    data = recorded()
    twin = DigitalTwin.fit(data, TINY, encoder(), TwinConfig.model_validate(config), 1, rewards=data.utility)
    with pytest.raises(InputError, match="knows no SSR to report: fit one whose target is outcome"):
        LearnedPlant(TINY, twin)


# -- going on from a network -------------------------------------------------------------------------------------------


def test_it_goes_on_from_periods_that_were_reported():
    """The state is the last period's arrivals; the past is of the periods before, each under the next one's shares."""
    plant, reports = plant_of(sampled=False), list(played()[:9])
    plant.begin(reports)
    report = plant.step((2, 12, 6))
    assert report.period == 9
    assert (reports[-1].pending + report.arrived == report.resolved + report.pending).all()
    twin = fitted_twin()
    states = torch.from_numpy(encoder()(np.array([each.arrived for each in reports])))
    shares = torch.tensor([each.allocation for each in reports]) / 20
    memory = twin.states.begin(states[None, 5:8], shares[None, 6:9], torch.ones(1, 3, dtype=torch.bool))
    following = twin.states.advance(memory, states[8:], torch.tensor([[0.1, 0.6, 0.3]])).mean
    assert report.arrived.tolist() == decoded(encoder(), following[0].numpy()).tolist()
    with pytest.raises(InputError, match="at least one period"):
        plant.begin([])


def test_a_network_of_one_period_is_gone_on_from():
    plant = plant_of()
    plant.begin(played()[:1])
    assert plant.step((2, 12, 6)).period == 1


# -- who plays on it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("controller", ["random", "equal", "proportional", "best-static", "fixed:2,12,6"])
def test_every_controller_that_needs_no_simulator_runs_on_it(controller):
    heard = []

    class Notes:
        @netsim.hookimpl
        def period_ended(self, report):
            heard.append(report)

    summary = netsim.run(TINY, controller, periods=6, seed=2, plant=plant_of(), plugins=[Notes()])
    assert [report.period for report in heard] == list(range(7))
    assert summary["utility"]["mean"] == pytest.approx(np.mean([report.utility for report in heard[1:]]))


@pytest.mark.parametrize("name", NAMES)
def test_every_agent_learns_on_it(name):
    training = Training(request_of(name, interactions=25, evaluate_every=0), plant=plant_of())
    before = training.agent.parameters.flat.clone()
    summary = training.run()
    assert summary["ledger"]["real_interactions"] == 25
    assert training.agent.updates == 16
    assert not (training.agent.parameters.flat == before).all()
    best = make_agent(name, training.agent.task, training.agent.config).act(np.ones((2, 3), np.float32))
    assert best.shape == (2,)


def test_it_is_an_environment_whose_observations_are_in_their_space():
    env = SlicingEnv(TINY, plant=plant_of(), periods=10)
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=1)
    rng = np.random.Generator(np.random.Philox(1))
    for _ in range(50):
        assert env.observation_space.contains(observation)
        observation, reward, _, _, info = env.step(rng.integers(171))
        assert np.isfinite(reward)
        assert info["report"].arrived.tolist() == decoded(encoder(), observation).tolist()
    assert isinstance(env, gymnasium.Env)


# -- from the command line ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins") / "twin"
    keep(folder, fitted_twin(), TINY, {})
    return folder


def invoked(*arguments):
    """Exit status of ``netsim``."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["netsim", *map(str, arguments)])
        return cli.main()


def test_a_controller_is_evaluated_on_a_twin(kept, capsys):
    asked = ["fixed:2,12,6", "--scenario", "tiny", "--periods", 5, "--seeds", 2, "--seed", 7, "--json"]
    assert invoked("evaluate", *asked, "--plant", f"twin:{kept}") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["plant"], told["controller"]) == (f"twin:{kept}", "fixed:2,12,6")
    expected = []
    for seed in (7, 8):
        plant = plant_of()
        plant.reset(seed)
        expected.append(np.mean([plant.step((2, 12, 6)).utility for _ in range(5)]))
    assert told["utility"]["mean"] == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize(
    ("plant", "status", "told"),
    [
        ("twin", 2, "a plant is written NAME:TEXT, as in twin:RUN_DIR, got 'twin'"),
        ("twn:runs", 2, "there is no plant 'twn', did you mean 'twin'?"),
        ("twin:nowhere", 2, "nowhere"),
    ],
)
def test_a_plant_that_is_not_there_is_one_line(plant, status, told, capsys):
    asked = ["fixed:2,12,6", "--scenario", "tiny", "--periods", 2, "--seeds", 1]
    assert invoked("evaluate", *asked, "--plant", plant) == status
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("netsim: error: ")
    assert told in line


def test_the_clairvoyant_says_that_it_needs_the_simulator(kept, capsys):
    asked = ["clairvoyant", "--scenario", "tiny", "--periods", 2, "--seeds", 1, "--plant", f"twin:{kept}"]
    assert invoked("evaluate", *asked) == 1
    assert "clairvoyant needs the simulator" in capsys.readouterr().err


def test_what_if_goes_on_on_the_twin_beside_the_simulator(kept, tmp_path):
    netsim.run(TINY, "random", periods=12, seed=6, out=tmp_path / "run")
    asked = [str(tmp_path / "run"), "--at", "5", "--allocation", "2,12,6", "--twin", str(kept), "--json"]
    told = json.loads(CliRunner().invoke(whatif, asked, catch_exceptions=False).output)
    assert told["twin"]["periods"]["allocation"] == [[2, 12, 6]] * 8
    errors = told["twin_error"]["utility"]["mean"]
    per_period = np.subtract(told["twin"]["periods"]["utility"], told["what_if"]["periods"]["utility"])
    assert errors == pytest.approx(per_period.mean(), rel=1e-9)


def test_a_plugin_s_plant_is_made_of_the_scenario(kept):
    plant = make_plant(f"twin:{kept}", TINY)
    assert isinstance(plant, LearnedPlant)
    assert columns(reports_of(plant)) == columns(reports_of(plant_of()))
