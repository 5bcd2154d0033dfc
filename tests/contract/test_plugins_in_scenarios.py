"""Schedulers, traffic kinds and path-loss models in a file beside the scenario, plain and compiled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netsim
from netsim.errors import PluginError
from netsim.loading import parse_scenario
from netsim.run import original
from netsim.state import SUPPLY
from tests.unit.lone_slice import lone_slice, packets_of

PLUGINS = '''
import math

import numba
import numpy as np


class RoundRobinish:
    """All resource blocks to one user after another, slot by slot."""

    def share(self, prb, slot, active, grants):
        grants[slot % len(active)] = prb


@numba.njit
def share_in_turn(prb, slot, active, grants):
    grants[slot % len(active)] = prb


class CompiledRoundRobinish:
    share = staticmethod(share_in_turn)


class OldestDeadline:
    """Weighs everything a scheduler is shown."""

    def share(self, prb, slot, active, grants):
        best, best_score = 0, -math.inf
        for i in range(len(active)):
            user = active[i]
            score = user["bits_per_prb"] / (1 + user["backlog_bits"]) - 1e-9 * user["deadline_ns"]
            score += user["packets"] + 1e-3 * user["user"] + user["average_bits"]
            if score > best_score:
                best, best_score = i, score
        grants[best] = prb


@numba.njit
def share_oldest(prb, slot, active, grants):
    best, best_score = 0, -np.inf
    for i in range(len(active)):
        user = active[i]
        score = user.bits_per_prb / (1 + user.backlog_bits) - 1e-9 * user.deadline_ns
        score += user.packets + 1e-3 * user.user + user.average_bits
        if score > best_score:
            best, best_score = i, score
    grants[best] = prb


class CompiledOldestDeadline:
    share = staticmethod(share_oldest)


class Bursts:
    """Every ``every`` packets a long gap, with what is left of the options' defaults."""

    def __init__(self, every=5, mean_ms=1.0, size_bits=4000):
        self.every, self.mean_ms, self.size_bits = every, mean_ms, size_bits

    def draw(self, index, u_gap, u_size):
        scale = 10.0 if index % self.every == 0 else 1.0
        return scale * self.mean_ms * 1e6 * u_gap, 1 + self.size_bits * u_size


@numba.njit
def draw_burst(index, u_gap, u_size):
    scale = 10.0 if index % 5 == 0 else 1.0
    return scale * 1.0 * 1e6 * u_gap, 1 + 4000 * u_size


class CompiledBursts:
    draw = staticmethod(draw_burst)


class Ends:
    """Sends ``count`` packets a millisecond apart and falls silent."""

    def __init__(self, count):
        self.count = count

    def draw(self, index, u_gap, u_size):
        return (1e6 if index < self.count else 1 << 61), 100


class Slope:
    """A loss of ``db_per_m`` for each metre; every second user behind a wall of ``wall_db``."""

    def __init__(self, db_per_m=1.0, wall_db=0.0):
        self.db_per_m, self.wall_db = db_per_m, wall_db

    def path_loss_db(self, distance_m, uniforms):
        return self.db_per_m * distance_m + self.wall_db * (uniforms[:, 0] < 0.5)
'''
SCENARIO = """
name: plugged
carrier: {{prb: 20}}
control: {{slots_per_period: 100, periods: 3}}
channel:
  path_loss: {path_loss}
slices:
  left:
    users: 7
    traffic: {traffic}
    sla: {{rate_floor: 1 Mbit/s, latency_limit: 2 ms}}
    scheduler: {scheduler}
  right:
    users: 3
    traffic: {{kind: poisson, rate: 300 /s, size: {{distribution: constant, value: 2 kB}}}}
    sla: {{rate_floor: 1 Mbit/s, latency_limit: 2 ms}}
"""
BUILT_IN = {
    "path_loss": "{model: log-distance}",
    "traffic": "{kind: poisson, rate: 1000 /s, size: {distribution: constant, value: 6.4 kB}}",
    "scheduler": "{kind: round-robin}",
}
ALLOCATIONS = [(14, 6), (3, 17), (10, 10)]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "somewhere"
    (folder / "sub").mkdir(parents=True)
    (folder / "mine.py").write_text(PLUGINS)
    (folder / "sub" / "deeper.py").write_text(PLUGINS)
    (tmp_path / "outside.py").write_text(PLUGINS)
    return folder


def written(folder: Path, **parts: str) -> Path:
    path = folder / "cell.yaml"
    path.write_text(SCENARIO.format(**{**BUILT_IN, **parts}))
    return path


def loaded(folder, **parts):
    return netsim.load_scenario(written(folder, **parts))


def reports(scenario, seed=5):
    simulation = netsim.Simulation(scenario, seed)
    return [simulation.reset(), *(simulation.step(allocation) for allocation in ALLOCATIONS)]


def packets(scenario, seed=5):
    simulation = netsim.Simulation(scenario, seed, log_packets=True)
    simulation.reset()
    for allocation in ALLOCATIONS:
        simulation.step(allocation)
    return np.concatenate([simulation.take_packets(), simulation.queued_packets()])


def sent_something(played):
    return all(report.departed.min() > 20 for report in played)


# -- they work ---------------------------------------------------------------------------------------------------------

IN_FILE = [
    {"scheduler": "{kind: 'mine.py:RoundRobinish'}"},
    {"scheduler": "{kind: 'mine.py:CompiledRoundRobinish'}"},
    {"scheduler": "{kind: 'mine.py:OldestDeadline'}"},
    {"scheduler": "{kind: 'mine.py:CompiledOldestDeadline'}"},
    {"traffic": "{kind: 'mine.py:Bursts'}"},
    {"traffic": "{kind: 'mine.py:CompiledBursts'}"},
    {"path_loss": "{model: 'mine.py:Slope', options: {db_per_m: 3.0, wall_db: 20.0}}"},
    {
        "scheduler": "{kind: 'sub/deeper.py:OldestDeadline'}",
        "traffic": "{kind: 'sub/deeper.py:Bursts', options: {every: 2}}",
        "path_loss": "{model: 'sub/deeper.py:Slope'}",
    },
]


@pytest.mark.parametrize("parts", IN_FILE, ids=str)
def test_each_works_changes_something_and_conserves_packets(folder, parts):
    played = reports(loaded(folder, **parts))
    assert sent_something(played)
    assert played != reports(loaded(folder))
    arrived = sum(report.arrived for report in played)
    resolved = sum(report.resolved for report in played)
    assert (arrived == resolved + played[-1].pending).all()


@pytest.mark.parametrize("parts", IN_FILE, ids=str)
def test_a_batch_of_cells_is_identical_to_lone_ones(folder, parts):
    scenario = loaded(folder, **parts)
    with netsim.SimulationBatch(scenario, [5, 6, 7], threads=2) as batch:
        together = [batch.reset(), *(batch.step([allocation] * 3) for allocation in ALLOCATIONS)]
        for b, seed in enumerate((5, 6, 7)):
            assert [report[b] for report in together] == reports(scenario, seed)


@pytest.mark.parametrize(
    ("key", "name"), [("scheduler", "RoundRobinish"), ("scheduler", "OldestDeadline"), ("traffic", "Bursts")]
)
def test_a_compiled_plugin_equals_the_plain_one_bit_for_bit(folder, key, name):
    plain, compiled = (loaded(folder, **{key: f"{{kind: 'mine.py:{made}'}}"}) for made in (name, f"Compiled{name}"))
    assert reports(plain) == reports(compiled)
    assert packets(plain).tolist() == packets(compiled).tolist()


def test_a_plugin_in_one_slice_leaves_the_other_as_it_was(folder):
    def of_right(scenario):
        found = packets(scenario)
        return found[found["slice"] == 1].tolist()

    plugged = loaded(folder, scheduler="{kind: 'mine.py:OldestDeadline'}", traffic="{kind: 'mine.py:Bursts'}")
    assert of_right(plugged) == of_right(loaded(folder))


def test_a_scheduler_that_gives_all_to_one_is_obeyed(folder):
    found = packets(
        loaded(folder, scheduler="{kind: 'mine.py:RoundRobinish'}", path_loss="{model: constant, loss: 60 dB}")
    )
    left = found[(found["slice"] == 0) & (found["departure_ns"] >= 0)]
    users_of = {}
    for packet in left:
        users_of.setdefault(int(packet["departure_ns"]), set()).add(int(packet["user"]))
    assert {len(users) for users in users_of.values()} == {1}


def test_options_reach_the_plugin(folder):
    few, many = (loaded(folder, traffic=f"{{kind: 'mine.py:Ends', options: {{count: {n}}}}}") for n in (2, 30))
    assert [sum(report.arrived[0] for report in reports(scenario)) for scenario in (few, many)] == [7 * 2, 7 * 30]


def test_options_may_have_any_name(folder):
    (folder / "mine.py").write_text(
        "class Odd:\n    def __init__(self, hook, name, folder, options):\n"
        "        self.bits = hook + name + folder + options\n"
        "    def draw(self, index, u_gap, u_size):\n        return 1e6, self.bits\n"
    )
    odd = loaded(folder, traffic="{kind: 'mine.py:Odd', options: {hook: 1, name: 2, folder: 3, options: 4}}")
    assert set(packets(odd)["size_bits"].tolist()) == {10, 16_000}


def test_a_path_loss_model_decides_the_snr_of_each_user(folder):
    """With 1 dB per metre, gains in dB are 194 less the distance; without fading the rate follows from it."""
    channel = {
        "path_loss": {"model": "mine.py:Slope"},
        "fading": {"model": "none"},
        "link": {"model": "shannon", "layers": 1},
    }
    gap = {"distribution": "constant", "value": "1 ms"}
    traffic = {"kind": "renewal", "gap": gap, "size": {"distribution": "constant", "value": "8 bit"}}
    found = packets_of(lone_slice(traffic, channel=channel, users=1, folder=folder))
    [rate_bps] = set(found["rate_bps"][found["departure_ns"] >= 0].tolist())
    distance_m = 46 + 194 - 10 * np.log10(20e6) - 10 * np.log10(np.expm1(rate_bps / 20e6 * np.log(2)))
    assert 1 <= distance_m <= 40


# -- where files are looked for ----------------------------------------------------------------------------------------


def test_files_are_looked_for_beside_the_scenario_and_not_in_the_working_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scenario = loaded(folder, traffic="{kind: 'mine.py:Bursts'}")
    assert sent_something(reports(scenario))
    with pytest.raises(PluginError, match="must be a file in the scenario's folder"):
        netsim.Simulation(loaded(folder, traffic="{kind: 'outside.py:Bursts'}"))


@pytest.mark.parametrize("key", ["scheduler", "traffic", "path_loss"])
@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("../outside.py", "must be a relative path inside the scenario's folder"),
        ("sub/../../outside.py", "must be a relative path inside the scenario's folder"),
        ("/etc/outside.py", "must be a relative path inside the scenario's folder"),
        ("~/outside.py", "must be a relative path inside the scenario's folder"),
        ("link.py", "must not lead outside the scenario's folder"),
        ("sub", "there is no module 'sub"),
        ("nowhere.py", "must be a file in the scenario's folder"),
    ],
)
def test_nothing_outside_the_scenario_s_folder_is_run(folder, key, file, rule):
    (folder / "link.py").symlink_to(folder.parent / "outside.py")
    (folder.parent / "outside.py").write_text("raise SystemExit('it was run')")
    word = "model" if key == "path_loss" else "kind"
    with pytest.raises(PluginError) as caught:
        reports(loaded(folder, **{key: f"{{{word}: '{file}:Thing'}}"}))
    assert rule in str(caught.value) or file == "sub"
    assert caught.value.exit_status == 2
    assert "it was run" not in str(caught.value)


def test_a_scenario_that_is_not_a_file_can_name_modules_only(folder, monkeypatch):
    monkeypatch.chdir(folder)
    text = SCENARIO.format(**{**BUILT_IN, "traffic": "{kind: 'mine.py:Bursts'}"})
    with pytest.raises(PluginError, match="a scenario that is not a file can name modules only"):
        netsim.Simulation(parse_scenario(text))


def test_a_class_in_an_installed_module_can_be_named(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder / "sub")
    assert sent_something(reports(loaded(folder, traffic="{kind: 'deeper:Bursts'}")))


# -- what goes wrong has a name ----------------------------------------------------------------------------------------

WRONG_SCHEDULERS = {
    "TooMuch": ("grants[:] = prb + 1", "sum to the slice's 10 resource blocks, got"),
    "TooLittle": ("grants[0] = prb - 1", "with sum 9 in slot"),
    "Nothing": ("pass", "with sum 0 in slot"),
    "Negative": ("grants[0] = prb + 1; grants[-1] -= 1", "whole numbers of at least 0"),
}


def write_scheduler(folder, body, compiled):
    if compiled:
        text = f"import numba\n@numba.njit\ndef share(prb, slot, active, grants):\n    {body}\n"
        text += "class Wrong:\n    share = staticmethod(share)\n"
    else:
        text = f"class Wrong:\n    def share(self, prb, slot, active, grants):\n        {body}\n"
    (folder / "mine.py").write_text(text)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("name", WRONG_SCHEDULERS)
def test_grants_that_do_not_share_the_blocks_exactly_name_slice_plugin_slot_and_grants(folder, name, compiled):
    body, message = WRONG_SCHEDULERS[name]
    write_scheduler(folder, body, compiled)
    with pytest.raises(PluginError) as caught:
        reports(loaded(folder, scheduler="{kind: 'mine.py:Wrong'}"))
    assert str(caught.value).startswith("slices.left.scheduler: plugin 'mine.py:Wrong': grants must be whole numbers")
    assert message in str(caught.value)
    assert "in slot " in str(caught.value)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_wrong_grants_stop_a_batch_too(folder, compiled):
    write_scheduler(folder, "grants[0] = prb - 1", compiled)
    batch = netsim.SimulationBatch(loaded(folder, scheduler="{kind: 'mine.py:Wrong'}"), [1, 2])
    with pytest.raises(PluginError, match=r"slices\.left\.scheduler: plugin 'mine\.py:Wrong'.* with sum 9 in slot"):
        batch.reset()


def test_a_scheduler_that_raises_in_a_period_s_last_slot_is_named_beside_a_process_that_wakes_within_slots(folder):
    (folder / "mine.py").write_text(
        "class Wrong:\n    def share(self, prb, slot, active, grants):\n"
        "        assert slot != 99\n        grants[0] = prb\n"
    )
    scenario = loaded(folder, scheduler="{kind: 'mine.py:Wrong'}")

    def within_slots(simulation):
        def clock():
            while True:
                yield simulation.env.timeout(scenario.control.slot_ns // 2)

        return [clock()]

    with pytest.raises(PluginError, match=r"plugin 'mine\.py:Wrong' raised in slot 99"):
        netsim.Simulation(scenario, 5, processes=[within_slots]).reset()


def test_a_scheduler_that_raises_is_named_and_its_exception_kept(folder):
    write_scheduler(folder, "raise KeyError('lost')", compiled=False)
    with pytest.raises(
        PluginError, match=r"slices\.left\.scheduler: plugin 'mine\.py:Wrong' raised in slot \d+"
    ) as caught:
        reports(loaded(folder, scheduler="{kind: 'mine.py:Wrong'}"))
    assert isinstance(original(caught.value), KeyError)


def test_a_scheduler_cannot_change_what_it_is_shown(folder):
    write_scheduler(folder, "active['backlog_bits'] = 0; active['user'] = 0; grants[slot % len(active)] = prb", False)
    meddling = reports(loaded(folder, scheduler="{kind: 'mine.py:Wrong'}"))
    write_scheduler(folder, "grants[slot % len(active)] = prb", False)
    assert meddling == reports(loaded(folder, scheduler="{kind: 'mine.py:Wrong'}"))


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ("(-1.0, 100)", "a gap must be at least 0 ns and a size at least 1 bit, got (-1.0, 100) for packet 0"),
        ("(float('nan'), 100)", "got (nan, 100) for packet 0"),
        ("(1e6, 0)", "got (1000000.0, 0) for packet 0"),
        ("(1e6, float('nan'))", "got (1000000.0, nan) for packet 0"),
        ("(1e6, float('inf'))", "got (1000000.0, inf) for packet 0"),
        ("(1e6,)", "raised at packet 0: ValueError"),
        ("None", "raised at packet 0: TypeError"),
        ("('soon', 100)", "raised at packet 0: TypeError"),
        ("1 / 0", "raised at packet 0: ZeroDivisionError"),
        ("(1e6, 100) if index < 20 else (-5, 100)", "got (-5, 100) for packet 20"),
    ],
)
def test_traffic_that_cannot_be_is_refused_with_slice_plugin_and_packet(folder, drawn, message):
    (folder / "mine.py").write_text(
        f"class Wrong:\n    def draw(self, index, u_gap, u_size):\n        return {drawn}\n"
    )
    with pytest.raises(PluginError) as caught:
        reports(loaded(folder, traffic="{kind: 'mine.py:Wrong'}"))
    assert str(caught.value).startswith("slices.left.traffic: plugin 'mine.py:Wrong'")
    assert message in str(caught.value)


AT_ONCE = """
import numba


def draw(index, u_gap, u_size):
    return (1e6 if index % {count} == 0 else 0.4), 100


class Burst:
    draw = staticmethod({draw})
"""


@pytest.mark.parametrize("draw", ["draw", "numba.njit(draw)"], ids=["plain", "compiled"])
def test_traffic_that_lets_no_time_pass_is_refused_and_bursts_are_not(folder, draw):
    """A user may send many blocks of packets at one instant, and for ever if its source waits for room."""

    def arrived(count, **more):
        (folder / "mine.py").write_text(AT_ONCE.format(count=count, draw=draw))
        scenario = lone_slice({"kind": "mine.py:Burst"}, users=1, slots=3, folder=folder, **more)
        return netsim.Simulation(scenario, 5).reset().arrived.tolist()

    assert arrived(5 * SUPPLY) == [5 * SUPPLY]  # at 1 ms; the next at 2 ms
    waits = {"packets": 5, "when_full": "defer"}
    assert arrived(10**9, queue=waits) == [5 * 2]  # at 1 ms, and as soon as those have left
    with pytest.raises(PluginError) as caught:
        arrived(10**9)
    assert str(caught.value).startswith(
        "slices.only.traffic: plugin 'mine.py:Burst': a user must send fewer than 100,000"
    )
    assert "user 0 sends so many that no time would pass. Give it longer gaps; a source" in str(caught.value)
    assert "slices.only.queue.when_full: defer" in str(caught.value)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ("distance_m[:-1]", "must return one finite loss per user"),
        ("3.0", "must return one finite loss per user"),
        ("distance_m * np.nan", "must return one finite loss per user"),
        ("1 / 0", "ZeroDivisionError"),
        ("'far'", "ValueError"),
    ],
)
def test_losses_that_cannot_be_are_refused(folder, losses, message):
    text = f"class Wrong:\n    def path_loss_db(self, distance_m, uniforms):\n        return {losses}\n"
    (folder / "mine.py").write_text("import numpy as np\n" + text)
    with pytest.raises(PluginError, match=r"^channel\.path_loss\.model: plugin 'mine\.py:Wrong'.*" + message):
        reports(loaded(folder, path_loss="{model: 'mine.py:Wrong'}"))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"traffic": "{kind: 'mine.py:Bursts', options: {evry: 2}}"}, "cannot be made: TypeError.*evry"),
        ({"traffic": "{kind: 'mine.py:Brusts'}"}, "has no 'Brusts', did you mean 'Bursts'"),
        ({"traffic": "{kind: 'mine.py:Slope'}"}, "has no method `draw`"),
        ({"scheduler": "{kind: 'mine.py:Slope'}"}, "has no method `share`"),
        ({"traffic": "{kind: 'mine.py:math'}"}, "must be a class or a function"),
    ],
)
def test_what_is_not_a_plugin_is_refused_before_anything_runs(folder, part, message):
    with pytest.raises(PluginError, match=message):
        netsim.Simulation(loaded(folder, **part))


# -- from the command line ---------------------------------------------------------------------------------------------


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    checkout = str(Path(netsim.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([checkout, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "netsim", "run", *arguments, "--quiet"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


CONTROLLER = """
from netsim import hookimpl


class Mine:
    @hookimpl
    def decide_allocation(self, report):
        return 14, 6
"""


def test_a_scenario_s_files_are_beside_it_and_a_controller_s_from_the_working_folder_on(folder, tmp_path):
    path = written(
        folder, traffic="{kind: 'mine.py:Bursts'}", scheduler="{kind: 'sub/deeper.py:CompiledOldestDeadline'}"
    )
    working = tmp_path / "working"
    working.mkdir()
    (working / "mine.py").write_text(CONTROLLER)
    from_there = run_command(working, str(path), "--controller", "mine.py:Mine", "--json")
    assert from_there.stderr == ""
    from_beside = run_command(folder, "cell.yaml", "--controller", "fixed:14,6", "--json")
    assert from_beside.stderr == ""
    there, beside = json.loads(from_there.stdout), json.loads(from_beside.stdout)
    assert there["slices"] == beside["slices"]
    assert there["slices"]["left"]["arrived"] != 0


def test_a_file_outside_is_refused_in_one_line_with_exit_status_2(folder, tmp_path):
    done = run_command(tmp_path, str(written(folder, traffic="{kind: '../outside.py:Bursts'}")))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "'../outside.py:Bursts': must be a relative path inside the scenario's folder" in done.stderr


def test_wrong_grants_are_told_in_one_line_with_exit_status_1(folder, tmp_path):
    write_scheduler(folder, "grants[0] = prb - 1", compiled=False)
    done = run_command(tmp_path, str(written(folder, scheduler="{kind: 'mine.py:Wrong'}")))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "slices.left.scheduler: plugin 'mine.py:Wrong': grants must be" in done.stderr
    assert "(period 0, seed 0)" in done.stderr


def test_a_compiled_kind_that_draws_no_packet_is_refused_as_a_plain_one(folder):
    (folder / "mine.py").write_text(
        "import numba\n\n\n@numba.njit\ndef draw(index, u_gap, u_size):\n"
        "    return (1e6, 100.0) if index < 20 else (-5.0, 100.0)\n\n\n"
        "class Wrong:\n    draw = staticmethod(draw)\n"
    )
    with pytest.raises(PluginError, match=r"got \(-5.0, 100.0\) for packet 20"):
        reports(loaded(folder, traffic="{kind: 'mine.py:Wrong'}"))
