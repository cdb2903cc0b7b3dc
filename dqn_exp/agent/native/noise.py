"""Noisy weights of one run, in compiled code.

The equations are those of `network.noisy`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.layout import (
    BIAS,
    COUNT,
    INPUTS,
    OUTPUTS,
    TRUE_INPUTS,
    TRUE_OUTPUTS,
    WEIGHT,
    WIDTH,
)
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core import philox
from dqn_exp.core.arrays import IntArray
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.random_streams import Stream
from dqn_exp.core.vector import LANES, fill, load, load_integers, store
from dqn_exp.core.vector_functions import magnitude, square_root, with_sign_of
from dqn_exp.core.vector_lanes import every_other, in_turn
from dqn_exp.core.vector_math import cosine_and_sine, logarithm

ACTING, LEARNING = int(Stream.NOISE_OF_ACTING), int(Stream.NOISE_OF_LEARNING)
TARGET, CHOOSING = int(Stream.NOISE_OF_TARGET), int(Stream.NOISE_OF_CHOICE)

ZERO, UNIT, HALF = np.float32(0), np.float32(2.0**-32), np.float32(0.5)


@kernel
def _online(_spec: Static, _record: Any, memory: Memory) -> Any:
    return memory.at.online


@kernel
def _target(_spec: Static, _record: Any, memory: Memory) -> Any:
    return memory.at.target


@kernel
def _noisy_acting(_spec: Static, record: Any, memory: Memory) -> Any:
    _draw(record.seed, ACTING, record.step, memory, memory.at.online, memory.at.acting)
    return memory.at.acting


@kernel
def _noisy_learning(_spec: Static, record: Any, memory: Memory) -> Any:
    _draw(record.seed, LEARNING, record.updates, memory, memory.at.online, memory.at.learning)
    return memory.at.learning


@kernel
def _noisy_target(_spec: Static, record: Any, memory: Memory) -> Any:
    _draw(record.seed, TARGET, record.updates, memory, memory.at.target, memory.at.bootstrapping)
    return memory.at.bootstrapping


@kernel
def _noisy_choosing(_spec: Static, record: Any, memory: Memory) -> Any:
    _draw(record.seed, CHOOSING, record.updates, memory, memory.at.online, memory.at.choosing)
    return memory.at.choosing


@chosen
def acting_weights(spec: Spec) -> Any:
    """Returns the place of the weights that act, with noise of the current step."""
    return _noisy_acting if spec.is_noisy else _online


@chosen
def learning_weights(spec: Spec) -> Any:
    """Returns the place of the weights that learn, with noise of the current update.

    Their noise stays in the memory, until other noise is drawn.
    """
    return _noisy_learning if spec.is_noisy else _online


@chosen
def target_weights(spec: Spec) -> Any:
    """Returns the place of the weights of the target network."""
    return _noisy_target if spec.is_noisy else _target


@chosen
def choosing_weights(spec: Spec) -> Any:
    """Returns the place of the online weights that choose the action to bootstrap from."""
    return _noisy_choosing if spec.is_noisy else _online


@kernel
def _no_scales(_spec: Static, _memory: Memory) -> None:
    pass


@kernel
def _chain_scales(_spec: Static, memory: Memory) -> None:
    numbers, size = memory.numbers, memory.at.num_parameters
    for i in range(0, size, LANES):
        gradient = load(numbers, memory.at.gradient + i)
        store(numbers, memory.at.gradient + size + i, gradient * load(numbers, memory.at.noise + i))


@chosen
def complete_gradient(spec: Spec) -> Any:
    """Computes the gradient of the scales, given that of the weights."""
    return _chain_scales if spec.is_noisy else _no_scales


@called_kernel
def _draw(
    seed: np.uint64, stream: int, index: int, memory: Memory, parameters: int, weights: int
) -> None:
    """Writes the weights with the noise at an index of a stream, and the noise."""
    _draw_factors(seed, stream, index, memory)
    numbers, size = memory.numbers, memory.at.num_parameters
    first = memory.at.noise_factors + index * memory.at.num_noise % 2
    for layer in range(memory.at.num_layers):
        row = memory.layers[layer]
        inputs, outputs = row[TRUE_INPUTS], row[TRUE_OUTPUTS]
        _copy_factors(memory, row, first)
        _write_noise(memory, row)
        first += inputs + outputs
    for i in range(0, size, LANES):
        scale = load(numbers, parameters + size + i)
        noise = load(numbers, memory.at.noise + i)
        store(numbers, weights + i, load(numbers, parameters + i) + scale * noise)


@kernel
def _copy_factors(memory: Memory, row: IntArray, first: int) -> None:
    """Copies the factors of a layer, with zeros between them where its weights are padded."""
    numbers, inputs, outputs = memory.numbers, row[INPUTS], row[OUTPUTS]
    to, count = memory.at.input_factors, row[TRUE_INPUTS]
    for i in range(inputs):
        numbers[to + i] = numbers[first + i] if i < count else ZERO
    to, first, width = memory.at.output_factors, first + count, row[WIDTH]
    for head in range(row[COUNT]):
        for k in range(outputs):
            factor = numbers[first + k] if k < width else ZERO
            numbers[to + head * outputs + k] = factor
            numbers[memory.at.noise + row[BIAS] + head * outputs + k] = factor
        first += width


@kernel
def _write_noise(memory: Memory, row: IntArray) -> None:
    """Writes the noise of a layer's weights: products of the factors."""
    numbers, inputs, outputs = memory.numbers, row[INPUTS], row[OUTPUTS]
    to = memory.at.noise + row[WEIGHT]
    of_inputs, of_outputs = memory.at.input_factors, memory.at.output_factors
    for head in range(row[COUNT]):
        if outputs == 1:
            factor = fill(numbers[of_outputs + head])
            for i in range(0, inputs, LANES):
                store(numbers, to + i, factor * load(numbers, of_inputs + i))
            to += inputs
        else:
            for i in range(inputs):
                factor = fill(numbers[of_inputs + i])
                for k in range(0, outputs, LANES):
                    store(numbers, to + k, factor * load(numbers, of_outputs + k))
                to += outputs
            of_outputs += outputs


@kernel
def _draw_factors(seed: np.uint64, stream: int, index: int, memory: Memory) -> None:
    """Writes the factors of the noise at an index, from an even position of the stream on."""
    numbers, random = memory.numbers, memory.random
    width = memory.at.num_noise
    first = index * width
    philox.fill(random, width + 2, seed, stream, first - first % 2)
    for place in range(0, width + 2, 2 * LANES):
        low, high = load_integers(random, place), load_integers(random, place + LANES)
        radius = square_root(fill(-2.0) * logarithm(_unit(every_other(low, high, 0))))
        cosine, sine = cosine_and_sine(_unit(every_other(low, high, 1)))
        first, second = _root(radius * cosine), _root(radius * sine)
        store(numbers, memory.at.noise_factors + place, in_turn(first, second, 0))
        store(numbers, memory.at.noise_factors + place + LANES, in_turn(first, second, 1))


@kernel
def _unit(integers: Any) -> Any:
    """Converts 32-bit integers to (0, 1], as `random_streams.to_normal` does."""
    return (integers + fill(HALF)) * fill(UNIT)


@kernel
def _root(normal: Any) -> Any:
    return with_sign_of(square_root(magnitude(normal)), normal)
