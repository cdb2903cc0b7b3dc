"""Compile-time options of an agent."""

from typing import NamedTuple


class Spec(NamedTuple):
    """Choices that are known when code is compiled.

    Attributes:
        activation: of the hidden layers, relu or tanh.
        is_deep: whether there is more than one hidden layer, convolutions among them.
        is_dueling: whether value and advantages have separate heads.
        is_noisy: whether weights have noise with trained scales.
        is_normalized: whether observations are normalized.
        value: scalar, categorical or quantile.
        loss: of scalar values, mse or huber.
        target: greedy, double or munchausen.
        optimizer: adam or rmsprop.
        is_prioritized: whether the buffer is prioritized.
        stores_frames: whether observations are stored as frames.
        has_convolutions: whether the first layers are convolutions; then updates are made in tasks.
    """

    activation: str
    is_deep: bool
    is_dueling: bool = False
    is_noisy: bool = False
    is_normalized: bool = False
    value: str = "scalar"
    loss: str = "mse"
    target: str = "greedy"
    optimizer: str = "adam"
    is_prioritized: bool = False
    stores_frames: bool = False
    has_convolutions: bool = False
