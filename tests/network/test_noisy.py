import numpy as np
import pytest
import torch

from dqn_exp.core.random_streams import RandomStream, Stream, draw, to_normal
from dqn_exp.network.layers import Linear, ParameterLayout
from dqn_exp.network.noisy import NoisyWeights, PlainWeights, init_scales

LAYERS = [Linear(3, 5), Linear(5, 2)]
LAYOUT = ParameterLayout(LAYERS)
SIZE = LAYOUT.size


def make_noisy(count: int) -> tuple[NoisyWeights, torch.Tensor, list[torch.Tensor]]:
    parameters = torch.randn(count, 2 * SIZE, generator=torch.Generator().manual_seed(0))
    weights = NoisyWeights(LAYOUT, range(count), Stream.NOISE_OF_LEARNING)
    return weights, parameters, weights.bind(parameters)


def naive_weights(parameters: torch.Tensor, seed: int, index: int) -> list[np.ndarray]:
    """Mean plus scale times f(input noise) times f(output noise), layer by layer."""
    width = sum(inputs + outputs for inputs, outputs in LAYERS)
    numbers = draw(seed, Stream.NOISE_OF_LEARNING, 0, 8 * width * (index // 8 + 1))
    normals = to_normal(numbers)[index * width : (index + 1) * width]
    factors = [np.sign(x) * np.sqrt(abs(x)) for x in normals.tolist()]
    means, scales = LAYOUT.views(parameters[:, :SIZE]), LAYOUT.views(parameters[:, SIZE:])
    found, position = [], 0
    for layer, (inputs, outputs) in enumerate(LAYERS):
        of_inputs = factors[position : position + inputs]
        of_outputs = factors[position + inputs : position + inputs + outputs]
        position += inputs + outputs
        noises = np.outer(of_inputs, of_outputs), np.array(of_outputs)[None]
        for view, noise in zip((2 * layer, 2 * layer + 1), noises, strict=True):
            found.append(means[view][0].numpy() + scales[view][0].numpy() * noise)
    return found


def test_noisy_weights_are_those_of_the_definition():
    weights, parameters, views = make_noisy(3)
    for indices in (np.array([0, 0, 0]), np.array([5, 17, 3])):
        weights.draw(indices)
        for run, index in enumerate(indices.tolist()):
            expected = naive_weights(parameters[run : run + 1], run, index)
            for view, wanted in zip(views, expected, strict=True):
                np.testing.assert_allclose(view[run].numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_noise_has_mean_zero_and_the_variance_of_its_factors():
    """The factors are signed roots of normal numbers, so their mean square is E|x|."""
    weights, parameters, views = make_noisy(1)
    parameters[:, :SIZE], parameters[:, SIZE:] = 0.0, 1.0
    count = 20_000
    noise = torch.empty(count, SIZE)
    for index in range(count):
        weights.draw(np.array([index]))
        noise[index] = torch.cat([view[0].flatten() for view in views])
    magnitude = (2 / np.pi) ** 0.5
    for number, view in enumerate(LAYOUT.views(noise)):
        variance = magnitude**2 if number % 2 == 0 else magnitude
        assert view.mean(0).abs().max() < 5 * (variance / count) ** 0.5
        # The fourth moment of a factor is 1, of a product of two also.
        assert (view.square().mean(0) - variance).abs().max() < 5 / count**0.5
    # Weights of different inputs and outputs are uncorrelated, though they share factors.
    weight = LAYOUT.views(noise)[0].flatten(1)
    correlations = torch.corrcoef(weight.T) - torch.eye(15)
    assert correlations.abs().max() < 6 / count**0.5


def test_gradients_are_those_of_autograd():
    weights, parameters, _views = make_noisy(2)
    weights.draw(np.array([4, 9]))
    noise = weights._noise.clone()
    means, scales = (part.clone().requires_grad_() for part in parameters.split(SIZE, dim=1))
    of_weights = torch.randn(2, SIZE, generator=torch.Generator().manual_seed(1))
    expected = torch.autograd.grad(((means + scales * noise) * of_weights).sum(), (means, scales))
    gradients = torch.zeros(2, 2 * SIZE)
    gradients[:, :SIZE] = of_weights
    weights.chain(gradients)
    torch.testing.assert_close(gradients, torch.cat(expected, 1))


def test_each_run_has_a_stream_of_its_own_and_each_role_too():
    weights, parameters, views = make_noisy(3)
    parameters[:] = parameters[:1].clone()
    weights.draw(np.array([0, 0, 1]))
    rows = torch.cat([view.flatten(1) for view in views], 1)
    assert len({tuple(row.tolist()) for row in rows}) == 3
    other = NoisyWeights(LAYOUT, range(3), Stream.NOISE_OF_TARGET)
    other_views = other.bind(parameters)
    other.draw(np.array([0, 0, 1]))
    assert all(
        not torch.equal(view[0], other_view[0])
        for view, other_view in zip(views, other_views, strict=True)
    )


def test_a_retired_run_leaves_the_others_their_noise():
    weights, parameters, views = make_noisy(3)
    weights.draw(np.array([1, 2, 3]))
    before = [view.clone() for view in views]
    weights.retire(0)
    views = weights.bind(parameters[[2, 1]])
    weights.draw(np.array([3, 2]))
    for old, new in zip(before, views, strict=True):
        assert torch.equal(old[[2, 1]], new)


def test_without_noise_the_weights_are_the_parameters():
    plain, parameters = PlainWeights(LAYOUT), torch.randn(2, SIZE)
    views = plain.bind(parameters)
    assert views[0].data_ptr() == parameters.data_ptr()
    gradients = parameters.clone()
    plain.draw(np.array([0, 0]))
    plain.chain(gradients)
    assert torch.equal(gradients, parameters)


def test_initial_scales_are_sigma_over_the_root_of_the_inputs():
    scales = init_scales(LAYOUT, np.array([0.5, 0.1]))
    for run, sigma in enumerate((0.5, 0.1)):
        for view, inputs in zip(LAYOUT.views(scales), (3, 3, 5, 5), strict=True):
            assert view[run].flatten().tolist() == pytest.approx(
                [sigma / inputs**0.5] * view[run].numel()
            )


def test_wide_streams_are_drawn_in_short_blocks_of_the_same_numbers():
    wide = RandomStream([3], Stream.NOISE_OF_ACTING, 5_001)
    found = wide.read(np.array([0]), np.array([13]))[0]
    expected = draw(3, Stream.NOISE_OF_ACTING, 0, 8 * 5_001 * 2)[13 * 5_001 : 14 * 5_001]
    np.testing.assert_array_equal(found, expected)
