"""``python -m netsim.isolated``: the process of a controller that a run has isolated (:mod:`netsim.isolation`).

It reads an order and then calls from standard input, a line of JSON each, and answers on what was standard output. It
ends with whoever started it, also while the controller is busy.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

from netsim import allocations
from netsim.errors import AllocationError, NetsimError, PluginError
from netsim.isolation import Message, decoded, scenario_of
from netsim.plugins import attach, make_controller, plugin_set, using
from netsim.pluginset import Named, PluginSet

PASSED_ON = ("run_started", "decide_allocation", "period_ended", "run_ended")


def main() -> int:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends this process
    answers = _own_output()
    calls: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(calls,), daemon=True).start()
    order = json.loads(calls.get())
    try:
        served = _Served(order)
    except NetsimError as error:
        _send(answers, _told(error))
        return 1
    _send(answers, {"hooks": served.hooks})
    while True:
        _send(answers, served.answer(json.loads(calls.get())))


def _own_output() -> IO[bytes]:
    """Standard output for answers alone; what a controller prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _listen(calls: "queue.Queue[bytes]") -> None:
    with open(0, "rb", closefd=False) as file:
        for line in file:
            calls.put(line)
    os._exit(0)


def _send(answers: IO[bytes], answer: Message) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _told(error: NetsimError) -> dict[str, Any]:
    cause = error.__cause__
    shown = "" if cause is None else "".join(traceback.format_exception(cause))
    return {"error": str(error), "kind": type(error).__name__, "exit_status": error.exit_status, "traceback": shown}


def _attached(plugins: Sequence[str]) -> Iterator[Named]:
    """The run's plugins as far as their names say how to make them: objects that were handed to it stay there."""
    for spec in plugins:
        with suppress(NetsimError):
            yield attach(spec)


class _Served:
    """The controller and what it controls."""

    def __init__(self, order: Message) -> None:
        name = order["controller"]
        self._offered = plugin_set(_attached(order["plugins"]))
        with using(self._offered):
            self._scenario = scenario_of(order)
            self._own = PluginSet([Named(name, make_controller(name, self._scenario))])
        if self._own.implementers("processes"):
            raise PluginError(f"controller {name!r} has processes in the simulation: it cannot be isolated from it")
        self._name = name
        self.hooks = [hook for hook in PASSED_ON if self._own.implementers(hook)]

    def answer(self, call: Message) -> dict[str, Any]:
        """Call a hook of the controller; what it returned, or the error it ended with."""
        try:
            with using(self._offered):
                result = getattr(self._own.hook, call["hook"])(**self._arguments(call))
            decided = call["hook"] == "decide_allocation" and result is not None
            return {"allocation": self._checked(result) if decided else None}
        except NetsimError as error:
            return _told(error)

    def _arguments(self, call: Message) -> dict[str, Any]:
        if call["hook"] == "run_started":
            return {"scenario": self._scenario, "seed": call["seed"]}
        return {"summary": call["summary"]} if call["hook"] == "run_ended" else {"report": decoded(call["report"])}

    def _checked(self, allocation: object) -> tuple[int, ...]:
        units, n = self._scenario.carrier.units, len(self._scenario.slices)
        try:
            return allocations.check(allocation, units, n)
        except AllocationError as error:
            raise PluginError(f"controller {self._name!r}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
