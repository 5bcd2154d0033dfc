"""Training: an agent controls a plant and learns from it, and what comes of it is kept so that it can be resumed.

Everything that decides a result is a function of the request (scenario, agent, settings, seed); a run that was killed
and resumed leaves the same bytes as one that was not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

import netsim
from netsim.errors import InputError, RunError
from netsim.plugins import in_force, processes_of
from netsim.provenance import versions
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from netsim.simulation import Plant
from rl.agents import AgentConfig, Task, make_agent, sources_of, speaking_of
from rl.checkpoints import Checkpoint
from rl.course import CourseConfig, is_finite
from rl.interrupts import held_back
from rl.learner import LearningController
from rl.loops import Loop, loops, parted
from rl.networks import single_thread
from rl.records import Records, carried_out, clear, finished_summary
from rl.settings import Whole


class TrainingConfig(CourseConfig):
    """How an agent is trained, apart from its own hyper-parameters. All frequencies are in interactions."""

    interactions: Whole = 10_000
    """Periods of the real plant that may be spent; the reward's threshold grows over them."""
    updates_per_interaction: Whole = 1
    """Gradient steps after each interaction."""
    metrics_every: Whole = 100
    """Interactions that a line of ``metrics.jsonl`` covers."""
    evaluate_every: Annotated[int, Field(ge=0)] = 500
    checkpoint_every: Whole = 1000


@dataclass(frozen=True)
class Request:
    """What was asked for: two trainings of equal requests leave equal bytes."""

    scenario: Scenario
    agent: str
    config: AgentConfig
    training: TrainingConfig
    seed: int
    device: str = "cpu"
    loop: BaseModel | None = None
    """Settings of the loop that the agent's name ends in; without them its defaults."""

    def __post_init__(self) -> None:
        """Fill in the settings of a loop that none are given for.

        Raises
        ------
        InputError
            There is no such agent, settings are given for a loop that it is not in, or updates for one in a loop.
        """
        _, around = parted(self.agent)
        if around is None and self.loop is not None:
            raise InputError(f"agent {self.agent!r} runs in no loop, and settings of one are given")
        if around is not None and self.loop is None:
            object.__setattr__(self, "loop", loops()[around].Config())
        updates = self.training.updates_per_interaction
        if around is not None and updates != 1:  # a loop never sees it
            raise InputError(
                f"training.updates_per_interaction must be 1 for {self.agent!r}, whose loop decides on updates, got "
                f"{updates}; give --loop real_updates={updates} instead"
            )

    def to_dict(self) -> dict[str, Any]:
        """As the manifest holds it."""
        return {
            **identified(self.scenario),
            "agent": self.agent,
            **sourced(self.agent),
            "config": self.config.model_dump(mode="json"),
            **({} if self.loop is None else {"loop": self.loop.model_dump(mode="json")}),
            "training": self.training.model_dump(mode="json"),
            "seed": self.seed,
            "device": self.device,
            "versions": versions("torch", "safetensors"),
        }


def identified(scenario: Scenario) -> dict[str, Any]:
    """A scenario as a manifest holds it."""
    return {
        "scenario": scenario.to_dict(),
        "scenario_hash": scenario.hash,
        # Where the files are that the scenario names; one that names none is the same wherever it lies.
        "folder": str(scenario.folder) if scenario.files() else None,
        "files": scenario.files(),
    }


def sourced(agent: str) -> dict[str, Any]:
    """What the file or module held that an agent was named by, as a manifest has it; nothing for those of this package.

    A training is of the code as it was: another one cannot go on with it, or play it.
    """
    sources = sources_of(parted(agent)[0])
    return {"sources": sources} if sources else {}


class Window:
    """Sums over the interactions since the last line of metrics, and over all of them."""

    def __init__(self, n_slices: int) -> None:
        self.sums = np.zeros(3 + 2 * n_slices)
        """Interactions, utility, reward; then per slice packets satisfied and packets resolved."""

    def add(self, report: PeriodReport, reward: float) -> None:
        """Count one interaction."""
        self.sums += np.concatenate([[1.0, report.utility, reward], report.satisfied, report.resolved])

    def figures(self, slice_names: tuple[str, ...]) -> dict[str, Any]:
        """Means, SSR per slice (1 where nothing was resolved), and packets that did not get what they were promised."""
        n, satisfied, resolved = self.sums[0], *np.split(self.sums[3:], 2)
        ssr = np.divide(satisfied, resolved, out=np.ones_like(resolved), where=resolved > 0)
        return {
            "reward": self.sums[2] / n,
            "utility": self.sums[1] / n,
            "ssr": dict(zip(slice_names, ssr.tolist(), strict=True)),
            "violations": dict(zip(slice_names, (resolved - satisfied).astype(int).tolist(), strict=True)),
        }


class Training:
    """One training: plant, learning controller, and what is recorded of them."""

    def __init__(self, request: Request, records: Records | None = None, plant: Plant | None = None) -> None:
        """Prepare; nothing runs yet.

        Parameters
        ----------
        request
            What to do.
        records
            Where to keep metrics and checkpoints; nothing is kept without.
        plant
            What to learn on instead of a simulation of the scenario. One without ``save`` cannot be resumed.
        """
        single_thread()
        self.request, self._records = request, records
        settings, scenario = request.training, request.scenario
        task = Task.of(scenario, settings.interactions, request.seed)
        self._thresholds = task.thresholds
        self.controller = _controller(request, task)
        self.agent = self.controller.agent
        # A plant that is given brings its own processes.
        self._beside: dict[str, Any] = {"processes": [processes_of(in_force())]} if plant is None else {}
        self._plant: Plant = netsim.Simulation(scenario, request.seed, **self._beside) if plant is None else plant
        self._evaluation = settings.evaluation(scenario)
        self._window, self._total = Window(task.n_slices), Window(task.n_slices)
        self._begun = False

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self, progress: Callable[[int, int, Mapping[str, Any]], None] | None = None) -> dict[str, Any]:
        """Go on to the last interaction and return the summary.

        Ctrl-C and SIGTERM wait for the end of the interaction; then a checkpoint is written and they take effect.

        Raises
        ------
        RunError
            A loss or a weight is no longer finite; the last checkpoint is the last finite one.
        PluginError
            Somebody else's agent raised.
        """
        whose = parted(self.request.agent)[0]
        with held_back() as interrupts:
            if not self._begun:
                self._begin()
            while self.controller.interactions < self.request.training.interactions:
                with speaking_of(whose):
                    self._interact()
                    line = self._keep_record()
                try:
                    if progress is not None and line is not None:
                        progress(self.controller.interactions, self.request.training.interactions, line)
                    interrupts()
                except KeyboardInterrupt:  # only here, where nothing is half done, is there a state to go on from
                    self._checkpoint()
                    raise
            return self._finish()

    def _begin(self) -> None:
        self.controller.period_ended(self._plant.reset(self.request.seed))
        self._begun = True

    def _interact(self) -> None:
        report = self._plant.step(self.controller.decide_allocation())
        self.controller.period_ended(report)
        self._refuse_nan()
        reward = float(self._thresholds.reward(report.utility, self.controller.interactions))
        for window in (self._window, self._total):
            window.add(report, reward)

    def _refuse_nan(self) -> None:
        loss = self.controller.loss
        # Weights may also come from a loop's other agent, before there is any loss.
        if not is_finite(self.agent, [] if loss is None else [loss]):
            at = f"interaction {self.controller.interactions}, seed {self.request.seed}"
            raise RunError(
                f"{self.request.agent}: the loss is {loss} or a weight is not finite at {at}; training stopped. The "
                "last checkpoint is finite; try a smaller learning_rate"
            )

    # -- what is kept ------------------------------------------------------------------------------------------------

    def _keep_record(self) -> dict[str, Any] | None:
        """Write what is due after an interaction; return the line of metrics if it is."""
        settings, done, line = self.request.training, self.controller.interactions, None
        if done % settings.metrics_every == 0 or done == settings.interactions:
            line = self._metrics()
            if self._records is not None:
                self._records.add(line)
            self._window = Window(self.agent.task.n_slices)
        if settings.evaluate_every and done % settings.evaluate_every == 0 and self._records is not None:
            self._records.add({"interactions": done, "greedy": self.evaluate()})
        if self._records is not None and self._records.checkpoints.due(done):
            self._checkpoint()
        return line

    def _metrics(self) -> dict[str, Any]:
        figures = self._window.figures(self.request.scenario.slice_names)
        return {
            "interactions": self.controller.interactions,
            **figures,
            **self.controller.figures(),
            "epsilon": self.controller.epsilon,
            "threshold": self._thresholds.at(self.controller.interactions),
            "loss": self.controller.loss,
            "updates": self.agent.updates,
        }

    def evaluate(self) -> dict[str, Any]:
        """Figures of the greedy policy on the held-out seeds."""
        return self._evaluation.play(self.agent).figures(self.request.scenario.slice_names)

    def _finish(self) -> dict[str, Any]:
        names = self.request.scenario.slice_names
        exploring, played = self._total.figures(names), self._evaluation.play(self.agent)
        summary = {
            "scenario": self.request.scenario.name,
            "scenario_hash": self.request.scenario.hash,
            "agent": self.request.agent,
            "seed": self.request.seed,
            "ledger": {
                "real_interactions": self.controller.interactions,
                **self.controller.ledger(),
            },
            **played.summary(names),
            "greedy": played.figures(names),
            "exploring": exploring,
        }
        self._checkpoint()
        if self._records is not None:
            self._records.finish(summary, self.controller.seconds())
        return summary

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def _checkpoint(self) -> None:
        save = getattr(self._plant, "save", None)
        if self._records is None or save is None or not self._begun:
            return
        state = {"loss": self.controller.loss, "metrics": self._records.mark()}
        windows = {"window": self._window.sums, "total": self._total.sums}
        groups = {**self.controller.to_groups(), "training": windows}
        self._records.checkpoints.write(
            self.controller.interactions, state, groups, lambda folder: save(folder / "plant")
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint stands."""
        self.controller.restore(checkpoint)
        self.controller.loss = checkpoint.state["loss"]
        training = checkpoint.arrays("training")
        self._window.sums[:], self._total.sums[:] = training["window"], training["total"]
        load: Callable[..., Plant] = type(self._plant).load  # type: ignore[attr-defined]
        place, scenario = checkpoint.folder / "plant", self.request.scenario
        self._plant, self._begun = load(place, scenario=scenario, **self._beside), True


def _controller(request: Request, task: Task) -> Loop:
    name, loop = parted(request.agent)
    if loop is None:
        agent = make_agent(name, task, request.config, request.device)
        return LearningController(agent, request.training.updates_per_interaction)
    kind = loops()[loop]
    assert request.loop is not None
    return kind(request.scenario, task, name, request.config, request.loop, request.device)


def train(
    request: Request,
    out: Path | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Callable[[int, int, Mapping[str, Any]], None] | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train an agent as a request says, and keep the training in a folder.

    Parameters
    ----------
    out
        The folder; without it nothing is kept.
    resume
        Go on with the training in the folder from its newest whole checkpoint.
    force
        Replace the training in the folder.
    progress
        Called with interactions done, their number, and figures, at every line of metrics.
    notice
        Told what a user should know: where a training goes on, which checkpoints were damaged.

    Raises
    ------
    InputError
        The folder exists and neither ``resume`` nor ``force`` is given, or it holds another training.
    RunError
        The training failed, or its results could not be kept.
    """
    if out is None:
        return Training(request).run(progress)
    if not resume:
        clear(out, force)
    elif (finished := finished_summary(out, request.to_dict())) is not None:
        return finished
    records = Records(out, request.to_dict(), request.training.checkpoint_every)
    return carried_out(records, lambda kept: Training(request, kept), progress, notice, resume=resume)
