"""A seeded bug: one fault as it was made somewhere, put into netsim."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from tests.gallery.patching import put_in_place, replaced, source_of

PUBLIC = "public slicing environments"
"""Environments for learning to slice that others build on."""
SIMULATORS = "home-made slot simulators"
METRICS = "scripts that evaluate traces"


@dataclass(frozen=True)
class Bug:
    """A change of netsim, and the tests that notice it."""

    name: str
    origin: str
    module: str
    edits: tuple[tuple[str, str], ...]
    """Snippets of the module, each of which occurs exactly once, and what takes their places."""
    breaks: tuple[str, ...]
    """Ids of what it breaks; at least one is named by a test that notices it."""
    tests: tuple[str, ...]
    """Tests that notice it, at least two: the name of a function, after its file's below ``tests``."""

    def put_in_place(self) -> None:
        """Make netsim run with the bug.

        Raises
        ------
        PatchError
            It does not fit the source.
        """
        put_in_place(self.module, self.changed_source())

    def changed_source(self) -> str:
        """The module's text with the bug.

        Raises
        ------
        PatchError
            A snippet does not occur exactly once.
        """
        text = source_of(self.module)
        for before, after in self.edits:
            text = replaced(text, before, after)
        return text


def ids_in(text: str) -> set[str]:
    """The ids that a text names: ``invariant 7`` for each number of "Invariants 1 and 7", and those like ``QT-01``.

    >>> sorted(ids_in("Invariants 1, 4 and 7 hold, as do TR-01 and relation 17."))
    ['TR-01', 'invariant 1', 'invariant 17', 'invariant 4', 'invariant 7']
    """
    numbered = re.findall(r"(?i)\b(?:invariant|relation)s?\s+(\d+(?:(?:,\s*|\s+and\s+|,\s+and\s+)\d+)*)", text)
    numbers = chain.from_iterable(re.findall(r"\d+", found) for found in numbered)
    return {f"invariant {number}" for number in numbers} | set(re.findall(r"\b[A-Z]{2}-\d\d\b", text))


def named(bugs: Sequence[Bug], names: Sequence[str]) -> list[Bug]:
    """The bugs of these names, all of them where none is given."""
    return [bug for bug in bugs if not names or bug.name in names]
