"""Settings of Algorithm 1."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rl.settings import Settings, Whole
from twin.digital_twin import TwinConfig
from twin.drift import DriftConfig

Share = Annotated[float, Field(ge=0, le=1)]

LITERAL: dict[str, Any] = {
    "collect": 100,
    "first_collect": None,
    "real_steps": 900,
    "practice": "rollouts",
    "practice_updates": 2000,
    "rollouts": 1,
    "horizon": None,
    "imagined_per_update": 1,
    "zeta": 0.5,
    "epsilon": None,
    "twin_epsilon": 0.0,
    "twin_threshold": "growing",
    "real_threshold": "growing",
    "real_updates": 1,
    "share_collected": False,
    "keep_imagined": True,
    "sampled": False,
    "warm": True,
    "twin": {
        "state": {"head": "point", "linear": False},
        "outcome": {"target": "reward", "structure": "joint", "head": "point", "members": 1, "hidden": (256, 256)},
    },
}
"""The paper as it is written: one long chain of the twin's means, the reward alone predicted, rewards by the growing
threshold, greedy practice, and weights averaged half and half."""


class PracticeConfig(Settings):
    """Settings of lines 4 to 12: a twin, an agent's practice in it, and what becomes of that."""

    preset: Literal["recommended", "literal"] = "recommended"
    """What the settings that are not given are: the defaults below, or the paper's, as it is written."""
    practice: Literal["sweeps", "rollouts"] = "sweeps"
    """Whether agent 2 learns from every allocation of real states at once, or from transitions of roll-outs."""
    practice_updates: Annotated[int, Field(ge=0)] = 300
    """Gradient steps of agent 2 in an iteration (Phi); in roll-outs less those due while it has too little to learn
    from, ``learning_starts``."""
    sweep_states: Whole = 16
    """States of a sweep, at most the agent's batch size."""
    sweep_pool: Whole = 64
    """Real states for which the twin's outcomes are worked out in an iteration."""
    rollouts: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Roll-outs at once."""
    horizon: Whole | None = 10
    """Periods of a roll-out; ``None``: they never begin anew."""
    imagined_per_update: Whole = 8
    """Imagined transitions for each gradient step on them."""
    zeta: Share = 0.0
    """Share of its own weights that agent 1 keeps when agent 2 empowers it (eq. 8)."""
    twin_epsilon: Share = 0.1
    """Share of random allocations in roll-outs."""
    sampled: bool = True
    """Whether imagined utilities and states are drawn from what the twin holds possible, or are its means."""
    twin: TwinConfig = TwinConfig()

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        """Settings that are not given are those of the preset."""
        if not isinstance(given, dict) or given.get("preset") != "literal":
            return given
        return merged({key: value for key, value in LITERAL.items() if key in cls.model_fields}, given)


class DualLoopConfig(PracticeConfig):
    """Settings of Algorithm 1; the paper's letters in brackets."""

    collect: Annotated[int, Field(ge=0)] = 10
    """Transitions collected in an iteration before the twin is fitted (M)."""
    first_collect: Whole | None = 100
    """The same in the first iteration, before there is a twin; ``None``: as in the others."""
    real_steps: Whole = 240
    """Steps of agent 1 on the network in an iteration (T)."""
    epsilon: Share | None = 0.05
    """Share of random allocations on the network once there is a twin; ``None``: the agent's own schedule."""
    collect_epsilon: Share = 1.0
    """The same while transitions are collected, unless the agent's own schedule is used."""
    twin_threshold: Literal["growing", "final"] = "final"
    """Threshold g of the reward in the twin (eq. 6)."""
    real_threshold: Literal["growing", "final"] = "final"
    """The same when agent 1 learns from the network."""
    real_updates: Annotated[int, Field(ge=0)] = 0
    """Gradient steps of agent 1 for each interaction (line 18): one in the paper. A step on single transitions moves
    the values of a few allocations by more than good ones differ, where a sweep has set all of them."""
    share_collected: bool = True
    """Whether agent 1 learns from collected transitions too, not only from those of its own steps."""
    keep_imagined: bool = False
    """Whether agent 2 remembers transitions that an earlier twin imagined."""
    warm: bool = False
    """Whether a twin is fitted from the weights of the one before."""
    memory: Whole = 20_000
    """Newest transitions that a twin is fitted to."""
    refit: Literal["iteration", "drift"] = "iteration"
    """When the twin is fitted anew: in each iteration, or when its residuals say that the network has changed."""
    drift: DriftConfig = DriftConfig()

    @model_validator(mode="after")
    def _drift_is_of_what_a_network_reports(self) -> Self:
        if self.refit == "drift" and self.twin.outcome.target == "reward":
            raise ValueError("refit `drift` compares U with what a twin expects; one of target `reward` expects no U")
        return self


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """One tree of settings with those of another in place of its own."""
    joined = dict(base)
    for key, value in over.items():
        mine = joined.get(key)
        joined[key] = merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return joined
