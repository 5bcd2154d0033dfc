"""Slices: who uses them, what they were promised, and who is served first."""

from functools import cache, lru_cache

from hypothesis import strategies as st

from netsim.scenario import SCHEDULERS
from netsim.testing.strategies.quantities import SLOT_NS, Content, mapping, times
from netsim.testing.strategies.traffic import traffic as any_traffic

FLOORS_BPS = (0, 10**6, 2 * 10**6, 3 * 10**6, 4 * 10**6, 10**7, 10**8)


@cache
def schedulers() -> st.SearchStrategy[Content]:
    """The ``scheduler`` of a slice: every built-in kind, round robin most often."""
    plain: list[Content] = [{"kind": kind} for kind in SCHEDULERS]
    return st.sampled_from([{"kind": "round-robin"}, *plain, {"kind": "proportional-fair", "time_constant_slots": 3.5}])


_any_scheduler = schedulers  # under a name that no parameter hides


@cache
def slas() -> st.SearchStrategy[Content]:
    """The ``sla`` of a slice: a limit of 1 ns to 12 slots, often whole slots, and a floor of 0 to 100 Mbit/s.

    Floors of 1 to 4 Mbit/s are met exactly on the channel whose resource blocks carry 1 Mbit/s.
    """
    return mapping(
        {
            "rate_floor": st.sampled_from([f"{bps} bit/s" for bps in FLOORS_BPS]),
            "latency_limit": times(1, 12 * SLOT_NS),
            "rate": st.sampled_from(["granted", "goodput"]),
        }
    )


@cache
def loads() -> st.SearchStrategy[Content | None]:
    """The ``load`` of a slice: none, or a curve of 1 to 5 points within 40 slots, times 0.1 to 7, some periodic."""
    point = st.tuples(st.integers(0, 40 * SLOT_NS), st.sampled_from([0.1, 0.5, 1.0, 2.0, 7.0]))

    def load(points: list[tuple[int, float]], spare_ns: int | None) -> Content:
        ordered = sorted(points, key=lambda at_multiplier: at_multiplier[0])
        made: Content = {"points": [{"at": f"{at} ns", "multiplier": m} for at, m in ordered]}
        if spare_ns is not None:
            made["repeat"] = f"{ordered[-1][0] + spare_ns} ns"
        return made

    drawn = st.builds(load, st.lists(point, min_size=1, max_size=5), st.one_of(st.none(), st.integers(1, 10 * SLOT_NS)))
    return st.one_of(st.none(), st.none(), drawn)


def slices(
    *, traffic: st.SearchStrategy[Content] | None = None, schedulers: st.SearchStrategy[Content] | None = None
) -> st.SearchStrategy[Content]:
    """One slice: 0 to 6 users with queues of 1 to 5 packets that drop or defer, late packets sent or discarded.

    Parameters
    ----------
    traffic, schedulers
        Strategies for these parts; without them every built-in kind but the recorded trace.
    """
    return _slices(
        any_traffic() if traffic is None else traffic, _any_scheduler() if schedulers is None else schedulers
    )


@lru_cache(maxsize=16)
def _slices(traffic: st.SearchStrategy[Content], scheduler: st.SearchStrategy[Content]) -> st.SearchStrategy[Content]:
    parts: Content = {
        "users": st.integers(0, 6),
        "traffic": traffic,
        "sla": slas(),
        "scheduler": scheduler,
        "queue": mapping({"packets": st.sampled_from([1, 2, 3, 5]), "when_full": st.sampled_from(["drop", "defer"])}),
        "late": st.sampled_from(["send", "discard"]),
        "weight": st.sampled_from([0.0, 0.5, 1.0]),
    }
    return st.builds(lambda load, part: part if load is None else {**part, "load": load}, loads(), mapping(parts))
