"""What an outcome model predicts, against laws that are known; and that it is a function of data and seed."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from netsim import sla
from tests.twin.small import FIT, OBJECTIVE, SHARES, N, experience
from twin.fitting import FitConfig, Scaling
from twin.models import outcome_fit
from twin.models.outcome import Objective, OutcomeConfig, OutcomeModel, Spread
from twin.models.outcome_fit import continuous_targets, fit_outcome_model
from twin.models.outcome_gradient import OutcomeGradient
from twin.models.outcome_loss import Lessons, outcome_loss

POINT = {"members": 1, "head": "point", "structure": "joint"}


def config_of(**changes):
    return OutcomeConfig.model_validate({"members": 3, "hidden": (8,), "fit": FIT, **changes})


def half(states, shares):
    return np.clip(0.5 * states + shares, 0.0, 1.0)


def nothing(states, shares):
    return np.zeros(len(states))


def utility_of(ssr, se=50.0):
    return OBJECTIVE.alpha * se + ssr.sum(axis=1)


def known(rows=80, seed=1, **arrays):
    """Half the load and the share, clipped, without chance."""
    return experience(rows, half, lambda states, shares: utility_of(half(states, shares)), seed, **arrays)


def questions(rows=7, seed=9):
    rng = np.random.Generator(np.random.Philox(seed))
    states = torch.from_numpy(rng.normal(1.0, 0.1, (rows, N)).astype(np.float32))
    return states, torch.from_numpy(SHARES[rng.integers(0, len(SHARES), rows)])


def expect_equal(one, other):
    assert set(one) == set(other)
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


# -- U is made of SSR and SE -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["sliced", "joint"])
def test_the_utility_of_one_member_is_that_of_its_ssr_and_se(structure):
    model = fit_outcome_model(known(), OBJECTIVE, config_of(members=1, structure=structure), 1)
    found = model.predict(*questions())
    se, ssr = found.se_capacity.double().numpy(), found.ssr.double().numpy()
    expected = sla.utility(OBJECTIVE.alpha, se, np.array(OBJECTIVE.weights), ssr)
    assert found.utility.mean.double().numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("structure", ["sliced", "joint"])
def test_an_ensemble_is_the_mixture_of_its_members(structure):
    model = fit_outcome_model(known(), OBJECTIVE, config_of(structure=structure), 1)
    asked = questions()
    means, deviations = model.utilities_of(model.members_outputs(model.features(*asked)))
    members, own = means.detach().double().numpy(), deviations.detach().double().numpy()
    found = model.utility(*asked)
    assert found.mean.double().numpy() == pytest.approx(members.mean(axis=0), rel=1e-6)
    expected = np.sqrt((own**2).mean(axis=0) + members.var(axis=0))
    assert found.deviation.double().numpy() == pytest.approx(expected, rel=1e-5)


def test_a_slice_s_outcome_depends_on_its_own_load_and_share_alone():
    model = fit_outcome_model(known(), OBJECTIVE, config_of(), 1)
    states, _ = questions(1)
    one, other = (torch.tensor([[0.1, *rest]]) for rest in ((0.2, 0.7), (0.6, 0.3)))
    busier = states.clone()
    busier[:, 1:] += 0.5
    first, second = model.predict(states, one), model.predict(busier, other)
    for name in ("ssr", "backlog_packets", "backlog_bits", "latency_mean_ms"):
        assert getattr(first, name)[0, 0] == getattr(second, name)[0, 0]
        assert name in ("backlog_packets", "backlog_bits", "latency_mean_ms") or (
            getattr(first, name)[0, 1] != getattr(second, name)[0, 1]
        )
    joint = fit_outcome_model(known(), OBJECTIVE, config_of(structure="joint"), 1)
    assert joint.predict(states, one).ssr[0, 0] != joint.predict(busier, other).ssr[0, 0]


# -- every allocation at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["sliced", "joint"])
def test_a_sweep_says_of_every_pair_what_the_model_says_of_it(structure):
    """Up to the rounding of float32 sums in another order, 20 of them."""
    model = fit_outcome_model(known(), OBJECTIVE, config_of(structure=structure), 1)
    states, _ = questions(4)
    shares = torch.from_numpy(SHARES)
    found = model.sweep(states, shares)
    assert found.mean.shape == found.deviation.shape == (4, len(SHARES))
    for b, state in enumerate(states):
        each = model.utility(state.expand(len(shares), -1), shares)
        for swept, asked in zip((found.mean[b], found.deviation[b]), each, strict=True):
            assert swept.numpy() == pytest.approx(asked.numpy(), rel=20 * 2.0**-23, abs=20 * 2.0**-23)


# -- the losses --------------------------------------------------------------------------------------------------------


def test_the_losses_of_a_literal_model_are_squared_errors():
    """Eq. 7, second line: mean of (r - R(s, w))^2 on the held-out tail, in units of the rewards' variance."""
    data, rng = known(), np.random.Generator(np.random.Philox(4))
    rewards = rng.normal(2.0, 3.0, len(data))
    model = fit_outcome_model(data, OBJECTIVE, config_of(**POINT, target="reward"), 1, rewards=rewards)
    found = model.utility(torch.from_numpy(data.states), torch.from_numpy(data.shares)).mean.double().numpy()
    tail = slice(round(0.85 * len(data)), None)
    expected = ((rewards - found)[tail] ** 2).mean() / rewards.var()
    assert model.fitted.loss == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_a_point_head_is_cross_entropy_and_squared_errors():
    """Cross-entropy of SSR, and a quarter of the squared errors of what is scaled; on the held-out tail."""
    rng = np.random.Generator(np.random.Philox(4))
    data = known(latency_mean_ms=rng.lognormal(0.0, 1.0, (80, N)).astype(np.float32))
    model = fit_outcome_model(data, OBJECTIVE, config_of(**POINT), 1)
    found = model.predict(torch.from_numpy(data.states), torch.from_numpy(data.shares))
    tail = slice(68, None)
    p, ssr = found.ssr.double().numpy()[tail], data.ssr[tail]
    entropy = -(ssr * np.log(p) + (1.0 - ssr) * np.log1p(-p)).mean()
    with torch.no_grad():
        outputs = model.members_outputs(model.features(torch.from_numpy(data.states), torch.from_numpy(data.shares)))[0]
    scaled = continuous_targets(data)
    deviation = np.where(scaled.std(axis=0) > 0, scaled.std(axis=0), 1.0)
    errors = (scaled - scaled.mean(axis=0)) / deviation - outputs[:, N:-1].double().numpy()
    assert model.fitted.loss == pytest.approx(entropy + 0.25 * (errors[tail] ** 2).mean(), rel=1e-4)


def test_what_is_fitted_longer_predicts_better():
    data, states_shares = known(300), questions(200)
    expected = utility_of(half(*(each.numpy() for each in states_shares)))
    errors = []
    for steps in (1, 400):
        model = fit_outcome_model(data, OBJECTIVE, config_of(fit={**FIT, "steps": steps}), 1)
        errors.append(np.abs(model.utility(*states_shares).mean.numpy() - expected).mean())
    assert errors[1] < 0.25 * errors[0]


def test_latencies_that_are_not_there_teach_nothing():
    """Where none is there, what stands in their place changes no weight; columns that never vary keep their unit."""
    missing = np.full((80, N), np.nan, np.float32)
    model = fit_outcome_model(known(latency_mean_ms=missing), OBJECTIVE, config_of(), 1)
    assert all(np.isfinite(array).all() for array in model.to_arrays().values())
    assert model.continuous.deviation[-N:].tolist() == [1.0] * N
    assert model.continuous.mean[-N:].tolist() == [0.0] * N
    some = np.ones((80, N), np.float32)
    some[::2, 1] = np.nan
    found = fit_outcome_model(known(latency_mean_ms=some), OBJECTIVE, config_of(), 1).predict(*questions())
    assert torch.isfinite(found.latency_mean_ms).all()


# -- the gradient of the loss ------------------------------------------------------------------------------------------


def drawn_model(config, n, dtype, carried=False):
    """A model of weights, scaling and objective that are drawn."""
    model = OutcomeModel(config, Objective(0.7, tuple(1.0 + np.arange(n)), carried), n)
    generator = torch.Generator().manual_seed(3)
    columns = model.continuous.mean.shape
    mean, deviation = (torch.rand(columns, generator=generator, dtype=torch.float64) + 0.5 for _ in range(2))
    model.continuous = Scaling(mean.to(dtype), deviation.to(dtype))
    model.spread = torch.tensor(1.7, dtype=dtype)
    for weight in model.network.to(dtype).parameters():
        drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        weight.data = (drawn / math.sqrt(weight.shape[-1])).to(dtype)
        weight.grad = torch.full_like(weight, math.nan)
    return model


def drawn_lessons(n, dtype, target, rows=40):
    """A third of the latencies are not there."""
    generator = torch.Generator().manual_seed(4)
    shapes = (rows, n, 3), (rows, n), (rows, 1 if target == "reward" else 2 + 3 * n), (rows,)
    x, ssr, continuous, utility = (
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes
    )
    if target == "outcome":
        continuous[::3, -n:] = math.nan
    return Lessons(x, ssr.sigmoid(), continuous, 3.0 * utility)


def both_gradients(config, n, batch, dtype, carried=False):
    """The one that is written out and autograd's, by parameter."""
    model, lessons = drawn_model(config, n, dtype, carried), drawn_lessons(n, dtype, config.target)
    places = np.random.Generator(np.random.Philox(5)).integers(0, 40, (config.members, batch))
    OutcomeGradient(model, lessons, batch)(places)
    parameters = list(model.network.parameters())
    return [weight.grad for weight in parameters], torch.autograd.grad(
        outcome_loss(model, lessons, torch.from_numpy(places)), parameters, materialize_grads=True
    )


@pytest.mark.parametrize(("structure", "target"), [("sliced", "outcome"), ("joint", "outcome"), ("joint", "reward")])
@pytest.mark.parametrize("head", ["gaussian", "point"])
@pytest.mark.parametrize(
    ("members", "n", "hidden", "batch", "carried"),
    [(8, 3, (32, 32), 128, False), (1, 1, (4,), 1, True), (3, 2, (), 7, True), (2, 5, (6, 4, 5), 9, False)],
)
def test_the_gradient_written_out_is_that_of_the_loss(structure, target, head, members, n, hidden, batch, carried):
    config = config_of(structure=structure, target=target, head=head, members=members, hidden=hidden)
    for found, expected in zip(*both_gradients(config, n, batch, torch.float64, carried), strict=True):
        assert found.numpy() == pytest.approx(expected.numpy(), rel=1e-10, abs=1e-12 * float(expected.abs().max()))


def test_the_gradient_written_out_is_as_exact_as_that_of_autograd():
    """In float32; how far off both are is measured by float64, in the Euclidean norm."""
    config = config_of(members=8, hidden=(32, 32))
    written, autograd = both_gradients(config, N, 128, torch.float32)
    _, exact = both_gradients(config, N, 128, torch.float64)
    for found, other, expected in zip(written, autograd, exact, strict=True):
        assert (found - expected).norm() <= 4.0 * (other - expected).norm()


@pytest.mark.parametrize("structure", ["sliced", "joint"])
def test_a_fit_with_the_gradient_written_out_goes_where_autograd_goes(structure, monkeypatch):
    """60 steps of Adam, each of up to the learning rate, 0.003; rounding moves them by less than a hundredth of one."""
    config = config_of(structure=structure)
    quick = fit_outcome_model(known(), OBJECTIVE, config, 1)
    monkeypatch.setattr(outcome_fit._Fitting, "_gradient", lambda *_: None)
    slow = fit_outcome_model(known(), OBJECTIVE, config, 1)
    assert (quick.fitted.steps, quick.fitted.best_step) == (slow.fitted.steps, slow.fitted.best_step)
    for name, weight in slow.network.named_parameters():
        assert quick.network.state_dict()[name].numpy() == pytest.approx(weight.detach().numpy(), abs=3e-5)


# -- how sure it is ----------------------------------------------------------------------------------------------------

NOISES = {
    "normal": lambda rng, rows: rng.normal(0.0, 0.2, rows),
    "skewed": lambda rng, rows: 0.2 * (rng.exponential(1.0, rows) - 1.0),
    "mostly none": lambda rng, rows: 0.8 * (rng.random(rows) < 0.15) - 0.12,
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("head", ["gaussian", "point"])
def test_intervals_hold_as_many_as_they_say_whatever_the_noise(noise, head):
    """Of 1500 new periods. Their quantiles are those of K residuals out of bag, so the share below one is
    Beta(q (K + 1), (1 - q) (K + 1)) over data sets, and binomial given that; within 4 standard deviations. The law
    is a constant plus noise, so that what a network fails to learn of it is no part of the matter. An end that falls
    on an atom of the noise holds more than it says."""
    rng = np.random.Generator(np.random.Philox(12))

    def data(rows, seed):
        return experience(rows, lambda s, w: np.full(s.shape, 0.5), lambda s, w: 2.0 + NOISES[noise](rng, rows), seed)

    model = fit_outcome_model(data(1500, 1), OBJECTIVE, config_of(head=head), 1)
    new = data(1500, 2)
    spread = model.utility(torch.from_numpy(new.states), torch.from_numpy(new.shares))
    low, high = (end.double().numpy() for end in model.interval(spread, 0.9))
    k = len(model.residuals)
    for share, q in ((np.mean(new.utility < low), 0.05), (np.mean(new.utility > high), 0.05)):
        sd = math.sqrt(q * (1 - q) * (1 / (k + 2) + 1 / len(new)))
        assert share <= q + 4 * sd
        assert noise == "mostly none" or share >= q - 4 * sd


def test_quantiles_are_those_of_the_residuals():
    model = OutcomeModel(config_of(), OBJECTIVE, N)
    model.residuals = torch.tensor([-3.0, -1.0, 0.0, 0.5, 4.0])
    spread = Spread(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 2.0]))
    for level in (0.0, 0.1, 0.25, 0.6, 1.0):
        own = np.quantile([-3.0, -1.0, 0.0, 0.5, 4.0], level)
        expected = [1.0 + 0.5 * own, 2.0 + 2.0 * own]
        assert model.quantile(spread, torch.tensor(level)).tolist() == pytest.approx(expected, abs=1e-5)
    low, high = model.interval(spread, 0.5)
    assert (low.tolist(), high.tolist()) == ([0.5, 0.0], [1.25, 3.0])


def test_residuals_are_of_transitions_that_nobody_learned_from():
    """Members see a bootstrap sample of 68 of 80 transitions each; of one member all but the tail were seen."""
    ensemble = fit_outcome_model(known(), OBJECTIVE, config_of(members=3), 1)
    unseen = stats.binom(68, (1 - (1 - 1 / 68) ** 68) ** 3)  # seen by all three
    left_out = 80 - len(ensemble.residuals)
    assert unseen.ppf(1e-6) <= left_out <= unseen.ppf(1 - 1e-6)
    assert len(fit_outcome_model(known(), OBJECTIVE, config_of(members=1), 1).residuals) == 12


# -- a function of data and seed ---------------------------------------------------------------------------------------


def test_equal_data_and_seeds_give_equal_bytes_and_others_others():
    def arrays(seed=1, whose="", data=None):
        return fit_outcome_model(data or known(), OBJECTIVE, config_of(), seed, whose).to_arrays()

    before, state = arrays(), torch.random.get_rng_state()
    expect_equal(arrays(), before)
    assert torch.equal(torch.random.get_rng_state(), state)
    for other in (arrays(seed=2), arrays(whose="another"), arrays(data=known(seed=2))):
        assert other["residuals"].tobytes() != before["residuals"].tobytes()


@pytest.mark.parametrize("changes", [{}, POINT, {**POINT, "target": "reward"}, {"head": "point"}])
def test_a_model_from_its_arrays_says_the_same_bit_for_bit(changes):
    data = known()
    config = config_of(**changes)
    model = fit_outcome_model(data, OBJECTIVE, config, 1, rewards=data.utility)
    arrays = model.to_arrays()
    again = OutcomeModel.from_arrays(config, OBJECTIVE, N, arrays)
    expect_equal(again.to_arrays(), arrays)
    assert again.fitted == model.fitted
    for one, other in zip(model.utility(*questions()), again.utility(*questions()), strict=True):
        assert torch.equal(one, other)


def test_arrays_of_another_model_are_refused():
    arrays = fit_outcome_model(known(), OBJECTIVE, config_of(), 1).to_arrays()
    with pytest.raises(ValueError, match=r"stacked\.weights\.0: must be torch\.float32 of shape"):
        OutcomeModel.from_arrays(config_of(hidden=(9,)), OBJECTIVE, N, arrays)
    del arrays["stacked.bias.1"]
    with pytest.raises(KeyError):
        OutcomeModel.from_arrays(config_of(), OBJECTIVE, N, arrays)


@pytest.mark.parametrize(("steps", "check_every"), [(5, 25), (35, 25), (50, 25)])
def test_a_fit_looks_at_the_weights_of_its_last_step(steps, check_every):
    """Also where its steps are no multiple of those between looks, or fewer."""
    fit = FitConfig(steps=steps, check_every=check_every)
    fitted = fit_outcome_model(known(), OBJECTIVE, config_of(fit=fit), 1).fitted
    assert (fitted.steps, fitted.best_step) == (steps, steps)


def test_a_warm_start_goes_on_from_the_weights_and_scaling_there_were():
    """Where no step improves on them, they are what is kept."""
    first, data = fit_outcome_model(known(), OBJECTIVE, config_of(), 1), known(seed=5)
    stuck = config_of(fit=FitConfig(steps=1, learning_rate=1.0))  # one step, and far too long
    warm = fit_outcome_model(data, OBJECTIVE, stuck, 2, "second", warm=first)
    for part in ("inputs", "continuous"):
        for name in ("mean", "deviation"):
            assert torch.equal(getattr(getattr(warm, part), name), getattr(getattr(first, part), name))
    assert warm.fitted.best_step == 0
    mine, theirs = first.to_arrays(), warm.to_arrays()
    weights = [name for name in mine if name.startswith("stacked")]
    expect_equal({name: mine[name] for name in weights}, {name: theirs[name] for name in weights})
    cold = fit_outcome_model(data, OBJECTIVE, stuck, 2, "second").to_arrays()
    assert cold["stacked.weights.0"].tobytes() != mine["stacked.weights.0"].tobytes()


def test_a_model_of_rewards_knows_no_outcomes():
    data = known()
    model = fit_outcome_model(data, OBJECTIVE, config_of(**POINT, target="reward"), 1, rewards=data.utility)
    found = model.predict(*questions())
    assert all(torch.isnan(part).all() for part in found[1:])
    assert torch.isfinite(found.utility.mean).all()
    with pytest.raises(ValueError, match="fitted to rewards"):
        fit_outcome_model(data, OBJECTIVE, config_of(**POINT, target="reward"), 1)


def test_columns_that_do_not_vary_are_predicted_as_they_are():
    """SE, backlogs and latency are constant here: what is predicted of them are the constants."""
    found = fit_outcome_model(known(), OBJECTIVE, config_of(fit={**FIT, "steps": 300}), 1).predict(*questions())
    assert found.se_capacity.numpy() == pytest.approx(50.0, abs=0.5)
    assert found.latency_mean_ms.numpy() == pytest.approx(1.0, abs=0.5)
