"""Settings for the whole suite: Hypothesis without deadlines, because a first call compiles."""

import gc
import os

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_finish() -> None:
    """Leave what has been imported by now, a million objects, out of every later collection of garbage."""
    gc.collect()
    gc.freeze()
