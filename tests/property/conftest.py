"""What the properties share."""

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder for recorded traces and saved simulations; Hypothesis wants one that outlives an example."""
    return tmp_path_factory.mktemp("arranged")
