"""A training that is killed, stopped or without a disk: nothing is lost, and nothing is different afterwards."""

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rl.checkpoints import Checkpoints
from rl.training import train
from tests.processes import hearing_interrupts
from tests.rl.small import NAMES, files_of, options_of, request_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, and limits on files")

ROOT = Path(__file__).parents[2]


# -- killed ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with all that a training needs in memory, so that a start costs little."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.rl.warm"])
    return context


def run_to_the_end(request, out):
    train(request, Path(out), resume=True)


def die_at_an_operation(request, out, at):
    """Train, and kill this process at the ``at``-th fsync, rename or write of a file."""
    count = 0

    def deadly(operation):
        def counted(*arguments, **options):
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **options)

        return counted

    for name in ("fsync", "rename", "replace", "rmdir", "unlink"):
        setattr(os, name, deadly(getattr(os, name)))
    run_to_the_end(request, out)


def die_in_an_update(request, out, at):
    """Train, and kill this process between the gradient and the step of the ``at``-th update."""
    from rl.optimiser import Adam

    count, step = 0, Adam.step

    def deadly(adam):
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        step(adam)

    Adam.step = deadly
    run_to_the_end(request, out)


def died(processes, target, *arguments):
    """Whether a process that does this was killed; else it came to its end."""
    process = processes.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize("name", [*NAMES, "ddqn-dt"])
def test_killed_and_resumed_leaves_the_same_bytes(name, processes, tmp_path):
    """Killed in saving, early and late, and in a gradient step."""
    request = request_of(name)
    train(request, tmp_path / "reference")
    rng = random.Random(name)
    assert died(processes, die_at_an_operation, request, tmp_path / "run", rng.randrange(1, 30))
    assert died(processes, die_in_an_update, request, tmp_path / "run", rng.randrange(1, 20))
    assert died(processes, die_at_an_operation, request, tmp_path / "run", rng.randrange(1, 30))
    assert not died(processes, run_to_the_end, request, tmp_path / "run")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "reference")


@pytest.mark.slow
def test_a_kill_at_any_operation_on_the_disk_leaves_the_same_bytes(processes, tmp_path):
    """At the first, the second, ... until the training comes to its end; resumed after each."""
    request = request_of("ddqn", interactions=30, checkpoint_every=10)
    train(request, tmp_path / "reference")
    expected, at = files_of(tmp_path / "reference"), 0
    while True:
        at += 1
        out = tmp_path / str(at)
        killed = died(processes, die_at_an_operation, request, out, at)
        if killed:
            assert not died(processes, run_to_the_end, request, out)
        assert files_of(out) == expected
        if not killed:
            break
    assert at > 50


def newest_of(folder):
    """The number of the newest checkpoint, 0 without one."""
    return max((int(path.name) for path in folder.glob("checkpoints/0*")), default=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "ddqn-dt"])
def test_kills_from_outside_at_20_random_moments_leave_the_same_bytes(name, processes, tmp_path):
    """Each time resumed, and killed again when it has got on; checkpoints come thick and fast."""
    request = request_of(name, interactions=3000, checkpoint_every=3, metrics_every=50, evaluate_every=500)
    train(request, tmp_path / "reference")
    rng, kills, within = random.Random(name), 0, 0
    while kills < 20:
        process = processes.Process(target=run_to_the_end, args=(request, tmp_path / "run"))
        before = newest_of(tmp_path / "run")
        process.start()
        while newest_of(tmp_path / "run") <= before and process.is_alive():
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        assert process.exitcode, f"it came to its end after {kills} kills: give it more interactions"
        kills += 1
        within += any((tmp_path / "run").glob("checkpoints/.*.partial"))
    assert not died(processes, run_to_the_end, request, tmp_path / "run")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "reference")
    print(f"\n{name}: {within} of {kills} kills landed in a save")  # noqa: T201
    assert within >= 0.3 * kills


# -- the command line --------------------------------------------------------------------------------------------------


def command(request, out, *more):
    return [
        sys.executable, "-m", "netsim", "train", "tiny", *options_of(request), "--out", str(out), "--quiet", *more,
    ]  # fmt: skip


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def finished(arguments, **options):
    return subprocess.run(
        arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False, **options
    )


def test_the_command_trains_refuses_an_existing_folder_and_gives_the_summary(tmp_path):
    request = request_of("gan-ddqn")
    summary = train(request, tmp_path / "reference")
    process = finished(command(request, tmp_path / "run", "--json"))
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == summary
    assert files_of(tmp_path / "run") == files_of(tmp_path / "reference")
    process = finished(command(request, tmp_path / "run"))
    assert process.returncode == 2
    [line] = process.stderr.splitlines()
    assert line.startswith(f"netsim: error: {tmp_path / 'run'} exists; give another --out, or --resume, or --force")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_checkpoint_and_gives_its_status(number, status, tmp_path):
    """What is resumed after it leaves the same bytes; the checkpoints that were due are not the one it leaves."""
    request = request_of("ddqn", interactions=100_000_000, checkpoint_every=1_000_000, metrics_every=1)
    with subprocess.Popen(
        command(request, tmp_path / "run"),
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hearing_interrupts,
    ) as process:
        metrics = tmp_path / "run" / "metrics.jsonl"
        while not (metrics.exists() and metrics.stat().st_size) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, message = process.communicate(timeout=60)
    assert process.returncode == status, message
    assert "Traceback" not in message
    kept = Checkpoints(tmp_path / "run" / "checkpoints", 1).newest()
    assert kept.interactions == len(metrics.read_text().splitlines())


def small_files():
    """Let this process write files of 130 kB at most. The simulator's state on ``tiny`` has 116."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (130_000, 130_000))


@pytest.mark.parametrize(
    ("what", "every", "refused"),
    [
        ("memory", {"metrics_every": 500, "checkpoint_every": 500}, ["cannot write a checkpoint to {}/checkpoints"]),
        (
            "metrics",
            {"metrics_every": 1, "checkpoint_every": 100},
            ["cannot write {}/metrics.jsonl", "cannot write {}/tensorboard"],
        ),
    ],
)
def test_a_full_disk_is_one_line_and_the_training_goes_on_when_there_is_room(what, every, refused, tmp_path):
    """First checkpoints and metrics fit, later ones do not."""
    hyper = {"replay_capacity": 5000, "learning_starts": 100_000}
    interactions = 4000 if what == "memory" else 700
    request = request_of("ddqn", interactions=interactions, evaluate_every=0, hyper=hyper, **every)
    process = finished(command(request, tmp_path / "run"), preexec_fn=small_files)
    assert process.returncode == 1, process.stderr
    [line] = process.stderr.splitlines()
    assert line in {f"netsim: error: {each.format(tmp_path / 'run')}: File too large" for each in refused}
    kept = Checkpoints(tmp_path / "run" / "checkpoints", 20).newest()
    assert kept.interactions >= 100
    assert kept.skipped == ()
    assert not list((tmp_path / "run").glob("checkpoints/.*"))
    train(request, tmp_path / "run", resume=True)
    train(request, tmp_path / "reference")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "reference")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "ddqm"], "there is no agent 'ddqm', did you mean 'ddqn'?"),
        (["--hyper", "learning_rate=fast"], "ddqn.learning_rate: input should be a valid number"),
        (["--hyper", "discount"], "ddqn: a setting is written key=value, got 'discount'"),
        (["--training", "interactions=5"], "training.interactions: is given twice"),
        (["--agent", "ddqn-td"], "there is no agent 'ddqn-td', did you mean 'ddqn-dt'?"),
        (["--loop", "zeta=0.5"], "--loop is for agents in a loop, as ddqn-dt; ddqn runs in none"),
        (["--agent", "ddqn-dt", "--loop", "zetta=0.5"], "dt: unknown setting 'zetta', did you mean 'zeta'?"),
        (["--agent", "ddqn-dt", "--loop", "zeta=2"], "dt.zeta: input should be less than or equal to 1, got '2'"),
        (["--agent", "ddqn-dt", "--loop", "zeta=0", "--loop", "zeta=1"], "dt.zeta: is given twice"),
        (
            ["--agent", "ddqn-dt", "--loop", "twin.outcome.membres=5"],
            "dt: unknown setting 'twin.outcome.membres', did you mean 'members'?",
        ),
        (
            ["--agent", "ddqn-dt", "--loop", "twin=5", "--loop", "twin.outcome.members=5"],
            "dt.twin.outcome.members: twin is given a value and parts of its own",
        ),
        (["--agent", "ddqn-dt", "--loop", "twin.outcome=5"], "dt.twin.outcome: input should be a valid dictionary"),
        (["--device", "cuda:77"], "device 'cuda:77' cannot be used"),
        (["--resume"], "--resume and --force need --out DIR"),
        (["--resume", "--force", "--out", "nowhere"], "give one of them"),
    ],
)
def test_wrong_options_are_refused_with_status_2_and_one_message(arguments, message, capsys, monkeypatch):
    from netsim import cli

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "argv", ["netsim", "train", "tiny", *arguments])
    try:
        assert cli.main() == 2
    finally:
        signal.signal(signal.SIGTERM, handler)
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
