import numpy as np
import pytest
import torch

from dqn_exp.agent.optimizer import FLUSH_BELOW, Adam, RMSProp
from dqn_exp.training import build_engine
from tests.conftest import make_config

RATES = [1e-3, 1e-2, 0.1]
EPSILONS = [1e-8, 1e-2, 1e-5]
DECAYS = [0.0, 0.1, 0.01]


def make_adam(count: int) -> Adam:
    settings = np.array(EPSILONS[:count]), np.array(DECAYS[:count])
    return Adam(*settings, 5, torch.device("cpu"))


def make_gradients(count: int, updates: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    scales = 10.0 ** torch.randint(-3, 3, (updates, count, 1), generator=generator)
    return torch.randn(updates, count, 5, generator=generator) * scales


def naive_adam(start: torch.Tensor, gradients: list[torch.Tensor], run: int) -> torch.Tensor:
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW(
        [parameter], lr=RATES[run], eps=EPSILONS[run], weight_decay=DECAYS[run]
    )
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


def test_updates_are_those_of_torch_with_each_runs_own_learning_rate():
    start = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    parameters, gradients = start.clone(), make_gradients(3, 500)
    adam = make_adam(3)
    for gradient in gradients:
        adam.step(parameters, gradient, np.array(RATES), np.ones(3, dtype=np.bool_))
    for run in range(3):
        expected = naive_adam(start[run], list(gradients[:, run]), run)
        torch.testing.assert_close(parameters[run], expected, atol=1e-6, rtol=1e-5)


def test_runs_that_do_not_learn_stay_as_they_are_and_count_no_update():
    parameters, gradients = torch.zeros(3, 5), make_gradients(3, 300)
    rates = np.array(RATES)
    learns = np.random.default_rng(0).random((300, 3)) < 0.4
    adam = make_adam(3)
    for gradient, learning in zip(gradients, learns, strict=True):
        before = parameters.clone()
        state = [adam.state_dict(run) for run in range(3)]
        adam.step(parameters, gradient, rates, learning)
        for run in np.flatnonzero(~learning):
            assert torch.equal(parameters[run], before[run])
            after = adam.state_dict(run)
            assert all(np.array_equal(state[run][name], after[name]) for name in after)
    for run in range(3):
        own = [gradients[k, run] for k in np.flatnonzero(learns[:, run])]
        expected = naive_adam(torch.zeros(5), own, run)
        torch.testing.assert_close(parameters[run], expected, atol=1e-6, rtol=1e-5)


def test_moments_do_not_become_denormal():
    adam = make_adam(1)
    parameters, learning = torch.zeros(1, 5), np.ones(1, dtype=np.bool_)
    adam.step(parameters, torch.ones(1, 5), np.array([1e-3]), learning)
    for _ in range(1_000):
        adam.step(parameters, torch.zeros(1, 5), np.array([1e-3]), learning)
    assert adam.exp_avg.abs().max() == 0
    assert adam.exp_avg_sq.min() > 0 and torch.finfo(torch.float32).tiny < FLUSH_BELOW


def test_a_restored_run_goes_on_as_it_would_have():
    gradients, learning = make_gradients(1, 20), np.ones(1, dtype=np.bool_)
    rates = np.array([0.01])
    parameters, adam = torch.zeros(1, 5), make_adam(1)
    for gradient in gradients[:10]:
        adam.step(parameters, gradient, rates, learning)
    other, copy = make_adam(1), parameters.clone()
    other.load_state_dict(0, adam.state_dict(0))
    for gradient in gradients[10:]:
        adam.step(parameters, gradient, rates, learning)
        other.step(copy, gradient, rates, learning)
    assert torch.equal(parameters, copy)


def naive_rmsprop(
    start: torch.Tensor, gradients: list[torch.Tensor], rate: float, decay: float, epsilon: float
) -> torch.Tensor:
    """The update of 2015, number by number: mean and mean square of the gradient."""
    parameter = start.double().clone()
    mean, square = torch.zeros(5, dtype=torch.double), torch.zeros(5, dtype=torch.double)
    for gradient in gradients:
        mean = decay * mean + (1 - decay) * gradient.double()
        square = decay * square + (1 - decay) * gradient.double() ** 2
        parameter -= rate * gradient.double() / (square - mean**2 + epsilon).sqrt()
    return parameter.float()


def test_rmsprop_is_that_of_2015_for_each_run():
    decays, epsilons = [0.95, 0.99, 0.5], [0.01, 1e-3, 0.1]
    rmsprop = RMSProp(np.array(decays), np.array(epsilons), 5, torch.device("cpu"))
    start = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    parameters, gradients = start.clone(), make_gradients(3, 200)
    learns = np.random.default_rng(0).random((200, 3)) < 0.6
    for gradient, learning in zip(gradients, learns, strict=True):
        before = parameters.clone()
        rmsprop.step(parameters, gradient, np.array(RATES), learning)
        assert torch.equal(parameters[~learning], before[~learning])
    for run in range(3):
        own = [gradients[k, run] for k in np.flatnonzero(learns[:, run])]
        expected = naive_rmsprop(start[run], own, RATES[run], decays[run], epsilons[run])
        torch.testing.assert_close(parameters[run], expected, atol=1e-4, rtol=1e-4)


def test_rmsprop_of_mean_gradients_is_that_of_summed_ones_with_its_epsilon_divided():
    batch_size, device = 64, torch.device("cpu")
    of_sums = RMSProp(np.array([0.95]), np.array([0.01]), 5, device)
    of_means = RMSProp(np.array([0.95]), np.array([0.01 / batch_size**2]), 5, device)
    generator = torch.Generator().manual_seed(0)
    summed, averaged = torch.zeros(1, 5), torch.zeros(1, 5)
    for _ in range(30):
        gradient = torch.randn(1, 5, generator=generator) * 1e-3
        of_sums.step(summed, batch_size * gradient, np.array([1e-3]), np.array([True]))
        of_means.step(averaged, gradient, np.array([1e-3]), np.array([True]))
    torch.testing.assert_close(averaged, summed, rtol=1e-4, atol=1e-7)
    assert averaged.abs().min() > 1e-4


@pytest.mark.parametrize("batch_size", [64, 8])
def test_the_constant_of_2015_is_divided_by_the_square_of_the_batch_size(batch_size):
    config = make_config("agent/optimizer=rmsprop", agent__batch_size=batch_size)
    rmsprop = build_engine._make_optimizer([config], 5)
    assert rmsprop._epsilon.tolist() == [[pytest.approx(0.01 / batch_size**2)]]


def test_rmsprop_stays_finite_where_the_gradient_is_constant():
    rmsprop = RMSProp(np.array([0.5]), np.array([1e-12]), 5, torch.device("cpu"))
    parameters, learning = torch.zeros(1, 5), np.ones(1, dtype=np.bool_)
    for _ in range(200):
        rmsprop.step(parameters, torch.full((1, 5), 1.1), np.array([1e-3]), learning)
    assert torch.isfinite(parameters).all()
