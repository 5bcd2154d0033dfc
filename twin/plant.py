"""A fitted twin as a plant: what controls or learns from a simulation can be put on it unchanged."""

from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

import netsim
from netsim import allocations, sla
from netsim.errors import InputError, RunError
from netsim.report import IntArray, PeriodReport
from netsim.scenario import Scenario
from netsim.simulation import checked_seed
from rl import draws
from rl.observation import PILOT_CELLS, PILOT_SEED, Encoder
from rl.replay import Floats
from twin.digital_twin import DigitalTwin
from twin.history import History
from twin.models.outcome import Objective, Outcome

CHANCES = "twin-plant"
"""Purpose of random draws."""
PILOT_PERIODS = 10
"""Of each of the pilot cells, in which the mean size of packets is looked at."""
UNKNOWN = ("latency_p50_ms", "latency_p99_ms", "latency_max_ms")
NOTHING = ("slow", "dropped", "carried_bits", "discarded_bits", "prb_slots_granted", "prb_slots_used")
"""Columns of a report that a twin knows nothing of: NaN, and 0."""


class _Past:
    """The newest transitions before the present period, as many as a state model reads."""

    def __init__(self, states: Iterable[Floats], shares: Iterable[Floats], length: int) -> None:
        self._rows = deque(zip(states, shares, strict=True), maxlen=length)

    def add(self, state: Floats, shares: Floats) -> None:
        """The present period has become past."""
        self._rows.append((state, shares))

    def tensors(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """States, shares, both of shape ``(1, L, N)``, and that they are there."""
        rows = torch.from_numpy(np.array(self._rows, np.float32).reshape(-1, 2, n))
        return rows[None, :, 0], rows[None, :, 1], torch.ones(1, len(rows), dtype=torch.bool)


class LearnedPlant:
    """A twin that is stepped like the base station it is of.

    Its reports have the state (arrivals) and the figures that a twin predicts: U, SSR, both SE, backlogs, mean latency.
    Packets are counted from these, so that ``pending before + arrived = satisfied + late + pending``: what was resolved
    is satisfied by the share that SSR says, and late otherwise, since a twin knows no other verdicts. Bits that arrive
    are its packets in the mean size that they have in the scenario. What it knows nothing of is NaN (quantiles of
    latency) or 0 (bits that were sent, resource blocks).

    Parameters
    ----------
    scenario
        Of the network that the twin is of.
    twin
        What predicts.
    seed
        Of the start state and of all chances.
    sampled
        Whether states and U are drawn from what the twin holds possible, or are its means.
    """

    def __init__(self, scenario: Scenario, twin: DigitalTwin, seed: int = 0, *, sampled: bool = True) -> None:
        if twin.outcomes.config.target == "reward":
            raise InputError(
                "a twin that predicts rewards alone knows no SSR to report: fit one whose target is outcome"
            )
        self.scenario, self.seed, self._twin, self._sampled = scenario, checked_seed(seed), twin, sampled
        self._units, self._n = scenario.carrier.units, len(scenario.slices)
        self._period = -1
        self._state: Floats = np.empty(0, np.float32)
        self._pending: IntArray = np.zeros(self._n, np.int64)
        self._packet_bits = mean_packet_bits(scenario)

    # -- a plant -----------------------------------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> PeriodReport:
        """Begin in a state that was recorded, with another seed if one is given, and run period 0."""
        if seed is not None:
            self.seed = checked_seed(seed)
        [u] = draws.uniform(self.seed, CHANCES, 0, 1, "start")
        place = np.array([int(u * len(self._twin.starts))])
        states, shares, there = (each[0] for each in self._twin.starts.contexts(place))
        self._past = _Past(states[there].numpy(), shares[there].numpy(), self._twin.config.state.context)
        self._state, self._period = self._twin.starts.states[place[0]], -1
        self._pending = np.zeros(self._n, np.int64)
        return self.step(self.scenario.initial_allocation)

    def step(self, allocation: Sequence[int]) -> PeriodReport:
        """Imagine the next period under an allocation, whole units per slice.

        Raises
        ------
        AllocationError
            It does not share the carrier.
        RunError
            Neither :meth:`reset` nor :meth:`begin` has been called.
        """
        units = allocations.check(allocation, self._units, self._n)
        if not len(self._state):
            raise RunError("step was called before reset; call reset first")
        shares: Floats = np.asarray(np.array(units) / self._units, np.float32)
        self._period += 1
        outcome, utility, following = self._imagine(shares)
        self._past.add(self._state, shares)
        self._state = following
        return self._report(units, outcome, utility, following)

    def begin(self, reports: Sequence[PeriodReport]) -> None:
        """Take the place of a network that has just reported these periods, the newest last.

        Raises
        ------
        InputError
            There is none.
        """
        history = History.of(reports, self._units)
        states = self._twin.encoder(history.arrived)
        shares = np.asarray(history.shares, np.float32)
        self._past = _Past(states[:-1], shares[1:], self._twin.config.state.context)
        self._state, self._period = states[-1], reports[-1].period
        self._pending = reports[-1].pending.copy()

    # -- a period ----------------------------------------------------------------------------------------------------

    def _imagine(self, shares: Floats) -> tuple[Outcome, float, Floats]:
        """The outcome, U, and the state that follows."""
        state, given = torch.from_numpy(self._state[None]), torch.from_numpy(shares[None])
        memory = self._twin.states.begin(*self._past.tensors(self._n))
        following = self._twin.states.advance(memory, state, given)
        outcome = self._twin.outcomes.predict(state, given)
        if not self._sampled:
            return outcome, float(outcome.utility.mean), following.mean[0].clamp_min(0.0).numpy()
        u = draws.uniform(self.seed, CHANCES, self._period, 1 + self._n)
        utility = self._twin.outcomes.quantile(outcome.utility, torch.tensor(u[:1], dtype=torch.float32))
        drawn = following.mean + following.deviation * torch.from_numpy(ndtri(u[1:])).float()
        return outcome, float(utility), drawn[0].clamp_min(0.0).numpy()

    def _report(self, units: tuple[int, ...], outcome: Outcome, utility: float, state: Floats) -> PeriodReport:
        columns = self._columns(outcome, utility, decoded(self._twin.encoder, state))
        for column in columns.values():
            column.flags.writeable = False
        self._pending = columns["pending"]
        objective, se = self._twin.outcomes.objective, (float(outcome.se_capacity), float(outcome.se_carried))
        weights = np.array(objective.weights)
        return PeriodReport(
            period=self._period,
            time_s=(self._period + 1) * self.scenario.control.period_ns / 1e9,
            slices=self.scenario.slice_names,
            allocation=units,
            utility=float(sla.utility(objective.alpha, se[objective.carried], weights, columns["ssr"])),
            se_capacity=se[0],
            se_carried=se[1],
            **columns,
        )

    def _columns(self, outcome: Outcome, utility: float, arrived: IntArray) -> dict[str, NDArray[Any]]:
        """What a report says of slices, each of shape ``(N,)``."""
        backlog = np.rint(outcome.backlog_packets[0].double().numpy()).astype(np.int64)
        pending = np.minimum(backlog, self._pending + arrived)
        resolved = self._pending + arrived - pending
        idle = resolved == 0
        ssr = np.where(idle, 1.0, consistent(outcome, np.array([utility]), self._twin.outcomes.objective)[0])
        satisfied = np.rint(resolved * ssr).astype(np.int64)
        return {
            "arrived": arrived,
            "satisfied": satisfied,
            "late": resolved - satisfied,
            "pending": pending,
            "ssr": ssr,
            "idle": idle,
            "backlog_packets": backlog,
            "backlog_bits": np.rint(outcome.backlog_bits[0].double().numpy()).astype(np.int64),
            "departed": resolved,
            "offered_bits": np.rint(arrived * self._packet_bits).astype(np.int64),
            "latency_mean_ms": np.where(idle, np.nan, outcome.latency_mean_ms[0].double().numpy()),
            **dict.fromkeys(UNKNOWN, np.full(self._n, np.nan)),
            **dict.fromkeys(NOTHING, np.zeros(self._n, np.int64)),
        }


def consistent(outcome: Outcome, utilities: NDArray[np.float64], objective: Objective) -> NDArray[np.float64]:
    """SSR that make U what was drawn for each of B periods, as far as they can: shape ``(B, N)``.

    What U differs from its mean by is laid upon the slices by how uncertain their SSR is, p (1 - p).
    """
    ssr = outcome.ssr.double().numpy()
    weights, room = np.array(objective.weights), ssr * (1.0 - ssr)
    total = room @ weights
    missing = utilities - outcome.utility.mean.double().numpy()
    each = np.divide(missing, total, out=np.zeros_like(total), where=total > 0.0)
    moved: NDArray[np.float64] = np.clip(ssr + each[:, None] * room, 0.0, 1.0)
    return moved


def mean_packet_bits(scenario: Scenario) -> NDArray[np.float64]:
    """Mean size of the packets of each slice, shape ``(N,)``, over pilot periods; 0 where none arrives in them."""
    with netsim.SimulationBatch(scenario, range(PILOT_SEED, PILOT_SEED + PILOT_CELLS)) as batch:
        units = [scenario.initial_allocation] * PILOT_CELLS
        reports = [batch.reset(), *(batch.step(units) for _ in range(PILOT_PERIODS - 1))]
        packets, bits = (
            sum(each.columns[name].sum(axis=0) for each in reports) for name in ("arrived", "offered_bits")
        )
    size: NDArray[np.float64] = np.divide(bits, packets, out=np.zeros(len(scenario.slices)), where=packets > 0)
    return size


def decoded(encoder: Encoder, state: Floats) -> IntArray:
    """Whole packets per slice that a state stands for, the inverse of the encoder."""
    packets: IntArray = np.rint(np.expm1(state.astype(np.float64) * np.array(encoder.scale))).astype(np.int64)
    return packets


def load_plant(text: str, scenario: Scenario) -> LearnedPlant:
    """The twin that is kept in a folder: of a training in the loop of a twin, or of ``netsim twin fit``.

    Raises
    ------
    InputError
        The folder holds no twin, or one of another network or another U.
    """
    from rl.networks import single_thread
    from twin.keeping import load_twin

    single_thread()  # also so that a seed gives the same reports on any number of cores
    return LearnedPlant(scenario, load_twin(Path(text), scenario))
