"""State models find networks whose law is known, say how sure they are, and step as they read."""

import math

import numpy as np
import pytest
import torch

from netsim.errors import InputError
from twin.experience import Experience
from twin.fitting import FitConfig, Scaling, draw_weights
from twin.models.sequence import SequenceModel, network_of
from twin.models.state import StateConfig, fit_state_model, forecasts, state_model_from_arrays

N = 3
SPREAD = 0.05
"""Deviation of the noise in every law."""
OF_STATE = np.array([[0.7, 0.2, 0.0], [0.0, -0.6, 0.3], [0.3, 0.0, 0.6]])
OF_SHARES = np.array([[0.4, 0.0, -0.2], [-0.3, 0.3, 0.0], [0.0, -0.4, 0.3]])
FIT = FitConfig(batch_size=32, learning_rate=2e-3, held_out_share=0.3, steps=300, patience=5)
SMALL = {"hidden": 16, "context": 3, "fit": FIT}
KINDS = ("lstm", "transformer")
Z = 4.0
"""Standard errors that a statistic may be off: two-sided 6e-5, for the few dozen looks of a fit 3e-3."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def played(mean, rows, seed):
    """States 1 + x with x' = mean(x, x before, w) + noise, and the shares w, which are uniform on the simplex."""
    rng = np.random.Generator(np.random.Philox(seed))
    x, shares = np.zeros((rows + 1, N)), rng.dirichlet(np.ones(N), rows)
    for t in range(rows):
        x[t + 1] = mean(x[t], x[max(0, t - 1)], shares[t]) + rng.normal(0.0, SPREAD, N)
    return x, shares


def linear(x, before, w):
    return x @ OF_STATE.T + (w - 1 / 3) @ OF_SHARES.T


def delayed(x, before, w):
    return 0.9 * before


def experience_of(x, shares, begins=(0,)):
    rows, states = len(shares), (1.0 + x).astype(np.float32)
    per_slice, per_cell = np.zeros((rows, N), np.float32), np.zeros(rows)
    return Experience(
        states=states[:-1],
        shares=shares.astype(np.float32),
        next_states=states[1:],
        ssr=per_slice,
        backlog_packets=per_slice,
        backlog_bits=per_slice,
        latency_mean_ms=per_slice,
        se_capacity=per_cell,
        se_carried=per_cell,
        utility=per_cell,
        begins=np.isin(np.arange(rows), begins),
    )


@pytest.fixture(scope="module")
def lived():
    return experience_of(*played(linear, 1000, 1))


@pytest.fixture(scope="module")
def fitted(lived):
    """A fit of each kind."""
    torch.set_num_threads(1)
    return {kind: fit_state_model(lived, StateConfig(kind=kind, **SMALL), 1) for kind in KINDS}


def divergence(mean, deviation, truth):
    """Mean Kullback-Leibler divergence of forecasts from the true law, in nats for a number."""
    ratio = SPREAD / deviation
    return np.mean(0.5 * ((truth - mean) / deviation) ** 2 + 0.5 * ratio**2 - np.log(ratio) - 0.5)


def regression(x, y):
    """Of y on x: the forecasts for x and their deviations."""
    with_one = np.column_stack([np.ones(len(x)), x])
    coefficients = np.linalg.lstsq(with_one, y, rcond=None)[0]
    return lambda rows: np.column_stack([np.ones(len(rows)), rows]) @ coefficients, (y - with_one @ coefficients).std(0)


def told_of(lived, model):
    """Divergences on the held-out tail: of a model, and of regressions on all, on states alone and on shares alone."""
    cut = round(len(lived) * 0.7)
    truth, y = 1.0 + linear(lived.states - 1.0, None, lived.shares), lived.next_states

    def of(x):
        mean, deviation = regression(x[:cut], y[:cut])
        return divergence(mean(x[cut:]), deviation, truth[cut:])

    said, shares = forecasts(model, lived), lived.shares[:, 1:]
    ours = divergence(said.mean[cut:].numpy(), said.deviation[cut:].numpy(), truth[cut:])
    return ours, of(np.column_stack([lived.states, shares])), of(lived.states), of(shares), truth[cut:].size


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_network_is_found_as_far_as_the_held_out_tail_can_tell(kind, lived, fitted):
    """The divergence K of a model from the truth is at most (sqrt(K_regression) + z sqrt(2 / n))^2.

    What is kept is no worse on the n held-out numbers than the regression, which knows the form of the law. A mean log
    likelihood ratio has the variance 2 K / n where K is small, so K - K_regression <= z (sqrt(2 K) + sqrt(2
    K_regression)) / sqrt(n), which is the claim. To ignore the states or the shares costs several times as much.
    """
    ours, regressed, states_alone, shares_alone, n = told_of(lived, fitted[kind])
    bound = (math.sqrt(regressed) + Z * math.sqrt(2.0 / n)) ** 2
    assert ours <= bound
    assert min(states_alone, shares_alone) > 3.0 * bound


def test_the_plain_network_learns_from_the_state_and_from_the_shares(lived):
    """Without a regression to begin with it comes closer to the truth than who knows but one of them."""
    model = fit_state_model(lived, StateConfig(**SMALL, linear=False), 1)
    ours, _, states_alone, shares_alone, _ = told_of(lived, model)
    assert ours < min(states_alone, shares_alone)


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_a_gaussian_head_hold_what_they_say_of_fresh_data(kind, fitted):
    """Coverage of 90 % within the error of its count, and of deviations that n held-out numbers tell to z / sqrt(2 n).

    A deviation that is off by a share d moves the coverage by 2 q phi(q) d, q = 1.645.
    """
    fresh = experience_of(*played(linear, 1000, 2))
    said, q = forecasts(fitted[kind], fresh), 1.6449
    inside = np.abs(fresh.next_states - said.mean.numpy()) <= q * said.deviation.numpy()
    density = math.exp(-0.5 * q * q) / math.sqrt(2.0 * math.pi)
    error = Z * (math.sqrt(0.09 / len(fresh)) + 2.0 * q * density / math.sqrt(2.0 * 300))
    np.testing.assert_allclose(inside.mean(axis=0), 0.9, rtol=0, atol=error)


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_the_past_tells_is_learned(kind):
    """In x' = 0.9 (x before) + noise the present state says nothing of the next one: its mean is the best forecast.

    Squared errors on fresh data, paired: better than that by z standard errors with a past, not so without.
    """
    lived, fresh = (experience_of(*played(delayed, 1000, seed)) for seed in (1, 2))

    def gain(context):
        config = StateConfig(**{**SMALL, "kind": kind, "head": "point", "context": context})
        said = forecasts(fit_state_model(lived, config, 1), fresh)
        assert not said.deviation.any()
        each = ((fresh.next_states - 1.0) ** 2 - (fresh.next_states - said.mean.numpy()) ** 2).mean(axis=1)
        return each.mean() / (each.std() / math.sqrt(len(each)))

    assert gain(context=2) > Z
    assert gain(context=0) < Z


# -- steps and sequences -----------------------------------------------------------------------------------------------


def drawn(kind, **changes):
    """A model with weights of every layer drawn, in place of a fitted one."""
    config = StateConfig(**{"kind": kind, "hidden": 32, "context": 6, "layers": 2, **changes})
    network = network_of(config, N)
    draw_weights(network, 3, "drawn")
    inputs = Scaling(torch.full((2 * N,), 0.9), torch.tensor([0.1, 0.2, 0.3, 0.3, 0.2, 0.1]))
    seen = torch.tensor([[-100.0] * N, [100.0] * N])
    return SequenceModel(config, network, inputs, Scaling(torch.ones(N), torch.full((N,), 0.5)), seen, None)


def sequences(rows=5, length=20, seed=0):
    rng = np.random.Generator(np.random.Philox(seed))
    states = rng.normal(1.0, 0.2, (rows, length, N)).astype(np.float32)
    shares = rng.dirichlet(np.ones(N), (rows, length)).astype(np.float32)
    return torch.from_numpy(states), torch.from_numpy(shares), torch.ones(rows, length, dtype=torch.bool)


def continued(model, states, shares, there, begin):
    """Forecasts at the elements from ``begin`` on, one after the other."""
    memory = model.begin(states[:, :begin], shares[:, :begin], there[:, :begin])
    said = [model.advance(memory, states[:, t], shares[:, t]) for t in range(begin, states.shape[1])]
    return torch.stack([torch.cat(each, dim=1) for each in said], dim=1)


@torch.no_grad()
def test_steps_equal_torch_s_lstm_on_the_whole_sequence():
    model = drawn("lstm", hidden=128, context=16)
    states, shares, there = sequences(rows=9, length=24)
    x = (torch.cat([states, shares], dim=2) - model.inputs.mean) / model.inputs.deviation
    outputs = model.network.head(torch.cat([model.network.lstm(x)[0], x], dim=2))
    spread = torch.nn.functional.softplus(outputs[..., N:] + math.log(math.e**0.99 - 1.0)) + 0.01
    expected = torch.cat([1.0 + 0.5 * outputs[..., :N], 0.5 * spread], dim=2)
    torch.testing.assert_close(continued(model, states, shares, there, 0), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_wherever_a_sequence_is_taken_up_it_goes_on_as_when_read_at_once(kind, linear):
    """For a Transformer well past its window, which is 7 long."""
    model = drawn(kind, linear=linear)
    states, shares, there = sequences()
    whole = torch.cat(model.forecast(states, shares, there), dim=2)
    for begin in (0, 1, 6, 7, 8, 19):
        steps = continued(model, states, shares, there, begin)
        torch.testing.assert_close(steps, whole[:, begin:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_memory_go_on_as_if_they_had_been_read_by_themselves(kind):
    """Each as often as it is named; the memory they are of is as it was."""
    model, places = drawn(kind), torch.tensor([2, 0, 2, 5])
    states, shares, there = sequences(rows=9, length=24)
    past = (states[:, :9], shares[:, :9], there[:, :9])
    memory, before = model.begin(*past), model.begin(*past)
    taken, alone = memory.rows(places), model.begin(*(each[places] for each in past))
    for t in (9, 10):
        now = states[places, t], shares[places, t]
        for said, expected in zip(model.advance(taken, *now), model.advance(alone, *now), strict=True):
            torch.testing.assert_close(said, expected, rtol=0, atol=1e-5)
    now = states[:, 9], shares[:, 9]
    assert all(map(torch.equal, model.advance(memory, *now), model.advance(before, *now)))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_does_not_count(kind):
    """Whatever is in it, and to the last bit; and as if it were not there."""
    model = drawn(kind)
    states, shares, there = sequences(length=9)
    missing = [0, 1, 4, 7, 8]
    for row, count in enumerate(missing):
        there[row, :count] = False
    said = continued(model, states, shares, there, 8)
    torch.testing.assert_close(model.forecast(states, shares, there).mean[:, 8:], said[..., :N], rtol=0, atol=1e-5)
    for row, count in enumerate(missing):
        alone = (each[row : row + 1, count:] for each in (states, shares, there))
        torch.testing.assert_close(continued(model, *alone, 8 - count), said[row : row + 1], rtol=0, atol=1e-6)
    states[~there], shares[~there] = 1e6, -7.0
    assert torch.equal(continued(model, states, shares, there, 8), said)


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_do_not_touch_each_other(kind):
    model = drawn(kind)
    states, shares, there = sequences(rows=33)
    together = continued(model, states, shares, there, 7)
    for row in (0, 13, 32):
        alone = continued(model, states[row : row + 1], shares[row : row + 1], there[row : row + 1], 7)
        torch.testing.assert_close(alone, together[row : row + 1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_of_a_run_do_not_see_the_run_before(kind, fitted):
    x, shares = played(linear, 40, 3)
    one = forecasts(fitted[kind], experience_of(x, shares, begins=(0, 20)))
    x[:20], shares[:20] = 0.3, 1 / 3
    other = forecasts(fitted[kind], experience_of(x, shares, begins=(0, 20)))
    assert torch.equal(one.mean[20:], other.mean[20:])
    assert not torch.equal(one.mean[:20], other.mean[:20])


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_reads_as_many_transitions_as_its_context_and_the_present_one(kind):
    model, lived = drawn(kind), experience_of(*played(linear, 30, 3))
    said = forecasts(model, lived)
    for t in (0, 3, 6, 7, 29):
        window = slice(max(0, t - model.config.context), t + 1)
        states, shares = (torch.from_numpy(each[None, window]) for each in (lived.states, lived.shares))
        whole = model.forecast(states, shares, torch.ones(states.shape[:2], dtype=torch.bool))
        torch.testing.assert_close(said.mean[t], whole.mean[0, -1], rtol=0, atol=1e-5)


def test_an_lstm_begins_with_its_forget_gates_open_and_its_other_biases_0():
    network = network_of(StateConfig(hidden=2), N)
    network.start()
    bias, other = network.gates()[2:]
    assert (bias.tolist(), other.tolist()) == ([0, 0, 1, 1, 0, 0, 0, 0], [0] * 8)


def test_a_roll_out_of_a_load_that_grew_does_not_run_away():
    """The regression's factor is 1.01: 3000 steps of it would multiply the distance from 1 by 9e12."""
    x = 0.01 * 1.01 ** np.arange(201.0)[:, None] * np.ones(N)
    experience = experience_of(x, np.full((200, N), 1 / 3))
    model = fit_state_model(experience, StateConfig(**{**SMALL, "fit": FitConfig(steps=1)}), 1)
    state, shares = torch.from_numpy(experience.next_states[-1:]), torch.full((1, N), 1 / 3)
    memory = model.begin(state[:, None][:, :0], shares[:, None][:, :0], torch.ones(1, 0, dtype=torch.bool))
    for _ in range(3000):
        state = model.advance(memory, state, shares).mean
    assert 1.0 + x.max() < state.max() <= 1.0 + 2.0 * x.max() - x.min() + 1e-6


# -- fits --------------------------------------------------------------------------------------------------------------


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert (array.dtype, array.tobytes()) == (other[name].dtype, other[name].tobytes()), name


QUICK = StateConfig(hidden=8, context=3, fit=FitConfig(steps=50, learning_rate=1e-3, batch_size=16))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_is_the_same_bit_for_bit_whatever_torch_has_drawn(kind, lived):
    config = QUICK.model_copy(update={"kind": kind})
    one = fit_state_model(lived, config, 1)
    state = torch.random.get_rng_state()
    torch.rand(5)
    after = torch.random.get_rng_state()
    assert_same(fit_state_model(lived, config, 1).to_arrays(), one.to_arrays())
    assert torch.equal(torch.random.get_rng_state(), after)
    assert not torch.equal(state, after)
    for seed, whose in ((2, ""), (1, "member 1")):
        other = fit_state_model(lived, config, seed, whose).to_arrays()
        assert any(not np.array_equal(array, other[name]) for name, array in one.to_arrays().items())


@pytest.mark.parametrize("head", ["point", "gaussian"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_comes_back_from_its_arrays_bit_for_bit(kind, head, lived):
    config = QUICK.model_copy(update={"kind": kind, "head": head})
    model = fit_state_model(lived, config, 1)
    back = state_model_from_arrays(config, N, model.to_arrays())
    assert_same(back.to_arrays(), model.to_arrays())
    assert back.fitted == model.fitted
    for one, other in zip(forecasts(back, lived), forecasts(model, lived), strict=True):
        assert torch.equal(one, other)


def test_arrays_of_another_model_are_refused(lived):
    arrays = fit_state_model(lived, QUICK, 1).to_arrays()
    with pytest.raises(ValueError, match="must be"):
        state_model_from_arrays(QUICK, 2, arrays)
    with pytest.raises(KeyError):
        state_model_from_arrays(QUICK.model_copy(update={"kind": "transformer"}), N, arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_is_no_worse_and_keeps_model_and_scaling(kind, lived, fitted):
    before = fitted[kind].to_arrays()
    warm = fit_state_model(lived, fitted[kind].config, 2, warm=fitted[kind])
    assert warm.fitted.loss <= fitted[kind].fitted.loss
    assert_same(fitted[kind].to_arrays(), before)
    x, shares = played(linear, 100, 4)
    moved = fit_state_model(experience_of(x + 5.0, shares), fitted[kind].config, 1, warm=fitted[kind])
    for name in ("inputs.mean", "inputs.deviation", "targets.mean", "targets.deviation"):
        np.testing.assert_array_equal(moved.to_arrays()[name], before[name])
    assert (moved.seen[0] <= fitted[kind].seen[0]).all()
    assert (moved.seen[1] > 5.0).all()


def test_a_warm_start_with_another_model_is_refused(lived, fitted):
    with pytest.raises(InputError, match=r"hidden: .*, 16; got 25"):
        fit_state_model(lived, StateConfig(**{**SMALL, "hidden": 25}), 1, warm=fitted["lstm"])


def test_a_fit_begins_where_it_knows_the_mean_alone(lived):
    """The plain network with one step so small that nothing is better: deviation and mean are those of the data."""
    fit = FitConfig(steps=1, learning_rate=1e-12, held_out_share=0.3)
    config = QUICK.model_copy(update={"linear": False, "fit": fit})
    said = forecasts(fit_state_model(lived, config, 1), lived)
    kept = lived.next_states[: round(len(lived) * 0.7)].astype(np.float64)
    np.testing.assert_allclose(said.mean.numpy() - kept.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(said.deviation.numpy() / kept.std(axis=0), 1.0, atol=1e-5)


def test_one_transition_is_too_few():
    with pytest.raises(InputError, match="at least 2 transitions to learn from, got 1"):
        fit_state_model(experience_of(*played(linear, 1, 1)), QUICK, 1)


def test_the_shortest_experience_and_a_load_that_never_varies_can_be_fitted():
    for rows in (2, 3, 30):
        still = experience_of(np.zeros((rows + 1, N)), np.full((rows, N), 1 / 3))
        said = forecasts(fit_state_model(still, QUICK, 1), still)
        assert torch.equal(said.mean, torch.ones(rows, N))
        assert torch.isfinite(said.deviation).all()


def test_heads_share_the_width():
    with pytest.raises(ValueError, match="hidden must be a multiple of heads, got 10 and 4"):
        StateConfig(kind="transformer", hidden=10)
