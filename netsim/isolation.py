"""A controller in a process of its own, which may be late, hang or die without taking the run with it.

What crosses to it and back are lines of JSON: the scenario once, then reports and allocations (no pickle).
:mod:`netsim.isolated` is the other side.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netsim import errors
from netsim.errors import InputError, NetsimError, PluginError
from netsim.hooks import hookimpl
from netsim.report import PeriodReport

if TYPE_CHECKING:
    from netsim.scenario import Scenario

START_S = 120.0
"""Seconds to begin in: a controller may import much."""
LINGER_S = 5.0
"""Seconds in which a process that has closed its output is gone by itself."""
HELD_S = 1.0
"""Seconds in which the output of a process that is gone ends, unless somebody else holds it."""

Message = Mapping[str, Any]


class RemoteError(Exception):
    """An exception that a controller raised in its process; its text is the traceback there."""

    def __str__(self) -> str:
        """The traceback, on lines of its own."""
        return f"in the controller's process\n{self.args[0].rstrip()}"


class Isolated:
    """Passes a run's hooks on to a controller in another process, and waits so long for each decision."""

    def __init__(
        self, controller: str, scenario: "Scenario", plugins: Sequence[str] = (), *, deadline_s: float = 10.0
    ) -> None:
        """Start the process.

        Parameters
        ----------
        controller
            As :func:`netsim.run.run` takes it, by its name.
        scenario
            What it is to control.
        plugins
            Specifications of further plugins, which may offer the controller or what the scenario names.
        deadline_s
            Seconds for a decision, those of the observations before it included: above 0, and at most
            ``threading.TIMEOUT_MAX``, the longest that Python waits.

        Raises
        ------
        InputError
            The deadline is out of range, or there is no such controller.
        PluginError
            It cannot be made, or has hooks that need the simulation in its own process.
        """
        if not deadline_s > 0:
            raise InputError(f"deadline_s must be above 0, got {deadline_s}")
        if deadline_s > threading.TIMEOUT_MAX:
            raise InputError(
                f"deadline_s must be at most {threading.TIMEOUT_MAX:.0f}, got {deadline_s:g}; a controller that is not "
                "isolated runs without a deadline"
            )
        self._name, self._deadline_s, self._seed = controller, deadline_s, 0
        self._order = {
            "controller": controller,
            "plugins": list(plugins),
            "scenario": scenario.to_dict(),
            "folder": None if scenario.folder is None else str(scenario.folder),
        }
        self._started, self._waiting = False, 0
        self._begin()

    def _begin(self) -> None:
        """A new process, told of the run if that has started."""
        self._process = _Process(self._order)
        try:
            self._hooks = frozenset(self._answer(START_S, "was not ready")["hooks"])
        except BaseException:
            self._process.end()
            raise
        if self._started:
            self._tell("run_started", seed=self._seed)
            self._collect(START_S, "did not return from run_started")

    @hookimpl
    def run_started(self, seed: int) -> None:
        """Tell the controller, which has the scenario."""
        self._started, self._seed = True, seed
        self._tell("run_started", seed=seed)
        self._collect(START_S, "did not return from run_started")

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> Sequence[int] | None:
        """Ask the controller; one whose process has ended is made anew first."""
        if self._process.over:
            self._begin()
        until = time.monotonic() + self._deadline_s
        self._collect(self._deadline_s, "did not return from period_ended")
        if not self._tell("decide_allocation", report=encoded(report)):
            return None
        self._waiting = 0
        answer = self._answer(until - time.monotonic(), "did not decide")
        decided: list[int] | None = answer["allocation"]
        return decided

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        """Tell the controller without waiting; what it raises comes with its next decision."""
        if not self._process.over:
            self._tell("period_ended", report=encoded(report))

    @hookimpl
    def run_ended(self, summary: Mapping[str, Any]) -> None:
        """Tell the controller, and wait until it is done."""
        if not self._process.over:
            self._tell("run_ended", summary=summary)
            self._collect(self._deadline_s, "did not return from run_ended")

    def close(self) -> None:
        """End the process."""
        self._process.end()

    def _tell(self, hook: str, **more: object) -> bool:
        """Call a hook over there; whether the controller has it."""
        if hook not in self._hooks:
            return False
        self._process.write({"hook": hook, **more})
        self._waiting += 1
        return True

    def _collect(self, seconds: float, late: str) -> None:
        """Wait for the answers to what was told."""
        until = time.monotonic() + seconds
        while self._waiting:
            self._waiting -= 1
            self._answer(until - time.monotonic(), late)

    def _answer(self, seconds: float, late: str) -> Message:
        try:
            answer = self._process.read(seconds)
        except (queue.Empty, EOFError) as error:
            self._waiting = 0
            status = self._process.end()
            limit = START_S if late in ("was not ready", "did not return from run_started") else self._deadline_s
            told = f"{late} within {limit:g} s" if isinstance(error, queue.Empty) else f"ended, {_ending(status)}"
            raise PluginError(f"controller {self._name!r} in its own process {told}") from None
        if "error" in answer:
            raise _error(answer)
        return answer


class _Process:
    """The other side: a line for each message, and a thread that reads its answers."""

    def __init__(self, order: Message) -> None:
        words = [sys.executable, "-m", "netsim.isolated"]
        # In a session of its own, so that all it starts can be ended with it. Ctrl-C is for the run, which ends it.
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self.over = False
        self.write(order)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._answers.put(line)
        self._answers.put(b"")

    def write(self, message: Message) -> None:
        """Send a message; that nobody reads it any more is seen by who waits for the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass

    def read(self, seconds: float) -> dict[str, Any]:
        """The next answer; raises ``queue.Empty`` when time is up and EOFError when there will be none."""
        line = self._answers.get(timeout=max(seconds, 0.0))
        if not line.endswith(b"\n"):
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> int:
        """Kill the process if it still runs, with those it has started; its exit status, negative for a signal."""
        if self._reader.is_alive():  # else its output is closed, it is about to go by itself
            self._kill()
        try:
            status = self._process.wait(LINGER_S)
        except subprocess.TimeoutExpired:
            self._kill()
            status = self._process.wait()
        self._reader.join(HELD_S)  # who has left the session may hold the output, and the reader waits on
        assert self._process.stdin is not None
        with suppress(OSError):  # what was not sent
            self._process.stdin.close()
        self.over = True
        return status

    def _kill(self) -> None:
        """Kill the session that the process leads: a child of its own would hold its output open and be left behind."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):  # it has just gone
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()


def _ending(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"with status {status}"


def _error(answer: Message) -> NetsimError:
    """The error that was raised over there, as the same kind."""
    error: NetsimError = getattr(errors, answer["kind"])(answer["error"])
    error.exit_status = answer["exit_status"]
    if answer["traceback"]:
        error.__cause__ = RemoteError(answer["traceback"])
    return error


# -- what crosses ------------------------------------------------------------------------------------------------------


def encoded(report: PeriodReport) -> dict[str, Any]:
    """A report as JSON can hold it, arrays with their types; floats lose nothing."""
    values = {field.name: getattr(report, field.name) for field in fields(report)}
    return {name: _encoded(value) for name, value in values.items()}


def _encoded(value: object) -> object:
    return {"dtype": str(value.dtype), "values": value.tolist()} if isinstance(value, np.ndarray) else value


def decoded(report: Message) -> PeriodReport:
    """The report again, its arrays read-only as they were."""
    return PeriodReport(**{name: _decoded(value) for name, value in report.items()})


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        array = np.array(value["values"], dtype=value["dtype"])
        array.flags.writeable = False
        return array
    return tuple(value) if isinstance(value, list) else value


def scenario_of(order: Message) -> "Scenario":
    """The scenario that an order names."""
    from netsim.scenario import Scenario

    return Scenario.from_dict(order["scenario"], None if order["folder"] is None else Path(order["folder"]))
