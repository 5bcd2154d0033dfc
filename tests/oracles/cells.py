"""Small cells for Hypothesis: scenarios in which much goes wrong within a few dozen slots.

Equalities are drawn on purpose: gaps, limits and events on the slots' edges, full queues, rates at the floor.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from netsim.scenario import SCHEDULERS, Scenario

SLOT_NS = 500_000
NAMES = ("alpha", "beta", "gamma")


@dataclass(frozen=True)
class Played:
    """A scenario, a seed, and the allocations of its periods after the first."""

    scenario: Scenario
    seed: int
    allocations: tuple[tuple[int, ...], ...]


@cache
def times(low_ns: int, high_ns: int) -> st.SearchStrategy[str]:
    """Times, often whole slots."""
    slots = st.integers(-(-low_ns // SLOT_NS), high_ns // SLOT_NS).map(lambda n: n * SLOT_NS)
    return st.one_of(slots, st.integers(low_ns, high_ns)).map(lambda ns: f"{ns} ns")


@cache
def sizes(low: int = 1, high: int = 60_000) -> st.SearchStrategy[str]:
    round_numbers = [bits for bits in (1, 100, 4000, 20_000, 60_000) if low <= bits <= high]
    return st.one_of(st.integers(low, high), st.sampled_from(round_numbers)).map(lambda bits: f"{bits} bit")


@cache
def laws(quantity: Any, low: int, least: int, middle: int, high: int) -> st.SearchStrategy[dict[str, Any]]:
    """A distribution over a quantity given by a strategy ``quantity(low, high)``.

    Draws can be as small as ``low`` or less, their typical value is ``least`` to ``middle``, their cap up to ``high``.
    """

    def law(**parts: Any) -> st.SearchStrategy[dict[str, Any]]:
        wrapped = {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in parts.items()}
        return st.fixed_dictionaries(wrapped)

    some, more = quantity(least, middle), quantity(middle + 1, high)
    shape = st.sampled_from([0.5, 1.0, 1.2, 3.0])
    sigma = st.sampled_from([0.0, 0.7, 2.0])
    return st.one_of(
        law(distribution="constant", value=some),
        law(distribution="uniform", **{"from": quantity(low, middle), "to": more}),
        law(distribution="exponential", mean=some),
        law(distribution="exponential", mean=some, cut=more),
        law(distribution="truncated-exponential", mean=some, max=more),
        law(distribution="pareto", shape=shape, **{"from": some}),
        law(distribution="pareto", shape=shape, cut=more, **{"from": some}),
        law(distribution="lognormal", median=some, sigma=sigma),
        law(distribution="lognormal", median=some, sigma=sigma, cut=more),
        law(distribution="choice", values=st.lists(some, min_size=1, max_size=4)),
    )


@cache
def gaps() -> st.SearchStrategy[dict[str, Any]]:
    return laws(times, 0, SLOT_NS // 8, 6 * SLOT_NS, 20 * SLOT_NS)


@cache
def packet_sizes() -> st.SearchStrategy[dict[str, Any]]:
    return laws(sizes, 1, 1, 20_000, 60_000)


@cache
def traffics() -> st.SearchStrategy[dict[str, Any]]:
    """Every built-in kind but the recorded trace, which needs a file."""
    probability = st.sampled_from([0.05, 0.3, 0.9])
    return st.one_of(
        st.fixed_dictionaries({"kind": st.just("renewal"), "gap": gaps(), "size": packet_sizes()}),
        st.fixed_dictionaries(
            {
                "kind": st.just("renewal"),
                "gap": laws(times, 0, SLOT_NS // 8, SLOT_NS, 2 * SLOT_NS),
                "size": packet_sizes(),
            }
        ),
        st.fixed_dictionaries(
            {"kind": st.just("poisson"), "rate": st.sampled_from(["200 /s", "1500 /s"]), "size": packet_sizes()}
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("ngmn-video"),
                "frame_period": times(SLOT_NS, 12 * SLOT_NS),
                "packets_per_frame": st.integers(1, 5),
                "gap": laws(times, 0, SLOT_NS // 8, SLOT_NS, 4 * SLOT_NS),
                "size": packet_sizes(),
            }
        ),
        st.builds(
            lambda frame_ns, frames, to_silence, to_talk, size, silence_size: {
                "kind": "two-state-voice",
                "frame": f"{frame_ns} ns",
                "silence_gap": f"{frames * frame_ns} ns",
                "to_silence": to_silence,
                "to_talk": to_talk,
                "size": size,
                "silence_size": silence_size,
            },
            st.sampled_from([SLOT_NS, 700_001, 3 * SLOT_NS]),
            st.integers(1, 8),
            probability,
            probability,
            sizes(),
            sizes(),
        ),
        st.just({"kind": "silent"}),
    )


@cache
def schedulers() -> st.SearchStrategy[dict[str, Any]]:
    plain = [{"kind": kind} for kind in SCHEDULERS]
    return st.sampled_from([{"kind": "round-robin"}, *plain, {"kind": "proportional-fair", "time_constant_slots": 3.5}])


@cache
def loads() -> st.SearchStrategy[dict[str, Any] | None]:
    point = st.tuples(st.integers(0, 40 * SLOT_NS), st.sampled_from([0.1, 0.5, 1.0, 2.0, 7.0]))

    def load(points: list[tuple[int, float]], spare_ns: int | None) -> dict[str, Any]:
        ordered = sorted(points, key=lambda at_multiplier: at_multiplier[0])
        made: dict[str, Any] = {"points": [{"at": f"{at} ns", "multiplier": m} for at, m in ordered]}
        if spare_ns is not None:
            made["repeat"] = f"{ordered[-1][0] + spare_ns} ns"
        return made

    drawn = st.builds(load, st.lists(point, min_size=1, max_size=5), st.one_of(st.none(), st.integers(1, 10 * SLOT_NS)))
    return st.one_of(st.none(), st.none(), drawn)


@cache
def slas() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "rate_floor": st.sampled_from([0, 10**6, 2 * 10**6, 3 * 10**6, 4 * 10**6, 10**7, 10**8]).map(
                lambda bps: f"{bps} bit/s"
            ),
            "latency_limit": times(1, 12 * SLOT_NS),
            "rate": st.sampled_from(["granted", "goodput"]),
        }
    )


@cache
def slices() -> st.SearchStrategy[dict[str, Any]]:
    def made(load: dict[str, Any] | None, **parts: Any) -> dict[str, Any]:
        return parts if load is None else {**parts, "load": load}

    return st.builds(
        made,
        loads(),
        users=st.integers(0, 6),
        traffic=traffics(),
        sla=slas(),
        scheduler=schedulers(),
        queue=st.fixed_dictionaries(
            {"packets": st.sampled_from([1, 2, 3, 5]), "when_full": st.sampled_from(["drop", "defer"])}
        ),
        late=st.sampled_from(["send", "discard"]),
        weight=st.sampled_from([0.0, 0.5, 1.0]),
    )


@cache
def channels() -> st.SearchStrategy[dict[str, Any]]:
    """Among them one on whose ceiling a resource block carries exactly 1 Mbit/s, so that floors are met exactly."""
    exact = {
        "transmit_power": "70 dBm",
        "receiver_gain": "0 dB",
        "noise_density": "-100 dBm/Hz",
        "path_loss": {"model": "constant", "loss": "100 dB"},
        "fading": {"model": "none"},
        "link": {"model": "shannon", "layers": 5, "ceiling": 1.0},
    }
    link = st.one_of(
        st.fixed_dictionaries({"model": st.just("shannon"), "layers": st.integers(1, 4)}),
        st.just({"model": "shannon", "layers": 4, "log": "log10", "ceiling": 1.5}),
        st.fixed_dictionaries(
            {
                "model": st.just("nr"),
                "table": st.sampled_from(["qam64", "qam256"]),
                "report": st.sampled_from(["cqi", "mcs"]),
                "overhead": st.sampled_from([0.0, 0.14]),
            }
        ),
    )
    general = st.fixed_dictionaries(
        {
            "transmit_power": st.sampled_from(["46 dBm", "20 dBm"]),
            "power": st.sampled_from(["spread", "full"]),
            "cell_radius": st.sampled_from(["40 m", "1 km"]),
            "path_loss": st.sampled_from(
                [{"model": "log-distance"}, {"model": "umi-38901"}, {"model": "constant", "loss": "120 dB"}]
            ),
            "fading": st.sampled_from(
                [
                    {"model": "none"},
                    {"model": "rayleigh"},
                    {"model": "rayleigh"},
                    {"model": "jakes", "doppler": "50 Hz"},
                ]
            ),
            "shadowing": st.sampled_from(
                [{"sigma": "0 dB"}, {"sigma": "8 dB", "per": "user"}, {"sigma": "6 dB", "per": "slot"}]
            ),
            "link": link,
        }
    )
    return st.one_of(general, general, st.just(exact))


@st.composite
def events(draw: Any, users: dict[str, int], slots: int) -> list[dict[str, Any]]:
    """Dated events, valid in their order."""
    happened, present = [], dict(users)
    for slot in sorted(draw(st.lists(st.integers(0, slots - 1), max_size=4))):
        name = draw(st.sampled_from(sorted(present)))
        kinds = ["join", "sla", "power"] + (["leave"] if present[name] else [])
        kind = draw(st.sampled_from(kinds))
        event: dict[str, Any] = {"at": f"{slot * SLOT_NS} ns"}
        if kind == "join":
            n = draw(st.integers(1, 3))
            present[name] += n
            event["join"] = {"slice": name, "users": n}
        elif kind == "leave":
            n = draw(st.integers(1, present[name]))
            present[name] -= n
            event["leave"] = {"slice": name, "users": n}
        elif kind == "sla":
            new = draw(slas())
            keys = draw(st.sampled_from([("rate_floor",), ("latency_limit",), ("rate_floor", "latency_limit")]))
            event["sla"] = {"slice": name, **{key: new[key] for key in keys}}
        else:
            event["transmit_power"] = draw(st.sampled_from(["30 dBm", "46 dBm"]))
        happened.append(event)
    return happened


@st.composite
def allocations(draw: Any, units: int, n: int) -> tuple[int, ...]:
    cuts = sorted(draw(st.lists(st.integers(1, units - 1), min_size=n - 1, max_size=n - 1, unique=True)))
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, units], strict=True))


@st.composite
def cells(draw: Any, with_events: bool = True, periods: int = 3, slots: tuple[int, int] = (1, 30)) -> Played:
    """A small cell with allocations that change every period."""
    names = NAMES[: draw(st.integers(1, 3))]
    unit_prb, units = draw(st.sampled_from([(1, 4), (1, 7), (1, 12), (2, 5)]))
    per_period = draw(st.integers(*slots))
    parts = {name: draw(slices()) for name in draw(st.permutations(names))}
    users = {name: part["users"] for name, part in parts.items()}
    content = {
        "name": "cell",
        "carrier": {
            "prb": units * unit_prb,
            "prb_bandwidth": "200 kHz",
            "allocation_unit_prb": unit_prb,
            "sharing": draw(st.sampled_from(["isolated", "isolated", "work-conserving"])),
        },
        "control": {"slot": f"{SLOT_NS} ns", "slots_per_period": per_period, "periods": periods},
        "channel": draw(channels()),
        "slices": parts,
        "utility": draw(
            st.fixed_dictionaries({"alpha_per_slice": st.booleans(), "se": st.sampled_from(["capacity", "carried"])})
        ),
        "events": draw(events(users, per_period * periods)) if with_events and draw(st.booleans()) else [],
    }
    return Played(
        Scenario.from_dict(content),
        draw(st.integers(0, 2**64 - 1)),
        tuple(draw(allocations(units, len(names))) for _ in range(periods - 1)),
    )
