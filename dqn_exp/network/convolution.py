"""Convolutions of images with the run axis first."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dqn_exp.network.layers import Shape, linear


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
        stride: distance between neighbouring patches.
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
        """Returns `[N, B, H', W', F]` for images `[N, B, H, W, C]`."""
        patches = self._patches(images)
        outputs = linear(patches, weight, bias)
        return outputs.view(*images.shape[:2], *self.output)

    def _patches(self, images: Tensor) -> Tensor:
        """Returns the patches `[N, B * H' * W', size * size * C]` of images."""
        count, batch = images.shape[:2]
        unfolded = images.unfold(2, self.size, self.stride).unfold(3, self.size, self.stride)
        ordered = unfolded.permute(0, 1, 2, 3, 5, 6, 4)
        height, width, _ = self.output
        return ordered.reshape(count, batch * height * width, self.fan_in)


def num_numbers(shape: ImageShape) -> int:
    """Returns how many numbers an image has."""
    return math.prod(shape)


def as_images(observations: Tensor, shape: ImageShape) -> Tensor:
    """Returns images `[N, B, H, W, C]` for observations `[N, B, H * W * C]`."""
    return torch.unflatten(observations, -1, shape)
