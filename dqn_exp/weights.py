"""From the parameters that are trained to the weights that a network computes with."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.layers import LayerShape, init_bounds, num_parameters, to_views
from dqn_exp.random_streams import RandomStream, Stream, to_normal

Ints = npt.NDArray[np.int64]


class Weights(Protocol):
    """The weights of all runs in one of their roles, such as acting or learning."""

    def bind(self, parameters: Tensor) -> list[Tensor]:
        """Returns weights and biases in turn, views that follow parameters `[N, P]`."""
        ...

    def draw(self, indices: Ints) -> None:
        """Makes the weights those at the runs' indices `[N]`."""
        ...

    def chain(self, gradients: Tensor) -> None:
        """Makes gradients `[N, P]` of the weights, which come first, those of the parameters."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out; `bind` follows."""
        ...


class PlainWeights:
    """The parameters themselves."""

    def __init__(self, layers: Sequence[LayerShape]) -> None:
        """Args: the layers."""
        self._layers = layers

    def bind(self, parameters: Tensor) -> list[Tensor]:
        """Returns weights and biases in turn, views of parameters `[N, P]`."""
        return to_views(parameters, self._layers)

    def draw(self, indices: Ints) -> None:
        """Does nothing: the weights follow the parameters."""

    def chain(self, gradients: Tensor) -> None:
        """Does nothing: weights and parameters have the same gradients."""

    def retire(self, run: int) -> None:
        """Does nothing: `bind` follows."""


class NoisyWeights:
    """Means plus noise, whose scales are trained too; the noise of a layer has rank one.

    Noisy Networks for Exploration, https://arxiv.org/abs/1706.10295, with factorised noise in all
    layers. The parameters of a run are all means, in the layout of the layers, then all scales.
    Without noise, as in evaluation, a network computes with the means: `to_views` of the
    parameters are these.
    """

    def __init__(self, layers: Sequence[LayerShape], seeds: Sequence[int], stream: Stream) -> None:
        """Args: the layers, the seeds of the N runs, and the stream of this role."""
        self._layers = layers
        width = sum(inputs + outputs for inputs, outputs in layers)
        self._factors = RandomStream(seeds, stream, width, _to_factors)

    def bind(self, parameters: Tensor) -> list[Tensor]:
        """Returns weights and biases in turn, views that `draw` fills."""
        size = num_parameters(self._layers)
        self._runs = np.arange(len(parameters))
        self._means, self._scales = parameters[:, :size], parameters[:, size:]
        self._noise = torch.zeros_like(self._means)
        self._noise_views = to_views(self._noise, self._layers)
        self._weights = self._means.clone()
        return to_views(self._weights, self._layers)

    def draw(self, indices: Ints) -> None:
        """Makes the weights those with the noise at the runs' indices `[N]`."""
        factors = torch.from_numpy(self._factors.read(self._runs, indices)).to(self._noise.device)
        sizes = [size for layer in self._layers for size in layer]
        parts = torch.split(factors, sizes, dim=1)
        for layer in range(len(self._layers)):
            inputs, outputs = parts[2 * layer : 2 * layer + 2]
            weight, bias = self._noise_views[2 * layer : 2 * layer + 2]
            torch.mul(inputs[:, :, None], outputs[:, None], out=weight)
            bias.copy_(outputs[:, None])
        torch.addcmul(self._means, self._scales, self._noise, out=self._weights)

    def chain(self, gradients: Tensor) -> None:
        """Makes gradients `[N, P]` of the weights, which come first, those of the parameters."""
        size = self._noise.shape[1]
        torch.mul(gradients[:, :size], self._noise, out=gradients[:, size:])

    def retire(self, run: int) -> None:
        """Takes a run out; `bind` follows."""
        self._factors.retire(run)


def init_scales(layers: Sequence[LayerShape], sigma: npt.NDArray[np.float64]) -> Tensor:
    """Returns initial scales of the noise `[N, P]`: `sigma` `[N]` over the root of the inputs."""
    return (torch.from_numpy(sigma)[:, None] * init_bounds(layers)).float()


def _to_factors(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
    normals = to_normal(numbers)
    factors: npt.NDArray[np.float32] = np.copysign(np.sqrt(np.abs(normals)), normals)
    return factors
