"""What several threads compute, against one call, and steps of the optimizer against formulas."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dqn_exp.agent.native import convolution, convolution_gradient, dense, optimizers, tasks
from dqn_exp.agent.native.layout import INPUTS, PART, UNITS
from dqn_exp.agent.native.memory import (
    CLOSED,
    DONE,
    Memory,
    convolution_of,
    layer_of,
    make_memory,
)
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.callback import callback
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import kernel
from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import ImageShape
from dqn_exp.training.helpers import Helpers
from tests.kernels import callable_kernel

pytestmark = pytest.mark.xdist_group("dense")

SPEC_ITSELF = Spec("relu", is_deep=True, has_convolutions=True)
SPEC = Static(SPEC_ITSELF)
ROWS = 10


@kernel
def compute(spec: Static, memory: Memory, index: int, kind: int) -> None:
    """Does as `tasks.compute_layer`, in one call."""
    at, rows = memory.at, dense.Rows(memory.everyone, 0, ROWS)
    if index < at.num_convolutions:
        layer = convolution_of(memory, index)
        if kind == tasks.FORWARD:
            convolution.forward(spec, memory.numbers, layer, at.online, at.units, rows)
        elif kind == tasks.GRADIENT:
            for part in range(convolution_gradient.num_parts(layer)):
                convolution_gradient.gradient_of_part(
                    memory.numbers, layer, at.gradient, at.units, at.deltas, rows, part
                )
        else:
            convolution.transpose(memory.numbers, layer, at.online, at.transposed)
            convolution.input_deltas(memory.numbers, layer, at.deltas, rows, at.transposed)
    else:
        linear = layer_of(memory, index, 0)
        if kind == tasks.FORWARD:
            dense.forward(spec, memory.numbers, linear, at.online, at.units, rows)
        elif kind == tasks.GRADIENT:
            dense.gradient(memory.numbers, linear, at.gradient, at.units, at.deltas, rows)
        else:
            dense.input_deltas(memory.numbers, linear, at.online, at.deltas, rows)
    if kind == tasks.INPUT_DELTAS:
        first, width = memory.layers[index, UNITS], memory.layers[index, INPUTS]
        units, deltas = at.units + first, at.deltas + first
        dense.apply_slopes(spec, memory.numbers, units, deltas, ROWS * width)


@kernel
def share(spec: Static, memory: Memory, index: int, kind: int) -> None:
    """Computes something for a layer in tasks, as an update does."""
    tasks.call_helpers(spec, memory)
    rows = dense.Rows(memory.everyone, 0, ROWS)
    tasks.compute_layer(spec, memory, kind, index, memory.at.online, rows)
    tasks.dismiss_helpers(spec, memory)


compute_alone, compute_shared = callable_kernel(compute), callable_kernel(share)


def random_memory() -> Memory:
    """Two convolutions and a linear layer with more inputs than two tasks have."""
    net = ConvNet(ImageShape(14, 12, 2), [(16, 3, 1), (32, 2, 1)], [64], 3)
    memory = make_memory(
        net.layers,
        num_outputs=None,
        is_dueling=False,
        num_rows=ROWS,
        batch_size=ROWS,
        num_copies=1,
    )
    memory.numbers[:] = np.random.default_rng(0).normal(size=len(memory.numbers))
    return memory


@pytest.mark.parametrize("num_threads", [1, 2, 4])
@pytest.mark.parametrize(
    ("index", "kinds"), [(0, (0, 1)), (1, (0, 1, 2)), (2, (0, 1, 2))], ids=["first", "second", "fc"]
)
def test_tasks_compute_what_one_call_does(index, kinds, num_threads):
    expected, found, helpers = random_memory(), random_memory(), Helpers(num_threads)
    for kind in kinds:
        compute_alone(SPEC, expected, index, kind)
        before = found.numbers.copy()
        for _ in range(3):  # Helpers come, or come late, and leave.
            found.numbers[:] = before
            with helpers.at_work(SPEC, found):
                compute_shared(SPEC, found, index, kind)
        assert (before != found.numbers).sum() > 100
        np.testing.assert_array_equal(found.numbers, expected.numbers)


@kernel
def step_shared(spec: Static, memory: Memory, limit: np.float32) -> None:
    """Takes a step of the optimizer in tasks, as an update does."""
    tasks.call_helpers(spec, memory)
    tasks.compute_parts(spec, memory, tasks.SQUARES)
    optimizers.limit_norm(memory, limit)
    tasks.compute_parts(spec, memory, tasks.STEP)
    tasks.dismiss_helpers(spec, memory)


step = callable_kernel(step_shared)
COEFFICIENTS = {"RATE": 0.1, "EPSILON": 0.25, "SCALE": 3.0, "KEPT": 0.75, "SHARE": 0.05}


def step_adam(slope, first, second, online):
    """The step of Adam with the coefficients above."""
    first, second = first + 0.1 * (slope - first), second + 0.001 * (slope**2 - second)
    return 0.75 * online - 0.1 * first / (3.0 * np.sqrt(second) + 0.25)


def step_rmsprop(slope, first, second, online):
    """The same of RMSProp."""
    first, second = first + 0.05 * (slope - first), second + 0.05 * (slope**2 - second)
    return online - 0.1 * slope / np.sqrt(np.maximum(second - first**2, 0) + 0.25)


@pytest.mark.parametrize(
    ("optimizer", "naive"),
    [("adam", step_adam), pytest.param("rmsprop", step_rmsprop, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("share", [0.5, 2.0], ids=["clipped", "free"])
def test_a_step_in_parts_is_the_step_of_formulas_whoever_takes_the_parts(optimizer, naive, share):
    spec, memory = Static(SPEC_ITSELF._replace(optimizer=optimizer)), random_memory()
    at, size = memory.at, memory.at.num_trained
    for name, value in COEFFICIENTS.items():
        memory.numbers[at.coefficients + getattr(optimizers, name)] = value
    memory.numbers[at.second :][:size] = np.square(memory.numbers[at.second :][:size])
    gradient, first, second, online = (
        memory.numbers[place:][:size].astype(np.float64)
        for place in (at.gradient, at.first, at.second, at.online)
    )
    length = np.linalg.norm(gradient)
    expected = naive(gradient * min(share, 1.0), first, second, online)
    assert size > 5 * PART
    found = []
    for num_threads in (1, 3):
        own, helpers = random_memory(), Helpers(num_threads)
        own.numbers[:] = memory.numbers
        with helpers.at_work(spec, own):
            step(spec, own, np.float32(share * length))
        np.testing.assert_allclose(own.numbers[at.online :][:size], expected, rtol=1e-4, atol=1e-5)
        found.append(own.numbers)
    np.testing.assert_array_equal(*found)


@kernel
def offer(memory: Memory, index: int, kind: int, count: int) -> None:
    work = memory.work
    work[tasks.KIND], work[tasks.INDEX], work[tasks.PARAMETERS] = kind, index, memory.at.online
    work[tasks.FIRST], work[tasks.SIZE] = 0, ROWS
    tasks._offer(work, count)


offer_only = callable_kernel(offer)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_helpers_carry_out_what_nobody_else_takes(num_threads):
    expected, found = random_memory(), random_memory()
    for index, kind, count in ((0, tasks.FORWARD, ROWS), (2, tasks.GRADIENT, 2)):
        compute_alone(SPEC, expected, index, kind)
        offer_only(found, index, kind, count)
        with callback(lambda: time.sleep(0)) as rest, ThreadPoolExecutor(num_threads) as pool:
            found.at.rest = rest
            helpers = [pool.submit(tasks.help_with, SPEC, found) for _ in range(num_threads)]
            deadline = time.monotonic() + 60
            while found.work[DONE] < count and time.monotonic() < deadline:
                time.sleep(0.001)
            done = int(found.work[DONE])
            offer_only(found, index, kind, CLOSED)
            for helper in helpers:
                helper.result(60)
        assert done == count
        np.testing.assert_array_equal(found.numbers, expected.numbers)
