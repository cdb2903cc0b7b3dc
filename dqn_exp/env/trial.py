"""Trial of an environment before anything trains: made, reset and stepped a few times."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from dqn_exp.core.arrays import Float32Array, Float64Array
from dqn_exp.env.arguments import EnvArguments, EnvShape
from dqn_exp.env.gymnasium_env import (
    action_space_of,
    close_env,
    encoding_of,
    limit_of,
    make_env,
    time_limit_of,
)
from dqn_exp.env.observations import Observations
from dqn_exp.env.registry import place, short_name
from dqn_exp.env.results import InterfaceError, split_reset, split_step
from dqn_exp.env.single_env import SingleEnv

NUM_STEPS = 12
NOT_A_FUNCTION = (
    "the same seed and actions led to other observations or rewards the second time, so resumed "
    "runs may differ from others."
)

SEED = 2**31 - 3
"""A large seed of an evaluation episode."""


class Trial(NamedTuple):
    """Result of a trial.

    Attributes:
        shape: of the environment; None if there are problems.
        problems: why DQN cannot be trained in it, one line each, with the key.
        notes: what the user should know, one line each.
        limit: time limit of the environment, by itself or by Gymnasium; None for none.
        is_function: whether observations and rewards are a function of seed and actions, and do
            not depend on earlier episodes.
    """

    shape: EnvShape | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    limit: int | None = None
    is_function: bool = True


def try_env(arguments: EnvArguments) -> Trial:
    """Tries an environment in the way that training uses it."""
    problems = [*_problems_of(lambda: limit_of(arguments))]
    if problems:
        arguments = arguments._replace(max_episode_steps=1)
    try:
        env = make_env(arguments)
    except ValueError as error:
        # Where the id is unknown, its limit is as well.
        return Trial(None, tuple(dict.fromkeys([*problems, str(error)])), ())
    problems += _problems_of(lambda: action_space_of(env, arguments.id))
    problems += _problems_of(lambda: encoding_of(env, arguments.id))
    if problems:
        close_env(env)
        return Trial(None, tuple(problems), ())
    limit = time_limit_of(env)
    return _play(SingleEnv(arguments, env=env), short_name(arguments.id))._replace(limit=limit)


def _problems_of(check: Callable[[], Any]) -> Iterator[str]:
    try:
        check()
    except ValueError as error:
        yield str(error)


def _play(env: SingleEnv, name: str) -> Trial:
    seen = env.observations = _Seen(env.observations)
    try:
        seen_first = _take_steps(env)
    except InterfaceError as error:
        return Trial(None, (f"env.id: {name}: {error}.",), ())
    except (Exception, SystemExit) as error:  # An environment may raise any error.
        return Trial(None, (f"env.id: {name}{_reason(env.env, error)}.",), ())
    else:
        is_function = _gives_again(env, seen_first)
    finally:
        closing = env.close()
    notes = [f"{name}: {note}" for note in (*seen.notes, *seen.precision_notes())]
    if not is_function:
        notes.append(f"{name}: {NOT_A_FUNCTION}")
    if closing is not None:
        notes.append(f"{name}: closing it raised {closing}.")
    return Trial(env.shape, (), tuple(notes), is_function=is_function)


def _gives_again(env: SingleEnv, seen: list[tuple[bytes, float]]) -> bool:
    try:
        return _take_steps(env) == seen
    except (Exception, SystemExit):  # It may refuse to be reset before an episode has ended.
        return True


def _take_steps(env: SingleEnv) -> list[tuple[bytes, float]]:
    """Takes some steps; returns their observations and rewards."""
    actions = np.random.default_rng(0).integers(env.shape.num_actions, size=NUM_STEPS)
    seen = [(env.reset(SEED).tobytes(), 0.0)]
    for action in actions.tolist():
        observation, reward, terminated, truncated = env.step(action)
        seen.append((observation.tobytes(), reward))
        if terminated or truncated:
            seen.append((env.reset(SEED).tobytes(), 0.0))
    return seen


def _reason(env: gymnasium.Env[Any, Any], error: BaseException) -> str:
    """Returns what is wrong with an environment that raised an error in a trial."""
    if isinstance(error, TypeError) and "unexpected keyword argument 'seed'" in str(error):
        return (
            ": expected reset to take a seed, def reset(self, *, seed=None, options=None), got a "
            "reset without it"
        )
    # Wrappers unpack what the environment returns, and would be blamed.
    bare = env.unwrapped
    try:
        split_reset(bare.reset(seed=SEED))
        split_step(bare.step(bare.action_space.sample()))
    except InterfaceError as wrong:
        return f": {wrong}"
    except (Exception, SystemExit):  # The error itself tells more.
        pass
    return f" raised {place(error)}"


class _Seen:
    """Observations that remember what they have encoded."""

    def __init__(self, observations: Observations) -> None:
        self.num_features, self.notes = observations.num_features, observations.notes
        self._observations = observations
        self._exact: list[Float64Array] = []

    def encode(self, observation: Any) -> Float32Array:
        """Returns the features, as `Observations.encode` describes."""
        row = self._observations.encode(observation)
        if isinstance(observation, np.ndarray) and observation.dtype == np.float64:
            self._exact.append(observation.ravel().copy())
        return row

    def precision_notes(self) -> Iterator[str]:
        """Yields a note if single precision makes different observations equal."""
        rows = np.unique(np.array(self._exact), axis=0) if self._exact else np.zeros((0, 0))
        lost = len(rows) - len(np.unique(rows.astype(np.float32), axis=0))
        if lost:
            yield (
                f"of {len(rows)} different observations, {lost} cannot be told apart in single "
                "precision, in which networks compute. Subtract a typical value from them in the "
                "environment, or scale their differences up."
            )
