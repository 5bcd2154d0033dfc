"""Kernel and oracle agree on one small cell in which everything common happens, the same at every run."""

import pytest

from netsim.scenario import Scenario
from tests.oracles.comparing import assert_same_run

SLICES = {
    "alpha": {
        "users": 5,
        "traffic": {
            "kind": "renewal",
            "gap": {"distribution": "pareto", "shape": 1.2, "from": "0.4 ms", "cut": "1.7 ms"},
            "size": {"distribution": "pareto", "shape": 1.2, "from": "400 bit", "cut": "9000 bit"},
        },
        "sla": {"rate_floor": "2 Mbit/s", "latency_limit": "2 ms"},
        "queue": {"packets": 2},
    },
    "beta": {
        "users": 4,
        "traffic": {
            "kind": "renewal",
            "gap": {"distribution": "exponential", "mean": "1 ms"},
            "size": {"distribution": "choice", "values": ["3000 bit", "30000 bit"]},
        },
        "sla": {"rate_floor": "5 Mbit/s", "latency_limit": "3 ms"},
        "queue": {"packets": 3},
        "load": {"points": [{"at": "0 ms", "multiplier": 1.0}, {"at": "20 ms", "multiplier": 2.0}]},
    },
}


def busy(**more):
    content = {
        "name": "busy",
        "carrier": {"prb": 12, "prb_bandwidth": "200 kHz"},
        "control": {"slot": "0.5 ms", "slots_per_period": 20, "periods": 3},
        "slices": SLICES,
        "events": [
            {"at": "8 ms", "leave": {"slice": "alpha", "users": 2}},
            {"at": "16 ms", "join": {"slice": "beta", "users": 2}},
            {"at": "23 ms", "leave": {"slice": "beta", "users": 3}},
        ],
    }
    return Scenario.from_dict(content | more)


@pytest.mark.parametrize("cell_radius", ["40 m", "800 m"])
def test_kernel_equals_oracle_in_a_busy_cell(cell_radius):
    """Fading, positions, cut draws, full queues, users who come and go, a moving load, in 60 slots."""
    scenario = busy(channel={"cell_radius": cell_radius, "link": {"model": "shannon", "layers": 2}})
    assert_same_run(scenario, seed=3, allocations=((3, 9), (8, 4)))
