"""What ``netsim doctor`` finds out for learning: PyTorch, its devices, and how fast an agent learns here."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise

from netsim.checkups import Checkup, Figures, rate_per_s
from netsim.errors import RunError

REFERENCE_UPDATE_MS = 1.5
"""A Double DQN update with 4,851 allocations on the machine of this package's README."""
_TRANSITIONS = 500
"""More than an agent waits for before it learns."""


def checkups(measure: bool) -> Mapping[str, Callable[[], Checkup]]:
    """Those of this package."""
    return {"PyTorch": devices, "learning": learning} if measure else {"PyTorch": devices}


def devices() -> Checkup:
    """The version of PyTorch, its threads, and the GPUs that it sees.

    Raises
    ------
    RunError
        It cannot be imported.
    """
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library that it was built against is missing
        raise RunError(f"{error}; agents need it: pip install 'torch>=2.5,<2.14'") from None
    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    told = f"sees {', '.join(gpus)}: --device cuda" if gpus else "sees no GPU, so --device cpu"
    figures: Figures = {
        "version": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "gpus": len(gpus),
        "gpu": gpus[0] if gpus else None,
    }
    return Checkup(f"{torch.__version__}, {told}", figures)


def learning() -> Checkup:
    """How many gradient steps Double DQN makes a second with the 4,851 allocations of ``table1``, on the CPU."""
    import numpy as np

    import netsim
    from netsim import allocations
    from rl.agents import Task, make_agent

    agent = make_agent("ddqn", Task.of(netsim.load_scenario("table1"), budget=1000, seed=1))
    states = np.linspace(1.0, 6.0, 3 * (_TRANSITIONS + 1), dtype=np.float32).reshape(-1, 3)
    for i, (state, following) in enumerate(pairwise(states)):
        agent.remember(state, i * allocations.count(100, 3) // _TRANSITIONS, 3.0 + i / _TRANSITIONS, following)
    with _as_in_trainings():
        per_s = rate_per_s(lambda: agent.update(_TRANSITIONS))
    told = f"{per_s:,.0f} gradient steps of Double DQN a second, {1000 / per_s:.1f} ms each"
    reference = 1000 / REFERENCE_UPDATE_MS
    figures = {"gradient_steps_per_s": round(per_s, 1), "readme_gradient_steps_per_s": round(reference, 1)}
    return Checkup(f"{told}; the README's machine {reference:,.0f}", figures)


@contextmanager
def _as_in_trainings() -> Iterator[None]:
    """One thread and no denormal numbers, and afterwards as it was."""
    import torch

    from rl.networks import single_thread

    threads = torch.get_num_threads()
    single_thread()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
