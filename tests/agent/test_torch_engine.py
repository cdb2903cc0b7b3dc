"""The update against a plain DQN for one run, written with torch's own parts."""

import copy
import os
import sys
import time

import numpy as np
import pytest
import torch
from torch.nn import functional

from dqn_exp.agent.torch_engine import TorchEngine
from dqn_exp.core.transition import Transition
from tests.conftest import make_config
from tests.network.test_mlp import make_torch_network
from tests.training.test_population import assert_equal_states, make_bare_trainer

B = 16

SETTINGS = [
    {},
    {"agent__loss": "huber", "agent__huber_delta": 0.3},
    {"agent__max_grad_norm": 0.05},
    {"agent__target_update_period": None, "agent__target_update_tau": 0.02},
    {"agent__target_update_period": 7, "agent__learning_rate": 1e-2},
    {"network__hidden_sizes": [24, 12], "network__activation": "tanh"},
    {"agent__target": {"kind": "double"}},
    {"agent__target": {"kind": "double"}, "agent__loss": "huber", "agent__huber_delta": 0.3},
    {"agent__n_step": 3, "agent__gamma": 0.9},
    {"agent__n_step": 3, "agent__gamma": 0.9, "agent__reward_clip": 0.7},
    {"agent__reward_clip": 0.5},
    {
        "agent__target": {
            **{"kind": "munchausen", "scale": 0.7},
            **{"temperature": 0.2, "clip": -0.05},
        }
    },
]


class PlainDqn:
    """DQN for one run as a textbook has it."""

    def __init__(self, engine: TorchEngine, run: int, settings: dict) -> None:
        activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
        name = settings.get("network__activation", "relu")
        self.online = make_torch_network(engine.network, engine.agent.online[run], activation[name])
        self.target = copy.deepcopy(self.online)
        self.rate = settings.get("agent__learning_rate", 2e-3)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=self.rate)
        self.settings = settings
        self.num_updates = 0

    def reward(self, batch: Transition) -> torch.Tensor:
        clip = self.settings.get("agent__reward_clip", float("inf"))
        gamma = self.settings.get("agent__gamma", 0.98)
        reward = torch.zeros(B)
        for k in range(batch.rewards.shape[1]):
            reward += gamma**k * batch.rewards[:, k].clamp(-clip, clip)
        return reward

    def targets(self, batch: Transition) -> torch.Tensor:
        after = self.target(batch.next_observation)
        kind = self.settings.get("agent__target", {"kind": "greedy"})["kind"]
        if kind == "munchausen":
            return self.munchausen_targets(batch, after)
        if kind == "double":
            best = self.online(batch.next_observation).argmax(1)
            return self.reward(batch) + batch.discount * after[torch.arange(B), best]
        return self.reward(batch) + batch.discount * after.max(1).values

    def munchausen_targets(self, batch: Transition, after: torch.Tensor) -> torch.Tensor:
        scale, tau, clip = (
            self.settings["agent__target"][name] for name in ("scale", "temperature", "clip")
        )
        policy = (self.target(batch.observation) / tau).softmax(1)
        own = policy[torch.arange(B), batch.action.long()]
        next_policy = (after / tau).softmax(1)
        soft = (next_policy * (after - tau * next_policy.log())).sum(1)
        bonus = scale * (tau * own.log()).clamp(clip, 0)
        return self.reward(batch) + bonus + batch.discount * soft

    def learn(self, batch: Transition, weights: torch.Tensor) -> None:
        with torch.no_grad():
            y = self.targets(batch)
        q = self.online(batch.observation)[torch.arange(B), batch.action.long()]
        if self.settings.get("agent__loss") == "huber":
            delta = self.settings["agent__huber_delta"]
            losses = functional.huber_loss(q, y, delta=delta, reduction="none")
        else:
            losses = functional.mse_loss(q, y, reduction="none")
        self.optimizer.zero_grad()
        (losses * weights).mean().backward()
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


def make_batch(num_runs: int, generator: torch.Generator, n_step: int = 1) -> Transition:
    shape = (num_runs, B)
    return Transition(
        observation=torch.randn(*shape, 4, generator=generator),
        action=torch.randint(0, 2, shape, generator=generator).float(),
        rewards=torch.randn(*shape, n_step, generator=generator),
        discount=0.98 * (torch.rand(shape, generator=generator) < 0.9),
        next_observation=torch.randn(*shape, 4, generator=generator),
    )


def make_engine(tmp_path, count: int, *options: str, **settings) -> TorchEngine:
    settings = {
        "network__hidden_sizes": [32],
        "agent__batch_size": B,
        "engine": "torch",
        **settings,
    }
    configs = [make_config(*options, seed=seed, **settings) for seed in range(count)]
    return make_bare_trainer(configs, tmp_path)._engine


def learn_from(engine: TorchEngine, batch: Transition, *learning: bool) -> np.ndarray:
    """One update with even weights and the configured learning rates."""
    rates = engine.learning_rate.value(np.zeros(len(learning), dtype=np.int64))
    return engine.learn_from(batch, torch.ones(1, 1), rates, np.array(learning))[0]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_fifty_updates_are_those_of_a_plain_dqn_for_each_run(tmp_path, settings):
    engine = make_engine(tmp_path, 3, **settings)
    plain = [PlainDqn(engine, run, settings) for run in range(3)]
    generator, rates = torch.Generator().manual_seed(0), np.full(3, plain[0].rate)
    for _ in range(50):
        batch = make_batch(3, generator, settings.get("agent__n_step", 1))
        weights = torch.rand(3, B, generator=generator)
        engine.learn_from(batch, weights, rates, np.ones(3, dtype=np.bool_))
        for run in range(3):
            plain[run].learn(Transition(*(field[run] for field in batch)), weights[run])
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
        learn_from(engine, make_batch(2, generator), *learning)
        for run in range(2):
            due = learning[run] and engine.agent.updates[run] % period == 0
            expected = engine.agent.online[run] if due else before[run]
            assert torch.equal(engine.agent.target[run], expected)


def test_a_loss_that_is_not_finite_is_told_and_stays_with_its_run(tmp_path):
    engine, twin = make_engine(tmp_path / "a", 3), make_engine(tmp_path / "b", 3)
    batch = make_batch(3, torch.Generator().manual_seed(0))
    poisoned = batch._replace(rewards=batch.rewards.clone())
    poisoned.rewards[1, 0] = float("inf")
    assert learn_from(twin, batch, True, True, True).all()
    assert learn_from(engine, poisoned, True, True, True).tolist() == [True, False, True]
    for run in (0, 2):
        assert torch.equal(engine.agent.online[run], twin.agent.online[run])
    assert not engine.agent.is_finite(1) and engine.agent.is_finite(0)


def test_a_run_that_does_not_learn_is_untouched_by_its_batch(tmp_path):
    engine = make_engine(tmp_path, 2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        learn_from(engine, make_batch(2, generator), True, True)
    before, batch = engine.state_dict(1), make_batch(2, generator)
    # A gradient whose square is not finite, and one that is not finite itself.
    for reward in (1e25, float("inf")):
        batch.rewards[1] = reward
        learn_from(engine, batch, True, False)
        assert_equal_states(before, engine.state_dict(1))


def test_diagnostics_are_those_of_the_newest_batch_that_a_run_has_learned_from(tmp_path):
    engine = make_engine(tmp_path, 2)
    assert all(np.isnan(figure).all() for figure in engine.diagnostics(slice(None)))
    generator = torch.Generator().manual_seed(0)
    first, second = make_batch(2, generator), make_batch(2, generator)
    plain = PlainDqn(engine, 1, {})
    learn_from(engine, first, True, True)
    own = Transition(*(field[1] for field in first))
    learn_from(engine, second, True, False)
    found = engine.diagnostics(slice(None))
    with torch.no_grad():
        q = plain.online(own.observation)[torch.arange(B), own.action.long()]
        y = plain.targets(own)
    plain.learn(own, torch.ones(B))
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


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or "OMP_WAIT_POLICY" in os.environ,
    reason="for the OpenMP of GCC, where no other policy is chosen",
)
def test_threads_that_wait_leave_the_cores_to_others():
    torch.set_num_threads(2)
    numbers = torch.ones(200_000)
    numbers.add(1)  # The threads start.
    begin, before, own_before = time.perf_counter(), time.process_time(), time.thread_time()
    for _ in range(50):
        numbers.add(1)
        time.sleep(0.01)
    others = time.process_time() - before - (time.thread_time() - own_before)
    # Threads that spin take 0.14 of the time, and those that sleep 0.006.
    assert others < 0.05 * (time.perf_counter() - begin)
