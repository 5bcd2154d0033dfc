"""Off-policy evaluation: what policies are worth, told from recorded data alone, and how wrong that is.

Two ways are compared: fitted Q evaluation (:mod:`rl.fitted_q`), and roll-outs of the policies in a twin that is fitted
to the data. The truth is known here, because the simulator is the truth: mean U of a period on held-out seeds, the same
for all policies.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from netsim.errors import InputError
from netsim.scenario import Scenario
from netsim.statistics import rank_correlation
from rl.agents import Agent
from rl.fitted_q import FittedQConfig, fitted_utility
from rl.greedy import HeldOutSeeds, mean_over_seeds
from rl.policy import load_agent, trained
from rl.settings import Settings, Whole
from twin.digital_twin import DigitalTwin, TwinConfig
from twin.imagination import Rollouts
from twin.offline import DataSet

WHOSE = "off-policy evaluation"
WAYS = ("fitted_q", "twin")


class OpeConfig(Settings):
    """How policies are evaluated from data."""

    rollouts: Annotated[int, Field(ge=1, le=65_536)] = 256
    """Roll-outs of the twin at once."""
    horizon: Whole = 10
    """Periods after which they begin anew, each from a recorded state."""
    steps: Whole = 40
    """Periods of each."""
    fitted_q: FittedQConfig = FittedQConfig()
    twin: TwinConfig = TwinConfig()


def evaluated(
    data: DataSet,
    folders: Sequence[Path],
    config: OpeConfig,
    seed: int,
    held_out: HeldOutSeeds,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """What the data say of the policies in some folders, and the errors of that, as plain values.

    Parameters
    ----------
    seed
        Of both ways.
    held_out
        What is played on the simulator.

    Raises
    ------
    InputError
        A folder holds no training, or one of another scenario than the data.
    """
    policies = [_policy(folder, data.scenario) for folder in folders]
    twin = DigitalTwin.fit(data.experience, data.scenario, data.encoder, config.twin, seed, WHOSE)
    truth = held_out.evaluation(data.scenario)
    rows = []
    for done, (folder, (request, policy)) in enumerate(zip(folders, policies, strict=True)):
        rows.append(
            {
                "run": str(folder),
                "agent": request["agent"],
                "method": request["training"].get("method"),
                "simulator": truth.play(policy).utility.to_dict(),
                "fitted_q": fitted_utility(policy, data.recorded.transitions, config.fitted_q, seed),
                "twin": rolled_out(policy, twin, config, seed),
            }
        )
        if progress is not None:
            progress(done + 1, len(folders))
    return {
        "scenario": data.scenario.name,
        "scenario_hash": data.scenario.hash,
        "data": data.recorded.to_dict(),
        **held_out.to_dict(),
        "policies": rows,
        "errors": {way: errors(rows, way) for way in WAYS},
    }


def _policy(folder: Path, scenario: Scenario) -> tuple[dict[str, Any], Agent]:
    request, of = trained(folder)
    if of.hash != scenario.hash:
        raise InputError(f"{folder} was trained on another scenario than that of the data, {scenario.name!r}")
    return request, load_agent(folder)


def rolled_out(policy: Agent, twin: DigitalTwin, config: OpeConfig, seed: int) -> float:
    """Mean U of a period under a policy, as a twin imagines it from recorded states."""
    shares = policy.task.shares()
    rollouts = Rollouts(twin, config.rollouts, config.horizon, seed, WHOSE)
    utilities = [rollouts.step(shares[policy.act(rollouts.states)]).utilities for _ in range(config.steps)]
    return float(np.mean(utilities))


def errors(rows: Sequence[Mapping[str, Any]], way: str) -> dict[str, Any]:
    """Of one way over policies: bias (what it says less the truth), root mean square, rank correlation, and regret.

    The regret is what the policy gets less than the best one that the way would have chosen.
    """
    told, true = np.array([row[way] for row in rows]), np.array([row["simulator"]["mean"] for row in rows])
    missed = told - true
    return {
        "bias": mean_over_seeds(missed).to_dict(),
        "root_mean_square": math.sqrt(float((missed**2).mean())),
        "rank_correlation": rank_correlation(told, true).to_dict(),
        "regret": float(true.max() - true[told.argmax()]),
    }
