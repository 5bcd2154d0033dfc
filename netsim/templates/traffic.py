"""MyTraffic says when the users of a slice send packets, and of what size.

netsim run tiny --set "slices.video.traffic={kind: my_traffic:MyTraffic}" --audit

In a scenario file beside this one: traffic: {kind: my_traffic.py:MyTraffic, options: {mean_gap_ms: 20.0}}
"""

import math


class MyTraffic:
    """Bursts: a packet follows the one before at once, but for every ``burst``-th, which comes after a random gap."""

    def __init__(self, mean_gap_ms: float = 10.0, burst: int = 4, most_bytes: int = 250) -> None:
        # Called once for each slice that names it, with the `options` of the scenario as keywords.
        self.mean_gap_ns = mean_gap_ms * 1e6
        self.burst = burst
        self.most_bits = 8 * most_bytes

    def draw(self, index: int, u_gap: float, u_size: float) -> tuple[float, float]:
        # Called once for each packet of each user.
        #
        #   index   number of the packet of this user, from 0
        #   u_gap   a random number between 0 and 1, both excluded, of this packet alone
        #   u_size  another one
        #
        # Returns the time since this user's packet before (or since the start), ns, at least 0, and the packet's size,
        # bits, at least 1. A gap of 2**61 or more: this user sends nothing further. It may depend on the arguments and
        # the options alone, so that all controllers meet the same packets. For speed, `draw = staticmethod(f)` with f
        # compiled by numba.njit is called from within the simulator.
        gap_ns = -self.mean_gap_ns * math.log(u_gap) if index % self.burst == 0 else 0.0
        return gap_ns, math.ceil(self.most_bits * u_size)


if __name__ == "__main__":  # python my_traffic.py shows what one user sends
    import random

    numbers, traffic = random.Random(1), MyTraffic()
    for index in range(12):
        gap_ns, size_bits = traffic.draw(index, 1 - numbers.random(), 1 - numbers.random())
        print(f"packet {index}: {gap_ns / 1e6:.3f} ms after the one before, {size_bits / 8:.0f} B")
