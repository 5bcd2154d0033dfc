"""What a report consists of, before it is HTML: words, tables and figures with the numbers behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Cell = str | int | float | None
"""A number, a word, or nothing."""


@dataclass(frozen=True)
class Fact:
    """One figure that a reader looks for first."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table. The first column names its rows; columns in ``words`` hold text, the others numbers."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: frozenset[int] = frozenset()
    """Columns after the first that hold text."""
    layout: Literal["columns", "claims"] = "columns"
    """Columns that do not fit are scrolled sideways; claims are not, because each takes as many lines as it needs."""


@dataclass(frozen=True)
class Figure:
    """A drawing, what it shows, and its numbers."""

    name: str
    """Of the file that its numbers are downloaded as, and of its place on the page; unique on a page."""
    heading: str
    finding: str
    """What is to be seen, in a sentence with its numbers: the text for who does not see the drawing."""
    svg: str
    columns: Mapping[str, Sequence[Cell]]
    """What is drawn, by column, all of the same length."""
    about: str = ""
    """How to read it, where that needs words."""


@dataclass(frozen=True)
class Section:
    """A part of a page, with its words, then its tables, then its figures."""

    name: str
    heading: str
    words: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Document:
    """A page."""

    kind: str
    """As in "run"."""
    title: str
    lead: str = ""
    unfinished: str = ""
    """Why what is shown is not all there will be."""
    warnings: Sequence[str] = ()
    facts: Sequence[Fact] = ()
    sections: Sequence[Section] = ()
    made: Mapping[str, str] = field(default_factory=dict)
    """How it was made: command, seed, versions."""
