"""Figures of a twin's fidelity, as SVG and PNG, the same bytes for the same figures.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; marks and lines differ too, for print.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from numpy.typing import ArrayLike

from netsim.errors import InputError
from netsim.statistics import Figure
from twin.fidelity import Fidelity
from twin.scores import WITHIN

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
STYLES = (
    (BLACK, "o", "-"),
    (BLUE, "s", "--"),
    (VERMILION, "^", "-."),
    (GREEN, "D", ":"),
    (PURPLE, "v", "-"),
    (ORANGE, "P", "--"),
    (SKY, "X", "-."),
)
"""Colour, mark and line of each series in turn."""
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "slicetwin",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.markersize": 4,
}


def draw(found: Fidelity, folder: Path) -> list[Path]:
    """Write all figures into a folder that is there; their paths.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    try:
        return [path for name, onto in FIGURES.items() for path in write(folder / name, onto, found)]
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None


def write(stem: Path, onto: Callable[[Axes, Fidelity], None], found: Fidelity) -> tuple[Path, Path]:
    """Draw one of ``FIGURES`` into a file of each kind."""
    with matplotlib.rc_context(SETTINGS):
        drawing = Drawing(figsize=(4.6, 3.6), layout="constrained")
        FigureCanvasAgg(drawing)
        onto(drawing.subplots(), found)
        svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
        drawing.savefig(svg, metadata={"Date": None})
        drawing.savefig(png, dpi=200, metadata={"Software": None})
    return svg, png


def predicted(axes: Axes, found: Fidelity) -> None:
    """U one period ahead, foretold and measured."""
    said, was = found.foretold
    axes.scatter(said, was, s=5, color=BLUE, alpha=0.35, linewidths=0, rasterized=True)
    ends = [min(said.min(), was.min()), max(said.max(), was.max())]
    axes.plot(ends, ends, color=BLACK, linewidth=1)
    axes.set_xlabel("U that the twin expects")
    axes.set_ylabel("U of the simulator")
    skill = found.scores["utility"].mean
    axes.set_title(f"One period ahead, {len(was)} periods" + ("" if skill is None else f", skill {skill:.3f}"))


def calibration(axes: Axes, found: Fidelity) -> None:
    """What intervals hold against what they should."""
    axes.plot([0, 100], [0, 100], color="0.5", linewidth=1)
    for (name, each), style in zip(found.calibration.items(), _styles(), strict=False):
        _series(axes, 100 * WITHIN, [figure.scaled(100.0) for figure in each.coverage], label(name), style)
    axes.set_xlabel("share that the interval should hold, %")
    axes.set_ylabel("share that it holds, %")
    axes.set_title("Coverage, one period ahead")
    axes.legend()


def growth(axes: Axes, found: Fidelity) -> None:
    """Errors by periods ahead, against how much the figure varies."""
    steps = list(found.errors)
    names = [name for name in found.errors[steps[0]] if _varies(found, name)]
    for name, style in zip(names, _styles(), strict=False):
        _series(axes, steps, [_relative(found.errors[k][name].skill) for k in steps], label(name), style)
    axes.axhline(1.0, color="0.5", linewidth=1)
    axes.set_xlabel("periods ahead")
    axes.set_ylabel("mean squared error / variance")
    axes.set_ylim(bottom=0.0)
    axes.set_xticks(steps)
    axes.set_title("Errors along roll-outs; 1: as good as the mean")
    axes.legend()


def compared(axes: Axes, found: Fidelity) -> None:
    """U of allocations, as the twin has it and as it is."""
    control = found.control
    near = ~control.uniform
    axes.scatter(
        control.said[~near],
        control.measured[~near],
        s=14,
        marker="o",
        color=BLUE,
        linewidths=0,
        label="drawn uniformly",
    )
    if near.any():
        axes.scatter(
            control.said[near],
            control.measured[near],
            s=14,
            marker="x",
            color=ORANGE,
            linewidths=1,
            label="near the best",
        )
    _marked(axes, found, control.best_static, "*", f"best static {_written_out(control.best_static)}", VERMILION)
    _marked(axes, found, control.twin_best, "D", f"twin's best {_written_out(control.twin_best)}", BLACK)
    axes.set_xlabel("U that the twin expects")
    axes.set_ylabel("mean U of the simulator")
    rank = control.rank_correlation.mean
    axes.set_title(f"{len(control.said)} allocations" + ("" if rank is None else f", rank correlation {rank:.3f}"))
    axes.legend()


def _marked(axes: Axes, found: Fidelity, allocation: tuple[int, ...], mark: str, text: str, colour: str) -> None:
    [place] = np.flatnonzero((found.control.table == allocation).all(axis=1))
    at = found.control.said[place], found.control.measured[place]
    size = 10 if mark == "*" else 8
    axes.plot(*at, mark, color=colour, markerfacecolor="none", markersize=size, label=text, linestyle="none")


def _written_out(allocation: tuple[int, ...]) -> str:
    return ",".join(map(str, allocation))


def _styles() -> Iterable[tuple[str, str, str]]:
    while True:
        yield from STYLES


def _series(axes: Axes, x: ArrayLike, figures: Iterable[Figure], name: str, style: tuple[str, str, str]) -> None:
    """A line with its 95 % intervals."""
    colour, mark, line = style
    means, ends = zip(
        *((figure.mean or 0.0, figure.ci95 or (figure.mean or 0.0,) * 2) for figure in figures), strict=True
    )
    axes.errorbar(
        np.asarray(x),
        np.array(means),
        yerr=np.abs(np.transpose(ends) - np.array(means)),
        color=colour,
        marker=mark,
        linestyle=line,
        linewidth=1,
        elinewidth=0.8,
        capsize=2,
        markerfacecolor="none",
        label=name,
    )


def _varies(found: Fidelity, name: str) -> bool:
    return all(errors[name].skill.mean is not None for errors in found.errors.values())


def _relative(skill: Figure) -> Figure:
    """Squared error over variance from skill."""
    ends = skill.ci95 and (1.0 - skill.ci95[1], 1.0 - skill.ci95[0])
    return Figure(None if skill.mean is None else 1.0 - skill.mean, ends)


def label(name: str) -> str:
    """What a figure is called.

    >>> label("utility"), label("state.video")
    ('U', 'arrivals video')
    """
    what, _, of = name.partition(".")
    return f"{ {'utility': 'U', 'state': 'arrivals', 'ssr': 'SSR'}[what] } {of}".rstrip()


FIGURES: Mapping[str, Callable[[Axes, Fidelity], None]] = {
    "predicted": predicted,
    "calibration": calibration,
    "growth": growth,
    "allocations": compared,
}
"""By the names of their files."""
