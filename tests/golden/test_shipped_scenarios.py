"""What every shipped scenario computed when it was last looked at, as a digest of whole numbers.

`python -m tests.golden.test_shipped_scenarios` writes the digests anew; a change of one needs a line in the changelog
that says why.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import netsim
from netsim.loading import scenario_names

FILE = Path(__file__).parent / "digests.json"
COUNTS = (
    "arrived",
    "satisfied",
    "slow",
    "late",
    "dropped",
    "pending",
    "departed",
    "backlog_packets",
    "backlog_bits",
    "offered_bits",
    "carried_bits",
    "discarded_bits",
    "prb_slots_granted",
    "prb_slots_used",
)


def digest(name: str) -> str:
    """SHA-256 over the counts of a whole run under the initial allocation, seed 1."""
    scenario = netsim.load_scenario(name)
    simulation = netsim.Simulation(scenario, seed=1)
    reports = [
        simulation.reset(),
        *(simulation.step(scenario.initial_allocation) for _ in range(scenario.control.periods)),
    ]
    counts = np.array([[getattr(report, count) for count in COUNTS] for report in reports], "<i8")
    return hashlib.sha256(counts.tobytes()).hexdigest()


@pytest.mark.parametrize("name", scenario_names())
def test_a_shipped_scenario_computes_what_it_did(name: str):
    assert digest(name) == json.loads(FILE.read_text(encoding="utf-8"))[name]


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: digest(name) for name in scenario_names()}, indent=2) + "\n", encoding="utf-8")
