"""Both passes through the networks of an outcome model, written out.

At batches of a hundred the bookkeeping of autograd costs as much as the arithmetic.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netsim.compiled import kernel
from twin.models.members import Stacked

Numbers = NDArray[np.floating[Any]]


class Passes:
    """Both passes through stacked networks with their gradients written out, for B columns at a time.

    With h_0 = x, z_i = W_i h_(i-1) + b_i and s_i = sigma(z_i), the output of a layer is h_i = z_i s_i, that of the last
    one z_i, and

        dL/dz_i = dL/dh_i (s_i + h_i (1 - s_i)),    dL/dh_(i-1) = W_i' dL/dz_i,

        dL/dW_i = dL/dz_i h_(i-1)',    dL/db_i = dL/dz_i 1.
    """

    def __init__(self, stacked: Stacked, batch: int) -> None:
        self._weights, self._biases = list(stacked.weights), list(stacked.bias)
        count, _, inputs = self._weights[0].shape
        self.x = self._weights[0].new_empty(count, inputs, batch)
        """Inputs, shape ``(K, inputs, B)``."""
        self._h = [weight.new_empty(*weight.shape[:2], batch) for weight in self._weights]
        self._s, self._gradients = ([torch.empty_like(h) for h in self._h] for _ in range(2))
        self.outputs: Tensor = self._h[-1]
        """Of the last layer, shape ``(K, outputs, B)``."""
        self.gradient: Tensor = self._gradients[-1]
        """dL/d(outputs), to be written before :meth:`backward`."""

    @torch.no_grad()
    def forward(self) -> None:
        """Write ``outputs`` for ``x``."""
        below, last = self.x, len(self._h) - 1
        for i, (weight, bias, h, s) in enumerate(zip(self._weights, self._biases, self._h, self._s, strict=True)):
            torch.baddbmm(bias.transpose(1, 2), weight, below, out=h)
            if i < last:
                torch.sigmoid(h, out=s)
                h.mul_(s)
            below = h

    @torch.no_grad()
    def backward(self) -> None:
        """From ``gradient`` write dL/d(weights) and dL/d(biases) over their ``grad``."""
        for i in reversed(range(len(self._h))):
            weight, grad = self._weights[i], self._gradients[i]
            below = self._h[i - 1] if i else self.x
            torch.bmm(grad, below.transpose(1, 2), out=weight.grad)
            torch.sum(grad, 2, keepdim=True, out=self._biases[i].grad.transpose(1, 2))
            if i:
                torch.bmm(weight.transpose(1, 2), grad, out=self._gradients[i - 1])
                parts = (self._gradients[i - 1], self._h[i - 1], self._s[i - 1])
                _back_through_silu(*(part.view(-1).numpy() for part in parts))


@kernel
def _back_through_silu(gradient: Numbers, h: Numbers, s: Numbers) -> None:
    """``gradient`` times the derivative of h = z s, s = sigma(z)."""
    for i in range(gradient.size):
        # Without a constant, which would be a double and so make all of this one.
        gradient[i] *= s[i] + (h[i] - h[i] * s[i])
