import threading

import numpy as np
import pytest
import torch

from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import ImageShape
from dqn_exp.network.parallel import ParallelConvNet

IMAGE = ImageShape(20, 18, 4)
# More inputs of the linear layer than a piece has, and more images.
CONVOLUTIONS, BATCH = [(24, 4, 2), (32, 3, 1)], 37


@pytest.fixture(autouse=True)
def one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_inputs(num_runs: int):
    network = ConvNet(IMAGE, CONVOLUTIONS, [20], 3, num_outputs=2, dueling=True)
    generator = torch.Generator().manual_seed(0)
    observations = torch.rand(num_runs, BATCH, network.num_features, generator=generator)
    factors = torch.randn(num_runs, BATCH, 3, 2, generator=generator)
    return network, network.layout.init_parameters(range(num_runs)), observations, factors


def passes(network, layout, parameters, observations, factors):
    """Outputs and gradients."""
    leaves = [view.detach().requires_grad_() for view in layout.views(parameters)]
    outputs = network.forward(leaves, observations)
    gradients = torch.autograd.grad((outputs * factors).sum(), leaves)
    with torch.no_grad():
        alone = network.forward(leaves, observations)
    return [outputs.detach(), alone, *gradients]


@pytest.mark.parametrize("num_threads", [1, 2, 5])
def test_its_passes_are_those_of_the_whole_network(num_threads):
    network, *inputs = make_inputs(3)
    assert network.layout.views(inputs[0])[4].shape[1] > 1_024
    expected = passes(network, network.layout, *inputs)
    found = passes(ParallelConvNet(network, num_threads), network.layout, *inputs)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_its_bits_depend_on_neither_runs_nor_threads(num_threads):
    network, parameters, observations, factors = make_inputs(4)
    population = ParallelConvNet(network, 2)
    together = passes(population, network.layout, parameters, observations, factors)
    for run in range(4):
        own = [one[run : run + 1] for one in (parameters, observations, factors)]
        alone = passes(ParallelConvNet(network, num_threads), network.layout, *own)
        for one, all_runs in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0].numpy(), all_runs[run].numpy())


def test_several_threads_compute_the_pieces():
    network, *_ = make_inputs(1)
    both, names = threading.Barrier(2, timeout=60), set()

    def work(number: int) -> int:
        both.wait()
        names.add(threading.current_thread().name)
        return number**2

    assert ParallelConvNet(network, 2).map(work, range(6)) == [0, 1, 4, 9, 16, 25]
    assert len(names) == 2


def test_an_error_in_a_piece_is_raised():
    network, parameters, observations, _ = make_inputs(2)
    with torch.no_grad(), pytest.raises(RuntimeError):
        views = network.layout.views(parameters)
        ParallelConvNet(network, 2).forward(views, observations[..., :-1])
