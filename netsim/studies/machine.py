"""Where and from what results were made."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import netsim
from netsim.provenance import versions


def description() -> dict[str, Any]:
    """The machine and what is installed on it."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions("torch"),
    }


def commit() -> str | None:
    """The commit of the checkout that netsim runs from, with ``+`` if files differ from it; ``None`` outside of one."""
    root = Path(netsim.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    head, changed = (_git(root, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno")))
    return None if head is None else f"{head}{'+' if changed else ''}"


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """The processor's name; Linux tells it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
