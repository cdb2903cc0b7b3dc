"""Environments of all runs, stepped together and reset one by one, without autoreset."""

import logging
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from dqn_exp.classic_control import PHYSICS, Physics
from dqn_exp.gymnasium_env import find_spec, make_single, shape_of
from dqn_exp.outcome import Environments, Floats, Outcome
from dqn_exp.per_run import PerRunState

log = logging.getLogger(__name__)

KNOWN_WRAPPERS = (TimeLimit, OrderEnforcing, PassiveEnvChecker)
"""Wrappers that hold no state of an episode but its length."""


class ClassicControlEnvironments(PerRunState):
    """One of Gymnasium's classic control problems, for all runs in one call.

    An episode that begins with a seed is, bit for bit, that of `gymnasium.make` with this seed.
    """

    rows = ("_state", "_steps")
    saved = ("_state", "_steps")

    def __init__(
        self, physics: Physics, count: int, max_episode_steps: int, argument: float
    ) -> None:
        """Args: the problem, the number of environments, their time limit, and its argument."""
        self._physics, self._limit, self._argument = physics, max_episode_steps, argument
        state = physics.begin(np.random.default_rng(0))
        self._state = np.zeros((count, len(state)))
        self._steps = np.zeros(count, dtype=np.int32)
        self.errors: dict[int, Exception] = {}

    def reset(self, runs: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64]) -> Floats:
        """Starts new episodes of runs `[M]` with seeds `[M]`; returns observations `[M, D]`."""
        observations = np.empty((len(runs), self._physics.num_features), dtype=np.float32)
        for row, (run, seed) in enumerate(zip(runs.tolist(), seeds.tolist(), strict=True)):
            # The generator that Gymnasium makes of a seed.
            generator = np.random.Generator(np.random.PCG64(seed))
            self._state[run] = self._physics.begin(generator)
            observations[row] = self._physics.observe(self._state[run])
        self._steps[runs] = 0
        return observations

    def step(self, actions: npt.NDArray[np.int64]) -> Outcome:
        """Takes one action `[N]` in every environment."""
        count = len(actions)
        observations = np.empty((count, self._physics.num_features), dtype=np.float32)
        rewards, ends = np.empty(count, dtype=np.float32), np.empty((3, count), dtype=np.bool_)
        self._physics.step(
            self._state,
            self._steps,
            actions,
            self._limit,
            self._argument,
            observations,
            rewards,
            ends,
        )
        return Outcome(observations, rewards, *ends)

    def restore(self, run: int, state: dict[str, Any], observation: Floats) -> str | None:
        """Brings one run's open episode back; returns why that could not be, or None."""
        if set(state) != set(self.saved):
            return "it was saved by a version that stepped this environment otherwise"
        self.load_state_dict(run, state)
        return None

    def close(self) -> None:
        """Does nothing: there is nothing to be freed."""


class SerialEnvironments:
    """Any Gymnasium environment, one object a run, stepped one after the other."""

    def __init__(
        self, env_id: str, count: int, max_episode_steps: int | None, kwargs: Mapping[str, Any]
    ) -> None:
        """Args: what to make, how many, the time limit (None: the registered one), arguments.

        Raises:
            ValueError: if observations are no box or actions not discrete.
        """
        self._envs = [make_single(env_id, max_episode_steps, kwargs) for _ in range(count)]
        self._num_features = shape_of(self._envs[0], env_id).num_features
        self._first_action = int(self._envs[0].action_space.start)  # type: ignore[attr-defined]
        # The open episodes: their seeds, and the actions since.
        self._seeds = [0] * count
        self._actions: list[list[int]] = [[] for _ in range(count)]
        self.errors: dict[int, Exception] = {}

    def reset(self, runs: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64]) -> Floats:
        """Starts new episodes of runs `[M]` with seeds `[M]`; returns observations `[M, D]`."""
        observations = np.zeros((len(runs), self._num_features), dtype=np.float32)
        for row, (run, seed) in enumerate(zip(runs.tolist(), seeds.tolist(), strict=True)):
            self._seeds[run], self._actions[run] = seed, []
            try:
                observations[row] = np.ravel(self._envs[run].reset(seed=seed)[0])
            except Exception as error:  # An environment may raise whatever it likes.
                self.errors.setdefault(run, error)
        return observations

    def step(self, actions: npt.NDArray[np.int64]) -> Outcome:
        """Takes one action `[N]` in every environment."""
        count = len(self._envs)
        observations = np.zeros((count, self._num_features), dtype=np.float32)
        ends = np.zeros((3, count), dtype=np.bool_)
        outcome = Outcome(observations, np.zeros(count, dtype=np.float32), *ends)
        for run, (env, action) in enumerate(zip(self._envs, actions.tolist(), strict=True)):
            try:
                observation, reward, terminated, truncated, _ = env.step(
                    action + self._first_action
                )
                outcome.observations[run] = np.ravel(observation)
                outcome.rewards[run] = float(reward)
                outcome.terminated[run] = terminated
                outcome.truncated[run] = truncated
                outcome.ended[run] = terminated or truncated
            except Exception as error:  # As in `reset`.
                self.errors.setdefault(run, error)
            self._actions[run].append(action)
        return outcome

    def retire(self, run: int) -> None:
        """Takes a run out: the last environment moves into its place."""
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
        """Returns what brings one run's open episode back.

        That is its seed and its actions, and the state itself where the environment can tell it:
        where it has `state_dict()`, which returns plain containers, numbers and arrays, and
        `load_state_dict(state)`.
        """
        env = self._envs[run]
        state = env.unwrapped.state_dict() if _tells_its_state(env) else None  # type: ignore[attr-defined]
        actions = np.array(self._actions[run], dtype=np.int64)
        return {"seed": self._seeds[run], "actions": actions, "state": state}

    def restore(self, run: int, state: dict[str, Any], observation: Floats) -> str | None:
        """Brings one run's open episode back, in which `observation` `[D]` was the newest.

        An environment that cannot tell its state is reset with the episode's seed, and the
        actions are taken again.

        Returns:
            Why that could not be, or None. A new episode must then be started.
        """
        env, actions = self._envs[run], np.asarray(state["actions"]).tolist()
        try:
            newest = env.reset(seed=state["seed"])[0]
            if state["state"] is not None and _tells_its_state(env):
                env.unwrapped.load_state_dict(_to_arrays(state["state"]))  # type: ignore[attr-defined]
                _set_length(env, len(actions))
            else:
                for action in actions:
                    newest = env.step(action + self._first_action)[0]
                if not np.array_equal(_to_row(newest), observation, equal_nan=True):
                    return (
                        f"after its {len(actions)} steps the environment was not where it had "
                        "been: it is no function of seed and actions, and has no state_dict"
                    )
        except Exception as error:  # As in `reset`.
            return f"the environment raised {type(error).__name__}: {error}"
        self._seeds[run], self._actions[run] = state["seed"], actions
        return None

    def close(self) -> None:
        """Frees what the environments hold."""
        for env in self._envs:
            _close(env)


def _close(env: gymnasium.Env[Any, Any]) -> None:
    try:
        env.close()
    except Exception as error:  # Its run has ended, well or badly; the others go on.
        log.warning("Closing an environment raised %s: %s", type(error).__name__, error)


def _tells_its_state(env: gymnasium.Env[Any, Any]) -> bool:
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


def _to_row(observation: Any) -> Floats:
    row: Floats = np.ravel(observation).astype(np.float32)
    return row


def _to_arrays(value: Any) -> Any:
    """Returns nested containers with arrays for what a checkpoint holds as tensors."""
    if isinstance(value, Mapping):
        return {key: _to_arrays(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_arrays(inner) for inner in value]
    return value.numpy() if hasattr(value, "numpy") else value


def make_environments(
    env_id: str, count: int, max_episode_steps: int | None, kwargs: Mapping[str, Any]
) -> Environments:
    """Builds `count` environments, those of classic control stepped in one call.

    Args:
        env_id: a registered id.
        count: N, or all episodes of an evaluation.
        max_episode_steps: the time limit; None for the registered one.
        kwargs: arguments of the environment.

    Raises:
        ValueError: if there is no such environment or DQN cannot act in it.
    """
    spec = find_spec(env_id)
    limit = max_episode_steps or spec.max_episode_steps
    physics = PHYSICS.get(spec.entry_point)
    if physics is not None and limit and not spec.additional_wrappers:
        arguments = {**spec.kwargs, **kwargs}
        value = arguments.pop(physics.argument or "", physics.value)
        if not arguments and isinstance(value, bool | int | float):
            return ClassicControlEnvironments(physics, count, limit, float(value))
    return SerialEnvironments(env_id, count, max_episode_steps, kwargs)
