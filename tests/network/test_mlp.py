import numpy as np
import pytest
import torch

from dqn_exp.network.mlp import MLP


def make_torch_network(network: MLP, parameters: torch.Tensor, activation) -> torch.nn.Module:
    modules: list[torch.nn.Module] = []
    views = network.layout.views(parameters[None])
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
    network = MLP(4, hidden_sizes, 3, activation=activation)
    parameters = network.layout.init_parameters([1, 2, 3])
    observations = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))
    values = network.forward(network.layout.views(parameters), observations)
    assert values.shape == (3, 7, 3, 1)
    for run in range(3):
        expected = make_torch_network(network, parameters[run], module)(observations[run])
        torch.testing.assert_close(values[run, :, :, 0], expected)


def test_initial_parameters_are_uniform_within_the_bounds_of_each_layer():
    network = MLP(4, [300], 2)
    weight_1, bias_1, weight_2, bias_2 = network.layout.views(
        network.layout.init_parameters(range(40))
    )
    for tensor, inputs in ((weight_1, 4), (bias_1, 4), (weight_2, 300), (bias_2, 300)):
        scaled = tensor.double() * inputs**0.5
        assert scaled.min() >= -1 and scaled.max() <= 1
        # A uniform distribution on [-1, 1] has the variance 1/3.
        assert abs(scaled.mean()) < 5 / (3 * scaled.numel()) ** 0.5
        assert abs(scaled.var() - 1 / 3) < 5 * (4 / 45 / scaled.numel()) ** 0.5


def test_initial_parameters_depend_on_a_runs_own_seed_only():
    network = MLP(4, [16], 2)
    together = network.layout.init_parameters([3, 9, 3])
    assert torch.equal(together[0], together[2]) and not torch.equal(together[0], together[1])
    assert torch.equal(network.layout.init_parameters([9])[0], together[1])


def test_an_unknown_activation_is_refused():
    with pytest.raises(
        ValueError, match=r"network.activation: expected one of .*'relu'.*got 'elu'"
    ):
        MLP(4, [16], 2, activation="elu")


def test_parameters_are_counted():
    assert MLP(4, [128], 2).layout.size == 4 * 128 + 128 + 128 * 2 + 2
    assert np.shape(MLP(4, [128], 2).layout.init_parameters([0])) == (1, 898)


def heads_of(network: MLP, parameters: torch.Tensor, observations: torch.Tensor):
    """What the last layer gives: the value and the advantages, before they are joined."""
    *_, last = network.layers
    plain = MLP(4, [8], last[1])
    return plain.forward(network.layout.views(parameters), observations)[..., 0]


@pytest.mark.parametrize("num_outputs", [1, 5])
def test_dueling_heads_are_joined_so_that_they_can_be_identified(num_outputs):
    network = MLP(4, [8], 3, num_outputs=num_outputs, dueling=True)
    parameters = network.layout.init_parameters([1, 2])
    observations = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    found = network.forward(network.layout.views(parameters), observations)
    heads = heads_of(network, parameters, observations)
    value, advantages = heads[..., :num_outputs], heads[..., num_outputs:]
    for run in range(2):
        for row in range(7):
            own = advantages[run, row].reshape(3, num_outputs)
            for action in range(3):
                expected = value[run, row] + own[action] - own.mean(0)
                torch.testing.assert_close(found[run, row, action], expected)
    # The mean over the actions is the value: the advantages have no part of it.
    torch.testing.assert_close(found.mean(2), value)


def test_a_constant_added_to_all_advantages_changes_nothing():
    network = MLP(4, [8], 3, dueling=True)
    parameters = network.layout.init_parameters([1])
    observations = torch.randn(1, 7, 4, generator=torch.Generator().manual_seed(0))
    before = network.forward(network.layout.views(parameters), observations)
    network.layout.views(parameters)[-1][:, :, 1:] += 5.0
    after = network.forward(network.layout.views(parameters), observations)
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)


def test_outputs_of_an_action_lie_side_by_side():
    network = MLP(4, [8], 3, num_outputs=5)
    parameters, observations = network.layout.init_parameters([1]), torch.ones(1, 2, 4)
    found = network.forward(network.layout.views(parameters), observations)
    flat = heads_of(network, parameters, observations)
    assert found.shape == (1, 2, 3, 5)
    assert torch.equal(found.flatten(2), flat)
