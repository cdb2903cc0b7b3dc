import numpy as np
import pytest

from dqn_exp.agent.native import layers as native_layers
from dqn_exp.agent.native import matmul as native_products
from dqn_exp.agent.native import matmul_transposed

SHAPES = [
    (1, 1, 1),
    (4, 4, 8),
    (64, 4, 128),
    (5, 6, 7),
    (7, 9, 11),
    (3, 2, 33),
    (10, 17, 2),
    (9, 5, 3),
]
GENERATOR = np.random.default_rng(0)


def matrix(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


def check(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("rows, inner, columns", SHAPES)
def test_products_are_those_of_numpy(rows, inner, columns):
    left, right, begin = matrix(rows, inner), matrix(inner, columns), matrix(columns)
    like, out = matrix(rows, columns), matrix(rows, columns)
    expected = out + left @ right
    native_products.add_product(out, left, right)
    check(out, expected)
    native_products.add_product(out, np.ascontiguousarray(left.T).T, right)
    check(out, expected + left @ right)
    product = left @ right + begin
    native_products.product(out, left, right, begin, out)
    check(out, product)
    native_products.relu_product(out, left, right, begin, out)
    check(out, np.maximum(product, 0))
    native_products.relu_gradient_product(out, left, right, begin, like)
    check(out, product * (like > 0))
    matmul_transposed.multiply_transposed(out, left, np.ascontiguousarray(right.T), begin)
    check(out, product)


def test_a_row_has_the_same_bits_whatever_memory_it_lies_in():
    left, right, begin = matrix(64, 12), matrix(12, 40), matrix(40)
    first, second, moved = matrix(64, 40), matrix(2561)[1:].reshape(64, 40), matrix(769)[1:]
    moved = moved.reshape(64, 12)
    moved[:] = left
    native_products.product(first, left, right, begin, first)
    native_products.product(second, moved, right, begin, second)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("activation", [native_layers.NONE, native_layers.RELU, native_layers.TANH])
@pytest.mark.parametrize("rows, inputs, outputs", SHAPES)
def test_layers_are_those_of_numpy_in_every_direction(rows, inputs, outputs, activation):
    units, weight, bias = matrix(rows, inputs), matrix(inputs, outputs), matrix(outputs)
    deltas, turned = matrix(rows, outputs), np.ascontiguousarray(weight.T)
    functions = {0: lambda z: z, 1: lambda z: np.maximum(z, 0), 2: np.tanh}
    slopes = {0: np.ones_like(units), 1: units > 0, 2: 1 - units**2}
    expected = functions[activation](units @ weight + bias)
    for function, kernel in (
        (native_layers.linear, weight),
        (native_layers.transposed_linear, turned),
    ):
        out = matrix(rows, outputs)
        function(out, units, kernel, bias, activation)
        check(out, expected)
    gradient = np.zeros((inputs, outputs), dtype=np.float32)
    native_layers.add_weight_gradient(gradient, units, deltas)
    check(gradient, units.T @ deltas)
    gradient = np.zeros((outputs, inputs), dtype=np.float32)
    native_layers.add_transposed_weight_gradient(gradient, units, deltas)
    check(gradient.T, units.T @ deltas)
    gradient = np.zeros(outputs, dtype=np.float32)
    native_layers.add_bias_gradient(gradient, deltas)
    check(gradient, deltas.sum(0))
    expected = (deltas @ weight.T) * slopes[activation]
    out, zeros = matrix(rows, inputs), np.zeros(inputs, dtype=np.float32)
    native_layers.input_gradient(out, deltas, weight, units, activation, zeros)
    check(out, expected)
    native_layers.transposed_input_gradient(out, deltas, turned, units, activation, zeros)
    check(out, expected)


@pytest.mark.parametrize("activation", [native_layers.NONE, native_layers.RELU, native_layers.TANH])
@pytest.mark.parametrize("rows, inputs, outputs", SHAPES)
def test_a_layer_with_one_delta_a_row_is_like_one_with_zeros_elsewhere(
    rows, inputs, outputs, activation
):
    units, turned, some = matrix(rows, inputs), matrix(outputs, inputs), matrix(rows)
    actions, zeros = GENERATOR.integers(outputs, size=rows), np.zeros(inputs, dtype=np.float32)
    deltas = np.zeros((rows, outputs), dtype=np.float32)
    deltas[np.arange(rows), actions] = some
    expected = matrix(rows, inputs)
    native_layers.transposed_input_gradient(expected, deltas, turned, units, activation, zeros)
    weights, biases, found = matrix(outputs, inputs), matrix(outputs + 3), matrix(rows, inputs)
    weights_before, biases_before = weights.copy(), biases.copy()
    native_layers.backward_taken(
        weights, biases, found, actions, some, turned, units, activation
    )  # fmt: skip
    check(found, expected)
    check(weights - weights_before, deltas.T @ units)
    check((biases - biases_before)[:outputs], deltas.sum(0))
    np.testing.assert_array_equal(biases[outputs:], biases_before[outputs:])


def test_the_hyperbolic_tangent_is_that_of_numpy():
    values = np.concatenate([np.linspace(-12, 12, 100_001), np.logspace(-9, 2, 1_000)])
    given = values.astype(np.float32)[None]
    found = given.copy()
    native_layers.activate(found, native_layers.TANH)
    np.testing.assert_allclose(found, np.tanh(given.astype(np.float64)), rtol=4e-7, atol=3e-7)


@pytest.mark.parametrize("activation", [native_layers.RELU, native_layers.TANH])
def test_what_is_not_a_number_stays_so(activation):
    """A run that diverges is found by it."""
    values = np.array([[np.nan, 1.0]], dtype=np.float32)
    native_layers.activate(values, activation)
    assert np.isnan(values[0, 0]) and not np.isnan(values[0, 1])
    out = np.zeros((1, 2), dtype=np.float32)
    one, zeros = np.ones((1, 1), dtype=np.float32), np.zeros(2, dtype=np.float32)
    native_products.relu_product(out, one, np.array([[np.nan, 1]], np.float32), zeros, out)
    assert np.isnan(out[0, 0]) and out[0, 1] == 1
