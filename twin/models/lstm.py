"""A long short-term memory (Hochreiter and Schmidhuber, 1997), the paper's model of the next state.

Training goes through ``torch.nn.LSTM``. Step by step the same weights are used in another arrangement: one product for
all gates from [h, x], and the logistic function alone, since tanh(x) = 2 sigma(2 x) - 1 and torch is several times
slower at tanh. The factors 2 are in the weights, so what is carried on is h / 2 and 2 c.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rl.networks import wide_linear


class Lstm(torch.nn.Module):
    """Outputs for each element of a sequence, from it and those before it."""

    def __init__(self, inputs: int, hidden: int, outputs: int, linear: bool) -> None:
        """With ``linear`` the head sees [h, x], otherwise h alone."""
        super().__init__()
        self.linear = linear
        self.lstm = torch.nn.LSTM(inputs, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden + inputs * linear, outputs)

    @torch.no_grad()
    def start(self) -> None:
        """Begin where nothing is forgotten at once and every output is 0; other weights stay as they were drawn."""
        _, _, bias, other_bias = self.gates()
        for vector in (bias, other_bias, self.head.weight, self.head.bias):
            vector.zero_()
        bias.chunk(4)[1].fill_(1.0)

    def gates(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights of x and of h, and their biases, in rows for the gates i, f, g and o."""
        named = dict(self.lstm.named_parameters())
        return named["weight_ih_l0"], named["weight_hh_l0"], named["bias_ih_l0"], named["bias_hh_l0"]

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """Outputs of shape ``(B, L, outputs)`` for ``x`` of shape ``(B, L, inputs)``.

        Elements that are not ``there``, shape ``(B, L)``, precede those that are; their outputs mean nothing.
        """
        missing = (~there).sum(dim=1, keepdim=True)
        if not missing.any():
            return self._outputs(x)
        places, rows = torch.arange(x.shape[1]), torch.arange(len(x))[:, None]
        first = self._outputs(x[rows, (places + missing) % len(places)])
        return first[rows, (places - missing) % len(places)]

    def _outputs(self, x: Tensor) -> Tensor:
        h = self.lstm(x)[0]
        outputs: Tensor = self.head(torch.cat([h, x], dim=-1) if self.linear else h)
        return outputs


@dataclass(frozen=True)
class LstmMemory:
    """What is carried from one element of a sequence to the next, for B sequences."""

    joined: Tensor
    """[h / 2, x], shape ``(B, hidden + inputs)``."""
    half: Tensor
    """h / 2, a view of ``joined``."""
    inputs: Tensor
    """x, a view of ``joined``: where the next element is written."""
    doubled: Tensor
    """2 c, shape ``(B, hidden)``."""
    squashed: Tensor
    """Room for sigma(2 c) - 1/2."""
    gates: Tensor
    """Room for i, f, sigma(2 g) and o, shape ``(B, 4 hidden)``."""

    @classmethod
    def of(cls, joined: Tensor, doubled: Tensor) -> "LstmMemory":
        """With views and room for B rows."""
        hidden = doubled.shape[1]
        half, inputs = joined[:, :hidden], joined[:, hidden:]
        return cls(
            joined, half, inputs, doubled, torch.empty_like(doubled), doubled.new_empty(len(doubled), 4 * hidden)
        )

    def rows(self, places: Tensor) -> "LstmMemory":
        """Copies of some of the sequences, and of one as often as it is named."""
        return LstmMemory.of(self.joined[places], self.doubled[places])


class LstmSteps:
    """An :class:`Lstm` element by element, without gradients."""

    @torch.no_grad()
    def __init__(self, network: Lstm) -> None:
        of_x, of_h, bias, other_bias = network.gates()
        self._inputs, self._hidden = of_x.shape[1], of_h.shape[1]
        self._weight, self._bias = torch.cat([2.0 * of_h, of_x], dim=1), bias + other_bias
        for each in (self._weight, self._bias):
            each.chunk(4)[2].mul_(2.0)
        self._head_weight, self._head_bias = network.head.weight.t().clone(), network.head.bias.clone()
        self._head_weight[: self._hidden].mul_(2.0)

    def begin(self, x: Tensor, there: Tensor) -> LstmMemory:
        """After sequences of shape ``(B, L, inputs)``, L from 0, which have what is ``there``, shape ``(B, L)``."""
        memory = self._empty(len(x))
        for element, present in zip(x.unbind(1), there.unbind(1), strict=True):
            memory.inputs.copy_(element)
            self._step(memory)
            if not present.all():
                memory.half.mul_(present[:, None])
                memory.doubled.mul_(present[:, None])
        return memory

    def advance(self, memory: LstmMemory) -> Tensor:
        """Outputs of shape ``(B, outputs)`` for the element in ``memory.inputs``. Updates ``memory``."""
        self._step(memory)
        return torch.addmm(self._head_bias, memory.joined[:, : len(self._head_weight)], self._head_weight)

    def _empty(self, rows: int) -> LstmMemory:
        return LstmMemory.of(torch.zeros(rows, self._hidden + self._inputs), torch.zeros(rows, self._hidden))

    def _step(self, memory: LstmMemory) -> None:
        """c <- f c + i tanh(g), h <- o tanh(c)."""
        gates = wide_linear(memory.joined, self._weight, self._bias, memory.gates).sigmoid_()
        i, f, g, o = gates.chunk(4, dim=1)
        memory.doubled.mul_(f).addcmul_(i, g, value=4.0).sub_(i, alpha=2.0)
        squashed = torch.sigmoid(memory.doubled, out=memory.squashed).sub_(0.5)
        torch.mul(o, squashed, out=memory.half)
