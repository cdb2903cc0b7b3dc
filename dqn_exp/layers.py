"""Layers whose parameters have the run axis, and how they lie in one flat row a run."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

LayerShape = tuple[int, int]
"""Inputs and outputs of a linear layer."""


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns `[N, B, out]` for inputs `[N, B, in]`, weight `[N, in, out]`, bias `[N, 1, out]`."""
    if 1 in weight.shape[1:]:
        # Products with a vector are computed in another order for one run than for many.
        return (inputs[..., None] * weight[:, None]).sum(2) + bias
    return torch.baddbmm(bias, inputs, weight)


def num_parameters(layers: Sequence[LayerShape]) -> int:
    """Returns P, the parameters of linear layers with biases."""
    return sum((inputs + 1) * outputs for inputs, outputs in layers)


def to_views(flat: Tensor, layers: Sequence[LayerShape]) -> list[Tensor]:
    """Converts flat parameters `[N, P]` to weights and biases, in turn, as views.

    A weight is `[N, in, out]` and its bias `[N, 1, out]`, in the order of the layers.
    """
    shapes = [shape for inputs, outputs in layers for shape in ((inputs, outputs), (1, outputs))]
    ends = itertools.accumulate(math.prod(shape) for shape in shapes)
    return [
        flat[:, end - math.prod(shape) : end].view(-1, *shape)
        for shape, end in zip(shapes, ends, strict=True)
    ]


def init_bounds(layers: Sequence[LayerShape]) -> Tensor:
    """Returns `[P]` the bounds of the uniform initial distribution, `1 / sqrt(in)`.

    It is the one that `torch.nn.Linear` has, for weights and biases alike.
    """
    return torch.cat(
        [
            torch.full(((inputs + 1) * outputs,), 1 / math.sqrt(inputs), dtype=torch.float64)
            for inputs, outputs in layers
        ]
    )
