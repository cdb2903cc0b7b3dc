from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.make import make_vector_env
from dqn_exp.training.evaluation import Evaluation
from tests import probes

probes.register()


GAMMA, CLIP, BOOTSTRAPS = [0.9, 0.5, 1.0], [0.5, np.inf, 0.25], [True, False, True]


def make_evaluation(seeds: list[list[int]], env_id: str, limit: int, **options) -> Evaluation:
    count = len(seeds)
    return Evaluation(
        np.array(seeds),
        lambda number: make_vector_env(EnvArguments(env_id, limit), number),
        gamma=np.array(GAMMA[:count]),
        reward_limits=np.array(CLIP[:count]),
        bootstrap_truncated=np.array(BOOTSTRAPS[:count]),
        **options,
    )


class Naive(NamedTuple):
    total: float
    length: int
    first: list[float]
    last: list[float]
    discounted: float
    rest_weight: float


def naive_episode(run: int, seed: int, env_id: str, limit: int, choose) -> Naive:
    environments = make_vector_env(EnvArguments(env_id, limit), 1)
    observation = environments.reset(np.array([0]), np.array([seed]))[0]
    first, rewards = observation.tolist(), []
    while True:
        outcome = environments.step(np.array([choose(observation)]))
        observation = outcome.observations[0]
        rewards.append(float(outcome.rewards[0]))
        if outcome.terminated[0] or outcome.truncated[0]:
            has_future = not outcome.terminated[0] and BOOTSTRAPS[run]
            return Naive(
                total=sum(rewards),
                length=len(rewards),
                first=first,
                last=observation.tolist(),
                discounted=sum(
                    GAMMA[run] ** i * min(max(reward, -CLIP[run]), CLIP[run])
                    for i, reward in enumerate(rewards)
                ),
                rest_weight=GAMMA[run] ** len(rewards) if has_future else 0.0,
            )


@pytest.mark.parametrize(
    ("env_id", "limit"), [("CartPole-v1", 12), ("CartPole-v1", 40), ("ProbeCounting-v0", 8)]
)
def test_episodes_are_those_of_one_environment_after_the_other(env_id, limit):
    def choose(observation) -> int:
        return int(observation[-1] + observation[-2] > 0)

    seeds = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    evaluation = make_evaluation(seeds, env_id, limit)
    for runs in ([0, 1, 2], [1], [0, 2]):

        def policy(observations):
            return (observations[..., -1] + observations[..., -2] > 0).astype(np.int64)

        played = evaluation.play(policy, np.array(runs))
        assert played.errors == {}
        for row, run in enumerate(runs):
            for episode, seed in enumerate(seeds[run]):
                expected = naive_episode(run, seed, env_id, limit, choose)
                assert played.returns[row, episode] == expected.total
                assert played.lengths[row, episode] == expected.length
                assert played.first_observations[row, episode].tolist() == expected.first
                assert played.last_observations[row, episode].tolist() == expected.last
                found = (played.discounted[row, episode], played.bootstrap_weights[row, episode])
                assert found == pytest.approx((expected.discounted, expected.rest_weight))
    evaluation.close()


class Signs:
    """An engine whose policy is another one for each run."""

    @contextmanager
    def policy(self, runs):
        signs = np.array([1, -1, 1])[runs, None]
        yield lambda observations: (observations.sum(-1) * signs > 0).astype(np.int64)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "ProbeFragile-v0"])
def test_many_environments_are_opened_some_at_a_time(monkeypatch, env_id):
    opened, make = [], make_vector_env

    def make_env(*arguments):
        opened.append(arguments[1])
        return make(*arguments)

    monkeypatch.setattr("tests.training.test_evaluation.make_vector_env", make_env)
    seeds, played = [[1, 2], [3, 4], [25, 6]], []  # 25 breaks a fragile one.
    for most in (256, 4, 1):
        monkeypatch.setattr("dqn_exp.training.evaluation.MOST_ENVS", most)
        evaluation = make_evaluation(seeds, env_id, 9)
        played.append(evaluation.evaluate(Signs(), np.arange(3)))
        evaluation.close()
    assert opened[:3] == [6, 4, 2] and max(opened[3:]) == 2
    for some in played[1:]:
        assert some.errors.keys() == played[0].errors.keys()
        whole = [run for run in range(3) if run not in some.errors]
        for one, other in zip(some[:6], played[0][:6], strict=True):
            np.testing.assert_array_equal(one[whole], other[whole])
    assert list(played[0].errors) == ([2] if env_id == "ProbeFragile-v0" else [])


def test_a_run_that_is_retired_takes_its_rules_with_it():
    seeds = [[1, 2], [3, 4], [5, 6]]

    def policy(observations):
        return np.zeros(observations.shape[:2], dtype=np.int64)

    evaluation = make_evaluation(seeds, "CartPole-v1", 5)
    before = evaluation.play(policy, np.array([2, 1]))
    evaluation.retire(0)  # The last one moves into its place.
    after = evaluation.play(policy, np.array([0, 1]))
    for name in ("returns", "discounted", "bootstrap_weights"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert len({float(value) for value in after.discounted.ravel()}) > 1
    evaluation.close()


def test_evaluations_do_not_depend_on_those_before_them():
    name = "tests.odd_envs:with_statistics"
    evaluation = make_evaluation([[3, 4], [5, 6]], name, 50, reuses_env=False)

    def policy(observations):
        return (observations[..., 2] > 0).astype(np.int64)

    first = evaluation.play(policy, np.arange(2))
    again = evaluation.play(policy, np.arange(2))
    alone = evaluation.play(policy, np.arange(1, 2))
    assert first.returns.tolist() == again.returns.tolist()
    assert alone.returns.tolist() == first.returns[1:].tolist()
    np.testing.assert_array_equal(again.last_observations, first.last_observations)
