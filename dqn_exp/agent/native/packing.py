"""Packing of a run's parameters into the memory of a thread, and unpacking, in compiled code."""

from dqn_exp.agent.native.layout import (
    BIAS,
    COUNT,
    FLAT,
    INPUTS,
    PITCH,
    TRUE_INPUTS,
    TRUE_OUTPUTS,
    WEIGHT,
    WIDTH,
)
from dqn_exp.agent.native.memory import Memory
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, store, zeros


@called_kernel
def pack(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Copies parameters `[P]` from `first` on in a flat array to the memory."""
    # Padding too: it may hold what a run that diverges has left.
    for i in range(packed, packed + memory.at.num_parameters, LANES):
        store(memory.numbers, i, zeros())
    for index in range(memory.at.num_layers):
        row = memory.layers[index]
        inputs, pitch, place = row[INPUTS], row[PITCH], first + row[FLAT]
        to = packed + row[WEIGHT]
        for i in range(row[TRUE_INPUTS]):
            for head in range(row[COUNT]):
                for k in range(row[WIDTH]):
                    memory.numbers[to + (head * inputs + i) * pitch + k] = flat[place]
                    place += 1
        to = packed + row[BIAS]
        for head in range(row[COUNT]):
            for k in range(row[WIDTH]):
                memory.numbers[to + head * pitch + k] = flat[place]
                place += 1


@called_kernel
def unpack(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Copies parameters from the memory back, as `pack` has taken them."""
    for index in range(memory.at.num_layers):
        row = memory.layers[index]
        inputs, pitch, place = row[INPUTS], row[PITCH], first + row[FLAT]
        to = packed + row[WEIGHT]
        for i in range(row[TRUE_INPUTS]):
            for head in range(row[COUNT]):
                for k in range(row[WIDTH]):
                    flat[place] = memory.numbers[to + (head * inputs + i) * pitch + k]
                    place += 1
        to = packed + row[BIAS]
        for head in range(row[COUNT]):
            for k in range(row[WIDTH]):
                flat[place] = memory.numbers[to + head * pitch + k]
                place += 1


@kernel
def pack_all(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Packs the weights and biases of a run and, if they are noisy, the scales of their noise."""
    for copy in range(memory.at.num_trained // memory.at.num_parameters):
        place = packed + copy * memory.at.num_parameters
        pack(memory, place, flat, first + copy * size_of(memory))


@kernel
def unpack_all(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Unpacks what `pack_all` has packed."""
    for copy in range(memory.at.num_trained // memory.at.num_parameters):
        place = packed + copy * memory.at.num_parameters
        unpack(memory, place, flat, first + copy * size_of(memory))


@kernel
def size_of(memory: Memory) -> int:
    """Returns the number of weights and biases (P, without the scales of noise)."""
    last = memory.layers[memory.at.num_layers - 1]
    size: int = last[FLAT] + last[TRUE_INPUTS] * last[TRUE_OUTPUTS] + last[TRUE_OUTPUTS]
    return size
