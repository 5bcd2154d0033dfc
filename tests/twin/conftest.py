"""Tests of twins run on one thread, as trainings do, and leave the process as they found it."""

import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks only wait for each other on several."""
    import torch

    from rl.networks import single_thread

    threads = torch.get_num_threads()
    single_thread()
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)
