"""Convolutions of images with the run axis first."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from dqn_exp.network.layers import Shape


class ImageShape(NamedTuple):
    """Shape of an image `[H, W, C]`, channels last."""

    height: int
    width: int
    channels: int


class Convolution(NamedTuple):
    """A convolution without padding, with weight `[N, size * size * C, F]` and bias `[N, 1, F]`.

    The rows of the weight are ordered as the numbers of a patch `[size, size, C]`.

    Attributes:
        image: shape of the inputs.
        filters: F.
        size: height and width of the filters.
        stride: distance between neighboring patches.
    """

    image: ImageShape
    filters: int
    size: int
    stride: int

    @property
    def output(self) -> ImageShape:
        """Shape of the outputs."""
        height, width = (
            (length - self.size) // self.stride + 1
            for length in (self.image.height, self.image.width)
        )
        return ImageShape(height, width, self.filters)

    @property
    def shapes(self) -> tuple[Shape, Shape]:
        """Shapes of weight and bias."""
        return (self.fan_in, self.filters), (1, self.filters)

    @property
    def fan_in(self) -> int:
        """Inputs of each output."""
        return self.size * self.size * self.image.channels

    @property
    def num_noise(self) -> int:
        """Convolutions have no noise."""
        return 0

    def write_noise(self, factors: Tensor, weight: Tensor, bias: Tensor) -> None:
        """Does nothing: the noise stays zero."""

    def forward(self, images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Returns `[N, B, H', W', F]` for images `[N, B, H, W, C]`: one group of filters a run."""
        count = len(images)
        inputs = images.permute(1, 0, 4, 2, 3).flatten(1, 2)  # [B, N * C, H, W]
        patch = (self.size, self.size, self.image.channels)
        # Contiguous with the channels last, as the inputs of a single run are.
        kernels = weight.mT.reshape(count * self.filters, *patch).permute(0, 3, 1, 2)
        outputs = conv2d(inputs, kernels, bias.flatten(), self.stride, groups=count)
        of_runs = torch.unflatten(outputs, 1, (count, self.filters))
        return of_runs.permute(1, 0, 3, 4, 2)


def num_numbers(shape: ImageShape) -> int:
    """Returns how many numbers an image has."""
    return math.prod(shape)


def as_images(observations: Tensor, shape: ImageShape) -> Tensor:
    """Returns images `[N, B, H, W, C]` for observations `[N, B, H * W * C]`."""
    return torch.unflatten(observations, -1, shape)
