"""A training is a function of its request, however often it is stopped on the way."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

import netsim
from netsim import plugins
from netsim.errors import InputError, RunError
from netsim.plugins import Installed, Named
from netsim.seals import intact
from rl import draws
from rl.agents import AgentConfig, configured, make_agent
from rl.learner import LearningController
from rl.records import Records, read_manifest
from rl.training import Training, TrainingConfig, train
from tests.rl.small import IN_LOOP, NAMES, TRAINING, config_of, files_of, metrics_of, request_of, task_of
from tests.unit.fake_plant import FakePlant

LINES = [10, 20, 30, 40, 50, 60]
"""Interactions after which there is a line of metrics, and progress is told."""


@pytest.fixture(scope="module")
def tiny():
    return netsim.load_scenario("tiny")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder and summary of a training of each agent that nothing disturbed, made when asked for."""
    made = {}

    def folder(name):
        if name not in made:
            out = tmp_path_factory.mktemp(name) / "run"
            made[name] = out, train(request_of(name), out)
        return made[name]

    return folder


def interrupting(at):
    """A progress that is Ctrl-C after so many interactions."""

    def progress(done, _total, _line):
        if done == at:
            raise KeyboardInterrupt

    return progress


# -- the same request, the same bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES + IN_LOOP)
def test_equal_requests_leave_equal_bytes(name, undisturbed, tmp_path):
    folder, summary = undisturbed(name)
    assert train(request_of(name), tmp_path / "again") == summary
    assert files_of(tmp_path / "again") == files_of(folder)
    groups = ["agent", "replay", "training"]
    groups += ["loop", "second", "second_replay", "experience", "twin"] if name in IN_LOOP else ["controller"]
    names = {"manifest.json", "plant", *(f"{group}.safetensors" for group in groups)}
    expected = {f"checkpoints/{n:010d}/{each}" for n in (40, 60) for each in names}
    assert set(files_of(folder)) == {"manifest.json", "metrics.jsonl", "summary.json"} | expected


def test_another_seed_leaves_other_bytes(undisturbed, tmp_path):
    train(request_of("ddqn", seed=4), tmp_path / "other")
    there, here = files_of(undisturbed("ddqn")[0]), files_of(tmp_path / "other")
    assert there["metrics.jsonl"] != here["metrics.jsonl"]


def test_what_is_kept_does_not_change_what_is_learned(undisturbed):
    assert train(request_of("ddqn")) == undisturbed("ddqn")[1]


@pytest.mark.parametrize("name", [*NAMES, "ddqn-dt"])
@pytest.mark.parametrize("at", [10, 40, 50, 60])
def test_interrupted_and_resumed_leaves_the_same_bytes(name, at, undisturbed, tmp_path):
    """Before the first checkpoint, at one that is due, between two, and after the last interaction.

    In a loop: while it collects, right after it has practised, while it learns on the network, and at the end.
    """
    folder, summary = undisturbed(name)
    with pytest.raises(KeyboardInterrupt):
        train(request_of(name), tmp_path / "run", progress=interrupting(at))
    assert (tmp_path / "run" / "checkpoints" / f"{at:010d}").is_dir()
    told = []
    assert train(request_of(name), tmp_path / "run", resume=True, notice=told.append) == summary
    assert told == [f"going on after {at} interactions"]
    assert files_of(tmp_path / "run") == files_of(folder)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.sampled_from(LINES), unique=True, min_size=2, max_size=4).map(sorted))
def test_any_number_of_interruptions_leaves_the_same_bytes(stops, undisturbed, tmp_path_factory):
    out = tmp_path_factory.mktemp("stops") / "run"
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            train(request_of("ddqn"), out, resume=True, progress=interrupting(stop))
    train(request_of("ddqn"), out, resume=True)
    assert files_of(out) == files_of(undisturbed("ddqn")[0])


def test_processes_of_installed_plugins_look_on_also_after_going_on(undisturbed, tmp_path, monkeypatch, tiny):
    woken = []

    class Wakes:
        @netsim.hookimpl
        def processes(self, simulation):
            def wake():
                while True:
                    yield simulation.env.timeout(tiny.control.period_ns)
                    woken.append((simulation.seed, simulation.env.now // tiny.control.period_ns))

            return [wake()]

    there = plugins.installed()
    monkeypatch.setattr(plugins, "installed", lambda: Installed((*there.plugins, Named("wakes", Wakes())), ()))
    with pytest.raises(KeyboardInterrupt):
        train(request_of("ddqn"), tmp_path / "run", progress=interrupting(30))
    assert woken == [(3, period) for period in range(1, 31)]  # what is due at the end of a period runs in the next
    train(request_of("ddqn"), tmp_path / "run", resume=True)
    assert woken[30:] == [(3, period) for period in range(32, 61)]
    assert files_of(tmp_path / "run") == files_of(undisturbed("ddqn")[0])


def test_a_finished_training_is_given_again_without_being_run(undisturbed):
    folder, summary = undisturbed("ddqn")
    before = files_of(folder)

    def progress(*_):
        raise AssertionError("it ran")

    assert train(request_of("ddqn"), folder, resume=True, progress=progress) == summary
    assert files_of(folder) == before


def test_the_manifest_of_a_finished_training_has_every_file(undisturbed):
    folder, _ = undisturbed("ddqn")
    files = read_manifest(folder)["files"]
    assert set(files) == set(files_of(folder)) - {"manifest.json"}
    assert any(name.startswith("checkpoints/") for name in files)
    assert all(intact(folder / name, kept) for name, kept in files.items())


def test_a_checkpoint_that_was_damaged_is_told_of(tmp_path):
    train(request_of("ddqn"), tmp_path / "run")
    (damaged, *_) = (tmp_path / "run" / "checkpoints").glob("*/agent.safetensors")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"agent\.safetensors is not the file that was written"):
        train(request_of("ddqn"), tmp_path / "run", resume=True)


# -- what it says ------------------------------------------------------------------------------------------------------


def test_metrics_say_what_happened_in_every_window(undisturbed, tiny):
    lines = metrics_of(undisturbed("ddqn")[0])
    windows = [line for line in lines if "reward" in line]
    assert [line["interactions"] for line in windows] == LINES
    assert [line["interactions"] for line in lines if "greedy" in line] == [30, 60]
    config, thresholds = config_of("ddqn"), Training(request_of("ddqn")).agent.task.thresholds
    for line in windows:
        done = line["interactions"]
        assert line["epsilon"] == config.epsilon(done)
        assert line["threshold"] == thresholds.at(done)
        assert line["updates"] == max(0, done - config.learning_starts + 1)
        assert tuple(line["ssr"]) == tiny.slice_names
    assert [line["loss"] is None for line in windows] == [False] * 6


def test_figures_are_those_of_the_periods_played(tiny, tmp_path):
    """Reward, U, SSR and violations recomputed from the reports of a run whose controller learns."""
    request = request_of("ddqn")
    summary = train(request, tmp_path / "run")
    reports, agent = [], Training(request).agent

    class Notes:
        @netsim.hookimpl
        def period_ended(self, report):
            reports.append(report)

    netsim.run(tiny, LearningController(agent), periods=60, seed=3, plugins=[Notes()])
    thresholds = agent.task.thresholds
    for line in (each for each in metrics_of(tmp_path / "run") if "reward" in each):
        window = reports[line["interactions"] - 9 : line["interactions"] + 1]
        rewards = [float(thresholds.reward(report.utility, report.period)) for report in window]
        assert line["reward"] == pytest.approx(np.mean(rewards), rel=1e-12)
        assert line["utility"] == pytest.approx(np.mean([report.utility for report in window]), rel=1e-12)
        satisfied, resolved = (sum(getattr(r, name) for r in window) for name in ("satisfied", "resolved"))
        assert list(line["ssr"].values()) == (satisfied / resolved).tolist()
        assert list(line["violations"].values()) == (resolved - satisfied).tolist()
    total = sum(report.resolved - report.satisfied for report in reports[1:])
    assert list(summary["exploring"]["violations"].values()) == total.tolist()
    assert summary["ledger"] == {"real_interactions": 60, "imagined_transitions": 0, "gradient_steps": 51}


def test_the_greedy_policy_is_played_on_seeds_apart_from_the_training_s(tiny):
    """Its figures are those of the agent as it is, on simulations with the held-out seeds."""
    training = Training(request_of("ddqn", evaluation_seeds=2, evaluation_periods=3))
    summary, reports = training.run(), []
    task, settled = training.agent.task, training.agent.task.thresholds.settled
    for seed in (1 << 62, (1 << 62) + 1):
        simulation = netsim.Simulation(tiny, seed)
        report = simulation.reset()
        for _ in range(3):
            action = training.agent.act(task.encoder.state(report)[None])[0]
            report = simulation.step(task.allocation(action))
            reports.append(report)
    assert training.evaluate()["utility"]["mean"] == summary["greedy"]["utility"]["mean"]
    expected = {
        name: np.mean([getattr(each, name) for each in reports]) for name in ("utility", "se_capacity", "se_carried")
    } | {"reward": np.mean([settled.reward(each.utility, 0) for each in reports])}
    assert {name: summary[name]["mean"] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert summary["utility"] == summary["greedy"]["utility"]
    assert {name: part["ssr"] for name, part in summary["slices"].items()} == summary["greedy"]["ssr"]


def test_evaluating_more_often_changes_nothing_that_is_learned(tmp_path):
    often, never = (request_of("ddqn", evaluate_every=every) for every in (10, 0))
    train(often, tmp_path / "often")
    train(never, tmp_path / "never")
    last = "checkpoints/0000000060/agent.safetensors"
    assert files_of(tmp_path / "often")[last] == files_of(tmp_path / "never")[last]
    plain = [line for line in metrics_of(tmp_path / "often") if "greedy" not in line]
    assert plain == metrics_of(tmp_path / "never")


# -- hooks and plants --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_learning_through_the_hooks_of_a_run_is_the_training(name, tiny):
    """Transition by transition, weight by weight."""
    training, other = Training(request_of(name)), Training(request_of(name))
    training.run()
    controller = LearningController(other.agent)
    netsim.run(tiny, controller, periods=60, seed=3)
    assert controller.interactions == training.controller.interactions == 60
    for one, same in zip(training.agent.memory.all(), other.agent.memory.all(), strict=True):
        assert np.array_equal(one, same)
    one, same = training.agent.to_arrays(), other.agent.to_arrays()
    assert all(np.array_equal(one[key], same[key]) for key in one)


def test_a_transition_is_state_action_utility_and_next_state(tiny):
    """Every remembered one found again by playing its allocations on a simulation."""
    training = Training(request_of("ddqn", hyper={"replay_capacity": 100}))
    training.run()
    task, simulation = training.agent.task, netsim.Simulation(tiny, 3)
    report = simulation.reset()
    transitions = training.agent.memory.all()
    assert len(transitions.actions) == 60
    for state, action, utility, following in zip(*transitions, strict=True):
        assert state.tolist() == task.encoder.state(report).tolist()
        report = simulation.step(task.allocation(action))
        assert (utility, following.tolist()) == (report.utility, task.encoder.state(report).tolist())


def test_an_agent_learns_on_any_plant(tiny):
    plant = FakePlant(tiny)
    training = Training(request_of("ddqn"), plant=plant)
    summary = training.run()
    assert summary["ledger"]["real_interactions"] == len(plant.allocations) - 1 == 60
    assert len(set(plant.allocations)) > 10


def test_a_period_that_another_controller_decided_is_not_remembered(tiny):
    """The first plugin decides every third period."""

    class Sometimes:
        def __init__(self):
            self.calls = 0

        @netsim.hookimpl
        def decide_allocation(self):
            self.calls += 1
            return (2, 12, 6) if self.calls % 3 == 0 else None

    controller = LearningController(make_agent("ddqn", task_of(), config_of("ddqn")))
    netsim.run(tiny, controller, periods=30, seed=1, plugins=[Sometimes()])
    assert controller.interactions == len(controller.agent.memory) == 20


# -- exploring ---------------------------------------------------------------------------------------------------------


def test_epsilon_falls_from_1_to_its_final_value():
    config = AgentConfig()
    assert config.epsilon(0) == 1.0
    assert config.epsilon(3000) == pytest.approx(0.01 + 0.99 / math.e)
    assert config.epsilon(10**9) == pytest.approx(0.01)
    values = [config.epsilon(t) for t in range(0, 20_000, 100)]
    assert values == sorted(values, reverse=True)


def test_the_share_of_random_allocations_is_epsilon(tiny):
    """With epsilon 0.3 throughout; a random allocation is the greedy one once in 171. Within 5 standard deviations."""
    agent = make_agent("ddqn", task_of(), config_of("ddqn", epsilon_final=0.3, epsilon_decay_interactions=1e-6))
    controller, n = LearningController(agent), 4000
    controller.interactions = 10
    greedy = agent.task.allocation(agent.act(np.zeros((1, 3), np.float32))[0])
    others = 0
    for interaction in range(10, 10 + n):
        controller.interactions = interaction
        others += controller.decide_allocation() != greedy
    share = 0.3 * (1.0 - 1.0 / 171.0)
    assert abs(others - n * share) < 5.0 * math.sqrt(n * share * (1.0 - share))


def test_exploring_more_changes_no_sample_of_the_memory():
    """Places drawn for update k are those of the name (seed, replay, k)."""
    agent = make_agent("ddqn", task_of(seed=8), config_of("ddqn"))
    states = np.ones((1, 3), np.float32)
    for k in range(30):
        agent.remember(states[0], k, 2.5, states[0])
    for k in range(3):
        places = (draws.uniform(8, draws.REPLAY, k, 8) * 30).astype(int)
        assert agent.sample(30).actions.tolist() == places.tolist()
        agent.update(30)


def test_samples_are_uniform_over_the_memory():
    agent = make_agent("ddqn", task_of(), config_of("ddqn", batch_size=64))
    for k in range(40):
        agent.remember(np.ones(3, np.float32), k, 2.5, np.ones(3, np.float32))
    counts = np.zeros(40)
    for agent.updates in range(1000):
        counts += np.bincount(agent.sample(0).actions, minlength=40)
    assert stats.chisquare(counts).pvalue > 1e-6


# -- no number ---------------------------------------------------------------------------------------------------------


def poison(agent, what):
    if what == "a weight":
        agent.parameters.flat[3] = math.nan
    elif what == "an infinite weight":
        agent.parameters.flat[3] = math.inf
    elif what == "the target":
        agent.target.flat.fill_(math.nan)
    elif what == "a moment":
        agent.to_arrays()  # copies: they must not be what is poisoned
        agent._adam.first.fill_(math.nan)
    else:
        for _ in range(agent.config.replay_capacity):
            agent.remember(np.ones(3, np.float32), 0, math.nan, np.ones(3, np.float32))


@pytest.mark.parametrize("what", ["a weight", "an infinite weight", "the target", "a moment", "utilities"])
@pytest.mark.parametrize("name", [*NAMES, "ddqn-dt"])
def test_what_is_no_number_stops_the_training_at_that_step(name, what, undisturbed, tmp_path):
    request = request_of(name)
    records = Records(tmp_path / "run", request.to_dict(), 20)
    training = Training(request, records)

    def progress(done, *_):
        if done == 30:
            poison(training.agent, what)

    with pytest.raises(RunError, match=r"not finite at interaction 31, seed 3; .* smaller learning_rate"):
        training.run(progress)
    records.close()
    kept = records.checkpoints.newest()
    assert kept.interactions == 20
    assert all(np.isfinite(array).all() for array in kept.arrays("agent").values())
    train(request, tmp_path / "run", resume=True)
    assert files_of(tmp_path / "run") == files_of(undisturbed(name)[0])


def test_a_critic_that_is_no_number_stops_the_training(tmp_path):
    training = Training(request_of("gan-ddqn"))

    def progress(done, *_):
        if done == 30:
            training.agent.critic.flat[-2] = math.nan

    with pytest.raises(RunError, match="not finite at interaction 31"):
        training.run(progress)


# -- what is refused ---------------------------------------------------------------------------------------------------


def busier():
    return netsim.load_scenario("tiny", ["slices.video.users=4"])


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        (lambda: request_of("ddqn", seed=4), "seed: 3 there, 4 asked for"),
        (lambda: request_of("dqn"), 'agent: "ddqn" there, "dqn" asked for'),
        (lambda: request_of("ddqn", scenario=busier()), "scenario.slices.video.users: 3 there, 4 asked for"),
        (lambda: request_of("ddqn", hyper={"discount": 0.9}), "config.discount: 0.8 there, 0.9 asked for"),
        (lambda: request_of("ddqn", hyper={"hidden": (8,)}), "config.hidden: [8, 8] there, [8] asked for"),
        (lambda: request_of("ddqn", interactions=70), "training.interactions: 60 there, 70 asked for"),
        (lambda: replace(request_of("ddqn"), device="cuda"), 'device: "cpu" there, "cuda" asked for'),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_another_training_is_not_resumed(changed, difference, finished, undisturbed, tmp_path):
    out = undisturbed("ddqn")[0]
    if not finished:
        out = tmp_path / "run"
        with pytest.raises(KeyboardInterrupt):
            train(request_of("ddqn"), out, progress=interrupting(20))
    before = files_of(out)
    with pytest.raises(InputError, match="holds another training, it cannot be resumed") as refused:
        train(changed(), out, resume=True)
    assert difference in str(refused.value).splitlines()
    assert files_of(out) == before


def test_versions_are_part_of_what_was_asked_for(monkeypatch, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(request_of("ddqn"), tmp_path / "run", progress=interrupting(20))
    newer = {**request_of("ddqn").to_dict()["versions"], "torch": "99.0"}
    monkeypatch.setattr("rl.training.versions", lambda *_: newer)
    with pytest.raises(InputError, match=r'versions\.torch: ".*" there, "99\.0" asked for'):
        train(request_of("ddqn"), tmp_path / "run", resume=True)


def test_an_existing_folder_is_refused_or_replaced(tmp_path):
    train(request_of("dqn", interactions=20), tmp_path / "run")
    before = files_of(tmp_path / "run")
    with pytest.raises(InputError, match=r"exists; give another --out, or --resume, or --force"):
        train(request_of("ddqn"), tmp_path / "run")
    assert files_of(tmp_path / "run") == before
    train(request_of("ddqn", interactions=20), tmp_path / "run", force=True)
    train(request_of("ddqn", interactions=20), tmp_path / "fresh")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "fresh")


@pytest.mark.parametrize("options", [{"force": True}, {"resume": True}])
def test_a_folder_with_other_things_is_left_alone(options, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other things than a training"):
        train(request_of("ddqn"), tmp_path / "thesis", **options)
    assert files_of(tmp_path / "thesis") == {"chapter.txt": b"years of work"}
    assert not (tmp_path / "thesis" / "manifest.json").exists()


@pytest.mark.parametrize("options", [{"resume": True}, {"force": True}, {}])
def test_a_second_training_in_the_same_folder_is_refused(options, tmp_path, undisturbed):
    refusals = []

    def second(*_):
        with pytest.raises(InputError, match=r"another run is writing|exists; give another --out") as refused:
            train(request_of("ddqn"), tmp_path / "run", **options)
        refusals.append(refused)

    train(request_of("ddqn"), tmp_path / "run", progress=second)
    assert len(refusals) == len(LINES)
    assert files_of(tmp_path / "run") == files_of(undisturbed("ddqn")[0])


def test_a_refused_training_lets_the_folder_go(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(request_of("ddqn"), tmp_path / "run", progress=interrupting(20))
    with pytest.raises(InputError, match="holds another training"):
        train(request_of("dqn"), tmp_path / "run", resume=True)
    train(request_of("ddqn"), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("name", "settings_given", "message"),
    [
        ("ddqm", {}, "there is no agent 'ddqm', did you mean 'ddqn'?"),
        ("ddqn", {"learning_rat": 1e-3}, "ddqn: unknown setting 'learning_rat', did you mean 'learning_rate'?"),
        ("ddqn", {"discount": 1.0}, "ddqn.discount: input should be less than 1, got 1.0"),
        ("ddqn", {"learning_rate": math.nan}, "ddqn.learning_rate: input should be a finite number, got nan"),
        ("ddqn", {"hidden": (0,)}, "ddqn.hidden.0: input should be greater than or equal to 1, got 0"),
        ("gan-ddqn", {"betas": (0.5, 1.0)}, "gan-ddqn.betas.1: input should be less than 1, got 1.0"),
        ("ddqn", {"batch_size": 0}, "ddqn.batch_size: input should be greater than or equal to 1, got 0"),
    ],
)
def test_wrong_hyper_parameters_are_named_with_their_rule(name, settings_given, message):
    with pytest.raises(InputError) as refused:
        configured(name, settings_given)
    assert message in str(refused.value)


@pytest.mark.parametrize("field", [name for name in TRAINING if name != "evaluate_every"])
def test_frequencies_are_at_least_one(field):
    with pytest.raises(ValueError, match=field):
        TrainingConfig(**{field: 0})


def test_a_summary_that_was_damaged_is_not_given_again(tmp_path):
    train(request_of("ddqn"), tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_bytes())
    summary["greedy"]["utility"]["mean"] = 4.0
    (tmp_path / "run" / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(RunError, match=r"summary\.json is not the file that was written"):
        train(request_of("ddqn"), tmp_path / "run", resume=True)


# -- TensorBoard -------------------------------------------------------------------------------------------------------


def shown(folder):
    """What TensorBoard shows: (tag, step) -> value."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = accumulators.EventAccumulator(str(folder / "tensorboard"))
    accumulator.Reload()
    events = {tag: accumulator.Scalars(tag) for tag in accumulator.Tags()["scalars"]}
    return {(tag, event.step): event.value for tag, each in events.items() for event in each}


def expected_of(folder):
    """The numbers of the metrics, by tag and step."""

    def numbers(value, name):
        if isinstance(value, dict):
            return {key: number for part in value for key, number in numbers(value[part], f"{name}/{part}").items()}
        return {name[1:]: value} if isinstance(value, int | float) else {}

    lines = [(line["interactions"], numbers(line, "")) for line in metrics_of(folder)]
    return {(tag, step): pytest.approx(value, rel=1e-6) for step, line in lines for tag, value in line.items()}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard's reader
def test_tensorboard_shows_the_metrics_also_of_a_training_that_was_resumed(undisturbed, tmp_path):
    """Stopped at 50 and resumed from 40: what came after 40 is shown once."""
    with pytest.raises(KeyboardInterrupt):
        train(request_of("ddqn"), tmp_path / "run", progress=interrupting(50))
    (tmp_path / "run" / "checkpoints" / "0000000050" / "manifest.json").unlink()
    train(request_of("ddqn"), tmp_path / "run", resume=True)
    assert len(expected_of(tmp_path / "run")) > 60
    assert shown(tmp_path / "run") == expected_of(tmp_path / "run")
    assert shown(undisturbed("ddqn")[0]) == expected_of(tmp_path / "run")
