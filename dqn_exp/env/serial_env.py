"""Vectorized environments of any kind, stepped one after the other in Python."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from dqn_exp.core.arrays import BoolArray, IntArray, ObservationArray
from dqn_exp.core.errors import EpisodeError
from dqn_exp.core.wording import quantity
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.gymnasium_env import core_of
from dqn_exp.env.registry import place, short_name
from dqn_exp.env.results import InterfaceError
from dqn_exp.env.single_env import SingleEnv
from dqn_exp.env.vector_env import StepResult

log = logging.getLogger(__name__)


class SerialVectorEnv:
    """Any environment of Gymnasium, one object per run.

    Attributes:
        can_begin: whether the environments play outside Python, see `SingleEnv.begin`.
    """

    def __init__(
        self, arguments: EnvArguments, count: int, *, returns_frames: bool = False
    ) -> None:
        """Makes N environments.

        Args:
            arguments: what each environment is made of.
            count: N.
            returns_frames: whether images are returned as single frames, see `SingleEnv`.

        Raises:
            ValueError: If DQN cannot act in them.
        """
        self._envs = [SingleEnv(arguments, returns_frames=returns_frames) for _ in range(count)]
        self._name, self.shape = short_name(arguments.id), self._envs[0].shape
        self.can_begin = self._envs[0].can_begin
        self._nothing = np.zeros(self.shape.num_features, dtype=np.float32)
        if returns_frames and (frames := self.shape.frames) is not None:
            self._nothing = np.zeros(frames.num_values, dtype=np.uint8)
        # The current episodes: their seeds, and the actions since.
        self._seeds = [0] * count
        self._actions: list[list[int]] = [[] for _ in range(count)]
        self.errors: dict[int, EpisodeError] = {}

    def reset(self, runs: IntArray, seeds: IntArray) -> ObservationArray:
        """Starts episodes of runs `[M]` with seeds `[M]`; returns their observations."""
        observations = np.tile(self._nothing, (len(runs), 1))
        for row, (run, seed) in enumerate(zip(runs.tolist(), seeds.tolist(), strict=True)):
            observations[row] = self.reset_one(run, seed)
        return observations

    def reset_one(self, run: int, seed: int) -> ObservationArray:
        """Starts an episode of one run; returns its observation, zeros after an error."""
        self._seeds[run], self._actions[run] = seed, []
        try:
            found: ObservationArray = self._envs[run].reset(seed)
        except (Exception, SystemExit) as error:  # An environment may raise any error.
            self._note(run, error)
            return self._nothing
        return found

    def step(self, actions: IntArray, active: BoolArray | None = None) -> StepResult:
        """Takes one action `[N]` in every environment, or in the active ones `[N]`."""
        count = len(self._envs)
        observations = np.tile(self._nothing, (count, 1))
        ends = np.zeros((3, count), dtype=np.bool_)
        result = StepResult(observations, np.zeros(count, dtype=np.float32), *ends)
        runs = range(count) if active is None else np.flatnonzero(active).tolist()
        for run in runs if self.can_begin else ():
            self.begin_one(run, int(actions[run]))
        for run in runs:
            if (found := self.step_one(run, int(actions[run]))) is not None:
                observation, reward, terminated, truncated = found
                result.observations[run], result.rewards[run] = observation, reward
                result.terminated[run], result.truncated[run] = terminated, truncated
                result.ended[run] = terminated or truncated
        return result

    def begin_one(self, run: int, action: int) -> None:
        """Begins a step in one environment, if it plays outside Python; `step_one` ends it.

        So environments play at the same time.
        """
        try:
            self._envs[run].begin(action)
        except (Exception, SystemExit) as error:  # As in `reset_one`.
            self._actions[run].append(action)
            self._note(run, error)

    def step_one(self, run: int, action: int) -> tuple[ObservationArray, float, bool, bool] | None:
        """Takes an action in one environment.

        Returns:
            The observation, which the next step may change, the reward, and whether the
            episode was terminated or truncated; None after an error.
        """
        if run in self.errors:
            return None
        self._actions[run].append(action)
        try:
            return self._envs[run].step(action)
        except (Exception, SystemExit) as error:  # As in `reset_one`.
            self._note(run, error)
            return None

    def _note(self, run: int, error: BaseException) -> None:
        if run not in self.errors:
            is_wrong = isinstance(error, InterfaceError)
            what = f": {error}" if is_wrong else f" raised {place(error)}"
            found = EpisodeError(self._name + what, self._seeds[run], list(self._actions[run]))
            found.__cause__ = error
            self.errors[run] = found

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
        core = _saving_core(self._envs[run])
        try:
            state = None if core is None else core.state_dict()
        except SystemExit as error:  # It ends its own run only, like any other error.
            raise RuntimeError(f"state_dict of {self._name} raised {place(error)}") from error
        actions = np.array(self._actions[run], dtype=np.int64)
        return {"seed": self._seeds[run], "actions": actions, "state": state}

    def restore(
        self, run: int, state: dict[str, Any], observation: ObservationArray, return_: float
    ) -> str | None:
        """Restores the current episode of one run, as `VectorEnv.restore` describes.

        An environment that does not provide its state is reset with the seed of the episode, and
        the actions are taken again.
        """
        env, actions = self._envs[run], np.asarray(state["actions"]).tolist()
        core = _saving_core(env)
        try:
            newest = env.reset(state["seed"])
            if state["state"] is not None and core is not None:
                core.load_state_dict(_to_arrays(state["state"]))
                _set_length(env.env, len(actions))
            elif other := _difference(env, actions, newest, observation, return_):
                steps = quantity(len(actions), "step")
                return (
                    f"repeating its {steps} led to {other}: the environment is not a function of "
                    "seed and actions, and has no state_dict"
                )
        except (Exception, SystemExit) as error:  # As in `reset`.
            return f"the environment raised {place(error)}"
        self._seeds[run], self._actions[run] = state["seed"], actions
        return None

    def close(self) -> None:
        """Closes the environments."""
        for env in self._envs:
            _close(env)


def _close(env: SingleEnv) -> None:
    if (problem := env.close()) is not None:  # Its run has ended anyway, and the others go on.
        log.warning("Closing an environment raised %s.", problem)


def _difference(
    env: SingleEnv,
    actions: Sequence[int],
    newest: ObservationArray,
    observation: ObservationArray,
    return_: float,
) -> str:
    """Takes actions again; returns what differs at the end, if anything."""
    found = 0.0
    for action in actions:
        newest, reward, _, _ = env.step(action)
        found += float(np.float32(reward))  # As rewards are stored.
    if not np.array_equal(newest, observation):
        return "another observation"
    return "other rewards" if found != return_ else ""


def _saving_core(env: SingleEnv) -> Any:
    """Returns the core of an environment that provides its state, else None."""
    return core_of(env.env, "state_dict", "load_state_dict")


def _set_length(env: gymnasium.Env[Any, Any], num_steps: int) -> None:
    layer = env
    while isinstance(layer, gymnasium.Wrapper):
        if isinstance(layer, TimeLimit):
            layer._elapsed_steps = num_steps  # type: ignore[assignment]
        layer = layer.env


def _to_arrays(value: Any) -> Any:
    """Returns nested containers with the tensors of a checkpoint as arrays."""
    if isinstance(value, Mapping):
        return {key: _to_arrays(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_arrays(inner) for inner in value]
    return value.numpy() if hasattr(value, "numpy") else value
