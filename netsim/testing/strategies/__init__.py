"""Hypothesis strategies: whole base stations, their parts, and controllers, for testing whatever plugs into them.

What is drawn is small and busy: up to three slices of at most six users on at most twelve resource blocks, in which
queues overflow, limits pass and floors are missed within a few dozen slots of 0.5 ms. Equalities are drawn on purpose,
because that is where accounting goes wrong: gaps, limits, events and load points on slot edges; queues of one packet;
and a channel on which a resource block carries exactly 1 Mbit/s, so that rates meet floors of whole Mbit/s exactly.

Everything is drawn unless it is given, so a plugin of one's own takes the place of one part only::

    from hypothesis import given, strategies as st
    from netsim.testing import strategies

    mine = st.just({"kind": "my_package.schedulers:Mine"})

    @given(strategies.cells(schedulers=mine))
    def test_nothing_is_lost(cell): ...

Parts of a scenario are drawn as the mappings that a scenario file holds, quantities with their units; scenarios as
:class:`netsim.Scenario`. Hypothesis is not installed with slicetwin: ``pip install 'slicetwin[testing]'``.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError(
        "netsim.testing.strategies needs Hypothesis, which is not installed: pip install 'slicetwin[testing]'"
    ) from error

from netsim.testing.strategies.channels import channels
from netsim.testing.strategies.controllers import controllers
from netsim.testing.strategies.quantities import SLOT_NS, sizes, times
from netsim.testing.strategies.scenarios import Played, allocations, cells, events, scenarios
from netsim.testing.strategies.slices import loads, schedulers, slas, slices
from netsim.testing.strategies.traffic import recorded_traces, traffic

__all__ = [
    "SLOT_NS",
    "Played",
    "allocations",
    "cells",
    "channels",
    "controllers",
    "events",
    "loads",
    "recorded_traces",
    "scenarios",
    "schedulers",
    "sizes",
    "slas",
    "slices",
    "times",
    "traffic",
]
