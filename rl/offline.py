"""Learning from a recorded data set alone: no period of the network is played for it (paper, section IV-B).

An epoch goes through all transitions in an order of its own, a batch at a time. Rewards are those of the full-grown
threshold, g = gmax: the reward grows with the interactions of an agent that learns online, and there are none. The
greedy policy is looked at on held-out seeds now and then, and nothing is learned from that.

Three methods are here. ``plain`` is the agent's own update, the paper's baseline. ``cql`` is conservative Q-learning
(Kumar et al., 2020): it holds values of what was not tried down. ``bc`` clones the behaviour and looks at no reward. An
agent may be given a prior before the first epoch; that of a digital twin is in :mod:`twin.offline`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from netsim.errors import InputError, RunError
from rl import draws
from rl.agents import Task, make_agent, speaking_of
from rl.checkpoints import Checkpoint
from rl.course import is_finite
from rl.greedy import Played, mean_over_seeds
from rl.interrupts import held_back
from rl.loops import parted
from rl.networks import single_thread
from rl.offline_request import OfflineRequest, PriorOf
from rl.records import Records, carried_out, clear, finished_summary
from rl.replay import Batch

SHUFFLE = "offline-shuffle"
"""Purpose of random draws."""
CLOCK = "epochs"

Progress = Callable[[int, int], None]


class OfflineTraining:
    """One agent's learning from one data set, and what is recorded of it."""

    def __init__(self, request: OfflineRequest, records: Records | None = None, prior: PriorOf | None = None) -> None:
        """Prepare; nothing is learned yet.

        Raises
        ------
        InputError
            There is nothing to learn from.
        """
        if not len(request.data):
            raise InputError("a data set without a transition teaches nothing; collect more periods")
        single_thread()
        self.request, self._records = request, records
        task = Task.of(request.scenario, len(request.data), request.seed)
        task = replace(task, thresholds=task.thresholds.settled)
        self.agent = make_agent(parted(request.agent)[0], task, request.config, request.device)
        rewards = task.thresholds.reward(request.data.transitions.utilities, 0).astype(np.float32)
        states, actions, _, next_states = request.data.transitions
        self._data = Batch(states, actions, rewards, next_states)
        self._prior = None if prior is None else prior(request, task)
        self._evaluation = request.settings.evaluation(request.scenario)
        self.epochs: int | None = None
        """Epochs done; ``None`` before the agent was given its prior."""

    # -- learning ----------------------------------------------------------------------------------------------------

    def run(self, progress: Progress | None = None) -> dict[str, Any]:
        """Go on to the last epoch and return the summary.

        Ctrl-C and SIGTERM wait for the end of the epoch; then a checkpoint is written and they take effect.

        Raises
        ------
        RunError
            A loss or a weight is no longer finite; the last checkpoint is the last finite one.
        PluginError
            Somebody else's agent raised.
        """
        whose = parted(self.request.agent)[0]
        with held_back() as interrupts:
            if self.epochs is None:
                with speaking_of(whose):
                    self._begin()
            while (done := self._done) < self.request.settings.epochs:
                with speaking_of(whose):
                    losses = [self._learn(batch) for batch in self._batches(done)]
                self.epochs = done + 1
                self._refuse_nan(losses)
                self._keep_record(losses)
                try:
                    if progress is not None:
                        progress(self._done, self.request.settings.epochs)
                    interrupts()
                except KeyboardInterrupt:  # only here, where nothing is half done, is there a state to go on from
                    self._checkpoint()
                    raise
            return self._finish()

    @property
    def _done(self) -> int:
        assert self.epochs is not None
        return self.epochs

    def _begin(self) -> None:
        self.agent.memory.extend(self.request.data.transitions)
        if self._prior is not None:
            self._prior.give(self.agent)
        self.epochs = 0
        self._refuse_nan([])
        self._keep_record([])

    def _batches(self, epoch: int) -> Iterator[Batch]:
        """All transitions in the order of an epoch; the last batch has what is left."""
        order = draws.uniform(self.request.seed, SHUFFLE, epoch, len(self.request.data)).argsort()
        size = self.request.config.batch_size
        for begin in range(0, len(order), size):
            yield Batch(*(array[order[begin : begin + size]] for array in self._data))

    def _learn(self, batch: Batch) -> float:
        settings = self.request.settings
        if settings.method == "plain":
            return self.agent.learn(batch)
        if settings.method == "cql":
            return self.agent.learn_cautiously(batch, settings.caution)
        return self.agent.learn_cautiously(batch, 1.0, values=0.0)

    def _refuse_nan(self, losses: list[float]) -> None:
        if not is_finite(self.agent, losses):
            raise RunError(
                f"{self.request.agent}: a loss or a weight is not finite in epoch {self._done}, seed "
                f"{self.request.seed}; learning stopped. The last checkpoint is finite; try a smaller learning_rate"
            )

    # -- what is kept ------------------------------------------------------------------------------------------------

    def _keep_record(self, losses: list[float]) -> None:
        """Write what is due after an epoch."""
        if self._records is None:
            return
        settings, done = self.request.settings, self._done
        line: dict[str, Any] = {CLOCK: done, "updates": self.agent.updates}
        if losses:
            line["loss"] = sum(losses) / len(losses)
        if self._prior is not None:
            line |= self._prior.figures(self.agent)
        if settings.evaluate_every and done % settings.evaluate_every == 0:
            line["greedy"] = self.evaluate()
        self._records.add(line)
        if self._records.checkpoints.due(done):
            self._checkpoint()

    def evaluate(self) -> dict[str, Any]:
        """Figures of the greedy policy on the held-out seeds."""
        return self._figures(self._evaluation.play(self.agent))

    def _figures(self, played: Played) -> dict[str, Any]:
        figures = played.figures(self.request.scenario.slice_names)
        return {"reward": mean_over_seeds(played.rewards).to_dict(), **figures}

    def _finish(self) -> dict[str, Any]:
        spent = {"imagined_transitions": 0, "gradient_steps": 0} if self._prior is None else self._prior.ledger()
        played = self._evaluation.play(self.agent)
        summary = {
            "scenario": self.request.scenario.name,
            "scenario_hash": self.request.scenario.hash,
            "agent": self.request.agent,
            "method": self.request.settings.method,
            "seed": self.request.seed,
            "data": self.request.data.to_dict(),
            "ledger": {
                "real_interactions": len(self.request.data),
                **spent,
                "gradient_steps": self.agent.updates + spent["gradient_steps"],
            },
            **played.summary(self.request.scenario.slice_names),
            "greedy": self._figures(played),
        }
        self._checkpoint()
        if self._records is not None:
            self._records.finish(summary, {} if self._prior is None else self._prior.seconds())
        return summary

    def _checkpoint(self) -> None:
        if self._records is None:
            return
        groups = {
            "agent": self.agent.to_arrays(),
            "replay": self.agent.memory.to_arrays(),
            **({} if self._prior is None else self._prior.to_groups()),
        }
        state = {"metrics": self._records.mark()}
        self._records.checkpoints.write(self._done, state, groups, lambda folder: None)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint stands."""
        self.agent.restore(checkpoint.arrays("agent"))
        self.agent.memory.restore(checkpoint.arrays("replay"))
        if self._prior is not None:
            self._prior.restore(checkpoint, self.agent)
        self.epochs = checkpoint.interactions


def learn_offline(
    request: OfflineRequest,
    out: Path | None = None,
    *,
    prior: PriorOf | None = None,
    resume: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Learn as a request says, and keep what was learned in a folder, which is that of a training.

    Parameters
    ----------
    out
        The folder; without it nothing is kept.
    prior
        Makes what the agent is given before the first epoch.
    resume
        Go on with the training in the folder from its newest whole checkpoint.
    force
        Replace the training in the folder.
    progress
        Called with epochs done and their number.
    notice
        Told what a user should know: where a training goes on, which checkpoints were damaged.

    Raises
    ------
    InputError
        The folder exists and neither ``resume`` nor ``force`` is given, or it holds another training; or there is
        nothing to learn from.
    RunError
        Learning failed, or its results could not be kept.
    """
    if out is None:
        return OfflineTraining(request, prior=prior).run(progress)
    if not resume:
        clear(out, force)
    elif (finished := finished_summary(out, request.to_dict())) is not None:
        return finished
    records = Records(out, request.to_dict(), request.settings.checkpoint_every, CLOCK)
    return carried_out(records, lambda kept: OfflineTraining(request, kept, prior), progress, notice, resume=resume)
