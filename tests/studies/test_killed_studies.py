"""A study that is killed, stopped or asked for twice: every result once, none lost, nobody left behind."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from netsim.studies import jobs
from tests.processes import hearing_interrupts
from tests.studies.small import (
    ROOT,
    RUNS,
    command,
    done,
    environment,
    finished_of,
    killed,
    planned,
    results_of,
    seals_of,
    wait_until,
    workers_of,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")

LONG = 10**9
SMALL = RUNS[: RUNS.index("measures:")].replace("[equal, random], seeds: 2", "[equal], seeds: 1")
TRAININGS = """
  - group: "trained-on-{users}"
    for: {users: [1, 2, 3, 4]}
    command: train tiny --set slices.video.users={users} --interactions 300 --training checkpoint_every=20
"""


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


def started(file, out, *more):
    return subprocess.Popen(
        command(file, out, *more), cwd=ROOT, env=environment(), stderr=subprocess.PIPE, preexec_fn=hearing_interrupts
    )


def ended(process):
    with process:
        return process.communicate(timeout=1800)[1].decode()


def test_killed_with_its_worker_and_again_without_it_a_study_goes_on_by_itself(study, tmp_path):
    """First the driver, and its worker with it; then the worker alone, whose run is begun once more."""
    out = tmp_path / "out"
    driver = started(study, out)
    wait_until(lambda: workers_of(out))
    driver.kill()
    ended(driver)
    wait_until(lambda: not workers_of(out))
    driver = started(study, out, "--resume")
    wait_until(lambda: workers_of(out))
    killed(workers_of(out))
    assert ended(driver) == ""
    assert driver.returncode == 0
    assert finished_of(planned(SMALL), out) == ["equal.0"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_second_driver_is_refused_and_a_stopped_study_leaves_nobody(number, status, tmp_path):
    """The worker is asked to stop, once, has time to write its checkpoint, and then it is gone."""
    file, out = tmp_path / "long.yaml", tmp_path / "out"
    file.write_text(RUNS.replace("periods: 3", f"periods: {LONG}"))
    driver = started(file, out, "--jobs", 1)
    wait_until(lambda: (out / "jobs" / "equal.0" / "out" / "manifest.json").exists() and workers_of(out))
    refused = done(command(file, out, "--resume"))
    assert refused.returncode == 2
    assert refused.stderr == f"netsim: error: another run is writing {out}\n"
    driver.send_signal(number)
    message = ended(driver)
    assert driver.returncode == status, message
    assert "Traceback" not in message
    assert workers_of(out) == []
    assert "netsim: terminated" in (out / "jobs" / "equal.0" / "log.txt").read_text()
    assert finished_of(planned(file.read_text()), out) == []


@pytest.mark.slow
def test_eight_kills_of_driver_and_workers_leave_64_results_once(tmp_path):
    """Of 60 runs and 4 trainings: the driver, a worker, or all of them, at random moments. The bytes are the same."""
    text = RUNS.replace("seeds: 2, periods: 3", "seeds: 30, periods: 50").replace("measures:", f"{TRAININGS}measures:")
    file, out = tmp_path / "small.yaml", tmp_path / "out"
    file.write_text(text)
    study_plan, rng, seen, kills = planned(text), random.Random(8), {}, 0
    assert len(study_plan.jobs) == 64
    driver = started(file, out, "--jobs", 3)
    while kills < 8:
        begun = len(seals_of(out))
        wait_until(lambda goal=begun + 5: len(seals_of(out)) >= goal and workers_of(out))
        time.sleep(rng.uniform(0.0, 1.0))
        assert driver.poll() is None, "it came to its end before it was killed: give it more runs"
        what = ("driver", "worker", "all")[kills % 3]
        workers = workers_of(out)
        if what != "driver":
            killed(workers if what == "all" else rng.sample(workers, min(1, len(workers))))
        if what != "worker":
            driver.kill()
            ended(driver)
            wait_until(lambda: not workers_of(out))
            driver = None
        kills += 1
        now = seals_of(out)
        assert {name: now[name] for name in seen} == seen
        seen = now
        if driver is None:
            driver = started(file, out, "--jobs", 3, "--resume")
    message = ended(driver)
    assert driver.returncode == 0, message
    final = seals_of(out)
    assert {name: final[name] for name in seen} == seen
    assert finished_of(study_plan, out) == [job.name for job in study_plan.jobs]
    assert len(final) == 64
    assert done(command(file, tmp_path / "reference", "--jobs", 2)).returncode == 0
    assert results_of(out) == results_of(tmp_path / "reference")


def test_a_job_is_held_against_others_for_as_long_as_its_worker_lives(tmp_path):
    held = jobs.take(tmp_path / "job")
    assert jobs.take(tmp_path / "job") is None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(held,)) as worker:
        os.close(held)
        assert jobs.take(tmp_path / "job") is None
        worker.communicate(b"\n")
    os.close(jobs.take(tmp_path / "job"))
