"""Ctrl-C and SIGTERM, held back until nothing is half done."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Hold interrupts back; what is yielded does what a held one would have done, at a moment of the caller's choice.

    A second signal is not held back. Only the main thread gets signals, and only those that Python code handles are
    held: a SIGTERM that ends the process at once still does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    held: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            before[signal.Signals(number)](number, frame)
        held.append(number)

    def deliver() -> None:
        if held:
            before[signal.Signals(held[0])](held[0], None)

    for number in before:
        signal.signal(number, hold)
    try:
        yield deliver
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
