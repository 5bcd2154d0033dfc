"""Laws that hold on every sample path, whatever the randomness: Little's, Lindley's, and conservation of work."""

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.scenario import SCHEDULERS
from tests.oracles.cells import SLOT_NS, schedulers
from tests.oracles.channel import Radio
from tests.oracles.playing import play
from tests.property.arranged import EXACT, FADED, PRB_BITS, arranged, plans, whole_blocks

RANKED = [kind for kind in SCHEDULERS if kind != "round-robin"]


def at_every_slot(figure, into):
    """A process that notes a count of the only slice at the beginning of every slot."""

    def onlooker(simulation):
        while True:
            into.append(int(simulation.counts()[figure][0]))
            yield simulation.env.timeout(SLOT_NS)

    return lambda simulation: [onlooker(simulation)]


def limits():
    return st.sampled_from([1, SLOT_NS // 2, SLOT_NS, 3 * SLOT_NS, 20 * SLOT_NS])


@settings(max_examples=80)
@given(
    each=plans(),
    prb=st.integers(1, 5),
    scheduler=schedulers(),
    queue=st.sampled_from([1, 2, 5]),
    when_full=st.sampled_from(["drop", "defer"]),
    late=st.sampled_from(["send", "discard"]),
    limit_ns=limits(),
)
def test_sojourns_sum_to_the_integral_of_the_number_in_the_system(
    folder, each, prb, scheduler, queue, when_full, late, limit_ns
):
    """Invariant 10, Little's law in whole nanoseconds: sojourns by the packets' records, the number by counts.

    A packet that is discarded stays until the first slot's edge after its limit.
    """
    scenario = arranged(
        each,
        folder,
        prb=prb,
        scheduler=scheduler,
        queue={"packets": queue, "when_full": when_full},
        late=late,
        sla={"rate_floor": "0 bit/s", "latency_limit": f"{limit_ns} ns"},
    )
    numbers = []
    run = play(scenario, 0, (), [at_every_slot("backlog_packets", numbers)])
    assert run.reports[0].backlog_packets[0] == 0, "the run is too short to end empty"
    entered = [packet for packet in run.packets if packet.verdict != "dropped"]
    sojourns_ns = sum(_left_ns(packet) - packet.arrival_ns for packet in entered)
    within_slots_ns = sum(-packet.arrival_ns % SLOT_NS for packet in entered)  # before the count at the next edge
    assert sojourns_ns == sum(numbers[: scenario.control.slots_per_period]) * SLOT_NS + within_slots_ns


def _left_ns(packet):
    if packet.departure_ns is not None:
        return packet.departure_ns
    return -(-packet.resolved_ns // SLOT_NS) * SLOT_NS


STILL = {**FADED, "fading": {"model": "none"}}
SINGLE = plans((1, 1), packets=20)


@settings(max_examples=80)
@given(
    each=SINGLE,
    prb=st.integers(1, 5),
    channel=st.sampled_from([EXACT, STILL, {**STILL, "power": "full"}]),
    scheduler=schedulers(),
)
def test_one_user_at_a_constant_rate_obeys_lindleys_recursion(folder, each, prb, channel, scheduler):
    """Invariant 12, packet by packet: W' = max(0, W + B - C T) in bits, departure at the end of the slot that sends
    the last of W' + B'."""
    scenario = arranged(each, folder, prb=prb, channel=channel, scheduler=scheduler)
    radio = Radio(scenario, 0, "only", 0)
    per_slot = radio.bits(0, prb, scenario.channel.transmit_power_dbm)
    assert per_slot >= PRB_BITS, "the run is too short"
    wait_bits, size_bits, eligible_slot, arrival_ns = 0, 0, 0, 0
    packets = play(scenario, 0, ()).packets
    assert len(packets) == len(each[0])
    for packet, (gap_ns, next_bits) in zip(packets, each[0], strict=True):
        arrival_ns += gap_ns
        next_slot = -(-arrival_ns // SLOT_NS)
        wait_bits = max(0, wait_bits + size_bits - per_slot * (next_slot - eligible_slot))
        size_bits, eligible_slot = next_bits, next_slot
        departs_slot = eligible_slot - (-(wait_bits + size_bits) // per_slot)
        assert (packet.arrival_ns, packet.size_bits) == (arrival_ns, size_bits)
        assert packet.departure_ns == departs_slot * SLOT_NS
        assert packet.rate_bps == int(radio.rate_bps(0, prb, scenario.channel.transmit_power_dbm))


@settings(max_examples=60)
@given(each=plans(size=whole_blocks), prb=st.integers(1, 8))
def test_the_backlog_is_the_same_under_every_work_conserving_scheduler(folder, each, prb):
    """Invariant 16: at every slot's edge, and it is that of one queue with one server.

    Packets fill resource blocks to the bit, so that no grant is lost in part. Round robin is work-conserving where it
    shares one block only: a share that its user does not need is lost.
    """
    kinds = [*RANKED, "round-robin"] if prb == 1 else RANKED
    backlogs = {kind: [] for kind in kinds}
    for kind, seen in backlogs.items():
        scenario = arranged(each, folder, prb=prb, scheduler={"kind": kind})
        run = play(scenario, 0, (), [at_every_slot("backlog_bits", seen)])
    came = {}
    for packet in run.packets:
        slot = -(-packet.arrival_ns // SLOT_NS)
        came[slot] = came.get(slot, 0) + packet.size_bits
    expected = [came.get(0, 0)]
    for slot in range(1, scenario.control.slots_per_period):
        expected.append(max(0, expected[-1] - prb * PRB_BITS) + came.get(slot, 0))
    for seen in backlogs.values():
        assert seen[: len(expected)] == expected


def test_round_robin_loses_the_share_that_its_user_does_not_need(folder):
    """Why invariant 16 leaves it out: two blocks, one packet of one block and one of three."""
    each = [[(SLOT_NS, PRB_BITS)], [(SLOT_NS, 3 * PRB_BITS)]]
    lost, kept = [], []
    for kind, seen in (("round-robin", lost), ("largest-queue", kept)):
        play(arranged(each, folder, prb=4, scheduler={"kind": kind}), 0, (), [at_every_slot("backlog_bits", seen)])
    assert lost[1:4] == [4 * PRB_BITS, PRB_BITS, 0]
    assert kept[1:3] == [4 * PRB_BITS, 0]
