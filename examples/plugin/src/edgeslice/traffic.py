"""Traffic of sensors that report at intervals, and now and then send much."""

from collections.abc import Callable

import numba
import numpy as np


def _draw_of(interval_ns: float, alarm_every: int) -> Callable[[int, float, float], tuple[float, float]]:
    """What draws packets, with the options put in as constants, so that numba can compile it."""

    @numba.njit
    def draw(index, u_gap, u_size):  # type: ignore[no-untyped-def]
        gap_ns = interval_ns * (0.9 + 0.2 * u_gap)
        if index == 0:
            gap_ns = interval_ns * u_gap  # sensors do not all start together
        is_alarm = index % alarm_every == alarm_every - 1
        size_bits = 8.0 * (20.0 + np.floor(100.0 * u_size))
        return gap_ns, 10.0 * size_bits if is_alarm else size_bits

    return draw


class Sensors:
    """A packet of 20 to 119 B at about every ``interval_ms``, and ten times as much in every ``alarm_every``-th."""

    def __init__(self, interval_ms: float = 100.0, alarm_every: int = 50) -> None:
        """Take the options of the scenario.

        Raises
        ------
        ValueError
            One is none; netsim names the plugin and shows the message.
        """
        if not interval_ms > 0.0 or alarm_every < 1:
            raise ValueError(f"interval_ms and alarm_every must be positive, got {interval_ms!r} and {alarm_every!r}")
        self.draw = _draw_of(interval_ms * 1e6, alarm_every)
