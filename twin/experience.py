"""What a twin learns from: transitions of a history, in the states that agents see."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.errors import InputError
from netsim.report import PeriodReport
from rl.observation import Encoder
from rl.replay import Arrays
from twin.history import History

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Experience:
    """M transitions in order: in state s_t the next period was given w_(t+1); it brought an outcome and s_(t+1).

    Arrays have a row per transition, those of slices a column per slice.
    """

    states: Floats
    """s_t as agents see it, log(1 + arrived) / scale, shape ``(M, N)``."""
    shares: Floats
    """w_(t+1) / W, shape ``(M, N)``."""
    next_states: Floats
    """s_(t+1), shape ``(M, N)``."""
    ssr: Floats
    """Of period t + 1, shape ``(M, N)``; so are all that follow."""
    backlog_packets: Floats
    backlog_bits: Floats
    latency_mean_ms: Floats
    """NaN where no packet departed."""
    se_capacity: NDArray[np.float64]
    """Shape ``(M,)``; so are the rest."""
    se_carried: NDArray[np.float64]
    utility: NDArray[np.float64]
    begins: NDArray[np.bool_]
    """True where a transition does not follow from the one before it."""

    def __len__(self) -> int:
        return len(self.utility)

    @classmethod
    def of(cls, history: History, encoder: Encoder) -> "Experience":
        """The transitions of a history.

        Raises
        ------
        InputError
            It has none: a run of one period leads nowhere.
        """
        before = history.starts
        if not len(before):
            raise InputError("a history without two periods in a row has no transition to learn from")
        after, states = before + 1, encoder(history.arrived)
        per_slice = {
            name: np.asarray(getattr(history, name)[after], np.float32)
            for name in ("ssr", "backlog_packets", "backlog_bits", "latency_mean_ms")
        }
        return cls(
            states=states[before],
            shares=np.asarray(history.shares[after], np.float32),
            next_states=states[after],
            **per_slice,
            se_capacity=history.se_capacity[after],
            se_carried=history.se_carried[after],
            utility=history.utility[after],
            begins=np.concatenate([[True], before[1:] != before[:-1] + 1]),
        )

    def contexts(self, length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """For each transition the ``length`` transitions up to it, itself last: rows, and which of them are there.

        Both of shape ``(M, length)``; before the beginning of a run there is nothing, and rows there are 0.
        """
        steps = np.arange(len(self))
        first = np.maximum.accumulate(np.where(self.begins, steps, 0))
        rows = steps[:, None] + np.arange(1 - length, 1)
        there = rows >= first[:, None]
        return np.where(there, rows, 0), there


_OF_REPORT = ("ssr", "backlog_packets", "backlog_bits", "latency_mean_ms", "se_capacity", "se_carried", "utility")


class Log:
    """The newest ``capacity`` transitions of one network in order, as they come in."""

    def __init__(self, n_slices: int, capacity: int) -> None:
        self._rows: deque[tuple[Floats, Floats, Floats, list[NDArray[np.float64]]]] = deque(maxlen=capacity)
        self._n = n_slices

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, state: Floats, shares: Floats, report: PeriodReport, next_state: Floats) -> None:
        """Keep a transition: in ``state`` the period of ``report`` was given ``shares`` and led to ``next_state``."""
        outcome = [np.array(getattr(report, name), np.float64) for name in _OF_REPORT]
        self._rows.append((state, shares, next_state, outcome))

    def keep(self, count: int) -> None:
        """Forget all but the newest ``count``."""
        while len(self._rows) > count:
            self._rows.popleft()

    def experience(self) -> Experience:
        """All transitions that are kept."""
        return Experience(**self.to_arrays())

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The fields of an :class:`Experience`."""
        states, shares, next_states = (
            np.array([row[i] for row in self._rows], np.float32).reshape(-1, self._n) for i in range(3)
        )
        outcomes = {name: np.array([row[3][i] for row in self._rows]) for i, name in enumerate(_OF_REPORT)}
        for name in _OF_REPORT[:4]:
            outcomes[name] = outcomes[name].astype(np.float32).reshape(-1, self._n)
        begins = np.ones(len(self), bool)
        begins[1:] = (states[1:] != next_states[:-1]).any(axis=1)  # another controller decided between
        return {"states": states, "shares": shares, "next_states": next_states, "begins": begins, **outcomes}

    def restore(self, arrays: Arrays) -> None:
        """Become what :meth:`to_arrays` gave."""
        outcomes = [[arrays[name][i] for name in _OF_REPORT] for i in range(len(arrays["states"]))]
        three = (arrays["states"], arrays["shares"], arrays["next_states"])
        self._rows.clear()
        self._rows.extend((*row, outcome) for *row, outcome in zip(*three, outcomes, strict=True))
