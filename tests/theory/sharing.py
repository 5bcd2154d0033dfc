"""QT-08 on the simulator: round robin over many resource blocks is processor sharing, one user a packet."""

from functools import partial
from typing import Any

from tests.theory import closed_forms as theory
from tests.theory.acceptance import Check
from tests.theory.case import Case, Results
from tests.theory.observing import PRB_BITS, SLOT_NS, Trace, after, cell, observe, part, plugged, poisson, under_faults

SHARED_PRB = 240
"""Shared evenly by up to six users, and by turns in any number."""
LAYERS = 1000
SLOT_BITS = SHARED_PRB * PRB_BITS * LAYERS
SERVICE_SLOTS = 10.0
LOAD = 0.5
USERS = 1000
"""A packet shares with all others unless two belong to one user, which one in a thousand does."""
CONTENDERS = LOAD / SERVICE_SLOTS / USERS


def shared(traffic: dict[str, Any], batches: int) -> Results:
    """Mean sojourn of packets that come in one Poisson stream and share the slots evenly."""
    expected = theory.processor_sharing_sojourn(SERVICE_SLOTS, LOAD) + theory.slots_of_sharing(LOAD)

    def checks(trace: Trace) -> list[Check]:
        return [
            trace.mean_sojourn(expected),
            trace.throughput(LOAD / SERVICE_SLOTS),
            trace.nothing_is_lost(),
        ]

    def trace(leaking: bool) -> Trace:
        slices = {"shared": part(traffic, after(1000), users=USERS, places=64)}
        return observe(cell(slices, 20_000, SHARED_PRB, LAYERS, leaking), batches=batches)["shared"]

    return under_faults(trace, checks)


MEAN_BITS = SERVICE_SLOTS * SLOT_BITS


def uniform(half_width: float) -> dict[str, Any]:
    """Around the mean. No law with all its mass on whole slots of service, of which a lone packet wastes nothing."""
    low, high = MEAN_BITS * (1 - half_width), MEAN_BITS * (1 + half_width)
    return poisson(CONTENDERS, {"distribution": "uniform", "from": f"{max(low, 1):.0f} bit", "to": f"{high:.0f} bit"})


def exponential() -> dict[str, Any]:
    return poisson(CONTENDERS, {"distribution": "exponential", "mean": f"{MEAN_BITS:.0f} bit"})


def pareto(shape: float = 1.5, cap: float = 30.0) -> dict[str, Any]:
    """Cut at ``cap`` times its least value, whose mean is (shape - cap^(1 - shape)) / (shape - 1) of that."""
    least = MEAN_BITS * (shape - 1) / (shape - cap ** (1 - shape))
    size = {"distribution": "pareto", "shape": shape, "from": f"{least:.0f} bit", "cut": f"{cap * least:.0f} bit"}
    return poisson(CONTENDERS, size)


P_LONG, LONG, SHORT = 0.1, 5.0 * SERVICE_SLOTS, SERVICE_SLOTS * 0.5 / 0.9
"""Half of the work in a tenth of the packets."""


def hyperexponential() -> dict[str, Any]:
    sizes = {"p_long": P_LONG, "long_bits": LONG * SLOT_BITS, "short_bits": SHORT * SLOT_BITS}
    return plugged("PoissonHyperexponential", mean_gap_ns=SLOT_NS / CONTENDERS, **sizes)


LAWS = {
    "almost constant": (uniform(0.1), 250),
    "uniform": (uniform(1.0), 250),
    "exponential": (exponential(), 500),
    "cut Pareto": (pareto(), 600),
    "hyperexponential": (hyperexponential(), 1200),
}
"""Sizes, from a squared coefficient of variation of 0.003 to one of 4.6, and batches that they need."""
CASES = tuple(
    Case("QT-08", f"M/G/1 processor sharing, {law} sizes", partial(shared, *settings)) for law, settings in LAWS.items()
)
