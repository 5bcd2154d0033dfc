"""What learning on a network and learning from a record have in common: when it is looked at, kept, and must stop."""

import math
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from netsim.scenario import Scenario
from rl.agents import Agent
from rl.greedy import HELD_OUT_SEED, GreedyEvaluation, HeldOutSeeds
from rl.settings import Settings, Whole


class CourseConfig(Settings):
    """When an agent is looked at and kept while it learns. Frequencies are in what the learning is counted by."""

    evaluate_every: Annotated[int, Field(ge=0)]
    """Interactions or epochs between evaluations of the greedy policy; 0 for none but the last."""
    evaluation_seeds: Whole = 8
    """Held-out cells on which the greedy policy is evaluated."""
    evaluation_periods: Whole = 25
    """Periods of each."""
    checkpoint_every: Whole
    """Interactions or epochs between checkpoints."""

    def evaluation(self, scenario: Scenario) -> GreedyEvaluation:
        """What plays the greedy policy on the held-out cells."""
        return HeldOutSeeds(self.evaluation_periods, HELD_OUT_SEED, self.evaluation_seeds).evaluation(scenario)


def is_finite(agent: Agent, losses: Iterable[float]) -> bool:
    """Whether losses and weights are: a gradient that is not leaves a weight that is not, and so does a loss."""
    return math.isfinite(sum(losses)) and math.isfinite(float(agent.parameters.flat.sum()))
