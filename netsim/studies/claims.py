"""Claims, judged: one holds if the whole interval of its effect is above its margin, and fails if it is below."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netsim.studies import inference
from netsim.studies.form import Verdict
from netsim.studies.inference import Paired
from netsim.studies.plan import Claim
from netsim.studies.results import BySeed, Floats, Results, paired_values


def judged(results: Results, claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Every claim with its effect, interval and verdict, as they are kept."""
    found = [_compared(results, claim) for claim in claims]
    adjusted = inference.holm([each["p"] for each in found])
    return [{**each, "p_holm": p} for each, p in zip(found, adjusted, strict=True)]


def _compared(results: Results, claim: Claim) -> dict[str, Any]:
    higher = _sides(results, claim, claim.higher)
    lower = claim.lower if isinstance(claim.lower, float) else _sides(results, claim, claim.lower)
    pairs = _restricted(results, claim, paired_values(higher, lower))
    differences = np.concatenate([one - other for one, other in pairs])
    found = inference.paired(differences - claim.margin)
    return {
        "claim": claim.name,
        "says": claim.says,
        "measure": claim.measure,
        "higher": list(claim.higher),
        "lower": claim.lower if isinstance(claim.lower, float) else list(claim.lower),
        "margin": claim.margin,
        "effect": _told(found.effect + claim.margin),
        "ci95": _ends(found, claim.margin),
        "p": found.p,
        "pairs": found.pairs,
        "method": found.method,
        "verdict": verdict(found),
        **_beside(pairs, differences, claim),
    }


def verdict(found: Paired) -> Verdict:
    """What the interval of differences, less the margin, says."""
    if found.low > 0:
        return "holds"
    return "fails" if found.high < 0 else "undecided"


def _sides(results: Results, claim: Claim, groups: Sequence[str]) -> list[BySeed]:
    return [results.numbers(claim.measure, group) for group in groups]


def _restricted(
    results: Results, claim: Claim, pairs: Sequence[tuple[Floats, Floats]]
) -> Sequence[tuple[Floats, Floats]]:
    """Times up to the shortest budget of all runs compared, before which none was lost from sight.

    A run that never got there counts with that budget, so that the mean is the restricted mean time.
    """
    if results.plan.measures[claim.measure].reach is None:
        return pairs
    groups = [*claim.higher, *(() if isinstance(claim.lower, float) else claim.lower)]
    times = [each for group in groups for each in results.times(claim.measure, group).by_seed.values()]
    limit = min((each.x for each in times if not each.reached), default=math.inf)
    return [(np.minimum(one, limit), np.minimum(other, limit)) for one, other in pairs]


def _beside(pairs: Sequence[tuple[Floats, Floats]], differences: Floats, claim: Claim) -> dict[str, Any]:
    """What else there is to know: how often one is better, and how many pairs would notice such an effect."""
    if not len(differences):
        return {"probability_of_improvement": None, "pairs_needed": None}
    whole = [pair for pair in pairs if len(pair[0])]
    often = None
    if not isinstance(claim.lower, float):
        often = inference.probability_of_improvement([one for one, _ in whole], [other for _, other in whole]).to_dict()
    needed = None
    if len(differences) > 1:
        beyond = float(differences.mean()) - claim.margin
        needed = inference.seeds_needed(beyond, float(differences.std(ddof=1)))
    return {"probability_of_improvement": often, "pairs_needed": needed}


def _ends(found: Paired, margin: float) -> list[float] | None:
    ends = [found.low + margin, found.high + margin]
    return ends if all(map(math.isfinite, ends)) else None


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None
