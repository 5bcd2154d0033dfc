"""A base station that is told at every turn what comes next, with what must hold checked after every turn.

Two slices: the packets of one are decided turn by turn, those of the other are drawn by its traffic. At the end all is
played once more from a scenario file's worth of dated events and a recorded trace, and by the oracle.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import netsim
from netsim.report import VERDICTS
from netsim.scenario import Event
from netsim.testing.strategies import SLOT_NS, channels, schedulers, slas, slices
from tests.oracles.channel import Undecided
from tests.oracles.comparing import assert_same_run, of_kernel
from tests.oracles.playing import changed, with_slices
from tests.property.arranged import gaps, sizes, told

RESOLVED = VERDICTS[:-1]
UNITS = 8
ROOM = 400
"""Users who may join a slice in all; the events that make room for them are dated after the end."""
AFTER_THE_END_NS = 10**9 * SLOT_NS
PLANS = st.lists(st.tuples(gaps(), sizes()), min_size=1, max_size=7)
NAMES = ("told", "drawn")


class Told:
    """A traffic kind whose users send what ``plan`` says when they join, and then nothing."""

    plan: ClassVar[list[tuple[int, int]]] = []

    def draw(self, index, u_gap, u_size):
        return self.plan[index] if index < len(self.plan) else (2.0**61, 1)


class BaseStation(RuleBasedStateMachine):
    """Turns, the books kept of them, and what must hold."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())

    @initialize(
        drawn=slices(),
        scheduler=schedulers(),
        sla=slas(),
        queue=st.integers(1, 4),
        when_full=st.sampled_from(["drop", "defer"]),
        late=st.sampled_from(["send", "discard"]),
        channel=channels(),
        sharing=st.sampled_from(["isolated", "work-conserving"]),
        slots=st.integers(1, 4),
        seed=st.integers(0, 2**64 - 1),
    )
    def begin(self, drawn, scheduler, sla, queue, when_full, late, channel, sharing, slots, seed):
        part = {
            "users": 0,
            "traffic": {"kind": "tests.property.test_machine:Told"},
            "scheduler": scheduler,
            "sla": sla,
            "queue": {"packets": queue, "when_full": when_full},
            "late": late,
        }
        self.scenario = netsim.Scenario.from_dict(
            {
                "name": "machine",
                "carrier": {"prb": UNITS, "sharing": sharing},
                "control": {"slot": f"{SLOT_NS} ns", "slots_per_period": slots},
                "channel": channel,
                "slices": {"told": part, "drawn": drawn},
                "events": [self._joining(AFTER_THE_END_NS, name, ROOM) for name in NAMES],
            }
        )
        self.seed = seed
        self.units = self.scenario.initial_allocation
        self.events, self.pending_events, self.plans, self.allocations = [], [], [], []
        self.present = {"told": 0, "drawn": drawn["users"]}
        self.totals = {name: np.zeros(2, np.int64) for name in ("arrived", "resolved", "bits")}
        self.ends = {}
        self.simulation = netsim.Simulation(self.scenario, seed, log_packets=True)
        self.reports = []
        self._take(self.simulation.reset())

    @staticmethod
    def _joining(at_ns, name, users):
        return {"at": f"{at_ns} ns", "join": {"slice": name, "users": users}}

    # -- turns -------------------------------------------------------------------------------------------------------

    def _happen(self, **what):
        """Let something happen when the next slot begins, as a dated event would."""
        self.pending_events.append({"at": f"{self.simulation.slot * SLOT_NS} ns", **what})

    @rule(plan=PLANS, users=st.integers(1, 2))
    @precondition(lambda self: not any(e.get("join", {}).get("slice") == "told" for e in self.pending_events))
    def arrive(self, plan, users):
        Told.plan = plan
        self.plans += [plan] * users
        self.present["told"] += users
        self._happen(join={"slice": "told", "users": users})

    @rule(users=st.integers(1, 3))
    def add_users(self, users):
        self.present["drawn"] += users
        self._happen(join={"slice": "drawn", "users": users})

    @rule(name=st.sampled_from(NAMES), users=st.integers(1, 3))
    def remove_users(self, name, users):
        users = min(users, self.present[name])
        if users:
            self.present[name] -= users
            self._happen(leave={"slice": name, "users": users})

    @rule(name=st.sampled_from(NAMES), sla=slas(), which=st.sampled_from(["rate_floor", "latency_limit"]))
    def change_sla(self, name, sla, which):
        self._happen(sla={"slice": name, which: sla[which]})

    @rule(power=st.sampled_from(["20 dBm", "46 dBm", "70 dBm"]))
    def change_power(self, power):
        self._happen(transmit_power=power)

    @rule(units=st.integers(1, UNITS - 1))
    def allocate(self, units):
        self.units = units, UNITS - units

    @rule(periods=st.integers(1, 5))
    def advance(self, periods):
        for event in self.pending_events:
            self.simulation._station.happen(Event.model_validate(event))
        self.events += self.pending_events
        self.pending_events = []
        for _ in range(periods):
            self.allocations.append(self.units)
            self._take(self.simulation.step(self.units))

    @rule()
    def save_and_load(self):
        self.simulation.save(self.folder / "saved")
        self.simulation = netsim.Simulation.load(self.folder / "saved", scenario=self.scenario)

    @rule(units=st.integers(1, UNITS - 1), periods=st.integers(1, 3))
    def save_and_branch(self, units, periods):
        """Another future of this moment keeps the books too, and leaves this one alone."""
        self.simulation.save(self.folder / "branch")
        branch = netsim.Simulation.load(self.folder / "branch", scenario=self.scenario)
        books = {name: total.copy() for name, total in self.totals.items()}
        for _ in range(periods):
            self._add(books, branch.step((units, UNITS - units)))
        self._balance(branch, books)

    # -- books -------------------------------------------------------------------------------------------------------

    def _take(self, report):
        self.reports.append(report)
        self._add(self.totals, report)
        gone = of_kernel(self.simulation.take_packets(), self.scenario)
        for packet in [*gone, *of_kernel(self.simulation.queued_packets(), self.scenario)]:
            key, end = packet[:3], (packet.verdict, packet.resolved_ns)
            assert self.ends.get(key, end) == end, "resolved twice"
            if packet.resolved_ns is not None:
                self.ends[key] = end

    @staticmethod
    def _add(books, report):
        books["arrived"] += report.arrived
        books["resolved"] += sum(getattr(report, verdict) for verdict in RESOLVED)
        books["bits"] += report.offered_bits - report.carried_bits - report.discarded_bits

    @staticmethod
    def _balance(simulation, books):
        counts = simulation.counts()
        np.testing.assert_array_equal(books["arrived"], books["resolved"] + counts["pending"])
        np.testing.assert_array_equal(books["bits"], counts["backlog_bits"])

    # -- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def packets_and_bits_are_conserved(self):
        """Invariants 1 and 2."""
        self._balance(self.simulation, self.totals)

    @invariant()
    def every_packet_that_is_resolved_was_counted_once(self):
        """Invariant 7."""
        counted = [sum(name == key[0] for key in self.ends) for name in NAMES]
        assert counted == self.totals["resolved"].tolist()

    @invariant()
    def queues_hold_what_they_may_of_users_who_are_there(self):
        """Invariant 5: of the packet at the head alone a part may have been sent."""
        cell = self.simulation.cell
        users = cell.users
        waiting = users["queued"] > 0
        assert (users["queued"] <= cell.slices["queue_packets"][users["slice"]]).all()
        assert (users["present"][waiting] == 1).all()
        assert (users["sent_bits"][~waiting] == 0).all()
        for s, name in enumerate(NAMES):
            mine = users["slice"] == s
            leaving = sum(e["leave"]["users"] for e in self.pending_events if e.get("leave", {}).get("slice") == name)
            joining = sum(e["join"]["users"] for e in self.pending_events if e.get("join", {}).get("slice") == name)
            assert users["present"][mine].sum() == self.present[name] + leaving - joining
            assert cell.slices["n_active"][s] == (waiting & mine).sum()

    @invariant()
    def grants_and_figures_are_within_their_ranges(self):
        """Invariants 3, 8 and 14, of the last period."""
        report = self.reports[-1]
        assert report.prb_slots_granted.sum() <= UNITS * self.scenario.control.slots_per_period
        assert (report.prb_slots_used <= report.prb_slots_granted).all()
        assert (report.carried_bits[report.prb_slots_granted == 0] == 0).all()
        assert ((report.ssr >= 0) & (report.ssr <= 1)).all()
        assert np.isfinite(report.utility)

    def teardown(self):
        """The same once more, from dated events and a recorded trace, and by the oracle."""
        try:
            if hasattr(self, "simulation"):
                self._again()
        finally:
            shutil.rmtree(self.folder)

    def _again(self):
        traffic = told(self.plans, self.folder)
        dated = with_slices(
            changed(self.scenario, events=self.events),
            lambda name, part: {**part, "traffic": traffic} if name == "told" else part,
        )
        dated = netsim.Scenario.from_dict(dated.to_dict(), self.folder)
        simulation = netsim.Simulation(dated, self.seed)
        assert self.reports == [simulation.reset(), *(simulation.step(units) for units in self.allocations)]
        with suppress(Undecided):  # a rate so close to a whole number that the last bit of a logarithm decides
            assert_same_run(dated, self.seed, tuple(self.allocations))


TestBaseStation = BaseStation.TestCase
TestBaseStation.settings = settings(max_examples=30, stateful_step_count=25)
