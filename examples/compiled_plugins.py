"""A scheduler and a traffic kind twice: in plain Python, and compiled by numba and called by the simulator's own loop.

    python examples/compiled_plugins.py

Both forms give the same results, bit for bit; the plain one is easier to write and to step through, the compiled one
costs what the built-in ones do. In a scenario file beside this one they are `kind: compiled_plugins.py:PlainTurns` and
so on. It prints, with the times of your machine,

    plain      ... us a period, video SSR 0.9923
    compiled   ... us a period, video SSR 0.9923
    equal, bit for bit: True
"""

import time

import numba

import netsim


def turns(prb, slot, active, grants):
    """All resource blocks of a slot to one user, the next one in the next slot."""
    grants[slot % len(active)] = prb


def beacons(index, u_gap, u_size):
    """A packet about every 2 ms; every tenth is ten times as large."""
    gap_ns = 1e6 + 2e6 * u_gap
    return gap_ns, 8000.0 if index % 10 == 0 else 800.0


class PlainTurns:
    """Called from Python, once per slot."""

    share = staticmethod(turns)


class CompiledTurns:
    """Called by the compiled slot loop."""

    share = staticmethod(numba.njit(turns))


class PlainBeacons:
    """Called from Python, for blocks of packets."""

    draw = staticmethod(beacons)


class CompiledBeacons:
    """Called by the compiled slot loop."""

    draw = staticmethod(numba.njit(beacons))


def scenario(form: str) -> netsim.Scenario:
    """The cell `tiny`, its video slice with plugins of this file."""
    plugged = {"scheduler": f"compiled_plugins:{form}Turns", "traffic": f"compiled_plugins:{form}Beacons"}
    return netsim.load_scenario("tiny", [f"slices.video.{key}={{kind: {kind}}}" for key, kind in plugged.items()])


def main() -> None:
    """Run both forms on the same seed."""
    summaries = {}
    for form in ("Plain", "Compiled"):
        simulation = netsim.Simulation(scenario(form), seed=1)
        simulation.reset()  # what is compiled is compiled here
        begin = time.perf_counter()
        reports = [simulation.step((3, 3, 14)) for _ in range(200)]
        us = (time.perf_counter() - begin) / 200 * 1e6
        summaries[form] = reports
        print(f"{form.lower():<8} {us:6.0f} us a period, video SSR {sum(r.ssr[1] for r in reports) / 200:.4f}")
    print(f"equal, bit for bit: {summaries['Plain'] == summaries['Compiled']}")


if __name__ == "__main__":
    main()
