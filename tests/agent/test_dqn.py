"""The agent against the rules of DQN, written as loops."""

import numpy as np
import pytest
import torch

from dqn_exp.agent.dqn import Agent, AgentHyperparameters
from dqn_exp.core.random_streams import RandomStream, Stream
from dqn_exp.core.schedule import Schedule

EVERYONE = np.arange(3)


def make_agent(epsilon=(0.3, 0.3, 0.3), period=(1, 3, 4), tau=(1.0, 1.0, 0.25)) -> Agent:
    levels = np.array(epsilon)
    constant = Schedule(levels, levels, np.ones(3, dtype=np.int64), np.zeros(3, dtype=np.bool_))
    return Agent(
        torch.randn(3, 5, generator=torch.Generator().manual_seed(0)),
        4,
        RandomStream([0, 1, 2], Stream.EXPLORATION, 2),
        AgentHyperparameters(
            epsilon=constant,
            gamma=np.array([0.9, 0.5, 1.0]),
            bootstrap_truncated=np.array([True, False, True]),
            learning_starts=np.array([0, 2, 5]),
            train_every=np.array([1, 2, 3]),
            target_update_period=np.array(period),
            target_update_tau=np.array(tau),
        ),
    )


def test_actions_are_random_as_often_as_epsilon_says_and_then_uniform():
    agent, count = make_agent(epsilon=(0.0, 0.2, 1.0)), 20_000
    greedy = np.array([3, 3, 3])
    actions = np.array([agent.explore(greedy, EVERYONE, np.full(3, step)) for step in range(count)])
    assert (actions[:, 0] == 3).all()
    for run, epsilon in ((1, 0.2), (2, 1.0)):
        shares = np.bincount(actions[:, run], minlength=4) / count
        expected = np.full(4, epsilon / 4) + np.array([0, 0, 0, 1 - epsilon])
        assert np.abs(shares - expected).max() < 4 * np.sqrt(0.25 / count)


@pytest.mark.parametrize("terminated", [True, False])
@pytest.mark.parametrize("truncated", [True, False])
def test_only_a_future_is_discounted(terminated, truncated):
    found = make_agent().discounts(np.full(3, terminated), np.full(3, truncated))
    for run, (gamma, bootstraps) in enumerate(((0.9, True), (0.5, False), (1.0, True))):
        has_future = not terminated and (bootstraps or not truncated)
        assert found[run] == (gamma if has_future else 0.0)


def test_runs_learn_when_their_periods_pass_and_their_buffers_are_full_enough():
    agent = make_agent()
    for step in range(1, 20):
        for size in range(8):
            sizes = np.full(3, size)
            found = agent.is_learning(np.full(3, step - 1), np.full(3, step), sizes)
            expected = [
                step % every == 0 and size > start for every, start in ((1, 0), (2, 2), (3, 5))
            ]
            assert found.tolist() == expected


def test_targets_move_after_their_periods_of_updates_by_their_step_sizes():
    agent = make_agent()
    expected, updates = agent.target.clone(), [0, 0, 0]
    generator = np.random.default_rng(0)
    for _ in range(30):
        agent.online += 0.1
        learning = generator.random(3) < 0.6
        agent.count_update(learning)
        for run, (period, tau) in enumerate(((1, 1.0), (3, 1.0), (4, 0.25))):
            updates[run] += int(learning[run])
            if learning[run] and updates[run] % period == 0:
                expected[run] += tau * (agent.online[run] - expected[run])
        torch.testing.assert_close(agent.target, expected)
    assert agent.updates.tolist() == updates


def test_the_distance_of_the_target_is_relative_to_the_online_parameters():
    agent = make_agent()
    agent.target[1] = 0
    agent.target[2] = 1.5 * agent.online[2]
    np.testing.assert_allclose(agent.target_distance(EVERYONE), [0, 1, 0.5], rtol=1e-6)
    agent.online[1, 2] = float("nan")
    assert [agent.is_finite(run) for run in range(3)] == [True, False, True]
