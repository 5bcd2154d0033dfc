"""The engine of one machine: a process with one thread for each job."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from netsim.studies import jobs, worker
from netsim.studies.engine import Ended
from netsim.studies.plan import Job

PATIENCE_S = 10.0
"""How long a worker that was asked to stop may take to write its checkpoint."""
TURN_S = 0.05


class LocalEngine:
    """Workers on this machine."""

    def __init__(self, folder: Path, places: int) -> None:
        """Carry out jobs in a folder, at most ``places`` at once."""
        self.places = places
        self._folder = folder
        self._running: dict[str, tuple[Job, subprocess.Popen[bytes]]] = {}
        self._said: dict[str, int] = {}

    def start(self, job: Job) -> Ended | None:
        """Begin a job. One that a dying worker still holds is given back as put off."""
        folder = self._folder / job.name
        held = jobs.take(folder)
        if held is None:
            return Ended(job, put_off=True)
        try:
            if jobs.finished(folder, job):  # by the worker of a driver that was killed
                return Ended(job)
            jobs.prepare(folder, job)
            self._said[job.name] = jobs.log_size(folder)
            with (folder / jobs.LOG).open("ab") as log:
                self._running[job.name] = job, self._process(job, held, log)
        finally:
            os.close(held)
        return None

    def _process(self, job: Job, held: int, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            worker.command(job),
            cwd=self._folder,
            env=worker.environment(os.environ),
            stdin=subprocess.PIPE,  # never written: it ends when this process does
            stdout=log,
            stderr=log,
            pass_fds=(held,) if sys.platform != "win32" else (),
            start_new_session=True,  # Ctrl-C is for the driver, which passes it on once
        )

    def ended(self) -> list[Ended]:
        """Wait a moment; the jobs that have ended meanwhile."""
        time.sleep(TURN_S)
        found = []
        for name, (job, process) in list(self._running.items()):
            status = process.poll()
            if status is not None:
                del self._running[name]
                _close(process)
                found.append(self._judged(job, status))
        return found

    def _judged(self, job: Job, status: int) -> Ended:
        folder = self._folder / job.name
        if jobs.finished(folder, job):
            return Ended(job)
        if status == -signal.SIGKILL:  # somebody or the system killed the worker: it goes on where it was
            return Ended(job, put_off=True, killed=True)
        return Ended(job, error=jobs.complaint(folder, self._said[job.name]))

    def stop(self) -> None:
        """End all workers: they may write a checkpoint, and what they had done is gone on with next time."""
        for _, process in self._running.values():
            process.terminate()
        limit = time.monotonic() + PATIENCE_S
        for _, process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, limit - time.monotonic()))
            process.kill()
            process.wait()
            _close(process)
        self._running.clear()


def _close(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
