"""Noisy weights of one run, in compiled code.

The equations are those of `network.noisy`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.dense import COLUMNS
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
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.random_streams import Stream
from dqn_exp.core.vector import LANES, broadcast, fill, load, load_integers, store, zeros
from dqn_exp.core.vector_functions import magnitude, square_root, with_sign_of
from dqn_exp.core.vector_lanes import every_other, in_turn
from dqn_exp.core.vector_math import cosine_and_sine, logarithm

ACTING, LEARNING = int(Stream.NOISE_OF_ACTING), int(Stream.NOISE_OF_LEARNING)
TARGET, CHOOSING = int(Stream.NOISE_OF_TARGET), int(Stream.NOISE_OF_CHOICE)

NOTHING = -1
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

    The factors of their noise stay in the memory, until others are drawn.
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
def _no_scales(_spec: Static, _record: Any, _memory: Memory) -> None:
    pass


@kernel
def _chain_scales(_spec: Static, record: Any, memory: Memory) -> None:
    gradient = memory.at.gradient
    scales = gradient + memory.at.num_parameters
    _multiply(memory, _first_factor(memory, record.updates), NOTHING, gradient, scales)


@chosen
def complete_gradient(spec: Spec) -> Any:
    """Computes the gradient of the scales, given that of the weights with `learning_weights`."""
    return _chain_scales if spec.is_noisy else _no_scales


@kernel
def _draw(
    seed: np.uint64, stream: int, index: int, memory: Memory, parameters: int, weights: int
) -> None:
    """Writes the weights with the noise at an index of a stream, and the factors of the noise."""
    _draw_factors(seed, stream, index, memory)
    scales = parameters + memory.at.num_parameters
    _multiply(memory, _first_factor(memory, index), parameters, scales, weights)


@kernel
def _first_factor(memory: Memory, index: int) -> int:
    """Returns the place of the first factor of the noise at an index."""
    place: int = memory.at.noise_factors + index * memory.at.num_noise % 2
    return place


@called_kernel
def _multiply(memory: Memory, first: int, base: int, scales: int, to: int) -> None:
    """Writes the products of numbers and noise for all parameters.

    Args:
        memory: of the thread.
        first: place of the first factor of the noise.
        base: place of numbers that are added to the products, or `NOTHING`.
        scales: place of the numbers.
        to: place of the results.
    """
    if memory.at.num_convolutions > 0:
        _copy_convolutions(memory, base, to)
    for layer in range(memory.at.num_convolutions, memory.at.num_layers):
        row = memory.layers[layer]
        _copy_factors(memory, row, first)
        _multiply_weights(memory, row, base, scales, to)
        _multiply_biases(memory, row, base, scales, to)
        first += row[TRUE_INPUTS] + row[TRUE_OUTPUTS]


@kernel
def _copy_convolutions(memory: Memory, base: int, to: int) -> None:
    """Does as `_multiply` for the convolutions, which have no noise."""
    for i in range(0, memory.layers[memory.at.num_convolutions, WEIGHT], LANES):
        given = zeros() if base == NOTHING else load(memory.numbers, base + i)
        store(memory.numbers, to + i, given)


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
            numbers[to + head * outputs + k] = numbers[first + k] if k < width else ZERO
        first += width


@kernel
def _multiply_weights(memory: Memory, row: IntArray, base: int, scales: int, to: int) -> None:
    numbers, inputs, outputs, place = memory.numbers, row[INPUTS], row[OUTPUTS], row[WEIGHT]
    of_inputs, of_outputs = memory.at.input_factors, memory.at.output_factors
    for head in range(row[COUNT]):
        if outputs == 1:
            factor = broadcast(numbers, of_outputs + head)
            for i in range(0, inputs, LANES):
                noise = factor * load(numbers, of_inputs + i)
                _write(numbers, noise, base, scales, to, place + i)
            place += inputs
        else:
            for panel in range(of_outputs, of_outputs + outputs, COLUMNS):
                for i in range(inputs):
                    factor = broadcast(numbers, of_inputs + i)
                    for k in range(0, COLUMNS, LANES):
                        noise = factor * load(numbers, panel + k)
                        _write(numbers, noise, base, scales, to, place + k)
                    place += COLUMNS
            of_outputs += outputs


@kernel
def _multiply_biases(memory: Memory, row: IntArray, base: int, scales: int, to: int) -> None:
    """Does the same for the biases of a layer, whose noise is the output factors."""
    for k in range(0, row[COUNT] * row[OUTPUTS], LANES):
        noise = load(memory.numbers, memory.at.output_factors + k)
        _write(memory.numbers, noise, base, scales, to, row[BIAS] + k)


@kernel
def _write(numbers: Float32Array, noise: Any, base: int, scales: int, to: int, place: int) -> None:
    product = noise * load(numbers, scales + place)
    store(
        numbers, to + place, product if base == NOTHING else load(numbers, base + place) + product
    )


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
