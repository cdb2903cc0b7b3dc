import numpy as np
import pytest
import torch

from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import Convolution, ImageShape

SHAPES = [
    (ImageShape(10, 10, 4), 16, 3, 1),
    (ImageShape(9, 7, 1), 5, 2, 2),
    (ImageShape(12, 12, 3), 8, 4, 3),
    (ImageShape(5, 6, 2), 3, 5, 1),
    (ImageShape(4, 4, 7), 1, 1, 2),
]


def naive(images: np.ndarray, weight: np.ndarray, bias: np.ndarray, layer: Convolution):
    """Loops over all numbers, in double precision."""
    count, (height, width, filters) = len(images), layer.output
    result = np.zeros((count, height, width, filters))
    for b in range(count):
        for y in range(height):
            for x in range(width):
                top, left = y * layer.stride, x * layer.stride
                patch = images[b, top : top + layer.size, left : left + layer.size]
                result[b, y, x] = patch.ravel() @ weight + bias
    return result


@pytest.mark.parametrize(("image", "filters", "size", "stride"), SHAPES)
def test_a_convolution_is_that_of_a_naive_loop_for_each_run(image, filters, size, stride):
    layer = Convolution(image, filters, size, stride)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, *image, generator=generator)
    weight, bias = (torch.randn(2, *shape, generator=generator) for shape in layer.shapes)
    found = layer.forward(images, weight, bias)
    assert found.shape == (2, 3, *layer.output)
    for run in range(2):
        numbers = (images[run], weight[run], bias[run, 0])
        expected = naive(*(one.double().numpy() for one in numbers), layer)
        np.testing.assert_allclose(found[run].numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("image", "filters", "size", "stride"), SHAPES)
def test_its_gradients_are_those_of_torch(image, filters, size, stride):
    layer = Convolution(image, filters, size, stride)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(1, 3, *image, generator=generator, requires_grad=True)
    weight, bias = (
        torch.randn(1, *shape, generator=generator, requires_grad=True) for shape in layer.shapes
    )
    outputs = layer.forward(images, weight, bias)
    factors = torch.randn(outputs.shape, generator=generator)
    found = torch.autograd.grad((outputs * factors).sum(), (images, weight, bias))
    kernel = weight[0].view(size, size, image.channels, filters).permute(3, 2, 0, 1)
    reference = torch.nn.functional.conv2d(
        images[0].permute(0, 3, 1, 2), kernel, bias[0, 0], stride=stride
    ).permute(0, 2, 3, 1)
    expected = torch.autograd.grad((reference * factors[0]).sum(), (images, weight, bias))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_network_is_its_layers_one_after_the_other():
    network = ConvNet(ImageShape(9, 8, 2), [(6, 3, 1), (4, 2, 2)], [10], 3, num_outputs=2)
    parameters = network.layout.init_parameters([3, 4])
    views = network.layout.views(parameters)
    observations = torch.rand(2, 5, 9 * 8 * 2, generator=torch.Generator().manual_seed(0))
    found = network.forward(views, observations)
    assert found.shape == (2, 5, 3, 2) and network.num_features == 144
    for run in range(2):
        kinds = [one[run] for one in views]
        values = observations[run].view(5, 9, 8, 2).permute(0, 3, 1, 2)
        for index, (size, stride) in enumerate(((3, 1), (2, 2))):
            weight, bias = kinds[2 * index], kinds[2 * index + 1][0]
            kernel = weight.view(size, size, -1, weight.shape[1]).permute(3, 2, 0, 1)
            values = torch.relu(torch.nn.functional.conv2d(values, kernel, bias, stride=stride))
        flat = values.permute(0, 2, 3, 1).flatten(1)
        hidden = torch.relu(flat @ kinds[4] + kinds[5])
        expected = (hidden @ kinds[6] + kinds[7]).view(5, 3, 2)
        torch.testing.assert_close(found[run], expected, rtol=1e-5, atol=1e-5)


def test_the_bounds_of_initial_weights_are_those_of_torch():
    network = ConvNet(ImageShape(6, 6, 3), [(8, 3, 1)], [], 2)
    weight, bias, last, _ = network.layout.views(network.layout.init_parameters(range(50)))
    for tensor, inputs in ((weight, 27), (bias, 27), (last, 4 * 4 * 8)):
        limit = 1 / inputs**0.5
        assert 0.9 * limit < tensor.abs().max() <= limit


def test_filters_that_are_larger_than_their_images_are_refused():
    with pytest.raises(ValueError, match=r"network\.convolutions: .* got 4x4 for convolution 2"):
        ConvNet(ImageShape(5, 5, 1), [(4, 3, 1), (4, 4, 1)], [], 2)
