"""What ``netsim doctor`` finds out about this machine; plugins add checkups through the hook of that name."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Figures = Mapping[str, float | int | str | bool | None]

REFERENCE_PERIOD_MS = 0.19
"""CPU time of a period of ``table1`` on the machine of the README."""
MEASURED_S = 1.0
"""How long something is measured."""


@dataclass(frozen=True)
class Checkup:
    """What was found: ``figures`` for programs, ``found`` for people, and what they can do where ``advice`` says so."""

    found: str
    figures: Figures = field(default_factory=dict)
    advice: str = ""


def own(measure: bool) -> Mapping[str, Callable[[], Checkup]]:
    """The checkups of netsim itself."""
    always = {"cores": cores, "cache": cache}
    return {**always, "simulator": simulator} if measure else always


def cores() -> Checkup:
    """How many there are, and how many this process may use."""
    there = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    limited = "" if usable == there else f", {usable} of them for this process"
    figures: Figures = {"cores": there, "usable": usable, "machine": platform.machine(), "system": platform.system()}
    return Checkup(f"{there}{limited} ({platform.machine()}, {platform.system()})", figures)


def cache() -> Checkup:
    """The folder of compiled kernels: whether it can be written, and whether this version's are in it."""
    from netsim.compiled import kernel_cache
    from netsim.files import cache_root

    root, kernels = cache_root(), kernel_cache()
    compiled = len(list(kernels.rglob("*.nbc"))) if kernels.is_dir() else 0
    writable = _writable(root)
    state = (
        f"{compiled} compiled functions" if compiled else "nothing compiled yet: the first run takes ten seconds more"
    )
    figures: Figures = {"folder": str(root), "writable": writable, "warm": compiled > 0, "compiled": compiled}
    advice = "" if writable else "cannot be written, so runs compile again: set SLICETWIN_CACHE to a folder that can"
    return Checkup(f"{root}, {state}", figures, advice)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def simulator() -> Checkup:
    """How many periods of ``table1`` a cell takes a second; compiles first, where nothing is compiled yet."""
    import netsim

    simulation = netsim.Simulation(netsim.load_scenario("table1"), seed=1)
    simulation.reset()
    per_s = rate_per_s(lambda: simulation.step((3, 70, 27)))
    told = f"{per_s:,.0f} periods of table1 a second, {1000 / per_s:.2f} ms each"
    reference = 1000 / REFERENCE_PERIOD_MS
    figures = {"periods_per_s": round(per_s, 1), "readme_periods_per_s": round(reference, 1)}
    return Checkup(f"{told}; the README's machine {reference:,.0f}", figures)


def rate_per_s(work: Callable[[], object]) -> float:
    """How often something can be done a second: the median over batches of a twentieth of the time, after one of them.

    Wall clock, so that a machine that is busy with other things is as slow as it is.
    """
    batch_s = MEASURED_S / 20
    _batch(work, batch_s)
    return statistics.median(_batch(work, batch_s) for _ in range(20))


def _batch(work: Callable[[], object], batch_s: float) -> float:
    begin, done, now = time.perf_counter(), 0, 0.0
    while now < batch_s:
        work()
        done, now = done + 1, time.perf_counter() - begin
    return done / now
