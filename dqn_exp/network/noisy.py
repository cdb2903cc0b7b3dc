"""Weights of a network, plain or noisy, from the parameters that are trained."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray, UInt32Array
from dqn_exp.core.devices import to_device
from dqn_exp.core.per_run import PerRunState
from dqn_exp.core.random_streams import RandomStream, Stream, to_normal
from dqn_exp.network.layers import ParameterLayout


class Weights(Protocol):
    """The weights of all runs in one role, such as acting or learning."""

    def bind(self, parameters: Tensor) -> list[Tensor]:
        """Returns weights and biases in turn, views that follow parameters `[N, P]`."""
        ...

    def draw(self, indices: IntArray) -> None:
        """Sets the weights to those at the runs' indices `[N]`."""
        ...

    def chain(self, gradients: Tensor) -> None:
        """Completes gradients `[N, P]` of the parameters, given those of the weights in front."""
        ...

    def retire(self, run: int) -> None:
        """Removes a run; a call of `bind` must follow."""
        ...


class PlainWeights(PerRunState):
    """The parameters themselves."""

    def __init__(self, layout: ParameterLayout) -> None:
        """Takes the layout of the parameters."""
        self._layout = layout

    def bind(self, parameters: Tensor) -> list[Tensor]:
        """Returns weights and biases in turn, views of parameters `[N, P]`."""
        return self._layout.views(parameters)

    def draw(self, indices: IntArray) -> None:
        """Does nothing: the weights follow the parameters."""

    def chain(self, gradients: Tensor) -> None:
        """Does nothing: weights and parameters have the same gradients."""


class NoisyWeights(PerRunState):
    """Means plus factorised Gaussian noise with trained scales.

    Noisy Networks for Exploration, https://arxiv.org/abs/1706.10295, with noise in all layers that
    have any. The parameters of a run are all means, in the layout of the network, followed by all
    scales. Without noise, as in evaluation, a network computes with the means, which are the
    `views` of the parameters.
    """

    parts = ("_factors",)

    def __init__(self, layout: ParameterLayout, seeds: Sequence[int], stream: Stream) -> None:
        """Creates the noise of one role.

        Args:
            layout: of the network.
            seeds: of the N runs.
            stream: random stream of this role.
        """
        self._layout = layout
        self._factors = RandomStream(seeds, stream, layout.num_noise, _to_factors)

    def bind(self, parameters: Tensor) -> list[Tensor]:
        """Returns weights and biases in turn, views that `draw` fills."""
        size = self._layout.size
        self._runs = np.arange(len(parameters))
        self._means, self._scales = parameters[:, :size], parameters[:, size:]
        self._noise = torch.zeros_like(self._means)
        self._noise_views = self._layout.views(self._noise)
        self._weights = self._means.clone()
        return self._layout.views(self._weights)

    def draw(self, indices: IntArray) -> None:
        """Sets the weights to those with the noise at the runs' indices `[N]`."""
        factors = to_device(self._factors.read(self._runs, indices), self._noise.device)
        self._layout.write_noise(factors, self._noise_views)
        torch.addcmul(self._means, self._scales, self._noise, out=self._weights)

    def chain(self, gradients: Tensor) -> None:
        """Completes gradients `[N, P]` of the parameters, given those of the weights in front."""
        size = self._noise.shape[1]
        torch.mul(gradients[:, :size], self._noise, out=gradients[:, size:])


def init_scales(layout: ParameterLayout, sigma: Float64Array) -> Tensor:
    """Returns initial scales of the noise `[N, P]`: `sigma` `[N]` over the root of the fan-in."""
    return (torch.from_numpy(sigma)[:, None] * layout.init_bounds()).float()


def _to_factors(numbers: UInt32Array) -> Float32Array:
    normals = to_normal(numbers)
    factors: Float32Array = np.copysign(np.sqrt(np.abs(normals)), normals)
    return factors
