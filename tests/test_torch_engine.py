"""The update against a plain DQN for one run, written with torch's own parts."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from dqn_exp.agent import td_errors, td_targets
from dqn_exp.torch_engine import TorchEngine
from dqn_exp.transition import Transition
from tests.conftest import make_config
from tests.test_network import make_torch_network
from tests.test_population import assert_equal_states, make_bare_trainer

B = 16

SETTINGS = [
    {},
    {"agent__loss": "huber", "agent__huber_delta": 0.3},
    {"agent__max_grad_norm": 0.05},
    {"agent__target_update_period": None, "agent__target_update_tau": 0.02},
    {"agent__target_update_period": 7, "agent__learning_rate": 1e-2},
    {"network__hidden_sizes": [24, 12], "network__activation": "tanh"},
]


class PlainDqn:
    """DQN for one run as a textbook has it."""

    def __init__(self, engine: TorchEngine, run: int, settings: dict) -> None:
        activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
        name = settings.get("network__activation", "relu")
        self.online = make_torch_network(
            engine._network, engine.agent.online[run], activation[name]
        )
        self.target = copy.deepcopy(self.online)
        rate = settings.get("agent__learning_rate", 2e-3)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=rate)
        self.settings = settings
        self.num_updates = 0

    def learn(self, batch: Transition) -> None:
        with torch.no_grad():
            best = self.target(batch.next_observation).max(1).values
        y = batch.reward + batch.discount * best
        q = self.online(batch.observation)[torch.arange(B), batch.action.long()]
        if self.settings.get("agent__loss") == "huber":
            loss = functional.huber_loss(q, y, delta=self.settings["agent__huber_delta"])
        else:
            loss = functional.mse_loss(q, y)
        self.optimizer.zero_grad()
        loss.backward()
        if "agent__max_grad_norm" in self.settings:
            limit = self.settings["agent__max_grad_norm"]
            torch.nn.utils.clip_grad_norm_(self.online.parameters(), limit)
        self.optimizer.step()
        self.num_updates += 1
        self.update_target()

    def update_target(self) -> None:
        tau = self.settings.get("agent__target_update_tau")
        period = self.settings.get("agent__target_update_period", 10)
        pairs = zip(self.target.parameters(), self.online.parameters(), strict=True)
        for target, online in pairs:
            if tau is not None:
                target.data = (1 - tau) * target.data + tau * online.data
            elif self.num_updates % period == 0:
                target.data = online.data.clone()

    def flat(self, network: torch.nn.Module) -> torch.Tensor:
        return torch.cat(
            [(p.detach().T if p.dim() == 2 else p.detach()).flatten() for p in network.parameters()]
        )


def make_batch(num_runs: int, generator: torch.Generator) -> Transition:
    shape = (num_runs, B)
    return Transition(
        observation=torch.randn(*shape, 4, generator=generator),
        action=torch.randint(0, 2, shape, generator=generator).float(),
        reward=torch.randn(shape, generator=generator),
        discount=0.98 * (torch.rand(shape, generator=generator) < 0.9),
        next_observation=torch.randn(*shape, 4, generator=generator),
    )


def make_engine(tmp_path, count: int, **settings) -> TorchEngine:
    settings = {"network__hidden_sizes": [32], "agent__batch_size": B, **settings}
    configs = [make_config(seed=seed, **settings) for seed in range(count)]
    return make_bare_trainer(configs, tmp_path)._engine


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_fifty_updates_are_those_of_a_plain_dqn_for_each_run(tmp_path, settings):
    engine = make_engine(tmp_path, 3, **settings)
    plain = [PlainDqn(engine, run, settings) for run in range(3)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        batch = make_batch(3, generator)
        engine.learn_from(batch, np.ones(3, dtype=np.bool_))
        for run in range(3):
            plain[run].learn(Transition(*(field[run] for field in batch)))
    for run in range(3):
        for found, network in (
            (engine.agent.online[run], plain[run].online),
            (engine.agent.target[run], plain[run].target),
        ):
            torch.testing.assert_close(found, plain[run].flat(network), atol=1e-6, rtol=0)
    assert engine.agent.updates.tolist() == [50, 50, 50]


@pytest.mark.parametrize("period", [1, 2, 3, 10, 17])
def test_the_target_is_the_online_network_after_each_period_and_only_then(tmp_path, period):
    engine = make_engine(tmp_path, 2, agent__target_update_period=period)
    generator, learning = torch.Generator().manual_seed(0), np.array([True, True])
    for update in range(1, 40):
        before = engine.agent.target.clone()
        learning[1] = update % 3 > 0
        engine.learn_from(make_batch(2, generator), learning)
        for run in range(2):
            due = learning[run] and engine.agent.updates[run] % period == 0
            expected = engine.agent.online[run] if due else before[run]
            assert torch.equal(engine.agent.target[run], expected)


def test_a_loss_that_is_not_finite_is_told_and_stays_with_its_run(tmp_path):
    engine, twin = make_engine(tmp_path / "a", 3), make_engine(tmp_path / "b", 3)
    generator, learning = torch.Generator().manual_seed(0), np.ones(3, dtype=np.bool_)
    batch = make_batch(3, generator)
    poisoned = batch._replace(reward=batch.reward.clone())
    poisoned.reward[1, 0] = float("inf")
    assert twin.learn_from(batch, learning).all()
    assert engine.learn_from(poisoned, learning).tolist() == [True, False, True]
    for run in (0, 2):
        assert torch.equal(engine.agent.online[run], twin.agent.online[run])
    assert not engine.agent.is_finite(1) and engine.agent.is_finite(0)


def test_a_run_that_does_not_learn_is_untouched_by_its_batch(tmp_path):
    engine = make_engine(tmp_path, 2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        engine.learn_from(make_batch(2, generator), np.array([True, True]))
    before, batch = engine.state_dict(1), make_batch(2, generator)
    # A gradient whose square is not finite, and one that is not finite itself.
    for reward in (1e25, float("inf")):
        batch.reward[1] = reward
        engine.learn_from(batch, np.array([True, False]))
        assert_equal_states(before, engine.state_dict(1))


def test_targets_and_errors_are_those_of_the_equation_by_hand():
    values = torch.tensor([[[1.0, 5.0], [2.0, -1.0]]])
    targets = td_targets(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.9, 0.0]]), values)
    assert targets.tolist() == [[pytest.approx(5.5), 2.0]]
    errors = td_errors(values, torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 3.0]]))
    assert errors.tolist() == [[0.5, -4.0]]


def test_diagnostics_are_those_of_the_newest_batch_that_a_run_has_learned_from(tmp_path):
    engine = make_engine(tmp_path, 2)
    assert all(np.isnan(figure).all() for figure in engine.diagnostics())
    generator = torch.Generator().manual_seed(0)
    first, second = make_batch(2, generator), make_batch(2, generator)
    plain = PlainDqn(engine, 1, {})
    engine.learn_from(first, np.array([True, True]))
    own = Transition(*(field[1] for field in first))
    engine.learn_from(second, np.array([True, False]))
    found = engine.diagnostics()
    with torch.no_grad():
        q = plain.online(own.observation)[torch.arange(B), own.action.long()]
        y = own.reward + own.discount * plain.target(own.next_observation).max(1).values
    plain.learn(own)
    norm = torch.nn.utils.get_total_norm([p.grad for p in plain.online.parameters()])
    assert found.loss[1] == pytest.approx(functional.mse_loss(q, y).item(), rel=1e-5)
    assert found.td_error_abs[1] == pytest.approx((q - y).abs().mean().item(), rel=1e-5)
    assert found.q_mean[1] == pytest.approx(q.mean().item(), rel=1e-4)
    assert found.grad_norm[1] == pytest.approx(norm.item(), rel=1e-5)


def test_the_first_of_equal_values_is_the_greedy_action(tmp_path):
    engine = make_engine(tmp_path, 2, agent__epsilon=0.0)
    engine.agent.online.zero_()
    actions = engine.act(np.ones((2, 4), dtype=np.float32), np.zeros(2, dtype=np.int64))
    assert actions.tolist() == [0, 0]


def test_random_actions_come_with_probability_epsilon_and_are_uniform(tmp_path):
    engine = make_engine(tmp_path, 2, agent__epsilon=0.3)
    engine.agent.online.zero_()
    observations, count = np.ones((2, 4), dtype=np.float32), 4_000
    ones = np.zeros(2)
    for step in range(count):
        ones += engine.act(observations, np.full(2, step))
    # The greedy action is 0, so a 1 is a random one; five standard deviations.
    share = 0.3 / 2
    assert np.abs(ones / count - share).max() < 5 * (share * (1 - share) / count) ** 0.5


def test_threads_are_at_most_one_a_run(tmp_path):
    engine = make_engine(tmp_path, 3, num_threads=2)
    assert torch.get_num_threads() == 2
    with engine.policy(np.array([1])):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    engine.retire(0)
    engine.retire(0)
    assert torch.get_num_threads() == 1
