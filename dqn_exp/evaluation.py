"""How good the greedy policies are, in environments of their own."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.agent import Policy
from dqn_exp.outcome import Environments
from dqn_exp.per_run import PerRunState


class Played(NamedTuple):
    """Episodes of an evaluation.

    returns: `[M, E]`, undiscounted.
    lengths: `[M, E]`, in steps.
    errors: what environments have raised, by run of M; figures of such a run have no meaning.
    """

    returns: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]
    errors: dict[int, Exception]


class Evaluation(PerRunState):
    """Plays E episodes at once with each of some policies.

    The episodes begin with the same seeds each time, so that evaluations can be compared.
    """

    rows = ("seeds",)

    def __init__(
        self, seeds: npt.NDArray[np.int64], make_environments: Callable[[int], Environments]
    ) -> None:
        """Args: `seeds` `[N, E]` and what makes a given number of environments."""
        self.seeds = seeds
        self._make_environments = make_environments
        self._environments: Environments | None = None
        self._count = 0

    def play(self, policy: Policy, runs: npt.NDArray[np.int64]) -> Played:
        """Plays E episodes with each of the policies of runs `[M]`."""
        seeds = self.seeds[runs]
        environments, everyone = self._open(seeds.size), np.arange(seeds.size)
        returns, lengths = np.zeros(seeds.size), np.zeros(seeds.size, dtype=np.int64)
        active = np.ones(seeds.size, dtype=np.bool_)
        observations = environments.reset(everyone, seeds.ravel())
        while active.any():
            actions = policy(observations.reshape(*seeds.shape, -1)).ravel()
            outcome = environments.step(actions)
            returns += outcome.rewards * active
            lengths += active
            ended = outcome.ended
            active &= ~ended
            active[list(environments.errors)] = False
            observations = outcome.observations
            if ended.any():
                # A finished episode goes on from its beginning, unrecorded: the shape of what is
                # forwarded must not depend on how long the neighbours' episodes are.
                again = np.flatnonzero(ended)
                observations[again] = environments.reset(again, seeds.ravel()[again])
        errors = {row // seeds.shape[1]: error for row, error in environments.errors.items()}
        if errors:  # Nobody knows what the broken ones would do in another evaluation.
            self.close()
        return Played(returns.reshape(seeds.shape), lengths.reshape(seeds.shape), errors)

    def close(self) -> None:
        """Frees the environments."""
        if self._environments is not None:
            self._environments.close()
            self._environments = None

    def _open(self, count: int) -> Environments:
        if self._environments is None or self._count != count:
            self.close()
            self._environments, self._count = self._make_environments(count), count
        return self._environments
