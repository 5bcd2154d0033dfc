"""The runs of a study while they go on: which are finished, how far the others are, and what trainings show so far."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netsim.errors import InputError
from netsim.faults import shortened
from netsim.reports.charts import Line, Panel
from netsim.reports.document import Fact, Figure, Section, Table
from netsim.reports.figures import figure
from netsim.reports.thinning import Bins, Floats
from netsim.reports.training_data import Curve, TrainingData
from netsim.reports.words import listed, significant
from netsim.studies.jobs import KIND, LOG, seconds_of
from netsim.studies.plan import OUT

_SEEDED = re.compile(r"(.+)\.\d+")


@dataclass(frozen=True)
class Begun:
    """A run of a study that was at least begun."""

    name: str
    folder: Path
    finished: bool

    @property
    def group(self) -> str:
        """What it is called but for its seed."""
        seeded = _SEEDED.fullmatch(self.name)
        return self.name if seeded is None else seeded[1]

    def training(self) -> TrainingData | None:
        """The training in it, if it is one that can be read."""
        try:
            return TrainingData.open(self.folder / OUT)
        except InputError:
            return None

    def progress(self) -> str:
        """How far it is, as far as it tells."""
        training = self.training()
        if training is not None:
            return f"{training.done:,} of {training.asked:,} {training.clock}"
        return shortened(self._last_words())

    def _last_words(self) -> str:
        try:
            lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "begun"


@dataclass(frozen=True)
class Jobs:
    """All runs of a study that were begun."""

    begun: tuple[Begun, ...]

    @classmethod
    def read(cls, folder: Path) -> "Jobs":
        """Those that have a folder in ``folder``."""
        there = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        return cls(tuple(Begun(path.name, path, _finished(path)) for path in there))

    @property
    def finished(self) -> int:
        """How many are finished."""
        return sum(each.finished for each in self.begun)

    def groups(self) -> dict[str, list[Begun]]:
        """The runs by group."""
        return {
            group: [each for each in self.begun if each.group == group]
            for group in dict.fromkeys(each.group for each in self.begun)
        }

    def facts(self) -> list[Fact]:
        """What a reader looks for first."""
        going = len(self.begun) - self.finished
        return [Fact("Runs finished", str(self.finished)), Fact("Runs begun", str(going), "and not finished")]

    def sections(self) -> Iterator[Section]:
        """How far the study is."""
        if not self.begun:
            return
        curves = self._curves()
        yield Section("progress", "Progress", tables=list(self._tables()), figures=curves)

    def _tables(self) -> Iterator[Table]:
        rows = [
            [group, str(sum(each.finished for each in runs)), str(len(runs)), significant(_seconds(runs))]
            for group, runs in self.groups().items()
        ]
        yield Table("Runs by group", ["group", "finished", "begun", "seconds each"], rows)
        going = [[each.name, each.progress()] for each in self.begun if not each.finished]
        if going:
            yield Table("Runs that are not finished", ["run", "how far"], going, frozenset({1}))

    def _curves(self) -> list[Figure]:
        """U while learning, mean over the finished trainings of each group."""
        lines, told = [], []
        for kind, (group, runs) in enumerate(self.groups().items()):
            curves = [curve for each in runs if each.finished and (curve := _utility(each)) is not None]
            if curves:
                x, y = _mean(curves)
                bins = Bins.drawn(len(x))
                lines.append(Line(f"{group} ({len(curves)})", bins.means(x), bins.means(y), kind=kind))
                told.append(f"{group} {y[-1]:.3f}")
        if not lines:
            return []
        finding = f"Mean U of the last lines recorded: {listed(told)}."
        panel = Panel("U while learning", lines, (), "U")
        about = "Means over the trainings that are finished, without intervals: nothing is concluded from them."
        return [figure("so-far", "U while learning, so far", finding, [panel], "interactions", about)]


def _finished(folder: Path) -> bool:
    try:
        return KIND.read_if_there(folder) is not None
    except InputError:
        return False


def _seconds(runs: list[Begun]) -> float | None:
    taken = [seconds for each in runs if each.finished and (seconds := seconds_of(each.folder)) is not None]
    return float(np.mean(taken)) if taken else None


def _utility(job: Begun) -> Curve | None:
    training = job.training()
    curve = None if training is None else training.curve("utility")
    return curve if curve is not None and len(curve.x) else None


def _mean(curves: list[Curve]) -> tuple[Floats, Floats]:
    """The mean of curves as far as all of them go."""
    shortest = min((curve.x for curve in curves), key=len)
    return shortest, np.mean([curve.y[: len(shortest)] for curve in curves], axis=0)
