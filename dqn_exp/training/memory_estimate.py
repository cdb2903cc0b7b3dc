"""Estimate of the memory that a run takes, part by part."""

from typing import NamedTuple

from dqn_exp.buffer.sum_tree import bytes_of_tree
from dqn_exp.config.engine_choice import outputs_per_action
from dqn_exp.config.schema import Config
from dqn_exp.core.transition import make_layout
from dqn_exp.env.arguments import EnvShape
from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import num_numbers
from dqn_exp.training.build_engine import make_network

BYTES = 4
"""Of a number in single precision."""

BYTES_OF_LINKS = 8
"""Of a stored frame."""

COPIES = 7
"""Of the parameters: online, target, best, gradient, two moments and a temporary one."""


class MemoryEstimate(NamedTuple):
    """Bytes that a run takes.

    Attributes:
        buffer: replay buffer.
        parameters: parameters of the networks, with those of the optimizer.
        batch: activations and gradients of a batch.
    """

    buffer: int
    parameters: int
    batch: int

    @property
    def total(self) -> int:
        """Sum of all parts."""
        return sum(self)


def estimate_memory(config: Config, shape: EnvShape) -> MemoryEstimate:
    """Returns the memory of a run whose buffer is full."""
    outputs = outputs_per_action(config)
    network = make_network([config], shape, outputs)
    noise = 1 + config.network.noisy
    units = shape.num_features + sum(config.network.hidden_sizes) + shape.num_actions * outputs
    if isinstance(network, ConvNet):
        units += sum(num_numbers(each.output) for each in network.convolutions)
    return MemoryEstimate(
        buffer=_buffer_bytes(config, shape),
        parameters=network.layout.size * noise * COPIES * BYTES,
        batch=3 * config.agent.batch_size * units * BYTES,
    )


def parts_of(config: Config, estimate: MemoryEstimate) -> list[tuple[int, str, object]]:
    """Returns the parts of an estimate, largest first: bytes, key and value that make them."""
    parts: list[tuple[int, str, object]] = [
        (estimate.buffer, "buffer.capacity", config.buffer.capacity),
        (estimate.parameters, "network.hidden_sizes", config.network.hidden_sizes),
        (estimate.batch, "agent.batch_size", config.agent.batch_size),
    ]
    return sorted(parts, key=lambda part: -part[0])


def describe_memory(config: Config, estimate: MemoryEstimate) -> str:
    """Returns the large parts of an estimate, with the keys that make them."""
    large = [part for part in parts_of(config, estimate) if part[0] > 0.01 * estimate.total]
    return ", ".join(f"{to_text(size)} for {key}={value}" for size, key, value in large)


def to_text(num_bytes: int) -> str:
    """Returns a number of bytes in the unit that fits."""
    unit, name = next(
        ((size, name) for size, name in ((2**40, "TiB"), (2**30, "GiB")) if num_bytes >= size),
        (2**20, "MiB"),
    )
    return f"{num_bytes / unit:,.1f} {name}"


def _buffer_bytes(config: Config, shape: EnvShape) -> int:
    width = make_layout(shape.num_stored, config.agent.n_step).width
    capacity = config.buffer.capacity
    frames = 0 if shape.frames is None else capacity * (shape.frames.num_bytes + BYTES_OF_LINKS)
    tree = bytes_of_tree(capacity) if config.buffer.kind == "prioritized" else 0
    return capacity * width * BYTES + tree + frames
