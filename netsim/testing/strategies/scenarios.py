"""Whole scenarios, and what happens in them."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hypothesis import strategies as st

from netsim.scenario import Scenario
from netsim.testing.strategies.channels import channels as any_channel
from netsim.testing.strategies.quantities import SLOT_NS, Content, mapping
from netsim.testing.strategies.slices import slas
from netsim.testing.strategies.slices import slices as any_slice
from netsim.testing.strategies.traffic import traffic as any_traffic

NAMES = ("alpha", "beta", "gamma")
SEEDS = st.integers(0, 2**64 - 1)


@dataclass(frozen=True)
class Played:
    """A cell and what is done with it: period 0 under the scenario's initial allocation, then one under each other."""

    scenario: Scenario
    seed: int
    allocations: tuple[tuple[int, ...], ...]
    """Of periods 1, 2, and so on, in the scenario's units."""


@st.composite
def allocations(draw: st.DrawFn, units: int, n: int) -> tuple[int, ...]:
    """Allocations of ``units`` to ``n`` slices, each at least 1, all of them possible."""
    cuts = sorted(draw(st.lists(st.integers(1, max(units - 1, 1)), min_size=n - 1, max_size=n - 1, unique=True)))
    return tuple(b - a for a, b in pairwise([0, *cuts, units]))


@st.composite
def events(draw: st.DrawFn, users: dict[str, int], slots: int) -> list[Content]:
    """Up to 4 dated events within ``slots`` slots, valid in their order: joins, leaves, new SLAs, power changes.

    Parameters
    ----------
    users
        How many each slice has at the start; nobody leaves who is not there.
    """
    happened, present = [], dict(users)
    for slot in sorted(draw(st.lists(st.integers(0, slots - 1), max_size=4))):
        name = draw(st.sampled_from(sorted(present)))
        kind = draw(st.sampled_from(["join", "sla", "power", "leave"] if present[name] else ["join", "sla", "power"]))
        event: Content = {"at": f"{slot * SLOT_NS} ns"}
        if kind == "join":
            n = draw(st.integers(1, 3))
            present[name] += n
            event["join"] = {"slice": name, "users": n}
        elif kind == "leave":
            n = draw(st.integers(1, present[name]))
            present[name] -= n
            event["leave"] = {"slice": name, "users": n}
        elif kind == "sla":
            keys = draw(st.sampled_from([("rate_floor",), ("latency_limit",), ("rate_floor", "latency_limit")]))
            promised = draw(slas())
            event["sla"] = {"slice": name, **{key: promised[key] for key in keys}}
        else:
            event["transmit_power"] = draw(st.sampled_from(["30 dBm", "46 dBm"]))
        happened.append(event)
    return happened


@st.composite
def scenarios(
    draw: st.DrawFn,
    *,
    slices: st.SearchStrategy[Content] | None = None,
    traffic: st.SearchStrategy[Content] | None = None,
    schedulers: st.SearchStrategy[Content] | None = None,
    channels: st.SearchStrategy[Content] | None = None,
    with_events: bool = True,
    periods: int = 3,
    slots: tuple[int, int] = (1, 30),
    folder: Path | None = None,
) -> Scenario:
    """Scenarios of 1 to 3 slices on a carrier of 4 to 12 resource blocks of 200 kHz, isolated or work-conserving.

    Parameters
    ----------
    slices
        A strategy for each slice's content; without it :func:`~netsim.testing.strategies.slices`.
    traffic, schedulers
        Strategies for these parts of each slice, in place of what ``slices`` draws.
    channels
        A strategy for the channel; without it :func:`~netsim.testing.strategies.channels`.
    with_events
        Whether half of the scenarios may have dated events.
    periods
        Periods in all, period 0 included; events are dated within them.
    slots
        Least and most slots of a period.
    folder
        The scenario's folder, in which ``file.py:Class`` and recorded traces are looked for. With one, recorded
        traces are drawn too (unless ``traffic`` or ``slices`` is given), and their files written there.
    """
    chosen = slices if slices is not None else any_slice(traffic=any_traffic(folder))
    names = NAMES[: draw(st.integers(1, 3))]
    unit_prb, units = draw(st.sampled_from([(1, 4), (1, 7), (1, 12), (2, 5)]))
    per_period = draw(st.integers(*slots))
    parts = {name: draw(_slice_of(chosen, traffic, schedulers)) for name in draw(st.permutations(names))}
    users = {name: part["users"] for name, part in parts.items()}
    content = {
        "name": "cell",
        "carrier": {
            "prb": units * unit_prb,
            "prb_bandwidth": "200 kHz",
            "allocation_unit_prb": unit_prb,
            "sharing": draw(st.sampled_from(["isolated", "isolated", "work-conserving"])),
        },
        "control": {"slot": f"{SLOT_NS} ns", "slots_per_period": per_period, "periods": max(periods - 1, 1)},
        "channel": draw(any_channel() if channels is None else channels),
        "slices": parts,
        "utility": draw(mapping({"alpha_per_slice": st.booleans(), "se": st.sampled_from(["capacity", "carried"])})),
        "events": draw(events(users, per_period * periods)) if with_events and draw(st.booleans()) else [],
    }
    return Scenario.from_dict(content, folder)


def _slice_of(
    slices: st.SearchStrategy[Content],
    traffic: st.SearchStrategy[Content] | None,
    schedulers: st.SearchStrategy[Content] | None,
) -> st.SearchStrategy[Content]:
    replaced = {key: part for key, part in (("traffic", traffic), ("scheduler", schedulers)) if part is not None}
    return st.builds(lambda part, parts: {**part, **parts}, slices, st.fixed_dictionaries(replaced))


@st.composite
def cells(
    draw: st.DrawFn,
    *,
    slices: st.SearchStrategy[Content] | None = None,
    traffic: st.SearchStrategy[Content] | None = None,
    schedulers: st.SearchStrategy[Content] | None = None,
    channels: st.SearchStrategy[Content] | None = None,
    with_events: bool = True,
    periods: int = 3,
    slots: tuple[int, int] = (1, 30),
    folder: Path | None = None,
) -> Played:
    """A scenario, a seed, and allocations that change every period; the parameters are those of :func:`scenarios`."""
    scenario = draw(
        scenarios(
            slices=slices,
            traffic=traffic,
            schedulers=schedulers,
            channels=channels,
            with_events=with_events,
            periods=periods,
            slots=slots,
            folder=folder,
        )
    )
    units = allocations(scenario.carrier.units, len(scenario.slices))
    return Played(scenario, draw(SEEDS), tuple(draw(units) for _ in range(periods - 1)))
