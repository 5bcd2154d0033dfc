"""A student does what its teacher does, and its card says what it costs and what it loses."""

import json
import re
import runpy
from dataclasses import replace
from itertools import pairwise, product

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import netsim
from netsim import allocations, cli
from netsim.errors import InputError, RunError
from rl.agents import configured, make_agent
from rl.card import agreement, lost, size
from rl.distillation import DistillationConfig, Labelled, cross_entropy, distil, label
from rl.export import export
from rl.greedy import GreedyEvaluation, Played
from rl.offline import learn_offline
from rl.offline_request import OfflineConfig, OfflineRequest, Recorded
from rl.policy import load_agent
from rl.standalone import PerSlice
from rl.students import Student, StudentConfig, StudentController, load_student
from rl.training import Request, TrainingConfig, train
from tests.rl.small import config_of, request_of, task_of

HEADS = ("full", "factored")
QUICK = {"steps": 60, "check_every": 10, "batch_size": 16}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "run"
    train(request_of("ddqn"), folder)
    return folder


@pytest.fixture(scope="module")
def kept(trained, tmp_path_factory):
    """The folder of a student of each head, and what the command printed."""
    made = {}
    for head in HEADS:
        folder = tmp_path_factory.mktemp(head) / "student"
        made[head] = folder, invoked(*distilling(trained, folder, head), "--json")
    return made


def distilling(run, out, head="full"):
    hyper = [f"--hyper={key}={value}" for key, value in QUICK.items()]
    return ("distill", run, "--out", out, "--head", head, "--hidden", "5,4", "--seeds", 2, "--periods", 4, *hyper)


def invoked(*arguments):
    result = CliRunner().invoke(cli.netsim, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


class Chooser:
    """A teacher that allocates by which slice had the most packets for its scale."""

    def __init__(self, task):
        self.task = task

    def scores(self, states):
        made = np.zeros((len(states), self.task.n_actions), np.float32)
        made[np.arange(len(states)), 50 * states.argmax(axis=1) + 7] = 1.0
        return made

    def act(self, states):
        return self.scores(states).argmax(axis=1)


def states_of(count, seed=1):
    return np.random.Generator(np.random.Philox(seed)).normal(1.0, 0.2, (count, 3)).astype(np.float32)


# -- the equations -----------------------------------------------------------------------------------------------------


def scores_in_numpy(student, states):
    """Layer by layer in float64; of a factored head slice by slice and allocation by allocation."""
    weights = {name: tensor.numpy().astype(np.float64) for name, tensor in student.parameters.items()}
    x = states.astype(np.float64)
    for i in range(len(student.config.hidden)):
        x = np.maximum(x @ weights[f"hidden.{i}.weight"].T + weights[f"hidden.{i}.bias"], 0.0)
    out = x @ weights["head.0.weight"].T + weights["head.0.bias"]
    if student.config.head == "full":
        return out
    units, n = student.task.units, student.task.n_slices
    tables = out.reshape(len(states), n, units - n + 1)
    every = [w for w in product(range(1, units), repeat=n) if sum(w) == units]
    return np.array([sum(tables[:, i, given - 1] for i, given in enumerate(w)) for w in every]).T


@pytest.mark.parametrize("head", HEADS)
def test_scores_are_those_of_the_layers_written_out(head):
    student = Student(task_of(), StudentConfig(hidden=(6, 5), head=head), seed=3)
    states = states_of(9)
    expected = scores_in_numpy(student, states)
    np.testing.assert_allclose(student.scores(states), expected, rtol=1e-5, atol=1e-6)
    assert (student.act(states) == expected.argmax(axis=1)).all()


@pytest.mark.parametrize("temperature", [None, 0.3])
@pytest.mark.parametrize("head", HEADS)
def test_eq_12_with_its_minus_sign(head, temperature):
    """- 1/N sum_i sum_j 1(j = a_i) log p_ij, and with the teacher's softmax of Q / T in place of 1(j = a_i)."""
    task = task_of()
    teacher = make_agent("ddqn", task, config_of("ddqn"))
    student, states = Student(task, StudentConfig(head=head), seed=3), states_of(40)
    scores, q = scores_in_numpy(student, states), teacher.scores(states).astype(np.float64)
    total = 0.0
    for i in range(len(states)):
        p = np.exp(scores[i]) / np.exp(scores[i]).sum()
        label_of = np.eye(task.n_actions)[q[i].argmax()]
        if temperature is not None:
            label_of = np.exp(q[i] / temperature) / np.exp(q[i] / temperature).sum()
        total += (label_of * np.log(p)).sum()
    loss = cross_entropy(student, student.parameters, label(teacher, states, temperature))
    assert float(loss) == pytest.approx(-total / len(states), rel=1e-5)
    assert float(loss) > 0


def test_labels_of_many_states_are_those_of_each():
    teacher, states = Chooser(task_of()), states_of(2500)
    labelled = label(teacher, states, 0.5)
    assert (labelled.actions.numpy() == teacher.act(states)).all()
    np.testing.assert_allclose(labelled.soft.numpy().sum(axis=1), 1.0, rtol=1e-5)
    assert (labelled.soft.numpy().argmax(axis=1) == teacher.act(states)).all()


# -- learning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"head": "factored"}, {"temperature": 0.1}])
def test_a_student_of_16_neurons_tells_apart_what_its_teacher_does(settings):
    """More often right in held-out states than any constant, beyond the interval of what held-out states can tell."""
    config = DistillationConfig(**settings, steps=600, batch_size=64)
    student, fit = distil(Chooser(task_of()), states_of(1500), config, seed=2)
    told = agreement(student, fit)
    assert told["allocations_of_the_teacher"] == 3
    assert told["held_out"]["ci95"][0] > told["of_its_commonest_alone"] + 0.3


def test_a_student_is_a_function_of_teacher_states_settings_and_seed():
    config = DistillationConfig(**QUICK)
    first, again, other = (distil(Chooser(task_of()), states_of(200), config, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first.parameters.flat, again.parameters.flat)
    assert not torch.equal(first.parameters.flat, other.parameters.flat)


def test_held_out_states_are_not_learned_from():
    """Wherever the teacher is wrong about them: the student before any choice of weights is the same to the bit."""
    states, config = states_of(200), DistillationConfig(**QUICK)
    _, fit = distil(Chooser(task_of()), states, config, seed=4)
    held_out = {row.tobytes() for row in fit.held_out.states.numpy()}
    assert (len(held_out), fit.states) == (40, 160)

    class Mistaken(Chooser):
        def act(self, states):
            chosen = super().act(states)
            return np.array([0 if row.tobytes() in held_out else a for row, a in zip(states, chosen, strict=True)])

    seen = []
    for kind in (Chooser, Mistaken):
        watched = []
        steps = config.model_copy(update={"patience": config.steps})
        distil(kind(task_of()), states, steps, 4, lambda _, s, to=watched: to.append(s.parameters.flat.clone()))
        seen.append(torch.stack(watched))
    assert torch.equal(*seen)
    assert len(seen[0]) == 1 + config.steps


def test_learning_stops_early_and_the_student_has_the_weights_of_the_best_look():
    config = DistillationConfig(steps=5000, check_every=20, patience=3, learning_rate=0.05, batch_size=16)
    teacher, states = Chooser(task_of()), states_of(120)
    student, fit = distil(teacher, states, config, seed=1)
    assert fit.steps == fit.best_step + 60 < 5000
    steps, losses = zip(*fit.curve, strict=True)
    assert steps == tuple(range(0, fit.steps + 1, 20))
    assert all(loss >= fit.held_out_loss - config.least_gain for loss in losses)
    assert fit.held_out_loss == losses[steps.index(fit.best_step)]
    until = config.model_copy(update={"steps": fit.best_step})
    assert torch.equal(distil(teacher, states, until, seed=1)[0].parameters.flat, student.parameters.flat)


def test_the_newest_states_are_learned_from():
    states = states_of(300)
    config = DistillationConfig(**QUICK, states=100)
    limited, given = (distil(Chooser(task_of()), some, config, 1)[0] for some in (states, states[-100:]))
    assert torch.equal(limited.parameters.flat, given.parameters.flat)


def test_a_teacher_that_remembers_too_little_is_refused():
    with pytest.raises(InputError, match=r"remembers 2 states, too few to hold 0\.2 of them out"):
        distil(Chooser(task_of()), states_of(2), DistillationConfig(), seed=0)


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_parameters_and_flops_of_a_student_counted_by_hand():
    """3-16-16-4851, and 3-16-16-294 with two additions for each of 4851 allocations."""
    hidden = 3 * 16 + 16 * 16
    full, factored = (Student(task_of(100), StudentConfig(head=head), 0) for head in HEADS)
    assert size(full, full.parameters) == {
        "parameters": hidden + 32 + 17 * 4851,
        "parameters_without_head": hidden + 32,
        "flops": 2 * (hidden + 16 * 4851),
        "flops_without_head": 2 * hidden,
    }
    assert size(factored, factored.parameters) == {
        "parameters": hidden + 32 + 17 * 294,
        "parameters_without_head": hidden + 32,
        "flops": 2 * (hidden + 16 * 294 + 4851),
        "flops_without_head": 2 * hidden,
    }


def test_the_head_of_a_teacher_is_counted_apart():
    agent = make_agent("dqn", task_of(100))
    counts = size(agent, agent.parameters)
    assert counts["parameters"] == 742_003
    assert counts["parameters"] - counts["parameters_without_head"] == 129 * 4851


def test_what_is_lost_is_paired_by_seed():
    """The student loses 0.1 of U at every seed, however much the seeds differ."""
    tiny = netsim.load_scenario("tiny")
    resolved = np.full((3, 3), 100)
    satisfied = np.array([[90, 100, 50], [80, 100, 60], [70, 100, 70]])
    ones = np.ones(3)
    teacher = Played(np.array([3.0, 4.0, 5.0]), ones, satisfied, resolved, ones, ones)
    student = Played(teacher.utilities - 0.1, ones, satisfied - [1, 0, 3], resolved, ones, ones)
    figures = lost(tiny, teacher, student)
    assert figures["utility_lost"]["ci95"] == pytest.approx([0.1, 0.1])
    assert figures["utility_kept"]["mean"] == pytest.approx(11.7 / 12.0)
    assert [figures["ssr_lost"][name]["mean"] for name in tiny.slice_names] == pytest.approx([0.01, 0.0, 0.03])


@pytest.mark.slow
def test_a_student_of_16_neurons_keeps_97_percent_of_what_an_agent_of_table1_1mhz_gets(tmp_path):
    scenario = netsim.load_scenario("table1-1mhz")
    training = TrainingConfig(interactions=3000, evaluate_every=0)
    train(Request(scenario, "ddqn", configured("ddqn", {}), training, 1), tmp_path / "run")
    invoked("distill", tmp_path / "run", "--out", tmp_path / "student", "--quiet")
    card = json.loads((tmp_path / "student" / "card.json").read_text())
    assert card["simulator"]["utility_kept"]["ci95"][0] >= 0.97


# -- as files ----------------------------------------------------------------------------------------------------------


@given(
    n=st.integers(2, 4),
    more=st.integers(0, 6),
    seed=st.integers(0, 10**6),
)
def test_the_best_split_found_slice_by_slice_has_the_highest_sum_of_all(n, more, seed):
    tables = np.random.Generator(np.random.Philox(seed)).normal(size=(n, more + 1)).astype(np.float32)
    chosen = PerSlice({"slices": np.array(n), "units": np.array(n + more)}).choose(tables.ravel())
    every = allocations.enumerate_all(n + more, n) - 1
    sums = tables.astype(np.float64)[np.arange(n), every].sum(axis=1)
    own = tables.astype(np.float64)[np.arange(n), np.array(chosen) - 1].sum()
    assert sum(chosen) == n + more
    assert own >= sums.max() - 1e-5  # sums of a few float32 below 10


@pytest.mark.parametrize("units", [20, 100])
@pytest.mark.parametrize("head", HEADS)
def test_the_numpy_form_decides_as_the_student(head, units, tmp_path):
    student, _ = distil(Chooser(task_of(units)), states_of(300), DistillationConfig(**QUICK, head=head), seed=1)
    export(student, tmp_path, onnx=False)  # checks a thousand states
    policy = runpy.run_path(str(tmp_path / "policy.py"))["Policy"]()
    arrived = [110, 1500, 9]
    state = student.task.encoder(arrived)
    assert policy(arrived) == student.task.allocation(student.act(state[None])[0])


@pytest.mark.parametrize("head", HEADS)
def test_the_onnx_form_decides_as_the_student(head, tmp_path):
    pytest.importorskip("onnxruntime")
    student, _ = distil(Chooser(task_of()), states_of(300), DistillationConfig(**QUICK, head=head), seed=1)
    assert export(student, tmp_path, onnx=True)["agreement"] == {"numpy": 1.0, "onnx": 1.0}


@pytest.mark.parametrize("head", HEADS)
def test_a_kept_student_controls_a_run_by_its_scores(head, kept):
    folder, _ = kept[head]
    student, reports = load_student(folder), []

    class Notes:
        @netsim.hookimpl
        def period_ended(self, report):
            reports.append(report)

    netsim.run("tiny", f"student:{folder}", periods=8, seed=2, plugins=[Notes()])
    for before, after in pairwise(reports):
        action = student.scores(student.task.encoder.state(before)[None]).argmax()
        assert after.allocation == student.task.allocation(action)


def test_a_kept_student_is_the_one_that_was_taught(kept, trained):
    folder, _ = kept["full"]
    config = DistillationConfig(**QUICK, hidden=(5, 4))
    teacher = load_agent(trained, memory=True)
    taught, fit = distil(teacher, teacher.memory.all().states, config, seed=0)
    student = load_student(folder)
    assert torch.equal(student.parameters.flat, taught.parameters.flat)
    assert student.task.encoder == teacher.task.encoder
    assert fit.states + len(fit.held_out.states) == len(teacher.memory) == 40


@pytest.mark.parametrize("head", HEADS)
def test_the_card_has_what_evaluate_finds(head, kept, trained):
    """U of student and teacher on the same seeds, one cell at a time."""
    folder, printed = kept[head]
    card = json.loads(printed)
    assert card == json.loads((folder / "card.json").read_text())
    found = json.loads(invoked("evaluate", folder, trained, "--seeds", 2, "--periods", 4, "--json"))
    assert [each["controller"] for each in found] == [f"student:{folder}", f"agent:{trained}"]
    for who, figures in zip(("student", "teacher"), found, strict=True):
        assert card["simulator"]["utility"][who]["mean"] == pytest.approx(figures["utility"]["mean"], rel=1e-12)
    assert card["student"]["head"] == head
    forms = {"torch", "numpy"}
    assert forms <= set(card["latency_us"]["student"]) == set(card["latency_us"]["teacher"])


def test_two_students_of_equal_requests_have_equal_bytes(kept, trained, tmp_path):
    folder, _ = kept["full"]
    invoked(*distilling(trained, tmp_path / "again"), "--quiet")
    for name in ("student.safetensors",):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    one, other = (json.loads((at / "card.json").read_text()) for at in (folder, tmp_path / "again"))
    for timed in ("latency_us", "teacher_torch_over_student_numpy"):
        del one[timed], other[timed]
    assert one == other


def test_the_card_is_shown(trained, tmp_path):
    shown = invoked(*distilling(trained, tmp_path / "student"))
    for told in ("student of ddqn: 32 states", "parameters without head", "of its teacher's U on tiny", "as fast as"):
        assert told in shown


def test_labels_that_are_no_numbers_are_refused():
    teacher = Chooser(task_of())
    assert torch.isfinite(label(teacher, states_of(5), 1e-30).soft).all()
    with pytest.raises(InputError, match=r"student.temperature: softmax\(Q / T\) must be finite, got T = 1e-40; give"):
        label(teacher, states_of(5), 1e-40)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_a_student_whose_file_was_changed_is_refused(trained, tmp_path):
    folder = tmp_path / "student"
    invoked(*distilling(trained, folder), "--quiet")
    content = bytearray((folder / "student.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "student.safetensors").write_bytes(content)
    with pytest.raises(RunError, match=r"student\.safetensors is not the file that was written"):
        load_student(folder)


def test_a_student_is_refused_where_its_actions_mean_something_else(kept):
    other = netsim.load_scenario("tiny", ["carrier.prb=40"])
    with pytest.raises(InputError, match="was trained to share 20 units between 3 slices"):
        StudentController(str(kept["full"][0]), scenario=other)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--out", "there"], "there exists; give another --out, or --force to replace the student in it"),
        (["--out", "there", "--force"], "there holds other things than a student"),
        ([], "give --out DIR to keep one student, or --figure DIR to compare many"),
        (["--out", "new", "--hidden", "4,4", "--hidden", "8,8"], "--out keeps one student of one RUN_DIR"),
        (["--out", "new", "--hidden", "0,4"], "student.hidden.0: input should be greater than or equal to 1"),
        (["--out", "new", "--temperature", "0"], "student.temperature: input should be greater than 0"),
        (["--out", "new", "--hyper", "step=5"], "student: unknown setting 'step'"),
    ],
)
def test_distill_says_what_is_wrong_before_it_begins(arguments, why, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.txt").write_text("")
    with pytest.raises((InputError, click.UsageError), match=re.escape(why)):
        invoked("distill", trained, *arguments)


def test_a_student_is_replaced_when_asked_to(trained, tmp_path):
    folder = tmp_path / "student"
    invoked(*distilling(trained, folder), "--quiet")
    invoked(*distilling(trained, folder, "factored"), "--quiet", "--force")
    assert load_student(folder).config.head == "factored"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student"]


def test_a_student_has_no_memory_to_teach_from(kept, tmp_path):
    with pytest.raises(InputError, match="is not of the format slicetwin-training"):
        invoked("distill", kept["full"][0], "--out", tmp_path / "pupil")


# -- figure 8 ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def figure(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figure")
    other = tmp_path_factory.mktemp("teacher") / "run"
    train(replace(request_of("ddqn"), seed=4), other)
    options = ("--hidden", "4,4", "--hidden", "6,6", "--hyper=steps=20", "--seeds", 2, "--periods", 3)
    invoked("distill", trained, other, "--figure", folder, *options)
    return folder, (trained, other), options


def test_the_figure_has_curves_of_teachers_and_students_over_trainings(figure):
    folder, runs, _ = figure
    group = json.loads((folder / "students.json").read_text())["agents"]["ddqn"]
    assert group["runs"] == [str(run) for run in runs]
    assert group["while_learning"]["steps"] == [10, 20, 30, 40, 50, 60]
    lines = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in runs]
    for figure_name in ("reward", "utility"):
        learned = [[line[figure_name] for line in some if figure_name in line] for some in lines]
        assert group["while_learning"][figure_name]["mean"] == pytest.approx(np.mean(learned, axis=0).tolist())
    assert {label: curve["steps"] for label, curve in group["students"].items()} == {
        "4-4": [0, 10, 20],
        "6-6": [0, 10, 20],
    }


def test_the_curves_of_the_figure_are_what_students_and_teachers_get_when_played(figure):
    """Students as they were after the 20th step, with the seed of the figure plus their training's; g = gmax."""
    folder, runs, _ = figure
    group = json.loads((folder / "students.json").read_text())["agents"]["ddqn"]
    found = json.loads(invoked("evaluate", *runs, "--seeds", 2, "--periods", 3, "--json"))
    for name in ("reward", "utility"):
        expected = np.mean([each[name]["mean"] for each in found])
        assert group["greedy"][name]["mean"] == pytest.approx(expected, rel=1e-12)
    evaluation = GreedyEvaluation(netsim.load_scenario("tiny"), [1_000_000, 1_000_001], 3)
    played = []
    for run, seed in zip(runs, (3, 4), strict=True):
        teacher = load_agent(run, memory=True)
        config = DistillationConfig(hidden=(6, 6), steps=20, patience=20)

        def watch(step, student):
            if step == 20:
                played.append(evaluation.play(student))

        distil(teacher, teacher.memory.all().states, config, seed, watch)
    ends = {name: curve["mean"][-1] for name, curve in group["students"]["6-6"].items() if name != "steps"}
    assert ends["utility"] == pytest.approx(np.mean([each.utilities for each in played]), rel=1e-12)
    assert ends["reward"] == pytest.approx(np.mean([each.rewards for each in played]), rel=1e-12)


def test_a_figure_is_the_same_to_the_byte(figure, tmp_path):
    folder, runs, options = figure
    invoked("distill", *runs, "--figure", tmp_path, *options)
    assert sorted(path.name for path in folder.iterdir()) == ["students.json", "students.png", "students.svg"]
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_a_figure_is_not_written_over(figure):
    folder, runs, options = figure
    with pytest.raises(InputError, match=r"students\.json is there already"):
        invoked("distill", *runs, "--figure", folder, *options)


def test_a_teacher_that_did_not_learn_by_interactions_has_no_place_in_the_figure(trained, tmp_path, monkeypatch):
    """It is told before any student is taught."""
    data = Recorded(load_agent(trained, memory=True).memory.all())
    settings = OfflineConfig(epochs=1, evaluate_every=0)
    request = OfflineRequest(netsim.load_scenario("tiny"), "ddqn", config_of("ddqn"), settings, data, 3)
    learn_offline(request, tmp_path / "run")
    monkeypatch.setattr("rl.students_figure.distil", None)
    why = f"{tmp_path / 'run'}: its metrics have no reward to draw a curve of, as of an agent that learned offline"
    with pytest.raises(InputError, match=re.escape(why)):
        invoked("distill", trained, tmp_path / "run", "--figure", tmp_path / "figure")
    assert not (tmp_path / "figure").exists()


def test_a_labelled_part_keeps_states_and_labels_together():
    labelled = Labelled(torch.arange(6.0).view(3, 2), torch.arange(3), None).take(np.array([2, 0]))
    assert labelled.states.tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert labelled.actions.tolist() == [2, 0]
