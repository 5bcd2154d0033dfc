"""The gradient of an outcome model's loss, written out: at these sizes autograd costs more than the arithmetic.

:func:`twin.models.outcome_loss.outcome_loss` is the loss that this is the gradient of; a test holds the two together.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from netsim.compiled import inlined, kernel
from twin.models.outcome import LEAST_DEVIATION, OutcomeModel
from twin.models.outcome_loss import CONTINUOUS_WEIGHT, DEVIATION_WEIGHT, Lessons
from twin.models.passes import Numbers, Passes

Places = NDArray[np.int64]


class OutcomeGradient:
    """dL/dtheta of a model of outcomes for B transitions of each member, in buffers of its own.

    Arrays of networks are ``(E, rows, B)``: by columns, for which the products of so small matrices are fastest.
    """

    def __init__(self, model: OutcomeModel, lessons: Lessons, batch: int) -> None:
        members = model.config.members
        self._passes = passes = Passes(model.network.stacked, batch)
        self._sigmoid = torch.empty_like(passes.outputs)
        self._softplus = passes.outputs.new_empty(len(passes.outputs), batch)
        buffers = (passes.x, passes.outputs, self._sigmoid, self._softplus, passes.gradient)
        self._by_member = [buffer.view(members, -1, batch).numpy() for buffer in buffers]
        self._features = lessons.features.flatten(1).numpy()
        self._targets = [part.numpy() for part in (lessons.ssr, lessons.continuous, lessons.utility)]
        self._rows, self._utility = model.network.rows(), _utility(model)
        self._weights = np.array(model.objective.weights)
        self._loss_weights = (
            1.0 if model.config.target == "reward" else CONTINUOUS_WEIGHT,
            DEVIATION_WEIGHT if model.config.head == "gaussian" else 0.0,
        )

    @torch.no_grad()
    def __call__(self, places: Places) -> None:
        """Write dL/dtheta of the transitions at ``places``, shape ``(E, B)``, over the parameters' ``grad``."""
        x, outputs, sigmoid, softplus, gradient = self._by_member
        ssr, continuous, utility = self._targets
        _gather(self._features, places, x)
        self._passes.forward()
        torch.sigmoid(self._passes.outputs, out=self._sigmoid)
        torch.ops.aten.softplus.out(self._passes.outputs[:, -1], out=self._softplus)
        lessons = (*self._rows, ssr, continuous, utility, places, self._weights)
        _teach(outputs, sigmoid, softplus, gradient, *lessons, *self._utility, *self._loss_weights)
        self._passes.backward()


def _utility(model: OutcomeModel) -> tuple[int, float, float, float]:
    """Which SE is in U, alpha times its unit and its mean, and the unit of the deviation; of a reward its own."""
    if model.config.target == "reward":
        return 0, float(model.continuous.deviation[0]), float(model.continuous.mean[0]), float(model.spread)
    which, alpha = int(model.objective.carried), model.objective.alpha
    scaling = model.continuous
    return which, alpha * float(scaling.deviation[which]), alpha * float(scaling.mean[which]), float(model.spread)


@kernel
def _gather(features: Numbers, places: Places, x: Numbers) -> None:
    """Each member's features: ``x[e, :, b] = features[places[e, b]]``."""
    for e in range(places.shape[0]):
        for i in range(features.shape[1]):
            for b in range(places.shape[1]):
                x[e, i, b] = features[places[e, b], i]


@kernel
def _teach(
    outputs: Numbers,
    sigmoid: Numbers,
    softplus: Numbers,
    gradient: Numbers,
    ssr_rows: Places,
    se_rows: Places,
    logarithm_rows: Places,
    ssr: Numbers,
    continuous: Numbers,
    utility: Numbers,
    places: Places,
    weights: Numbers,
    which: int,
    se_unit: float,
    se_part: float,
    spread: float,
    squares_weight: float,
    deviation_weight: float,
) -> None:
    """``gradient`` <- dL/d``outputs``, ``(E, rows, B)``; ``sigmoid``, ``softplus`` of outputs and of deviations."""
    ssr_share = 1.0 / (places.size * ssr.shape[1])
    share = 2.0 * squares_weight / (places.size * continuous.shape[1])
    deviation_share = deviation_weight / places.size
    for e in range(places.shape[0]):
        for b in range(places.shape[1]):
            at = places[e, b]
            mean = se_part + _teach_ssr(e, b, sigmoid, gradient, ssr_rows, ssr, at, weights, ssr_share)
            mean += se_unit * _teach_se(e, b, outputs, gradient, se_rows, continuous, at, which, share)
            _teach_logarithms(e, b, outputs, gradient, logarithm_rows, continuous, at, se_rows.shape[0], share)
            error = utility[at] - mean
            _teach_deviation(e, b, sigmoid, softplus, gradient, error, spread, deviation_share)


@inlined
def _teach_ssr(
    e: int,
    b: int,
    sigmoid: Numbers,
    gradient: Numbers,
    rows: Places,
    ssr: Numbers,
    at: int,
    weights: Numbers,
    share: float,
) -> float:
    """Cross-entropy of SSR with p = sigma(z): dL/dz = (p - SSR) / count. Returns the sum of beta_n p_n."""
    total = 0.0
    for n in range(rows.size):
        p = sigmoid[e, rows[n], b]
        gradient[e, rows[n], b] = (p - ssr[at, n]) * share
        total += weights[n] * p
    return total


@inlined
def _teach_se(
    e: int,
    b: int,
    outputs: Numbers,
    gradient: Numbers,
    rows: Places,
    continuous: Numbers,
    at: int,
    which: int,
    share: float,
) -> float:
    """Squared errors of both SE, sums over slices, or of a reward. Returns the one that is in U."""
    found = 0.0
    for k in range(rows.shape[0]):
        total = 0.0
        for part in range(rows.shape[1]):
            total += outputs[e, rows[k, part], b]
        slope = _slope(total, continuous[at, k], share)
        for part in range(rows.shape[1]):
            gradient[e, rows[k, part], b] = slope
        if k == which:
            found = total
    return found


@inlined
def _teach_logarithms(
    e: int,
    b: int,
    outputs: Numbers,
    gradient: Numbers,
    rows: Places,
    continuous: Numbers,
    at: int,
    first: int,
    share: float,
) -> None:
    """Squared errors of backlogs and latency, whose targets begin at ``first``."""
    for k in range(rows.size):
        target = continuous[at, first + k]
        gradient[e, rows[k], b] = _slope(outputs[e, rows[k], b], target, share)


@inlined
def _slope(found: float, target: float, share: float) -> float:
    """Of share / 2 times the squared error; 0 where the target is not known."""
    return 0.0 if np.isnan(target) else (found - target) * share


@inlined
def _teach_deviation(
    e: int,
    b: int,
    sigmoid: Numbers,
    softplus: Numbers,
    gradient: Numbers,
    error: float,
    spread: float,
    weight: float,
) -> None:
    """Likelihood of U: with d = spread r + least, r = |softplus(z)|,

    dL/dz_n = dL/dd spread softplus(z_n) / r sigma(z_n),    dL/dd = weight (1 - (error / d)^2) / d.
    """
    parts = softplus.shape[1]
    squares = 0.0
    for part in range(parts):
        squares += softplus[e, part, b] ** 2
    root = np.sqrt(squares)
    d = spread * root + LEAST_DEVIATION
    slope = weight * (1.0 - (error / d) ** 2) / d * spread
    each = gradient.shape[1] // parts
    for part in range(parts):
        row = part * each + each - 1
        share = softplus[e, part, b] / root if root > 0.0 else 0.0
        gradient[e, row, b] = slope * share * sigmoid[e, row, b]
