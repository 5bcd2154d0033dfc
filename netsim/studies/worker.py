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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsim.studies.plan import Job

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
    order, begun = json.loads(arguments[0]), time.perf_counter()
    folder = Path(order["name"])
    status = _run(order["words"], folder)
    if status == 0:
        from netsim.studies import jobs

        jobs.keep_seconds(folder, time.perf_counter() - begun)
        jobs.seal(folder, order["command"])
    return status


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
