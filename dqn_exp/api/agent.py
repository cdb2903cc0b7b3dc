"""Trained agents."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FrameStackObservation

from dqn_exp.analysis.summary import best_run
from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray
from dqn_exp.core.dotted_keys import flatten
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.module_search import search_in_current_folder
from dqn_exp.core.random_streams import evaluation_seeds
from dqn_exp.env.gymnasium_env import action_space_of, encoding_of, make_env
from dqn_exp.env.images import Images
from dqn_exp.env.rollout import play
from dqn_exp.env.single_env import SingleEnv
from dqn_exp.files.checkpoint import NEWEST
from dqn_exp.training.playback import search_as
from dqn_exp.training.preflight import evaluation_env
from dqn_exp.training.trained_policy import load_trained_policy


class Agent:
    """The greedy policy of a trained run.

    Attributes:
        directory: of the run.
        step: of its checkpoint.
        config: of the run, by dotted key.
    """

    def __init__(self, directory: Path, *, is_best: bool = False) -> None:
        """Loads the newest or the best checkpoint of a run.

        Raises:
            ValueError: If there is none, or the environment cannot be made.
        """
        search_in_current_folder()
        search_as(directory)
        trained = load_trained_policy(directory, is_best=is_best)
        self.directory, self.step = directory, trained.step
        self.config = flatten(trained.config.model_dump())
        self._eval, self._arguments = trained.config.eval, evaluation_env(trained.config)
        self._q_values = trained.q_values
        env = make_env(self._arguments)
        self._space = env.observation_space
        self._observations = encoding_of(env, self._arguments.id)
        self._actions = action_space_of(env, self._arguments.id)
        env.close()

    def act(self, observation: Any) -> int | IntArray:
        """Returns the greedy action in an observation, or the actions `[M]` in several.

        Args:
            observation: of the environment, of any numeric dtype, or an array or a list of them;
                where the agent sees stacked frames, a stack `[S, ...]`, the newest one last.

        Raises:
            ValueError: If it does not belong to the observation space.
        """
        values = self.q_values(observation)
        actions: IntArray = int(self._actions.start) + values.argmax(-1)
        return int(actions) if values.ndim == 1 else actions

    def q_values(self, observation: Any) -> Float32Array:
        """Returns the values `[A]` of the actions in an observation, or `[M, A]` in several.

        Args:
            observation: as in `act`.

        Raises:
            ValueError: If it does not belong to the observation space.
        """
        self._check(observation)
        if self._is_one(observation):
            values: Float32Array = self._q_values(self._encode(observation)[None])[0]
            return values
        return self._q_values(np.stack([self._encode(one) for one in observation]))

    def evaluate(self, num_episodes: int | None = None, *, seed: int | None = None) -> Float64Array:
        """Returns the undiscounted returns `[n]` of episodes with greedy actions.

        Args:
            num_episodes: n; None for `eval.episodes`.
            seed: from which the seeds of the episodes derive; None for `eval.seed`, with which the
                episodes are those of the run's own evaluations.

        Raises:
            ValueError: If an argument is out of range.
            EpisodeError: If the environment raises an error.
        """
        count = self._eval.episodes if num_episodes is None else num_episodes
        first = self._eval.seed if seed is None else seed
        if not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"num_episodes: expected an integer of at least 1, got {count!r}.")
        if not isinstance(first, int | np.integer) or not 0 <= first < 2**63:
            raise ValueError(f"seed: expected an integer from 0 to 2^63 - 1, got {first!r}.")
        seeds = evaluation_seeds(int(first), int(count)).tolist()
        env = SingleEnv(self._arguments)
        try:
            return np.array([episode.return_ for episode in play(env, self._q_values, seeds)])
        finally:
            env.close()

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """Returns an environment like those of the run's evaluations, for `act` to act in.

        Args:
            render_mode: of Gymnasium, such as `rgb_array` or `human`; None for none.

        Raises:
            ValueError: If it cannot be made.
        """
        mode = {} if render_mode is None else {"render_mode": render_mode}
        arguments = self._arguments
        env = make_env(arguments._replace(kwargs={**arguments.kwargs, **mode}))
        if self._num_frames == 1:
            return env
        padding = "reset" if arguments.repeats_first else "zero"
        return FrameStackObservation(env, self._num_frames, padding_type=padding)

    def __repr__(self) -> str:
        """Returns the environment, the step and the directory."""
        return f"Agent({self._arguments.id}, step {self.step:,}, {self.directory})"

    @property
    def _num_frames(self) -> int:
        return self._arguments.frame_stack if isinstance(self._observations, Images) else 1

    def _check(self, observation: Any) -> None:
        if not isinstance(self._space, spaces.Box):
            return
        try:
            values = np.asarray(observation, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"observation: expected an array of numbers: {error}.") from error
        if values.shape != self._shape and (values.shape[1:] != self._shape or not len(values)):
            raise ValueError(
                f"observation: expected the shape {self._shape}, or several of it, got "
                f"{values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError("observation: expected finite numbers, got NaN or infinity.")

    @property
    def _shape(self) -> tuple[int, ...]:
        """Shape of an observation that is an array, with its stack."""
        stack = () if self._num_frames == 1 else (self._num_frames,)
        return (*stack, *(self._space.shape or ()))

    def _is_one(self, observation: Any) -> bool:
        if isinstance(self._space, spaces.Box):
            return bool(np.shape(observation) == self._shape)
        if isinstance(self._space, spaces.Dict | spaces.Tuple):
            return not isinstance(observation, list)
        return np.ndim(observation) == len(self._space.shape or ())

    def _encode(self, observation: Any) -> Float32Array:
        """Returns the features `[D]` of an observation."""
        if self._num_frames == 1 or not isinstance(self._observations, Images):
            return self._observations.encode(observation)
        images = self._observations
        form = images.form._replace(stack=self._num_frames)
        return form.join([images.to_frame(frame) for frame in observation])


def load(path: str | Path, *, best: bool = False) -> Agent:
    """Returns the agent of a run, or that of the best run of a sweep.

    Args:
        path: directory of a run, a sweep or a search; for a sweep, the run of the best setting that
            has the highest final return is loaded.
        best: whether to load the checkpoint of the best evaluation instead of the newest one.

    Raises:
        ConfigError: If the directory is not that of a run or a sweep, or there is no checkpoint.
    """
    directory = best_run(Path(path).absolute())
    if not (directory / NEWEST).exists():
        raise ConfigError(
            [f"{path}: expected the directory of a run or a sweep with a checkpoint."]
        )
    return Agent(directory, is_best=best)
