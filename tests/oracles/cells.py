"""The public strategies under the name they had."""

from netsim.testing.strategies import SLOT_NS, Played, cells, slices

__all__ = ["SLOT_NS", "Played", "cells", "slices"]
