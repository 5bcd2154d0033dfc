"""Loops around agents: found by name, set from the command line, stopped and gone on with like plain trainings."""

import importlib.metadata
import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import netsim
from netsim.errors import InputError, PluginError
from rl import loops
from rl.agents import AGENTS
from rl.learner import LearningController
from rl.loops import names, parted
from rl.replay import Replay, Transitions
from rl.settings import checked_device, settings_of
from rl.training import Training, train
from tests.rl.small import IN_LOOP, NAMES, files_of, metrics_of, request_of
from twin.dual_loop import DualLoop
from twin.loop_config import DualLoopConfig

TINY = netsim.load_scenario("tiny")


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def entry_points(monkeypatch):
    """The entry points of loops, in place of those that are installed."""

    def having(**named):
        found = [importlib.metadata.EntryPoint(name, value, loops.GROUP) for name, value in named.items()]
        installed = importlib.metadata.entry_points

        def looked_up(**asked):
            return found if asked.get("group") == loops.GROUP else installed(**asked)

        monkeypatch.setattr(importlib.metadata, "entry_points", looked_up)
        loops.loops.cache_clear()

    yield having
    loops.loops.cache_clear()


def test_every_agent_is_there_alone_and_in_the_loop_of_a_twin():
    assert tuple(names()) == NAMES + IN_LOOP
    for name in NAMES:
        assert (parted(name), parted(f"{name}-dt")) == ((name, None), (name, "dt"))


@pytest.mark.parametrize("name", ["dt", "-dt", "ddqn-", "ddqn-dt-dt", "ddqm-dt", "DDQN-dt"])
def test_a_name_of_neither_is_refused(name):
    with pytest.raises(InputError, match=f"there is no agent '{name}'.*; known: dqn, ddqn, .*gan-ddqn-dt"):
        parted(name)


def test_another_package_s_loop_is_found_and_run(entry_points):
    entry_points(own=f"{__name__}:Alone")
    request = replace(request_of("ddqn"), agent="ddqn-own", loop=None)
    assert (parted("ddqn-own"), request.loop) == (("ddqn", "own"), Alone.Config())
    with pytest.raises(InputError, match="there is no agent 'ddqn-dt', did you mean"):
        parted("ddqn-dt")
    training, plain = Training(request), Training(request_of("ddqn"))
    training.run()
    plain.run()
    assert training.agent.parameters.flat.tolist() == plain.agent.parameters.flat.tolist()


def test_a_loop_that_cannot_be_loaded_is_named(entry_points):
    entry_points(own="no_such_module:Loop")
    with pytest.raises(PluginError, match="loop 'own' cannot be loaded"):
        parted("ddqn-own")


class Alone(LearningController):
    """A loop that does what a training without one does."""

    class Config(BaseModel):
        """Nothing can be set."""

    def __init__(self, scenario, task, agent, config, settings, device):
        super().__init__(AGENTS[agent](task, config))


def test_updates_of_an_agent_in_a_loop_are_set_there():
    assert request_of("ddqn", updates_per_interaction=4).training.updates_per_interaction == 4
    told = r"training.updates_per_interaction must be 1 for 'ddqn-dt', .*, got 4; give --loop real_updates=4 instead"
    with pytest.raises(InputError, match=told):
        request_of("ddqn-dt", updates_per_interaction=4)


@pytest.mark.parametrize("device", ["meta", "nowhere"])
def test_a_device_that_keeps_no_numbers_is_refused(device):
    with pytest.raises(InputError, match=f"device '{device}' cannot be used: .*; `--device cpu` works everywhere"):
        checked_device(device)


# -- a training --------------------------------------------------------------------------------------------------------


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.sets(st.integers(1, 45), min_size=2, max_size=3).map(sorted))
def test_interruptions_after_any_interactions_leave_the_same_bytes(stops, every_period, tmp_path_factory):
    request, folder = every_period
    out = tmp_path_factory.mktemp("stops") / "run"
    for stop in stops:

        def progress(done, *_, stop=stop):
            if done == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(request, out, resume=True, progress=progress)
    train(request, out, resume=True)
    assert files_of(out) == files_of(folder)


@pytest.fixture(scope="module")
def every_period(tmp_path_factory):
    """A training that tells of every interaction, and its folder."""
    request = request_of("ddqn-dt", interactions=45, metrics_every=1, evaluate_every=0)
    train(request, folder := tmp_path_factory.mktemp("every") / "run")
    return request, folder


def test_metrics_tell_the_iteration_and_how_its_twin_was_fitted(every_period):
    """Both losses from the first fit on, also of the twins that followed."""
    lines = metrics_of(every_period[1])
    assert [line["iteration"] for line in lines] == [1] * 22 + [2] * 13 + [3] * 10
    fitted = [(line["twin"]["state_loss"], line["twin"]["outcome_loss"]) for line in lines]
    assert fitted[:13] == [(None, None)] * 13
    assert [len(set(fitted[a:b])) for a, b in ((13, 26), (26, 39), (39, 45))] == [1, 1, 1]
    assert len(set(fitted)) == 4
    assert {line["epsilon"] for line in lines} == {1.0, 0.05}


def test_what_is_kept_does_not_depend_on_the_clock_which_is_told_apart(every_period, tmp_path, monkeypatch):
    request, folder = every_period
    ticks = iter(range(10**9))
    monkeypatch.setattr(time, "process_time", lambda: float(next(ticks)) ** 1.5)
    train(request, tmp_path / "run")
    assert files_of(tmp_path / "run") == files_of(folder)
    timing = json.loads((tmp_path / "run" / "timing.json").read_text())
    assert set(timing) == {"wall_s", "twin_fit_cpu_s", "practice_cpu_s"}
    fits = [(2 * k + 1) ** 1.5 - (2 * k) ** 1.5 for k in range(6)]  # in turns: fit, practise, fit, ...
    assert timing["twin_fit_cpu_s"] == pytest.approx(sum(fits[::2]), abs=1e-3)
    assert timing["practice_cpu_s"] == pytest.approx(sum(fits[1::2]), abs=1e-3)


def test_the_ledger_of_a_summary_adds_up(every_period):
    summary = json.loads((every_period[1] / "summary.json").read_text())
    ledger = summary["ledger"]
    own = 45 - 10 + 1  # learning starts at 10, one step an interaction
    assert ledger["gradient_steps"] == own + 3 * 5
    assert ledger["imagined_transitions"] == 3 * 5 * 4 * 171
    assert (ledger["real_interactions"], ledger["twin_fits"], ledger["alarms"]) == (45, 3, 0)
    assert 0 < ledger["twin_gradient_steps"] <= 3 * 2 * 20


def test_a_loop_through_the_hooks_of_a_run_is_the_training():
    training, other = (Training(request_of("dqn-dt", evaluate_every=0)) for _ in range(2))
    training.run()
    assert isinstance(other.controller, DualLoop)
    netsim.run(TINY, other.controller, periods=60, seed=3)
    one, same = (each.controller.to_groups() for each in (training, other))
    assert all(one[group][key].tobytes() == same[group][key].tobytes() for group in one for key in one[group])


# -- settings with parts -----------------------------------------------------------------------------------------------


def test_settings_of_parts_are_given_with_dots():
    given_ = ["twin.outcome.members=5", "twin.outcome.hidden=16,16", "twin.state.fit.steps=7", "zeta=0.25"]
    config = settings_of("dt", DualLoopConfig, given_)
    assert (config.twin.outcome.members, config.twin.outcome.hidden) == (5, (16, 16))
    assert (config.twin.state.fit.steps, config.zeta) == (7, 0.25)
    assert config.twin.state.fit.batch_size == DualLoopConfig().twin.state.fit.batch_size


def test_none_is_given_as_none():
    config = settings_of("dt", DualLoopConfig, ["horizon=none", "first_collect=None"])
    assert (config.horizon, config.first_collect) == (None, None)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["twin.outcome.members=5", "twin.outcome.members=6"], r"dt\.twin\.outcome\.members: is given twice"),
        (["twin.outcome.members=5", "twin.outcome=6"], r"dt\.twin\.outcome: is given twice"),
        (["twin.outcome=6", "twin.outcome.members=5"], "outcome is given a value and parts of its own"),
        (["zeta.of=6"], r"dt\.zeta: input should be a valid number"),
        (["twin.outcom.members=5"], r"unknown setting 'twin\.outcom', did you mean 'outcome'\?; known: state, outcome"),
        (["twin.outcome.fit.stepps=5"], r"'twin\.outcome\.fit\.stepps', did you mean 'steps'\?; known: steps, batch"),
        (["=5"], "unknown setting ''"),
    ],
)
def test_wrong_settings_of_parts_are_named_with_what_is_known_there(texts, told):
    with pytest.raises(InputError, match=told):
        settings_of("dt", DualLoopConfig, texts)


# -- a memory that forgets ---------------------------------------------------------------------------------------------


def test_a_memory_that_forgot_is_a_new_one():
    memory, new = Replay(3, 2), Replay(3, 2)
    for k in range(5):
        memory.add([k, k], k, k, [k, k])
    memory.forget()
    assert len(memory) == len(memory.all().actions) == 0
    rows = Transitions(np.ones((4, 2), np.float32), np.arange(4), np.arange(4.0), np.zeros((4, 2), np.float32))
    for each in (memory, new):
        each.add([7, 7], 7, 7.0, [7, 7])
        assert each.all().actions.tolist() == [7]
        each.extend(rows)
    one, other = memory.to_arrays(), new.to_arrays()
    assert all(np.array_equal(one[key], other[key]) for key in other)
