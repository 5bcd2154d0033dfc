"""What the tests of the command line begin from."""

import pytest

from netsim.beststatic import best_static
from netsim.loading import load_scenario


@pytest.fixture(scope="session", autouse=True)
def best_static_is_known():
    """Of ``tiny``: a summary tells U over that of best-static once it was raced, which other tests may do meanwhile."""
    best_static(load_scenario("tiny"))
