"""What is wrong with a scenario file, and where: one class for all of its messages.

A fault reads ``file:line:col: key: rule, got value``; one of an override reads ``--set key: rule, got value``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netsim import limits
from netsim.errors import ScenarioError

MAX_FAULTS_SHOWN = 200


@dataclass(frozen=True)
class Fault:
    """One broken rule: where it is, the key, the rule, and the value as it is shown (``None`` if it says nothing)."""

    file: str
    line: int
    """Line from 1; 0 where there is none (overrides, whole files)."""
    col: int
    key: str
    rule: str
    value: str | None = None
    suggestion: str | None = None
    """What was probably meant."""

    def __str__(self) -> str:
        """The fault as one line.

        >>> print(Fault("a.yaml", 3, 8, "carrier.prb", "must be at least 1", "-3"))
        a.yaml:3:8: carrier.prb: must be at least 1, got -3
        """
        place = f"{printable(self.file)}:{self.line}:{self.col}: " if self.line else f"{self.file} ".lstrip()
        value = f", got {self.value}" if self.value is not None else ""
        suggestion = f", did you mean {shown_text(self.suggestion)}?" if self.suggestion is not None else ""
        return f"{place}{printable(self.key)}: {self.rule}{value}{suggestion}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, line and column from 1; line 0 in what did not come from a file."""

    file: str
    line: int
    col: int

    def fault(self, key: str, rule: str, value: str | None = None, suggestion: str | None = None) -> Fault:
        """A fault here."""
        return Fault(self.file, self.line, self.col, key, rule, value, suggestion)


class ScenarioFaults(ScenarioError):
    """The faults of one scenario, in the order of the file. The message has one line for each."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        """One line per fault; of very many the first ones."""
        lines = [str(fault) for fault in self.faults[:MAX_FAULTS_SHOWN]]
        hidden = len(self.faults) - len(lines)
        return "\n".join([*lines, f"and {hidden} more"] if hidden else lines)


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults by line and column, each once; those without a line come last."""
    return tuple(sorted(dict.fromkeys(faults), key=lambda f: (f.line == 0, f.line, f.col)))


# -- showing what a file says


def printable(text: str) -> str:
    """``text`` on one line, control characters escaped.

    >>> printable("a" + chr(27) + "[31m")
    'a\\\\x1b[31m'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(text: str) -> str:
    """``text`` fit for a message: escaped, and cut after ``limits.MAX_SHOWN_CHARS``."""
    cut = text[: limits.MAX_SHOWN_CHARS]
    return printable(cut) + ("…" if len(cut) < len(text) else "")


def shown_text(text: str) -> str:
    """A string in quotes, fit for a message."""
    return f"'{shortened(text)}'"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` was probably meant to be."""
    import difflib  # costs a few milliseconds, and only errors need it

    return next(iter(difflib.get_close_matches(word[: limits.MAX_SHOWN_CHARS], list(known), 1)), None)


def one_of(names: Sequence[str]) -> str:
    """The rule that only these names are possible."""
    return f"must be one of {', '.join(names)}" if len(names) > 1 else f"must be '{names[0]}'"
