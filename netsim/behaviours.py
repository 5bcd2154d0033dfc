"""Controllers to collect data with: they try allocations out around or beside what another one would play.

Every draw is a function of (seed, how the controller was written, period), so runs can be resumed and repeated, and
controllers within controllers draw apart.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from netsim.controllers import Fixed, Random, uniform_index, whole
from netsim.errors import InputError
from netsim.hooks import hookimpl
from netsim.plugins import make_controller
from netsim.pluginset import Named, PluginSet
from netsim.report import PeriodReport
from netsim.scenario import Scenario

if TYPE_CHECKING:
    from netsim.simulation import Simulation

_FINE = 1 << 53


class _Choice:
    """Controllers of which one is drawn for each period; all see the whole run, only the one drawn is asked."""

    def __init__(self, purpose: str, controllers: Sequence[Named], weights: Sequence[float]) -> None:
        self._purpose, self._seed = purpose, 0
        self._players = [PluginSet([each]) for each in controllers]
        self._bounds = list(accumulate(weights))[:-1]

    @hookimpl
    def run_started(self, scenario: Scenario, seed: int) -> None:
        """Take the run's seed and tell everybody."""
        self._seed = seed
        for player in self._players:
            player.hook.run_started(scenario=scenario, seed=seed)

    @hookimpl
    def processes(self, simulation: "Simulation") -> list[Any]:
        """Everybody's."""
        offered = [player.hook.processes(simulation=simulation) for player in self._players]
        return [process for each in offered for some in each for process in some]

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> Sequence[int] | None:
        """What the controller decides that is drawn for the period after the report's."""
        drawn = uniform_index(self._seed, report.period + 1, _FINE, self._purpose) / _FINE
        player = self._players[sum(drawn >= bound for bound in self._bounds)]
        decided: Sequence[int] | None = player.hook.decide_allocation(report=report)
        return decided

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        """Tell everybody."""
        for player in self._players:
            player.hook.period_ended(report=report)

    @hookimpl
    def run_ended(self, summary: Mapping[str, Any]) -> None:
        """Tell everybody."""
        for player in self._players:
            player.hook.run_ended(summary=summary)


class Explore(_Choice):
    """Random with a probability, else another controller, written ``explore:0.2/agent:runs/ddqn``."""

    def __init__(self, text: str = "", *, scenario: Scenario) -> None:
        """Read the probability and make the other controller.

        Raises
        ------
        InputError
            The probability is none, or there is no such controller.
        """
        probability, _, other = text.partition("/")
        epsilon = _probability(probability, text)
        if not other:
            raise InputError(f"explore:EPSILON/CONTROLLER needs a controller after the probability, got {text[:120]!r}")
        controllers = [Named("random", Random(scenario)), Named(other, make_controller(other, scenario))]
        super().__init__(f"explore {text}", controllers, [epsilon, 1 - epsilon])


def _probability(written: str, text: str) -> float:
    try:
        probability = float(written)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise InputError(f"explore:EPSILON/CONTROLLER needs a probability from 0 to 1, got {text[:120]!r}")
    return probability


class Mixed(_Choice):
    """Controllers of which one is drawn for each period, all alike, written ``"mixed:random|best-static|equal"``."""

    def __init__(self, text: str = "", *, scenario: Scenario) -> None:
        """Make the controllers.

        Raises
        ------
        InputError
            There are fewer than two, or there is no such controller.
        """
        names = text.split("|")
        if len(names) < 2 or not all(names):
            raise InputError(f"mixed:A|B|... needs at least two controllers, got {text[:120]!r}")
        made = [Named(name, make_controller(name, scenario)) for name in names]
        super().__init__(f"mixed {text}", made, [1 / len(made)] * len(made))


class Narrow:
    """Uniform over the allocations within a few units a slice of one, written ``narrow:3,70,27/5``."""

    def __init__(self, text: str = "", *, scenario: Scenario) -> None:
        """Read the allocation in the middle and the most units by which a slice may differ from it.

        Raises
        ------
        InputError
            Unless these are an allocation of the scenario's carrier and a whole number of units.
        """
        middle, _, radius = text.partition("/")
        try:
            within = whole(radius)
        except ValueError:
            form = f"narrow:{','.join(scenario.slice_names)}/UNITS"
            raise InputError(f"{form} needs a whole number of units after the slash, got {text[:120]!r}") from None
        self._near = Near(Fixed(middle, scenario=scenario).allocation, within)
        self._purpose, self._seed = f"narrow {text}", 0

    @hookimpl
    def run_started(self, seed: int) -> None:
        """Take the run's seed."""
        self._seed = seed

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> tuple[int, ...]:
        """The draw of the next period."""
        return self._near.unrank(uniform_index(self._seed, report.period + 1, self._near.count, self._purpose))


class Near:
    """Allocations that differ from one by at most ``radius`` units in each slice, in lexicographic order.

    >>> near = Near((1, 3, 2), 1)
    >>> [near.unrank(index) for index in range(near.count)]
    [(1, 2, 3), (1, 3, 2), (1, 4, 1), (2, 2, 2), (2, 3, 1)]
    """

    def __init__(self, middle: Sequence[int], radius: int) -> None:
        """Count the ways without listing them."""
        self._units = sum(middle)
        self._choices = [range(max(1, each - radius), min(self._units, each + radius) + 1) for each in middle]
        # Per slice, last one first: how many ways there are to share so many units between the slices after it.
        self._ways = [[1] + [0] * self._units]
        for choices in reversed(self._choices):
            self._ways.append(_ways(choices, self._ways[-1]))

    @property
    def count(self) -> int:
        """How many there are."""
        return self._ways[-1][self._units]

    def unrank(self, index: int) -> tuple[int, ...]:
        """The allocation of a number from 0 on."""
        left, allocation = self._units, []
        for choices, after in zip(self._choices, reversed(self._ways[:-1]), strict=True):
            given = choices.start
            while index >= (ways := after[left - given]):
                index -= ways
                given += 1
            allocation.append(given)
            left -= given
        return tuple(allocation)


def _ways(choices: range, after: Sequence[int]) -> list[int]:
    """How many ways there are to share 0, 1, ... units if a slice may get some and the slices after it the rest."""
    return [sum(after[left - given] for given in choices if given <= left) for left in range(len(after))]
