"""Networks whose parameters are one flat vector, with their gradients written out.

One vector makes the optimiser, the target network, the averages of eq. 8 and the directions of eq. 11 single
operations. The backward passes are those of textbooks; written out, they save the bookkeeping of autograd, which costs
more than the arithmetic at batches of 32, and touch only the rows of a head that were chosen. Each agent also has its
loss in plain autograd form, and a test holds the two together.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from rl import draws

Shapes = Mapping[str, tuple[int, ...]]


def mlp_shapes(name: str, sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of fully connected layers: ``name.0.weight`` of shape ``(out, in)``, ``name.0.bias``, ..."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        shapes |= {f"{name}.{i}.weight": (n_out, n_in), f"{name}.{i}.bias": (n_out,)}
    return shapes


class Parameters(Mapping[str, Tensor]):
    """Named tensors that are views of one flat vector.

    >>> parameters = Parameters(mlp_shapes("head", [2, 3]))
    >>> list(parameters), parameters.flat.shape
    (['head.0.weight', 'head.0.bias'], torch.Size([9]))
    """

    def __init__(self, shapes: Shapes, flat: Tensor | None = None) -> None:
        """Lay named tensors over ``flat``, which keeps its gradient history, or over zeros."""
        self.shapes = dict(shapes)
        size = sum(math.prod(shape) for shape in self.shapes.values())
        self.flat = torch.zeros(size) if flat is None else flat
        self._views: dict[str, Tensor] = {}
        begin = 0
        for name, shape in self.shapes.items():
            end = begin + math.prod(shape)
            self._views[name] = self.flat[begin:end].view(shape)
            begin = end

    def __getitem__(self, name: str) -> Tensor:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def like(self, flat: Tensor) -> "Parameters":
        """The same names over another vector."""
        return Parameters(self.shapes, flat)

    @classmethod
    def drawn(cls, shapes: Shapes, seed: int, whose: str, device: torch.device, dtype: torch.dtype) -> "Parameters":
        """Weights and biases uniform within 1 / sqrt(inputs of the layer), as torch draws its linear layers."""
        made = cls(shapes)
        u = draws.uniform(seed, draws.WEIGHTS, 0, made.flat.numel(), whose)
        made.flat.copy_(torch.from_numpy(2.0 * u - 1.0))
        for name in made:
            fan_in = made.shapes[f"{name.rpartition('.')[0]}.weight"][-1]
            made[name].mul_(1.0 / math.sqrt(fan_in))
        return made.like(made.flat.to(device, dtype))


class Layers:
    """Layers that are each followed by max(0, .): forward keeps what backward needs.

    With h_0 = x and h_i = max(0, h_(i-1) W_i' + b_i), shapes ``(B, sizes[i])``.
    """

    def __init__(self, parameters: Parameters, name: str, batch: int, depth: int | None = None) -> None:
        """Use the layers ``name.0``, ``name.1``, ..., or the first ``depth`` of them, for up to ``batch`` rows."""
        self._names = layer_names(parameters, name)[:depth]
        self._weights = [parameters[f"{each}.weight"] for each in self._names]
        self._biases = [parameters[f"{each}.bias"] for each in self._names]
        self.outputs = [weight.new_empty(batch, len(weight)) for weight in self._weights]
        """Of each layer, shape ``(batch, width)``; the first rows are those of the last call."""
        self._x = parameters.flat.new_empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """The last layer's output for ``x`` of shape ``(B, sizes[0])``; valid until the next call."""
        self._x = x
        for weight, bias, buffer in zip(self._weights, self._biases, self.outputs, strict=True):
            out = buffer[: len(x)]
            torch.addmm(bias, x, weight.t(), out=out)
            x = out.relu_()
        return x

    def backward(self, grad: Tensor, gradients: Parameters) -> Tensor:
        """From dL/d(output) write dL/d(parameters) over ``gradients``; return dL/d(inputs of the first layer, W x + b).

        The loss may depend on the first rows of the output only: those of ``grad``, which is changed.
        """
        rows = len(grad)
        for i in reversed(range(len(self._names))):
            name, h = self._names[i], self.outputs[i][:rows]
            below = self.outputs[i - 1][:rows] if i else self._x[:rows]
            torch.ops.aten.threshold_backward.grad_input(grad, h, 0, grad_input=grad)
            torch.mm(grad.t(), below, out=gradients[f"{name}.weight"])
            torch.sum(grad, 0, out=gradients[f"{name}.bias"])
            if i:
                grad = grad @ self._weights[i]
        return grad


def layer_names(parameters: Parameters, name: str) -> list[str]:
    """``name.0``, ``name.1``, ... as far as there are weights."""
    count = sum(key.startswith(f"{name}.") and key.endswith(".weight") for key in parameters)
    return [f"{name}.{i}" for i in range(count)]


def relu_layers(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """The same as :meth:`Layers.forward`, in the form that autograd follows."""
    for each in layer_names(parameters, name):
        x = torch.relu(linear(parameters, each, x))
    return x


def linear(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """x W' + b."""
    return torch.nn.functional.linear(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def _one_dnn() -> Callable[..., Tensor] | None:
    """oneDNN's x W' + b, where torch has it."""
    try:
        product: Callable[..., Tensor] = torch.ops.mkldnn._linear_pointwise
        product(torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1), "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return product


_PRODUCT = _one_dnn()


def wide_linear(x: Tensor, weight: Tensor, bias: Tensor, buffer: Tensor | None = None) -> Tensor:
    """x W' + b for a wide head, into ``buffer`` or a tensor of its own; without gradients.

    Torch leaves this product to MKL, which keeps its fast kernels for the processors of one maker; oneDNN does not.
    """
    if _PRODUCT is not None and x.device.type == "cpu" and x.dtype == torch.float32:
        return _PRODUCT(x, weight, bias, "none", [], "")
    return torch.addmm(bias, x, weight.t(), out=None if buffer is None else buffer[: len(x)])


def best_actions(scores: Tensor) -> Tensor:
    """Argmax of each row, the first of equals.

    On a CPU numpy's argmax is an order of magnitude faster than torch's along the last dimension.
    """
    if scores.device.type == "cpu":
        return torch.from_numpy(scores.detach().numpy().argmax(axis=1))
    return scores.argmax(dim=1)


def single_thread() -> None:
    """Settings for learning on a CPU: one thread (two are slower at these sizes), and no denormal numbers.

    Rows of a head that are no longer chosen drive Adam's moments into the denormal range, where arithmetic is several
    times slower.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
