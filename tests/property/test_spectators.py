"""Whoever only looks on changes nothing, and a controller that decides what a baseline does is that baseline."""

import itertools
import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.run import run
from netsim.testing.strategies import SLOT_NS, cells
from tests.oracles.comparing import of_kernel

TABLES = ("periods.parquet", "packets.parquet")


class Constant:
    """Returns what it was made with."""

    def __init__(self, units):
        self.units = units

    @netsim.hookimpl
    def decide_allocation(self, report):
        return self.units


@settings(max_examples=25)
@given(played=cells(), as_array=st.booleans())
def test_a_controller_that_returns_a_static_split_is_the_static_baseline(folder, played, as_array):
    """Relation 25: the same bytes of every table, and the same summary apart from the name."""
    units = played.allocations[-1]
    summaries = []
    for place, controller in (
        ("baseline", f"fixed:{','.join(map(str, units))}"),
        ("own", Constant(np.array(units) if as_array else list(units))),
    ):
        where = {"periods": 3, "seed": played.seed % 2**63, "out": folder / place, "packets": True, "force": True}
        told = run(played.scenario, controller, **where)
        stored = json.loads((folder / place / "summary.json").read_text())
        assert stored.pop("controller") == told.pop("controller")
        summaries.append((told, stored))
    assert summaries[0] == summaries[1]
    for table in TABLES:
        assert (folder / "baseline" / table).read_bytes() == (folder / "own" / table).read_bytes()


class Onlooker:
    """Has every hook that does not decide, and processes that wake at instants of all kinds and look at everything."""

    def __init__(self, every_ns):
        self.every_ns, self.seen = every_ns, []

    @netsim.hookimpl
    def run_started(self, scenario, seed):
        self.seen.append((scenario.hash, seed))

    @netsim.hookimpl
    def processes(self, simulation):
        return [self._look(simulation, every_ns) for every_ns in self.every_ns]

    def _look(self, simulation, every_ns):
        while True:
            self.seen.append((simulation.counts(), simulation.queued_packets().size, simulation.slot))
            yield simulation.env.timeout(every_ns)

    @netsim.hookimpl
    def decide_allocation(self, report):
        self.seen.append(report)  # and lets the next plugin decide

    @netsim.hookimpl
    def period_ended(self, report):
        self.seen.append(report)

    @netsim.hookimpl
    def run_ended(self, summary):
        self.seen.append(dict(summary))
        summary.clear()  # a copy


class Wrapper:
    """Hands everything on to a controller of its own."""

    def __init__(self, inner):
        self.inner = inner

    @netsim.hookimpl
    def decide_allocation(self, report):
        return self.inner.decide_allocation(report=report)


@settings(max_examples=25)
@given(
    played=cells(),
    every_ns=st.lists(st.sampled_from([SLOT_NS, SLOT_NS // 7, SLOT_NS + 1, 3 * SLOT_NS]), min_size=1, max_size=3),
)
def test_recorders_observers_processes_and_wrappers_change_nothing(folder, played, every_ns):
    """Relation 26: the same periods, packets and summary with and without them."""
    inner = Constant(played.allocations[0])
    plain = {"periods": 3, "seed": played.seed % 2**63}
    recorded = {"out": folder / "recorded", "force": True}
    bare = run(played.scenario, Constant(played.allocations[0]), **plain)
    with_packets = run(played.scenario, inner, packets=True, **plain, **recorded)
    tables = [(folder / "recorded" / table).read_bytes() for table in TABLES]
    onlooker = Onlooker(every_ns)
    watched = run(played.scenario, Wrapper(inner), plugins=[onlooker], packets=True, **plain, **recorded)
    assert onlooker.seen
    assert [(folder / "recorded" / table).read_bytes() for table in TABLES] == tables
    for summary in (bare, with_packets, watched):
        summary.pop("controller")
    assert bare == with_packets == watched


@settings(max_examples=40)
@given(played=cells(), log_packets=st.booleans(), wakes_ns=st.lists(st.integers(1, 40 * SLOT_NS), max_size=12))
def test_processes_that_wake_at_any_instants_change_no_state(played, log_packets, wakes_ns):
    """Relation 26, to the last byte of what a simulation is."""

    def sleeper(simulation):
        for before_ns, until_ns in itertools.pairwise([0, *sorted(wakes_ns)]):
            yield simulation.env.timeout(until_ns - before_ns)
            simulation.counts()

    states = []
    for processes in ([], [lambda simulation: [sleeper(simulation)]]):
        simulation = netsim.Simulation(played.scenario, played.seed, log_packets=log_packets, processes=processes)
        reports = [simulation.reset(), *(simulation.step(units) for units in played.allocations)]
        packets = of_kernel(simulation.queued_packets(), played.scenario)
        left = of_kernel(simulation.take_packets(), played.scenario) if log_packets else []
        kept = [simulation.cell.users, simulation.cell.slices, simulation.cell.tallies, simulation.cell.active]
        states.append((reports, packets, left, [array.tobytes() for array in kept]))
    assert states[0] == states[1]
