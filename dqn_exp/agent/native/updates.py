"""Gradient clipping, Adam and target updates of one run, in compiled code.

The equations are those of `agent.optimizer` and `agent.dqn`, against which they are tested.
"""

import numpy as np

from dqn_exp.agent.optimizer import BETA1, BETA2, FLUSH_BELOW, AdamState
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.jit import kernel

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
SMALLEST = np.float32(1e-6)
FLUSH = np.float32(FLUSH_BELOW)


@kernel
def norm(values: Float32Array) -> np.float32:
    """Returns the Euclidean norm of `values [P]`."""
    total = ZERO
    for i in range(len(values)):
        total += values[i] * values[i]
    length: np.float32 = np.sqrt(total)
    return length


@kernel
def limit_norm(gradient: Float32Array, limit: np.float32) -> np.float32:
    """Clips the norm of `gradient [P]` to a limit; returns the norm before."""
    length = norm(gradient)
    if length > limit:
        share = limit / (length + SMALLEST)
        for i in range(len(gradient)):
            gradient[i] *= share
    return length


@kernel
def step_adam(
    adam: AdamState, run: int, parameters: Float32Array, gradient: Float32Array, rate: float
) -> None:
    """Updates `parameters [P]` of a run by `gradient [P]` at a learning rate."""
    adam.beta1_power[run] *= BETA1
    adam.beta2_power[run] *= BETA2
    exp_avg, exp_avg_sq = adam.exp_avg[run], adam.exp_avg_sq[run]
    epsilon = adam.epsilon[run]
    step_size1, step_size2 = np.float32(1 - BETA1), np.float32(1 - BETA2)
    scale = np.float32(1.0 / np.sqrt(1.0 - adam.beta2_power[run]))
    step = np.float32(rate / (1.0 - adam.beta1_power[run]))
    kept = np.float32(1.0 - rate * adam.weight_decay[run])
    for i in range(len(parameters)):
        slope = gradient[i]
        mean = exp_avg[i] + step_size1 * (slope - exp_avg[i])
        square = exp_avg_sq[i] + step_size2 * (slope * slope - exp_avg_sq[i])
        exp_avg[i] = ZERO if abs(mean) <= FLUSH else mean
        exp_avg_sq[i] = ZERO if abs(square) <= FLUSH else square
        change = exp_avg[i] / (np.sqrt(exp_avg_sq[i]) * scale + epsilon)
        parameters[i] = parameters[i] * kept - step * change


@kernel
def move_target(target: Float32Array, online: Float32Array, share: np.float32) -> None:
    """Moves `target [P]` by a share (tau) of its distance to `online [P]`."""
    for i in range(len(target)):
        if share < HALF:
            target[i] += share * (online[i] - target[i])
        else:  # Exactly `online` with a share of 1.
            target[i] = online[i] - (ONE - share) * (online[i] - target[i])
