"""Claims, judged: one holds if the whole interval of its effect is above its margin, and fails if it is below."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netsim.studies import inference
from netsim.studies.form import Verdict
from netsim.studies.inference import Paired
from netsim.studies.plan import Claim
from netsim.studies.results import BySeed, Floats, Pairs, Results, paired_values


def judged(results: Results, claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Every claim with its effect, interval and verdict, as they are kept."""
    found = [_compared(results, claim) for claim in claims]
    adjusted = inference.holm([each["p"] for each in found])
    return [{**each, "p_holm": p} for each, p in zip(found, adjusted, strict=True)]


def _compared(results: Results, claim: Claim) -> dict[str, Any]:
    higher = _sides(results, claim, claim.higher)
    lower = claim.lower if isinstance(claim.lower, float) else _sides(results, claim, claim.lower)
    pairs = _restricted(results, claim, paired_values(higher, lower))
    differences = _by_seed(pairs)
    found = inference.paired(differences, claim.margin)
    return {
        "claim": claim.name,
        "says": claim.says,
        "measure": claim.measure,
        "higher": list(claim.higher),
        "lower": claim.lower if isinstance(claim.lower, float) else list(claim.lower),
        "margin": claim.margin,
        "effect": _told(found.effect),
        "ci95": _ends(found),
        "p": found.p,
        "pairs": found.pairs,
        "method": found.method,
        "verdict": verdict(found, claim.margin),
        **_beside(pairs, differences, claim),
    }


def verdict(found: Paired, margin: float) -> Verdict:
    """What the interval of differences says of their mean being above a margin."""
    if found.low > margin:
        return "holds"
    return "fails" if found.high < margin else "undecided"


def _sides(results: Results, claim: Claim, groups: Sequence[str]) -> list[BySeed]:
    return [results.numbers(claim.measure, group) for group in groups]


def _by_seed(pairs: Sequence[Pairs]) -> Floats:
    """Difference of each seed that all pairs of groups have, mean over the pairs.

    Runs of one seed meet the same packets, whatever their group: several groups of it are one draw, not several.
    """
    found = [dict(zip(each.seeds, each.one - each.other, strict=True)) for each in pairs]
    seeds = [seed for seed in found[0] if all(seed in each for each in found)]
    return np.array([np.mean([each[seed] for each in found]) for seed in seeds])


def _restricted(results: Results, claim: Claim, pairs: Sequence[Pairs]) -> Sequence[Pairs]:
    """Times up to the shortest budget of all runs compared, before which none was lost from sight.

    A run that never got there counts with that budget, so that the mean is the restricted mean time.
    """
    if results.plan.measures[claim.measure].reach is None:
        return pairs
    groups = [*claim.higher, *(() if isinstance(claim.lower, float) else claim.lower)]
    times = [each for group in groups for each in results.times(claim.measure, group).by_seed.values()]
    limit = min((each.x for each in times if not each.reached), default=math.inf)
    return [Pairs(seeds, np.minimum(one, limit), np.minimum(other, limit)) for seeds, one, other in pairs]


def _beside(pairs: Sequence[Pairs], differences: Floats, claim: Claim) -> dict[str, Any]:
    """What else there is to know: how often one is better, and how many pairs would notice such an effect."""
    if not len(differences):
        return {"probability_of_improvement": None, "pairs_needed": None}
    often = None
    if not isinstance(claim.lower, float):
        sides = [each.one for each in pairs], [each.other for each in pairs]
        often = inference.probability_of_improvement(*sides).to_dict()
    needed = None
    if len(differences) > 1:
        beyond = float(differences.mean()) - claim.margin
        needed = inference.seeds_needed(beyond, float(differences.std(ddof=1)))
    return {"probability_of_improvement": often, "pairs_needed": needed}


def _ends(found: Paired) -> list[float] | None:
    ends = [found.low, found.high]
    return ends if all(map(math.isfinite, ends)) else None


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None
