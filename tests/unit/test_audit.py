"""The audit catches what is planted, names the law that it breaks, and never cries wolf."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netsim
from netsim.simulation import Simulation
from netsim.testing import Audit, AuditError, audit_played, strategies
from netsim.testing.audit import LAWS, audit
from netsim.testing.violations import MOST_PACKETS, PacketTrace, packet_table

BUSY = netsim.parse_scenario(
    """
name: busy
carrier: {prb: 6}
control: {slots_per_period: 20, periods: 4}
channel: {power: full, fading: {model: none}, path_loss: {model: constant, loss: 135 dB}}
slices:
  left:
    users: 5
    traffic: {kind: poisson, rate: 800 /s, size: {distribution: uniform, from: 100 bit, to: 4 kB}}
    sla: {rate_floor: 1 Mbit/s, latency_limit: 3 ms}
  right:
    users: 4
    traffic: {kind: poisson, rate: 500 /s, size: {distribution: constant, value: 1 kB}}
    sla: {rate_floor: 1 Mbit/s, latency_limit: 2 ms}
    late: discard
events:
  - {at: 12 ms, join: {slice: left, users: 2}}
  - {at: 15 ms, sla: {slice: left, latency_limit: 1 ms}}
"""
)


class Tampering:
    """At the first slot's beginning from the sixth on at which it can, changes one thing in the cell, once."""

    def __init__(self, tamper):
        self.tamper = tamper

    @netsim.hookimpl
    def processes(self, simulation):
        return [self.hand(simulation)]

    def hand(self, simulation):
        yield simulation.env.timeout(6 * simulation.scenario.control.slot_ns)
        while not self.tamper(simulation.cell):
            yield simulation.env.timeout(simulation.scenario.control.slot_ns)


def user_with(cell, packets):
    """A user with so many packets queued, none of which was partly sent; ``None`` if there is none."""
    found = np.flatnonzero((cell.users["queued"] >= packets) & (cell.users["sent_bits"] == 0))
    return None if found.size == 0 else int(found[0])


def ring(cell, u, k):
    return (int(cell.users[u]["head"]) + k) % cell.queues.shape[1]


def counts_one_more(cell):
    cell.tallies[0]["satisfied"] += 1
    return True


def loses_a_packet(cell):
    u = user_with(cell, 2)
    if u is None:
        return False
    last = ring(cell, u, int(cell.users[u]["queued"]) - 1)
    bits = cell.queues[u, last]["size_bits"]
    part = cell.slices[int(cell.users[u]["slice"])]
    for record in (cell.users[u], part):
        record["queued"] -= 1
        record["backlog_bits"] -= bits
    return True


def carries_a_bit_more(cell):
    cell.tallies[1]["carried_bits"] += 1
    return True


def grows_a_packet(cell):
    u = user_with(cell, 1)
    if u is None:
        return False
    cell.queues[u, ring(cell, u, 0)]["size_bits"] += 8
    return True


def takes_a_block(cell):
    cell.slices[0]["prb"] += 1
    return True


def sends_in_more_layers(cell):
    cell.clock["layers"] *= 3
    return True


def sends_without_a_grant(cell):
    u = user_with(cell, 1)
    if u is None:
        return False
    part = cell.slices[int(cell.users[u]["slice"])]
    cell.users[u]["sent_bits"] += 8
    cell.users[u]["backlog_bits"] -= 8
    part["backlog_bits"] -= 8
    cell.tallies[int(cell.users[u]["slice"])]["carried_bits"] += 8
    return True


def forgets_who_is_active(cell):
    busy = np.flatnonzero(cell.slices["n_active"] > 1)
    if busy.size == 0:
        return False
    cell.slices[busy[0]]["n_active"] -= 1
    return True


def swaps_two_packets(cell):
    u = user_with(cell, 2)
    if u is None:
        return False
    one, two = ring(cell, u, 0), ring(cell, u, 1)
    cell.queues[u, [one, two]] = cell.queues[u, [two, one]]
    return True


def dates_a_packet_back(cell):
    u = user_with(cell, 1)
    if u is None:
        return False
    cell.queues[u, ring(cell, u, 0)]["arrival_ns"] -= 1
    return True


def tells_of_a_packet_twice(cell):
    logged = int(cell.clock[0]["logged"])
    if not 0 < logged < cell.log.size:
        return False
    cell.log[logged] = cell.log[logged - 1]
    cell.clock["logged"] += 1
    return True


def forgets_when_a_limit_passed(cell):
    late = np.flatnonzero(cell.users["overdue"])
    if late.size == 0:
        return False
    u = int(late[0])
    cell.queues[u, ring(cell, u, 0)]["resolved_ns"] += 1
    return True


PLANTED = [
    ("1", counts_one_more),
    ("1", loses_a_packet),
    ("2", carries_a_bit_more),
    ("2", grows_a_packet),
    ("3", takes_a_block),
    ("3", sends_in_more_layers),
    ("4", sends_without_a_grant),
    ("4", forgets_who_is_active),
    ("5", swaps_two_packets),
    ("6", dates_a_packet_back),
    ("7", tells_of_a_packet_twice),
    ("7", forgets_when_a_limit_passed),
]


@pytest.mark.parametrize(("law", "tamper"), PLANTED, ids=lambda planted: getattr(planted, "__name__", planted))
def test_a_planted_violation_is_caught_and_named(law, tamper):
    with pytest.raises(AuditError) as caught:
        audit(BUSY, seed=3, plugins=[Tampering(tamper)])
    violation = caught.value.violation
    assert violation.law == law
    assert violation.left != violation.right
    assert violation.time_ns == violation.slot * BUSY.control.slot_ns
    assert violation.slot >= 5
    assert LAWS[law] in str(caught.value)


@pytest.mark.parametrize(
    "ssr",
    [lambda ssr: np.full_like(ssr, np.nan), lambda ssr: ssr + 1.0, lambda ssr: ssr * 0.999],
    ids=["nan", "above one", "a little less"],
)
def test_a_wrong_ssr_is_caught_as_invariant_8(ssr, monkeypatch):
    told = Simulation._report

    def wrong(self):
        report = told(self)
        return dataclasses.replace(report, ssr=ssr(report.ssr))

    monkeypatch.setattr(Simulation, "_report", wrong)
    with pytest.raises(AuditError) as caught:
        audit(BUSY, seed=3)
    assert caught.value.violation.law == "8"


def test_every_invariant_has_a_planted_violation():
    assert {law for law, _ in PLANTED} | {"8"} == {law for law in LAWS if int(law) <= 8}


def test_without_tampering_the_same_run_is_clean():
    audited = audit(BUSY, seed=3)
    assert audited.slots == 5 * 20
    assert audited.packets == _arrivals(BUSY, seed=3)


def _arrivals(scenario, seed):
    simulation = netsim.Simulation(scenario, seed)
    reports = [simulation.reset(), *(simulation.step((3, 3)) for _ in range(scenario.control.periods))]
    return sum(int(report.arrived.sum()) for report in reports)


# -- no false alarm ----------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(strategies.cells())
def test_a_run_of_netsim_is_never_accused(cell):
    audited = audit_played(cell.scenario, cell.seed, cell.allocations)
    assert audited.slots == (1 + len(cell.allocations)) * cell.scenario.control.slots_per_period


def test_recorded_traces_are_never_accused(tmp_path):
    @settings(max_examples=20)
    @given(strategies.cells(traffic=strategies.recorded_traces(tmp_path), folder=tmp_path))
    def check(cell):
        audit_played(cell.scenario, cell.seed, cell.allocations)

    check()


@settings(max_examples=20)
@given(strategies.scenarios(), strategies.controllers(), st.integers(0, 2**62))
def test_no_controller_makes_the_books_fail(scenario, controller, seed):
    audit(scenario, seed, controller)


@settings(max_examples=20)
@given(strategies.cells(periods=4), st.integers(0, 2))
def test_an_audit_goes_on_with_a_run_that_was_saved(tmp_path_factory, cell, period):
    path = tmp_path_factory.mktemp("saved") / "run"
    first = Simulation(cell.scenario, cell.seed, log_packets=True)
    for units in (None, *cell.allocations[:period]):
        first.reset() if units is None else first.step(units)
    first.save(path)
    auditing = Audit()
    resumed = Simulation.load(path, processes=[auditing.processes])
    for units in cell.allocations[period:]:
        auditing.period_ended(resumed.step(units))
    assert auditing.audited.slots == (3 - period) * cell.scenario.control.slots_per_period


# -- it changes nothing ------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(strategies.cells())
def test_an_audit_changes_neither_reports_nor_packets(cell):
    assert _played(cell, []) == _played(cell, [Audit().processes])


def _played(cell, processes):
    simulation = Simulation(cell.scenario, cell.seed, log_packets=True, processes=processes)
    reports = [simulation.reset(), *(simulation.step(units) for units in cell.allocations)]
    return reports, simulation.take_packets().tolist(), simulation.queued_packets().tolist()


def test_packets_can_be_looked_at_and_taken_in_any_order():
    simulation = Simulation(BUSY, 3, log_packets=True)
    simulation.reset()
    seen, position = simulation.packets_left(0)
    taken = simulation.take_packets()
    assert sorted(seen.tolist()) == sorted(taken.tolist())
    simulation.step((3, 3))
    rest, end = simulation.packets_left(position)
    assert end == position + len(rest)
    assert sorted(rest.tolist()) == sorted(simulation.take_packets().tolist())


def test_a_watcher_sees_every_grant_of_the_period():
    simulation, granted = None, np.zeros(2, int)

    def watch(served):
        granted[served.slice] += served.grants.sum()
        assert served.prb == served.grants.sum() == 3

    def process(running):
        running.watch(watch)
        return []

    simulation = Simulation(BUSY, 3, processes=[process])
    assert simulation.reset().prb_slots_granted.tolist() == granted.tolist()


# -- the smallest case -------------------------------------------------------------------------------------------------


def test_the_smallest_case_can_lose_no_user_and_no_event():
    """Whoever is left shows it: user 3 of the left slice alone, without the neighbours and events around it."""

    def tamper(cell):
        theirs = np.flatnonzero((cell.users["slice"] == 0) & (cell.users["number"] == 3) & (cell.users["queued"] > 0))
        if theirs.size == 0:
            return False
        cell.queues[theirs[0], ring(cell, int(theirs[0]), 0)]["size_bits"] += 8
        return True

    with pytest.raises(AuditError) as caught:
        audit(BUSY, seed=3, controller="random", plugins=[Tampering(tamper)])
    case, violation = caught.value.case, caught.value.violation
    assert set(case.overrides) == {
        "slices.left.users=4",
        "slices.right.users=0",
        "events=[{at: 0 ns, leave: {slice: left, users: 3}}]",
    }
    assert (violation.slice, violation.user) == ("left", 3)
    assert {packet.user for packet in violation.packets} == {3}


def test_what_needs_two_users_keeps_two_neighbours():
    def tamper(cell):
        here = cell.users["queued"] * (cell.users["slice"] == 0)
        if min(here[1], here[2]) == 0:
            return False
        cell.tallies[0]["late"] += 1
        return True

    with pytest.raises(AuditError) as caught:
        audit(BUSY, seed=3, plugins=[Tampering(tamper)])
    assert set(caught.value.case.overrides) == {
        "slices.left.users=3",
        "slices.right.users=0",
        "events=[{at: 0 ns, leave: {slice: left, users: 1}}]",
    }


def test_only_the_changes_of_allocation_that_matter_are_kept():
    """What shows only once the right slice has had 1 block and then 4 needs just these two allocations."""

    def tamper_from(simulation):
        held = []

        def hand():
            while True:
                yield simulation.env.timeout(BUSY.control.slot_ns)
                held.append(int(simulation.cell.slices[1]["prb"]))
                if 1 in held and held[-1] == 4:
                    simulation.cell.tallies["late"][1] += 1
                    return

        return [hand()]

    class Plugin:
        processes = staticmethod(netsim.hookimpl(tamper_from))

    with pytest.raises(AuditError) as caught:
        audit(BUSY, seed=3, controller="scripted:4,2/5,1/3,3/2,4", plugins=[Plugin()])
    assert caught.value.case.controller in ("scripted:5,1/2,4", "scripted:5,1/5,1/2,4", "scripted:5,1/5,1/5,1/2,4")
    assert set(caught.value.case.overrides) >= {"slices.left.users=0", "slices.right.users=0"}


def test_what_does_not_show_again_is_told_as_it_was():
    happened = []

    def only_once(cell):
        if not happened:
            cell.tallies[0]["satisfied"] += 1
            happened.append(True)
        return True

    with pytest.raises(AuditError) as caught:
        audit(BUSY, seed=3, plugins=[Tampering(only_once)])
    assert (caught.value.violation.law, caught.value.case) == ("1", None)


# -- what it says ------------------------------------------------------------------------------------------------------


def test_a_trace_of_many_packets_is_cut():
    packet = PacketTrace("left", 0, 0, 1_500_000, 320, (), 320, "pending")
    lines = packet_table([dataclasses.replace(packet, index=i) for i in range(MOST_PACKETS + 3)])
    assert len(lines) == 1 + MOST_PACKETS + 1
    assert lines[1].split() == ["left", "0", "0", "1.500000", "320", "-", "320", "pending"]
    assert lines[-1] == "  and 3 more packets"
