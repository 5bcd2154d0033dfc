"""The one form of chart that reports draw: panels above each other over one x, small enough to be read on a phone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from netsim.drawing import COLOURS, DASHES, MARKERS
from netsim.faults import printable
from netsim.reports.vector import DRAWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

WIDTH_IN, ALONE_IN, STRIP_IN = 4.7, 2.9, 1.3
LONGEST_NAME = 28
LINE_CHARS, KEY_CHARS = 76, 7
"""What a line of the legend holds, and what the key beside a name takes of it."""
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
    height = ALONE_IN if len(panels) == 1 else 0.55 + STRIP_IN * len(panels)
    with matplotlib.rc_context(DRAWN):
        figure = Drawing(figsize=(WIDTH_IN, height), layout="constrained")
        shown = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        handles: dict[str, Any] = {}
        alone = len(panels) == 1
        for axes, panel in zip(shown, panels, strict=True):
            handles |= _panel(axes, panel, alone=alone)
        shown[-1].set_xlabel(x_label)
        if len(handles) > 1 or (handles and not alone):
            figure.legend(handles.values(), handles, loc="outside upper left", ncols=_columns(handles))
    return figure


def _panel(axes: "Axes", panel: Panel, *, alone: bool) -> dict[str, Any]:
    """Draw a panel; what to say in the legend."""
    alike = len(panel.lines) == 1
    drawn = {line.label: _line(axes, line, place) for place, line in enumerate(panel.lines)}
    named = {} if alike and not alone else drawn
    levels = {level.label: _level(axes, level) for level in panel.levels}
    if panel.heading and not alone:
        axes.set_title(name_of(panel.heading), fontsize=9, loc="left", pad=3)
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
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
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
    if logarithmic or high >= LARGE:
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
    [drawn] = axes.plot(line.x, line.y, color=colour, linestyle=dashes, drawstyle="steps-post" if step else "default")
    return drawn


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
