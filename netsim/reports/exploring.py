"""What a training cost the network that it was done on: packets that failed, and utility that was given up."""

from dataclasses import dataclass

import numpy as np

from netsim.reports.training_data import Curve, TrainingData


@dataclass(frozen=True)
class Cost:
    """The cost of exploring, held against playing the learned policy from the start."""

    training: TrainingData
    moving: bool
    """Whether the load moves. Then no single U says what would have been."""

    @property
    def reference(self) -> float:
        """U of the learned policy on held-out seeds."""
        greedy = self.training.last_greedy
        return float("nan") if greedy is None else float(greedy["utility"]["mean"])

    @property
    def given_up(self) -> Curve | None:
        """U of the learned policy less U while learning, summed over interactions."""
        x, y = self.training.curve("utility")
        if self.moving or np.isnan(self.reference) or not len(x):
            return None
        return Curve(x, np.cumsum((self.reference - y) * np.diff(x, prepend=0.0)))

    def failed(self, name: str) -> int:
        """Packets of a slice that did not get what they were promised, so far."""
        return int(self.training.curve("violations", name).y.sum())

    def ssr(self, name: str) -> float | None:
        """SSR of a slice over the training: exact once it has finished, before that the mean over lines."""
        if self.training.summary is not None:
            return float(self.training.summary["exploring"]["ssr"][name])
        curve = self.training.curve("ssr", name)
        return float(curve.y.mean()) if len(curve.y) else None

    def spared(self, name: str) -> float | None:
        """Packets that would have failed under the learned policy; ``None`` where it cannot be told."""
        ssr, greedy = self.ssr(name), self.training.last_greedy
        if self.moving or greedy is None or ssr is None or ssr >= 1.0:
            return None
        return self.failed(name) / (1 - ssr) * (1 - float(greedy["ssr"][name]["mean"]))
