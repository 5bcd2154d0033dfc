"""Does flatness go with U on scenarios that an agent was not trained on? The paper takes it so; here it is measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netsim.errors import InputError
from netsim.loading import dump_scenario, load_scenario, parse_scenario
from netsim.scenario import Scenario
from netsim.statistics import rank_correlation


def shifted(text: str, trained_on: Scenario) -> Scenario:
    """A scenario to which agents are shifted: a name or file, or overrides ``KEY=VALUE ...`` of what they know.

    Raises
    ------
    InputError
        There is none, or its allocations are others.
    """
    if "=" in text:
        folder: Path | None = trained_on.folder
        made = parse_scenario(dump_scenario(trained_on), f"shifted scenario {text!r}", text.split(), folder=folder)
    else:
        made = load_scenario(text)
    there, known = ((each.carrier.units, len(each.slices)) for each in (made, trained_on))
    if there != known:
        raise InputError(
            f"shifted scenario {text!r} shares {there[0]} units between {there[1]} slices, the agents share {known[0]} "
            f"between {known[1]}"
        )
    return made


def correlations(
    sharpness: Mapping[str, Sequence[float]], utilities: Mapping[str, Sequence[float]], agents: Sequence[str]
) -> dict[str, Any]:
    """Of every sharpness with U on every scenario, over all trainings and within those of each agent.

    Below zero means that flatter agents get more.
    """
    kinds = {"all_trainings": None, "within_agents": agents}
    return {
        name: {
            scenario: {kind: rank_correlation(values, u, groups).to_dict() for kind, groups in kinds.items()}
            for scenario, u in utilities.items()
        }
        for name, values in sharpness.items()
    }
