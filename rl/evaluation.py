"""How good a controller is, on seeds that nobody has learned from, next to the best static allocation.

All controllers meet the same packets and the same fading for a seed (common random numbers), so the share of
best-static is a ratio of paired runs, and its interval that of the pairs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import netsim
from netsim.hooks import hookimpl
from netsim.plugins import attach, make_plant, plugin_set, using
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from netsim.statistics import Figure, proportion, ratio
from rl.greedy import mean_over_seeds
from rl.reward import Thresholds

Progress = Callable[[int, int], None]


class Sums:
    """A plugin that adds up what an evaluation needs, over the controlled periods of one run."""

    def __init__(self, thresholds: Thresholds, n_slices: int) -> None:
        self._thresholds = thresholds
        self.cell = np.zeros(4)
        """Periods, U, reward at the full-grown threshold, SE capacity."""
        self.slices = np.zeros((3, n_slices))
        """Packets satisfied, packets resolved, bits carried."""

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        """Add a period; period 0 is not the controller's."""
        if report.period > 0:
            reward = float(self._thresholds.reward(report.utility, report.period))
            self.cell += [1.0, report.utility, reward, report.se_capacity]
            self.slices += [report.satisfied, report.resolved, report.carried_bits]


@dataclass(frozen=True)
class Evaluation:
    """A controller's sums over several seeds."""

    controller: str
    cell: NDArray[np.float64]
    """Shape ``(seeds, 4)``, columns as in :class:`Sums`."""
    slices: NDArray[np.float64]
    """Shape ``(seeds, 3, N)``."""
    runs: Sequence[Mapping[str, Any]]
    """The summary of each seed's run."""

    @property
    def utilities(self) -> NDArray[np.float64]:
        """Mean U of each seed."""
        return self.cell[:, 1] / self.cell[:, 0]

    def figures(self, scenario: Scenario, best: "Evaluation | None") -> dict[str, Any]:
        """Every figure with its 95 % interval over seeds."""
        per_period = {"utility": self.utilities, "reward": self.cell[:, 2] / self.cell[:, 0]}
        slices = {
            name: {
                "ssr": proportion(self.slices[:, 0, n], self.slices[:, 1, n]).to_dict(),
                "violations": int((self.slices[:, 1, n] - self.slices[:, 0, n]).sum()),
                **latencies_and_counts([run["slices"][name] for run in self.runs]),
            }
            for n, name in enumerate(scenario.slice_names)
        }
        worst = self._worst(scenario)
        return {
            **{name: mean_over_seeds(values).to_dict() for name, values in per_period.items()},
            "se_capacity": mean_over_seeds(self.cell[:, 3] / self.cell[:, 0]).to_dict(),
            "se_carried": mean_over_seeds([run["se_carried"]["mean"] for run in self.runs]).to_dict(),
            "share_of_best_static": None if best is None else self.share_of(best).to_dict(),
            "worst_slice": {"name": worst, "ssr": slices[worst]["ssr"]},
            "slices": slices,
        }

    def _worst(self, scenario: Scenario) -> str:
        """The slice of the lowest pooled SSR, the first of equals."""
        satisfied, resolved = self.slices[:, :2].sum(axis=0)
        ssr = np.divide(satisfied, resolved, out=np.ones_like(resolved), where=resolved > 0)
        return scenario.slice_names[int(ssr.argmin())]

    def share_of(self, best: "Evaluation") -> Figure:
        """U over another controller's, the seeds paired."""
        return ratio(self.utilities, best.utilities)


def latencies_and_counts(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs of several seeds gave a slice, from its part of each summary.

    The mean latency is that of all departures, its interval over seeds. A 99th percentile cannot be pooled from those
    of runs: the figure is their mean over the seeds in which packets departed and their latencies are known. Counts are
    sums over the seeds.
    """
    departed = np.array([run["departed"] for run in runs])
    means = np.array([run["latency_mean_ms"]["mean"] or 0.0 for run in runs])  # none where nothing departed
    percentiles = [run["latency_p99_ms"]["mean"] for run in runs if run["latency_p99_ms"]["mean"] is not None]
    counts = (name for name, value in runs[0].items() if isinstance(value, int))
    return {
        "latency_mean_ms": ratio(means * departed, departed).to_dict(),
        "latency_p99_ms": mean_over_seeds(percentiles).to_dict(),
        **{name: sum(run[name] for run in runs) for name in counts},
    }


def play(
    scenario: Scenario,
    controller: str | object,
    seeds: Sequence[int],
    periods: int,
    plant: "Callable[[], netsim.Plant] | None" = None,
    tick: Callable[[], None] = lambda: None,
    plugins: Sequence[str] = (),
) -> Evaluation:
    """Run a controller once per seed.

    Parameters
    ----------
    plant
        Makes what to run on, instead of a simulation of the scenario.
    tick
        Called after each run.
    plugins
        Named for each run, which has new ones.
    """
    with using(plugin_set(map(attach, plugins))):  # where thresholds are not known, best-static is raced for them
        settled = Thresholds.of(scenario, periods).settled
    made, runs = [], []
    for seed in seeds:
        sums = Sums(settled, len(scenario.slices))
        on = None if plant is None else plant()
        runs.append(netsim.run(scenario, controller, periods=periods, seed=seed, plugins=[sums, *plugins], plant=on))
        made.append(sums)
        tick()
    name = controller if isinstance(controller, str) else type(controller).__name__
    return Evaluation(name, np.array([sums.cell for sums in made]), np.array([sums.slices for sums in made]), runs)


def evaluate(
    scenario: Scenario,
    controllers: Sequence[str],
    *,
    periods: int,
    first_seed: int,
    seeds: int = 10,
    plant: str | None = None,
    plugins: Sequence[str] = (),
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Figures of each controller beside the best static allocation, on the seeds from ``first_seed`` on.

    The reward is that of the full-grown threshold, g = gmax, which does not depend on when a training ended. With a
    ``plant``, written ``NAME:TEXT``, all is played there and not on the simulator. The ``plugins`` are there in every
    run, as specifications.

    Figures have the names of a run's summary, their intervals over seeds. Under ``slices``, ``latency_mean_ms`` is that
    of all packets that departed and ``latency_p99_ms`` the mean over seeds of each run's percentile; their means are
    ``None`` where nothing departed, the percentile's also where a plant does not know it. Counts are sums over the
    seeds, ``violations`` those of slow, late and dropped.
    """
    made = None if plant is None else partial(make_plant, plant, scenario)
    done, others = 0, sum(each != "best-static" for each in controllers)

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, (1 + others) * seeds)

    chosen = range(first_seed, first_seed + seeds)
    best = play(scenario, "best-static", chosen, periods, made, tick, plugins)
    asked = {
        "scenario": scenario.name,
        "scenario_hash": scenario.hash,
        "periods": periods,
        "seeds": [first_seed, first_seed + seeds - 1],
        **({} if plant is None else {"plant": plant}),
    }
    evaluations = [
        best if each == "best-static" else play(scenario, each, chosen, periods, made, tick, plugins)
        for each in controllers
    ]
    return [{**asked, "controller": own.controller, **own.figures(scenario, best)} for own in evaluations]


def over_trainings(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What trainings of one kind come to: means over them, with Student's 95 % interval over trainings.

    A training is one draw of network, exploration and weights; what it reaches on many seeds is one number.
    """
    names = ("utility", "share_of_best_static", "reward")
    return {name: mean_over_seeds([each[name]["mean"] for each in figures]).to_dict() for name in names}
