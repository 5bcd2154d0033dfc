"""Does flatness go with U on scenarios that an agent was not trained on? The paper takes it so; here it is measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from netsim.errors import InputError
from netsim.loading import dump_scenario, load_scenario, parse_scenario
from netsim.scenario import Scenario
from netsim.statistics import UNKNOWN, Figure
from rl import draws

BOOTSTRAP = "landscape-bootstrap"
RESAMPLES = 10_000


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


def rank_correlation(x: ArrayLike, y: ArrayLike, groups: ArrayLike, seed: int = 0) -> Figure:
    """Spearman's rank correlation within groups, with the 95 % interval of a bootstrap over the members of each.

    Ranks are those within a group less their mean, so that what tells groups apart plays no part; with one group it is
    Spearman's coefficient. It is unknown where all ranks are equal.

    >>> round(rank_correlation([1.0, 2.0, 5.0, 9.0], [0.1, 0.2, 0.3, 0.4], [0, 0, 0, 0]).mean, 12)
    1.0
    """
    values = np.array([x, y], np.float64)
    places = [np.flatnonzero(np.asarray(groups) == group) for group in np.unique(groups)]
    found = _correlation(values[None], places)[0]
    if not np.isfinite(found):
        return UNKNOWN
    drawn = draws.uniform(seed, BOOTSTRAP, 0, RESAMPLES * values.shape[1]).reshape(RESAMPLES, -1)
    chosen = np.empty(drawn.shape, np.int64)
    for members in places:
        chosen[:, members] = members[(drawn[:, members] * len(members)).astype(np.int64)]
    resampled = _correlation(values[:, chosen].swapaxes(0, 1), places)
    low, high = np.quantile(resampled[np.isfinite(resampled)], [0.025, 0.975])
    return Figure(float(found), (float(low), float(high)))


def _correlation(values: NDArray[np.float64], places: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Of values of shape ``(R, 2, members)``, shape ``(R,)``; NaN where one of the two does not vary."""
    ranks = np.empty_like(values)
    for members in places:
        own = rankdata(values[:, :, members], axis=2)
        ranks[:, :, members] = own - own.mean(axis=2, keepdims=True)
    lengths = np.sqrt((ranks**2).sum(axis=2)).prod(axis=1)
    together = (ranks[:, 0] * ranks[:, 1]).sum(axis=1)
    found: NDArray[np.float64] = np.full(len(values), np.nan)
    np.divide(together, lengths, out=found, where=lengths > 0)
    return found


def correlations(
    sharpness: Mapping[str, Sequence[float]], utilities: Mapping[str, Sequence[float]], agents: Sequence[str]
) -> dict[str, Any]:
    """Of every sharpness with U on every scenario, over all trainings and within those of each agent.

    Below zero means that flatter agents get more.
    """
    kinds = {"all_trainings": ["" for _ in agents], "within_agents": list(agents)}
    return {
        name: {
            scenario: {
                kind: rank_correlation(values, u, np.unique(groups, return_inverse=True)[1]).to_dict()
                for kind, groups in kinds.items()
            }
            for scenario, u in utilities.items()
        }
        for name, values in sharpness.items()
    }
