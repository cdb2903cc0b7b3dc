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
    """A multi-layer perceptron that maps observations `[N, B, D]` to outputs `[N, B, A, K]`.

    It holds no parameters: they are an argument, so online and target network are one object.

    With dueling heads the last layer gives one more row of outputs, the value of the observation,
    and the outputs of an action are that value plus the action's advantage over the mean of all:
    Dueling Network Architectures for Deep Reinforcement Learning,
    https://arxiv.org/abs/1511.06581, equation 9. Both heads stand on the same hidden layers.
    """

    def __init__(
        self,
        num_features: int,
        hidden_sizes: Sequence[int],
        num_actions: int,
        *,
        num_outputs: int = 1,
        activation: str = "relu",
        dueling: bool = False,
    ) -> None:
        """Args: D, the widths of the hidden layers (none: a linear map), A, K, and two choices.

        Raises:
            ValueError: if `activation` is not one of `ACTIVATIONS`.
        """
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"network.activation: expected one of {sorted(ACTIVATIONS)}, got {activation!r}."
            )
        self._activation = ACTIVATIONS[activation]
        self._num_outputs = num_outputs
        self._dueling = dueling
        num_heads = num_actions + dueling
        self.layers: list[LayerShape] = list(
            pairwise([num_features, *hidden_sizes, num_heads * num_outputs])
        )

    @property
    def num_parameters(self) -> int:
        """Weights and biases of one run."""
        return num_parameters(self.layers)

    def init_parameters(self, seeds: Sequence[int]) -> Tensor:
        """Returns initial weights and biases `[N, P]`, each run's from a stream of its own."""
        count = -(-self.num_parameters // 8) * 8
        bounds = init_bounds(self.layers)
        rows = [
            torch.from_numpy(to_unit(draw(seed, Stream.PARAMETERS, 0, count)))[: len(bounds)]
            for seed in seeds
        ]
        return ((2 * torch.stack(rows) - 1) * bounds).float()

    def forward(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns outputs `[N, B, A, K]`.

        Args:
            parameters: weights and biases in turn, as `layers.to_views` gives them.
            observations: `[N, B, D]`.
        """
        outputs = linear(observations, parameters[0], parameters[1])
        for weight, bias in zip(parameters[2::2], parameters[3::2], strict=True):
            outputs = linear(self._activation(outputs), weight, bias)
        heads = outputs.view(*outputs.shape[:2], -1, self._num_outputs)
        if not self._dueling:
            return heads
        advantages = heads[:, :, 1:]
        return heads[:, :, :1] + advantages - advantages.mean(2, keepdim=True)
