"""Figures for print: SVG and PNG, the same bytes for the same numbers, told apart without colour."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim.errors import InputError
from netsim.files import to_json, write_atomic
from rl.greedy import mean_over_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Of Okabe and Ito (2008), told apart by eyes of every kind."""
DASHES = ("-", "--", ":", "-.")
MARKERS = ("", "o", "s", "^", "v", "D", "x", "+")
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


class Band(NamedTuple):
    """A curve with its 95 % interval over seeds, each of shape ``(points,)``."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def over_seeds(cls, curves: ArrayLike) -> "Band":
        """The mean of curves of shape ``(seeds, points)`` with Student's interval; of a single one the curve alone."""
        figures = [mean_over_seeds(column) for column in np.asarray(curves, np.float64).T]
        means = np.array([figure.mean for figure in figures])
        ends = np.array([figure.ci95 or (figure.mean, figure.mean) for figure in figures]).T
        return cls(means, *ends)

    def to_dict(self) -> dict[str, list[float]]:
        """For JSON."""
        return {name: values.tolist() for name, values in self._asdict().items()}

    def draw(self, axes: "Axes", x: ArrayLike, **style: Any) -> None:
        """Draw it over x."""
        axes.plot(x, self.mean, **style)
        axes.fill_between(x, self.low, self.high, color=style["color"], alpha=0.15, linewidth=0)


def panels(rows: int, columns: int, width_in: float = 7.0, height_in: float = 2.8) -> "tuple[Figure, Any]":
    """A figure and its axes, shape ``(rows, columns)``; ``height_in`` is that of a row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def frame(axes: "Axes", curves: Iterable[ArrayLike]) -> None:
    """Show the curves; intervals that are wider, as those of few seeds, are cut off by the frame."""
    values = np.concatenate([np.ravel(curve) for curve in curves])
    low, high = float(values.min()), float(values.max())
    margin = 0.15 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_ylim(low - margin, high + margin)


def keep(folder: Path, name: str, draw: "Callable[[Any], Figure]", numbers: Any) -> list[str]:
    """Draw numbers, and write ``name.svg``, ``name.png`` and ``name.json``; their names.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    import matplotlib

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context(STYLE):
            figure = draw(numbers)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            figure.savefig(folder / f"{name}.png", dpi=200, metadata={"Software": None})
        write_atomic(folder / f"{name}.json", to_json(numbers))
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    return [f"{name}.{form}" for form in ("svg", "png", "json")]


def refuse_existing(folder: Path, names: list[str], force: bool) -> None:
    """Refuse to write over figures.

    Raises
    ------
    InputError
        Some are there, and ``force`` is not given.
    """
    there = [f"{name}.json" for name in names if (folder / f"{name}.json").exists()]
    if there and not force:
        raise InputError(f"{folder} has {', '.join(there)} already; give another folder, or --force to replace it")
