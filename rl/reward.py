"""The reward of eq. 6: utility reshaped by a threshold that grows with time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim.errors import InputError
from netsim.scenario import Scenario

GROWTH_SHARE = 2 / 3
"""The share of a budget after which the growing threshold has reached gmax, unless the scenario gives sigma."""


@dataclass(frozen=True)
class Thresholds:
    """g(t) = min(gmin + sigma t, gmax), t in steps (paper eq. 6)."""

    gmin: float
    gmax: float
    sigma: float

    def __post_init__(self) -> None:
        """Refuse thresholds that are no numbers or in the wrong order.

        Raises
        ------
        InputError
            Naming the rule and the values.
        """
        if not (np.isfinite([self.gmin, self.gmax, self.sigma]).all() and self.gmin <= self.gmax and self.sigma >= 0):
            raise InputError(f"reward thresholds must be finite with gmin <= gmax and sigma >= 0, got {self}")

    @classmethod
    def of(cls, scenario: Scenario, budget: int) -> "Thresholds":
        """The scenario's own thresholds, else the calibrated ones: median U of the random policy, 0.98 of best-static.

        Without a ``sigma`` of the scenario, g reaches gmax at two thirds of ``budget`` steps.
        """
        given = scenario.reward
        if given is None:
            from netsim.beststatic import best_static

            best = best_static(scenario)
            gmin, gmax, sigma = min(best.gmin, best.gmax), best.gmax, None
        else:
            gmin, gmax, sigma = given.gmin, given.gmax, given.sigma
        return cls(gmin, gmax, (gmax - gmin) / (GROWTH_SHARE * budget) if sigma is None else sigma)

    def at(self, step: int) -> float:
        """g(t).

        >>> Thresholds(2.0, 3.5, 0.001).at(1000)
        3.0
        """
        return min(self.gmin + self.sigma * step, self.gmax)

    @property
    def settled(self) -> "Thresholds":
        """The same at their final value from the start, g = gmax."""
        return Thresholds(self.gmax, self.gmax, 0.0)

    def reward(self, utility: ArrayLike, step: int) -> NDArray[np.float64]:
        """0 below g(t), 1 up to gmax, 1 + (U - gmax) / 2 from there on; same shape as ``utility``, NaN where it is.

        >>> Thresholds(2.0, 3.5, 0.001).reward([1.0, 3.0, 4.0], 0)
        array([0.  , 1.  , 1.25])
        """
        u = np.asarray(utility, np.float64)
        return np.where(u < self.at(step), 0.0, np.maximum(1.0, 1.0 + (u - self.gmax) / 2.0))
