"""Figures for print: SVG and PNG, the same bytes for the same numbers, told apart without colour."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito (2008), told apart by eyes of every kind."""
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "v", "D", "P", "x")
STYLE: Any = {
    "svg.hashsalt": "slicetwin",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}
PANEL_IN, COLUMNS = (3.1, 2.5), 3
LEDGER = ("real_interactions", "imagined_transitions", "gradient_steps")

Groups = Mapping[str, Mapping[str, Any]]


def save(shown: Mapping[str, Any], groups: Groups, folder: Path, *, png: bool = True) -> None:
    """Draw a figure of ``study.json`` into a folder, as SVG and unless not asked for as PNG."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure = drawn(shown, groups)
        figure.savefig(folder / f"{shown['figure']}.svg", metadata={"Date": None})
        if png:
            figure.savefig(folder / f"{shown['figure']}.png", dpi=200, metadata={"Software": None})


def drawn(shown: Mapping[str, Any], groups: Groups) -> "Figure":
    """A panel for each combination of the figure's axes; below them what each group spent."""
    from matplotlib.figure import Figure

    panels, ledger = shown["panels"], _ledger(shown, groups)
    columns = min(COLUMNS, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    below = 0.24 * (len(ledger) + 1) if ledger else 0.0
    figure = Figure(figsize=(PANEL_IN[0] * columns + 0.6, PANEL_IN[1] * rows + below + 0.3), layout="constrained")
    heights = [PANEL_IN[1]] * rows + ([below] if ledger else [])
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    for k, panel in enumerate(panels):
        axes = figure.add_subplot(grid[k // columns, k % columns])
        _panel(axes, panel, shown)
    if ledger:
        _table(figure.add_subplot(grid[-1, :]), ledger)
    if shown["title"]:
        figure.suptitle(shown["title"], fontsize=10)
    return figure


def _panel(axes: "Axes", panel: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    there = {name: each for name, each in panel["groups"].items() if each is not None}
    (_curves if shown["kind"] == "curves" else _points)(axes, there)
    axes.set_title(panel["heading"], fontsize=9)
    axes.set_ylabel(shown["y_label"])
    if shown["x_label"]:
        axes.set_xlabel(shown["x_label"])


def _curves(axes: "Axes", groups: Groups) -> None:
    for k, (name, curve) in enumerate(groups.items()):
        style: dict[str, Any] = {"color": COLOURS[k % len(COLOURS)], "linestyle": DASHES[k % len(DASHES)]}
        every = max(1, len(curve["x"]) // 6)
        marks: dict[str, Any] = {"marker": MARKERS[k % len(MARKERS)], "markevery": (k * every // len(groups), every)}
        axes.plot(curve["x"], curve["iqm"], label=f"{name} ({curve['runs']})", **style, **marks)
        if "low" in curve:
            axes.fill_between(curve["x"], curve["low"], curve["high"], color=style["color"], alpha=0.15, linewidth=0)
    if groups:
        axes.legend()


def _points(axes: "Axes", groups: Groups) -> None:
    """Each group's interquartile mean with its interval, and its runs as small dots beside it."""
    for k, each in enumerate(groups.values()):
        low, high = each["ci95"] or (each["iqm"], each["iqm"])
        arms = [[max(0.0, each["iqm"] - low)], [max(0.0, high - each["iqm"])]]
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        axes.errorbar([k], [each["iqm"]], yerr=arms, color=colour, marker=marker, capsize=3, linestyle="none")
        axes.plot([k + 0.18] * len(each["values"]), each["values"], ".", color=colour, markersize=2.5, alpha=0.6)
    axes.set_xticks(range(len(groups)), list(groups), rotation=30, ha="right", fontsize=7.5)
    axes.set_xlim(-0.5, max(0.5, len(groups) - 0.5))


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
