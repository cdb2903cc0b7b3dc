"""Configs as parts of an engine."""

import numpy as np
import pytest
import torch

from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.optimizer import RMSProp
from dqn_exp.agent.td_target import DoubleTarget, GreedyTarget, MunchausenTarget
from dqn_exp.agent.torch_engine import TorchEngine
from dqn_exp.agent.value import CategoricalValue, QuantileValue, ScalarValue
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.transition import make_layout
from dqn_exp.env.arguments import EnvShape
from dqn_exp.training.build_engine import make_engine, make_target_rule, make_value
from tests.conftest import MUNCHAUSEN, make_config

SHAPE = EnvShape(4, 2)


def make(*options: str, **overrides):
    configs = [make_config(*options, seed=seed, **overrides) for seed in range(2)]
    capacities = np.array([config.buffer.capacity for config in configs])
    layout = make_layout(SHAPE.num_features, configs[0].agent.n_step)
    return make_engine(configs, SHAPE, UniformBuffer(capacities, layout, torch.device("cpu")))


def test_the_engine_is_the_one_of_the_config():
    assert isinstance(make(engine="native"), NativeEngine)
    assert isinstance(make(engine="torch"), TorchEngine)


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("agent/value=scalar", ScalarValue),
        ("agent/value=categorical", CategoricalValue),
        ("agent/value=quantile", QuantileValue),
    ],
)
def test_values_are_those_of_the_option(option, kind):
    loss = {"agent/value=categorical": "cross_entropy", "agent/value=quantile": "quantile_huber"}
    config = make_config(option, agent__loss=loss.get(option, "mse"))
    assert type(make_value([config])) is kind


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ({"kind": "greedy"}, GreedyTarget),
        ({"kind": "double"}, DoubleTarget),
        (MUNCHAUSEN, MunchausenTarget),
    ],
)
def test_target_rules_are_those_of_the_option(target, kind):
    configs = [make_config(agent__target=target)]
    assert type(make_target_rule(configs, make_value(configs))) is kind


def test_a_learning_rate_that_decays_reaches_its_end():
    engine = make(
        agent__learning_rate=1e-2,
        agent__learning_rate_end=1e-3,
        agent__learning_rate_decay_steps=100,
    )
    for step, expected in ((0, 1e-2), (50, 5.5e-3), (100, 1e-3), (500, 1e-3)):
        found = engine.learning_rate.value(np.full(2, step))
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [8, 32])
def test_the_constant_of_rmsprop_is_that_of_gradients_summed_over_the_batch(batch_size):
    optimizer = make("agent/optimizer=rmsprop", agent__batch_size=batch_size).optimizer
    assert isinstance(optimizer, RMSProp)
    np.testing.assert_allclose(optimizer._epsilon.flatten(), 0.01 / batch_size**2, rtol=1e-6)


def test_soft_updates_follow_every_update_and_copies_their_period():
    soft = make(agent__target_update_period=None, agent__target_update_tau=0.1).agent
    hard = make(agent__target_update_period=7).agent
    assert soft.target_update_period.tolist() == [1, 1] and soft.target_update_tau[0] == 0.1
    assert hard.target_update_period.tolist() == [7, 7] and hard.target_update_tau[0] == 1.0


def test_runs_begin_with_parameters_of_their_own_seeds():
    online = make().agent.online
    assert not torch.equal(online[0], online[1])
    assert torch.equal(make(engine="torch").agent.online, online)


def test_compiled_code_refuses_parts_that_it_would_compute_as_others():
    class Mine(UniformBuffer):
        """Compiled code knows nothing of it."""

    config = make_config(engine="native")
    buffer = Mine(np.array([10]), make_layout(4, 1), torch.device("cpu"))
    with pytest.raises(ValueError, match="found Mine; name its key in reasons_against_native"):
        make_engine([config], SHAPE, buffer)
