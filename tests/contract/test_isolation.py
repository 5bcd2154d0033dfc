"""Controllers in a process of their own: what they decide is the same, what they do wrong stays with them."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import netsim
from netsim.errors import InputError, PluginError
from netsim.isolation import decoded, encoded
from netsim.run import run
from tests.processes import hearing_interrupts

HERE = Path(__file__).parents[2]

FAULTS = '''
import json
import os
import signal
import sys
import time

from netsim import hookimpl


class Half:
    """5, 10 and 5 units, with a fault in period 2 of its process's life."""

    asked = 0

    @hookimpl
    def decide_allocation(self, report):
        self.asked += 1
        if self.asked == 2:
            self.fault(report)
        return self.decision(report)

    def decision(self, report):
        return 5, 10, 5

    def fault(self, report):
        pass


class Late(Half):
    def fault(self, report):
        time.sleep(1000)


class Busy(Half):
    def fault(self, report):
        while True:
            pass


class Killed(Half):
    def fault(self, report):
        os.kill(os.getpid(), signal.SIGKILL)


class Exits(Half):
    def fault(self, report):
        os._exit(7)


class Leaves(Half):
    def fault(self, report):
        sys.exit(7)


class Raises(Half):
    def fault(self, report):
        1 // 0


class Wrong(Half):
    def decision(self, report):
        return (5, 10, 5) if self.asked != 2 else (5, 10, 6)


class Prints(Half):
    def decision(self, report):
        print("a million lines\\n" * 1000)
        return 5, 10, 5


class Notes(Half):
    def fault(self, report):
        with open(os.environ["BUSY"], "w") as file:
            file.write(str(os.getpid()))
        while True:
            pass


class Forks(Half):
    """Leaves a process behind that has all its files open."""

    apart = False

    def fault(self, report):
        if os.fork() == 0:
            if self.apart:
                os.setsid()
            with open(os.environ["FORKED"], "w") as file:
                file.write(str(os.getpid()))
            time.sleep(1000)
            os._exit(0)
        while not (os.path.exists(os.environ["FORKED"]) and os.path.getsize(os.environ["FORKED"])):
            time.sleep(0.01)


class ForksApart(Forks):
    apart = True


class ForksAndHangs(Forks):
    def fault(self, report):
        super().fault(report)
        time.sleep(1000)


class Mute(Half):
    """Closes what it answers on, and goes on."""

    def fault(self, report):
        os.closerange(3, 100)
        time.sleep(1000)


class Watches(Half):
    """Hears all that a run says, and raises in an observation."""

    def __init__(self, scenario):
        self.heard = [scenario.name]

    @hookimpl
    def run_started(self, scenario, seed):
        self.heard.append([scenario.name, seed])

    @hookimpl
    def period_ended(self, report):
        self.heard.append(report.period)
        if report.period == 2:
            raise ValueError("seen enough")

    @hookimpl
    def run_ended(self, summary):
        self.heard.append(summary["periods"])
        print(json.dumps(self.heard), file=sys.stderr)


class Inside(Half):
    @hookimpl
    def processes(self, simulation):
        return []
'''


@pytest.fixture
def faulty(tmp_path):
    path = tmp_path / "faulty.py"
    path.write_text(textwrap.dedent(FAULTS))
    return lambda name: f"{path}:{name}"


@pytest.fixture(scope="module")
def tiny():
    return netsim.load_scenario("tiny")


def descendants():
    """Processes of controllers that this one has started and that are still there."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in children if "netsim.isolated" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.parametrize("controller", ["random", "examples/worst_first.py:WorstFirst"])
def test_an_isolated_controller_decides_the_same(controller, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(HERE)
    for name, deadline_s in (("here", None), ("there", 60.0)):
        run(tiny, controller, periods=8, seed=3, out=tmp_path / name, deadline_s=deadline_s)
    for file in ("periods.parquet", "summary.json", "events.jsonl"):
        assert (tmp_path / "there" / file).read_bytes() == (tmp_path / "here" / file).read_bytes()
    assert descendants() == []


def test_a_report_crosses_without_a_bit_lost(tiny):
    report = netsim.Simulation(tiny, seed=7).reset()
    crossed = decoded(json.loads(json.dumps(encoded(report))))
    assert crossed == report
    assert np.isnan(report.latency_mean_ms).any() or report.idle.sum() == 0
    assert not any(getattr(crossed, name).flags.writeable for name in ("arrived", "ssr", "idle"))


def whole(*case):
    return pytest.param(*case, marks=pytest.mark.whole)


@pytest.mark.parametrize(
    ("name", "message", "deadline_s", "faults"),
    [
        whole("Late", "in its own process did not decide within 3 s", 3, 2),
        whole("Busy", "in its own process did not decide within 3 s", 3, 2),
        ("Killed", "in its own process ended, killed by signal 9", 300, 2),
        whole("Mute", "in its own process ended, killed by signal 9", 300, 2),
        whole("Exits", "in its own process ended, with status 7", 300, 2),
        whole("Leaves", "failed in decide_allocation: SystemExit: 7", 300, 1),
        whole("Raises", "failed in decide_allocation: ZeroDivisionError", 300, 1),
        ("Wrong", "must sum to 20 units", 300, 1),
    ],
)
def test_whatever_it_does_ends_the_run_with_its_name_or_counts_as_a_fault(
    name, message, deadline_s, faults, faulty, tiny
):
    """A process that is gone begins anew and faults again in its second decision; one that answers goes on."""
    with pytest.raises(PluginError, match=message) as raised:
        run(tiny, faulty(name), periods=4, deadline_s=deadline_s)
    assert f"faulty.py:{name}" in str(raised.value)
    assert "period 2, seed 0" in str(raised.value)
    assert run(tiny, faulty(name), periods=4, deadline_s=deadline_s, on_fault="score")["faults"] == faults
    assert descendants() == []


def test_the_traceback_of_its_own_process_is_shown(faulty, tiny):
    with pytest.raises(PluginError) as raised:
        run(tiny, faulty("Raises"), periods=4, deadline_s=60.0)
    assert "1 // 0" in str(raised.value.__cause__)


@pytest.mark.whole
def test_it_hears_all_hooks_and_what_it_raises_in_an_observation_comes_with_the_next_decision(faulty, tiny, capfd):
    with pytest.raises(PluginError, match=r"failed in period_ended: ValueError: seen enough \(period 3, seed 4\)"):
        run(tiny, faulty("Watches"), periods=5, seed=4, deadline_s=60.0)
    summary = run(tiny, faulty("Watches"), periods=5, seed=4, deadline_s=60.0, on_fault="score")
    assert summary["faults"] == 1
    assert json.loads(capfd.readouterr().err) == ["tiny", ["tiny", 4], 0, 1, 2, 3, 4, 5, 5]


@pytest.mark.whole
def test_what_it_prints_is_no_answer(faulty):
    words = ["run", "tiny", "--controller", faulty("Prints"), "--periods", "3", "--isolate", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "netsim", *words], cwd=HERE, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["periods"] == 3
    assert done.stderr.count("a million lines") == 3000


def gone(pid):
    """Whether a process has ended, though nobody may have waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("name", ["Forks", "ForksApart", "ForksAndHangs"])
def test_a_process_that_the_controller_leaves_behind_holds_up_nobody(name, faulty, tiny, tmp_path, monkeypatch):
    """It is ended with the controller, unless it went into a session of its own; the run ends in any case."""
    note = tmp_path / "forked"
    monkeypatch.setenv("FORKED", str(note))
    deadline_s = 3 if name == "ForksAndHangs" else 300
    faults = run(tiny, faulty(name), periods=3, deadline_s=deadline_s, on_fault="score")["faults"]
    assert faults == (1 if name == "ForksAndHangs" else 0)
    pid = int(note.read_text())
    if name == "ForksApart":
        assert not gone(pid)
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert descendants() == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_for_the_run_ends_a_controller_that_is_busy_too(number, status, faulty, tmp_path):
    """As from a terminal: to the run's group, of which the controller's process is none."""
    words = ["run", "tiny", "--controller", faulty("Notes"), "--periods", "9", "--isolate", "--deadline", "1000"]
    note = tmp_path / "busy"
    with subprocess.Popen(
        [sys.executable, "-m", "netsim", *words],
        cwd=HERE,
        env={**os.environ, "BUSY": str(note)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hearing_interrupts,
    ) as started:
        until = time.monotonic() + 300
        while not (note.exists() and note.read_text()):
            assert time.monotonic() < until
            assert started.poll() is None, started.stderr.read().decode()
            time.sleep(0.02)
        os.killpg(started.pid, number)
        assert started.wait(timeout=60) == status
    assert gone(int(note.read_text()))


@pytest.mark.parametrize(
    ("controller", "deadline_s", "message"),
    [
        ("fxed", 1.0, "there is no controller"),
        ("equal", 0.0, "deadline_s must be above 0, got 0"),
        ("equal", float("nan"), "deadline_s must be above 0, got nan"),
        ("equal", float("inf"), r"deadline_s must be at most \d+, got inf; .* without a deadline"),
        ("equal", 1e10, r"deadline_s must be at most \d+, got 1e\+10"),
        ("equal", math.nextafter(threading.TIMEOUT_MAX, math.inf), "deadline_s must be at most"),
        (object(), 1.0, "must be given by its name"),
    ],
)
def test_wrong_input_is_refused_before_anything_runs(controller, deadline_s, message, tiny, tmp_path):
    with pytest.raises(InputError, match=message):
        run(tiny, controller, periods=1, deadline_s=deadline_s, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert descendants() == []


def test_the_longest_deadline_is_one(tiny):
    assert run(tiny, "equal", periods=1, deadline_s=threading.TIMEOUT_MAX)["faults"] == 0


def test_processes_in_the_simulation_cannot_be_isolated_from_it(faulty, tiny):
    with pytest.raises(PluginError, match="has processes in the simulation"):
        run(tiny, faulty("Inside"), periods=1, deadline_s=60.0)


@pytest.mark.whole
def test_it_ends_with_the_process_that_started_it_even_while_it_is_busy(faulty, tiny):
    """The run is killed, so nothing of netsim can tidy up."""
    code = f"""
import netsim, os
from netsim.isolation import Isolated
isolated = Isolated({faulty("Busy")!r}, netsim.load_scenario("tiny"), deadline_s=1000)
report = netsim.Simulation(netsim.load_scenario("tiny")).reset()
isolated.decide_allocation(report)
print(isolated._process._process.pid, flush=True)
isolated.decide_allocation(report)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=HERE, stdout=subprocess.PIPE, text=True) as started:
        pid = int(started.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        started.kill()
        started.wait()
    until = time.monotonic() + 300
    while Path(f"/proc/{pid}/cmdline").exists() and b"netsim" in Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.02)
