"""Linear layers and heads in compiled code against numpy."""

from itertools import pairwise

import numpy as np
import pytest

from dqn_exp.agent.native import dense, dueling, scalar_heads
from dqn_exp.agent.native.layout import BIAS, WEIGHT
from dqn_exp.agent.native.memory import group_rows, make_memory
from dqn_exp.agent.native.packing import pack, unpack
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.compile_time import Static
from dqn_exp.network.layers import Linear
from tests.kernels import callable_kernel

pytestmark = pytest.mark.xdist_group("dense")  # Each process compiles its kernels.

GENERATOR = np.random.default_rng(0)
RELU = Static(Spec("relu", is_deep=True))
forward, gradient, input_deltas, apply_slopes = map(
    callable_kernel, (dense.forward, dense.gradient, dense.input_deltas, dense.apply_slopes)
)
forward_all, forward_taken, backward_columns, gradient_of_biases = map(
    callable_kernel,
    (
        scalar_heads.forward_all,
        scalar_heads.forward_taken,
        scalar_heads.backward_columns,
        scalar_heads.gradient_of_biases,
    ),
)
group = callable_kernel(group_rows)
pack_all, unpack_all = callable_kernel(pack), callable_kernel(unpack)


class Network:
    """Random parameters of some layers, packed, and the same as matrices."""

    def __init__(self, sizes: list[int], num_rows: int, num_outputs: int | None) -> None:
        self.layers = [Linear(a, b) for a, b in pairwise(sizes)]
        self.num_rows = num_rows
        self.memory = make_memory(
            self.layers,
            num_outputs=num_outputs,
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

    def layer(self, index: int, head: int = 0) -> dense.Layer:
        inputs, outputs, weight, bias, units, heads = self.memory.layers[index, :6].tolist()
        return dense.Layer(
            inputs,
            outputs,
            weight + head * inputs * outputs,
            bias + head * outputs,
            units,
            heads + head * int(self.memory.at.rows) * outputs,
        )

    def heads(self) -> scalar_heads.Heads:
        inputs, _, weight, bias, units, heads, count, *_ = self.memory.layers[-1].tolist()
        rows = int(self.memory.at.rows)
        return scalar_heads.Heads(inputs, count, weight, bias, units, heads, rows)

    def part(self, place: int, width: int) -> np.ndarray:
        rows = self.num_rows
        return self.memory.numbers[place:][: rows * width].reshape(rows, width)

    def all_rows(self) -> dense.Rows:
        return dense.Rows(self.memory.everyone, 0, self.num_rows)

    def found_gradient(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        flat = np.zeros_like(self.flat)
        unpack_all(self.memory, self.memory.at.gradient, flat, 0)
        return self.matrices(index, flat)

    def fill_units(self, index: int) -> np.ndarray:
        """Random inputs of a layer, of which some are 0; padding stays 0."""
        layer, true = self.layer(index), self.layers[index].inputs
        found = self.part(self.memory.at.units + layer.units, layer.inputs)
        found[:, :true] = np.maximum(GENERATOR.normal(size=(self.num_rows, true)), 0)
        return found[:, :true].copy()

    def fill_deltas(self, layer: dense.Layer, width: int) -> np.ndarray:
        """Random gradients of the outputs of a layer; padding stays 0."""
        found = self.part(self.memory.at.deltas + layer.heads, layer.outputs)
        found[:, :width] = GENERATOR.normal(size=(self.num_rows, width))
        return found[:, :width].copy()


@pytest.mark.parametrize("rows", [1, 4, 7, 64])
@pytest.mark.parametrize("sizes", [[4, 128, 6], [1, 5, 3], [3, 40, 64, 9], [6, 33, 51]])
def test_layers_are_those_of_numpy(sizes, rows):
    """Of the last layer, there is one head for each three outputs."""
    network = Network(sizes, rows, num_outputs=3)
    memory, last = network.memory, len(sizes) - 2
    for index in range(last + 1):
        weight, bias = network.matrices(index, network.flat)
        expected = np.maximum(network.fill_units(index) @ weight + bias, 0)
        width = 3 if index == last else len(bias)
        for head in range(len(bias) // width):
            layer = network.layer(index, head)
            forward(
                *(RELU, memory.numbers, layer, memory.at.online, memory.at.units),
                network.all_rows(),
            )
            found = network.part(memory.at.units + layer.heads, layer.outputs)
            own = expected[:, head * width : (head + 1) * width]
            np.testing.assert_allclose(found[:, :width], own, rtol=2e-5, atol=2e-5)
            assert not found[:, width:].any()


@pytest.mark.parametrize("rows", [1, 6, 64])
@pytest.mark.parametrize("sizes", [[4, 128, 5], [3, 40, 64, 7], [6, 33, 9]])
def test_gradients_are_those_of_numpy(sizes, rows):
    network = Network(sizes, rows, num_outputs=sizes[-1])
    memory = network.memory
    for index in range(len(sizes) - 1):
        layer, (weight, bias) = network.layer(index), network.matrices(index, network.flat)
        inputs, deltas = network.fill_units(index), network.fill_deltas(layer, len(bias))
        gradient(
            *(memory.numbers, layer, memory.at.gradient, memory.at.units, memory.at.deltas),
            network.all_rows(),
        )
        of_weight, of_bias = network.found_gradient(index)
        np.testing.assert_allclose(of_weight, inputs.T @ deltas, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(of_bias, deltas.sum(0), rtol=1e-4, atol=1e-4)
        if index > 0:
            rows_given = network.all_rows()
            input_deltas(memory.numbers, layer, memory.at.online, memory.at.deltas, rows_given)
            below = memory.at.deltas + layer.units
            count = rows * layer.inputs
            apply_slopes(RELU, memory.numbers, memory.at.units + layer.units, below, count)
            found = network.part(below, layer.inputs)[:, : inputs.shape[1]]
            expected = deltas @ weight.T * (inputs > 0)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 6, 64])
@pytest.mark.parametrize("sizes", [[4, 128, 2], [3, 40, 1], [6, 33, 18], [5, 4]])
def test_scalar_heads_are_those_of_numpy(sizes, rows):
    network, index = Network(sizes, rows, num_outputs=None), len(sizes) - 2
    memory, heads = network.memory, network.heads()
    numbers, at = memory.numbers, memory.at
    weight, bias = network.matrices(index, network.flat)
    inputs, actions = network.fill_units(index), GENERATOR.integers(0, sizes[-1], rows)
    memory.actions[:rows] = actions

    forward_all(numbers, heads, at.online, at.units, 0, rows)
    expected, everyone = inputs @ weight + bias, np.arange(rows)
    outputs = numbers[at.outputs :][: sizes[-1] * at.rows].reshape(sizes[-1], at.rows)
    np.testing.assert_allclose(outputs[:, :rows].T, expected, rtol=2e-5, atol=2e-5)
    outputs[:] = 0
    forward_taken(numbers, heads, at.online, at.units, memory.actions, 0, rows)
    taken = outputs[actions, everyone]
    np.testing.assert_allclose(taken, expected[everyone, actions], rtol=2e-5, atol=2e-5)

    own = GENERATOR.normal(size=rows).astype(np.float32)
    numbers[at.deltas + heads.heads + actions * at.rows + everyone] = own
    deltas = np.zeros_like(expected)
    deltas[everyone, actions] = own
    group(memory, memory.actions, rows)
    groups = scalar_heads.Groups(memory.groups, memory.order)
    places = scalar_heads.Places(*map(int, (at.online, at.gradient, at.units, at.deltas)))
    gradient_of_biases(numbers, heads, places, groups)
    for column in range(0, heads.inputs, dense.COLUMNS):
        backward_columns(RELU, numbers, heads, places, groups, column)
    of_weight, of_bias = network.found_gradient(index)
    np.testing.assert_allclose(of_weight, inputs.T @ deltas, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_bias, deltas.sum(0), rtol=1e-4, atol=1e-4)
    found = network.part(at.deltas + heads.units, heads.inputs)[:, : inputs.shape[1]]
    expected = deltas @ weight.T * (inputs > 0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_rows_are_grouped_by_action_and_groups_are_padded():
    memory = Network([2, 4, 3], 6, num_outputs=None).memory
    memory.actions[:6] = [2, 0, 2, 2, 0, 2]
    group(memory, memory.actions, 6)
    np.testing.assert_array_equal(memory.groups, [[0, 2], [4, 4], [4, 8]])
    np.testing.assert_array_equal(memory.order[:8], [1, 4, 4, 4, 0, 2, 3, 5])


@pytest.mark.parametrize("num_outputs", [None, 5])
@pytest.mark.parametrize("num_actions", [1, 2, 7])
def test_dueling_heads_are_folded_and_their_gradient_is_unfolded(num_outputs, num_actions):
    size = 96 if num_outputs is None else 64
    heads = GENERATOR.normal(size=(num_actions + 1, size)).astype(np.float32)
    value, advantages = heads[:1], heads[1:]
    numbers = np.zeros(4 * (num_actions + 1) * size + 16, dtype=np.float32)
    numbers = numbers[-numbers.ctypes.data % 64 // 4 :]
    numbers[: heads.size] = heads.ravel()
    folded = value + advantages - advantages.mean(0)
    to, back = heads.size, 2 * heads.size
    for fold, unfold in (
        (dueling.fold_weights, dueling.unfold_weights),
        (dueling.fold_biases, dueling.unfold_biases),
    ):
        callable_kernel(fold)(numbers, 0, to, size, num_actions)
        found = numbers[to:][: folded.size].reshape(folded.shape)
        np.testing.assert_allclose(found, folded, rtol=1e-5, atol=1e-5)
        callable_kernel(unfold)(numbers, to, back, size, num_actions)
        found = numbers[back:][: heads.size].reshape(heads.shape)
        whole = folded.sum(0)
        np.testing.assert_allclose(found[0], whole, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found[1:], folded - whole / num_actions, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("num_outputs", [None, 1, 5])
def test_parameters_come_back_as_they_were_packed(num_outputs):
    network = Network([3, 40, 20, 5], 4, num_outputs)
    found = np.zeros_like(network.flat)
    unpack_all(network.memory, network.memory.at.online, found, 0)
    np.testing.assert_array_equal(found, network.flat)
    assert network.memory.layers[-1, WEIGHT] < network.memory.layers[-1, BIAS]
