"""What learning on a network and learning from a record have in common: when it is looked at, kept, and must stop."""

import math
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from netsim.scenario import Scenario
from rl.agents import Agent
from rl.greedy import HELD_OUT_SEED, GreedyEvaluation

Whole = Annotated[int, Field(ge=1)]


class CourseConfig(BaseModel):
    """When an agent is looked at and kept while it learns. Frequencies are in what the learning is counted by."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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
        seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + self.evaluation_seeds)
        return GreedyEvaluation(scenario, seeds, self.evaluation_periods)


def is_finite(agent: Agent, losses: Iterable[float]) -> bool:
    """Whether losses and weights are: a gradient that is not leaves a weight that is not, and so does a loss."""
    return math.isfinite(sum(losses)) and math.isfinite(float(agent.parameters.flat.sum()))
