"""Making of environments, with messages for what is wrong with them."""

import copy
import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from dqn_exp.core.extras import MissingExtraError
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.observations import Observations, observations_of
from dqn_exp.env.registry import find_spec, needs_package, place, short_name
from dqn_exp.env.spaces import in_one_line

PLAIN_WRAPPERS = (TimeLimit, OrderEnforcing, PassiveEnvChecker)
"""Wrappers that change neither actions nor observations, without state except a length."""


def make_env(arguments: EnvArguments) -> gymnasium.Env[Any, Any]:
    """Makes an environment with Gymnasium's wrappers.

    Raises:
        ValueError: If that is impossible, with the key.
    """
    # An environment may change its arguments, which are those of others as well.
    spec, kwargs = find_spec(arguments.id), copy.deepcopy(dict(arguments.kwargs))
    if fixed := sorted(_fixed_arguments(spec) & set(kwargs)):
        raise ValueError(
            f"env.kwargs: {' and '.join(fixed)} cannot be changed here: env.id={spec.id} decides. "
            "Select a game with env.game, and a version with env.id."
        )
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


def core_of(env: gymnasium.Env[Any, Any], *methods: str) -> Any:
    """Returns an environment without its wrappers, if it has some methods.

    Returns:
        The environment; None if it lacks a method, or if a wrapper may change what it does.
    """
    layer = env
    while isinstance(layer, gymnasium.Wrapper):
        if type(layer) not in PLAIN_WRAPPERS:
            return None
        layer = layer.env
    return layer if all(hasattr(layer, name) for name in methods) else None


def time_limit_of(env: gymnasium.Env[Any, Any]) -> int | None:
    """Returns the smallest time limit of an environment and its wrappers; None for none."""
    limits = []
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, TimeLimit):
            limits.append(int(env._max_episode_steps))
        env = env.env
    return min(limits, default=None)


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


def _cannot_be_made(spec: EnvSpec, kwargs: Mapping[str, Any], error: BaseException) -> str:
    if isinstance(error, TypeError):  # Gymnasium repeats it with a longer message.
        error = error.__cause__ or error
    text = " ".join(str(error).split())
    if isinstance(error, (gymnasium.error.DependencyNotInstalled, MissingExtraError)):
        return f"env.id: {needs_package(spec.id, error)}"
    unknown = isinstance(error, TypeError) and (
        "unexpected keyword argument" in text or text.endswith("takes no arguments")
    )
    if unknown and "render_mode" in text:
        return (
            f"log.video: {spec.id} does not take render_mode, which images need. Add it to its "
            "constructor."
        )
    if unknown and kwargs:
        return (
            f"env.kwargs: {spec.id} cannot be made with {kwargs}: {_known_arguments(spec) or text}."
        )
    key, given = ("env.kwargs", f" with {kwargs}") if kwargs else ("env.id", "")
    return f"{key}: making {spec.id}{given} raised {place(error)}."


def _fixed_arguments(spec: EnvSpec) -> set[str]:
    """Returns which arguments the id of an environment of this package decides."""
    is_own = str(spec.entry_point).startswith(f"{__package__}.")
    return set(spec.kwargs) if is_own else set()


def _known_arguments(spec: EnvSpec) -> str:
    """Returns which arguments an environment takes, if that is known."""
    try:
        creator: Any = spec.entry_point
        creator = load_env_creator(creator) if isinstance(creator, str) else creator
        parameters = inspect.signature(creator).parameters.values()
    except (Exception, SystemExit):  # The error itself is told.
        return ""
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return ""
    hidden = {"render_mode", *_fixed_arguments(spec)}
    names = ", ".join(one.name for one in parameters if one.name not in hidden)
    return f"its arguments are {names}" if names else "it takes no arguments"
