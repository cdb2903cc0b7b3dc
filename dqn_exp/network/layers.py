"""Layers with the run axis first, and the layout of their parameters in one flat row per run."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from dqn_exp.core.random_streams import Stream, draw, to_unit

Shape = tuple[int, ...]


class Layer(Protocol):
    """Parameters of a layer: a weight and a bias.

    Attributes:
        shapes: shapes of weight and bias, of one run.
        fan_in: inputs of each output.
        num_noise: factors of the layer's factorised noise; 0 for a layer without noise.
    """

    @property
    def shapes(self) -> tuple[Shape, Shape]:
        """Shapes of weight and bias."""
        ...

    @property
    def fan_in(self) -> int:
        """Inputs of each output."""
        ...

    @property
    def num_noise(self) -> int:
        """Factors of the noise."""
        ...

    def write_noise(self, factors: Tensor, weight: Tensor, bias: Tensor) -> None:
        """Writes the noise that follows from factors `[N, num_noise]` to weight and bias."""
        ...


class Linear(NamedTuple):
    """A linear layer, with weight `[N, in, out]` and bias `[N, 1, out]`."""

    inputs: int
    outputs: int

    @property
    def shapes(self) -> tuple[Shape, Shape]:
        """Shapes of weight and bias."""
        return (self.inputs, self.outputs), (1, self.outputs)

    @property
    def fan_in(self) -> int:
        """Inputs of each output."""
        return self.inputs

    @property
    def num_noise(self) -> int:
        """One factor per input and one per output."""
        return self.inputs + self.outputs

    def write_noise(self, factors: Tensor, weight: Tensor, bias: Tensor) -> None:
        """Writes noise of rank one to the weight, and the factors of the outputs to the bias."""
        of_inputs, of_outputs = torch.split(factors, [self.inputs, self.outputs], dim=1)
        torch.mul(of_inputs[:, :, None], of_outputs[:, None], out=weight)
        bias.copy_(of_outputs[:, None])


class ParameterLayout:
    """Offsets of the parameters of a network's layers in the flat row `[P]` of a run."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        """Lays the layers out one after the other, each with its weight before its bias."""
        self._layers = layers
        self._shapes = [shape for layer in layers for shape in layer.shapes]
        self._sizes = [math.prod(shape) for shape in self._shapes]

    @property
    def size(self) -> int:
        """Parameters of one run (P)."""
        return sum(self._sizes)

    @property
    def num_noise(self) -> int:
        """Factors of the noise of all layers."""
        return sum(layer.num_noise for layer in self._layers)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Returns weights and biases in turn, as views of flat parameters `[N, P]`.

        Numbers after the first P of a row are ignored.
        """
        ends = itertools.accumulate(self._sizes)
        return [
            flat[:, end - size : end].view(-1, *shape)
            for size, end, shape in zip(self._sizes, ends, self._shapes, strict=True)
        ]

    def init_bounds(self) -> Tensor:
        """Returns the bounds `[P]` of the uniform initial distribution, `1 / sqrt(fan_in)`.

        This is the default of `torch.nn.Linear` and `torch.nn.Conv2d`, for weights and biases.
        """
        return torch.cat(
            [
                torch.full((math.prod(shape),), 1 / math.sqrt(layer.fan_in), dtype=torch.float64)
                for layer in self._layers
                for shape in layer.shapes
            ]
        )

    def init_parameters(self, seeds: Sequence[int]) -> Tensor:
        """Returns initial parameters `[N, P]`, each run's from a random stream of its own."""
        count = -(-self.size // 8) * 8
        rows = [
            torch.from_numpy(to_unit(draw(seed, Stream.PARAMETERS, 0, count)))[: self.size]
            for seed in seeds
        ]
        return ((2 * torch.stack(rows) - 1) * self.init_bounds()).float()

    def write_noise(self, factors: Tensor, noise: Sequence[Tensor]) -> None:
        """Writes the noise of factors `[N, num_noise]` to views of the noise.

        Args:
            factors: `[N, num_noise]`.
            noise: weights and biases in turn, as from `views`.
        """
        parts = torch.split(factors, [layer.num_noise for layer in self._layers], dim=1)
        for layer, part, weight, bias in zip(
            self._layers, parts, noise[::2], noise[1::2], strict=True
        ):
            layer.write_noise(part, weight, bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns `[N, B, out]` for inputs `[N, B, in]`, weight `[N, in, out]`, bias `[N, 1, out]`."""
    if 1 in weight.shape[1:]:
        # Products with a vector are computed in another order for one run than for many.
        return (inputs[..., None] * weight[:, None]).sum(2) + bias
    return torch.baddbmm(bias, inputs, weight)
