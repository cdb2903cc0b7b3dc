"""Compiled physics of Gymnasium's classic control environments.

Each function equals, bit for bit, an environment of Gymnasium, https://gymnasium.farama.org, and so
follows the order of operations of its source.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.env.pcg64 import make_generator, next_unit

CART_POLE, MOUNTAIN_CAR, ACROBOT = "cart_pole", "mountain_car", "acrobot"

STEEPEST = 12 * 2 * math.pi / 360


class Physics(NamedTuple):
    """An environment with compiled physics.

    Attributes:
        name: by which compiled code is chosen.
        num_features: D of an observation.
        num_actions: A.
        num_numbers: S of its state.
        argument: name of the keyword argument that the physics support; None for none.
        default: of the argument.
    """

    name: str
    num_features: int
    num_actions: int
    num_numbers: int
    argument: str | None
    default: float


PHYSICS: dict[Any, Physics] = {
    "gymnasium.envs.classic_control.cartpole:CartPoleEnv": Physics(
        CART_POLE, 4, 2, 4, "sutton_barto_reward", 0.0
    ),
    "gymnasium.envs.classic_control.mountain_car:MountainCarEnv": Physics(
        MOUNTAIN_CAR, 2, 3, 2, "goal_velocity", 0.0
    ),
    "gymnasium.envs.classic_control.acrobot:AcrobotEnv": Physics(ACROBOT, 6, 3, 4, None, 2.0),
}
"""Physics by Gymnasium's entry point."""


@cached_jit
def step_all(
    physics: Static,
    states: Float64Array,
    lengths: IntArray,
    actions: IntArray,
    limit: int,
    argument: float,
    observations: Float32Array,
    result: tuple[Float32Array, BoolArray, BoolArray, BoolArray],
) -> None:
    """Steps all environments.

    Args:
        physics: name.
        states: `[N, S]`, updated.
        lengths: `[N]` steps of the episodes, updated.
        actions: `[N]`.
        limit: of the length of an episode.
        argument: of the physics.
        observations: `[N, D]`, written.
        result: rewards, terminated, truncated and ended, all `[N]`, written.
    """
    rewards, terminated, truncated, ended = result
    for run in range(len(states)):
        rewards[run], terminated[run] = step(physics, states, run, actions[run], argument)
        observe(physics, states, run, observations)
        lengths[run] += 1
        truncated[run] = lengths[run] >= limit
        ended[run] = terminated[run] or truncated[run]


@cached_jit
def begin_all(
    physics: Static,
    states: Float64Array,
    runs: IntArray,
    seeds: IntArray,
    observations: Float32Array,
) -> None:
    """Begins episodes of runs `[M]` with seeds `[M]`; writes `observations [N, D]` of these."""
    for i in range(len(runs)):
        begin(physics, states, runs[i], seeds[i])
        observe(physics, states, runs[i], observations)


@kernel
def _step_cart_pole(
    _physics: Static, states: Float64Array, run: int, action: int, has_sutton_reward: float
) -> tuple[float, bool]:
    x, x_dot, theta, theta_dot = states[run, 0], states[run, 1], states[run, 2], states[run, 3]
    cosine, sine = math.cos(theta), math.sin(theta)
    force = 10.0 if action == 1 else -10.0
    temporary = (force + 0.05 * (theta_dot * theta_dot) * sine) / 1.1
    acceleration = (9.8 * sine - cosine * temporary) / (
        0.5 * (4.0 / 3.0 - 0.1 * (cosine * cosine) / 1.1)
    )
    x_acceleration = temporary - 0.05 * acceleration * cosine / 1.1
    x, x_dot = x + 0.02 * x_dot, x_dot + 0.02 * x_acceleration
    theta, theta_dot = theta + 0.02 * theta_dot, theta_dot + 0.02 * acceleration
    states[run, 0], states[run, 1], states[run, 2], states[run, 3] = x, x_dot, theta, theta_dot
    has_fallen = x < -2.4 or x > 2.4 or theta < -STEEPEST or theta > STEEPEST
    if has_sutton_reward:
        return -1.0 if has_fallen else 0.0, has_fallen
    return 1.0, has_fallen


@kernel
def _step_mountain_car(
    _physics: Static, states: Float64Array, run: int, action: int, goal_velocity: float
) -> tuple[float, bool]:
    position, velocity = states[run, 0], states[run, 1]
    velocity += (action - 1) * 0.001 + math.cos(3 * position) * (-0.0025)
    velocity = min(max(velocity, -0.07), 0.07)
    position = min(max(position + velocity, -1.2), 0.6)
    if position == -1.2 and velocity < 0:
        velocity = 0.0
    states[run, 0], states[run, 1] = position, velocity
    return -1.0, position >= 0.5 and velocity >= goal_velocity


@kernel
def _step_acrobot(
    _physics: Static, states: Float64Array, run: int, action: int, two: float
) -> tuple[float, bool]:
    _integrate(states, run, action - 1.0, two)
    states[run, 0], states[run, 1] = _wrap(states[run, 0]), _wrap(states[run, 1])
    states[run, 2] = min(max(states[run, 2], -4 * math.pi), 4 * math.pi)
    states[run, 3] = min(max(states[run, 3], -9 * math.pi), 9 * math.pi)
    angle1, angle2 = states[run, 0], states[run, 1]
    is_high = -math.cos(angle1) - math.cos(angle2 + angle1) > 1.0
    return 0.0 if is_high else -1.0, is_high


@chosen
def step(physics: str) -> Any:
    """Updates a row of `states [N, S]` by an action; returns reward and whether the task ended."""
    kernels = {
        CART_POLE: _step_cart_pole,
        MOUNTAIN_CAR: _step_mountain_car,
        ACROBOT: _step_acrobot,
    }
    return kernels[physics]


@kernel
def _observe_state(
    _physics: Static, states: Float64Array, run: int, observations: Float32Array
) -> None:
    for i in range(states.shape[1]):
        observations[run, i] = states[run, i]


@kernel
def _observe_acrobot(
    _physics: Static, states: Float64Array, run: int, observations: Float32Array
) -> None:
    for angle in range(2):
        observations[run, 2 * angle] = math.cos(states[run, angle])
        observations[run, 2 * angle + 1] = math.sin(states[run, angle])
        observations[run, 4 + angle] = states[run, 2 + angle]


@chosen
def observe(physics: str) -> Any:
    """Writes the observation of a row of `states [N, S]` to `observations [N, D]`."""
    return _observe_acrobot if physics == ACROBOT else _observe_state


@kernel
def _begin_cart_pole(_physics: Static, states: Float64Array, run: int, seed: int) -> None:
    generator = make_generator(seed)
    for i in range(4):
        unit, generator = next_unit(generator)
        states[run, i] = -0.05 + (0.05 - -0.05) * unit


@kernel
def _begin_mountain_car(_physics: Static, states: Float64Array, run: int, seed: int) -> None:
    unit, _ = next_unit(make_generator(seed))
    states[run, 0], states[run, 1] = -0.6 + (-0.4 - -0.6) * unit, 0.0


@kernel
def _begin_acrobot(_physics: Static, states: Float64Array, run: int, seed: int) -> None:
    generator = make_generator(seed)
    for i in range(4):
        unit, generator = next_unit(generator)
        # Gymnasium rounds only this environment's state to single precision.
        states[run, i] = np.float32(-0.1 + (0.1 - -0.1) * unit)


@chosen
def begin(physics: str) -> Any:
    """Draws the initial state of an episode with a seed, in a row of `states [N, S]`."""
    kernels = {
        CART_POLE: _begin_cart_pole,
        MOUNTAIN_CAR: _begin_mountain_car,
        ACROBOT: _begin_acrobot,
    }
    return kernels[physics]


@kernel
def _integrate(states: Float64Array, run: int, torque: float, two: float) -> None:
    """Integrates a row of `states [N, 4]` over 0.2 s with one Runge-Kutta step."""
    state = states[run, 0], states[run, 1], states[run, 2], states[run, 3]
    step = 0.2
    half = step / 2.0
    k1 = _slopes(state, (0.0, 0.0, 0.0, 0.0), half, torque, two)
    k2 = _slopes(state, k1, half, torque, two)
    k3 = _slopes(state, k2, half, torque, two)
    k4 = _slopes(state, k3, step, torque, two)
    for i in range(4):
        states[run, i] += step / 6.0 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i])


@kernel
def _slopes(
    state: tuple[float, float, float, float],
    slopes: tuple[float, float, float, float],
    step: float,
    torque: float,
    two: float,
) -> tuple[float, float, float, float]:
    """Returns the derivatives at a state, after a step along given slopes."""
    theta1, theta2 = state[0] + step * slopes[0], state[1] + step * slopes[1]
    dtheta1, dtheta2 = state[2] + step * slopes[2], state[3] + step * slopes[3]
    # The power of the C library, which Gymnasium uses, rounds differently from a product in one
    # case of a thousand. A compiler that knew the constant 2 would replace it by a product.
    square1, square2 = dtheta1**two, dtheta2**two
    cosine, sine = math.cos(theta2), math.sin(theta2)
    d1 = 0.25 + (1.0 + 0.25 + 2 * 1.0 * 0.5 * cosine) + 1.0 + 1.0
    d2 = (0.25 + 0.5 * cosine) + 1.0
    phi2 = 0.5 * 9.8 * math.cos(theta1 + theta2 - math.pi / 2.0)
    phi1 = (
        -0.5 * square2 * sine
        - 1.0 * dtheta2 * dtheta1 * sine
        + (0.5 + 1.0) * 9.8 * math.cos(theta1 - math.pi / 2)
        + phi2
    )
    ddtheta2 = (torque + d2 / d1 * phi1 - 0.5 * square1 * sine - phi2) / (0.25 + 1.0 - d2**two / d1)
    ddtheta1 = -(d2 * ddtheta2 + phi1) / d1
    return dtheta1, dtheta2, ddtheta1, ddtheta2


@kernel
def _wrap(angle: float) -> float:
    while angle > math.pi:
        angle -= 2 * math.pi
    while angle < -math.pi:
        angle += 2 * math.pi
    return angle
