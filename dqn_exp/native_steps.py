"""From the gradient of one run to its new parameters, in compiled code.

The equations are those of `optimizer` and `agent`, against which they are tested; here each stands
for a single run.
"""

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import kernel
from dqn_exp.optimizer import DECAY_1, DECAY_2, FLUSH_BELOW, AdamState

Floats = npt.NDArray[np.float32]

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
SMALLEST = np.float32(1e-6)
FLUSH = np.float32(FLUSH_BELOW)


@kernel
def norm(values: Floats) -> np.float32:
    """Returns the root of the sum of the squares of `values [P]`."""
    total = ZERO
    for i in range(len(values)):
        total += values[i] * values[i]
    length: np.float32 = np.sqrt(total)
    return length


@kernel
def limit_norm(gradient: Floats, limit: np.float32) -> np.float32:
    """Scales `gradient [P]` down to the limit of its norm; returns the norm that it had."""
    length = norm(gradient)
    if length > limit:
        share = limit / (length + SMALLEST)
        for i in range(len(gradient)):
            gradient[i] *= share
    return length


@kernel
def step_adam(adam: AdamState, run: int, parameters: Floats, gradient: Floats, rate: float) -> None:
    """Moves `parameters [P]` of a run by one step along `gradient [P]` at a learning rate."""
    adam.power_1[run] *= DECAY_1
    adam.power_2[run] *= DECAY_2
    first, second, epsilon = adam.first[run], adam.second[run], adam.epsilon[run]
    share_1, share_2 = np.float32(1 - DECAY_1), np.float32(1 - DECAY_2)
    scale = np.float32(1.0 / np.sqrt(1.0 - adam.power_2[run]))
    step = np.float32(rate / (1.0 - adam.power_1[run]))
    kept = np.float32(1.0 - rate * adam.weight_decay[run])
    for i in range(len(parameters)):
        slope = gradient[i]
        mean = first[i] + share_1 * (slope - first[i])
        square = second[i] + share_2 * (slope * slope - second[i])
        first[i] = ZERO if abs(mean) <= FLUSH else mean
        second[i] = ZERO if abs(square) <= FLUSH else square
        change = first[i] / (np.sqrt(second[i]) * scale + epsilon)
        parameters[i] = parameters[i] * kept - step * change


@kernel
def move_target(target: Floats, online: Floats, share: np.float32) -> None:
    """Moves `target [P]` by a share of its distance to `online [P]`."""
    for i in range(len(target)):
        if share < HALF:
            target[i] += share * (online[i] - target[i])
        else:  # Exactly there with a share of 1.
            target[i] = online[i] - (ONE - share) * (online[i] - target[i])
