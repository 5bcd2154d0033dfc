"""The loss of an outcome model, as it reads; :mod:`twin.models.outcome_gradient` has its gradient written out."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from twin.models.outcome import OutcomeModel

CONTINUOUS_WEIGHT, DEVIATION_WEIGHT = 0.25, 0.1
"""Of the squared errors and of the deviation's likelihood in the loss, beside SSR, which U depends on most."""


class Lessons(NamedTuple):
    """What M transitions teach, in the model's scales."""

    features: Tensor
    """Shape ``(M, N, 3)``."""
    ssr: Tensor
    """Shape ``(M, N)``."""
    continuous: Tensor
    """What is predicted by squared error, shape ``(M, C)``; NaN teaches nothing."""
    utility: Tensor
    """U, or the reward where that is predicted, shape ``(M,)``, as it is."""


def outcome_loss(model: OutcomeModel, lessons: Lessons, places: Tensor) -> Tensor:
    """Of the transitions at ``places``, shape ``(E, B)``: those that each member learns from."""
    outputs = model.network(lessons.features[places])
    targets = lessons.continuous[places]
    if model.config.target == "reward":
        loss = functional.mse_loss(outputs[..., 0], targets[..., 0])
    else:
        ssr, continuous = model.parted(outputs)
        loss = functional.binary_cross_entropy_with_logits(ssr, lessons.ssr[places])
        # A latency that is not there (no packet departed) teaches nothing.
        squares = (continuous - targets.nan_to_num(0.0)).square() * ~targets.isnan()
        loss = loss + CONTINUOUS_WEIGHT * squares.mean()
    if model.config.head == "gaussian":
        # The mean is taught by what it is made of; its error here teaches the deviation alone.
        means, deviations = model.utilities_of(outputs)
        errors = ((lessons.utility[places] - means.detach()) / deviations) ** 2
        loss = loss + DEVIATION_WEIGHT * (0.5 * errors + deviations.log()).mean()
    return loss
