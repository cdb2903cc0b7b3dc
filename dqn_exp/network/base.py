"""The interface of Q-networks."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from dqn_exp.network.layers import ParameterLayout


class Network(Protocol):
    """Maps observations to outputs for every action, for all runs at once.

    A network holds no parameters: they are an argument, so the online and the target network are
    one object.

    Attributes:
        num_features: D.
        layout: where its parameters lie in the flat row of a run.
    """

    num_features: int
    layout: ParameterLayout

    def forward(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns outputs `[N, B, A, K]`.

        Args:
            parameters: weights and biases in turn, as from `layout.views`.
            observations: `[N, B, D]`.
        """
        ...
