"""Packing of a run's parameters into the memory of a thread, and unpacking, in compiled code."""

from dqn_exp.agent.native.layout import (
    BIAS,
    COUNT,
    FLAT,
    INPUTS,
    OUTPUTS,
    PANEL,
    TRUE_INPUTS,
    TRUE_OUTPUTS,
    WEIGHT,
    WIDTH,
)
from dqn_exp.agent.native.memory import Memory
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, load_some, store, store_some, zeros


@called_kernel
def pack(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Copies parameters `[P]` from `first` on in a flat array to the memory."""
    # Padding too: it may hold what a run that diverges has left.
    for i in range(packed, packed + memory.at.num_parameters, LANES):
        store(memory.numbers, i, zeros())
    for index in range(memory.at.num_layers):
        row = memory.layers[index]
        place, width, panel = first + row[FLAT], row[WIDTH], row[PANEL]
        for i in range(row[TRUE_INPUTS]):
            for head in range(row[COUNT]):
                for k in range(0, width, panel):
                    to, count = packed + _place_of(row, head, k, i), min(panel, width - k)
                    _copy(flat, place + k, memory.numbers, to, count)
                place += width
        for head in range(row[COUNT]):
            _copy(flat, place, memory.numbers, packed + row[BIAS] + head * row[OUTPUTS], width)
            place += width


@called_kernel
def unpack(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Copies parameters from the memory back, as `pack` has taken them."""
    for index in range(memory.at.num_layers):
        row = memory.layers[index]
        place, width, panel = first + row[FLAT], row[WIDTH], row[PANEL]
        for i in range(row[TRUE_INPUTS]):
            for head in range(row[COUNT]):
                for k in range(0, width, panel):
                    found, count = packed + _place_of(row, head, k, i), min(panel, width - k)
                    _copy(memory.numbers, found, flat, place + k, count)
                place += width
        for head in range(row[COUNT]):
            _copy(memory.numbers, packed + row[BIAS] + head * row[OUTPUTS], flat, place, width)
            place += width


@kernel
def _place_of(row: IntArray, head: int, k: int, i: int) -> int:
    """Returns where the weights of an input are for a head's outputs from `k` on, in a panel."""
    inputs, panel = row[INPUTS], row[PANEL]
    place: int = row[WEIGHT] + (head * row[OUTPUTS] + k) * inputs + i * panel
    return place


@kernel
def _copy(source: Float32Array, first: int, target: Float32Array, place: int, count: int) -> None:
    """Copies numbers from `first` on in one array to `place` in another one."""
    for k in range(0, count, LANES):
        store_some(target, place + k, load_some(source, first + k, count - k), count - k)


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
