"""What this package adds to netsim."""

from collections.abc import Callable, Mapping

from netsim import hookimpl


class Plugin:
    """An example of a plugin: the controller headroom, the scheduler shortest-backlog, the traffic kind sensors."""

    # Imports are within the methods, so that `netsim` starts no slower for what is not used.

    @hookimpl
    def controllers(self) -> Mapping[str, Callable[..., object]]:
        """``headroom:SHARE``."""
        from edgeslice.controller import Headroom

        return {"headroom": Headroom}

    @hookimpl
    def schedulers(self) -> Mapping[str, Callable[..., object]]:
        """``shortest-backlog``."""
        from edgeslice.scheduler import ShortestBacklog

        return {"shortest-backlog": ShortestBacklog}

    @hookimpl
    def traffic_kinds(self) -> Mapping[str, Callable[..., object]]:
        """``sensors``, with the options ``interval_ms`` and ``alarm_every``."""
        from edgeslice.traffic import Sensors

        return {"sensors": Sensors}
