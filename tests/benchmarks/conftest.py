"""Benchmarks measure processor time."""

import time

import pytest


def pytest_collection_modifyitems(items):
    """Have pytest-benchmark's table show CPU time, as the marks do."""
    for item in items:
        if item.get_closest_marker("benchmark") is None:
            item.add_marker(pytest.mark.benchmark(timer=time.process_time, disable_gc=True))
