"""What a grant carries, worked out from the scenario's link and the channel of the slot."""

import math

import numpy as np

from netsim.nr import link_table
from netsim.portable import log2
from netsim.scenario import NrLink, Scenario, Shannon
from netsim.testing.books import Grant


class Efficiency:
    """What a grant carries, by the scenario's link and the channel of the slot."""

    def __init__(self, scenario: Scenario) -> None:
        self._slot_ns = scenario.control.slot_ns
        self._prb_hz = float(scenario.carrier.prb_bandwidth_hz)
        self._spread = scenario.channel.power == "spread"
        self._link = scenario.channel.link
        self._steps = link_table(self._link) if isinstance(self._link, NrLink) else None

    def grant(self, prb: int, faded: float) -> Grant:
        """A grant of resource blocks, given the slot's ``faded`` of :class:`netsim.state.Served`."""
        rate_bps = prb * self._prb_hz * (faded if self._spread else self._efficiency(faded / prb))
        return Grant(prb, int(rate_bps), int(rate_bps * self._slot_ns / 1e9))

    def _efficiency(self, snr: float) -> float:
        if isinstance(self._link, Shannon):
            scale = 1.0 if self._link.log == "log2" else float(np.log10(2.0))
            ceiling = math.inf if self._link.ceiling is None else self._link.ceiling
            return self._link.layers * min(scale * float(log2(1.0 + snr)), ceiling)
        assert self._steps is not None
        thresholds, efficiencies = self._steps
        supported = int(np.searchsorted(thresholds, snr, side="right"))
        return float(self._link.layers * efficiencies[supported - 1]) if supported else 0.0
