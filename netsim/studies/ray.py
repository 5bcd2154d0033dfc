"""The engine of many machines: jobs as tasks of a Ray cluster (extra ``ray``).

A task runs the same command in the same worker, in a folder of its own on whichever node it comes to, and brings that
folder back as bytes. A node that dies takes with it only what it was doing: its tasks are run again elsewhere.
netsim must be installed on every node, in the versions of this machine, or nothing is promised about bytes.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netsim.errors import InputError
from netsim.files import sync_folder
from netsim.provenance import differences, versions
from netsim.seals import MANIFEST
from netsim.studies import jobs, worker
from netsim.studies.engine import MOST_KILLS, Ended
from netsim.studies.plan import OUT, Job

ARRIVED = ".arrived"
TURN_S = 0.2

Brought = tuple[int, bytes, dict[str, str]]
"""Exit status, the folder, and the versions that made it."""


# -- on a node ---------------------------------------------------------------------------------------------------------


def perform(command: list[str], name: str, given: Mapping[str, bytes]) -> Brought:
    """Carry out a job in a new folder, which begins with those that the job needs and what it had done before."""
    with tempfile.TemporaryDirectory(prefix="netsim-") as place:
        for each, content in given.items():
            unpack(content, Path(place) / each)
        folder = Path(place) / name
        folder.mkdir(exist_ok=True)
        with (
            (folder / jobs.LOG).open("ab") as log,
            subprocess.Popen(
                [sys.executable, *command[1:]],
                cwd=place,
                env=worker.environment(os.environ),
                stdin=subprocess.PIPE,  # ends with this process, and the worker with it
                stdout=log,
                stderr=log,
            ) as process,
        ):
            process.wait()
        return process.returncode, packed([folder], folder), versions("torch")


def packed(parts: Iterable[Path], root: Path) -> bytes:
    """Files and folders as a zip, with names from ``root``."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for part in parts:
            for path in sorted([part, *part.rglob("*")]):
                if path.is_file() and path.name != ".lock":
                    archive.write(path, path.relative_to(root))
    return out.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """A zip of :func:`packed` as a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)


# -- on the driver -----------------------------------------------------------------------------------------------------


class RayEngine:
    """Workers on the nodes of a Ray cluster."""

    def __init__(self, folder: Path, places: int | None, address: str | None) -> None:
        """Join a cluster, or start one on this machine; ``places`` is how many jobs at once, else one per core of it.

        Raises
        ------
        InputError
            Ray is not installed, or there is no cluster.
        """
        self._folder = folder
        self._ray = _joined(address)
        self._task = self._ray.remote(num_cpus=1, max_retries=MOST_KILLS)(perform)
        self.places = places or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        self._running: dict[Any, tuple[Job, int]] = {}
        self._said: dict[str, int] = {}

    def start(self, job: Job) -> Ended | None:
        """Begin a job. One that a dying worker of this machine still holds is given back as put off."""
        folder = self._folder / job.name
        held = jobs.take(folder)
        if held is None:
            return Ended(job, put_off=True)
        if jobs.finished(folder, job):
            os.close(held)
            return Ended(job)
        jobs.prepare(folder, job)
        shutil.rmtree(folder / ARRIVED, ignore_errors=True)
        given = {name: packed([self._folder / name / OUT], self._folder / name) for name in job.needs}
        given[job.name] = packed([folder], folder)
        self._said[job.name] = jobs.log_size(folder)
        self._running[self._task.remote(worker.command(job), job.name, given)] = job, held
        return None

    def ended(self) -> list[Ended]:
        """Wait a moment; the jobs that have ended meanwhile."""
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=TURN_S) if self._running else ([], [])
        return [self._judged(task) for task in ready]

    def _judged(self, task: Any) -> Ended:
        job, held = self._running.pop(task)
        try:
            status, content, made_by = self._ray.get(task)
            if different := differences(made_by, versions("torch"), words=("on the node", "here")):
                return Ended(job, error="the node has other versions: " + "; ".join(different))
            arrive(content, self._folder / job.name)
            if status == 0 and jobs.finished(self._folder / job.name, job):
                return Ended(job)
            killed = status == -signal.SIGKILL
            why = None if killed else jobs.complaint(self._folder / job.name, self._said[job.name])
            return Ended(job, error=why, put_off=killed, killed=killed)
        except InputError as error:  # files that the command names are others on the node
            jobs.discard(self._folder / job.name)
            return Ended(job, error=f"on the node: {error}")
        except self._ray.exceptions.RayTaskError as error:
            return Ended(job, error=str(error.cause))
        except self._ray.exceptions.RayError:  # more nodes died than the cluster tries again for
            return Ended(job, put_off=True, killed=True)
        finally:
            os.close(held)

    def stop(self) -> None:
        """End all jobs."""
        for task, (_, held) in self._running.items():
            self._ray.cancel(task, force=True)
            os.close(held)
        self._running.clear()
        self._ray.shutdown()


def arrive(content: bytes, folder: Path) -> None:
    """Put what a node brought into a job's folder, its manifest last: until then the job is not finished."""
    place = folder / ARRIVED
    shutil.rmtree(place, ignore_errors=True)
    unpack(content, place)
    for path in place.rglob("*"):
        if path.is_file():
            jobs.make_durable(path)
    shutil.rmtree(folder / OUT, ignore_errors=True)
    for path in sorted(place.iterdir(), key=lambda each: (each.name == MANIFEST, each.name)):
        path.replace(folder / path.name)
    sync_folder(folder)
    place.rmdir()


def _joined(address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
    except ImportError:
        raise InputError("--engine ray needs Ray, which is not installed: pip install 'slicetwin[ray]'") from None
    before = signal.getsignal(signal.SIGTERM)
    paths = {"PYTHONPATH": worker.environment(os.environ)["PYTHONPATH"]}
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False, runtime_env={"env_vars": paths})
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"there is no Ray cluster at {address}: {json.dumps(str(error))[:200]}") from None
    signal.signal(signal.SIGTERM, before)
    return ray
