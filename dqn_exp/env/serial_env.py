"""Vectorised environments of any kind, stepped one after the other in Python."""

import logging
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray
from dqn_exp.env.gymnasium_env import make_single, shape_of
from dqn_exp.env.vector_env import StepResult

log = logging.getLogger(__name__)

KNOWN_WRAPPERS = (TimeLimit, OrderEnforcing, PassiveEnvChecker)
"""Wrappers without state of an episode, except its length."""


class SerialVectorEnv:
    """Any environment of Gymnasium, one object per run."""

    def __init__(
        self, env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any], count: int
    ) -> None:
        """Makes the environments.

        Args:
            env_id: a registered id.
            max_episode_steps: time limit; None for the registered one.
            kwargs: keyword arguments of the environment.
            count: N.

        Raises:
            ValueError: If observations are not a box or actions are not discrete.
        """
        self._envs = [make_single(env_id, max_episode_steps, kwargs) for _ in range(count)]
        self._num_features = shape_of(self._envs[0], env_id).num_features
        self._first_action = int(self._envs[0].action_space.start)  # type: ignore[attr-defined]
        # The current episodes: their seeds, and the actions since.
        self._seeds = [0] * count
        self._actions: list[list[int]] = [[] for _ in range(count)]
        self.errors: dict[int, Exception] = {}

    def reset(self, runs: IntArray, seeds: IntArray) -> Float32Array:
        """Starts episodes of runs `[M]` with seeds `[M]`; returns observations `[M, D]`."""
        observations = np.zeros((len(runs), self._num_features), dtype=np.float32)
        for row, (run, seed) in enumerate(zip(runs.tolist(), seeds.tolist(), strict=True)):
            observations[row] = self.reset_one(run, seed)
        return observations

    def reset_one(self, run: int, seed: int) -> Float32Array:
        """Starts an episode of one run; returns its observation `[D]`, zeros after an error."""
        self._seeds[run], self._actions[run] = seed, []
        try:
            return self._check(_to_row(self._envs[run].reset(seed=seed)[0]))
        except Exception as error:  # An environment may raise any error.
            self.errors.setdefault(run, error)
            return np.zeros(self._num_features, dtype=np.float32)

    def step(self, actions: IntArray, active: BoolArray | None = None) -> StepResult:
        """Takes one action `[N]` in every environment, or in the active ones `[N]`."""
        count = len(self._envs)
        observations = np.zeros((count, self._num_features), dtype=np.float32)
        ends = np.zeros((3, count), dtype=np.bool_)
        result = StepResult(observations, np.zeros(count, dtype=np.float32), *ends)
        for run in range(count) if active is None else np.flatnonzero(active).tolist():
            if (found := self.step_one(run, int(actions[run]))) is not None:
                observation, reward, terminated, truncated = found
                result.observations[run], result.rewards[run] = observation, reward
                result.terminated[run], result.truncated[run] = terminated, truncated
                result.ended[run] = terminated or truncated
        return result

    def step_one(self, run: int, action: int) -> tuple[Float32Array, float, bool, bool] | None:
        """Takes an action in one environment.

        Returns:
            The observation `[D]`, which the next step may change, the reward, and whether the
            episode was terminated or truncated; None after an error.
        """
        self._actions[run].append(action)
        try:
            observation, reward, terminated, truncated, _ = self._envs[run].step(
                action + self._first_action
            )
            row = self._check(_to_row(observation))
            return row, float(reward), bool(terminated), bool(truncated)
        except Exception as error:  # As in `reset_one`.
            self.errors.setdefault(run, error)
            return None

    def _check(self, row: Float32Array) -> Float32Array:
        if len(row) != self._num_features:
            raise ValueError(
                f"expected an observation of {self._num_features} numbers, got {len(row)}"
            )
        return row

    def retire(self, run: int) -> None:
        """Removes a run; the last environment replaces its environment."""
        _close(self._envs[run])
        last = len(self._envs) - 1
        self.errors.pop(run, None)
        if last in self.errors:
            self.errors[run] = self.errors.pop(last)
        rows: tuple[list[Any], ...] = (self._envs, self._seeds, self._actions)
        for values in rows:
            values[run] = values[-1]
            values.pop()

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns what restores the current episode of one run.

        It is the seed and the actions of the episode and, if the environment provides it, its
        state: `state_dict()`, which returns plain containers, numbers and arrays, with a matching
        `load_state_dict(state)`.
        """
        env = self._envs[run]
        state = env.unwrapped.state_dict() if _provides_state(env) else None  # type: ignore[attr-defined]
        actions = np.array(self._actions[run], dtype=np.int64)
        return {"seed": self._seeds[run], "actions": actions, "state": state}

    def restore(self, run: int, state: dict[str, Any], observation: Float32Array) -> str | None:
        """Restores the current episode of one run, as `VectorEnv.restore` describes.

        An environment that does not provide its state is reset with the seed of the episode, and
        the actions are taken again.
        """
        env, actions = self._envs[run], np.asarray(state["actions"]).tolist()
        try:
            newest = env.reset(seed=state["seed"])[0]
            if state["state"] is not None and _provides_state(env):
                env.unwrapped.load_state_dict(_to_arrays(state["state"]))  # type: ignore[attr-defined]
                _set_length(env, len(actions))
            else:
                for action in actions:
                    newest = env.step(action + self._first_action)[0]
                if not np.array_equal(_to_row(newest), observation, equal_nan=True):
                    return (
                        f"repeating its {len(actions)} steps led to another observation: the "
                        "environment is not a function of seed and actions, and has no state_dict"
                    )
        except Exception as error:  # As in `reset`.
            return f"the environment raised {type(error).__name__}: {error}"
        self._seeds[run], self._actions[run] = state["seed"], actions
        return None

    def close(self) -> None:
        """Closes the environments."""
        for env in self._envs:
            _close(env)


def _close(env: gymnasium.Env[Any, Any]) -> None:
    try:
        env.close()
    except Exception as error:  # Its run has ended anyway, and the others continue.
        log.warning("Closing an environment raised %s: %s", type(error).__name__, error)


def _provides_state(env: gymnasium.Env[Any, Any]) -> bool:
    layer = env
    while isinstance(layer, gymnasium.Wrapper):
        if type(layer) not in KNOWN_WRAPPERS:
            return False
        layer = layer.env
    return hasattr(layer, "state_dict") and hasattr(layer, "load_state_dict")


def _set_length(env: gymnasium.Env[Any, Any], num_steps: int) -> None:
    layer = env
    while isinstance(layer, gymnasium.Wrapper):
        if isinstance(layer, TimeLimit):
            layer._elapsed_steps = num_steps  # type: ignore[assignment]
        layer = layer.env


def _to_row(observation: Any) -> Float32Array:
    row: Float32Array = np.asarray(observation, dtype=np.float32).ravel()
    return row


def _to_arrays(value: Any) -> Any:
    """Returns nested containers with the tensors of a checkpoint as arrays."""
    if isinstance(value, Mapping):
        return {key: _to_arrays(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_arrays(inner) for inner in value]
    return value.numpy() if hasattr(value, "numpy") else value
