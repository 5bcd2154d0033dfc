"""Figures for print: SVG and PNG, the same bytes for the same numbers, told apart without colour."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim.drawing import STYLE, write
from netsim.errors import InputError
from netsim.files import to_json, write_atomic
from rl.greedy import mean_over_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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

    @classmethod
    def from_dict(cls, kept: Mapping[str, Sequence[float]]) -> "Band":
        """What :meth:`to_dict` gave, among other things or alone."""
        return cls(*(np.array(kept[name]) for name in cls._fields))

    def draw(self, axes: "Axes", x: ArrayLike, label: str, style: Mapping[str, Any]) -> None:
        """Draw it over x in a style of :func:`netsim.drawing.series_style`."""
        axes.plot(x, self.mean, label=label, **style)
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


def keep(
    folder: Path, name: str, numbers: Any, drawings: "Mapping[str, Callable[[], Figure]]", force: bool = False
) -> list[str]:
    """Write numbers as ``name.json`` and every drawing of them as SVG and PNG; the files' names.

    Raises
    ------
    InputError
        The folder cannot be written, or has such numbers already and ``force`` is not given.
    """
    import matplotlib

    refuse_existing(folder, name, force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / f"{name}.json", to_json(numbers))
        with matplotlib.rc_context(STYLE):
            for drawing, draw in drawings.items():
                write(draw(), folder, drawing)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    return [f"{name}.json", *(f"{drawing}.{form}" for drawing in drawings for form in ("svg", "png"))]


def refuse_existing(folder: Path, name: str, force: bool) -> None:
    """Refuse to write over figures.

    Raises
    ------
    InputError
        Some are there, and ``force`` is not given.
    """
    path = folder / f"{name}.json"
    if path.exists() and not force:
        raise InputError(f"{path} is there already; give another folder, or --force to replace it")
