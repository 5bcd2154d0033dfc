"""Scenarios of one slice, and the packets that their users send."""

from pathlib import Path

import numpy as np

from netsim.scenario import Scenario
from netsim.simulation import Simulation

STRONG = {"path_loss": {"model": "constant", "loss": "60 dB"}, "fading": {"model": "none"}}
"""A channel on which any packet of these tests fits into one slot."""


def lone_slice(traffic, *, users=1, slots=1000, channel=STRONG, folder=None, sla=("1 bit/s", "1 s"), **more):
    """A cell of 100 resource blocks, all of them one slice's, and slots of 0.5 ms; ``more`` are keys of the slice."""
    part = {
        "users": users,
        "traffic": traffic,
        "sla": {"rate_floor": sla[0], "latency_limit": sla[1]},
        "queue": {"packets": 64},
        **more,
    }
    content = {"name": "lone", "control": {"slots_per_period": slots}, "channel": channel, "slices": {"only": part}}
    return Scenario.from_dict(content, folder)


def packets_of(scenario, seed=1, periods=0):
    """Every packet that arrived up to the end of a period, queued ones included, by user and index."""
    simulation = Simulation(scenario, seed, log_packets=True)
    simulation.reset()
    for _ in range(periods):
        simulation.step([100])
    packets = np.concatenate([simulation.take_packets(), simulation.queued_packets()])
    return packets[np.lexsort((packets["index"], packets["user"]))]


def rates_of(scenario, seed=1):
    """The rates of the packets that were sent, each once, bit/s."""
    packets = packets_of(scenario, seed)
    return set(packets["rate_bps"][packets["departure_ns"] >= 0].tolist())


def arrivals_of(scenario, seed=1, user=0):
    """Arrival instants and sizes of one user's packets, as lists."""
    packets = packets_of(scenario, seed)
    mine = packets[packets["user"] == user]
    return mine["arrival_ns"].tolist(), mine["size_bits"].tolist()


def first_packets(scenario, count, seed=1):
    """Gaps and sizes of the first ``count`` packets of every user, each of shape ``(users, count)``.

    The same number from every user: what arrives up to an instant would leave out the longest gaps.
    """
    packets = packets_of(scenario, seed)
    packets = packets[packets["index"] < count]
    users = scenario.slices["only"].users
    assert packets.size == users * count, "the period is too short"
    instants = packets["arrival_ns"].reshape(users, count)
    return np.diff(instants, prepend=0), packets["size_bits"].reshape(users, count)


def folder_with(folder: Path, name: str, text: str) -> Path:
    """The folder, with a file in it."""
    (folder / name).write_text(text)
    return folder
