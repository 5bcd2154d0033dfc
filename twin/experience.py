"""What a twin learns from: transitions of a history, in the states that agents see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsim.errors import InputError
from rl.observation import Encoder
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
