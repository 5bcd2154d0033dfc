"""Small twins, and transitions of laws that are known."""

import functools

import numpy as np

import netsim
from netsim.allocations import enumerate_all
from rl.observation import Encoder
from twin.digital_twin import DigitalTwin, TwinConfig
from twin.experience import Experience
from twin.history import History
from twin.models.outcome import Objective

TINY = netsim.load_scenario("tiny")
N, UNITS = 3, 20
FIT = {"steps": 60, "batch_size": 32, "check_every": 10}
TWIN = {"state": {"hidden": 8, "context": 3, "fit": FIT}, "outcome": {"members": 3, "hidden": (8,), "fit": FIT}}
SHARES = (enumerate_all(UNITS, N) / UNITS).astype(np.float32)
"""Of the 171 allocations of ``tiny``."""
OBJECTIVE = Objective.of(TINY)


@functools.cache
def encoder():
    return Encoder.of(TINY)


@functools.cache
def played(periods=60, seed=1):
    """Reports of random allocations on ``tiny``."""
    simulation, rng = netsim.Simulation(TINY, seed), np.random.Generator(np.random.Philox(seed))
    table = enumerate_all(UNITS, N)
    return (simulation.reset(), *(simulation.step(table[rng.integers(len(table))]) for _ in range(periods)))


def recorded():
    return Experience.of(History.of(played(), UNITS), encoder())


@functools.cache
def fitted_twin(seed=1):
    """A twin of ``tiny``, of few weights."""
    return DigitalTwin.fit(recorded(), TINY, encoder(), TwinConfig.model_validate(TWIN), seed)


def experience(rows, ssr, utility, seed=1, **arrays):
    """Transitions of random states and allocations; ``ssr`` and ``utility`` are functions of states and shares."""
    rng = np.random.Generator(np.random.Philox(seed))
    states = rng.normal(1.0, 0.1, (rows + 1, N)).astype(np.float32)
    shares = SHARES[rng.integers(0, len(SHARES), rows)]
    nothing = np.zeros((rows, N), np.float32)
    given = {"backlog_packets": nothing, "backlog_bits": nothing, "latency_mean_ms": nothing + 1.0} | arrays
    return Experience(
        states=states[:-1],
        shares=shares,
        next_states=states[1:],
        ssr=ssr(states[:-1], shares).astype(np.float32),
        **given,
        se_capacity=np.full(rows, 50.0),
        se_carried=np.full(rows, 20.0),
        utility=utility(states[:-1], shares),
        begins=np.arange(rows) == 0,
    )
