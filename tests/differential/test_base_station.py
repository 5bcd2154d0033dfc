"""The compiled kernel equals the oracle: every packet, every report."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, reject, settings

from tests.oracles.channel import Undecided
from tests.oracles.comparing import assert_same_run
from tests.oracles.everything import cells_with_everything


def assert_same(whole):
    with tempfile.TemporaryDirectory() as folder:
        played = whole.in_folder(Path(folder))
        try:
            assert_same_run(played.scenario, played.seed, played.allocations)
        except Undecided:
            reject()


@settings(max_examples=500)
@given(cells_with_everything())
def test_kernel_equals_oracle(whole):
    assert_same(whole)


@pytest.mark.slow
@settings(max_examples=3000)
@given(cells_with_everything(periods=5, slots=(1, 80)))
def test_kernel_equals_oracle_on_many_longer_cells(whole):
    assert_same(whole)
