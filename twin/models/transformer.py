"""A causal Transformer (Vaswani et al., 2017), in which an element looks back at the window's last ones.

Positions enter as a learned number per head and distance that is added to the scores, so only distances count and a
sequence may go on for ever. Blocks normalise before each part (Xiong et al., 2020).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

EXPANSION = 2
"""Width of a block's hidden layer over that of its elements."""


class Block(torch.nn.Module):
    """h + attention(norm(h)), then h + W max(0, norm(h) W') of that."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.ask, self.tell = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        self.up, self.down = torch.nn.Linear(width, EXPANSION * width), torch.nn.Linear(EXPANSION * width, width)
        self.distances_bias = torch.nn.Parameter(torch.zeros(heads, window))

    def asked(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of shape ``(B, heads, L, width / heads)`` for ``h`` of shape ``(B, L, width)``."""
        parts = self.ask(self.before(h)).view(*h.shape[:2], 3, self.heads, h.shape[2] // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        return q / math.sqrt(q.shape[-1]), k, v

    def told(self, h: Tensor, seen: Tensor) -> Tensor:
        """The block's output from its input and what each head saw, shape ``(B, heads, L, width / heads)``."""
        h = h + self.tell(seen.transpose(1, 2).flatten(2))
        out: Tensor = h + self.down(torch.relu(self.up(self.between(h))))
        return out


class Transformer(torch.nn.Module):
    """Outputs for each element of a sequence, from it and the ``window - 1`` before it."""

    def __init__(
        self, inputs: int, width: int, heads: int, layers: int, window: int, outputs: int, linear: bool
    ) -> None:
        """With ``linear`` the head sees the element itself beside what the blocks made of it."""
        super().__init__()
        self.window, self.linear = window, linear
        self.embed = torch.nn.Linear(inputs, width)
        self.blocks = tuple(Block(width, heads, window) for _ in range(layers))
        self.block = torch.nn.ModuleList(self.blocks)
        self.norm = torch.nn.LayerNorm(width)
        self.head = torch.nn.Linear(width + inputs * linear, outputs)

    @torch.no_grad()
    def start(self) -> None:
        """Begin where distance does not matter and every output is 0; other weights stay as they were drawn."""
        for block in self.blocks:
            block.distances_bias.zero_()
        self.head.weight.zero_()
        self.head.bias.zero_()

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """Outputs of shape ``(B, L, outputs)`` for ``x`` of shape ``(B, L, inputs)``.

        Elements that are not ``there``, shape ``(B, L)``, are seen by none but themselves.
        """
        return self.outputs(self.encoded(x, there)[0], x)

    def outputs(self, h: Tensor, x: Tensor) -> Tensor:
        """What is said of elements ``x``, shape ``(..., inputs)``, of which the last block made ``h``."""
        seen = self.norm(h)
        outputs: Tensor = self.head(torch.cat([seen, x], dim=-1) if self.linear else seen)
        return outputs

    def encoded(self, x: Tensor, there: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """The last block's output, shape ``(B, L, width)``, and every block's keys and values."""
        places = torch.arange(x.shape[1])
        distance = places[:, None] - places
        itself, near = distance == 0, (distance >= 0) & (distance < self.window)
        seen = near & (there[:, None, :] | itself)
        hidden = torch.zeros(seen.shape).masked_fill_(~seen, -math.inf)[:, None]
        h, kept = self.embed(x), []
        for block in self.blocks:
            q, k, v = block.asked(h)
            scores = q @ k.transpose(-1, -2) + block.distances_bias[:, distance.clamp(0, self.window - 1)] + hidden
            h = block.told(h, scores.softmax(dim=-1) @ v)
            kept.append((k, v))
        return h, kept


@dataclass
class TransformerMemory:
    """Keys and values of the last elements of B sequences, each block's; the oldest give way to the newest."""

    inputs: Tensor
    """Where the next element is written, shape ``(B, inputs)``."""
    keys: list[Tensor]
    """Of each block, shape ``(B, heads, window, width / heads)``."""
    values: list[Tensor]
    hidden: Tensor
    """0 where an element is kept, -inf where there is none, shape ``(B, 1, 1, window)``."""
    elements: int
    """How many have been seen; number e is kept in place e modulo the window."""

    def rows(self, places: Tensor) -> "TransformerMemory":
        """Copies of some of the sequences, and of one as often as it is named."""
        keys, values = ([each[places] for each in kept] for kept in (self.keys, self.values))
        return TransformerMemory(self.inputs[places], keys, values, self.hidden[places], self.elements)


class TransformerSteps:
    """A :class:`Transformer` element by element, without gradients."""

    def __init__(self, network: Transformer) -> None:
        self._network = network
        self._places = torch.arange(network.window)

    def begin(self, x: Tensor, there: Tensor) -> TransformerMemory:
        """After sequences of shape ``(B, L, inputs)``, L from 0, which have what is ``there``, shape ``(B, L)``."""
        rows, length, inputs = x.shape
        first, window = max(0, length - self._network.window), self._network.window
        memory = self._empty(rows, inputs)
        memory.elements = length
        places = torch.arange(first, length) % window
        memory.hidden[..., places] = torch.where(there[:, first:], 0.0, -math.inf)[:, None, None]
        for i, (k, v) in enumerate(self._network.encoded(x, there)[1]):
            memory.keys[i][:, :, places] = k[:, :, first:]
            memory.values[i][:, :, places] = v[:, :, first:]
        return memory

    def advance(self, memory: TransformerMemory) -> Tensor:
        """Outputs of shape ``(B, outputs)`` for the element in ``memory.inputs``. Updates ``memory``."""
        network, place = self._network, memory.elements % self._network.window
        distance = (place - self._places) % network.window
        memory.hidden[..., place] = 0.0
        memory.elements += 1
        h = network.embed(memory.inputs)[:, None]
        for block, keys, values in zip(network.blocks, memory.keys, memory.values, strict=True):
            q, keys[:, :, place : place + 1], values[:, :, place : place + 1] = block.asked(h)
            scores = q @ keys.transpose(-1, -2) + block.distances_bias[:, None, distance] + memory.hidden
            h = block.told(h, scores.softmax(dim=-1) @ values)
        return network.outputs(h[:, 0], memory.inputs)

    def _empty(self, rows: int, inputs: int) -> TransformerMemory:
        network = self._network
        width, heads = network.embed.out_features, network.blocks[0].heads
        kept = torch.zeros(2, len(network.blocks), rows, heads, network.window, width // heads)
        hidden = torch.full((rows, 1, 1, network.window), -math.inf)
        return TransformerMemory(torch.zeros(rows, inputs), list(kept[0]), list(kept[1]), hidden, 0)
