import numpy as np
import pytest

from dqn_exp.env import make_environments
from dqn_exp.evaluation import Evaluation
from tests import probes

probes.register()


def make_evaluation(seeds: list[list[int]], env_id: str, limit: int) -> Evaluation:
    return Evaluation(np.array(seeds), lambda count: make_environments(env_id, count, limit, {}))


def naive_episode(seed: int, env_id: str, limit: int, choose) -> tuple[float, int]:
    environments = make_environments(env_id, 1, limit, {})
    observation = environments.reset(np.array([0]), np.array([seed]))[0]
    total, length = 0.0, 0
    while True:
        outcome = environments.step(np.array([choose(observation)]))
        observation = outcome.observations[0]
        total, length = total + float(outcome.rewards[0]), length + 1
        if outcome.terminated[0] or outcome.truncated[0]:
            return total, length


@pytest.mark.parametrize(("env_id", "limit"), [("CartPole-v1", 40), ("ProbeCounting-v0", 8)])
def test_episodes_are_those_of_one_environment_after_the_other(env_id, limit):
    def choose(observation) -> int:
        return int(observation[-1] + observation[-2] > 0)

    seeds = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    evaluation = make_evaluation(seeds, env_id, limit)
    for runs in ([0, 1, 2], [1], [0, 2]):

        def policy(observations):
            return (observations[..., -1] + observations[..., -2] > 0).astype(np.int64)

        returns, lengths, errors = evaluation.play(policy, np.array(runs))
        assert errors == {}
        for row, run in enumerate(runs):
            expected = [naive_episode(seed, env_id, limit, choose) for seed in seeds[run]]
            assert list(zip(returns[row], lengths[row], strict=True)) == expected
    evaluation.close()
