"""Values of outputs and their losses, in compiled code.

The equations are those of `agent.value`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.categorical import categorical_loss, categorical_mean, set_categorical
from dqn_exp.agent.native.memory import Memory, output_of
from dqn_exp.agent.native.quantile import quantile_loss, quantile_mean, set_quantiles
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import fill, load, zeros
from dqn_exp.core.vector_functions import where_greater

ZERO, HALF, TWO = np.float32(0), np.float32(0.5), np.float32(2)


@kernel
def best_action(spec: Static, memory: Memory, record: Any, row: int) -> int:
    """Returns the first action of the greatest value in a row; NaN counts as the greatest."""
    place, distance = output_of(memory, row, 0), memory.at.rows * memory.at.width
    best, greatest = 0, mean_of(spec, memory, record, place)
    for action in range(1, memory.at.num_actions):
        place += distance
        found = mean_of(spec, memory, record, place)
        if greatest == greatest and not found <= greatest:
            best, greatest = action, found
    return best


@kernel
def greatest_values(memory: Memory, row: int) -> tuple[Any, Any]:
    """Returns the greatest values of 16 rows and the first actions that have them, as numbers.

    Values are scalar, and NaN counts as the greatest.
    """
    numbers, place = memory.numbers, output_of(memory, row, 0)
    best, choices = load(numbers, place), zeros()
    for action in range(1, memory.at.num_actions):
        place += memory.at.rows
        found = load(numbers, place)
        choices = where_greater(found, best, fill(action), choices)
        best = where_greater(found, best, found, best)
    return best, choices


@kernel
def _scalar_mean(_spec: Static, memory: Memory, _record: Any, place: int) -> np.float32:
    value: np.float32 = memory.numbers[place]
    return value


@chosen
def mean_of(spec: Spec) -> Any:
    """Returns the value of the outputs of an action, `(memory, record, place)`."""
    kernels = {
        "scalar": _scalar_mean,
        "categorical": categorical_mean,
        "quantile": quantile_mean,
    }
    return kernels[spec.value]


@kernel
def _set_scalar(
    _spec: Static,
    memory: Memory,
    _record: Any,
    row: int,
    place: int,
    reward: float,
    discount: float,
) -> None:
    memory.numbers[memory.at.wanted + row] = reward + discount * memory.numbers[place]


@chosen
def set_target(spec: Spec) -> Any:
    """Sets the target of a row: `reward + discount * outputs` of the action to bootstrap from."""
    kernels = {
        "scalar": _set_scalar,
        "categorical": set_categorical,
        "quantile": set_quantiles,
    }
    return kernels[spec.value]


@kernel
def _scalar_loss(
    spec: Static, memory: Memory, record: Any, row: int, place: int, factor: np.float32
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    prediction = memory.numbers[place]
    error = prediction - memory.numbers[memory.at.wanted + row]
    loss, derivative = td_loss(spec, record, error)
    memory.numbers[place + memory.at.deltas - memory.at.units] = derivative * factor
    return loss, prediction, error, abs(error)


@chosen
def compute_loss(spec: Spec) -> Any:
    """Returns loss, prediction, TD error and priority of a row.

    It writes the deltas of the outputs at a place: their derivatives times a factor.
    """
    kernels = {
        "scalar": _scalar_loss,
        "categorical": categorical_loss,
        "quantile": quantile_loss,
    }
    return kernels[spec.value]


@kernel
def _squared(_spec: Static, _record: Any, error: np.float32) -> tuple[np.float32, np.float32]:
    return error * error, TWO * error


@kernel
def _huber(_spec: Static, record: Any, error: np.float32) -> tuple[np.float32, np.float32]:
    derivative = bounded(error, record.huber_delta)
    return derivative * (error - HALF * derivative), derivative


@chosen
def td_loss(spec: Spec) -> Any:
    """Returns the loss of a TD error and its derivative."""
    return {"mse": _squared, "huber": _huber}[spec.loss]


@kernel
def bounded(value: np.float32, limit: np.float32) -> np.float32:
    """Clips a value to a magnitude; NaN stays NaN."""
    if value > limit:
        return limit
    return -limit if value < -limit else value
