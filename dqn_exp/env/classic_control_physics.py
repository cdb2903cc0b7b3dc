"""Compiled physics of Gymnasium's classic control environments.

Each function equals, bit for bit, an environment of Gymnasium, https://gymnasium.farama.org, and so
follows the order of operations of its source.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.jit import cached_jit, exact_kernel

Lengths = npt.NDArray[np.int32]


class Physics(NamedTuple):
    """Physics of one environment, with D features per observation and S numbers of state.

    Attributes:
        num_features: D.
        begin: draws the initial state `[S]` of an episode.
        observe: returns the observation `[D]` of a state.
        step: steps all runs: updates states `[N, S]` and lengths of episodes `[N]`, given actions
            `[N]`, the time limit and an argument; writes observations `[N, D]`, rewards `[N]`, and
            `[3, N]` whether the task has ended, whether the limit is reached, and whether either.
        argument: name of the keyword argument that `step` supports; None for none.
        default: of the argument.
    """

    num_features: int
    begin: Callable[[np.random.Generator], Float64Array]
    observe: Callable[[Float64Array], Float32Array]
    step: Callable[
        [Float64Array, Lengths, IntArray, int, float, Float32Array, Float32Array, BoolArray], None
    ]
    argument: str | None
    default: float


@cached_jit
def _step_cart_poles(
    states: Float64Array,
    lengths: Lengths,
    actions: IntArray,
    limit: int,
    has_sutton_reward: float,
    observations: Float32Array,
    rewards: Float32Array,
    ends: BoolArray,
) -> None:
    """CartPole; shapes as in `Physics.step`."""
    steepest = 12 * 2 * math.pi / 360
    for run in range(len(states)):
        x, x_dot, theta, theta_dot = states[run]
        cosine, sine = math.cos(theta), math.sin(theta)
        force = 10.0 if actions[run] == 1 else -10.0
        temporary = (force + 0.05 * (theta_dot * theta_dot) * sine) / 1.1
        acceleration = (9.8 * sine - cosine * temporary) / (
            0.5 * (4.0 / 3.0 - 0.1 * (cosine * cosine) / 1.1)
        )
        x_acceleration = temporary - 0.05 * acceleration * cosine / 1.1
        x, x_dot = x + 0.02 * x_dot, x_dot + 0.02 * x_acceleration
        theta, theta_dot = theta + 0.02 * theta_dot, theta_dot + 0.02 * acceleration
        states[run, 0], states[run, 1], states[run, 2], states[run, 3] = x, x_dot, theta, theta_dot
        for feature in range(4):
            observations[run, feature] = states[run, feature]
        has_fallen = x < -2.4 or x > 2.4 or theta < -steepest or theta > steepest
        _end_step(run, lengths, limit, has_fallen, ends)
        rewards[run] = 1.0
        if has_sutton_reward:
            rewards[run] = -1.0 if has_fallen else 0.0


@cached_jit
def _step_mountain_cars(
    states: Float64Array,
    lengths: Lengths,
    actions: IntArray,
    limit: int,
    goal_velocity: float,
    observations: Float32Array,
    rewards: Float32Array,
    ends: BoolArray,
) -> None:
    """MountainCar; shapes as in `Physics.step`."""
    for run in range(len(states)):
        position, velocity = states[run]
        velocity += (actions[run] - 1) * 0.001 + math.cos(3 * position) * (-0.0025)
        velocity = min(max(velocity, -0.07), 0.07)
        position = min(max(position + velocity, -1.2), 0.6)
        if position == -1.2 and velocity < 0:
            velocity = 0.0
        states[run, 0], states[run, 1] = position, velocity
        observations[run, 0], observations[run, 1] = position, velocity
        _end_step(run, lengths, limit, position >= 0.5 and velocity >= goal_velocity, ends)
        rewards[run] = -1.0


@cached_jit
def _step_acrobots(
    states: Float64Array,
    lengths: Lengths,
    actions: IntArray,
    limit: int,
    two: float,
    observations: Float32Array,
    rewards: Float32Array,
    ends: BoolArray,
) -> None:
    """Acrobot; shapes as in `Physics.step`."""
    for run in range(len(states)):
        state = states[run]
        _integrate(state, actions[run] - 1.0, two)
        state[0], state[1] = _wrap(state[0]), _wrap(state[1])
        state[2] = min(max(state[2], -4 * math.pi), 4 * math.pi)
        state[3] = min(max(state[3], -9 * math.pi), 9 * math.pi)
        for angle in range(2):
            observations[run, 2 * angle] = math.cos(state[angle])
            observations[run, 2 * angle + 1] = math.sin(state[angle])
            observations[run, 4 + angle] = state[2 + angle]
        is_high = -math.cos(state[0]) - math.cos(state[1] + state[0]) > 1.0
        _end_step(run, lengths, limit, is_high, ends)
        rewards[run] = 0.0 if is_high else -1.0


@exact_kernel
def _end_step(run: int, lengths: Lengths, limit: int, terminated: bool, ends: BoolArray) -> None:
    """Counts a step in `lengths [N]` and writes the ends of episodes to `ends [3, N]`."""
    lengths[run] += 1
    ends[0, run], ends[1, run] = terminated, lengths[run] >= limit
    ends[2, run] = ends[0, run] or ends[1, run]


@exact_kernel
def _integrate(state: Float64Array, torque: float, two: float) -> None:
    """Integrates `state [4]` over 0.2 s with one Runge-Kutta step."""
    step = 0.2
    half = step / 2.0
    k1 = _slopes(state, (0.0, 0.0, 0.0, 0.0), half, torque, two)
    k2 = _slopes(state, k1, half, torque, two)
    k3 = _slopes(state, k2, half, torque, two)
    k4 = _slopes(state, k3, step, torque, two)
    for i in range(4):
        state[i] += step / 6.0 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i])


@exact_kernel
def _slopes(
    state: Float64Array,
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


@exact_kernel
def _wrap(angle: float) -> float:
    while angle > math.pi:
        angle -= 2 * math.pi
    while angle < -math.pi:
        angle += 2 * math.pi
    return angle


def _begin_acrobot(generator: np.random.Generator) -> Float64Array:
    # Gymnasium rounds only this environment's state to single precision.
    return generator.uniform(-0.1, 0.1, size=4).astype(np.float32).astype(np.float64)


def _observe_acrobot(state: Float64Array) -> Float32Array:
    angle1, angle2, speed1, speed2 = state.astype(np.float32)
    seen = [np.cos(angle1), np.sin(angle1), np.cos(angle2), np.sin(angle2), speed1, speed2]
    return np.array(seen, dtype=np.float32)


def _begin_mountain_car(generator: np.random.Generator) -> Float64Array:
    return np.array([generator.uniform(-0.6, -0.4), 0.0])


def _begin_cart_pole(generator: np.random.Generator) -> Float64Array:
    return generator.uniform(-0.05, 0.05, size=4)


def _observe_state(state: Float64Array) -> Float32Array:
    return state.astype(np.float32)


PHYSICS: dict[Any, Physics] = {
    "gymnasium.envs.classic_control.cartpole:CartPoleEnv": Physics(
        4, _begin_cart_pole, _observe_state, _step_cart_poles, "sutton_barto_reward", 0.0
    ),
    "gymnasium.envs.classic_control.mountain_car:MountainCarEnv": Physics(
        2, _begin_mountain_car, _observe_state, _step_mountain_cars, "goal_velocity", 0.0
    ),
    "gymnasium.envs.classic_control.acrobot:AcrobotEnv": Physics(
        6, _begin_acrobot, _observe_acrobot, _step_acrobots, None, 2.0
    ),
}
"""Physics by Gymnasium's entry point."""
