"""One environment of Gymnasium, whose results are checked and become vectors."""

import math
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from dqn_exp.core.arrays import Float32Array
from dqn_exp.env.observations import Observations, in_one_line, observations_of, shorten
from dqn_exp.env.registry import find_spec, place, short_name

BOOLEANS = (bool, np.bool_)

LARGEST = float(np.finfo(np.float32).max)
"""Magnitude of a reward."""


class InterfaceError(ValueError):
    """An environment returned something that Gymnasium's interface does not allow."""


class EnvShape(NamedTuple):
    """Shape of an environment.

    Attributes:
        num_features: D.
        num_actions: A.
    """

    num_features: int
    num_actions: int


class EnvArguments(NamedTuple):
    """Arguments of an environment.

    Attributes:
        id: registered id, perhaps with a module in front.
        max_episode_steps: time limit; None for the registered one.
        kwargs: keyword arguments.
    """

    id: str
    max_episode_steps: int | None = None
    kwargs: Mapping[str, Any] = MappingProxyType({})


class SingleEnv:
    """One environment, with actions from 0 and observations as vectors.

    Attributes:
        env: of Gymnasium, with its wrappers.
        observations: their kind.
        shape: of the environment.
    """

    def __init__(self, arguments: EnvArguments, env: gymnasium.Env[Any, Any] | None = None) -> None:
        """Makes the environment.

        Args:
            arguments: what it is made of.
            env: already made of them; None to make it.

        Raises:
            ValueError: If it cannot be made or DQN cannot act in it, with the key.
        """
        self.env = make_env(arguments) if env is None else env
        actions = action_space_of(self.env, arguments.id)
        self.observations = encoding_of(self.env, arguments.id)
        self.shape = EnvShape(self.observations.num_features, int(actions.n))
        self._weights = np.full(self.shape.num_features, 1e-20, dtype=np.float32)
        # As `sample` returns them: integers of numpy.
        self._actions = int(actions.start) + np.arange(actions.n, dtype=actions.dtype)

    def reset(self, seed: int) -> Float32Array:
        """Starts an episode; returns its observation `[D]`, perhaps a view of the environment's.

        Raises:
            InterfaceError: If the result is wrong, or not finite.
            Exception: Whatever the environment raises.
        """
        return self._encode(split_reset(self.env.reset(seed=seed)))

    def step(self, action: int) -> tuple[Float32Array, float, bool, bool]:
        """Takes an action, numbered from 0.

        Returns:
            The observation `[D]`, as in `reset`, the reward, and whether the episode was
            terminated or truncated.

        Raises:
            Exception: As in `reset`.
        """
        observation, reward, terminated, truncated = split_step(
            self.env.step(self._actions[action])
        )
        if type(reward) is not float or not abs(reward) <= LARGEST:
            reward = _to_reward(reward)
        if type(terminated) not in BOOLEANS or type(truncated) not in BOOLEANS:
            terminated, truncated = _to_flag(terminated), _to_flag(truncated)
        return self._encode(observation), reward, bool(terminated), bool(truncated)

    def _encode(self, observation: Any) -> Float32Array:
        try:
            row = self.observations.encode(observation)
        except (ValueError, TypeError) as error:
            raise InterfaceError(str(error)) from error
        # One product, in which no finite numbers overflow, is cheaper than a look at each.
        if not math.isfinite(row.dot(self._weights)):
            raise InterfaceError(f"the observation is not finite: {shorten(observation)}")
        return row

    def native_action(self, action: int) -> int:
        """Returns the environment's own number of an action."""
        return int(self._actions[action])

    def close(self) -> str | None:
        """Closes the environment; returns what it raised, if anything."""
        return close_env(self.env)


def make_env(arguments: EnvArguments) -> gymnasium.Env[Any, Any]:
    """Makes an environment with Gymnasium's wrappers.

    Raises:
        ValueError: If that is impossible, with the key.
    """
    spec, kwargs = find_spec(arguments.id), dict(arguments.kwargs)
    try:
        with warnings.catch_warnings():
            # Older versions of an environment are selected on purpose, as in env=cartpole_v0.
            warnings.simplefilter("ignore", DeprecationWarning)
            return gymnasium.make(
                spec,
                max_episode_steps=arguments.max_episode_steps,
                disable_env_checker=True,
                **kwargs,
            )
    except (Exception, SystemExit) as error:  # An environment may raise any error.
        raise ValueError(_cannot_be_made(spec, kwargs, error)) from error


def close_env(env: gymnasium.Env[Any, Any]) -> str | None:
    """Closes an environment; returns what it raised, if anything."""
    try:
        env.close()
    except (Exception, SystemExit) as error:  # An environment may raise any error.
        return place(error)
    return None


def limit_of(arguments: EnvArguments) -> int | None:
    """Returns the time limit of an environment; None if Gymnasium sets none.

    Raises:
        ValueError: If the registered limit is invalid.
    """
    registered = find_spec(arguments.id).max_episode_steps
    is_limit = registered is None or (type(registered) is int and registered >= 1)
    if arguments.max_episode_steps is None and not is_limit:
        raise ValueError(
            f"env.max_episode_steps: expected an integer of at least 1, but {arguments.id} is "
            f"registered with max_episode_steps={registered!r}. Set env.max_episode_steps, or "
            "register it with None for no limit."
        )
    return arguments.max_episode_steps or registered


def action_space_of(env: gymnasium.Env[Any, Any], env_id: str) -> spaces.Discrete:
    """Returns the space of the actions.

    Raises:
        ValueError: If they are not discrete.
    """
    space = _space_of(env, "action_space", env_id)
    if isinstance(space, spaces.Discrete):
        return space
    if space is None:
        found = "has no action_space. Set self.action_space in its constructor."
    else:
        found = (
            f"has {in_one_line(space)}. Wrap it with gymnasium.wrappers.TransformAction to map "
            "Discrete(n) to n actions of your choice, and register it under an id of its own."
        )
    raise ValueError(
        f"env.id: expected discrete actions, which DQN needs; {short_name(env_id)} {found}"
    )


def encoding_of(env: gymnasium.Env[Any, Any], env_id: str) -> Observations:
    """Returns the kind of the observations.

    Raises:
        ValueError: If they cannot become vectors.
    """
    space = _space_of(env, "observation_space", env_id)
    name = short_name(env_id)
    if space is None:
        raise ValueError(
            f"env.id: {name} has no observation_space. Set self.observation_space in its "
            "constructor."
        )
    try:
        return observations_of(space)
    except ValueError as error:
        raise ValueError(f"env.id: {name}: {str(error).rstrip('.')}.") from error


def _space_of(env: gymnasium.Env[Any, Any], name: str, env_id: str) -> Any:
    try:
        return getattr(env, name, None)
    except (Exception, SystemExit) as error:  # It may be a property.
        raise ValueError(
            f"env.id: the {name} of {short_name(env_id)} raised {place(error)}."
        ) from error


def split_reset(result: Any) -> Any:
    """Returns the observation of a result of `reset`.

    Raises:
        InterfaceError: If it is not a pair with an info.
    """
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping):
        return result[0]
    raise InterfaceError(
        f"expected (observation, info) from reset, where info is a dictionary, "
        f"got {_describe(result)}"
    )


def split_step(result: Any) -> tuple[Any, Any, Any, Any]:
    """Returns observation, reward, terminated and truncated of a result of `step`.

    Raises:
        InterfaceError: If it is not a tuple of five.
    """
    if isinstance(result, tuple) and len(result) == 5:
        return result[:4]
    raise InterfaceError(
        "expected (observation, reward, terminated, truncated, info) from step, "
        f"got {_describe(result)}"
    )


def _to_reward(reward: Any) -> float:
    """Returns a reward that is no float of Python, or not finite."""
    value = np.asarray(reward)
    if value.size != 1 or value.dtype.kind not in "biuf":
        found = f"an array of shape {value.shape}" if value.ndim else shorten(reward)
        raise InterfaceError(f"expected a number as the reward from step, got {found}")
    if not math.isfinite(value.item()):
        raise InterfaceError(f"the reward is {value.item()}")
    if abs(value.item()) > LARGEST:
        raise InterfaceError(
            f"the reward is {value.item():g}, which single precision cannot represent"
        )
    return float(value.item())


def _to_flag(flag: Any) -> bool:
    value = np.asarray(flag)
    if value.size != 1 or value.dtype.kind not in "biu" or value.item() not in (0, 1):
        raise InterfaceError(
            f"expected terminated and truncated from step to be booleans, got {shorten(flag)}"
        )
    return bool(value.item())


def _describe(result: Any) -> str:
    if isinstance(result, tuple):
        return f"{len(result)} values"
    if isinstance(result, np.ndarray):
        return f"only an array of shape {result.shape}"
    return "None" if result is None else f"only a {type(result).__name__}"


def _cannot_be_made(spec: EnvSpec, kwargs: Mapping[str, Any], error: BaseException) -> str:
    if isinstance(error, TypeError):  # Gymnasium repeats it with a longer message.
        error = error.__cause__ or error
    text = " ".join(str(error).split())
    if isinstance(error, gymnasium.error.DependencyNotInstalled):
        return f"env.id: {spec.id} needs a package that is not installed: {text}"
    unknown = isinstance(error, TypeError) and (
        "unexpected keyword argument" in text or text.endswith("takes no arguments")
    )
    if unknown and "render_mode" in text:
        return (
            f"log.video: {spec.id} does not take render_mode, which images need. Add it to its "
            "constructor."
        )
    if unknown and kwargs:
        return f"env.kwargs: {spec.id} cannot be made with {kwargs}: {text}."
    key, given = ("env.kwargs", f" with {kwargs}") if kwargs else ("env.id", "")
    return f"{key}: making {spec.id}{given} raised {place(error)}."
