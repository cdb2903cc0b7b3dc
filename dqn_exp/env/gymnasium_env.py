"""Lookup, creation and description of Gymnasium environments."""

import importlib
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces


class EnvShape(NamedTuple):
    """Shape of an environment.

    Attributes:
        num_features: D.
        num_actions: A.
    """

    num_features: int
    num_actions: int


def make_single(
    env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any]
) -> gymnasium.Env[Any, Any]:
    """Makes one environment.

    Args:
        env_id: a registered id.
        max_episode_steps: time limit; None for the registered one.
        kwargs: keyword arguments of the environment.

    Raises:
        ValueError: If the environment cannot be made, with the key.
    """
    find_spec(env_id)
    try:
        with warnings.catch_warnings():
            # Older versions of an environment are selected on purpose, as in env=cartpole_v0.
            warnings.simplefilter("ignore", DeprecationWarning)
            return gymnasium.make(
                env_id, max_episode_steps=max_episode_steps, disable_env_checker=True, **kwargs
            )
    except Exception as error:  # An environment may raise any error.
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"env.kwargs: {env_id} cannot be made with {kwargs}: {reason}") from error


def shape_of(env: gymnasium.Env[Any, Any], env_id: str) -> EnvShape:
    """Returns the shape of an environment.

    Raises:
        ValueError: If observations are not a box or actions are not discrete.
    """
    if not isinstance(env.action_space, spaces.Discrete):
        raise ValueError(
            f"env.id: expected an environment with discrete actions, which DQN needs, "
            f"got {env_id} with {env.action_space}."
        )
    if not isinstance(env.observation_space, spaces.Box):
        raise ValueError(
            f"env.id: expected an environment whose observations are a Box, "
            f"got {env_id} with {env.observation_space}."
        )
    num_features = int(np.prod(env.observation_space.shape))
    return EnvShape(num_features, int(env.action_space.n))


def describe(env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any]) -> EnvShape:
    """Returns the shape of an environment, given the arguments of `make_single`.

    Raises:
        ValueError: If DQN cannot be trained in it.
    """
    if max_episode_steps is None and find_spec(env_id).max_episode_steps is None:
        raise ValueError(
            f"env.max_episode_steps: expected a limit, since {env_id} has none of its own and an "
            "evaluation might never end."
        )
    env = make_single(env_id, max_episode_steps, kwargs)
    try:
        return shape_of(env, env_id)
    finally:
        env.close()


def find_spec(env_id: str) -> gymnasium.envs.registration.EnvSpec:
    """Returns the specification that is registered under an id.

    Args:
        env_id: such as CartPole-v1, or my_module:MyEnv-v0, whose module registers the environment.

    Raises:
        ValueError: If there is none.
    """
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        return gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError) as error:
        raise ValueError(f"env.id: {error}") from error
