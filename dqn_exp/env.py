"""Environments of all runs, stepped together and reset one by one, without autoreset."""

import importlib
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.utils import seeding

from dqn_exp.per_run import PerRunState

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

VECTORISED = {"gymnasium.envs.classic_control.cartpole:CartPoleEnv"}
"""Entry points of environments that step all runs in one call."""


class Outcome(NamedTuple):
    """What a step of every run's environment has led to.

    observations: `[N, D]` the true next observations, also where the episode has ended.
    rewards: `[N]`.
    terminated: `[N]` whether the task has ended.
    truncated: `[N]` whether a limit, such as that of time, has ended the episode.
    """

    observations: Floats
    rewards: Floats
    terminated: Bools
    truncated: Bools


class EnvShape(NamedTuple):
    """What a network must know of an environment: D and A."""

    num_features: int
    num_actions: int


class Environments(Protocol):
    """One environment for each run."""

    def reset(self, runs: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64]) -> Floats:
        """Starts new episodes of runs `[M]` with seeds `[M]`; returns observations `[M, D]`."""
        ...

    def step(self, actions: npt.NDArray[np.int64]) -> Outcome:
        """Takes one action `[N]` in every environment."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out: the last environment moves into its place."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns what brings one run's open episode back."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Brings one run's open episode back."""
        ...

    def close(self) -> None:
        """Frees what the environments hold."""
        ...


class CartPoleEnvironments(PerRunState):
    """CartPole for all runs in one call of Gymnasium's vectorised environment.

    An episode that begins with a seed is, bit for bit, that of `gymnasium.make` with this seed.
    """

    rows = ("_state", "_steps")
    saved = ("_state", "_steps")

    def __init__(self, count: int, max_episode_steps: int, **kwargs: Any) -> None:
        """Args: the number of environments, their time limit, and arguments of CartPole."""
        self._env: Any = CartPoleVectorEnv(count, max_episode_steps, **kwargs)
        self._env.reset(seed=0)
        self._state = np.zeros((count, 4))
        self._steps = np.zeros(count, dtype=np.int32)

    def reset(self, runs: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64]) -> Floats:
        """Starts new episodes of runs `[M]` with seeds `[M]`; returns observations `[M, 4]`."""
        for run, seed in zip(runs, seeds, strict=True):
            generator, _ = seeding.np_random(int(seed))
            self._state[run] = generator.uniform(-0.05, 0.05, size=4)
        self._steps[runs] = 0
        return self._state[runs].astype(np.float32)

    def step(self, actions: npt.NDArray[np.int64]) -> Outcome:
        """Takes one action `[N]` in every environment."""
        self._env.state = self._state.T
        self._env.steps = self._steps
        self._env.prev_done[:] = False
        _, rewards, terminated, truncated, _ = self._env.step(actions)
        self._state = self._env.state.T
        return Outcome(self._state.astype(np.float32, order="C"), rewards, terminated, truncated)

    def retire(self, run: int) -> None:
        """Takes a run out: the last environment moves into its place."""
        super().retire(run)
        count = len(self._state)
        self._env.num_envs = count
        self._env.prev_done = np.zeros(count, dtype=np.bool_)
        self._env.action_space = gymnasium.vector.utils.batch_space(
            self._env.single_action_space, count
        )

    def close(self) -> None:
        """Frees what the environments hold."""
        self._env.close()


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

    def reset(self, runs: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64]) -> Floats:
        """Starts new episodes of runs `[M]` with seeds `[M]`; returns observations `[M, D]`."""
        observations = np.empty((len(runs), self._num_features), dtype=np.float32)
        for row, (run, seed) in enumerate(zip(runs, seeds, strict=True)):
            observations[row] = np.ravel(self._envs[run].reset(seed=int(seed))[0])
            self._seeds[run], self._actions[run] = int(seed), []
        return observations

    def step(self, actions: npt.NDArray[np.int64]) -> Outcome:
        """Takes one action `[N]` in every environment."""
        count = len(self._envs)
        outcome = Outcome(
            np.empty((count, self._num_features), dtype=np.float32),
            np.empty(count, dtype=np.float32),
            np.empty(count, dtype=np.bool_),
            np.empty(count, dtype=np.bool_),
        )
        for run, (env, action) in enumerate(zip(self._envs, actions.tolist(), strict=True)):
            observation, reward, terminated, truncated, _ = env.step(action + self._first_action)
            self._actions[run].append(action)
            outcome.observations[run] = np.ravel(observation)
            outcome.rewards[run] = float(reward)
            outcome.terminated[run] = terminated
            outcome.truncated[run] = truncated
        return outcome

    def retire(self, run: int) -> None:
        """Takes a run out: the last environment moves into its place."""
        self._envs[run].close()
        rows: tuple[list[Any], ...] = (self._envs, self._seeds, self._actions)
        for values in rows:
            values[run] = values[-1]
            values.pop()

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns the seed of one run's open episode and its actions."""
        return {"seed": self._seeds[run], "actions": list(self._actions[run])}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Plays one run's open episode again; it must be a function of seed and actions."""
        self.reset(np.array([run]), np.array([state["seed"]]))
        for action in state["actions"]:
            self._envs[run].step(action + self._first_action)
        self._actions[run] = list(state["actions"])

    def close(self) -> None:
        """Frees what the environments hold."""
        for env in self._envs:
            env.close()


def make_environments(
    env_id: str, count: int, max_episode_steps: int | None, kwargs: Mapping[str, Any]
) -> Environments:
    """Builds `count` environments, vectorised where Gymnasium has them so.

    Args:
        env_id: a registered id.
        count: N, or all episodes of an evaluation.
        max_episode_steps: the time limit; None for the registered one.
        kwargs: arguments of the environment.

    Raises:
        ValueError: if there is no such environment or DQN cannot act in it.
    """
    spec = _find_spec(env_id)
    limit = max_episode_steps or spec.max_episode_steps
    if spec.entry_point in VECTORISED and limit and not spec.additional_wrappers:
        arguments = {**spec.kwargs, **kwargs}
        if set(arguments) <= {"sutton_barto_reward"}:
            return CartPoleEnvironments(count, limit, **arguments)
    return SerialEnvironments(env_id, count, max_episode_steps, kwargs)


def make_single(
    env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any]
) -> gymnasium.Env[Any, Any]:
    """Builds one environment; raises ValueError, naming the key, if that cannot be."""
    _find_spec(env_id)
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
    if max_episode_steps is None and _find_spec(env_id).max_episode_steps is None:
        raise ValueError(
            f"env.max_episode_steps: expected a limit, since {env_id} has none of its own and an "
            "evaluation might never end."
        )
    env = make_single(env_id, max_episode_steps, kwargs)
    try:
        return shape_of(env, env_id)
    finally:
        env.close()


def _find_spec(env_id: str) -> gymnasium.envs.registration.EnvSpec:
    module, _, name = env_id.rpartition(":")
    try:
        if module:  # As in my_module:MyEnv-v0, where the module registers the environment.
            importlib.import_module(module)
        return gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError) as error:
        raise ValueError(f"env.id: {error}") from error
