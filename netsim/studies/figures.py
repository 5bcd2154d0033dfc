"""Figures for print: SVG and PNG, the same bytes for the same numbers, told apart without colour."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsim.drawing import STYLE, series_style, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_IN, COLUMNS = (3.1, 2.5), 3
LEGEND_LINE_IN = 0.17
LEDGER_IN, CHARS_PER_IN = 5.6, 12
LEDGER = ("real_interactions", "imagined_transitions", "gradient_steps")

Groups = Mapping[str, Mapping[str, Any]]


def save(shown: Mapping[str, Any], groups: Groups, folder: Path, *, png: bool = True) -> None:
    """Draw a figure of ``study.json`` into a folder, as SVG and unless not asked for as PNG."""
    import matplotlib

    with matplotlib.rc_context({**STYLE, "lines.markersize": 4}):
        figure = drawn(shown, groups)
        write(figure, folder, shown["figure"], png=png)


def drawn(shown: Mapping[str, Any], groups: Groups) -> "Figure":
    """A panel for each combination of the figure's axes; below them what each group spent."""
    from matplotlib.figure import Figure

    panels, ledger = shown["panels"], _ledger(shown, groups)
    columns = min(COLUMNS, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    below = 0.24 * (len(ledger) + 1) if ledger else 0.0
    named = [len(panel["groups"]) for panel in panels] if shown["kind"] == "curves" else []
    panel_in = PANEL_IN[1] + LEGEND_LINE_IN * -(-max(named, default=0) // 2)
    width = max(PANEL_IN[0] * columns + 0.6, LEDGER_IN if ledger else 0.0)
    figure = Figure(figsize=(width, panel_in * rows + below + 0.4), layout="constrained")
    heights = [panel_in] * rows + ([below] if ledger else [])
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    for k, panel in enumerate(panels):
        axes = figure.add_subplot(grid[k // columns, k % columns])
        _panel(axes, panel, shown)
    if ledger:
        _table(figure.add_subplot(grid[-1, :]), ledger)
    if shown["title"]:
        figure.suptitle(textwrap.fill(shown["title"], int(width * CHARS_PER_IN)), fontsize=10)
    return figure


def _panel(axes: "Axes", panel: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    draw = _curve if shown["kind"] == "curves" else _point
    for k, (name, group) in enumerate(panel["groups"].items()):
        if group is not None:
            draw(axes, k, name, group)
    if shown["kind"] == "points":
        names = list(panel["groups"])
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=7.5)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif axes.lines:
        _legend(axes)
    axes.set_title(panel["heading"], fontsize=9)
    axes.set_ylabel(shown["y_label"])
    if shown["x_label"]:
        axes.set_xlabel(shown["x_label"])


def _legend(axes: "Axes") -> None:
    """Below the panel, where it hides no curve."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, borderaxespad=0.0, columnspacing=1.0)


def _curve(axes: "Axes", k: int, name: str, curve: Mapping[str, Any]) -> None:
    """A group's interquartile mean with its band; marks stand where those of other groups do not."""
    style, every = series_style(k), max(1, len(curve["x"]) // 6)
    axes.plot(curve["x"], curve["iqm"], markevery=(k % every, every), label=f"{name} ({curve['runs']})", **style)
    if "low" in curve:
        axes.fill_between(curve["x"], curve["low"], curve["high"], color=style["color"], alpha=0.15, linewidth=0)


def _point(axes: "Axes", k: int, name: str, group: Mapping[str, Any]) -> None:
    """A group's interquartile mean with its interval, and its runs as small dots beside it."""
    low, high = group["ci95"] or (group["iqm"], group["iqm"])
    arms = [[max(0.0, group["iqm"] - low)], [max(0.0, high - group["iqm"])]]
    style = {**series_style(k), "linestyle": "none"}
    axes.errorbar([k], [group["iqm"]], yerr=arms, capsize=3, label=name, **style)
    axes.plot([k + 0.18] * len(group["values"]), group["values"], ".", color=style["color"], markersize=2.5, alpha=0.6)


def _ledger(shown: Mapping[str, Any], groups: Groups) -> list[Sequence[str]]:
    """A line for each group of the figure: its name, what a run spent of each kind, and its seconds."""
    if not shown["ledger"]:
        return []
    names = dict.fromkeys(name for panel in shown["panels"] for name in panel["groups"])
    return [(name, *_spent(groups[name])) for name in names]


def _spent(group: Mapping[str, Any]) -> list[str]:
    counts = [f"{group['ledger'][kind]:,.0f}" if kind in group["ledger"] else "" for kind in LEDGER]
    return [*counts, "" if group["seconds"] is None else f"{group['seconds']:,.0f}"]


def _table(axes: "Axes", lines: Sequence[Sequence[str]]) -> None:
    axes.axis("off")
    headings = ["a run of", *(kind.replace("_", " ") for kind in LEDGER), "seconds"]
    table = axes.table([list(line) for line in lines], colLabels=headings, loc="center", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(7.5)
    table.auto_set_column_width(range(len(headings)))
