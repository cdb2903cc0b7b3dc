import pytest
import torch

from dqn_exp.network.layers import Linear, ParameterLayout, linear

LAYOUT = ParameterLayout([Linear(4, 3), Linear(3, 5), Linear(5, 2)])


def test_views_lie_one_behind_the_other_in_each_run():
    count = LAYOUT.size
    flat = torch.arange(2 * count, dtype=torch.float32).reshape(2, count)
    views = LAYOUT.views(flat)
    assert [tuple(view.shape) for view in views] == [
        (2, 4, 3), (2, 1, 3), (2, 3, 5), (2, 1, 5), (2, 5, 2), (2, 1, 2)
    ]  # fmt: skip
    assert torch.equal(torch.cat([view.flatten(1) for view in views], 1), flat)


def test_a_view_shares_the_memory_of_the_parameters():
    flat = torch.zeros(2, LAYOUT.size)
    LAYOUT.views(flat)[3][1] = 7.0
    assert flat[0].sum() == 0 and flat[1].sum() == 35.0


def test_a_layer_is_that_of_torch_for_each_run():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 6, 4, generator=generator)
    weight = torch.randn(3, 4, 5, generator=generator)
    bias = torch.randn(3, 1, 5, generator=generator)
    for run, outputs in enumerate(linear(inputs, weight, bias)):
        expected = torch.nn.functional.linear(inputs[run], weight[run].T, bias[run, 0])
        torch.testing.assert_close(outputs, expected)


def test_bounds_are_those_of_torch():
    bounds = ParameterLayout([Linear(16, 3), Linear(4, 2)]).init_bounds()
    assert bounds.tolist() == pytest.approx([1 / 4] * 51 + [1 / 2] * 10)
