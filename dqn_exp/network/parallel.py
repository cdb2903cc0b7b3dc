"""A convolutional network, divided over threads without dependence on their number.

Torch would divide a product differently among one thread and among many, or for one run and for
many. Here the pieces of the work depend on neither, and are put together in a fixed order, so the
last bits of outputs and gradients depend on neither as well.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import product
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from dqn_exp.network.conv_net import ConvNet

Input = TypeVar("Input")
Output = TypeVar("Output")

IMAGES = 16
"""Images of a piece, at most."""

FEATURES = 1_024
"""Inputs of a piece of a linear layer, about."""


class ParallelConvNet:
    """A network of which each thread computes the convolutions of some images of one run.

    The linear layer after them is divided by its inputs, since its weight is much larger.
    """

    def __init__(self, network: ConvNet, num_threads: int) -> None:
        """Wraps a network, whose pieces are computed by `num_threads` threads."""
        self._network = network
        self.num_features, self.layout = network.num_features, network.layout
        self._num_threads = num_threads
        self._pool = ThreadPoolExecutor(num_threads, initializer=_prepare_thread)

    def forward(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns outputs `[N, B, A, K]`, as `Network.forward`."""
        if not torch.is_grad_enabled():
            return self._compute(parameters, observations)
        of_convolutions = parameters[: 2 * len(self._network.convolutions)]
        weight, bias, *rest = parameters[len(of_convolutions) :]
        features = _convolve(self, observations, *of_convolutions)
        outputs = _multiply(self, features, weight) + bias
        return self._network.mlp.finish(rest, outputs)

    def _compute(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns outputs without gradients; a piece is the whole way of some images."""

        def compute(piece: Piece) -> Tensor:
            own = [parameter[piece.run, None] for parameter in parameters]
            return self._network.forward(own, observations[piece.run, None, piece.part])[0]

        found = self.map(compute, _divide(observations, IMAGES))
        return torch.cat(found).view(*observations.shape[:2], *found[0].shape[1:])

    def convolve(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns the features `[N, B, F]` that the convolutions find in observations."""
        return self._network.convolve(parameters, observations)

    def map(self, function: Callable[[Input], Output], inputs: Sequence[Input]) -> list[Output]:
        """Returns the outputs of a function for each input, computed by this thread and others."""
        outputs: dict[int, Output] = {}
        numbers = iter(range(len(inputs)))  # Threads take the next one in turn.

        def work() -> None:
            for number in numbers:
                outputs[number] = function(inputs[number])

        others = min(self._num_threads, len(inputs)) - 1
        helping = [self._pool.submit(work) for _ in range(others)]
        try:
            with torch.no_grad():
                work()
        finally:
            # After an error here, the others finish what is left before it is raised.
            wait(helping)
        for future in helping:
            future.result()
        return [outputs[number] for number in range(len(inputs))]


class Piece(NamedTuple):
    """A part of the work on one run.

    Attributes:
        run: row of the run.
        part: of its images, or of the inputs of its layer.
    """

    run: int
    part: slice


class _Convolutions(torch.autograd.Function):
    """Features of images, in pieces of some images each."""

    @staticmethod
    def forward(ctx: Any, net: ParallelConvNet, observations: Tensor, *parameters: Tensor) -> Any:
        pieces = _divide(observations, IMAGES)

        def convolve(piece: Piece) -> tuple[list[Tensor], Tensor]:
            leaves = [one[piece.run, None].detach().requires_grad_() for one in parameters]
            with torch.enable_grad():
                return leaves, net.convolve(leaves, observations[piece.run, None, piece.part])

        ctx.net, ctx.pieces, ctx.passes = net, pieces, net.map(convolve, pieces)
        features = torch.cat([features.detach()[0] for _, features in ctx.passes])
        return features.view(*observations.shape[:2], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        def differentiate(number: int) -> tuple[Tensor, ...]:
            (run, images), (leaves, features) = ctx.pieces[number], ctx.passes[number]
            own = gradients[0][run, None, images]
            found: tuple[Tensor, ...] = torch.autograd.grad(features, leaves, own)
            return found

        found = ctx.net.map(differentiate, range(len(ctx.pieces)))
        count = len(gradients[0])
        sums = (
            torch.cat(_sum_per_run(of_parameter, count))
            for of_parameter in zip(*found, strict=True)
        )
        return None, None, *sums


class _WideLinear(torch.autograd.Function):
    """A linear layer without bias, in pieces of some inputs each."""

    @staticmethod
    def forward(ctx: Any, net: ParallelConvNet, inputs: Tensor, weight: Tensor) -> Any:
        ctx.net = net
        ctx.save_for_backward(inputs, weight)

        def multiply(piece: Piece) -> Tensor:
            run, part = piece
            return inputs[run, :, part] @ weight[run, part]

        found = net.map(multiply, _divide(weight, FEATURES))
        return torch.stack(_sum_per_run(found, len(weight)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        inputs, weight = ctx.saved_tensors
        of_inputs, of_weight = torch.empty_like(inputs), torch.empty_like(weight)

        def differentiate(piece: Piece) -> None:
            run, part = piece
            gradient = gradients[0][run]
            of_inputs[run, :, part] = gradient @ weight[run, part].T
            torch.mm(inputs[run, :, part].T, gradient, out=of_weight[run, part])

        ctx.net.map(differentiate, _divide(weight, FEATURES))
        return None, of_inputs, of_weight


_convolve: Callable[..., Tensor] = _Convolutions.apply
_multiply: Callable[..., Tensor] = _WideLinear.apply


def _divide(work: Tensor, most: int) -> list[Piece]:
    """Divides the second axis of `[N, ...]` into parts of `most` rows, run by run."""
    parts = [slice(at, at + most) for at in range(0, work.shape[1], most)]
    return [Piece(run, part) for run, part in product(range(len(work)), parts)]


def _sum_per_run(pieces: Sequence[Tensor], num_runs: int) -> list[Tensor]:
    """Returns the sum of the pieces of each run, which lie run by run."""
    count = len(pieces) // num_runs
    runs = [pieces[at : at + count] for at in range(0, len(pieces), count)]
    return [sum(own[1:], own[0]) for own in runs]


def _prepare_thread() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
