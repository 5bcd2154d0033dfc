"""A saved simulation moved along its clock and its packets' numbers, as if it had run for months before."""

from pathlib import Path

import numpy as np

import netsim
from netsim import saving
from netsim.state import FOREVER_NS, SUPPLY, Cell


def moved(simulation: netsim.Simulation, path: Path, *, slots: int = 0, packets: int = 0) -> netsim.Simulation:
    """The simulation, saved and loaded again ``slots`` slots later, every user having sent ``packets`` packets more.

    ``slots`` must be whole periods and ``packets`` a whole number of the blocks in which packets are drawn.
    """
    scenario = simulation.scenario
    per_period, slot_ns = scenario.control.slots_per_period, scenario.control.slot_ns
    assert slots % per_period == 0
    assert packets % SUPPLY == 0
    simulation.save(path)
    header, arrays = saving.read(path)
    _move_clock(arrays, slots, slots * slot_ns)
    for name, field in (("users", "packet"), ("queues", "index")):
        arrays[name][field] += packets
    header["period"] += slots // per_period
    kept = {key: value for key, value in header.items() if key not in ("format", "sha256")}
    saving.write(path, kept, Cell(**{name: arrays.get(name, np.zeros(0)) for name in Cell._fields}))
    return netsim.Simulation.load(path)


def _move_clock(arrays: dict[str, np.ndarray], slots: int, later_ns: int) -> None:
    users, queues = arrays["users"], arrays["queues"]
    for field in ("slot", "period_slot"):
        arrays["clock"][field] += slots
    arrays["slices"]["limit_since_ns"] += later_ns
    users["next_arrival_ns"] += np.where(users["next_arrival_ns"] < FOREVER_NS, later_ns, 0)
    users["leaving_ns"] += later_ns
    users["average_slot"] += slots
    queues["arrival_ns"] += later_ns
    queues["resolved_ns"] += later_ns
    arrays["wheel"] = np.roll(arrays["wheel"], slots % arrays["wheel"].size)
