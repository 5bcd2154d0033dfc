"""The one form of chart that reports draw: panels above each other over one x, small enough to be read on a phone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike

from netsim.drawing import COLOURS, DASHES, MARKERS
from netsim.faults import printable
from netsim.reports.vector import DRAWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

WIDTH_IN, ALONE_IN, STRIP_IN = 4.7, 2.1, 0.85
"""Of a figure, and the height of the axes of a panel alone and of one of several."""
LEFT_IN, RIGHT_IN, BOTTOM_IN, TOP_IN = 0.8, 0.12, 0.48, 0.08
HEADING_IN, KEY_IN, X_NAME_IN = 0.23, 0.18, 0.058
"""Above each of several panels; of a line of the legend; of a letter below the axis, slanted."""
GAP_IN = 0.1
LONGEST_NAME, UPRIGHT_CHARS = 28, 3
LINE_CHARS, KEY_CHARS = 72, 7
"""What a line of the legend holds, and what the key beside a name takes of it."""
WHOLE = 5
"""Ticks of a longer axis are whole numbers."""
LARGE = 10_000
"""From here on ticks are in thousands or millions."""
MANY = 300
"""The ratio of ends from which a logarithmic axis has powers of ten enough."""
INK = "#000000"


Form = Literal["line", "steps", "points", "band"]


@dataclass(frozen=True)
class Line:
    """A curve, with the band from ``low`` to ``high`` if it has one."""

    label: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    kind: int = 0
    """Which colour and dashes."""
    form: Form = "line"
    """``points`` have bars from low to high; a ``band`` has no line."""


@dataclass(frozen=True)
class Level:
    """A value to hold a curve against, across the panel."""

    label: str
    value: float
    kind: int = 0
    """Which dashes."""
    across: bool = True
    """Along x; else upright."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    heading: str
    lines: Sequence[Line]
    levels: Sequence[Level] = ()
    y_label: str = ""
    y_range: tuple[float | None, float | None] | None = None
    x_names: Sequence[str] = ()
    """What stands at x = 0, 1, ... instead of numbers."""
    log_x: bool = False
    log_y: bool = False


def chart(panels: Sequence[Panel], x_label: str) -> Drawing:
    """Panels above each other; what lines and levels are called stands above all of them, once each."""
    alone = len(panels) == 1
    with matplotlib.rc_context(DRAWN):
        figure = Drawing(figsize=(WIDTH_IN, 1.0))
        shown = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        handles: dict[str, Any] = {}
        for axes, panel in zip(shown, panels, strict=True):
            handles |= _panel(axes, panel, alone=alone)
        shown[-1].set_xlabel(x_label)
        lines = 0
        if len(handles) > 1 or (handles and not alone):
            columns = _columns(handles)
            figure.legend(handles.values(), handles, loc="upper left", ncols=columns, borderpad=0.2, columnspacing=1.5)
            lines = -(-len(handles) // columns)
        _lay_out(figure, panels, lines)
    return figure


def _lay_out(figure: Drawing, panels: Sequence[Panel], lines: int) -> None:
    """Place the panels by what is known to stand around them, which takes a third of the time of measuring it."""
    count, longest = len(panels), max((len(name_of(name)) for name in panels[-1].x_names), default=0)
    height, heading = (ALONE_IN, 0.0) if count == 1 else (STRIP_IN, HEADING_IN)
    slanted = X_NAME_IN * longest if longest > UPRIGHT_CHARS else 0.0
    top, bottom = TOP_IN + KEY_IN * lines + heading, BOTTOM_IN + 0.6 * slanted
    left = max(LEFT_IN, slanted - 0.4 * (WIDTH_IN - LEFT_IN) / max(1, len(panels[-1].x_names)))
    whole = top + count * height + (count - 1) * (heading + GAP_IN) + bottom
    figure.set_size_inches(WIDTH_IN, whole)
    figure.subplots_adjust(
        left=left / WIDTH_IN,
        right=1 - RIGHT_IN / WIDTH_IN,
        top=1 - top / whole,
        bottom=bottom / whole,
        hspace=(heading + GAP_IN) / height,
    )


def _panel(axes: "Axes", panel: Panel, *, alone: bool) -> dict[str, Any]:
    """Draw a panel; what to say in the legend."""
    alike = len(panel.lines) == 1
    drawn = {line.label: _line(axes, line, place) for place, line in enumerate(panel.lines)}
    named = {} if alike and not alone else drawn
    levels = {level.label: _level(axes, level) for level in panel.levels}
    if panel.heading and not alone:
        axes.set_title(name_of(panel.heading), fontsize=9.5, loc="left", pad=3)
    axes.set_ylabel(panel.y_label)
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
    if panel.y_range is not None:
        axes.set_ylim(*panel.y_range)
    axes.margins(x=0.01)
    if panel.x_names:
        names = list(map(name_of, panel.x_names))
        slant: dict[str, Any] = {"rotation": 30, "ha": "right"} if max(map(len, names)) > UPRIGHT_CHARS else {}
        axes.set_xticks(range(len(names)), names, fontsize=8.5, **slant)
        axes.set_xlim(-0.5, len(names) - 0.5)
    else:
        _plainly(axes.xaxis, logarithmic=panel.log_x)
    _plainly(axes.yaxis, logarithmic=panel.log_y)
    return {name_of(label): handle for label, handle in {**named, **levels}.items() if label}


def _columns(names: Iterable[str]) -> int:
    """How many names stand beside each other."""
    widths = [len(name) + KEY_CHARS for name in names]
    return max(1, min(len(widths), LINE_CHARS // max(widths)))


def _plainly(axis: "Axis", *, logarithmic: bool) -> None:
    """Plain numbers, for no mathematical text is set here; large ones in thousands or millions."""
    low, high = axis.get_data_interval()
    if not logarithmic and high - low >= WHOLE:
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    if not logarithmic and high < LARGE:
        axis.axes.ticklabel_format(axis=axis.axis_name, style="plain", useOffset=False)  # type: ignore[attr-defined]
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, place: compact(value)))
    if logarithmic:
        few = low > 0 and high / low < MANY
        axis.set_minor_formatter(FuncFormatter(lambda value, place: compact(value) if few and _leads(value) else ""))


def _leads(value: float) -> bool:
    """Whether a number is one of those that are named between two powers of ten."""
    return f"{value:e}"[0] in "25"


def compact(value: float) -> str:
    """A number for the tick of an axis.

    >>> [compact(value) for value in (0.5, 2500.0, 20_000.0, 1_500_000.0)]
    ['0.5', '2500', '20 k', '1.5 M']
    """
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= LARGE else f"{value:g}"


def _line(axes: "Axes", line: Line, place: int) -> Any:
    colour, dashes = COLOURS[line.kind % len(COLOURS)], DASHES[place % len(DASHES)]
    if line.form == "points":
        low, high = (line.y if end is None else end for end in (line.low, line.high))
        bars = axes.vlines(line.x, low, high, color=colour, linewidth=1)
        bars.set_zorder(2)
        [drawn] = axes.plot(line.x, line.y, MARKERS[line.kind % len(MARKERS)], color=colour)
        return drawn
    step: Literal["post"] | None = "post" if line.form == "steps" else None
    if line.low is not None and line.high is not None:
        alpha = 0.3 if line.form == "band" else 0.18
        band = axes.fill_between(line.x, line.low, line.high, color=colour, alpha=alpha, linewidth=0, step=step)
        if line.form == "band":
            return band
    alone = lone_points(line.y)
    marker: dict[str, Any] = {"marker": MARKERS[0], "markevery": alone, "markersize": 2.5} if alone else {}
    form = "steps-post" if step else "default"
    [drawn] = axes.plot(line.x, line.y, color=colour, linestyle=dashes, drawstyle=form, **marker)
    return drawn


def lone_points(values: ArrayLike) -> list[int]:
    """Places of values that have none beside them, so that no line is drawn to them.

    >>> lone_points([1.0, 2.0, float("nan"), 3.0])
    [3]
    """
    there = np.pad(np.isfinite(np.asarray(values, np.float64)), 1)
    return np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:]).tolist()


def _level(axes: "Axes", level: Level) -> Any:
    draw = axes.axhline if level.across else axes.axvline
    return draw(level.value, color=INK, linestyle=DASHES[(level.kind + 1) % len(DASHES)], linewidth=1)


def below_one(shares: ArrayLike) -> tuple[float, float]:
    """The range of an axis for shares, down to the lowest of them, and over a hundredth at least."""
    least = float(np.nanmin(np.asarray(shares, np.float64), initial=0.99))
    return least - 0.06 * (1 - least), 1 + 0.06 * (1 - least)


def from_zero(counts: ArrayLike) -> tuple[float, float]:
    """The range of an axis for counts, up to the highest of them, and to one at least."""
    most = float(np.nanmax(np.asarray(counts, np.float64), initial=1.0))
    return 0.0, 1.05 * most


def name_of(text: str) -> str:
    """A foreign name fit for a drawing: on one line, not too long, and not begun as names that legends leave out.

    >>> name_of("_x"), name_of("a" * 40)
    (' _x', 'aaaaaaaaaaaaaaaaaaaaaaaaaaa…')
    """
    text = printable(text)
    text = f" {text}" if text.startswith("_") else text
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
