"""How much process time parts of a computation take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class CpuTimes:
    """Process time by part, in seconds.

    >>> times = CpuTimes("fit")
    >>> with times.of("fit"):
    ...     pass
    >>> list(times.to_dict())
    ['fit']
    """

    def __init__(self, *parts: str) -> None:
        self._seconds = dict.fromkeys(parts, 0.0)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Add what the block takes to a part."""
        began_s = time.process_time()
        yield
        self._seconds[part] += time.process_time() - began_s

    def to_dict(self) -> dict[str, float]:
        """Seconds by part."""
        return dict(self._seconds)
