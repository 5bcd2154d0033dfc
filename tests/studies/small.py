"""Small studies, for tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from netsim.studies import jobs
from netsim.studies.engine import StudyFolder
from netsim.studies.loading import parse_study
from netsim.studies.plan import plan

ROOT = Path(__file__).parents[2]

RUNS = """
name: small
parameters: {controllers: [equal, random], seeds: 2, periods: 3}
runs:
  - group: "{controller}"
    for: {controller: "{controllers}"}
    command: run tiny --controller {controller} --periods {periods} --seed {seed}
measures:
  utility: {value: utility.mean}
claims:
  - claim: equal is better
    measure: utility
    higher: equal
    lower: random
"""


def planned(text=RUNS, overrides=()):
    return plan(parse_study(text, "small.yaml", overrides))


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **more}


def command(file, out, *more):
    return [sys.executable, "-m", "netsim", "study", str(file), "--out", str(out), "--quiet", *map(str, more)]


def done(arguments, **options):
    return subprocess.run(
        arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=500, check=False, **options
    )


def workers_of(out):
    """The processes that work in a study's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == Path(out).resolve() / "jobs":
                found.append(int(entry.name))
        except OSError:  # it has just ended
            continue
    return found


def killed(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_until(condition):
    """Wait for what must come; that it never does is a failure, however slow the machine."""
    limit = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.01)


def results_of(out):
    """Path -> bytes of all that the jobs of a study left, whatever depends on the clock aside."""
    folders = sorted(each for each in (Path(out) / "jobs").iterdir() if each.is_dir())
    return {
        str(path.relative_to(Path(out) / "jobs")): path.read_bytes()
        for folder in folders
        for path in [*jobs.results(folder), folder / "manifest.json"]
    }


def seals_of(out):
    """Job -> what changes when its seal is written anew."""
    found = {}
    for path in Path(out).glob("jobs/*/manifest.json"):
        state = path.stat()
        found[path.parent.name] = state.st_ino, state.st_mtime_ns
    return found


def finished_of(study_plan, out):
    folder = StudyFolder(Path(out), study_plan)
    return [job.name for job in study_plan.jobs if folder.finished(job)]
