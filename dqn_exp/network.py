"""The Q-network: from observations to outputs for every action, for all runs at once."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from dqn_exp.layers import LayerShape, init_bounds, linear, num_parameters
from dqn_exp.random_streams import Stream, draw, to_unit

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu_, "tanh": torch.tanh_}
"""In place: nothing else needs the outputs of a layer before its activation."""


class QNetwork:
    """A multi-layer perceptron that maps observations `[N, B, D]` to values `[N, B, A]`.

    It holds no parameters: they are an argument, so online and target network are one object.
    """

    def __init__(
        self, num_features: int, hidden_sizes: Sequence[int], num_actions: int, activation: str
    ) -> None:
        """Args: D, the widths of the hidden layers (none: a linear map), A, and a name.

        Raises:
            ValueError: if `activation` is not one of `ACTIVATIONS`.
        """
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"network.activation: expected one of {sorted(ACTIVATIONS)}, got {activation!r}."
            )
        self._activation = ACTIVATIONS[activation]
        sizes = [num_features, *hidden_sizes, num_actions]
        self.layers: list[LayerShape] = list(pairwise(sizes))

    @property
    def num_parameters(self) -> int:
        """P, the parameters of one run."""
        return num_parameters(self.layers)

    def init_parameters(self, seeds: Sequence[int]) -> Tensor:
        """Returns initial parameters `[N, P]`, each run's from a stream of its own seed."""
        count = -(-self.num_parameters // 8) * 8
        bounds = init_bounds(self.layers)
        rows = [
            torch.from_numpy(to_unit(draw(seed, Stream.PARAMETERS, 0, count)))[: len(bounds)]
            for seed in seeds
        ]
        return ((2 * torch.stack(rows) - 1) * bounds).float()

    def forward(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns values `[N, B, A]`.

        Args:
            parameters: weights and biases in turn, as `layers.to_views` gives them.
            observations: `[N, B, D]`.
        """
        outputs = linear(observations, parameters[0], parameters[1])
        for weight, bias in zip(parameters[2::2], parameters[3::2], strict=True):
            outputs = linear(self._activation(outputs), weight, bias)
        return outputs
