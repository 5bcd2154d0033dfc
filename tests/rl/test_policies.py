"""What a training came to: how good it is, as a controller, and as files that need nothing of this."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netsim
from netsim import cli
from netsim.errors import InputError, RunError
from netsim.results import KIND as RUN
from netsim.statistics import ratio
from rl import export as exporting
from rl.agents import make_agent
from rl.evaluation import evaluate, latencies_and_counts, play
from rl.export import dense, export
from rl.greedy import HELD_OUT_SEED
from rl.policy import AgentController, load_agent
from rl.training import train
from tests.rl.small import NAMES, batches, config_of, request_of, task_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tiny():
    return netsim.load_scenario("tiny")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a small training of each agent, made when asked for."""
    made = {}

    def folder(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "run"
            train(request_of(name), made[name])
        return made[name]

    return folder


# -- evaluating --------------------------------------------------------------------------------------------------------


class Arrivals:
    """Notes the packets that arrive."""

    def __init__(self):
        self.seen = []

    @netsim.hookimpl
    def period_ended(self, report):
        self.seen.append(report.arrived.tolist())


def test_all_controllers_meet_the_same_packets(tiny, trained):
    seen = []
    for controller in ("best-static", "random", f"agent:{trained('ddqn')}"):
        notes = Arrivals()
        netsim.run(tiny, controller, periods=20, seed=1_000_000, plugins=[notes])
        seen.append(notes.seen)
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("controller", ["best-static", "equal"])
def test_figures_are_those_of_the_runs(tiny, controller):
    """U, SSR and violations of each seed from the summaries of ordinary runs."""
    [figures] = evaluate(tiny, [controller], periods=15, first_seed=70, seeds=4)
    runs = [netsim.run(tiny, controller, periods=15, seed=seed) for seed in range(70, 74)]
    best = [netsim.run(tiny, "best-static", periods=15, seed=seed) for seed in range(70, 74)]
    utilities, best_utilities = ([each["utility"]["mean"] for each in some] for some in (runs, best))
    assert figures["utility"]["mean"] == pytest.approx(np.mean(utilities), rel=1e-12)
    low, high = figures["utility"]["ci95"]
    half = 3.182446305284263 * np.std(utilities, ddof=1) / 2.0  # Student, 3 degrees of freedom
    assert (high - low) / 2.0 == pytest.approx(half, rel=1e-6)
    assert figures["share_of_best_static"]["mean"] == pytest.approx(sum(utilities) / sum(best_utilities), rel=1e-12)
    for name, part in figures["slices"].items():
        counts = [each["slices"][name] for each in runs]
        satisfied = sum(each["satisfied"] for each in counts)
        resolved = satisfied + sum(each[how] for each in counts for how in ("slow", "late", "dropped"))
        assert part["ssr"]["mean"] == pytest.approx(satisfied / resolved, rel=1e-12)
        assert part["violations"] == resolved - satisfied
        for count in ("arrived", "satisfied", "slow", "late", "dropped", "departed", "carried_bits", "pending"):
            assert part[count] == sum(each[count] for each in counts)
        sums_ms = [each["latency_mean_ms"]["mean"] * each["departed"] for each in counts]
        assert part["latency_mean_ms"]["mean"] == pytest.approx(sum(sums_ms) / part["departed"], rel=1e-12)
        percentiles = [each["latency_p99_ms"]["mean"] for each in counts]
        assert part["latency_p99_ms"]["mean"] == pytest.approx(np.mean(percentiles), rel=1e-12)
        assert part["latency_p99_ms"]["ci95"] is not None
    carried = np.mean([each["se_carried"]["mean"] for each in runs])
    assert figures["se_carried"]["mean"] == pytest.approx(carried, rel=1e-12)
    worst = min(figures["slices"], key=lambda name: figures["slices"][name]["ssr"]["mean"])
    assert figures["worst_slice"] == {"name": worst, "ssr": figures["slices"][worst]["ssr"]}
    assert figures["seeds"] == [70, 73]


def test_latencies_of_what_nothing_departed_from_are_not_known():
    unknown = {"mean": None, "ci95": None}
    silent = {"departed": 0, "latency_mean_ms": unknown, "latency_p99_ms": unknown}
    assert latencies_and_counts([silent, silent]) == silent
    heard = {"departed": 3, "latency_mean_ms": {"mean": 2.0}, "latency_p99_ms": {"mean": 5.0}}
    known = latencies_and_counts([silent, heard])
    assert (known["departed"], known["latency_mean_ms"]["mean"], known["latency_p99_ms"]["mean"]) == (3, 2.0, 5.0)


def test_best_static_s_share_of_itself_is_exactly_1(tiny):
    [figures] = evaluate(tiny, ["best-static"], periods=5, first_seed=0, seeds=3)
    assert figures["share_of_best_static"] == {"mean": 1.0, "ci95": [1.0, 1.0]}


def test_pairing_seeds_narrows_the_interval_of_the_share(tiny):
    """A near miss of the best allocation shares its seeds' luck; paired the other way round it does not."""
    best = play(tiny, "best-static", range(100, 130), 10)
    near = play(tiny, "equal", range(100, 130), 10)
    paired = near.share_of(best)
    shuffled = ratio(np.roll(near.utilities, 11), best.utilities)
    assert paired.mean == pytest.approx(shuffled.mean, rel=1e-12)
    assert width(paired) < 0.9 * width(shuffled)


def width(figure):
    return figure.ci95[1] - figure.ci95[0]


def test_the_reward_is_that_of_the_full_grown_threshold(tiny):
    """Whatever the number of periods: g = gmax throughout."""
    rewards = []

    class Rewards:
        @netsim.hookimpl
        def period_ended(self, report):
            if report.period:
                u, gmax = report.utility, tiny.reward.gmax
                rewards.append(0.0 if u < gmax else 1.0 + (u - gmax) / 2.0)

    for seed in (5, 6):
        netsim.run(tiny, "best-static", periods=12, seed=seed, plugins=[Rewards()])
    [figures] = evaluate(tiny, ["best-static"], periods=12, first_seed=5, seeds=2)
    assert figures["reward"]["mean"] == pytest.approx(np.mean(rewards), rel=1e-12)


def test_progress_counts_the_runs(tiny):
    told = []
    evaluate(tiny, ["equal"], periods=1, first_seed=0, seeds=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_seeds_held_out_are_none_that_a_user_can_choose():
    from rl.commands import SEEDS

    assert SEEDS.max < HELD_OUT_SEED


# -- a controller like any other ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_controls_a_run_by_its_greedy_policy(name, tiny, trained):
    agent, reports = load_agent(trained(name)), []

    class Notes:
        @netsim.hookimpl
        def period_ended(self, report):
            reports.append(report)

    netsim.run(tiny, f"agent:{trained(name)}", periods=10, seed=2, plugins=[Notes()])
    for before, after in pairwise(reports):
        action = agent.scores(agent.task.encoder.state(before)[None]).argmax()
        assert after.allocation == agent.task.allocation(action)


@pytest.mark.parametrize(
    ("overrides", "difference"),
    [
        (["carrier.prb=40"], "was trained to share 20 units between 3 slices, the scenario 'tiny' has 40 units and 3"),
        (["carrier.allocation_unit_prb=2"], "'tiny' has 10 units and 3 slices"),
    ],
)
def test_an_agent_is_refused_where_its_actions_mean_something_else(overrides, difference, trained):
    other = netsim.load_scenario("tiny", overrides)
    with pytest.raises(InputError) as refused:
        AgentController(str(trained("ddqn")), scenario=other)
    assert difference in str(refused.value)


def test_a_folder_without_an_agent_is_refused(tmp_path, tiny):
    with pytest.raises(InputError, match=r"is no training: it has no manifest\.json"):
        AgentController(str(tmp_path), scenario=tiny)


def test_an_agent_whose_newest_checkpoint_is_damaged_controls_as_the_one_before_and_says_so(tmp_path, tiny, capsys):
    train(request_of("ddqn"), tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "0000000060" / "agent.safetensors").write_bytes(b"")
    netsim.run(tiny, f"agent:{tmp_path / 'run'}", periods=1)
    said = capsys.readouterr().err
    assert "0000000060 is damaged and was passed over" in said


def invoked(*arguments):
    result = CliRunner().invoke(cli.netsim, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_evaluate_plays_an_agent_on_what_it_was_trained_on(trained):
    options = ("--periods", 4, "--seeds", 2, "--json")
    figures = json.loads(invoked("evaluate", trained("ddqn"), *options))
    assert figures["scenario"] == "tiny"
    assert figures["controller"] == f"agent:{trained('ddqn')}"
    assert figures["seeds"] == [1_000_000, 1_000_001]
    assert figures["share_of_best_static"]["mean"] > 0.0
    agent = f"agent:{trained('ddqn')}"
    [direct] = evaluate(netsim.load_scenario("tiny"), [agent], periods=4, first_seed=10**6, seeds=2)
    assert figures == json.loads(json.dumps(direct))


def test_overrides_of_the_training_stay_when_further_ones_are_given(tmp_path):
    """The scenario is that of the folder, not the shipped one of its name."""
    busier = netsim.load_scenario("tiny", ["slices.video.users=5"])
    train(request_of("ddqn", scenario=busier, interactions=20), tmp_path / "run")
    options = ("--periods", 2, "--seeds", 2, "--set", "slices.VoLTE.users=4", "--json")
    figures = json.loads(invoked("evaluate", tmp_path / "run", *options))
    both = netsim.load_scenario("tiny", ["slices.video.users=5", "slices.VoLTE.users=4"])
    assert figures["scenario_hash"] == both.hash


def test_evaluate_plays_any_controller_and_shows_a_table(trained):
    text = invoked("evaluate", "proportional", "--scenario", "tiny", "--periods", 3, "--seeds", 2)
    for words in ("controller proportional", "utility U", "U over best static", "SSR URLLC", "worst slice"):
        assert words in text


MINE = """
import netsim

class Mine:
    @netsim.hookimpl
    def decide_allocation(self, report):
        return (UNITS)
"""


def a_run(folder, controller, *options):
    """The folder of a run of ``tiny`` that is busier than the shipped one."""
    busier = ("--set", "slices.video.users=5", "--periods", 2, "--quiet")
    invoked("run", "tiny", "--controller", controller, *busier, "--out", folder, *options)
    return folder


def test_evaluate_plays_the_controller_of_a_run_on_its_scenario(tmp_path):
    options = ("--periods", 3, "--seeds", 2, "--seed", 70, "--json")
    figures = json.loads(invoked("evaluate", a_run(tmp_path / "run", "fixed:4,12,4"), *options))
    busier = netsim.load_scenario("tiny", ["slices.video.users=5"])
    [direct] = evaluate(busier, ["fixed:4,12,4"], periods=3, first_seed=70, seeds=2)
    assert figures == json.loads(json.dumps(direct))


def test_evaluate_plays_a_run_s_controller_from_the_file_that_was_run_and_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE.replace("UNITS", "4, 12, 4"))
    options = ("evaluate", a_run("run", "mine.py:Mine"), "--periods", 2, "--seeds", 2)
    assert "controller mine.py:Mine" in invoked(*options)
    Path("mine.py").write_text(MINE.replace("UNITS", "5, 11, 4"))
    now = r"mine\.py of its controller .* is not the one that was run; .*: netsim evaluate mine\.py:Mine --scenario"
    with pytest.raises(InputError, match=now):
        invoked(*options)
    Path("mine.py").unlink()
    with pytest.raises(InputError, match=r"run: the file mine\.py of its controller .* is not there; call this"):
        invoked(*options)


def test_evaluate_plays_a_controller_of_a_module_and_no_other_than_was_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine_as_a_module.py").write_text(MINE.replace("UNITS", "4, 12, 4"))
    options = ("--periods", 2, "--seeds", 2)
    folder = a_run("run", "mine_as_a_module:Mine")
    assert "controller mine_as_a_module:Mine" in invoked("evaluate", folder, *options)
    # What a process has imported stays what it runs, so the manifest is changed and not the module.
    manifest = RUN.read(Path(folder))
    assert list(manifest["request"]["sources"]) == ["mine_as_a_module:Mine"]
    manifest["request"]["sources"] = {"mine_as_a_module:Mine": "0" * 64}
    RUN.write(Path(folder), manifest)
    with pytest.raises(
        InputError, match=r"run: the module mine_as_a_module of its controller .* is not the one that was"
    ):
        invoked("evaluate", folder, *options)


@pytest.mark.parametrize("inner", ["mine.py:Mine", "lower/mine.py:Mine"])
@pytest.mark.parametrize("around", ["explore:0.2/{}", "mixed:fixed:4,12,4|{}", "mixed:explore:0.5/{}|random"])
def test_a_controller_within_another_is_the_one_that_was_run(around, inner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lower").mkdir()
    for folder in (".", "lower"):
        (Path(folder) / "mine.py").write_text(MINE.replace("UNITS", "4, 12, 4"))
    run = a_run("run", around.format(inner))
    assert list(json.loads((Path(run) / "manifest.json").read_text())["request"]["sources"]) == [inner]
    Path(inner.partition(":")[0]).write_text(MINE.replace("UNITS", "5, 11, 4"))
    with pytest.raises(
        InputError, match=r"mine\.py of its controller .* is not the one that was run; put that one back"
    ):
        invoked("evaluate", run, "--periods", 2, "--seeds", 2)


OFFER = """
import netsim
from netsim.controllers import Equal

class Offer:
    @netsim.hookimpl
    def controllers(self):
        return {"even": Equal}
"""


def test_evaluate_looks_names_up_among_the_plugins_of_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("offer.py").write_text(OFFER)
    Path("mine.py").write_text(MINE.replace("UNITS", "4, 12, 4"))
    offered = a_run("run", "even", "--plugin", "offer.py:Offer")
    assert "controller even" in invoked("evaluate", offered, "--periods", 2, "--seeds", 2)
    decided = a_run("decided", "equal", "--plugin", "mine.py:Mine")
    with pytest.raises(InputError, match=r"its plugin 'mine\.py:Mine' decides too, .* evaluated alone"):
        invoked("evaluate", decided, "--periods", 2, "--seeds", 2)


def test_evaluate_says_what_to_give_where_a_run_s_scenario_names_files(tmp_path):
    run = a_run(tmp_path / "run", "equal")
    manifest = RUN.read(run)
    manifest["request"]["files"] = {"trace.csv": "0" * 64}
    RUN.write(run, {name: value for name, value in manifest.items() if name not in ("format", "format_version")})
    with pytest.raises(InputError, match=r"names files \(trace\.csv\); give it too, with --scenario FILE"):
        invoked("evaluate", run)
    assert "controller equal" in invoked("evaluate", run, "--scenario", "tiny", "--periods", 2, "--seeds", 2)


def test_evaluate_refuses_a_folder_that_holds_nothing_to_play(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": "netsim-study"}')
    with pytest.raises(InputError, match=r"no training, no student and no run: the format .* is netsim-study"):
        invoked("evaluate", tmp_path)
    with pytest.raises(InputError, match=r"'equal' is no folder of a training, .*; for a controller give --scenario"):
        invoked("evaluate", "equal")


# -- to take along -----------------------------------------------------------------------------------------------------

ALONE = """
import importlib.abc, json, sys


class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"rl", "netsim", "torch", "numba", "gymnasium", "onnx"}:
            raise ImportError(name + " is not to be had here")


sys.meta_path.insert(0, Nothing())
import runpy

chosen = {}
for folder in sys.argv[2:]:
    policy = runpy.run_path(folder + "/policy.py")["Policy"](folder + "/policy.npz")
    chosen[folder] = [policy(row) for row in json.loads(sys.argv[1])]
print(json.dumps(chosen))
"""


WIDER = {
    "dqn": {"hidden": (32, 32)},
    "ddqn": {"hidden": (32, 24)},
    "gan-ddqn": {"embedding": 32, "common": 32, "branch": 32},
    "feature-ddqn": {},
}


def opinionated(name):
    """An agent whose greedy allocation depends on the state, as that of a short training does not."""
    agent = make_agent(name, task_of(), config_of(name, **WIDER[name]))
    agent.parameters.flat.mul_(5.0)
    return agent


def some_arrivals(task, n=200):
    """From nothing to ten times the usual."""
    rng = np.random.Generator(np.random.Philox(2))
    usual = np.expm1(np.array(task.encoder.scale))
    return np.vstack([np.zeros(3, int), rng.integers(0, 10 * usual + 1, (n, 3))])


def test_the_numpy_form_chooses_what_the_agents_choose_where_there_is_only_numpy(tmp_path):
    agents = {str(tmp_path / name): opinionated(name) for name in NAMES}
    arrived = some_arrivals(task_of())
    for folder, agent in agents.items():
        export(agent, Path(folder), onnx=False)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(arrived.tolist()), *agents],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )  # fmt: skip
    chosen = json.loads(done.stdout)
    for folder, agent in agents.items():
        expected = [agent.task.allocation(action) for action in agent.act(agent.task.encoder(arrived))]
        assert [tuple(units) for units in chosen[folder]] == expected
        assert len(set(expected)) > 1


@pytest.mark.parametrize("name", NAMES)
def test_onnx_chooses_what_the_agent_chooses(name, tmp_path):
    """Single precision throughout: where the two differ, the scores of both choices are the same to six digits."""
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    agent = opinionated(name)
    told = export(agent, tmp_path, onnx=True)
    assert told["agreement"] == {"numpy": 1.0, "onnx": 1.0}
    assert "arrived: packets that arrived per slice" in onnx.load(tmp_path / "policy.onnx").doc_string
    session = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx"), providers=["CPUExecutionProvider"])
    arrived = some_arrivals(agent.task)
    actions, units = session.run(["action", "units"], {"arrived": arrived.astype(np.float32)})
    states = agent.task.encoder(arrived)
    scores = agent.scores(states)
    best = scores[np.arange(len(states)), agent.act(states)]
    chosen = scores[np.arange(len(states)), actions]
    assert chosen == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert (actions == agent.act(states)).mean() > 0.95
    assert len(set(actions.tolist())) > 1
    assert [tuple(row) for row in units] == [agent.task.allocation(action) for action in actions]


@pytest.mark.parametrize("name", NAMES)
def test_the_layers_score_as_the_agent_does(name):
    """Up to what is the same for all allocations of a state, which chooses nothing."""
    agent = opinionated(name)
    [batch] = batches(agent.task, 20, 1)
    x = batch.states
    *hidden, (weight, bias) = dense(agent)
    for w, b in hidden:
        x = np.maximum(x @ w.T + b, 0.0)
    scores, expected = x @ weight.T + bias, agent.scores(batch.states)
    exact = 1e-5 * float(np.abs(expected).max())
    assert centred(scores) == pytest.approx(centred(expected), abs=exact)


def centred(scores):
    return scores - scores.mean(axis=1, keepdims=True)


def test_a_form_that_chooses_otherwise_is_not_handed_out(tmp_path, monkeypatch):
    """What is written takes a root for a logarithm."""
    monkeypatch.setattr(exporting, "SOURCE", exporting.SOURCE.replace("import log1p", "import sqrt as log1p"))
    with pytest.raises(RunError, match="numpy do not choose what the agent chooses"):
        export(opinionated("dqn"), tmp_path, onnx=False)


def test_export_without_onnx_says_what_to_install(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"ONNX is not installed; `pip install 'slicetwin\[onnx\]'`"):
        export(load_agent(trained("dqn")), tmp_path, onnx=True)


def test_export_on_the_command_line(trained, tmp_path):
    told = json.loads(invoked("export", trained("ddqn"), "--out", tmp_path / "policy"))
    assert told["agreement"] == {"numpy": 1.0}
    assert {path.name for path in (tmp_path / "policy").iterdir()} == {"policy.py", "policy.npz"}


def test_a_policy_that_is_there_is_refused_or_replaced(trained, tmp_path):
    folder = tmp_path / "policy"
    arguments = ("export", trained("ddqn"), "--out", folder)
    invoked(*arguments)
    with pytest.raises(InputError, match="policy exists; give another --out, or --force to replace the policy in it"):
        invoked(*arguments)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "policy.py").write_text("an older one")
    (folder / "__pycache__").mkdir()
    invoked(*arguments, "--force")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other things than a policy"):
        invoked(*arguments, "--force")
    assert (folder / "thesis.tex").read_text() == "years of work"
