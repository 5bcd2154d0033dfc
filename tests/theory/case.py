"""A case of the catalogue: a claim, its figures sound and under each fault, and what stands for the faults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from tests.theory.acceptance import Check
from tests.theory.faults import Fault

NOT_HERE = "does not apply: "
Results = Mapping[Fault | None, list[Check]]
"""The checks of a case, sound and under each fault that can be put to it."""


@dataclass(frozen=True)
class Case:
    """One line of the catalogue, or one of several ways to realise it."""

    id: str
    title: str
    examine: Callable[[], Results]
    stands_for: Mapping[Fault, str] = field(default_factory=dict, hash=False)
    """What a fault is where there is no slot, capacity or packet; or, after ``NOT_HERE``, why it cannot be put."""

    @property
    def planted(self) -> frozenset[Fault]:
        """The faults that can be put to it."""
        excused = {fault for fault, reason in self.stands_for.items() if reason.startswith(NOT_HERE)}
        return frozenset(Fault) - excused

    def __str__(self) -> str:
        return f"{self.id}: {self.title}"

    def results(self) -> Results:
        """The checks, computed once a process."""
        return _results(self)


@cache
def _results(case: Case) -> Results:
    return case.examine()
