"""Values of outputs and their losses, in compiled code.

The equations are those of `agent.value`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.categorical import categorical_loss, categorical_mean, set_categorical
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.quantile import quantile_loss, quantile_mean, set_quantiles
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel

ZERO, HALF, TWO = np.float32(0), np.float32(0.5), np.float32(2)


@kernel
def best_action(spec: Static, memory: Memory, record: Any, row: int) -> int:
    """Returns the first action of the greatest value in a row; NaN counts as the greatest."""
    num_outputs = memory.at.num_outputs
    place = memory.at.outputs + row * memory.at.stride
    best, greatest = 0, mean_of(spec, memory, record, place)
    for action in range(1, record.num_actions):
        found = mean_of(spec, memory, record, place + action * num_outputs)
        if greatest == greatest and not found <= greatest:
            best, greatest = action, found
    return best


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
    spec: Static, memory: Memory, record: Any, row: int, place: int
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    prediction = memory.numbers[place]
    error = prediction - memory.numbers[memory.at.wanted + row]
    loss, derivative = td_loss(spec, record, error)
    memory.numbers[memory.at.slopes + row] = derivative
    return loss, prediction, error, abs(error)


@chosen
def compute_loss(spec: Spec) -> Any:
    """Returns loss, prediction, TD error and priority of a row, and writes the slopes."""
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
