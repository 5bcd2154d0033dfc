"""Faults of queues, slots and schedulers, as simulators made for one study have them."""

from tests.gallery.bug import SIMULATORS, Bug

BUGS = (
    Bug(
        name="arrival-on-the-edge-waits-a-slot",
        origin=SIMULATORS,
        module="netsim.sources",
        edits=(
            ("while slot * clock.slot_ns < user.next_arrival_ns:", "while slot * clock.slot_ns <= user.next_arrival_ns:"),
            ("while (slot - 1) * clock.slot_ns >=", "while (slot - 1) * clock.slot_ns >"),
        ),
        breaks=("invariant 6", "invariant 12"),
        tests=(),
    ),
    Bug(
        name="served-before-it-is-eligible",
        origin=SIMULATORS,
        module="netsim.sources",
        edits=(("edge_ns = slot * clock.slot_ns\n", "edge_ns = (slot + 1) * clock.slot_ns - 1\n"),),
        breaks=("invariant 6", "invariant 12"),
        tests=(),
    ),
    Bug(
        name="latency-from-the-slot-and-not-the-arrival",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "latency_ns = end_ns - packet.arrival_ns",
                "latency_ns = end_ns - -(-packet.arrival_ns // clock.slot_ns) * clock.slot_ns",
            ),
        ),
        breaks=("invariant 7", "invariant 11"),
        tests=(),
    ),
    Bug(
        name="bits-of-a-slot-rounded-up",
        origin=SIMULATORS,
        module="netsim.channel",
        edits=(("np.int64(rate_bps * clock.slot_ns / 1e9)", "np.int64(math.ceil(rate_bps * clock.slot_ns / 1e9))"),),
        breaks=("invariant 3", "invariant 4"),
        tests=(),
    ),
    Bug(
        name="pointer-stays",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(
            (
                "    member = served[at - 1] + 1\n    part.pointer = member if member < part.users_ever else 0\n",
                "    part.pointer = 0\n",
            ),
        ),
        breaks=("invariant 3",),
        tests=(),
    ),
    Bug(
        name="pointer-skips-a-user",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(("member = served[at - 1] + 1", "member = served[at - 1] + 2"),),
        breaks=("invariant 3",),
        tests=(),
    ),
    Bug(
        name="fewer-blocks-than-users-always-go-to-the-first",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(("    member = part.pointer\n", "    member = _FIRST\n"),),
        breaks=("invariant 3",),
        tests=(),
    ),
    Bug(
        name="blocks-the-ranked-do-not-need-are-lost",
        origin=SIMULATORS,
        module="netsim.scheduling",
        edits=(("    grants[first] += left\n", "    left = 0\n"),),
        breaks=("invariant 3",),
        tests=(),
    ),
    Bug(
        name="last-in-first-out",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "    queue[place].arrival_ns = now_ns\n",
                "    if user.sent_bits == 0:\n"
                "        user.head = user.head - 1 if user.head > 0 else queue.shape[0] - 1\n"
                "        place = user.head\n"
                "    queue[place].arrival_ns = now_ns\n",
            ),
        ),
        breaks=("invariant 5",),
        tests=(),
    ),
    Bug(
        name="a-packet-cut-off-by-the-slot-starts-again",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(("            user.sent_bits += room\n", ""),),
        breaks=("invariant 2", "invariant 12"),
        tests=(),
    ),
    Bug(
        name="one-packet-a-slot",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "            _leave_head(part, user, queue, words, end_ns)\n    sent =",
                "            _leave_head(part, user, queue, words, end_ns)\n            break\n    sent =",
            ),
        ),
        breaks=("invariant 4", "invariant 12"),
        tests=(),
    ),
    Bug(
        name="queue-limit-without-the-packet-in-service",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(("full = places >= part.queue_packets", "full = places - (user.sent_bits > 0) >= part.queue_packets"),),
        breaks=("invariant 1", "invariant 7"),
        tests=(),
    ),
    Bug(
        name="late-when-it-departs",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(("    while user.overdue < user.queued:\n", "    while False:\n"),),
        breaks=("invariant 7",),
        tests=(),
    ),
    Bug(
        name="late-and-departed-counted-twice",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(("    else:\n        sla.count(tally, outcome)\n", "    sla.count(tally, outcome)\n"),),
        breaks=("invariant 1", "invariant 7"),
        tests=(),
    ),
    Bug(
        name="the-end-of-a-period-belongs-to-the-next",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(
            ("        mark_slice(cell, s, clock.slot * clock.slot_ns)\n        probe", "        mark_slice(cell, s, clock.slot * clock.slot_ns - 1)\n        probe"),
        ),
        breaks=("invariant 7", "invariant 8"),
        tests=(),
    ),
    Bug(
        name="drops-of-a-period-counted-again-in-the-next",
        origin=SIMULATORS,
        module="netsim.simulation",
        edits=(
            (
                "                cell.tallies.view(np.int64).fill(0)\n",
                '                dropped = cell.tallies["dropped"].copy()\n'
                "                cell.tallies.view(np.int64).fill(0)\n"
                '                cell.tallies["dropped"] = dropped\n',
            ),
        ),
        breaks=("invariant 1", "invariant 8"),
        tests=(),
    ),
    Bug(
        name="users-who-leave-take-their-packets-along",
        origin=SIMULATORS,
        module="netsim.queues",
        edits=(
            (
                "            tally.dropped += 1\n            _give_up_head(",
                "            _give_up_head(",
            ),
        ),
        breaks=("invariant 1",),
        tests=(),
    ),
    Bug(
        name="idle-slices-are-lent-blocks",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(
            (
                "        if slices[s].n_active > 0:\n            share =",
                "        if slices[s].prb > 0:\n            share =",
            ),
        ),
        breaks=("invariant 3",),
        tests=(),
    ),
    Bug(
        name="isolated-slices-lend-blocks",
        origin=SIMULATORS,
        module="netsim.kernel",
        edits=(("if not clock.work_conserving or idle == 0", "if idle == 0"),),
        breaks=("invariant 3", "invariant 17"),
        tests=(),
    ),
)
