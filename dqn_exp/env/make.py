"""The choice between compiled and Python environments."""

from collections.abc import Mapping
from typing import Any

from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.env.classic_control_physics import PHYSICS
from dqn_exp.env.gymnasium_env import find_spec
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.env.vector_env import VectorEnv


def make_vector_env(
    env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any], count: int
) -> VectorEnv:
    """Makes a vectorised environment; those of classic control are compiled.

    Args:
        env_id: a registered id.
        max_episode_steps: time limit; None for the registered one.
        kwargs: keyword arguments of the environment.
        count: N, or all episodes of an evaluation.

    Raises:
        ValueError: If there is no such environment or DQN cannot act in it.
    """
    spec = find_spec(env_id)
    limit = max_episode_steps or spec.max_episode_steps
    physics = PHYSICS.get(spec.entry_point)
    if physics is not None and limit and not spec.additional_wrappers:
        arguments = {**spec.kwargs, **kwargs}
        value = arguments.pop(physics.argument or "", physics.default)
        if not arguments and isinstance(value, bool | int | float):
            return ClassicControlVectorEnv(physics, count, limit, float(value))
    return SerialVectorEnv(env_id, max_episode_steps, kwargs, count)
