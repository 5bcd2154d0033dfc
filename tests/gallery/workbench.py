"""Runs chosen tests against changed code, each change in a forked process of its own.

Tests are collected once, with numba switched off; a fork costs milliseconds where a fresh process would import for
seconds. Hypothesis draws the same examples every time, fewer than usual, and does not look for smaller ones.
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).parents[2]
NETSIM = str(ROOT / "netsim") + os.sep
MOST_MEMORY_BYTES = 6 << 30
PASSED, FAILED, TIMEOUT, SKIPPED = "passed", "failed", "timeout", "skipped"


@dataclass(frozen=True)
class Outcome:
    """What became of one test."""

    test: str
    outcome: str
    cpu_s: float = 0.0
    called: frozenset[str] = field(default=frozenset(), repr=False)
    """The functions of netsim that it called, as ``file.py:qualified name``, where that was asked for."""

    @property
    def caught(self) -> bool:
        """Whether the test noticed a change: it failed, or went on for ever."""
        return self.outcome in (FAILED, TIMEOUT)


class Workbench:
    """The collected tests, ready to be run against changes."""

    def __init__(self, items: Sequence[pytest.Item], max_examples: int) -> None:
        self.items = {item.nodeid: item for item in items}
        for item in items:
            _limit_examples(item, max_examples)

    def try_out(
        self,
        change: Callable[[], None],
        tests: Sequence[str],
        *,
        limits_s: dict[str, float] | None = None,
        tracing: bool = False,
        stop: bool = False,
    ) -> Iterator[Outcome]:
        """Outcomes of tests after a change; a test that runs beyond its limit in CPU seconds (60 unless given) is
        ended. With ``stop``, nothing is run after the first test that notices the change."""
        left = list(tests)
        while left:
            for outcome in self._in_a_fork(change, left, limits_s or {}, tracing):
                left.remove(outcome.test)
                yield outcome
                if stop and outcome.caught:
                    return

    def _in_a_fork(
        self, change: Callable[[], None], tests: Sequence[str], limits_s: dict[str, float], tracing: bool
    ) -> Iterator[Outcome]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._run(change, tests, limits_s, tracing, writing)
        os.close(writing)
        running, status = None, 0
        try:
            with os.fdopen(reading) as lines:
                for line in lines:
                    told = json.loads(line)
                    if "error" in told:
                        raise RuntimeError(told["error"])
                    running = told["test"]
                    if "outcome" in told:
                        running = None
                        yield Outcome(**{**told, "called": frozenset(told["called"])})
        finally:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        if running is not None:
            yield Outcome(
                running, TIMEOUT if os.WTERMSIG(status) == signal.SIGPROF else FAILED, limits_s.get(running, 60)
            )

    def _run(
        self,
        change: Callable[[], None],
        tests: Sequence[str],
        limits_s: dict[str, float],
        tracing: bool,
        writing: int,
    ) -> NoReturn:
        """The forked process: tell which test begins and how it ended, a line of JSON each."""

        def tell(**told: Any) -> None:
            os.write(writing, json.dumps(told).encode() + b"\n")

        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
        try:
            change()
            items = [self.items[test] for test in tests]
            for item, following in zip(items, [*items[1:], None], strict=True):
                tell(test=item.nodeid)
                signal.setitimer(signal.ITIMER_PROF, limits_s.get(item.nodeid, 60.0))
                began = time.process_time()
                with _Calls(tracing) as calls:
                    outcome = _outcome_of(item, following)
                cpu_s = time.process_time() - began
                tell(test=item.nodeid, outcome=outcome, cpu_s=cpu_s, called=sorted(calls.found))
        except BaseException as error:
            tell(error=repr(error))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # nothing of the parent's is to be flushed or cleaned up twice
        raise AssertionError("unreachable")


class _Calls:
    """Notes which functions of netsim are called while it is open."""

    def __init__(self, tracing: bool) -> None:
        self.found: set[str] = set()
        self._tracing = tracing

    def __enter__(self) -> "_Calls":
        if self._tracing:
            sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(NETSIM):
            self.found.add(f"{frame.f_code.co_filename.removeprefix(NETSIM)}:{frame.f_code.co_qualname}")


def _outcome_of(item: pytest.Item, following: pytest.Item | None) -> str:
    reports = runtestprotocol(item, nextitem=following, log=False)
    if any(report.failed for report in reports):
        return FAILED
    return SKIPPED if any(report.skipped for report in reports) else PASSED


def _limit_examples(item: pytest.Item, most: int) -> None:
    from hypothesis import Phase, settings  # here, because pytest has to prepare it for its assertions first

    function = getattr(item, "function", None)
    holder, name = function, "_hypothesis_internal_use_settings"
    if not hasattr(holder, name):
        holder, name = getattr(item, "cls", None), "settings"  # of a state machine
    declared = getattr(holder, name, None)
    if isinstance(declared, settings):
        limited = settings(
            declared,
            max_examples=min(most, declared.max_examples),
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            report_multiple_bugs=False,
        )
        setattr(holder, name, limited)


class _Plugin:
    """Hands the collected tests over instead of running them."""

    def __init__(self, work: Callable[[Sequence[pytest.Item]], None]) -> None:
        self._work = work

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} files of tests cannot be collected")
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # once, for all forks
        self._work(session.items)
        return True


def with_workbench(
    paths: Sequence[str], work: Callable[[Workbench], None], *, max_examples: int, options: Sequence[str] = ()
) -> None:
    """Collect tests and call ``work`` with the workbench; numba has to be off in this process.

    Raises
    ------
    RuntimeError
        The compiler is on, or tests cannot be collected.
    """
    if os.environ.get("NUMBA_DISABLE_JIT") != "1":
        raise RuntimeError("kernels are compiled in this process; set NUMBA_DISABLE_JIT=1 before it starts")
    arguments = ["-o", "addopts=", "-m", "not slow", "-q", "-s", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    plugin = _Plugin(lambda items: work(Workbench(items, max_examples)))
    status = pytest.main([*arguments, *options, *(str(ROOT / path) for path in paths)], plugins=[plugin])
    if status != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest ended with {status!r}")
