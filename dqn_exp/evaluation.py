"""How good the greedy policies are, in environments of their own."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.agent import Policy
from dqn_exp.compiled import entry
from dqn_exp.outcome import Environments, Outcome
from dqn_exp.per_run import PerRunState

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Played(NamedTuple):
    """Episodes of an evaluation.

    returns: `[M, E]`, undiscounted.
    lengths: `[M, E]`, in steps.
    firsts, lasts: `[M, E, D]` the observations that the episodes began and ended with.
    discounted: `[M, E]` discounted sums of the rewards as the agent learns from them.
    rest_weights: `[M, E]` weights of what would have come after the last observations: 0 where
        there is no future.
    errors: what environments have raised, by run of M; figures of such a run have no meaning.
    """

    returns: Doubles
    lengths: npt.NDArray[np.int64]
    firsts: Floats
    lasts: Floats
    discounted: Doubles
    rest_weights: Doubles
    errors: dict[int, Exception]


class Evaluation(PerRunState):
    """Plays E episodes at once with each of some policies.

    The episodes begin with the same seeds each time, so that evaluations can be compared.
    """

    rows = ("seeds", "_gamma", "_reward_limits", "_bootstrap_truncated")

    def __init__(
        self,
        seeds: npt.NDArray[np.int64],
        make_environments: Callable[[int], Environments],
        *,
        gamma: Doubles,
        reward_limits: Doubles,
        bootstrap_truncated: Bools,
    ) -> None:
        """Args.

        seeds: `[N, E]` of the episodes.
        make_environments: makes a given number of them.
        gamma: `[N]` discounts.
        reward_limits: `[N]` magnitudes that rewards to learn from are clipped to.
        bootstrap_truncated: `[N]` whether an episode that a limit has cut has a future.
        """
        self.seeds = seeds
        self._gamma, self._reward_limits = gamma, reward_limits
        self._bootstrap_truncated = bootstrap_truncated
        self._make_environments = make_environments
        self._environments: Environments | None = None
        self._count = 0

    def play(self, policy: Policy, runs: npt.NDArray[np.int64]) -> Played:
        """Plays E episodes with each of the policies of runs `[M]`."""
        seeds = self.seeds[runs]
        environments, everyone = self._open(seeds.size), np.arange(seeds.size)
        active = np.ones(seeds.size, dtype=np.bool_)
        observations = environments.reset(everyone, seeds.ravel())
        rows = np.repeat(runs, seeds.shape[1])
        tally = _Tally(
            observations,
            self._gamma[rows],
            self._reward_limits[rows],
            self._bootstrap_truncated[rows],
        )
        while active.any():
            actions = policy(observations.reshape(*seeds.shape, -1)).ravel()
            outcome = environments.step(actions)
            tally.count(outcome, active)
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
        return tally.result(seeds.shape, errors)

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


class _Tally:
    """What is counted of episodes `[M * E]`, as far as they are active."""

    def __init__(
        self, firsts: Floats, gamma: Doubles, reward_limits: Doubles, bootstrap_truncated: Bools
    ) -> None:
        """Args: the first observations `[M * E, D]`; the rules as in `Evaluation`, `[M * E]`."""
        self._gamma, self._reward_limits = gamma, reward_limits
        self._ends_when_truncated = ~bootstrap_truncated
        self._firsts, self._lasts = firsts.copy(), firsts.copy()
        self._returns, self._discounted = np.zeros((2, len(firsts)))
        self._lengths = np.zeros(len(firsts), dtype=np.int64)
        self._weights = np.ones(len(firsts))  # Of the next reward.

    def count(self, outcome: Outcome, active: Bools) -> None:
        """Counts a step."""
        _count(
            outcome.rewards,
            active,
            self._reward_limits,
            self._gamma,
            self._returns,
            self._lengths,
            self._discounted,
            self._weights,
        )
        ends = outcome.ended & active
        if np.count_nonzero(ends):
            self._lasts[ends] = outcome.observations[ends]
            self._weights[ends & (outcome.terminated | self._ends_when_truncated)] = 0.0

    def result(self, shape: tuple[int, int], errors: dict[int, Exception]) -> Played:
        """Returns what was counted, of shape `[M, E]`."""
        return Played(
            returns=self._returns.reshape(shape),
            lengths=self._lengths.reshape(shape),
            firsts=self._firsts.reshape(*shape, -1),
            lasts=self._lasts.reshape(*shape, -1),
            discounted=self._discounted.reshape(shape),
            rest_weights=self._weights.reshape(shape),
            errors=errors,
        )


@entry
def _count(
    rewards: Floats,
    active: Bools,
    reward_limits: Doubles,
    gamma: Doubles,
    returns: Doubles,
    lengths: npt.NDArray[np.int64],
    discounted: Doubles,
    weights: Doubles,
) -> None:
    """Adds a step with `rewards [M * E]` to what is counted of active episodes, all `[M * E]`."""
    for row in range(len(rewards)):
        if active[row]:
            reward, limit = rewards[row], reward_limits[row]
            returns[row] += reward
            lengths[row] += 1
            discounted[row] += weights[row] * min(max(reward, -limit), limit)
            weights[row] *= gamma[row]
