"""The compiled kernel equals the oracle: every packet, every report."""

import pytest
from hypothesis import given, reject, settings

from tests.oracles.cells import cells
from tests.oracles.channel import Undecided
from tests.oracles.comparing import assert_same_run


@settings(max_examples=400)
@given(cells())
def test_kernel_equals_oracle(played):
    try:
        assert_same_run(played.scenario, played.seed, played.allocations)
    except Undecided:
        reject()


@pytest.mark.slow
@settings(max_examples=3000)
@given(cells(periods=5, slots=(1, 80)))
def test_kernel_equals_oracle_on_many_longer_cells(played):
    try:
        assert_same_run(played.scenario, played.seed, played.allocations)
    except Undecided:
        reject()
