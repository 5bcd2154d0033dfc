"""Help for authors of plugins."""

from netsim.testing.controllers import check_controller

__all__ = ["check_controller"]
