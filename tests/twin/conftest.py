"""Tests of twins run on one thread, as trainings do, and leave the process as they found it."""

import warnings

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


@pytest.fixture
def minari(tmp_path, monkeypatch):
    """Minari, with a place of its own for data sets; what needs it is skipped where it is not installed."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of packages that are not ours
        found = pytest.importorskip("minari")
        pytest.importorskip("h5py")
    return found
