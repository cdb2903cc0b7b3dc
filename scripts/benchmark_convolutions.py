"""Compares two ways to convolve the images of several runs with torch.

One is that of the package, a grouped convolution with a group of filters for each run; the other
copies the patches of the images into a matrix for each run, and multiplies. Both take turns;
values are medians of the time of a forward and a backward pass of all convolutions of a network.

    python scripts/benchmark_convolutions.py
    python scripts/benchmark_convolutions.py --device cuda
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence

import dqn_exp as dqn_exp  # isort: skip  # Before torch, for which it sets variables.
import torch
from torch import Tensor

from dqn_exp.network.convolution import Convolution, ImageShape

NETWORKS = {
    "MinAtar": (ImageShape(10, 10, 4), [(16, 3, 1)]),
    "Nature": (ImageShape(84, 84, 4), [(32, 8, 4), (64, 4, 2), (64, 3, 1)]),
}
BATCH = 32

Forward = Callable[[Convolution, Tensor, Tensor, Tensor], Tensor]


def multiply_patches(layer: Convolution, images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns what `Convolution.forward` returns, as a product of matrices for each run."""
    size, stride = layer.size, layer.stride
    patches = images.unfold(2, size, stride).unfold(3, size, stride)  # [N, B, H', W', C, s, s]
    rows = patches.permute(0, 1, 2, 3, 5, 6, 4).reshape(len(images), -1, layer.fan_in)
    outputs = torch.baddbmm(bias, rows, weight)
    return outputs.view(*images.shape[:2], *layer.output)


def make_layers(network: str) -> list[Convolution]:
    """Returns the convolutions of a network."""
    image, sizes = NETWORKS[network]
    layers: list[Convolution] = []
    for filters, size, stride in sizes:
        layers.append(Convolution(layers[-1].output if layers else image, filters, size, stride))
    return layers


def run_once(forward: Forward, layers: Sequence[Convolution], inputs: Sequence[Tensor]) -> float:
    """Returns the seconds of a forward and a backward pass; gradients stay in the inputs."""
    images, *parameters = inputs
    began = time.perf_counter()
    for layer, weight, bias in zip(layers, parameters[::2], parameters[1::2], strict=True):
        images = torch.relu(forward(layer, images, weight, bias))
    torch.autograd.grad(images.sum(), parameters)
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Prints a line for each network and number of runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--num-runs", nargs="+", type=int, default=[1, 10])
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| network | runs | grouped, ms | matrices, ms | matrices / grouped |")
    print("|---|---|---|---|---|")
    for network in NETWORKS:
        for count in options.num_runs:
            grouped, matrices = measure(network, count, options.rounds, options.device)
            cells = f"{grouped * 1e3:.2f} | {matrices * 1e3:.2f} | {matrices / grouped:.2f}"
            print(f"| {network} | {count} | {cells} |")


def measure(network: str, count: int, rounds: int, device: str) -> list[float]:
    """Returns the median seconds of the two ways."""
    layers = make_layers(network)
    shapes: list[tuple[int, ...]] = [(count, BATCH, *layers[0].image)]
    shapes += [(count, *shape) for layer in layers for shape in layer.shapes]
    inputs = [torch.randn(shape, device=device) / math.sqrt(shape[-2]) for shape in shapes]
    for one in inputs[1:]:
        one.requires_grad_()
    ways: tuple[Forward, ...] = (Convolution.forward, multiply_patches)
    outputs = [way(layers[0], *inputs[:3]) for way in ways]
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-3)
    times = [[run_once(way, layers, inputs) for way in ways] for _ in range(rounds + 3)]
    return [statistics.median(one) for one in zip(*times[3:], strict=True)]


if __name__ == "__main__":
    main()
