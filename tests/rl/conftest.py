"""Tests of learning leave the process as they found it."""

import sys

import pytest


@pytest.fixture(autouse=True)
def numbers_of_every_size():
    """A training flushes denormal numbers to zero in its process; what is tested after it must not."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)
