"""A document as one HTML file that asks for nothing else: styles inline, numbers as links that hold them."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

import netsim
from netsim.reports.document import Cell, Document

if TYPE_CHECKING:
    import jinja2

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def rendered(document: Document, live_script: str = "") -> str:
    """The page of a document."""
    style = _template_file("page.css")
    return (
        _templates()
        .get_template("page.html")
        .render(
            document=document,
            style=style,
            live_script=live_script,
            policy=policy(style, live_script),
            version=netsim.__version__,
        )
    )


def policy(style: str, live_script: str) -> str:
    """The content security policy of a page: its own style and script by their digests, and nothing else."""
    rules = ["default-src 'none'", f"style-src {_digest(style)}", "img-src data:", "base-uri 'none'"]
    if live_script:
        rules += [f"script-src {_digest(live_script)}", "connect-src 'self'"]
    return "; ".join([*rules, "form-action 'none'"])


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def csv_link(columns: Mapping[str, Sequence[Cell]]) -> str:
    """A ``data:`` link that holds columns as CSV (RFC 4180, but for the ends of lines).

    >>> csv_link({"period": [1, 2], "U": [3.5, None]})
    'data:text/csv;charset=utf-8,period,U%0A1,3.5%0A2,%0A'
    """
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    text = "".join(",".join(map(csv_cell, line)) + "\n" for line in lines)
    return "data:text/csv;charset=utf-8," + quote(text, safe=",+:;/()")


def csv_cell(value: Cell) -> str:
    """A value for a spreadsheet, which must not take a foreign name for a formula.

    >>> [csv_cell(value) for value in (0.1, None, "=1+1", "a,b")]
    ['0.1', '', "'=1+1", '"a,b"']
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    text = f"'{value}" if value.startswith(FORMULA) else value
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text


@cache
def _templates() -> "jinja2.Environment":
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["csv_link"] = csv_link
    return made


def _template_file(name: str) -> str:
    return (files("netsim.reports") / "templates" / name).read_text(encoding="utf-8")
