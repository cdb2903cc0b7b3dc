import numpy as np
import torch

from dqn_exp.optimizer import FLUSH_BELOW, Adam

RATES = [1e-3, 1e-2, 0.1]


def make_gradients(count: int, updates: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    scales = 10.0 ** torch.randint(-3, 3, (updates, count, 1), generator=generator)
    return torch.randn(updates, count, 5, generator=generator) * scales


def naive_adam(start: torch.Tensor, gradients: list[torch.Tensor], rate: float) -> torch.Tensor:
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.Adam([parameter], lr=rate)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


def test_updates_are_those_of_torch_with_each_runs_own_learning_rate():
    start = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    parameters, gradients = start.clone(), make_gradients(3, 500)
    adam = Adam(np.array(RATES), 5, torch.device("cpu"))
    for gradient in gradients:
        adam.step(parameters, gradient, np.ones(3, dtype=np.bool_))
    for run, rate in enumerate(RATES):
        expected = naive_adam(start[run], list(gradients[:, run]), rate)
        torch.testing.assert_close(parameters[run], expected, atol=1e-6, rtol=1e-5)


def test_runs_that_do_not_learn_stay_as_they_are_and_count_no_update():
    parameters, gradients = torch.zeros(3, 5), make_gradients(3, 300)
    learns = np.random.default_rng(0).random((300, 3)) < 0.4
    adam = Adam(np.array(RATES), 5, torch.device("cpu"))
    for gradient, learning in zip(gradients, learns, strict=True):
        before = parameters.clone()
        state = [adam.state_dict(run) for run in range(3)]
        adam.step(parameters, gradient, learning)
        for run in np.flatnonzero(~learning):
            assert torch.equal(parameters[run], before[run])
            after = adam.state_dict(run)
            assert all(np.array_equal(state[run][name], after[name]) for name in after)
    for run, rate in enumerate(RATES):
        own = [gradients[k, run] for k in np.flatnonzero(learns[:, run])]
        expected = naive_adam(torch.zeros(5), own, rate)
        torch.testing.assert_close(parameters[run], expected, atol=1e-6, rtol=1e-5)


def test_moments_do_not_become_denormal():
    adam = Adam(np.array([1e-3]), 5, torch.device("cpu"))
    parameters, learning = torch.zeros(1, 5), np.ones(1, dtype=np.bool_)
    adam.step(parameters, torch.ones(1, 5), learning)
    for _ in range(1_000):
        adam.step(parameters, torch.zeros(1, 5), learning)
    assert adam.first_moment.abs().max() == 0
    assert adam.second_moment.min() > 0 and torch.finfo(torch.float32).tiny < FLUSH_BELOW


def test_a_restored_run_goes_on_as_it_would_have():
    gradients, learning = make_gradients(1, 20), np.ones(1, dtype=np.bool_)
    parameters, adam = torch.zeros(1, 5), Adam(np.array([0.01]), 5, torch.device("cpu"))
    for gradient in gradients[:10]:
        adam.step(parameters, gradient, learning)
    other, copy = Adam(np.array([0.01]), 5, torch.device("cpu")), parameters.clone()
    other.load_state_dict(0, adam.state_dict(0))
    for gradient in gradients[10:]:
        adam.step(parameters, gradient, learning)
        other.step(copy, gradient, learning)
    assert torch.equal(parameters, copy)
