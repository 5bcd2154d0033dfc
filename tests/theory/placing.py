"""CH-04 on the simulator: where users are placed."""

from functools import partial

import numpy as np

from netsim.scenario import Scenario
from netsim.simulation import Simulation
from tests.theory import closed_forms as theory
from tests.theory.acceptance import Check, Exact, Ratio
from tests.theory.case import Case, Results
from tests.theory.faults import LEFT_OF_CAPACITY, Fault, kept
from tests.theory.radio import sender

DROPPED_USERS = 200_000
DROP_SEEDS = 5
RADIUS_M = 40.0
DROP_GROUPS = 100
"""Of consecutive users, as replications."""


def drop(least_m: float, radii_m: tuple[float, ...]) -> Results:
    """Distances, from the path gains of users who were placed, uniformly over a disc but for the least distance."""

    def measured(distances_m: np.ndarray, fault: Fault | None) -> list[Check]:
        distances_m = distances_m + {Fault.LATE: 1.0, Fault.EARLY: -1.0}.get(fault, 0.0)
        placed = kept(distances_m.size) if fault is Fault.LOSS else np.ones(distances_m.size, bool)
        groups = distances_m.reshape(DROP_GROUPS, -1)
        there = placed.reshape(DROP_GROUPS, -1)

        def share(of: str, expected: float, hits: np.ndarray) -> Ratio:
            return Ratio(of, expected, np.count_nonzero(hits & there, axis=1), groups.shape[1])

        rounding_m = 1e-9 * RADIUS_M
        checks: list[Check] = [
            Ratio("E R, m", theory.mean_distance(least_m, RADIUS_M), (groups * there).sum(axis=1), there.sum(axis=1)),
            *(share(f"P(R < {r:g} m)", (r / RADIUS_M) ** 2, groups < r) for r in radii_m),
            Exact("users placed", DROP_SEEDS * DROPPED_USERS, int(placed.sum())),
            Exact("users nearer or farther", 0, int(((groups < least_m - rounding_m) | (groups > RADIUS_M)).sum())),
        ]
        if least_m > RADIUS_M / 10:
            checks.append(share(f"P(R = {least_m:g} m)", (least_m / RADIUS_M) ** 2, groups < least_m + rounding_m))
        return checks

    sound, leaking = (_distances_m(least_m, radius_m) for radius_m in (RADIUS_M, LEFT_OF_CAPACITY * RADIUS_M))
    results = {fault: measured(sound, fault) for fault in (None, Fault.LATE, Fault.EARLY, Fault.LOSS)}
    return results | {Fault.LEAK: measured(leaking, None)}


def _distances_m(least_m: float, radius_m: float) -> np.ndarray:
    """Of the users of all seeds, one after the other."""
    scenario = Scenario.from_dict(
        {
            "name": "drop",
            "control": {"slots_per_period": 1},
            "channel": {"cell_radius": f"{radius_m!r} m", "min_distance": f"{least_m!r} m"},
            "slices": {"placed": sender(1000, 1, DROPPED_USERS)},  # who send nothing in the one slot that is played
        }
    )
    simulation, gains = Simulation(scenario), []
    for seed in range(DROP_SEEDS):
        simulation.reset(seed)
        gains.append(simulation.cell.users["gain"].copy())
    path_loss_db = 20.0 + 174.0 - 10 * np.log10(np.concatenate(gains))
    distances_m: np.ndarray = 1000 * 10 ** ((path_loss_db - 145.4) / 37.5)
    return distances_m


CASES = (
    *(
        Case(
            "CH-04",
            f"drop, never closer than {least_m:g} m",
            partial(drop, least_m, radii_m),
            {
                Fault.LATE: "users are 1 m farther",
                Fault.EARLY: "users are 1 m nearer",
                Fault.LEAK: "2 % of the radius are missing",
                Fault.LOSS: "one user in 1000 is missing",
            },
        )
        for least_m, radii_m in ((1.0, (10.0, 20.0, 30.0, 38.0)), (10.0, (15.0, 35.0)))
    ),
)
