"""When a twin is fitted anew because the network has changed: its residuals are watched (the paper's question Q2)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rl.replay import Arrays, Floats
from twin.digital_twin import DigitalTwin
from twin.drift import Alarm, DriftConfig, DriftDetector
from twin.experience import Experience
from twin.fitting import split


class Watch:
    """Watches what a network does against what its twin expects of it, period by period.

    The residuals are those of the next state, one a slice, and of U, each in units of the deviation that the twin
    expects. The reference is the held-out tail of what the twin was fitted to.
    """

    def __init__(self, config: DriftConfig) -> None:
        self._config = config
        self._twin: DigitalTwin | None = None
        self._detector: DriftDetector | None = None
        self._past: list[tuple[Floats, Floats]] = []
        self.alarm: Alarm | None = None
        """The change that was noticed, until :meth:`begin`."""

    @property
    def alarmed(self) -> bool:
        """Whether a change was noticed that no twin has been fitted to."""
        return self.alarm is not None

    def begin(self, twin: DigitalTwin, experience: Experience) -> None:
        """Watch from now on against a twin that was just fitted to an experience."""
        self._twin, self.alarm = twin, None
        tail = np.arange(split(len(experience), twin.config.outcome.fit.held_out_share), len(experience))
        places = twin.starts.contexts(tail)
        memory = twin.states.begin(*places)
        states, shares = torch.from_numpy(experience.states[tail]), torch.from_numpy(experience.shares[tail])
        reference = _residuals(twin, memory, states, shares, experience.utility[tail], experience.next_states[tail])
        self._detector = DriftDetector(reference, self._config)
        length = twin.config.state.context
        recent = slice(max(0, len(experience) - length), None)
        self._past = list(zip(experience.states[recent], experience.shares[recent], strict=True))

    def see(self, state: Floats, shares: Floats, utility: float, next_state: Floats) -> None:
        """Compare a period with what was expected of it."""
        if self._twin is None or self._detector is None or self.alarmed:
            return
        n, length = len(state), self._twin.config.state.context
        past = [np.array([each[i] for each in self._past], np.float32).reshape(1, -1, n) for i in range(2)]
        there = torch.ones(1, len(self._past), dtype=torch.bool)
        memory = self._twin.states.begin(torch.from_numpy(past[0]), torch.from_numpy(past[1]), there)
        here, given = (torch.from_numpy(each[None]) for each in (state, shares))
        residuals = _residuals(self._twin, memory, here, given, np.array([utility]), next_state[None])
        self.alarm = self._detector.update(residuals[0])
        self._past = [*self._past, (state, shares)][-length:] if length else []

    # -- keeping -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The detector, what it has seen last, and the alarm; nothing before there is a twin."""
        if self._detector is None:
            return {}
        past = {name: np.array([each[i] for each in self._past]) for i, name in enumerate(("states", "shares"))}
        lasted = np.array([-1 if self.alarm is None else self.alarm.lasted_periods], np.int64)
        detector = {f"detector/{name}": array for name, array in self._detector.to_arrays().items()}
        return {**past, "lasted": lasted, **detector}

    def restore(self, arrays: Arrays, twin: DigitalTwin | None) -> None:
        """Become what :meth:`to_arrays` gave, of the same twin."""
        if not arrays:
            return
        kept = {name.removeprefix("detector/"): array for name, array in arrays.items() if name.startswith("detector/")}
        self._twin, self._detector = twin, DriftDetector.from_arrays(kept, self._config)
        self._past = list(zip(arrays["states"], arrays["shares"], strict=True))
        lasted = int(arrays["lasted"][0])
        self.alarm = None if lasted < 0 else Alarm(0, "up", 0.0, 0.0, lasted)


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
