"""What an agent sees of a period: the packets that arrived per slice (paper, section II-C), on a fixed scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

import netsim
from netsim.report import PeriodReport
from netsim.scenario import Scenario

PILOT_CELLS = 8
PILOT_SEED = (1 << 63) + (1 << 40)
"""Seeds of the pilot periods, far from those of users and of the race for the best static allocation."""
MOST_ARRIVALS = 2.0**53


@dataclass(frozen=True)
class Encoder:
    """Arrivals per slice as a state: log(1 + arrived) / scale.

    The scale is fixed for a scenario, one number per slice, so a load that doubles is seen to double. The logarithm
    keeps flash crowds within the range that a network has learned from.
    """

    scale: tuple[float, ...]
    """log(1 + arrivals of a period under the scenario's first load), at least log 2."""

    @classmethod
    def of(cls, scenario: Scenario) -> "Encoder":
        """The encoder of a scenario, from pilot periods: mean arrivals in period 0 over eight fixed seeds."""
        with netsim.SimulationBatch(scenario, range(PILOT_SEED, PILOT_SEED + PILOT_CELLS)) as batch:
            arrived = batch.reset().columns["arrived"].mean(axis=0)
        return cls(tuple(float(x) for x in np.log1p(np.maximum(arrived, 1.0))))

    @property
    def size(self) -> int:
        """Numbers in a state: one per slice."""
        return len(self.scale)

    @property
    def high(self) -> NDArray[np.float32]:
        """What no state exceeds, shape ``(N,)``."""
        return self(np.full(self.size, MOST_ARRIVALS))

    def __call__(self, arrived: ArrayLike) -> NDArray[np.float32]:
        """States from arrivals, shape ``(..., N)``.

        >>> import math
        >>> Encoder((math.log(11.0),))([10])
        array([1.], dtype=float32)
        """
        logarithms = np.log1p(np.asarray(arrived, np.float64))
        return np.asarray(logarithms / np.array(self.scale), np.float32)

    def state(self, report: PeriodReport) -> NDArray[np.float32]:
        """The state after a period, shape ``(N,)``."""
        return self(report.arrived)
