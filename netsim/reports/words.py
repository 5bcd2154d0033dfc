"""Numbers as people read them."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def share(value: float | None) -> str:
    """A share, with enough digits to tell it from 1.

    >>> share(0.5), share(0.99987), share(1.0), share(None), share(float("nan"))
    ('0.5000', '0.9999', '1.0000', '-', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"


def percent(value: float) -> str:
    """A share as a percentage, rounded away from a hundred as long as something is missing from it.

    >>> percent(0.9698), percent(1.0), percent(0.99999)
    ('97.0 %', '100 %', '99.99 %')
    """
    for digits in (1, 2):
        if f"{100 * value:.{digits}f}" != f"{100:.{digits}f}":
            return f"{100 * value:.{digits}f} %"
    return "100 %" if value >= 1 else "99.99 %"


def significant(value: float | None, digits: int = 4) -> str:
    """A number of any size.

    >>> significant(0.012345), significant(123456.0), significant(None)
    ('0.01235', '123,456', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def listed(parts: Iterable[str]) -> str:
    """Parts in one line, as in "a, b and c".

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *before, last = parts
    return f"{', '.join(before)} and {last}" if before else last


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Values of nested mappings by their dotted names.

    >>> list(flat({"a": 1, "b": {"c": None}}))
    [('a', '1'), ('b.c', '-')]
    """
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from flat(each, f"{name}.{key}".lstrip("."))
    else:
        yield name, "-" if value is None else str(value)


def slug(text: str) -> str:
    """A name for files and places, made of a foreign one.

    >>> slug("<b> & co")
    'b-co'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "x"
