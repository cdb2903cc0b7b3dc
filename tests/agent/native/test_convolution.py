"""Convolutions in compiled code, against those of torch in double precision."""

import numpy as np
import pytest
import torch

from dqn_exp.agent.native import convolution, convolution_gradient
from dqn_exp.agent.native.activations import LINEAR
from dqn_exp.agent.native.convolution import Convolution
from dqn_exp.agent.native.dense import Rows
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, aligned_zeros, pad
from tests.kernels import callable_kernel

pytestmark = pytest.mark.xdist_group("dense")

ROWS = 5
SHAPES = {
    "16 filters": (10, 10, 4, 16, 3, 1),
    "odd numbers of channels and lines": (7, 6, 7, 16, 3, 2),
    "48 filters": (6, 9, 16, 48, 2, 1),
    "32 filters, stride 4": (21, 20, 4, 32, 8, 4),
    "64 filters, 49 patches": (9, 9, 64, 64, 3, 1),
    "32 filters, 3 channels": (8, 7, 3, 32, 3, 1),
    "one patch": (3, 3, 32, 32, 3, 1),
}
"""Height, width and channels of the images, filters, their size and stride."""


@kernel
def compute(
    numbers: Float32Array, layer: Convolution, places: tuple[int, ...], rows: Rows, back: bool
) -> None:
    """Computes the outputs, the gradient of the parameters and, if asked for, of the inputs."""
    parameters, gradient, units, deltas, transposed = places
    convolution.forward(LINEAR, numbers, layer, parameters, units, rows)
    for part in range(convolution_gradient.num_parts(layer)):
        convolution_gradient.gradient_of_part(numbers, layer, gradient, units, deltas, rows, part)
    if back:
        convolution.transpose(numbers, layer, parameters, transposed)
        convolution.input_deltas(numbers, layer, deltas, rows, transposed)


compute_all = callable_kernel(compute)


def make_layer(height, width, channels, filters, size, stride):
    """A convolution whose parameters, and whose units for `ROWS` images, begin at 0."""
    lines, columns = (height - size) // stride + 1, (width - size) // stride + 1
    inputs = pad(height * width * channels)
    return Convolution(
        inputs=inputs,
        outputs=lines * columns * filters,
        weight=0,
        bias=size * size * channels * filters,
        units=0,
        heads=ROWS * inputs,
        filters=filters,
        channels=channels,
        pitch=width * channels,
        size=size,
        stride=stride,
        height=lines,
        width=columns,
    )


def compute_with_torch(layer, height, parameters, units, deltas):
    """Outputs, and the gradients of weights, biases and images."""
    width, shape = layer.pitch // layer.channels, (layer.size, layer.size, layer.channels, -1)
    weight = parameters[: layer.bias].reshape(shape).requires_grad_()
    bias = parameters[layer.bias :].clone().requires_grad_()
    images = units[: layer.heads].view(ROWS, layer.inputs)[:, : height * layer.pitch]
    images = images.reshape(ROWS, height, width, layer.channels).requires_grad_()
    outputs = torch.nn.functional.conv2d(
        images.permute(0, 3, 1, 2), weight.permute(3, 2, 0, 1), bias, layer.stride
    ).permute(0, 2, 3, 1)
    outputs.backward(deltas[layer.heads :].view(outputs.shape))
    return outputs.detach(), weight.grad, bias.grad, images.grad


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_outputs_and_gradients_are_those_of_torch(shape):
    layer, height = make_layer(*shape), shape[0]
    num_parameters, num_units = layer.bias + layer.filters, ROWS * (layer.inputs + layer.outputs)
    sizes = (num_parameters, num_parameters, num_units, num_units, layer.bias)
    places = tuple(int(place) for place in np.cumsum((0, *sizes))[:-1])
    parameters, gradient, units, deltas, _ = places
    numbers = aligned_zeros(sum(sizes) + 64)
    numbers[:] = np.random.default_rng(0).normal(size=len(numbers))
    outputs, of_weight, of_bias, of_images = compute_with_torch(
        layer,
        height,
        *(
            torch.tensor(numbers[place:][:size], dtype=torch.float64)
            for place, size in zip(places, sizes, strict=True)
            if place in (parameters, units, deltas)
        ),
    )
    has_vectors = layer.channels % LANES == 0
    compute_all(numbers, layer, places, Rows(np.arange(ROWS + 8), 0, ROWS), has_vectors)

    def check(place, expected):
        found, scale = numbers[place:][: expected.numel()], float(expected.abs().max())
        np.testing.assert_allclose(found, expected.flatten(), rtol=0, atol=1e-5 * scale)

    check(units + layer.heads, outputs)
    check(gradient, of_weight)
    check(gradient + layer.bias, of_bias)
    if has_vectors:
        check(deltas, of_images)
