"""Drawings as SVG that belongs into a page: its colours are the page's, its text the reader's, its names its own."""

import io
import re
import warnings
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import matplotlib

from netsim.drawing import COLOURS, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN: dict[Any, Any] = {**STYLE, "text.parse_math": False, "font.size": 9.5, "legend.fontsize": 8.5}
"""The style of drawings on pages; a foreign name may hold a dollar."""
PAPER = "#ffffff"
PAINT = {**{colour.lower(): str(k) for k, colour in enumerate(COLOURS, 1)}, STYLE["grid.color"]: "grid"}
"""Colours of drawings, and the classes of page.css that stand in their place; black is the colour of the text."""
KEPT = frozenset(
    [
        *("fill-opacity", "font-size", "opacity", "text-anchor"),
        *(f"stroke-{part}" for part in ("dasharray", "linecap", "linejoin", "opacity", "width")),
    ]
)
"""What stays of the style of an element, as attributes: a page whose styles are named by their digest allows none."""
_NUMBER = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline(figure: "Figure", name: str, title: str, description: str) -> str:
    """A figure as an ``svg`` element.

    Parameters
    ----------
    name
        Unique on the page: names within the drawing begin with it.
    title, description
        What is read out in place of the drawing.
    """
    root = ElementTree.fromstring(_saved(figure))
    for element in list(root.iter()):
        _prune(element)
    used = _references(root)
    for element in root.iter():
        _belong(element, name, used)
    width, height = root.get("viewBox", "0 0 1 1").split()[2:]
    root.attrib.clear()
    root.attrib |= {"viewBox": f"0 0 {width} {height}", "role": "img"}
    root.attrib["aria-labelledby"] = f"{name}-title {name}-description"
    for place, (kind, text) in enumerate((("title", title), ("desc", description))):
        told = ElementTree.Element(kind, id=f"{name}-{'description' if place else 'title'}")
        told.text = text
        root.insert(place, told)
    return ElementTree.tostring(root, encoding="unicode")


def _saved(figure: "Figure") -> str:
    content = io.StringIO()
    with matplotlib.rc_context(DRAWN), warnings.catch_warnings():
        # Measured in matplotlib's own font, shown in the reader's, which may well have the letter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _prune(element: ElementTree.Element) -> None:
    """Take out what says how the file was made, and the paper."""
    for child in list(element):
        tag = _local(child.tag)
        if tag in ("metadata", "style") or f"fill: {PAPER}" in child.get("style", ""):
            element.remove(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _references(root: ElementTree.Element) -> set[str]:
    """Names that are referred to within the drawing."""
    values = [value for element in root.iter() for value in element.attrib.values()]
    urls = [match[1] for value in values if (match := _REFERENCE.fullmatch(value))]
    return {*urls, *(value[1:] for value in values if value.startswith("#"))}


def _belong(element: ElementTree.Element, name: str, used: set[str]) -> None:
    """Write an element as one of the page: no namespace, names of its own, classes for colours."""
    old = dict(element.attrib)
    element.tag, element.text, element.tail = _local(element.tag), (element.text or "").strip(), None
    element.attrib.clear()
    for key, value in old.items():
        key = _local(key)
        if key == "id" and value in used:
            element.set("id", f"{name}-{value}")
        elif key == "href":
            element.set("href", f"#{name}-{value[1:]}")
        elif key == "d":
            element.set("d", _rounded(" ".join(value.split())))
        elif key == "clip-path":
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))
        elif key not in ("id", "style"):
            element.set(key, _rounded(value))
    _dress(element, old.get("style", ""))


def _dress(element: ElementTree.Element, style: str) -> None:
    parts = dict(part.strip().split(": ", 1) for part in style.split(";") if part.strip())
    classes = []
    for paint in ("fill", "stroke"):
        if (colour := parts.get(paint)) == "none":
            element.set(paint, "none")
        elif colour is not None:
            classes.append(f"{paint[0]}-{PAINT[colour]}")
    if classes:
        element.set("class", " ".join(classes))
    for key in sorted(KEPT & parts.keys()):
        element.set(key, parts[key])


def _rounded(value: str) -> str:
    """Numbers to a hundredth of a point."""
    return _NUMBER.sub(lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), value)
