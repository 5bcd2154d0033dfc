"""A figure from its panels: the drawing, and beside it the very numbers that are drawn."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from netsim.reports.charts import Line, Panel, chart
from netsim.reports.document import Cell, Figure
from netsim.reports.thinning import plain
from netsim.reports.vector import inline

HEADINGS = ("panel", "series", "value", "low", "high")


def figure(name: str, heading: str, finding: str, panels: Sequence[Panel], x_label: str, about: str = "") -> Figure:
    """A figure for a page; ``name`` is unique on it, ``finding`` says what is to be seen."""
    drawn = inline(chart(panels, x_label), f"figure-{name}", heading, finding)
    return Figure(name, heading, finding, drawn, numbers(panels, x_label), about)


def numbers(panels: Sequence[Panel], x_label: str) -> dict[str, list[Cell]]:
    """What panels show, a row for each point: its panel, its curve, x, the value, and the ends of its band."""
    rows = [row for panel in panels for row in _rows(panel)]
    columns = zip(*rows, strict=True) if rows else [()] * 6
    panel, series, x, *values = map(list, columns)
    return {"panel": panel, "series": series, x_label: x, **dict(zip(HEADINGS[2:], values, strict=True))}


def _rows(panel: Panel) -> Iterator[tuple[Cell, ...]]:
    for line in panel.lines:
        middle = _column(None if line.form == "band" else line.y, line)
        columns = (plain(line.x), middle, _column(line.low, line), _column(line.high, line))
        yield from ((panel.heading, line.label, *row) for row in zip(*columns, strict=True))
    for level in panel.levels:
        place: tuple[Cell, Cell] = (None, level.value) if level.across else (level.value, None)
        yield panel.heading, level.label, *place, None, None


def _column(values: ArrayLike | None, line: Line) -> Sequence[Cell]:
    return [None] * len(np.asarray(line.x)) if values is None else plain(values)
