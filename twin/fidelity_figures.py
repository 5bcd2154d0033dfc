"""Figures of a twin's fidelity."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from numpy.typing import ArrayLike

from netsim.drawing import COLOURS, series_style
from netsim.statistics import Figure
from rl.figures import panels
from twin.fidelity import Fidelity
from twin.scores import WITHIN

SAID, BEST, THOUGHT, NEAR = COLOURS[:4]
MARK = "#000000"
"""Of lines to compare with."""


def drawings(found: Fidelity) -> dict[str, Callable[[], Drawing]]:
    """What draws each figure, by the names of their files."""
    return {name: partial(_drawn, onto, found) for name, onto in FIGURES.items()}


def _drawn(onto: Callable[[Axes, Fidelity], None], found: Fidelity) -> Drawing:
    figure, [[axes]] = panels(1, 1, width_in=4.6, height_in=3.6)
    onto(axes, found)
    return figure


def predicted(axes: Axes, found: Fidelity) -> None:
    """U one period ahead, foretold and measured."""
    said, was = found.foretold
    axes.scatter(said, was, s=5, color=SAID, alpha=0.35, linewidths=0, rasterized=True)
    ends = [min(said.min(), was.min()), max(said.max(), was.max())]
    axes.plot(ends, ends, color=MARK, linewidth=1)
    axes.set_xlabel("U that the twin expects")
    axes.set_ylabel("U of the simulator")
    skill = found.scores["utility"].mean
    axes.set_title(f"One period ahead, {len(was)} periods" + ("" if skill is None else f", skill {skill:.3f}"))


def calibration(axes: Axes, found: Fidelity) -> None:
    """What intervals hold against what they should."""
    axes.plot([0, 100], [0, 100], color=MARK, linewidth=0.8)
    for k, (name, each) in enumerate(found.calibration.items()):
        _series(axes, k, 100 * WITHIN, [figure.scaled(100.0) for figure in each.coverage], label(name))
    axes.set_xlabel("share that the interval should hold, %")
    axes.set_ylabel("share that it holds, %")
    axes.set_title("Coverage, one period ahead")
    axes.legend()


def growth(axes: Axes, found: Fidelity) -> None:
    """Errors by periods ahead, against how much the figure varies."""
    steps = list(found.errors)
    names = [name for name in found.errors[steps[0]] if _varies(found, name)]
    for k, name in enumerate(names):
        _series(axes, k, steps, [_relative(found.errors[ahead][name].skill) for ahead in steps], label(name))
    axes.axhline(1.0, color=MARK, linewidth=0.8)
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
    kinds = {"drawn uniformly": (~near, "o", SAID), "near the best": (near, "x", NEAR)}
    for told, (chosen, marker, colour) in kinds.items():
        if chosen.any():
            points = control.said[chosen], control.measured[chosen]
            axes.plot(*points, linestyle="none", marker=marker, color=colour, label=told)
    _marked(axes, found, control.best_static, "*", f"best static {_written_out(control.best_static)}", BEST)
    _marked(axes, found, control.twin_best, "D", f"twin's best {_written_out(control.twin_best)}", THOUGHT)
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


def _series(axes: Axes, k: int, x: ArrayLike, figures: Iterable[Figure], name: str) -> None:
    """The k-th line, with its 95 % intervals."""
    means, ends = zip(
        *((figure.mean or 0.0, figure.ci95 or (figure.mean or 0.0,) * 2) for figure in figures), strict=True
    )
    axes.errorbar(
        np.asarray(x),
        np.array(means),
        yerr=np.abs(np.transpose(ends) - np.array(means)),
        elinewidth=0.8,
        capsize=2,
        label=name,
        **series_style(k),
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
