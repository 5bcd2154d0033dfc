"""The replay memory: what was seen, what was done, and what came of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsim.errors import RunError

Floats = NDArray[np.float32]
Array = NDArray[Any]
Arrays = Mapping[str, Array]


class Transitions(NamedTuple):
    """B transitions as arrays. Utilities, not rewards: the reward of a transition moves with the threshold."""

    states: Array
    """float32, shape ``(B, N)``."""
    actions: Array
    """Numbers of allocations, int64, shape ``(B,)``."""
    utilities: Array
    """U of the period under that allocation, float64, shape ``(B,)``."""
    next_states: Array
    """float32, shape ``(B, N)``."""


class Batch(NamedTuple):
    """B transitions to learn from, their utilities turned into rewards."""

    states: Array
    actions: Array
    rewards: Array
    """float32, shape ``(B,)``."""
    next_states: Array


class Replay:
    """The last ``capacity`` transitions, in arrays that are written round and round.

    >>> memory = Replay(2, 3)
    >>> memory.add([1.0, 1.0, 1.0], 7, 3.5, [1.0, 0.9, 1.0])
    >>> len(memory), memory.take(np.array([0])).utilities.tolist()
    (1, [3.5])
    """

    def __init__(self, capacity: int, n_inputs: int) -> None:
        self.capacity = capacity
        self.added = 0
        """Transitions ever added."""
        self._rows = Transitions(
            np.zeros((capacity, n_inputs), np.float32),
            np.zeros(capacity, np.int64),
            np.zeros(capacity),
            np.zeros((capacity, n_inputs), np.float32),
        )

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, state: ArrayLike, action: int, utility: float, next_state: ArrayLike) -> None:
        """Keep one transition in place of the oldest."""
        place = self.added % self.capacity
        rows = self._rows
        rows.states[place] = state
        rows.actions[place] = action
        rows.utilities[place] = utility
        rows.next_states[place] = next_state
        self.added += 1

    def extend(self, transitions: Transitions) -> None:
        """Keep many at once, in order."""
        newest = [array[-self.capacity :] for array in transitions]
        fitting = Transitions(*newest)
        skipped = len(transitions.actions) - len(fitting.actions)
        places = (self.added + skipped + np.arange(len(fitting.actions))) % self.capacity
        for into, array in zip(self._rows, fitting, strict=True):
            into[places] = array
        self.added += len(transitions.actions)

    def forget(self) -> None:
        """Keep nothing."""
        self.added = 0

    def take(self, places: NDArray[np.int64]) -> Transitions:
        """Copies of the transitions at some places."""
        copies = [array[places] for array in self._rows]
        return Transitions(*copies)

    def all(self) -> Transitions:
        """Copies of all there is, the oldest first."""
        first = self.added % self.capacity if self.added > self.capacity else 0
        return self.take((first + np.arange(len(self))) % max(len(self), 1))

    # -- on disk -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint keeps."""
        kept = {name: array[: len(self)] for name, array in zip(Transitions._fields, self._rows, strict=True)}
        return {**kept, "added": np.array([self.added], np.int64)}

    def restore(self, arrays: Arrays) -> None:
        """Become what :meth:`to_arrays` kept.

        Raises
        ------
        RunError
            If the arrays are not those of a memory of this capacity and width.
        """
        self.added = int(arrays["added"][0])
        for name, into in zip(Transitions._fields, self._rows, strict=True):
            stored = arrays[name]
            if stored.dtype != into.dtype or stored.shape != (len(self), *into.shape[1:]):
                raise RunError(f"replay.{name}: must be {into.dtype} of {len(self)} rows, got {stored.shape}")
            into[: len(self)] = stored
