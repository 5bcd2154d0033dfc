"""Algorithm 1 line by line: what is done when, with which weights, and that it goes on where it was stopped."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import netsim
from netsim.errors import InputError, RunError
from rl.agents import Task
from rl.reward import Thresholds
from rl.settings import settings_of
from rl.training import Request, Training
from tests.rl.small import IN_LOOP, LOOP, config_of, loop_of, request_of
from tests.unit.fake_plant import FakePlant
from twin import dual_loop, synchronisation
from twin.dual_loop import DualLoop
from twin.loop_config import LITERAL, DualLoopConfig
from twin.practice import Practice

TINY = netsim.load_scenario("tiny")
TASK = Task.of(TINY, 200, 3)
DRIFTING = {"refit": "drift", "drift": {"periods_between_false_alarms": 20}, "first_collect": 14}


def loop_around(name="ddqn", hyper=None, **settings):
    """A loop of a small agent on ``tiny``."""
    return DualLoop(TINY, TASK, name, config_of(name, **(hyper or {})), loop_of(f"{name}-dt", **settings))


def play(loop, periods, plant=None, after=lambda: None):
    """Let a loop control a plant from its reset on."""
    plant = FakePlant(TINY) if plant is None else plant
    loop.period_ended(plant.reset(3))
    for _ in range(periods):
        loop.period_ended(plant.step(loop.decide_allocation()))
        after()


class Kept:
    """What a checkpoint keeps of a loop, without a disk."""

    def __init__(self, loop):
        groups = loop.to_groups()
        self.groups = {name: {key: np.array(value) for key, value in group.items()} for name, group in groups.items()}
        self.loss = loop.loss

    def arrays(self, name):
        return self.groups[name]

    def restored_into(self, loop):
        loop.restore(self)
        loop.loss = self.loss
        return loop

    def bytes(self):
        return {
            f"{name}/{key}": (value.dtype, value.shape, value.tobytes())
            for name, group in self.groups.items()
            for key, value in group.items()
        }


# -- the listing -------------------------------------------------------------------------------------------------------


class Listing:
    """Writes down what a loop does, as numbers of lines of Algorithm 1."""

    def __init__(self, loop, monkeypatch):
        self.loop, self.lines = loop, []
        self._record(monkeypatch, loop, "_fit_twin", 4)
        self._record(monkeypatch, Practice, "run", 11)
        self._record(monkeypatch, loop.agent, "update", 18)
        self._record(monkeypatch, loop.agent, "empower", 12)
        self._record(monkeypatch, loop.second, "empower", 20)

    def _record(self, monkeypatch, owner, name, line):
        original = getattr(owner, name)

        def recorded(*arguments, **options):
            done = original(*arguments, **options)
            self.lines.append(line)
            return done

        monkeypatch.setattr(owner, name, recorded)

    def played(self):
        """A period of the network was decided by agent 1."""
        self.lines.append(15)


def test_lines_come_in_the_order_of_the_listing(monkeypatch):
    """M 2 at first and then 1, T 3: what follows a period is done when its report comes."""
    loop = loop_around(first_collect=2, collect=1, real_steps=3, share_collected=False)
    listing = Listing(loop, monkeypatch)
    plant = FakePlant(TINY)
    loop.period_ended(plant.reset(3))
    for _ in range(9):
        allocation = loop.decide_allocation()
        listing.played()
        loop.period_ended(plant.step(allocation))
    train = [15, 18]
    first = [15, 15, 4, 11, 12, *train, *train, *train, 20]
    assert listing.lines == [*first, 15, 4, 11, 12, *train, *train, *train, 20]
    assert loop.interactions == 9  # those of line 3 are among them
    assert loop.figures()["iteration"] == 3


@pytest.mark.parametrize("shared", [False, True])
def test_agent_1_learns_from_what_is_collected_if_asked_to(shared):
    loop = loop_around(share_collected=shared)
    play(loop, 14)
    assert len(loop.agent.memory) == 14 * shared
    play_on = 14 * shared + 5
    plant = FakePlant(TINY)
    plant.reset(4)
    for _ in range(5):
        loop.period_ended(plant.step(loop.decide_allocation()))
    assert len(loop.agent.memory) == play_on


@pytest.mark.parametrize("practice", ["sweeps", "rollouts"])
def test_agent_2_does_phi_gradient_steps_and_agent_1_its_own(practice):
    hyper = {"learning_starts": 8}
    loop = loop_around(hyper=hyper, practice=practice, practice_updates=7, real_updates=2, imagined_per_update=4)
    play(loop, 23)
    assert loop.second.updates == 7
    assert loop.agent.updates == 2 * (23 - 8 + 1)
    spent = loop.ledger()
    assert spent["gradient_steps"] == loop.second.updates + loop.agent.updates
    assert spent["imagined_transitions"] == (7 * 4 * 171 if practice == "sweeps" else 32)  # 4 rounds of 8 roll-outs


def test_the_ledger_counts_the_steps_of_every_fit():
    loop, steps, seen = loop_around(), 0, None

    def after():
        nonlocal steps, seen
        if loop.twin is not seen:
            seen = loop.twin
            steps += loop.twin.states.fitted.steps + loop.twin.outcomes.fitted.steps

    play(loop, 60, after=after)
    spent = loop.ledger()
    assert (spent["twin_fits"], spent["twin_gradient_steps"], spent["alarms"]) == (4, steps, 0)
    assert set(loop.seconds()) == {"twin_fit", "practice"}


def test_agents_begin_with_the_same_weights_which_are_agent_1_s_own():
    for name in IN_LOOP:
        loop = loop_around(name.removesuffix("-dt"))
        alone = loop_around(name.removesuffix("-dt")).agent
        assert torch.equal(loop.second.parameters.flat, loop.agent.parameters.flat)
        assert torch.equal(alone.parameters.flat, loop.agent.parameters.flat)


@pytest.mark.parametrize("zeta", [0.0, 0.3, 0.5, 1.0])
def test_agent_1_is_empowered_by_equation_8(zeta, monkeypatch):
    """In every iteration, the first included: theta_1 <- zeta theta_1 + (1 - zeta) theta_2."""
    loop, seen = loop_around(zeta=zeta), []
    empower = loop.agent.empower

    def noted(other, keep):
        one, two = loop.agent.parameters.flat.double().numpy(), other.double().numpy()
        expected = zeta * one + (1.0 - zeta) * two
        empower(other, keep)
        assert np.array_equal(two, loop.second.parameters.flat.double().numpy())
        seen.append((np.abs(loop.agent.parameters.flat.double().numpy() - expected).max(), np.abs(one - two).max()))

    monkeypatch.setattr(loop.agent, "empower", noted)
    play(loop, 40)
    assert len(seen) == 3
    for error, apart in seen:
        assert error <= 3 * 2.0**-24  # weights are below 1: three roundings of float32
        assert apart > 1e-3  # there was something to average


def test_agent_2_gets_the_weights_of_agent_1_at_the_end_of_an_iteration():
    loop = loop_around()
    play(loop, 22)
    assert not torch.equal(loop.second.parameters.flat, loop.agent.parameters.flat)
    loop = loop_around()
    play(loop, 23)
    assert torch.equal(loop.second.parameters.flat, loop.agent.parameters.flat)
    assert torch.equal(loop.second.target.flat, loop.agent.parameters.flat)


def test_what_was_collected_is_random_and_what_comes_after_the_agent_s():
    loop, chances = loop_around(epsilon=0.0, collect_epsilon=1.0), []
    play(loop, 40, after=lambda: chances.append(loop.epsilon))
    assert chances == [1.0] * 13 + [0.0] * 9 + ([1.0] * 4 + [0.0] * 9) + [1.0] * 4 + [0.0]
    own = loop_around(epsilon=None)
    play(own, 20)
    assert own.epsilon == own.agent.config.epsilon(20)


def test_the_twin_is_fitted_to_what_was_recorded_in_order():
    loop, plant = loop_around(memory=20), FakePlant(TINY)
    fitted = []
    original = dual_loop.DigitalTwin.fit

    class Fitting(dual_loop.DigitalTwin):
        @classmethod
        def fit(cls, experience, *arguments):
            fitted.append(experience)
            return original(experience, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dual_loop, "DigitalTwin", Fitting)
        play(loop, 27, plant)
    assert [len(each) for each in fitted] == [14, 20]  # 27 were recorded, the newest 20 count
    encoder, again = loop.agent.task.encoder, FakePlant(TINY)
    reports = [again.reset(3), *(again.step(each) for each in plant.allocations[1:])]
    states = np.array([encoder.state(report) for report in reports])
    assert np.array_equal(fitted[1].states, states[7:27])
    assert np.array_equal(fitted[1].next_states, states[8:28])
    assert np.array_equal(fitted[1].shares, (np.array(plant.allocations[8:28]) / 20).astype(np.float32))
    assert fitted[1].utility.tolist() == [report.utility for report in reports[8:28]]
    assert fitted[1].begins.tolist() == [True] + [False] * 19


def test_a_period_that_another_controller_decided_is_not_its_own():
    """The first plugin decides every third period; transitions do not lead across it."""

    class Sometimes:
        def __init__(self):
            self.calls = 0

        @netsim.hookimpl
        def decide_allocation(self):
            self.calls += 1
            return (2, 12, 6) if self.calls % 3 == 0 else None

    loop, reports = loop_around(), []

    class Notes:
        @netsim.hookimpl
        def period_ended(self, report):
            reports.append(report)

    netsim.run(TINY, loop, periods=45, seed=1, plugins=[Sometimes(), Notes()])
    assert loop.interactions == 30
    recorded = loop._log.experience()
    own = [period for period in range(1, 46) if period % 3]
    assert recorded.utility.tolist() == [reports[period].utility for period in own]
    states = np.array([loop.agent.task.encoder.state(report) for report in reports])
    assert np.array_equal(recorded.states, states[[period - 1 for period in own]])
    assert np.array_equal(recorded.shares * 20, np.array([reports[period].allocation for period in own], np.float32))
    assert recorded.begins.tolist() == [True, False] * 15


def test_no_more_is_kept_than_a_twin_is_fitted_to():
    """The newest 20 transitions; what came before them begins nowhere."""
    loop, reports, kept = loop_around(memory=20), [], []

    class Notes:
        @netsim.hookimpl
        def period_ended(self, report):
            reports.append(report)
            kept.append(len(loop._log))

    netsim.run(TINY, loop, periods=60, seed=1, plugins=[Notes()])
    recorded = loop._log.experience()
    assert max(kept) == len(recorded) == 20
    assert recorded.utility.tolist() == [report.utility for report in reports[-20:]]
    assert recorded.begins.tolist() == [True] + [False] * 19


# -- rewards and settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("real", "twin"), [("growing", "final"), ("final", "growing")])
def test_each_agent_is_rewarded_by_the_threshold_it_was_given(real, twin):
    loop = loop_around(real_threshold=real, twin_threshold=twin)
    growing = Thresholds.of(TINY, 200)
    final = Thresholds(growing.gmax, growing.gmax, 0.0)
    expected = {"growing": growing, "final": final}
    assert loop.agent.task.thresholds == expected[real]
    assert loop.second.task.thresholds == expected[twin]


@pytest.mark.parametrize("threshold", ["growing", "final"])
def test_a_twin_of_rewards_is_fitted_to_rewards_and_they_are_agent_2_s(threshold):
    """To those that the threshold has at the fit; what the twin says is then rewarded as it is."""
    twin = {**LOOP["twin"], "outcome": {**LOOP["twin"]["outcome"], "target": "reward", "structure": "joint"}}
    loop, asked = loop_around(twin=twin, twin_threshold=threshold), []

    class Fitting(dual_loop.DigitalTwin):
        @classmethod
        def fit(cls, experience, scenario, encoder, config, seed, whose, rewards, warm):
            asked.append((experience.utility, rewards))
            return dual_loop_fit(experience, scenario, encoder, config, seed, whose, rewards, warm)

    dual_loop_fit = dual_loop.DigitalTwin.fit
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dual_loop, "DigitalTwin", Fitting)
        play(loop, 14, netsim.Simulation(TINY, 3))
    [(utility, rewards)] = asked
    growing = Thresholds.of(TINY, 200)
    g = growing.at(14) if threshold == "growing" else growing.gmax
    above = np.where(utility < growing.gmax, 1.0, 1.0 + (utility - growing.gmax) / 2.0)
    assert rewards.tolist() == np.where(utility < g, 0.0, above).tolist()
    assert loop.second.task.thresholds.reward([0.25, 7.0], 3).tolist() == [0.25, 7.0]


def test_the_literal_preset_is_the_paper_and_what_is_given_beside_it_counts():
    config = settings_of("dt", DualLoopConfig, ["preset=literal"])
    assert (config.collect, config.first_collect, config.real_steps, config.practice_updates) == (100, None, 900, 2000)
    assert (config.practice, config.rollouts, config.horizon, config.imagined_per_update) == ("rollouts", 1, None, 1)
    assert (config.zeta, config.epsilon, config.twin_epsilon, config.sampled) == (0.5, None, 0.0, False)
    assert (config.twin_threshold, config.real_threshold, config.share_collected) == ("growing", "growing", False)
    state, outcome = config.twin.state, config.twin.outcome
    assert (state.kind, state.head, state.linear) == ("lstm", "point", False)
    assert (outcome.target, outcome.structure, outcome.head, outcome.members) == ("reward", "joint", "point", 1)
    given = ["preset=literal", "zeta=0.25", "twin.outcome.target=outcome", "twin.state.hidden=7"]
    changed = settings_of("dt", DualLoopConfig, given)
    twin = changed.twin
    assert (changed.zeta, twin.outcome.target, twin.outcome.members, twin.state.hidden) == (0.25, "outcome", 1, 7)
    assert twin.state.head == "point"
    assert changed.collect == 100
    assert DualLoopConfig.model_validate(changed.model_dump(mode="json")) == changed
    assert LITERAL["twin"]["state"] == {"head": "point", "linear": False}  # merging leaves the preset as it was


def test_the_literal_loop_is_one_long_greedy_chain_of_means(monkeypatch):
    """Agent 2 remembers Phi transitions that follow one another, each of the allocation that was its best then."""
    twin = {"state": {"hidden": 6, "context": 3, "fit": {"steps": 20}}, "outcome": {"fit": {"steps": 20}}}
    settings = DualLoopConfig.model_validate(
        {"preset": "literal", "collect": 14, "real_steps": 9, "practice_updates": 30, "twin": twin}
    )
    config = config_of("ddqn", learning_starts=10_000)  # weights stay
    loop = DualLoop(TINY, TASK, "ddqn", config, settings)
    play(loop, 14)
    imagined = loop.second.memory.all()
    assert len(imagined.actions) == loop.ledger()["imagined_transitions"] == 30
    assert np.array_equal(imagined.next_states[:-1], imagined.states[1:])
    # One state at a time, as in the loop: of several at once, scores that are nearly equal are rounded otherwise.
    assert imagined.actions.tolist() == [int(loop.second.act(state[None])[0]) for state in imagined.states]
    states, shares = (torch.from_numpy(each) for each in (imagined.states, loop.agent.task.shares()[imagined.actions]))
    rewards = loop.twin.outcomes.utility(states, shares).mean
    assert imagined.utilities == pytest.approx(rewards.double().numpy(), rel=1e-5)


def test_drift_is_not_watched_for_by_a_twin_that_expects_no_utility():
    with pytest.raises(InputError, match="one of target `reward` expects no U"):
        settings_of("dt", DualLoopConfig, ["preset=literal", "refit=drift"])


def test_a_request_has_the_settings_of_its_loop():
    request = replace(request_of("ddqn-dt"), loop=None)
    assert request.loop == DualLoopConfig()
    assert request.to_dict()["loop"] == DualLoopConfig().model_dump(mode="json")
    with pytest.raises(InputError, match="'ddqn' runs in no loop"):
        Request(TINY, "ddqn", config_of("ddqn"), request.training, 3, loop=DualLoopConfig())


def test_weights_that_are_no_numbers_stop_the_training_before_there_is_a_loss(monkeypatch):
    """They come from agent 2; agent 1 has not learned yet."""
    training = Training(request_of("ddqn-dt", loop={"share_collected": False, "real_updates": 0}))

    def spoilt(practice):
        practice._agent.parameters.flat[0] = np.nan

    monkeypatch.setattr(Practice, "run", spoilt)
    with pytest.raises(RunError, match="not finite at interaction 14, seed 3"):
        training.run()


# -- going on where it stood -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*IN_LOOP, "warm", "literal"])
def test_a_loop_that_is_restored_goes_on_alike_after_every_interaction(name):
    """What is kept after t interactions, restored and played one more, is what is kept after t + 1; for every t."""
    agent = name.removesuffix("-dt") if name in IN_LOOP else "ddqn"
    settings = {"warm": {"warm": True, "practice": "rollouts", "keep_imagined": True}, "literal": {"zeta": 0.5}}
    goes_on_alike(agent, 28, **settings.get(name, {}))


class Changing(FakePlant):
    """Four times the packets in every other 45 periods."""

    def _period(self, allocation):
        report = super()._period(allocation)
        return replace(report, arrived=report.arrived * 4) if report.period // 45 % 2 else report


def test_a_loop_is_restored_alike_around_alarms(monkeypatch):
    monkeypatch.setattr(synchronisation, "REFERENCE", 30)
    spent = goes_on_alike("ddqn", 115, Changing(TINY), **DRIFTING)
    assert spent["alarms"] >= 2
    assert spent["twin_fits"] >= 3


def goes_on_alike(agent, periods, plant=None, **settings):
    loop, plant = loop_around(agent, **settings), plant or FakePlant(TINY)
    loop.period_ended(plant.reset(3))
    for _ in range(periods):
        other = Kept(loop).restored_into(loop_around(agent, **settings)) if loop.interactions else None
        report = plant.step(loop.decide_allocation())
        if other is not None:
            assert other.decide_allocation() == report.allocation
            assert other.epsilon == loop.epsilon
            other.period_ended(report)
        loop.period_ended(report)
        if other is not None:
            assert Kept(other).bytes() == Kept(loop).bytes()
            assert (other.loss, other.figures(), other.ledger()) == (loop.loss, loop.figures(), loop.ledger())
    return loop.ledger()


def test_the_state_of_torch_and_numpy_s_global_generators_is_left_alone():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before, numpys = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    play(loop_around(practice="rollouts"), 20)
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpys, np.random.get_state()[1])  # noqa: NPY002
