"""The figures of a training; one that has nothing to show is ``None``."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from netsim.reports.charts import Form, Level, Line, Panel, below_one, from_zero
from netsim.reports.document import Figure
from netsim.reports.exploring import Cost
from netsim.reports.figures import figure
from netsim.reports.thinning import Bins, Floats
from netsim.reports.training_data import Curve, TrainingData
from netsim.reports.words import significant

LEARNING, PLAYING = "while learning", "greedy, on held-out seeds"
SHOWN_ELSEWHERE = frozenset({"reward", "utility", "ssr", "violations", "greedy", "twin", "iteration", "threshold"})
"""Keys of a line of metrics that have figures of their own; other numbers are shown by the names that they have."""


def utility(training: TrainingData, marks: Mapping[str, float]) -> Figure | None:
    """U while learning, that of the greedy policy, and the threshold of the reward, beside some values of U."""
    learning, threshold = training.curve("utility"), training.curve("threshold")
    lines = [*_line(LEARNING, learning, 0), *_greedy(training, 1, "utility"), *_line("threshold g(t)", threshold, 2)]
    levels = [Level(name, value, kind) for kind, (name, value) in enumerate(marks.items())]
    return _single(training, "utility", "Utility U", _told_of_utility(training, learning), lines, levels, "U")


def _told_of_utility(training: TrainingData, learning: Curve) -> str:
    playing, _ = training.greedy("utility")
    told = []
    if len(learning.y):
        told.append(f"While learning U went from {learning.y[0]:.3f} to {learning.y[-1]:.3f}.")
    if len(playing.y):
        best = int(playing.y.argmax())
        told.append(
            f"The greedy policy was at {playing.y[-1]:.3f} when it was last looked at, and at {playing.y[best]:.3f} at "
            f"its best, after {playing.x[best]:,.0f} {training.clock}."
        )
    return " ".join(told)


def ssr(training: TrainingData) -> Figure | None:
    """SSR of each slice, while learning and of the greedy policy."""
    curves = {name: [*_line(LEARNING, training.curve("ssr", name), 0)] for name in training.names}
    for name, lines in curves.items():
        lines += _greedy(training, 1, "ssr", name)
    last = training.last_greedy
    told = "" if last is None else ", ".join(f"{name} {last['ssr'][name]['mean']:.4f}" for name in training.names)
    panels = [
        Panel(name, lines, (), "SSR", below_one(np.concatenate([_lowest(line) for line in lines] or [np.ones(1)])))
        for name, lines in curves.items()
    ]
    return _strips(
        training, "ssr", "Satisfied packets (SSR)", f"The greedy policy last had {told}." if told else "", panels
    )


def reward(training: TrainingData) -> Figure | None:
    """Reward, and how often the agent tried something at random."""
    panels = [
        Panel(label, [*_line(label, training.curve(key), kind)], (), label)
        for kind, (key, label) in enumerate({"reward": "reward", "epsilon": "share explored"}.items())
    ]
    curve, epsilon = training.curve("reward"), training.curve("epsilon")
    if not len(curve.y):
        return None
    told = f"The reward went from {curve.y[0]:.3f} to {curve.y[-1]:.3f}"
    told += f", the share of random choices from {epsilon.y[0]:.3f} to {epsilon.y[-1]:.3f}." if len(epsilon.y) else "."
    return _strips(training, "reward", "Reward and exploration", told, panels)


def failures(training: TrainingData, cost: Cost) -> Figure | None:
    """Packets that failed so far, by slice, beside those that would have failed under the policy that was learned."""
    panels = []
    for name in training.names:
        failed = training.curve("violations", name)
        lines = [*_line("failed", Curve(failed.x, np.cumsum(failed.y)), 0)]
        if lines and (spared := cost.spared(name)) is not None:
            lines.append(Line("under the learned policy", *_ends(failed.x, spared), kind=6))
        panels.append(Panel(name, lines, (), "packets", from_zero(np.cumsum(failed.y))))
    told = " ".join(f"{name}: {cost.failed(name):,} packets failed." for name in training.names)
    return _strips(training, "failures", "Packets that failed while learning", told, panels)


def _ends(x: Floats, total: float) -> tuple[Floats, Floats]:
    return np.array([0.0, x[-1]]), np.array([0.0, total])


def given_up(training: TrainingData, cost: Cost) -> Figure | None:
    """U given up so far against playing the learned policy from the start."""
    curve = cost.given_up
    if curve is None or not len(curve.y):
        return None
    share = 100 * curve.y[-1] / (cost.reference * curve.x[-1])
    told = (
        f"{significant(curve.y[-1])} in sum, as much as {significant(curve.y[-1] / cost.reference)} periods under the "
        f"learned policy bring (U {cost.reference:.3f}); {share:.1f} % of what it would have brought."
    )
    return _single(
        training, "given-up", "Utility given up while learning", told, [*_line("given up", curve, 1)], (), "U, summed"
    )


def learning(training: TrainingData) -> Figure | None:
    """All other numbers that lines of metrics have, by their names."""
    names = dict.fromkeys(
        name
        for line in training.lines
        for name, value in line.items()
        if isinstance(value, int | float) and name not in {*SHOWN_ELSEWHERE, training.clock, "epsilon"}
    )
    curves = {name: training.curve(name) for name in names}
    panels = [
        Panel(name, [*_line(name, curve, kind)], (), "", log_y=name == "loss" and bool((curve.y > 0).all()))
        for kind, (name, curve) in enumerate(curves.items())
    ]
    last = ", ".join(f"{name} {significant(curve.y[-1])}" for name, curve in curves.items() if len(curve.y))
    return _strips(training, "learning", "Loss and updates", f"At last: {last}." if last else "", panels)


def twin(training: TrainingData, alarms: list[float]) -> Figure | None:
    """What lines of metrics say of the twin: its losses on data held out from each fit."""
    names = dict.fromkeys(name for line in training.lines for name in line.get("twin", {}))
    levels = [Level("alarm" if k == 0 else "", at, across=False) for k, at in enumerate(alarms)]
    curves = {name: training.curve("twin", name) for name in names}
    panels = [
        Panel(name.replace("_", " "), [*_line(name, curve, kind, "steps")], levels, "held-out loss")
        for kind, (name, curve) in enumerate(curves.items())
    ]
    told = [
        f"{name.replace('_', ' ')} between {significant(np.nanmin(curve.y))} and {significant(np.nanmax(curve.y))}"
        for name, curve in curves.items()
        if np.isfinite(curve.y).any()
    ]
    if not told:
        return None
    finding = f"On data held out from each fit: {', '.join(told)}."
    return _strips(training, "twin", "The twin's losses", finding, panels, "There is no curve where there was no twin.")


def _lowest(line: Line) -> Floats:
    return np.asarray(line.y if line.low is None else line.low, np.float64)


# -- drawing -----------------------------------------------------------------------------------------------------------


def _line(label: str, curve: Curve, kind: int, form: Form = "line") -> Iterator[Line]:
    """A curve, if it has points."""
    if not np.isfinite(curve.y).any():
        return
    bins = Bins.drawn(len(curve.y))
    x, thinned = bins.means(curve.x), bins.thinned(curve.y)
    if bins.width == 1:
        yield Line(label, x, thinned.middle, kind=kind, form=form)
    else:
        yield Line(label, x, thinned.middle, thinned.low, thinned.high, kind)


def _greedy(training: TrainingData, kind: int, *path: str) -> Iterator[Line]:
    """Evaluations of the greedy policy with their intervals, if there are any; of very many every k-th."""
    curve, ends = training.greedy(*path)
    step = Bins.drawn(len(curve.y)).width if len(curve.y) else 1
    if len(curve.y):
        low, high = ends[::step].T
        yield Line(PLAYING, curve.x[::step], curve.y[::step], low, high, kind, "points")


def _single(
    training: TrainingData,
    name: str,
    heading: str,
    finding: str,
    lines: Sequence[Line],
    levels: Sequence[Level],
    y_label: str,
) -> Figure | None:
    return _strips(training, name, heading, finding, [Panel(heading, lines, levels, y_label)])


def _strips(
    training: TrainingData, name: str, heading: str, finding: str, panels: Sequence[Panel], about: str = ""
) -> Figure | None:
    shown = [panel for panel in panels if panel.lines]
    if not shown:
        return None
    return figure(name, heading, finding, shown, training.clock, " ".join([_about(training), about]).strip())


def _about(training: TrainingData) -> str:
    width = Bins.drawn(len(training.lines)).width if training.lines else 1
    return (
        "" if width == 1 else "Of the many lines recorded each point is a mean of several; the band holds all of them."
    )
