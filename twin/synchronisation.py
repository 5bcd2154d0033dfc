"""When a twin is fitted anew because the network has changed: its residuals are watched (the paper's question Q2)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rl.replay import Arrays, Floats
from twin.digital_twin import DigitalTwin
from twin.drift import DIRECTIONS, Alarm, DriftConfig, DriftDetector
from twin.experience import Experience
from twin.fitting import split

REFERENCE = 100
"""Periods that a chart begins with. Shorter references take what is new for what is normal."""


class Watch:
    """Watches what a network does against what its twin expects of it, period by period.

    The residuals are those of the next state, one a slice, and of U, each in units of the deviation that the twin
    expects. The reference is the held-out tail of what the twin was fitted to, and the first periods after the fit
    until there are a hundred: those show how far off the twin is where the agent goes.
    """

    def __init__(self, config: DriftConfig) -> None:
        self._config = config
        self._twin: DigitalTwin | None = None
        self._detector: DriftDetector | None = None
        self._reference: list[NDArray[np.float64]] = []
        self._past: list[tuple[Floats, Floats]] = []
        self.alarm: Alarm | None = None
        """The change that was noticed, until :meth:`begin` or :meth:`end`."""

    @property
    def alarmed(self) -> bool:
        """Whether a change was noticed that no twin has been fitted to."""
        return self.alarm is not None

    def begin(self, twin: DigitalTwin, experience: Experience) -> None:
        """Watch from now on against a twin that was just fitted to an experience."""
        self._twin, self._detector, self.alarm = twin, None, None
        held_out = (each.fit.held_out_share for each in (twin.config.state, twin.config.outcome))
        tail = np.arange(max(split(len(experience), share) for share in held_out), len(experience))
        memory = twin.states.begin(*twin.starts.contexts(tail))
        states, shares = torch.from_numpy(experience.states[tail]), torch.from_numpy(experience.shares[tail])
        rows = _residuals(twin, memory, states, shares, experience.utility[tail], experience.next_states[tail])
        self._reference = list(rows[-REFERENCE:])
        length = twin.config.state.context
        recent = slice(max(0, len(experience) - length), None)
        self._past = list(zip(experience.states[recent], experience.shares[recent], strict=True))

    def end(self) -> None:
        """Watch nothing until there is another twin."""
        self._twin, self._detector, self.alarm = None, None, None
        self._reference, self._past = [], []

    def see(self, state: Floats, shares: Floats, utility: float, next_state: Floats) -> None:
        """Compare a period with what was expected of it."""
        if self._twin is None or self.alarmed:
            return
        n, length = len(state), self._twin.config.state.context
        past = [np.array([each[i] for each in self._past], np.float32).reshape(1, -1, n) for i in range(2)]
        there = torch.ones(1, len(self._past), dtype=torch.bool)
        memory = self._twin.states.begin(torch.from_numpy(past[0]), torch.from_numpy(past[1]), there)
        here, given = (torch.from_numpy(each[None]) for each in (state, shares))
        [row] = _residuals(self._twin, memory, here, given, np.array([utility]), next_state[None])
        self._past = [*self._past, (state, shares)][-length:] if length else []
        self._compare(row)

    def _compare(self, row: NDArray[np.float64]) -> None:
        if self._detector is None and len(self._reference) < REFERENCE:
            self._reference.append(row)
            return
        if self._detector is None:
            self._detector = DriftDetector(np.array(self._reference), self._config)
        self.alarm = self._detector.update(row)

    # -- keeping -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Reference, detector, what was seen last, and the alarm; nothing before there is a twin."""
        if self._twin is None:
            return {}
        past = {name: np.array([each[i] for each in self._past]) for i, name in enumerate(("states", "shares"))}
        detector = {} if self._detector is None else self._detector.to_arrays()
        return {
            **past,
            "reference": np.array(self._reference),
            "alarm": np.array([] if self.alarm is None else _as_numbers(self.alarm)),
            **{f"detector/{name}": array for name, array in detector.items()},
        }

    def restore(self, arrays: Arrays, twin: DigitalTwin | None) -> None:
        """Become what :meth:`to_arrays` gave, of the same twin."""
        if not arrays:
            return
        self._twin, self._reference = twin, list(arrays["reference"])
        kept = {name.removeprefix("detector/"): array for name, array in arrays.items() if name.startswith("detector/")}
        self._detector = DriftDetector.from_arrays(kept, self._config) if kept else None
        self._past = list(zip(arrays["states"], arrays["shares"], strict=True))
        self.alarm = _from_numbers(arrays["alarm"].tolist()) if len(arrays["alarm"]) else None


def _as_numbers(alarm: Alarm) -> list[float]:
    way = DIRECTIONS.index(alarm.direction)
    return [alarm.channel, way, alarm.statistic, alarm.threshold, alarm.lasted_periods]


def _from_numbers(kept: list[float]) -> Alarm:
    channel, way, statistic, threshold, lasted = kept
    return Alarm(int(channel), DIRECTIONS[int(way)], statistic, threshold, int(lasted))


def _residuals(
    twin: DigitalTwin,
    memory: Any,
    states: torch.Tensor,
    shares: torch.Tensor,
    utilities: NDArray[np.float64],
    next_states: Floats,
) -> NDArray[np.float64]:
    """Residuals of B periods, shape ``(B, N + 1)``."""
    following, utility = twin.states.advance(memory, states, shares), twin.outcomes.utility(states, shares)
    deviations = following.deviation.clamp_min(1e-3)  # a point head knows none
    of_states = (torch.from_numpy(next_states) - following.mean) / deviations
    of_utility = (torch.from_numpy(utilities) - utility.mean) / utility.deviation
    return torch.cat([of_states.double(), of_utility.double()[:, None]], dim=1).numpy()
