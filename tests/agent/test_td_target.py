"""The equation by hand."""

import numpy as np
import pytest
import torch

from dqn_exp.agent.losses import SquaredLoss
from dqn_exp.agent.td_target import (
    DoubleTarget,
    GreedyTarget,
    MunchausenTarget,
    RewardRule,
    of_actions,
    td_target,
)
from dqn_exp.agent.value import CategoricalValue, Distribution, QuantileValue, ScalarValue
from dqn_exp.core.transition import Transition

CPU = torch.device("cpu")


def make_batch(discount: list[float], action: list[float]) -> Transition:
    """One run; the observations tell only which of the two they are."""
    before, after = torch.zeros(1, 2, 1), torch.ones(1, 2, 1)
    rewards = torch.zeros(1, 2, 1)
    return Transition(before, torch.tensor([action]), rewards, torch.tensor([discount]), after)


def outputs_of(after: list, before: list | None = None):
    """A network that knows the outputs of both observations."""

    def forward(observations: torch.Tensor) -> torch.Tensor:
        return torch.tensor(after if observations.any() else before)

    return forward


def test_the_target_is_reward_plus_discount_times_bootstrap():
    bootstrap = Distribution(torch.tensor([[[5.0], [2.0]]]), torch.ones(1, 1, 1))
    target = td_target(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.9, 0.0]]), bootstrap)
    assert target.atoms[..., 0].tolist() == [[pytest.approx(5.5), 2.0]]


def test_outputs_are_those_of_the_actions():
    outputs = torch.arange(12.0).reshape(1, 2, 3, 2)
    assert of_actions(outputs, torch.tensor([[2.0, 0.0]])).tolist() == [[[4.0, 5.0], [6.0, 7.0]]]


def test_a_double_target_takes_the_choice_of_one_network_and_the_value_of_the_other():
    value = ScalarValue(SquaredLoss(), CPU)
    reward, batch = torch.tensor([[1.0, 2.0]]), make_batch([0.9, 0.5], [0.0, 1.0])
    target = outputs_of([[[[5.0], [1.0]], [[2.0], [8.0]]]])
    online = outputs_of([[[[0.0], [3.0]], [[7.0], [6.0]]]])
    double = DoubleTarget(value).target(batch, reward, target, online)
    plain = GreedyTarget(value).target(batch, reward, target, online)
    assert double.atoms[0, :, 0].tolist() == pytest.approx([1 + 0.9 * 1.0, 2 + 0.5 * 2.0])
    assert plain.atoms[0, :, 0].tolist() == pytest.approx([1 + 0.9 * 5.0, 2 + 0.5 * 8.0])


def test_distributions_move_whole_with_the_action_of_the_best_mean():
    reward, batch = torch.tensor([[1.0, 2.0]]), make_batch([0.5, 0.0], [0.0, 0.0])
    # The second action has the greater mean, the first the greatest quantile.
    target = outputs_of([[[[0.0, 9.0], [5.0, 6.0]]] * 2])
    quantile = QuantileValue(2, torch.ones(1))
    found = GreedyTarget(quantile).target(batch, reward, target, target)
    assert found.atoms.tolist() == [[[3.5, 4.0], [2.0, 2.0]]]
    categorical = CategoricalValue(2, torch.tensor([-1.0]), torch.tensor([3.0]))
    found = GreedyTarget(categorical).target(batch, reward, target, target)
    assert found.atoms.tolist() == [[[0.5, 2.5], [2.0, 2.0]]]
    # The logits 0 and 9 mean 3 almost surely.
    rare = 1 / (1 + np.e**9)
    assert found.probabilities[0, 0].tolist() == pytest.approx([rare, 1 - rare])


def test_munchausen_adds_the_clipped_log_probability_and_the_entropy():
    scale, tau, least = 0.9, 0.5, -0.4
    rule = MunchausenTarget(*(torch.tensor([x]) for x in (scale, tau, least)))
    reward, batch = torch.tensor([[1.0, 2.0]]), make_batch([0.9, 0.0], [0.0, 1.0])
    before, after = [[0.3, 0.2], [2.0, -1.0]], [[1.0, 1.5], [4.0, 4.0]]
    as_outputs = [[[[q] for q in row] for row in rows] for rows in (before, after)]
    network = outputs_of([as_outputs[1]], [as_outputs[0]])
    found = rule.target(batch, reward, network, network)
    for row, action in enumerate((0, 1)):
        policy = np.exp(np.array(before[row]) / tau)
        bonus = scale * min(max(tau * np.log(policy[action] / policy.sum()), least), 0)
        pi = np.exp(np.array(after[row]) / tau) / np.exp(np.array(after[row]) / tau).sum()
        soft = (pi * (np.array(after[row]) - tau * np.log(pi))).sum()
        expected = float(reward[0, row]) + bonus + float(batch.discount[0, row]) * soft
        assert found.atoms[0, row].item() == pytest.approx(expected, rel=1e-5)
    assert found.atoms[0, 1].item() == pytest.approx(2 + scale * least)


def test_rewards_are_clipped_one_by_one_and_then_discounted():
    gammas, limits, n = [0.9, 0.5, 1.0], [0.5, np.inf, 2.0], 4
    rule = RewardRule(np.array(gammas), torch.tensor(limits), n, CPU)
    rewards = 3 * torch.randn(3, 5, n, generator=torch.Generator().manual_seed(0))
    found = rule.reward(rewards)
    for run, (gamma, limit) in enumerate(zip(gammas, limits, strict=True)):
        for row in range(5):
            expected = sum(
                gamma**k * min(max(reward, -limit), limit)
                for k, reward in enumerate(rewards[run, row].tolist())
            )
            assert found[run, row].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_a_retired_run_takes_its_rules_along():
    rule = RewardRule(np.array([0.9, 0.5]), torch.tensor([1.0, 2.0]), 2, CPU)
    rule.retire(0)
    assert rule.reward(torch.tensor([[[3.0, 3.0]]])).tolist() == [[2 + 0.5 * 2]]
    munchausen = MunchausenTarget(*(torch.tensor(x) for x in ([0.1, 0.9], [1.0, 0.5], [-9, -1.0])))
    munchausen.retire(0)
    assert munchausen._scale.tolist() == [[pytest.approx(0.9)]]
