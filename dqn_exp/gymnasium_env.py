"""Single environments of Gymnasium: how they are found, made and described."""

import importlib
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces


class EnvShape(NamedTuple):
    """What a network must know of an environment: D and A."""

    num_features: int
    num_actions: int


def make_single(
    env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any]
) -> gymnasium.Env[Any, Any]:
    """Builds one environment; raises ValueError, naming the key, if that cannot be."""
    find_spec(env_id)
    try:
        with warnings.catch_warnings():
            # Older versions of an environment are chosen on purpose, as in env=cartpole_v0.
            warnings.simplefilter("ignore", DeprecationWarning)
            return gymnasium.make(
                env_id, max_episode_steps=max_episode_steps, disable_env_checker=True, **kwargs
            )
    except Exception as error:  # An environment may raise whatever it likes.
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"env.kwargs: {env_id} cannot be made with {kwargs}: {reason}") from error


def shape_of(env: gymnasium.Env[Any, Any], env_id: str) -> EnvShape:
    """Returns D and A; raises ValueError if observations are no box or actions not discrete."""
    if not isinstance(env.action_space, spaces.Discrete):
        raise ValueError(
            f"env.id: expected an environment with discrete actions, which DQN needs, "
            f"got {env_id} with {env.action_space}."
        )
    if not isinstance(env.observation_space, spaces.Box):
        raise ValueError(
            f"env.id: expected an environment whose observations are a box of numbers, "
            f"got {env_id} with {env.observation_space}."
        )
    num_features = int(np.prod(env.observation_space.shape))
    return EnvShape(num_features, int(env.action_space.n))


def describe(env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any]) -> EnvShape:
    """Returns D and A of an environment; raises ValueError if DQN cannot be trained in it."""
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
    """Returns what is registered under an id; raises ValueError if there is nothing."""
    module, _, name = env_id.rpartition(":")
    try:
        if module:  # As in my_module:MyEnv-v0, where the module registers the environment.
            importlib.import_module(module)
        return gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError) as error:
        raise ValueError(f"env.id: {error}") from error
