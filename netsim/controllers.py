"""The controllers that come with netsim; each is a plugin like anybody's.

``best-static`` and ``clairvoyant`` are in :mod:`netsim.beststatic`, those that try things out to collect data in
:mod:`netsim.behaviours`.
"""

import hashlib
from collections.abc import Callable, Mapping

from netsim import allocations
from netsim.errors import AllocationError, InputError
from netsim.hooks import hookimpl
from netsim.report import PeriodReport
from netsim.scenario import Scenario


class Equal:
    """Every slice the same; what is left over goes one each to the first slices."""

    def __init__(self, scenario: Scenario) -> None:
        self._allocation = allocations.largest_remainder([1] * len(scenario.slices), scenario.carrier.units)

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The equal split."""
        return self._allocation


class Fixed:
    """Always the same allocation, written ``fixed:3,70,27``."""

    def __init__(self, text: str = "", *, scenario: Scenario) -> None:
        """Read the units of each slice.

        Raises
        ------
        InputError
            Unless the text is an allocation of the scenario's carrier to its slices.
        """
        names, units = scenario.slice_names, scenario.carrier.units
        form = f"fixed:{','.join(names)} needs {len(names)} whole numbers of units that sum to {units}"
        try:
            self.allocation = allocations.check([whole(part) for part in text.split(",")], units, len(names))
        except AllocationError as error:
            raise InputError(f"{form}; {error}") from None
        except ValueError:
            raise InputError(f"{form}, got {text[:120]!r}") from None

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The allocation it was made with."""
        return self.allocation


class Scripted:
    """Allocations in turn, one a period, the last one kept, written ``scripted:3,70,27/10,60,30``."""

    def __init__(self, text: str = "", *, scenario: Scenario) -> None:
        """Read the allocations, written as for ``fixed``.

        Raises
        ------
        InputError
            Unless each is an allocation of the scenario's carrier to its slices.
        """
        self._turns = [Fixed(part, scenario=scenario) for part in text.split("/")]

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The allocation of the period after the report's."""
        return self._turns[min(report.period, len(self._turns) - 1)].decide_allocation(report)


def whole(part: str) -> int:
    """A whole number from text of at most nine digits.

    Raises
    ------
    ValueError
        It is none.
    """
    digits = part.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise ValueError(digits)
    return int(digits)


class Random:
    """Uniform over all allocations. The draw is a function of the seed and the period, so runs can be resumed."""

    def __init__(self, scenario: Scenario) -> None:
        self._units, self._n = scenario.carrier.units, len(scenario.slices)
        self._seed = 0

    @hookimpl
    def run_started(self, seed: int) -> None:
        """Take the run's seed."""
        self._seed = seed

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The draw of the next period."""
        index = uniform_index(self._seed, report.period + 1, allocations.count(self._units, self._n))
        return allocations.unrank(index, self._units, self._n)


def uniform_index(seed: int, period: int, size: int, purpose: str = "controller") -> int:
    """A number that is exactly uniform over ``0..size-1`` and a pure function of (seed, purpose, period).

    SHA-256 in counter mode; a digest in the incomplete last multiple of ``size`` is rejected.

    >>> uniform_index(1, 1, 4851) == uniform_index(1, 1, 4851)
    True
    """
    space = 1 << 256
    attempt = 0
    while True:
        key = f"{seed} {purpose} {period} {attempt}".encode()
        digest = int.from_bytes(hashlib.sha256(key).digest(), "big")
        if digest < space - space % size:
            return digest % size
        attempt += 1


class Proportional:
    """In proportion to the bits offered in the period just ended, by largest remainder, at least one unit each."""

    def __init__(self, scenario: Scenario) -> None:
        self._units = scenario.carrier.units

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The units per slice; the equal split after a period without an arrival."""
        return allocations.largest_remainder(report.offered_bits, self._units)


def _explore(text: str = "", *, scenario: Scenario) -> object:
    """Random with a probability, else another controller, written ``explore:0.2/best-static``."""
    from netsim.behaviours import Explore

    return Explore(text, scenario=scenario)


def _mixed(text: str = "", *, scenario: Scenario) -> object:
    """Controllers of which one is drawn for each period, all alike, written ``"mixed:random|best-static|equal"``."""
    from netsim.behaviours import Mixed

    return Mixed(text, scenario=scenario)


def _narrow(text: str = "", *, scenario: Scenario) -> object:
    """Random within a few units a slice of an allocation, written ``narrow:3,70,27/5``."""
    from netsim.behaviours import Narrow

    return Narrow(text, scenario=scenario)


def _best_static(scenario: Scenario) -> object:
    """The best allocation that never changes, raced over all of them."""
    from netsim.beststatic import BestStatic

    return BestStatic(scenario)


def _clairvoyant() -> object:
    """The best allocation of each period with hindsight: an upper bound, no controller one could have."""
    from netsim.beststatic import Clairvoyant

    return Clairvoyant()


BUILT_IN: Mapping[str, Callable[..., object]] = {
    "random": Random,
    "equal": Equal,
    "fixed": Fixed,
    "scripted": Scripted,
    "proportional": Proportional,
    "explore": _explore,
    "narrow": _narrow,
    "mixed": _mixed,
    "best-static": _best_static,
    "clairvoyant": _clairvoyant,
}
"""Name -> factory of the controllers that come with netsim."""
