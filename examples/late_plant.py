"""A plant of one's own: a network that obeys a period late, beside the simulator, under the same controllers.

    python examples/late_plant.py

Whatever has `reset(seed)` and `step(allocation)`, and reports what happened as `PeriodReport`s, is a plant: a test bed,
a wrapper as this one, a learned twin. Controllers, `netsim.run`, the Gymnasium environment (`plant=`) and agents play
on it unchanged. It prints

    fixed:2,12,6  U 3.1810 at once, 3.1809 a period late
    Seesaw        U 3.1768 at once, 3.1661 a period late
"""

from collections.abc import Sequence

import netsim
from netsim import PeriodReport, hookimpl


class Late:
    """A simulation whose allocations take effect one period after they were decided."""

    def __init__(self, scenario: netsim.Scenario) -> None:
        self._network = netsim.Simulation(scenario)
        self._waiting: tuple[int, ...] = scenario.initial_allocation

    def reset(self, seed: int | None = None) -> PeriodReport:
        """Start again at time 0."""
        report = self._network.reset(seed)
        self._waiting = report.allocation
        return report

    def step(self, allocation: Sequence[int]) -> PeriodReport:
        """Play what was decided a period ago; the report says what was in force."""
        in_force, self._waiting = self._waiting, tuple(allocation)
        return self._network.step(in_force)


class Seesaw:
    """Gives the worst-served slice five units of the best-served one: nervous, and worse where it is obeyed late."""

    @hookimpl
    def decide_allocation(self, report: PeriodReport) -> list[int]:
        """Five units from the best to the worst."""
        units = list(report.allocation)
        worst, best = report.ssr.argmin(), report.ssr.argmax()
        moved = min(5, units[best] - 1) if report.ssr[worst] < report.ssr[best] else 0
        units[worst] += moved
        units[best] -= moved
        return units


def main() -> None:
    """Play two controllers on both plants."""
    scenario = netsim.load_scenario("tiny")
    for name, controller in (("fixed:2,12,6", "fixed:2,12,6"), ("Seesaw", Seesaw)):
        at_once = netsim.run(scenario, controller, periods=300, seed=1)
        late = netsim.run(scenario, controller, periods=300, seed=1, plant=Late(scenario))
        u, u_late = at_once["utility"]["mean"], late["utility"]["mean"]
        print(f"{name:<12}  U {u:.4f} at once, {u_late:.4f} a period late")


if __name__ == "__main__":
    main()
