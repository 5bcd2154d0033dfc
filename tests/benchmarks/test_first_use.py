"""How long a user waits for the table of a run: with an empty cache of compiled kernels, and after that."""

import os
import subprocess
import sys
import time
from pathlib import Path

import netsim

CHECKOUT = str(Path(netsim.__file__).resolve().parent.parent)


def run_takes_s(cache, folder):
    environment = {**os.environ, "SLICETWIN_CACHE": str(cache), "PYTHONPATH": CHECKOUT}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-m", "netsim", "run", "table1", "--periods", "50"]
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    elapsed_s = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    assert "URLLC" in done.stdout
    return elapsed_s


def test_the_first_run_takes_under_10_s_compilation_included_and_the_next_under_2_s(tmp_path):
    """Wall clock. Python itself and its packages are in the page cache after a run that is not counted."""
    run_takes_s(tmp_path / "uncounted", tmp_path)
    first_s = run_takes_s(tmp_path / "cache", tmp_path)
    next_s = min(run_takes_s(tmp_path / "cache", tmp_path) for _ in range(3))
    print(f"\nfirst run {first_s:.2f} s, next {next_s:.2f} s")  # noqa: T201
    assert first_s < 10
    assert next_s < 2
