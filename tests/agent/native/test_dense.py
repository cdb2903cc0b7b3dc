"""Linear layers in compiled code against numpy."""

from itertools import pairwise

import numpy as np
import pytest

from dqn_exp.agent.native import dense
from dqn_exp.agent.native.memory import make_memory, pack, unpack
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.compile_time import Static
from dqn_exp.network.layers import Linear
from tests.kernels import callable_kernel

GENERATOR = np.random.default_rng(0)
RELU = Static(Spec("relu", is_narrow=True, is_deep=True))
forward_wide, forward_narrow, wide_gradient, narrow_gradient, narrow_deltas, wide_deltas = map(
    callable_kernel,
    (
        dense.forward_wide,
        dense.forward_narrow,
        dense.wide_gradient,
        dense.narrow_gradient,
        dense.narrow_input_deltas,
        dense.wide_input_deltas,
    ),
)
pack_all, unpack_all = callable_kernel(pack), callable_kernel(unpack)


class Network:
    """Random parameters of some layers, packed, and the same as matrices."""

    def __init__(self, sizes: list[int], num_rows: int) -> None:
        self.layers = [Linear(a, b) for a, b in pairwise(sizes)]
        self.memory = make_memory(
            self.layers,
            num_outputs=1,
            is_dueling=False,
            num_rows=num_rows,
            batch_size=num_rows,
            num_copies=1,
        )
        count = sum(a * b + b for a, b in self.layers)
        self.flat = GENERATOR.normal(size=count).astype(np.float32)
        pack_all(self.memory, self.memory.at.online, self.flat, 0)

    def matrices(self, index: int, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = sum(a * b + b for a, b in self.layers[:index])
        inputs, outputs = self.layers[index]
        end = first + inputs * outputs
        return flat[first:end].reshape(inputs, outputs), flat[end : end + outputs]

    def layer(self, index: int) -> dense.Layer:
        *places, is_narrow = self.memory.layers[index, :7].tolist()
        return dense.Layer(*places, bool(is_narrow))

    def part(self, base: int, place: int, rows: int, width: int) -> np.ndarray:
        return self.memory.numbers[base + place :][: rows * width].reshape(rows, width)


def fill_units(network: Network, index: int, base: int, rows: int) -> np.ndarray:
    """Random inputs of a layer, of which some are 0; padding stays 0."""
    layer, true = network.layer(index), network.layers[index].inputs
    found = network.part(base, layer.units, rows, layer.inputs)
    found[:, :true] = np.maximum(GENERATOR.normal(size=(rows, true)), 0)
    return found[:, :true].copy()


@pytest.mark.parametrize("rows", [1, 4, 7, 64])
@pytest.mark.parametrize("sizes", [[4, 128, 2], [1, 5, 3], [3, 40, 64, 7], [6, 33, 9]])
def test_layers_are_those_of_numpy(sizes, rows):
    network = Network(sizes, rows)
    memory, last = network.memory, len(sizes) - 2
    for index in range(last + 1):
        layer, (weight, bias) = network.layer(index), network.matrices(index, network.flat)
        inputs = fill_units(network, index, memory.at.units, rows)
        call = (memory.numbers, layer, memory.at.online, memory.at.units, int(memory.at.rows))
        if layer.is_narrow:
            forward_narrow(*call)
        else:
            forward_wide(RELU, *call)
        found = network.part(memory.at.units, layer.heads, rows, layer.outputs)
        expected = inputs @ weight + bias
        expected = expected if layer.is_narrow else np.maximum(expected, 0)
        np.testing.assert_allclose(found[:, : len(bias)], expected, rtol=2e-5, atol=2e-5)
        assert layer.is_narrow or not found[:, len(bias) :].any()


@pytest.mark.parametrize("rows", [1, 6, 64])
@pytest.mark.parametrize("sizes", [[4, 128, 2], [3, 40, 64, 7], [6, 33, 9]])
def test_gradients_are_those_of_numpy(sizes, rows):
    network = Network(sizes, rows)
    memory = network.memory
    for index in range(len(sizes) - 1):
        layer, (weight, bias) = network.layer(index), network.matrices(index, network.flat)
        inputs = fill_units(network, index, memory.at.units, rows)
        heads = network.part(memory.at.deltas, layer.heads, rows, layer.outputs)
        heads[:, : len(bias)] = GENERATOR.normal(size=(rows, len(bias)))
        deltas = heads[:, : len(bias)].copy()
        gradient = narrow_gradient if layer.is_narrow else wide_gradient
        gradient(memory.numbers, layer, memory.at.gradient, memory.at.units, memory.at.deltas, rows)
        flat = np.zeros_like(network.flat)
        unpack_all(memory, memory.at.gradient, flat, 0)
        of_weight, of_bias = network.matrices(index, flat)
        np.testing.assert_allclose(of_weight, inputs.T @ deltas, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(of_bias, deltas.sum(0), rtol=1e-4, atol=1e-4)
        if index > 0:
            call = (
                memory.numbers,
                layer,
                memory.at.online,
                memory.at.units,
                memory.at.deltas,
                rows,
            )
            (narrow_deltas if layer.is_narrow else wide_deltas)(RELU, *call)
            found = network.part(memory.at.deltas, layer.units, rows, layer.inputs)
            expected = deltas @ weight.T * (inputs > 0)
            found = found[:, : network.layers[index].inputs]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_parameters_come_back_as_they_were_packed():
    network = Network([3, 40, 20, 5], 4)
    found = np.zeros_like(network.flat)
    unpack_all(network.memory, network.memory.at.online, found, 0)
    np.testing.assert_array_equal(found, network.flat)
