"""A thousand million user-slots leave no trace in memory and cost at the end what they cost at the beginning."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.endurance import CHUNK, Sample, growth_mib, median_costs, slowed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads resident memory as Linux tells it"),
]
ALL = 25_000
"""Periods of 100 users and 400 slots: 10^9 user-slots."""
MOST_MIB = 512
MOST_GROWTH_MIB = 1.0
ROW_GROUP = 3
"""Chunks in which the packets of a row group and a bit gather: 10^6 of them, 1670 a period."""


def endured(*arguments):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak.endurance", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    samples = [Sample(*each) for each in json.loads(ran.stdout)]
    first, last = median_costs(samples)
    print(  # noqa: T201
        f"\n{arguments}: {growth_mib(samples):+.3f} MiB in 1e8 user-slots, "
        f"at most {max(s.rss_mib for s in samples):.0f} MiB; "
        f"cost {first:.3f} at first, {last:.3f} at last, cheapest over dearest {slowed(samples):.3f}"
    )
    return samples


@pytest.mark.parametrize("how", ["simulation", "run"])
def test_memory_is_flat_and_periods_cost_the_same_over_1e9_user_slots(how):
    samples = endured(how, ALL)
    assert len(samples) == ALL // CHUNK
    assert growth_mib(samples) <= MOST_GROWTH_MIB
    assert max(sample.rss_mib for sample in samples) < MOST_MIB
    assert slowed(samples) <= 1.0


def test_memory_is_flat_while_3e7_packets_are_written():
    samples = endured("packets", 18_000)
    assert growth_mib(samples, peaks_of=ROW_GROUP) <= MOST_GROWTH_MIB
    assert max(sample.rss_mib for sample in samples) < MOST_MIB


@pytest.mark.parametrize(("how", "leak"), [("simulation", "little"), ("run", "little"), ("run", "reports")])
def test_a_planted_leak_is_noticed(how, leak):
    assert growth_mib(endured(how, ALL, leak)) > MOST_GROWTH_MIB


def test_a_planted_slowing_down_is_noticed():
    assert slowed(endured("simulation", ALL, "back")) > 1.0
