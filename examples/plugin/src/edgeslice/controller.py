"""A controller that keeps something in reserve for the slice that fared worst."""

from netsim import PeriodReport, Scenario, allocations, hookimpl
from netsim.errors import InputError


class Headroom:
    """Units in proportion to the bits offered, less a share of them that goes to the worst slice: `headroom:0.2`."""

    def __init__(self, text: str = "0.1", *, scenario: Scenario) -> None:
        """Read what follows the name on the command line.

        Raises
        ------
        InputError
            It is no share: netsim shows the message, and the exit status is 2.
        """
        try:
            self._share = float(text)
        except ValueError:
            self._share = -1.0
        if not 0.0 <= self._share < 1.0:
            raise InputError(
                f"headroom:SHARE needs a share of the carrier, 0 or more and less than 1, got {text[:40]!r}"
            )
        self._units = scenario.carrier.units

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> list[int]:
        """What the bits of the period before ask for, and the reserve to the slice with the lowest SSR."""
        n = len(report.slices)
        reserve = min(int(self._share * self._units), self._units - n)
        units = list(allocations.largest_remainder(report.offered_bits, self._units - reserve))
        units[int(report.ssr.argmin())] += reserve
        return units
