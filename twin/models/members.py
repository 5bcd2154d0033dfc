"""The networks of an outcome model: E members side by side, each of one network for all slices or of one a slice."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

PER_SLICE = 3
"""Logarithms that are predicted for a slice: backlog in packets, in bits, and latency."""
SE = 2
"""Spectral efficiencies: capacity and carried."""


class Stacked(torch.nn.Module):
    """K networks of one shape, run side by side: ``(K, B, inputs)`` to ``(K, B, outputs)``."""

    def __init__(self, count: int, sizes: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise(sizes))
        self.weights = torch.nn.ParameterList(torch.empty(count, n_out, n_in) for n_in, n_out in pairs)
        self.bias = torch.nn.ParameterList(torch.zeros(count, 1, n_out) for _, n_out in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of all networks."""
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.bias, strict=True)):
            x = torch.baddbmm(bias, x, weight.transpose(1, 2))
            x = x if i == last else functional.silu(x)
        return x


class Rows(NamedTuple):
    """Which of a member's network outputs its cell outputs are made of; each network's last is a deviation."""

    ssr: NDArray[np.int64]
    """Shape ``(N,)``."""
    se: NDArray[np.int64]
    """Shape ``(2, parts)``: a sum. Where a reward alone is predicted it stands here, shape ``(1, 1)``."""
    logarithms: NDArray[np.int64]
    """Shape ``(3 N,)``: packets, bits and latency of all slices."""


class Joint(torch.nn.Module):
    """Members that see all slices at once: the outcome of a slice may depend on what the others were given.

    From features of shape ``(E, B, N, 3)`` to ``(E, B, outputs + 1)``; the last output is a deviation, above 0.
    """

    def __init__(self, members: int, n_slices: int, hidden: Sequence[int], outputs: int) -> None:
        super().__init__()
        self._n, self._outputs = n_slices, outputs
        self.stacked = Stacked(members, [3 * n_slices, *hidden, outputs + 1])

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of all members."""
        outputs = self.stacked(x.flatten(2))
        return torch.cat([outputs[..., :-1], functional.softplus(outputs[..., -1:])], dim=-1)

    def brief(self, x: Tensor) -> Tensor:
        """What a utility is made of is among them."""
        return self(x)  # type: ignore[no-any-return]

    def rows(self) -> Rows:
        """They are in the order of the cell's outputs."""
        every = np.arange(self._outputs)
        cuts = [0, 1] if self._outputs == 1 else [self._n, self._n + SE]
        ssr, se, logarithms = np.split(every, cuts)
        return Rows(ssr, se[:, None], logarithms)


class Sliced(torch.nn.Module):
    """Members that see each slice by itself.

    A slice has blocks of its own and shares none, so its SSR, backlog and latency depend on its own load and share
    alone, and spectral efficiencies and variances are sums over slices. Few periods then tell much, also of allocations
    that are far from those that were played.
    """

    def __init__(self, members: int, n_slices: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self._shape = members, n_slices
        self.stacked = Stacked(members * n_slices, [3, *hidden, 1 + SE + PER_SLICE + 1])

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of all members, as :class:`Joint` has them."""
        each = self._of_slices(x)
        return _together(each, each[..., 1 + SE : -1].transpose(2, 3).flatten(2))

    def brief(self, x: Tensor) -> Tensor:
        """The same, the logarithms left out."""
        each = self._of_slices(x)
        return _together(each, each.new_empty(*each.shape[:2], 0))

    def rows(self) -> Rows:
        """Slice by slice, of each SSR, SE, logarithms and deviation."""
        _, n = self._shape
        each = np.arange(n * (1 + SE + PER_SLICE + 1)).reshape(n, -1).T
        return Rows(each[0].copy(), each[1 : 1 + SE].copy(), each[1 + SE : -1].flatten())

    def of_all(self, x: Tensor, which: Tensor) -> Iterator[Tensor]:
        """Outputs for A allocations in each of B states, the logarithms left out: ``(E, A, N + SE + 1)`` at a time.

        A slice's own outputs depend on nothing but its own load and share, of which there are few: ``x`` of shape
        ``(E, B, K, N, 3)`` has every share, and ``which`` of shape ``(A, N)`` says which of the K an allocation gives.
        """
        states, levels = x.shape[1:3]
        each = self._of_slices(x.flatten(1, 2))
        each = torch.cat([each[..., : 1 + SE], functional.softplus(each[..., -1:]).square()], dim=-1)
        tables = each.reshape(len(x), states, levels, *each.shape[2:]).unbind(3)
        for b in range(states):
            given = [table[:, b].index_select(1, which[:, n]) for n, table in enumerate(tables)]
            se, squares = torch.split(_sum([part[..., 1:] for part in given]), [SE, 1], dim=-1)
            yield torch.cat([*(part[..., :1] for part in given), se, squares.sqrt()], dim=-1)

    def _of_slices(self, x: Tensor) -> Tensor:
        """Outputs of each slice's networks, shape ``(E, B, N, outputs)``."""
        members, n = self._shape
        outputs: Tensor = self.stacked(x.transpose(1, 2).flatten(0, 1))
        return outputs.view(members, n, *outputs.shape[1:]).transpose(1, 2)


def _sum(parts: Sequence[Tensor]) -> Tensor:
    """Of a few tensors, which torch adds up far sooner one by one than along a short dimension."""
    return reduce(torch.add, parts)


def _together(each: Tensor, logarithms: Tensor) -> Tensor:
    """A cell's outputs from those of its slices."""
    # The root of the sum of squares; torch takes thirty times as long for its norm of so few.
    deviation = functional.softplus(each[..., -1]).square().sum(dim=2, keepdim=True).sqrt()
    return torch.cat([each[..., 0], each[..., 1 : 1 + SE].sum(dim=2), logarithms, deviation], dim=-1)
