"""The truth scores 1, what is so on the whole scores 0, and shuffled labels teach nothing."""

import json
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.stats import t

import netsim
from netsim import allocations
from netsim.beststatic import Best
from netsim.errors import InputError
from netsim.statistics import ratio
from rl.figures import keep as keep_figures
from tests.twin.foretelling import (
    CONFIG,
    ENCODER,
    HELD_PERIODS,
    PERIODS,
    SCENARIO,
    TABLE,
    OnTheWhole,
    Remembered,
    Truth,
    fitted,
    recorded,
    shuffled,
)
from twin.commands import collect
from twin.compared import Choice
from twin.digital_twin import DigitalTwin
from twin.fidelity import STEPS, fidelity, rows_before
from twin.fidelity_figures import FIGURES, drawings
from twin.heldout import BLOCKS, LaterOn
from twin.history import History
from twin.keeping import keep
from twin.models.outcome import Objective
from twin.models.outcome_fit import fit_outcome_model
from twin.models.state import forecasts
from twin.plant import LearnedPlant
from twin.predicting import OfTwin
from twin.scores import LEVELS, WITHIN, covered, jackknife, pinball
from twin.twin_commands import twin

SHUFFLES = 8


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Others would only wait for each other: the networks are small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def world():
    return Remembered()


def measured(predictor, world):
    return fidelity(predictor, world, world.best, PERIODS, HELD_PERIODS)


def scores(found):
    return {name: figure.mean for name, figure in found.scores.items()}


# -- from 0 to 1


def test_one_who_knows_the_truth_scores_1_in_every_aspect_and_regrets_nothing(world):
    found = measured(Truth(world), world)
    assert set(scores(found).values()) == {1.0}
    assert found.control.regret_percent.mean == 0.0
    assert [found.errors[k]["utility"].rmse.mean for k in STEPS] == [0.0] * len(STEPS)
    assert found.distances["utility"].twin.mean == 0.0


def test_one_who_says_of_everything_what_is_so_on_the_whole_scores_0_in_every_aspect(world):
    found = measured(OnTheWhole(world), world)
    assert list(scores(found).values()) == pytest.approx([0.0] * 7, abs=1e-9)
    assert found.distances["utility"].twin == found.distances["utility"].whole


def test_labels_that_were_shuffled_teach_about_nothing(world):
    """Means over shuffles, with Student's 99.9 % interval, reach to where twins that know nothing must be.

    A network of p weights that is fitted to M shuffled labels explains at most p / M of their variance, which is
    what its mean loses where it is asked (as with least squares, of which it is exactly so). A distance moves by no
    more than what is predicted does, the root of that. Chosen at random, an allocation scores what all do on average.
    """
    experience = recorded()
    found = [measured(OfTwin(fitted(shuffled(experience, i), i), i), world) for i in range(SHUFFLES)]
    network = fitted(experience).outcomes.network
    noise = sum(weight.numel() for weight in network.parameters()) / len(experience)
    room = found[0].distances["utility"].whole.mean - found[0].distances["utility"].simulator.mean
    lowest = {"distribution": -math.sqrt(noise) / room, "ranking": 0.0}
    for name in ("state", "ssr", "utility", "uncertainty", "distribution", "ranking"):
        values = np.array([scores(each)[name] for each in found])
        half = t.ppf(0.9995, SHUFFLES - 1) * values.std(ddof=1) / math.sqrt(SHUFFLES)
        assert values.mean() + half >= lowest.get(name, -noise), name
        assert values.mean() - half <= 0.0, name
    assert np.mean([scores(each)["control"] for each in found]) <= best_of_chance(world)


def best_of_chance(world):
    """What the mean score of allocations drawn at random exceeds once in a thousand times."""
    means = world.every.utility.mean(axis=(1, 2))
    each = np.maximum(0.0, 1.0 - (means.max() - means) / (means.max() - means.mean()))
    drawn = np.random.Generator(np.random.Philox(1)).choice(each, (20000, SHUFFLES)).mean(axis=1)
    return np.quantile(drawn, 0.999)


def test_a_fitted_twin_is_between_and_its_intervals_cover_u(world):
    found = measured(OfTwin(fitted(recorded()), 0), world)
    for name in ("ssr", "utility", "uncertainty", "distribution", "ranking", "control"):
        assert 0.0 < found.scores[name].ci95[0] <= found.scores[name].mean <= 1.0, name
    for figure, wanted in ((found.calibration["utility"].coverage[8], 0.9), (found.calibration["utility"].half, 0.5)):
        assert figure.ci95[0] - wanted <= 0.05
        assert wanted - figure.ci95[1] <= 0.05


# -- figures by themselves


def test_the_jackknife_of_a_mean_is_students_interval():
    values = np.array([1.0, 4.0, 2.0, 8.0])
    figure = jackknife(4, lambda kept: float(values[kept].mean()))
    plain = ratio(values, np.ones(4))
    assert figure.mean == plain.mean
    assert figure.ci95 == pytest.approx(plain.ci95, rel=1e-12)


def test_the_crps_of_one_who_is_sure_is_the_absolute_error():
    truth = np.array([0.0, 1.0, 5.0])
    said = np.repeat([[2.0], [2.0], [2.0]], len(LEVELS), axis=1)
    np.testing.assert_allclose(pinball(said, truth), [2.0, 1.0, 3.0], rtol=1e-12)


def test_intervals_of_a_known_distribution_cover_what_they_should():
    truth = (np.arange(1000) + 0.5) / 1000
    inside = covered(np.broadcast_to(LEVELS, (1000, 19)), truth).mean(axis=0)
    np.testing.assert_allclose(inside, WITHIN, atol=1e-12)


def test_rows_have_what_follows_in_their_own_run(world):
    experience = world.played.experience
    rows = rows_before(experience, 10)
    assert len(rows) == 8 * (PERIODS - 9)
    assert not experience.begins[(rows[:, None] + np.arange(1, 10)).ravel()].any()


# -- a twin, asked


@pytest.fixture(scope="module")
def small():
    return fitted(recorded())


def test_roll_outs_begin_with_the_forecasts_and_go_on_as_the_plant_does(world, small):
    experience, steps = world.played.experience, 3
    course = OfTwin(small, 0).along(experience, np.arange(len(experience) - 2), steps)
    first = forecasts(small.states, experience).mean.clamp_min(0.0).numpy()
    np.testing.assert_allclose(course.states[0], first[:-2], rtol=1e-5)
    plant = LearnedPlant(SCENARIO, small, sampled=False)
    plant.begin([netsim.Simulation(SCENARIO, world.network.seeds[0]).reset()])
    for k in range(steps):
        units = np.rint(experience.shares[k] * SCENARIO.carrier.units).astype(int)
        np.testing.assert_allclose(plant.step(units.tolist()).ssr, course.ssr[k, 0], rtol=1e-4)


def test_what_is_drawn_spreads_as_the_quantiles_say(world, small):
    """Kolmogorov's bound at 0.1 %: 1.95 / sqrt(n), for U of the first period under one allocation."""
    drawn = OfTwin(small, 0).lived(np.full((1, 3), 1 / 3, np.float32), 500, 1).utility.ravel()
    starts = torch.from_numpy(small.starts.states)
    spread = small.outcomes.utility(starts, torch.full_like(starts, 1 / 3))
    quantiles = [small.outcomes.quantile(spread, torch.tensor(level)).numpy() for level in np.float32(LEVELS)]
    for level in range(5, len(drawn), 50):
        u = np.sort(drawn)[level]
        below = np.mean([np.mean(each <= u) for each in quantiles])
        assert abs(below - (level + 1) / len(drawn)) <= 1.95 / math.sqrt(len(drawn)) + 0.05


def test_of_many_allocations_those_near_the_best_and_a_uniform_draw_are_compared(small):
    table1 = netsim.load_scenario("table1")
    best = Best((1, 71, 28), 3.7, (3.6, 3.8), 2.8, 16, 128)

    class Leaning(OfTwin):
        def over(self, shares):
            return -np.abs(shares - np.array([0.2, 0.5, 0.3])).sum(axis=1)

    choice = Choice.of(Leaning(small, 0), table1, best)
    assert choice.uniform.sum() == 120
    assert tuple(choice.table[choice.best]) == (1, 71, 28)
    assert choice.table[choice.thought].tolist() == [[20, 50, 30]]
    for good in ((1, 71, 28), (20, 50, 30)):
        moved = np.abs(choice.table - good).sum(axis=1)
        assert (moved <= 4).sum() >= 12
    assert len(np.unique(choice.table, axis=0)) == len(choice.table)


# -- what follows a record


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded") / "data"
    CliRunner().invoke(
        collect, ["tiny", "--periods", "40", "--seed", "3", "--out", str(folder), "--quiet"], catch_exceptions=False
    )
    return folder


def test_what_follows_a_record_is_how_its_run_would_have_gone_on(data):
    later = LaterOn(data, SCENARIO, ENCODER)
    held = later.held(TABLE[[7, 90]], 2)
    free = later.free(2)
    simulation = netsim.Simulation(SCENARIO, 3)
    simulation.reset()
    for row in History.read(data).allocation[1:].tolist():
        simulation.step(row)
    utilities = [simulation.step(TABLE[90].tolist()).utility for _ in range(2 * BLOCKS)]
    np.testing.assert_array_equal(held.utility[1].ravel(), utilities)
    assert (len(free.experience), free.count, free.groups.tolist()) == (20, BLOCKS, np.repeat(range(10), 2).tolist())


def test_a_record_of_another_scenario_or_of_two_runs_is_refused(data, tmp_path):
    with pytest.raises(InputError, match="another scenario than the twin"):
        LaterOn(data, netsim.load_scenario("table1"), ENCODER)
    for seed in ("1", "2"):
        CliRunner().invoke(collect, ["tiny", "--periods", "5", "--seed", seed, "--out", str(tmp_path), "--quiet"])
    with pytest.raises(InputError, match="of one run with its seed, got 2 runs"):
        LaterOn(tmp_path, SCENARIO, ENCODER)


# -- the command


def asked(*arguments):
    return CliRunner().invoke(twin, ["fidelity", *map(str, arguments)], catch_exceptions=False).output


def test_the_command_prints_what_it_writes(world, small, tmp_path, monkeypatch):
    monkeypatch.setattr("netsim.beststatic.best_static", lambda *_: world.best)
    keep(tmp_path / "twin", small, SCENARIO, {})
    few = ("--seeds", 2, "--periods", 12, "--held-periods", 1)
    told = asked(tmp_path / "twin", *few, "--out", tmp_path / "out", "--json")
    shown = asked(tmp_path / "twin", *few)
    found = json.loads(told)
    assert told == (tmp_path / "out" / "fidelity.json").read_text(encoding="utf-8")
    assert f"{found['control']['regret_percent']['mean']:.2f} ±" in shown
    assert len(found["control"]["allocations"]["units"]) == allocations.count(20, 3)
    figures = {path.stem for path in (tmp_path / "out").glob("*.png")}
    assert figures == {path.stem for path in (tmp_path / "out").glob("*.svg")} == set(FIGURES)


def test_a_figure_is_the_same_bytes_for_the_same_figures(world, tmp_path):
    found = measured(Truth(world), world)
    for name in ("one", "two"):
        keep_figures(tmp_path / name, "fidelity", {}, {"allocations": drawings(found)["allocations"]})
    for end in ("svg", "png"):
        one, two = ((tmp_path / name / f"allocations.{end}").read_bytes() for name in ("one", "two"))
        assert one == two


def test_a_twin_of_rewards_alone_is_refused(small):
    rewarded = CONFIG.model_copy(update={"outcome": CONFIG.outcome.model_copy(update={"target": "reward"})})
    model = type("Model", (), {"config": rewarded.outcome})()
    with pytest.raises(InputError, match="predicts rewards alone"):
        OfTwin(DigitalTwin(rewarded, ENCODER, small.states, model, small.starts), 0)


def test_a_latency_that_is_not_there_leaves_the_weights_finite():
    experience = recorded()
    assert np.isnan(experience.latency_mean_ms).any()
    model = fit_outcome_model(experience, Objective.of(SCENARIO), CONFIG.outcome, 0)
    assert all(torch.isfinite(weight).all() for weight in model.network.parameters())
