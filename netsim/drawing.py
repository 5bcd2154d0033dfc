"""What figures for print have in common: SVG and PNG, the same bytes for the same numbers, colours for every eye."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
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
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def series_style(k: int) -> dict[str, Any]:
    """Colour, dashes and marker of the k-th of some series, told apart without colour too.

    >>> series_style(1)
    {'color': '#D55E00', 'linestyle': '--', 'marker': 's'}
    """
    of_each = {"color": COLOURS, "linestyle": DASHES, "marker": MARKERS}
    return {name: values[k % len(values)] for name, values in of_each.items()}


def write(figure: "Figure", folder: Path, name: str, *, png: bool = True) -> None:
    """Write a figure drawn in ``STYLE`` as ``name.svg``, and unless not asked for as ``name.png``."""
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    if png:
        figure.savefig(folder / f"{name}.png", dpi=200, metadata={"Software": None})
