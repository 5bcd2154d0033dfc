"""Agents of others: their gradients follow from what they write, and every command takes them like those of rl."""

import functools
import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netsim
from netsim.cli import netsim as command
from netsim.errors import InputError, PluginError
from netsim.listing import listing
from netsim.studies.jobs import asked_of
from rl import agent_lines, networks
from rl.agents import AGENTS, Agent, DoubleDqn, Dqn, QAgent, agent_kind, make_agent
from rl.agents.named import METHODS
from rl.export import export
from rl.landscape import gradient, in_double, random_direction
from rl.loops import parted
from rl.perturbed import moved_loss
from rl.policy import load_agent
from rl.students import StudentController
from rl.training import Request, TrainingConfig, train
from tests.contract.test_imports import ROOT
from tests.rl.small import HYPER, LEARNING, TRAINING, batches, config_of, files_of, loop_of, metrics_of, task_of
from tests.rl.test_updates import distance, swept

DUELING = f"{ROOT / 'examples' / 'dueling.py'}:Dueling"


class Plain(QAgent):
    """DQN, of which only the network is written."""

    shapes, q = Dqn.shapes, Dqn.q


class PlainDouble(Plain):
    """Double DQN by its equation."""

    next_values = DoubleDqn.next_values


# -- what follows from a network ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [(Plain, "dqn"), (PlainDouble, "ddqn")])
@pytest.mark.parametrize("how", ["learn", "cautiously", "clone", "sweep", "in turn"])
def test_a_network_by_itself_learns_what_the_written_out_gradients_do(how, kind, name):
    networks.single_thread()
    task, config = task_of(), config_of(name, target_rate=0.1)
    written_out, plain = (each(task, config, dtype=torch.float64) for each in (AGENTS[name], kind))
    begin = plain.parameters.flat.clone()
    for k, batch in enumerate(batches(task, 8, 30)):
        given = {
            "learn": ("learn", batch),
            "cautiously": ("learn_cautiously", batch, 0.7),
            "clone": ("learn_cautiously", batch, 1.0, 0.0),
            "sweep": ("sweep", *(part[:8] for part in swept(task, k))),
        }
        step, *arguments = given[list(given)[k % 4] if how == "in turn" else how]
        assert getattr(plain, step)(*arguments) == pytest.approx(getattr(written_out, step)(*arguments), rel=1e-9)
    assert plain.updates == 30
    assert distance(begin, plain.parameters.flat) > 1e-3  # it went somewhere
    for part in ("parameters", "target"):
        assert distance(getattr(plain, part).flat, getattr(written_out, part).flat) < 1e-9
    states = batch.states
    assert plain.scores(states) == pytest.approx(written_out.scores(states), rel=1e-9)
    assert plain.act(states).tolist() == written_out.act(states).tolist()


def test_a_network_of_ones_own_is_an_agent_and_is_pulled_empowered_and_restored_like_one():
    agent = make_agent(DUELING, task_of(), config_of("ddqn"))
    assert isinstance(agent, Agent)
    [batch] = batches(agent.task, 8, 1)
    agent.learn(batch)
    kept = {name: array.copy() for name, array in agent.to_arrays().items()}
    anchor = agent.parameters.flat.clone() + 1.0
    agent.pull_towards(anchor, 1e9)
    agent.learn(batch)
    assert ((agent.parameters.flat - torch.from_numpy(kept["parameters"])) > 0).all()  # the anchor is above all of them
    other = make_agent(DUELING, task_of(), config_of("ddqn"), whose="other")
    assert not torch.equal(other.parameters.flat, agent.parameters.flat)
    other.restore(kept)
    assert {name: array.tolist() for name, array in other.to_arrays().items()} == {
        name: array.tolist() for name, array in kept.items()
    }
    other.empower(anchor, keep=0.0)
    assert torch.equal(other.parameters.flat, anchor)
    assert torch.equal(other.target.flat, anchor)


def test_a_dueling_head_adds_up_as_its_equation_says():
    agent = make_agent(DUELING, task_of(), config_of("ddqn"))
    [batch] = batches(agent.task, 8, 1)
    h = networks.relu_layers(agent.parameters, "hidden", agent.tensor(batch.states))
    value = networks.linear(agent.parameters, "value.0", h).detach().numpy()[:, 0]
    assert agent.scores(batch.states).mean(axis=1) == pytest.approx(value, rel=1e-4)


# -- by the path of a file ---------------------------------------------------------------------------------------------

SAME = """
from rl.agents import DoubleDqn

class Same(DoubleDqn):
    name = "same"
"""


@pytest.fixture
def file(tmp_path):
    def written(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return written


def request_for(agent, like, **training):
    """A training on ``tiny`` with the settings that the tests give to an agent of rl."""
    config = agent_kind(parted(agent)[0]).Config(**LEARNING, **HYPER[parted(like)[0]])
    scenario = netsim.load_scenario("tiny")
    return Request(scenario, agent, config, TrainingConfig(**{**TRAINING, **training}), 3, loop=loop_of(like))


@pytest.mark.parametrize("loop", ["", "-dt"])
def test_an_agent_in_a_file_is_trained_as_it_would_be_within_the_package(loop, file, tmp_path):
    """A subclass that changes nothing leaves what its base does, but for its name and the digest of its file."""
    agent = f"{file(SAME)}:Same{loop}"
    mine = train(request_for(agent, f"ddqn{loop}"), tmp_path / "mine")
    theirs = train(request_for(f"ddqn{loop}", f"ddqn{loop}"), tmp_path / "theirs")
    assert {**mine, "agent": theirs["agent"]} == theirs
    assert metrics_of(tmp_path / "mine") == metrics_of(tmp_path / "theirs")
    there, here = files_of(tmp_path / "theirs"), files_of(tmp_path / "mine")
    assert {name for name in there if there[name] != here[name]} <= {"manifest.json", "summary.json"}
    request, its = (
        json.loads((tmp_path / each / "manifest.json").read_text())["request"] for each in ("mine", "theirs")
    )
    assert list(request.pop("sources")) == [agent.removesuffix("-dt")]
    assert {**request, "agent": its["agent"]} == its


@pytest.mark.parametrize("loop", ["", "-dt"])
def test_a_training_of_an_agent_in_a_file_is_resumed_to_the_same_bytes(loop, tmp_path):
    request = request_for(DUELING + loop, f"ddqn{loop}")
    train(request, tmp_path / "whole")
    with pytest.raises(ZeroDivisionError):
        train(request, tmp_path / "broken", progress=lambda done, *_: 1 / 0 if done == 40 else None)
    train(request, tmp_path / "broken", resume=True)
    assert files_of(tmp_path / "broken") == files_of(tmp_path / "whole")


def test_all_that_is_done_with_trainings_is_done_with_these(tmp_path):
    train(request_for(DUELING, "ddqn"), tmp_path / "run")
    told = CliRunner().invoke(
        command, ["evaluate", str(tmp_path / "run"), "--periods", "5", "--seeds", "2", "--json"], catch_exceptions=False
    )
    assert json.loads(told.stdout)["utility"]["mean"] > 0
    taught = CliRunner().invoke(
        command,
        [
            "distill",
            str(tmp_path / "run"),
            "--out",
            str(tmp_path / "student"),
            "--hidden",
            "4",
            "--hyper",
            "steps=20",
            "--periods",
            "5",
            "--seeds",
            "2",
        ],
        catch_exceptions=False,
    )
    assert taught.exit_code == 0, taught.output
    assert f"student of {DUELING}" in "".join(taught.output.split("\n"))
    card = json.loads((tmp_path / "student" / "card.json").read_text())
    assert card["teacher"] == {
        "agent": DUELING,
        "parameters": (3 * 8 + 8) + (8 * 8 + 8) + (8 + 1) + (8 * 171 + 171),
        **dict.fromkeys(("parameters_without_head", "flops", "flops_without_head")),
    }
    export(
        StudentController(str(tmp_path / "student"), scenario=netsim.load_scenario("tiny")).policy, tmp_path, onnx=False
    )
    with pytest.raises(InputError, match=r"a Dueling cannot be exported.*; export a student of it"):
        export(load_agent(tmp_path / "run"), tmp_path / "another", onnx=False)
    sharp = CliRunner().invoke(
        command,
        ["landscape", str(tmp_path / "run"), "--out", str(tmp_path / "landscape"), "--quiet", "--hyper", "points=3"],
        catch_exceptions=False,
    )
    assert sharp.exit_code == 0, sharp.output


@pytest.mark.parametrize("name", ["dqn", "ddqn", "gan-ddqn", "feature-ddqn"])
def test_the_loss_around_a_subclass_is_its_own_and_not_a_quick_form_of_its_base(name):
    """A subclass that changes nothing: the plain computation and the quick one agree."""
    kind, task, config = AGENTS[name], task_of(), config_of(name)
    theirs, mine = (in_double(each(task, config)) for each in (kind, type("Mine", (kind,), {})))
    [batch] = batches(task, 32, 1)
    directions = [gradient(theirs, batch), random_direction(theirs.parameters, 1, 0)]
    quick, plain = (moved_loss(each, directions, batch) for each in (theirs, mine))
    for place in [(1.0, 0.0, 0.0), (1.0, 0.1, -0.3)]:
        assert float(plain(place)) == pytest.approx(float(quick(place)), rel=1e-9)


# -- code that is not the one that was trained -------------------------------------------------------------------------


def test_another_code_neither_goes_on_with_a_training_nor_plays_it(file, tmp_path, monkeypatch):
    spec = f"{file(SAME)}:Same"
    request = request_for(spec, "ddqn")
    train(request, tmp_path / "run")
    file(SAME + "\n# changed\n")
    with pytest.raises(InputError, match=r"cannot be resumed:\nsources\..*mine\.py:Same: .* there, .* asked for"):
        train(request, tmp_path / "run", resume=True)
    with pytest.raises(InputError, match=r"mine\.py:Same' is not there, or is not the one that was trained; put that"):
        load_agent(tmp_path / "run")
    file(SAME)
    assert load_agent(tmp_path / "run").updates
    Path(spec.removesuffix(":Same")).unlink()
    with pytest.raises(InputError, match="is not there"):
        load_agent(tmp_path / "run")


def test_a_study_knows_the_file_of_an_agent(file):
    path = file(SAME)
    [(name, digest)] = asked_of(["train", "tiny", "--agent", f"{path}:Same-dt"])["inputs"].items()
    assert name == path
    assert len(digest) == 64


# -- what is no agent --------------------------------------------------------------------------------------------------

BEGIN = "from rl.agents import DoubleDqn, FeatureDdqn, QAgent\nimport rl.agents.dqn\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Mine = 3", "must be a class, got 3"),
        ("class Mine: pass", r"its Config must be a subclass of rl\.agents\.AgentConfig, got None"),
        ("class Mine(QAgent): pass", "has to define q, shapes"),
        ("class Mine(QAgent):\n  def q(self): ...", "has to define shapes"),
        (
            "class Mine:\n  Config = rl.agents.dqn.DqnConfig",
            r"has no method scores, see rl\.agents\.Agent; a subclass of",
        ),
        (
            "class Mine(DoubleDqn):\n  def next_values(self): ...",
            "changes next_values of Dqn, but its learn, learn_cautiously, sweep have the gradients written out",
        ),
        (
            "class Mine(FeatureDdqn):\n  def loss(self): ...\n  def learn(self, batch): ...",
            "changes loss of FeatureDdqn, but its learn_cautiously, sweep have",
        ),
    ],
)
def test_what_is_no_agent_is_told_before_anything_is_trained(text, message, file, tmp_path):
    with pytest.raises(PluginError, match=message):
        agent_kind(f"{file(BEGIN + text)}:Mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py:Mine", "cannot read nowhere.py"),
        ("no_such_module:Mine-dt", "there is no module 'no_such_module'"),
        (f"{DUELING}er", "has no 'Duelinger', did you mean 'Dueling'"),
        ("dueling", "there is no agent 'dueling'; known: dqn, .* or one of yours as path/file.py:Class"),
    ],
)
def test_a_name_that_stands_for_nothing_is_told(name, message):
    done = CliRunner().invoke(command, ["train", "tiny", "--agent", name])
    assert isinstance(done.exception, PluginError | InputError)
    assert done.exception.exit_status == 2
    with pytest.raises((PluginError, InputError), match=message):
        raise done.exception


def test_equations_that_an_agent_changes_together_with_its_updates_are_its_own(file):
    text = "class Mine(DoubleDqn):\n" + "".join(
        f"  def {name}(self, *given): ...\n" for name in ("next_values", "learn", "learn_cautiously", "sweep")
    )
    assert agent_kind(f"{file(BEGIN + text)}:Mine").__name__ == "Mine"


@pytest.mark.parametrize("raised", ["shapes", "q", "next_values"])
def test_an_agent_that_raises_is_named_with_its_own_traceback(raised, file, tmp_path):
    code = Path(DUELING.rpartition(":")[0]).read_text()
    signature = {"shapes": "self", "q": "self, parameters, states", "next_values": "self, parameters, next_states"}
    head = f"def {raised}({signature[raised]}):\n"
    assert head in code
    spec = file(code.replace(head, f"{head}        raise LookupError('mine')\n")) + ":Dueling"
    with pytest.raises(PluginError, match=rf"agent '{spec}' raised: LookupError: mine") as told:
        train(request_for(spec, "ddqn"), tmp_path / "run")
    assert isinstance(told.value.__cause__, LookupError)


def test_a_faulty_agent_of_ours_is_not_blamed_on_anybody(monkeypatch):
    def broken(self, batch):
        raise LookupError

    monkeypatch.setattr(Dqn, "learn", broken)
    with pytest.raises(LookupError):
        train(request_for("dqn", "dqn"))


# -- installed ones ----------------------------------------------------------------------------------------------------


@pytest.fixture
def entry_points(monkeypatch):
    """Gives packages the agents of the names, as ``name=module:Class``."""

    def given(*entries):
        found = [importlib.metadata.EntryPoint(*entry.split("="), agent_lines.GROUP) for entry in entries]
        every = importlib.metadata.entry_points
        monkeypatch.setattr(
            importlib.metadata,
            "entry_points",
            lambda **asked: found if asked.get("group") == agent_lines.GROUP else every(**asked),
        )

    monkeypatch.setattr(agent_lines, "installed", functools.cache(agent_lines.installed.__wrapped__))
    monkeypatch.setattr("rl.agents.named.installed", lambda: agent_lines.installed())
    return given


def test_an_installed_agent_has_a_name_is_listed_and_trained(entry_points, tmp_path):
    entry_points("plain-double=tests.rl.test_own_agents:PlainDouble")
    assert {"plain-double", "plain-double-dt"} <= {name for name, _ in listing("agents")}
    assert parted("plain-double-dt") == ("plain-double", "dt")
    assert isinstance(make_agent("plain-double", task_of()), QAgent)
    train(request_for("plain-double", "ddqn"), tmp_path / "run")
    request = json.loads((tmp_path / "run" / "manifest.json").read_text())["request"]
    assert request["agent"] == "plain-double"
    assert list(request["sources"]) == ["plain-double"]
    assert type(load_agent(tmp_path / "run")).__name__ == "PlainDouble"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["ddqn=a:B"], r"entry point 'ddqn' of rl\.agents \(a:B\): its name must be a name without a colon that no"),
        (["mine=a:B", "mine=c:D"], r"entry point 'mine' of rl\.agents \(c:D\)"),
    ],
)
def test_two_agents_of_one_name_are_told(entry_points, entries, message):
    entry_points(*entries)
    with pytest.raises(PluginError, match=message):
        parted("ddqn-dt")


def test_one_that_cannot_be_imported_is_told_where_it_is_asked_for_and_hides_no_other(entry_points):
    entry_points("gone=no_such_module:Gone")
    assert agent_kind("dqn") is Dqn
    assert "gone" in dict(listing("agents"))
    with pytest.raises(PluginError, match="agent 'gone' cannot be loaded: ModuleNotFoundError: No module named"):
        agent_kind("gone")


def test_every_method_of_an_agent_is_asked_for():
    assert {"scores", "act", "remember", "update", "learn", "sweep", "empower", "to_arrays", "restore"} <= set(METHODS)
    assert np.all([callable(getattr(kind, method)) for kind in AGENTS.values() for method in METHODS])
