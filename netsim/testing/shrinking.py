"""The smallest case that breaks a law: fewer users, events and allocations, and a shorter run.

Every draw is a function of (seed, purpose, user, index), so users who go leave the packets and the fading of those who
stay as they were. Users of a slice are numbered from 0: from above they go by ``users``, from below by leaving in slot
0, so what stays of a slice is a run of neighbours.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netsim.errors import NetsimError
from netsim.scenario import Scenario
from netsim.simulation import Processes
from netsim.testing.audit import audit_played
from netsim.testing.violations import AuditError, Case, Violation

MOST_TRIALS = 400
"""Runs that the search for a smaller case may take; what is found by then is given."""

Allocation = tuple[int, ...]


@dataclass(frozen=True)
class Cut:
    """What is left of a case."""

    users: tuple[tuple[int, int], ...]
    """Per slice the first user that stays, and the one after the last."""
    events: tuple[int, ...]
    """Numbers of the scenario's events that stay."""
    allocations: tuple[Allocation, ...]
    """Of periods 1, 2, and so on."""


def smallest(
    violation: Violation,
    scenario: Scenario,
    seed: int,
    allocations: Sequence[Allocation],
    processes: Sequence[Processes] = (),
) -> AuditError:
    """The smallest case found that breaks the law that ``violation`` breaks, as the error to raise.

    No user at either end of a slice, no event and no change of allocation can be taken from it, unless the search had
    to stop after ``MOST_TRIALS`` runs. If the law is not broken again in a second run, the violation stays as it is.
    """
    search = _Search(scenario, seed, violation.law, processes)
    whole = Cut(
        tuple((0, part.users) for part in scenario.slices.values()),
        tuple(range(len(scenario.events))),
        tuple(allocations),
    )
    if not search.tries(whole):
        return AuditError(violation)
    while search.improves():
        pass
    return AuditError(search.violation, search.case())


class _Search:
    """Keeps the smallest cut so far, and what it breaks."""

    def __init__(self, scenario: Scenario, seed: int, law: str, processes: Sequence[Processes]) -> None:
        self._scenario, self._seed, self._law, self._processes = scenario, seed, law, processes
        self._trials = 0
        self._best: Cut
        self.violation: Violation

    def improves(self) -> bool:
        """Whether anything more can go, everything tried once."""
        before = self._best
        for s in range(len(self._best.users)):
            self.tries(_with_users(self._best, s, (0, 0)))
        self._drop_events()
        for s in range(len(self._best.users)):
            self._narrow(s, lambda low, high, by: (low, high - by))
            self._narrow(s, lambda low, high, by: (low + by, high))
        self._calm_allocations()
        return self._best != before

    def tries(self, cut: Cut) -> bool:
        """Run a cut; if it breaks the law, it is the best so far, ended where the law was broken."""
        if self._trials >= MOST_TRIALS:
            return False
        self._trials += 1
        violation = self._broken(cut)
        if violation is None:
            return False
        period = violation.slot // self._scenario.control.slots_per_period
        self._best, self.violation = replace(cut, allocations=cut.allocations[:period]), violation
        return True

    def _broken(self, cut: Cut) -> Violation | None:
        try:
            audit_played(self._cut(cut), self._seed, cut.allocations, self._processes)
        except AuditError as error:
            return error.violation if error.violation.law == self._law else None
        except (NetsimError, ValueError):  # nobody left to leave, or a fault of another kind
            return None
        return None

    # -- ways to make it smaller -----------------------------------------------------------------------------------

    def _drop_events(self) -> None:
        for event in self._best.events:
            self.tries(replace(self._best, events=tuple(e for e in self._best.events if e != event)))

    def _narrow(self, s: int, cut: Callable[[int, int, int], tuple[int, int]]) -> None:
        """Take users away at one end, half of them, then a quarter, and so on."""
        low, high = self._best.users[s]
        by = max((high - low) // 2, 1)
        while by > 0:
            low, high = self._best.users[s]
            if high - low < by or not self.tries(_with_users(self._best, s, cut(low, high, by))):
                by //= 2

    def _calm_allocations(self) -> None:
        """Leave periods out, then hold allocations for longer."""
        for period in reversed(range(len(self._best.allocations))):
            played = self._best.allocations
            self.tries(replace(self._best, allocations=(*played[:period], *played[period + 1 :])))
        for period in range(1, len(self._best.allocations)):
            played = self._best.allocations
            if period < len(played) and played[period] != played[period - 1]:
                held = (*played[:period], played[period - 1], *played[period + 1 :])
                self.tries(replace(self._best, allocations=held))

    # -- a cut as a scenario, and as words of a command ----------------------------------------------------------------

    def _cut(self, cut: Cut) -> Scenario:
        content = self._scenario.to_dict()
        for part, (_, high) in zip(content["slices"].values(), cut.users, strict=True):
            part["users"] = high
        content["events"] = self._events(cut)
        return Scenario.from_dict(content, self._scenario.folder)

    def _events(self, cut: Cut) -> list[dict[str, Any]]:
        """Those who leave at once, then the events that stay."""
        of_scenario = self._scenario.to_dict()["events"]
        named = zip(self._scenario.slice_names, cut.users, strict=True)
        leaving = [{"at": "0 ns", "leave": {"slice": name, "users": low}} for name, (low, _) in named if low > 0]
        return [*leaving, *(of_scenario[e] for e in cut.events)]

    def case(self) -> Case:
        """The best cut as what turns the original run into it."""
        played = list(dict.fromkeys(self._best.allocations))
        turns = played if len(played) <= 1 else self._best.allocations
        text = "/".join(",".join(map(str, units)) for units in turns)
        controller = "equal" if not turns else f"fixed:{text}" if len(turns) == 1 else f"scripted:{text}"
        return Case(tuple(self._overrides()), controller, max(len(self._best.allocations), 1))

    def _overrides(self) -> Iterator[str]:
        for name, (_, high) in zip(self._scenario.slice_names, self._best.users, strict=True):
            if high != self._scenario.slices[name].users:
                yield f"slices.{name}.users={high}"
        events = self._events(self._best)
        if events != self._scenario.to_dict()["events"]:
            yield f"events={_flow(events)}"


def _with_users(cut: Cut, s: int, users: tuple[int, int]) -> Cut:
    return replace(cut, users=tuple(users if i == s else each for i, each in enumerate(cut.users)))


def _flow(value: object) -> str:
    """A value as YAML in brackets; every text in it is a plain word or a quantity."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value)
