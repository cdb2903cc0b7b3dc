"""Values and diagnostics that every engine gives from its state."""

import numpy as np
import pytest
import torch

from dqn_exp.agent.engine_state import _quantile
from tests.conftest import make_config
from tests.stepping import tick
from tests.training.test_population import make_bare_trainer

SMALL = {
    "agent__learning_starts": 10,
    "agent__batch_size": 8,
    "buffer__capacity": 50,
    "network__hidden_sizes": [6],
}


@pytest.fixture(params=["native", "torch"])
def engine(request, tmp_path):
    configs = [make_config(seed=seed, engine=request.param, **SMALL) for seed in range(3)]
    trainer = make_bare_trainer(configs, tmp_path)
    for _ in range(30):
        tick(trainer)
    return trainer._engine


def test_values_are_those_of_the_online_parameters(engine):
    observations = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    found = engine.q_values(np.array([2, 0]), observations)
    for row, run in enumerate((2, 0)):
        first, first_bias, second, second_bias = (
            view[0] for view in engine.network.layout.views(engine.agent.online[[run]])
        )
        hidden = np.maximum(observations[row] @ first.numpy() + first_bias.numpy(), 0)
        expected = hidden @ second.numpy() + second_bias.numpy()
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-5)


def test_diagnostics_are_those_of_the_newest_batch(engine):
    found = engine.diagnostics(np.array([1]))
    errors = np.asarray(torch.as_tensor(engine.td_errors))[1]
    assert errors.shape == (8,) and np.isfinite(errors).all()
    # The loss is the mean squared TD error.
    np.testing.assert_allclose(found.loss, [np.mean(errors**2)], rtol=1e-5)
    np.testing.assert_allclose(found.td_error_abs, [np.abs(errors).mean()], rtol=1e-5)
    np.testing.assert_allclose(found.td_error_p50, [np.quantile(errors, 0.5)], rtol=1e-5)


def test_the_state_of_a_run_comes_back_in_another_row(engine, tmp_path_factory):
    saved = engine.state_dict(2)
    assert set(saved) >= {"agent", "optimizer", "buffer", "losses", "td_errors"}
    before = engine.agent.online[2].clone()
    engine.load_state_dict(0, saved)
    assert torch.equal(engine.agent.online[0], before)
    engine.retire(0)
    assert torch.equal(engine.agent.online[0], before) and len(engine.agent.online) == 2


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_quantiles_are_those_of_numpy(size, share):
    numbers = np.random.default_rng(size).normal(size=(5, size)).astype(np.float32)
    numbers[3, 0] = np.nan
    found = _quantile(np.sort(numbers, 1), share)
    np.testing.assert_allclose(found, np.quantile(numbers, share, axis=1), rtol=1e-5, atol=1e-6)
