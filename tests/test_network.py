import numpy as np
import pytest
import torch

from dqn_exp.layers import to_views
from dqn_exp.network import QNetwork


def make_torch_network(network: QNetwork, parameters: torch.Tensor, activation) -> torch.nn.Module:
    modules: list[torch.nn.Module] = []
    views = to_views(parameters[None], network.layers)
    for weight, bias in zip(views[::2], views[1::2], strict=True):
        layer = torch.nn.Linear(weight.shape[1], weight.shape[2])
        layer.weight.data, layer.bias.data = weight[0].T.clone(), bias[0, 0].clone()
        modules += [layer, activation()]
    return torch.nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("hidden_sizes", [[], [8], [8, 5, 3]])
@pytest.mark.parametrize(
    ("activation", "module"), [("relu", torch.nn.ReLU), ("tanh", torch.nn.Tanh)]
)
def test_values_are_those_of_a_torch_network_for_each_run(hidden_sizes, activation, module):
    network = QNetwork(4, hidden_sizes, 3, activation)
    parameters = network.init_parameters([1, 2, 3])
    observations = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))
    values = network.forward(to_views(parameters, network.layers), observations)
    assert values.shape == (3, 7, 3)
    for run in range(3):
        expected = make_torch_network(network, parameters[run], module)(observations[run])
        torch.testing.assert_close(values[run], expected)


def test_initial_parameters_are_uniform_within_the_bounds_of_each_layer():
    network = QNetwork(4, [300], 2, "relu")
    weight_1, bias_1, weight_2, bias_2 = to_views(
        network.init_parameters(range(40)), network.layers
    )
    for tensor, inputs in ((weight_1, 4), (bias_1, 4), (weight_2, 300), (bias_2, 300)):
        scaled = tensor.double() * inputs**0.5
        assert scaled.min() >= -1 and scaled.max() <= 1
        # A uniform distribution on [-1, 1] has the variance 1/3.
        assert abs(scaled.mean()) < 5 / (3 * scaled.numel()) ** 0.5
        assert abs(scaled.var() - 1 / 3) < 5 * (4 / 45 / scaled.numel()) ** 0.5


def test_initial_parameters_depend_on_a_runs_own_seed_only():
    network = QNetwork(4, [16], 2, "relu")
    together = network.init_parameters([3, 9, 3])
    assert torch.equal(together[0], together[2]) and not torch.equal(together[0], together[1])
    assert torch.equal(network.init_parameters([9])[0], together[1])


def test_an_unknown_activation_is_refused():
    with pytest.raises(
        ValueError, match=r"network.activation: expected one of .*'relu'.*got 'elu'"
    ):
        QNetwork(4, [16], 2, "elu")


def test_parameters_are_counted():
    assert QNetwork(4, [128], 2, "relu").num_parameters == 4 * 128 + 128 + 128 * 2 + 2
    assert np.shape(QNetwork(4, [128], 2, "relu").init_parameters([0])) == (1, 898)
