"""Every shipped scenario, simulated through, gives what it gave before.

The counts of all reports are digested, and the trace is fingerprinted layer by layer. Only whole numbers are: floats
that follow from positions go through numpy, whose logarithm differs in the last bit between machines, so the rates and
bits that come of them are rounded down to whole ones first.

`python -m tests.golden.test_shipped_scenarios` writes the files anew; a change of one needs a line in the changelog
that says why.
"""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import netsim
from netsim.fingerprint import Fingerprint
from netsim.loading import scenario_names
from netsim.report import LAYERS
from netsim.scenario import Scenario

DIGESTS, FINGERPRINTS = (Path(__file__).parent / name for name in ("digests.json", "fingerprints.json"))
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
Fingerprints = dict[str, dict[str, str]]
LINK = 4
"""Digits kept of each period's chained digest: where a trace changes, the first of them to differ tells the period,
but for one case in 65 536, and the full digest at the end differs in any case."""


def play(scenario: Scenario) -> tuple[str, Fingerprints]:
    """A whole run under the initial allocation, seed 1: the digest of its counts, and its fingerprint.

    The fingerprint has for each layer the digest and the ``links``, the first digits of the digest after each period.
    """
    simulation, fingerprint = netsim.Simulation(scenario, seed=1), Fingerprint(scenario.slice_names)
    layers = {layer: {"digest": "", "links": ""} for layer in LAYERS}
    counts = []
    for period in range(scenario.control.periods + 1):
        report = simulation.step(scenario.initial_allocation) if period else simulation.reset()
        counts.append([getattr(report, count) for count in COUNTS])
        fingerprint.add(simulation.marks())
        for layer, digest in (fingerprint.digests() or {}).items():
            layers[layer] = {"digest": digest, "links": layers[layer]["links"] + digest[:LINK]}
    return hashlib.sha256(np.array(counts, "<i8").tobytes()).hexdigest(), layers


@functools.cache
def played(name: str) -> tuple[str, Fingerprints]:
    """A shipped scenario's digest and fingerprint."""
    return play(netsim.load_scenario(name))


def changes(found: Fingerprints, golden: Fingerprints) -> list[str]:
    """A line for each layer that changed, the earliest first."""
    changed = []
    for layer in LAYERS:
        if found[layer]["digest"] != golden[layer]["digest"]:
            pairs = [[told[layer]["links"][i : i + LINK] for told in (found, golden)]
                     for i in range(0, len(golden[layer]["links"]), LINK)]  # fmt: skip
            first = next((i for i, (one, other) in enumerate(pairs) if one != other), len(pairs))
            changed.append((first, f"layer {layer} changed in period {first}"))
    return [line for _, line in sorted(changed, key=lambda each: each[0])]


@pytest.mark.parametrize("name", scenario_names())
def test_a_shipped_scenario_counts_what_it_did(name: str):
    assert played(name)[0] == json.loads(DIGESTS.read_text(encoding="utf-8"))[name]


@pytest.mark.parametrize("name", scenario_names())
def test_a_shipped_scenario_has_the_trace_it_had(name: str):
    golden = json.loads(FINGERPRINTS.read_text(encoding="utf-8"))[name]
    assert changes(played(name)[1], golden) == [], "see this module on how to renew the fingerprints"


def test_a_changed_trace_is_told_by_layer_and_period():
    golden = json.loads(FINGERPRINTS.read_text(encoding="utf-8"))["tiny"]
    at_ns = 17 * netsim.load_scenario("tiny").control.period_ns
    _, found = play(netsim.load_scenario("tiny", [f"events=[{{at: {at_ns} ns, transmit_power: 45 dBm}}]"]))
    assert changes(found, golden)[0] == "layer fading changed in period 17"
    assert found["arrivals"] == golden["arrivals"]


if __name__ == "__main__":
    counted, layered = {}, {}
    for each in scenario_names():
        counted[each], layered[each] = played(each)
    DIGESTS.write_text(json.dumps(counted, indent=2) + "\n", encoding="utf-8")
    FINGERPRINTS.write_text(json.dumps(layered, indent=1) + "\n", encoding="utf-8")
