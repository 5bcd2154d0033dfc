"""What a scenario's files hold is part of the scenario: whoever asks whether it is the same one is told of an edit."""

import json
import re
import shutil
import sys
import types

import pytest

import netsim
from netsim import beststatic
from netsim.errors import InputError, RunError
from netsim.files import sha256
from netsim.loading import parse_scenario
from netsim.run import run
from netsim.scenario import Scenario

TEXT = """
name: recorded
carrier: {prb: 4}
control: {slots_per_period: 20}
channel:
  path_loss: {model: "loss.py:Flat"}
slices:
  played:
    users: 2
    traffic: {kind: trace, file: gaps.csv}
    sla: {rate_floor: 1 Mbit/s, latency_limit: 1 ms}
    scheduler: {kind: "shares.py:First"}
  drawn:
    users: 1
    traffic: {kind: "draws.py:Ticking"}
    sla: {rate_floor: 1 Mbit/s, latency_limit: 1 ms}
"""
FILES = {
    "gaps.csv": "gap_ns,size_bits\n1000000,800\n700000,1600\n",
    "loss.py": "class Flat:\n    def path_loss_db(self, distance_m, uniforms):\n        return 80 + 0 * distance_m\n",
    "shares.py": "class First:\n    def share(self, prb, slot, active, grants):\n        grants[0] = prb\n",
    "draws.py": "class Ticking:\n    def draw(self, index, u_gap, u_size):\n        return 500_000, 800\n",
}

CONTROLLER = """
from netsim import hookimpl


class Equal:
    @hookimpl
    def decide_allocation(self, report):
        return report.allocation
"""

EDITS = {
    "gaps.csv": ("800", "808"),
    "loss.py": ("80 +", "81 +"),
    "shares.py": ("= prb", "= prb  # all"),  # even where it computes the same
    "draws.py": ("800", "808"),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scenario").mkdir()
    for name, content in FILES.items():
        (tmp_path / "scenario" / name).write_text(content)
    return tmp_path / "scenario"


@pytest.fixture
def scenario(folder):
    return parse_scenario(TEXT, folder=folder)


def edit(path):
    path.write_text(FILES[path.name].replace(*EDITS[path.name]))


def test_every_file_that_a_scenario_names_is_listed_with_its_digest(scenario, folder):
    assert scenario.files() == {name: sha256(folder / name) for name in sorted(FILES)}


@pytest.mark.parametrize("name", FILES)
def test_an_edit_of_any_file_changes_the_hash(scenario, folder, name):
    before = scenario.hash
    edit(folder / name)
    assert scenario.hash != before
    assert parse_scenario(TEXT, folder=folder).hash == scenario.hash
    (folder / name).write_text(FILES[name])
    assert scenario.hash == before


def test_the_same_files_in_another_folder_give_the_same_hash(scenario, folder):
    shutil.copytree(folder, folder.parent / "copy")
    assert parse_scenario(TEXT, folder=folder.parent / "copy").hash == scenario.hash


def test_a_file_outside_the_folder_is_not_read_for_the_hash(folder):
    (folder.parent / "outside.py").write_text("x = 1")
    climbing = parse_scenario(TEXT.replace("loss.py:", "../outside.py:"), folder=folder)
    assert climbing.files()["../outside.py"] is None


def test_a_scenario_without_files_has_the_same_hash_wherever_it_was_read():
    tiny = netsim.load_scenario("tiny")
    assert tiny.files() == {}
    assert Scenario.from_dict(tiny.to_dict()).hash == tiny.hash


@pytest.mark.parametrize("name", FILES)
def test_resuming_a_run_whose_file_was_edited_is_refused_with_the_name(scenario, folder, name):
    out = folder.parent / "run"
    run(scenario, "equal", periods=2, out=out)
    edit(folder / name)
    with pytest.raises(InputError, match=rf"files\.{name.replace('.', '[.]')}: .* there, .* asked for"):
        run(scenario, "equal", periods=2, out=out, resume=True)


@pytest.mark.parametrize("name", FILES)
def test_a_saved_state_is_refused_when_a_file_was_edited(scenario, folder, name):
    simulation = netsim.Simulation(scenario, seed=1)
    simulation.reset()
    simulation.save(folder.parent / "state")
    netsim.Simulation.load(folder.parent / "state")
    edit(folder / name)
    with pytest.raises(RunError, match=rf"files\.{name.replace('.', '[.]')}: .* there, .* asked for"):
        netsim.Simulation.load(folder.parent / "state")


def test_a_saved_state_keeps_the_digests_of_when_the_files_were_read(scenario, folder):
    simulation = netsim.Simulation(scenario, seed=1)
    simulation.reset()
    edit(folder / "gaps.csv")  # after the trace was read: the state is one of the old trace
    simulation.save(folder.parent / "state")
    with pytest.raises(RunError, match=r"files\.gaps\.csv"):
        netsim.Simulation.load(folder.parent / "state")


def test_the_best_static_allocation_of_an_edited_trace_is_raced_anew(scenario, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SLICETWIN_CACHE", str(tmp_path / "cache"))
    beststatic.best_static(scenario)
    assert beststatic.cached(scenario) is not None
    edit(folder / "gaps.csv")
    assert beststatic.cached(scenario) is None


def test_a_run_is_repeated_only_with_the_very_files(scenario, folder):
    from netsim.replay import compared

    out = folder.parent / "run"
    run(scenario, "equal", periods=3, out=out)
    assert json.loads((out / "manifest.json").read_text())["request"]["files"] == scenario.files()
    assert compared(out, files=folder).difference is None
    with pytest.raises(InputError, match="no folder was given"):
        compared(out)
    edit(folder / "draws.py")
    with pytest.raises(InputError, match=r"files\.draws\.py: .* there, .* asked for"):
        compared(out, files=folder)


# -- plugins in modules ------------------------------------------------------------------------------------------------

MODULES = {
    "mine/__init__.py": "",
    "mine/kinds.py": FILES["draws.py"],
    "losses_of_mine.py": FILES["loss.py"],
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Where Python finds a package and a module that this process has not imported."""
    (tmp_path / "found" / "mine").mkdir(parents=True)
    for name, content in MODULES.items():
        (tmp_path / "found" / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path / "found")
    forget(monkeypatch)
    return tmp_path / "found"


def forget(monkeypatch):
    """As in another process, and so again when the test ends."""
    for name in ("mine", "mine.kinds", "losses_of_mine"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, name)


def named(kind="mine.kinds:Ticking", loss="losses_of_mine:Flat"):
    text = TEXT.replace("loss.py:Flat", loss).replace("draws.py:Ticking", kind)
    played, drawn = text.split("  played:")[0], text.split("  drawn:")[1]
    return parse_scenario(played + "  drawn:" + drawn)


def test_a_module_s_source_is_listed_and_not_imported(modules):
    (modules / "mine" / "__init__.py").write_text("raise SystemExit('it was imported')")
    scenario = named()
    assert scenario.files() == {
        "losses_of_mine": sha256(modules / "losses_of_mine.py"),
        "mine.kinds": sha256(modules / "mine" / "kinds.py"),
    }
    assert not {"mine", "mine.kinds", "losses_of_mine"} & set(sys.modules)
    before = scenario.hash
    (modules / "mine" / "kinds.py").write_text(MODULES["mine/kinds.py"] + "# edited\n")
    assert scenario.hash != before


def test_a_module_in_the_working_folder_is_found_as_it_is_when_it_is_imported(modules, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside_me.py").write_text(FILES["draws.py"])
    before = list(sys.path)
    assert named("beside_me:Ticking").files()["beside_me"] == sha256(tmp_path / "beside_me.py")
    assert sys.path == before


@pytest.mark.parametrize("kind", ["nowhere_to_be_found:X", "mine.nothing:X", "losses_of_mine.inside:X", "sys:X"])
def test_a_module_without_a_source_has_no_digest(modules, kind):
    assert named(kind).files()[kind.removesuffix(":X")] is None


def test_what_was_imported_keeps_its_digest_until_it_is_imported_anew(modules, monkeypatch):
    """An edit changes nothing in a process that has the module: the scenario is the same there, another elsewhere."""
    scenario = named()
    before = scenario.hash
    simulation = netsim.Simulation(scenario, 1)
    simulation.reset()
    (modules / "mine" / "kinds.py").write_text(MODULES["mine/kinds.py"].replace("800", "808"))
    assert scenario.hash == before
    forget(monkeypatch)
    assert scenario.hash != before


def test_resuming_a_run_whose_module_was_edited_is_refused_with_the_name(modules, tmp_path, monkeypatch):
    out = tmp_path / "run"
    (modules / "mine" / "decides.py").write_text(CONTROLLER)
    words = {"controller": "mine.decides:Equal", "periods": 1, "out": out}
    run(named(), **words)
    assert run(named(), **words, resume=True)["periods"] == 1
    for name, key in (("kinds.py", "files.mine.kinds"), ("decides.py", "sources.mine.decides:Equal")):
        path = modules / "mine" / name
        content = path.read_text()
        path.write_text(content + "# edited\n")
        forget(monkeypatch)
        monkeypatch.delitem(sys.modules, "mine.decides", raising=False)
        with pytest.raises(InputError, match=rf"{re.escape(key)}: .* there, .* asked for"):
            run(named(), **words, resume=True)
        path.write_text(content)
        forget(monkeypatch)
        monkeypatch.delitem(sys.modules, "mine.decides", raising=False)


def test_a_controller_s_text_is_no_module(tmp_path):
    run("tiny", "fixed:2,12,6", periods=1, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["request"]["sources"] == {}


@pytest.fixture
def short_race(tmp_path, monkeypatch):
    """A race of few periods, kept in a cache of its own."""
    monkeypatch.setattr(beststatic, "rounds", lambda scenario: (beststatic.Round(2, 2, 1),))
    monkeypatch.setattr(beststatic, "cache_root", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def test_the_best_static_allocation_of_an_edited_module_is_raced_anew(modules, short_race, monkeypatch):
    beststatic.best_static(named())
    assert beststatic.cached(named()) is not None
    (modules / "mine" / "kinds.py").write_text(MODULES["mine/kinds.py"].replace("800", "808"))
    forget(monkeypatch)
    assert beststatic.cached(named()) is None


def test_what_has_no_digest_is_raced_every_time(modules, short_race, monkeypatch):
    made = types.ModuleType("made_up")
    exec(FILES["draws.py"], vars(made))
    monkeypatch.setitem(sys.modules, "made_up", made)
    scenario = named("made_up:Ticking")
    found = beststatic.best_static(scenario)
    assert beststatic.cached(scenario) is None
    assert not short_race.exists()
    assert beststatic.best_static(scenario) == found
