"""The interface of vectorized environments."""

from typing import Any, NamedTuple, Protocol

from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray, ObservationArray
from dqn_exp.core.errors import EpisodeError
from dqn_exp.env.arguments import EnvShape


class StepResult(NamedTuple):
    """Results of one step in every environment.

    Attributes:
        observations: `[N, D]` true next observations, also where the episode has ended; single
            frames `[N, H * W * c]` where the environment returns these.
        rewards: `[N]`.
        terminated: `[N]` whether the task has ended.
        truncated: `[N]` whether a limit, such as the time limit, has ended the episode.
        ended: `[N]` whether either has.
    """

    observations: ObservationArray
    rewards: Float32Array
    terminated: BoolArray
    truncated: BoolArray
    ended: BoolArray


class VectorEnv(Protocol):
    """One environment per run, reset one by one, without autoreset.

    Attributes:
        shape: of each environment.
        errors: errors that environments raised, by run. The other environments continue; results
            of a failed environment are meaningless.
    """

    shape: EnvShape
    errors: dict[int, EpisodeError]

    def reset(self, runs: IntArray, seeds: IntArray) -> ObservationArray:
        """Starts episodes of runs `[M]` with seeds `[M]`; returns their observations."""
        ...

    def step(self, actions: IntArray, active: BoolArray | None = None) -> StepResult:
        """Takes one action `[N]` in every environment, or in the active ones `[N]`.

        Results of the others are meaningless.
        """
        ...

    def retire(self, run: int) -> None:
        """Removes a run; the last environment replaces its environment."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns what restores the current episode of one run."""
        ...

    def restore(
        self, run: int, state: dict[str, Any], observation: ObservationArray, return_: float
    ) -> str | None:
        """Restores the current episode of one run.

        Args:
            run: row of the run.
            state: from `state_dict`.
            observation: newest one of the episode, as the environment returned it.
            return_: sum of its rewards.

        Returns:
            Why the episode cannot be restored, or None. A new episode must then be started.
        """
        ...

    def close(self) -> None:
        """Closes the environments."""
        ...
