"""A digital twin: a state model and an outcome model fitted to what was recorded of one network (eq. 7 and 9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netsim.errors import InputError
from netsim.scenario import Scenario
from rl.observation import Encoder
from rl.replay import Arrays
from rl.settings import Settings
from twin.experience import Experience, Floats
from twin.models.outcome import Objective, Outcome, OutcomeConfig, OutcomeModel
from twin.models.outcome_fit import fit_outcome_model
from twin.models.state import StateConfig, StateModel, fit_state_model, state_model_from_arrays


class TwinConfig(Settings):
    """What a twin consists of and how it is fitted."""

    state: StateConfig = StateConfig()
    outcome: OutcomeConfig = OutcomeConfig()


@dataclass(frozen=True)
class Starts:
    """Where imagined periods may begin: the transitions that were recorded, with what came before each."""

    states: Floats
    """Shape ``(M, N)``."""
    shares: Floats
    """Of the period after each, shape ``(M, N)``."""
    rows: NDArray[np.int64]
    """For each the transitions before it, shape ``(M, L)``."""
    there: NDArray[np.bool_]
    """Which of them there are, shape ``(M, L)``."""

    @classmethod
    def of(cls, experience: Experience, length: int) -> "Starts":
        """Every state of an experience, with a context of ``length`` transitions."""
        rows, there = experience.contexts(length + 1)
        return cls(experience.states, experience.shares, rows[:, :-1], there[:, :-1])

    def __len__(self) -> int:
        return len(self.states)

    def contexts(self, places: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Past states and shares of some starts, shape ``(B, L, N)`` both, and which there are, shape ``(B, L)``."""
        rows = self.rows[places]
        past = (self.states[rows], self.shares[rows], self.there[places])
        return torch.from_numpy(past[0]), torch.from_numpy(past[1]), torch.from_numpy(past[2])


class DigitalTwin:
    """Both models, the states that agents see, and real states to start from."""

    def __init__(
        self, config: TwinConfig, encoder: Encoder, states: StateModel, outcomes: OutcomeModel, starts: Starts
    ) -> None:
        self.config, self.encoder = config, encoder
        self.states, self.outcomes, self.starts = states, outcomes, starts

    @classmethod
    def fit(
        cls,
        experience: Experience,
        scenario: Scenario,
        encoder: Encoder,
        config: TwinConfig,
        seed: int,
        whose: str = "",
        rewards: NDArray[np.float64] | None = None,
        warm: "DigitalTwin | None" = None,
    ) -> "DigitalTwin":
        """A twin of the network that an experience is of.

        Parameters
        ----------
        seed, whose
            Of weights, batches and bootstrap samples.
        rewards
            What the outcome model predicts where its target is the reward, shape ``(M,)``.
        warm
            A twin to go on from.

        Raises
        ------
        InputError
            Rewards are to be predicted, and none are given.
        RunError
            A loss is not finite.
        """
        if config.outcome.target == "reward" and rewards is None:
            raise InputError(
                "a twin's outcome.target must be outcome where there are data alone, got reward: only an agent that is "
                "being trained has rewards; leave outcome.target out"
            )
        before = (None, None) if warm is None else (warm.states, warm.outcomes)
        states = fit_state_model(experience, config.state, seed, whose, before[0])
        outcomes = fit_outcome_model(
            experience, Objective.of(scenario), config.outcome, seed, whose, rewards, before[1]
        )
        return cls(config, encoder, states, outcomes, Starts.of(experience, config.state.context))

    def predict(self, states: Floats, shares: Floats) -> Outcome:
        """What B allocations bring in B states, both of shape ``(B, N)``."""
        return self.outcomes.predict(torch.from_numpy(states), torch.from_numpy(shares))

    @property
    def gradient_steps(self) -> int:
        """Those of the fits of both models."""
        return sum(model.fitted.steps for model in (self.states, self.outcomes) if model.fitted is not None)

    # -- keeping -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, scaling, residuals and starts."""
        starts = {name: getattr(self.starts, name) for name in ("states", "shares", "rows", "there")}
        parts: Mapping[str, Mapping[str, NDArray[Any]]] = {
            "states": self.states.to_arrays(),
            "outcomes": self.outcomes.to_arrays(),
            "starts": starts,
        }
        return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    @classmethod
    def from_arrays(cls, config: TwinConfig, scenario: Scenario, encoder: Encoder, arrays: Arrays) -> "DigitalTwin":
        """What :meth:`to_arrays` gave.

        Raises
        ------
        KeyError, ValueError
            An array is missing, or of another shape.
        """
        n = len(scenario.slices)
        states = state_model_from_arrays(config.state, n, _part("states", arrays))
        outcomes = OutcomeModel.from_arrays(config.outcome, Objective.of(scenario), n, _part("outcomes", arrays))
        return cls(config, encoder, states, outcomes, Starts(**_part("starts", arrays)))


def _part(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}
