"""A multi-layer perceptron as Q-network.

The native engine computes it in `agent/native/mlp.py`.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, starmap

import torch
from torch import Tensor

from dqn_exp.network.layers import Linear, ParameterLayout, linear

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu_, "tanh": torch.tanh_}
"""Activations by name, in place: nothing else needs the pre-activations."""


class MLP:
    """A multi-layer perceptron that maps observations `[N, B, D]` to outputs `[N, B, A, K]`.

    With dueling heads the last layer has one more row of outputs, the value of the observation.
    The outputs of an action are that value plus the advantage of the action over the mean of all:
    Dueling Network Architectures for Deep Reinforcement Learning,
    https://arxiv.org/abs/1511.06581, equation 9. Both heads share the hidden layers.
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
        """Creates the network without parameters.

        Args:
            num_features: D.
            hidden_sizes: units of the hidden layers; empty for a linear map.
            num_actions: A.
            num_outputs: K.
            activation: of the hidden layers, one of `ACTIVATIONS`.
            dueling: whether the value and the advantages have heads of their own.

        Raises:
            ValueError: If the activation is unknown.
        """
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"network.activation: expected one of {sorted(ACTIVATIONS)}, got {activation!r}."
            )
        self._activation = ACTIVATIONS[activation]
        self.num_features, self._num_outputs = num_features, num_outputs
        self._dueling = dueling
        sizes = [num_features, *hidden_sizes, (num_actions + dueling) * num_outputs]
        self.layers = list(starmap(Linear, pairwise(sizes)))
        self.layout = ParameterLayout(self.layers)

    def forward(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns outputs `[N, B, A, K]` for observations `[N, B, D]`."""
        weight, bias, *rest = parameters
        return self.finish(rest, linear(observations, weight, bias))

    def finish(self, parameters: Sequence[Tensor], outputs: Tensor) -> Tensor:
        """Returns outputs `[N, B, A, K]` for those of the first layer, before its activation."""
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            outputs = linear(self._activation(outputs), weight, bias)
        heads = outputs.view(*outputs.shape[:2], -1, self._num_outputs)
        return combine_heads(heads) if self._dueling else heads


def combine_heads(heads: Tensor) -> Tensor:
    """Returns the outputs `[N, B, A, K]` of dueling heads `[N, B, 1 + A, K]`, the value first."""
    advantages = heads[:, :, 1:]
    return heads[:, :, :1] + advantages - advantages.mean(2, keepdim=True)
