"""``python -m netsim.studies.worker ORDER``: carry out one job in the folder of all jobs, and seal what it left.

The process dies with whoever started it: standard input is a pipe that ends when its other end does. It holds the lock
of the job, which it inherits, so nobody else begins the job while it lives.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsim.studies.plan import Job

KEEP_EVERY_S = 10.0
"""How often the time is kept, so that little of it is forgotten if the worker is killed."""
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")}
"""Environment of a worker: cores are shared out between jobs, not within them."""


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker that was asked for from an environment."""
    import netsim

    paths = [str(Path(netsim.__file__).resolve().parents[1]), base.get("PYTHONPATH", "")]
    return {**base, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(path for path in paths if path), "NO_COLOR": "1"}


def command(job: "Job") -> list[str]:
    """The command line of the worker of a job, to be run in the folder of all jobs."""
    from netsim.studies.commands import with_folder

    order = {"name": job.name, "command": job.command, "words": with_folder(job)}
    return [sys.executable, "-m", "netsim.studies.worker", json.dumps(order)]


def main(arguments: Sequence[str]) -> int:
    """Do what the order says; the exit status is that of the command."""
    _die_with_the_driver()
    order = json.loads(arguments[0])
    folder = Path(order["name"])
    with timed(folder):
        status = _run(order["words"], folder)
    if status == 0:
        from netsim.studies import jobs

        jobs.seal(folder, order["command"])
    return status


@contextmanager
def timed(folder: Path) -> Iterator[None]:
    """Keep how long this takes, after what it took before it was begun again, and of which commit it is."""
    from netsim.studies import jobs, machine

    begun, before = time.perf_counter(), jobs.seconds_of(folder) or 0.0
    made, over = {"commit": machine.commit(), "processor": machine.processor()}, threading.Event()

    def keep() -> None:
        jobs.keep_time(folder, before + time.perf_counter() - begun, made)

    def keep_now_and_then() -> None:
        while not over.wait(KEEP_EVERY_S):
            keep()

    thread = threading.Thread(target=keep_now_and_then, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        keep()


def _run(words: Sequence[str], folder: Path) -> int:
    """Run ``netsim WORDS`` in this process; what it prints is the job's result if it keeps none itself."""
    from netsim import cli
    from netsim.files import temporary
    from netsim.studies.commands import WRITTEN

    result = folder / WRITTEN
    printed = temporary(result)
    sys.argv = ["netsim", *words]
    with printed.open("w", encoding="utf-8", newline="\n") as file:
        before, sys.stdout = sys.stdout, file
        try:
            status = cli.main()
        finally:
            sys.stdout = before
    if "--out" in words or status:
        printed.unlink()
    else:
        printed.replace(result)
    return status


def _die_with_the_driver() -> None:
    def wait() -> None:
        with open(0, "rb", buffering=0, closefd=False) as pipe:
            pipe.read()
        os.kill(os.getpid(), signal.SIGKILL if os.name == "posix" else signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
