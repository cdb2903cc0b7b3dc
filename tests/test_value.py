import pytest
import torch

from dqn_exp.value import HuberLoss, SquaredLoss

ERRORS = torch.tensor([[-3.0, -1.0, -0.2, 0.0], [0.5, 1.0, 2.0, 40.0]])


def naive_huber(error: float, delta: float) -> float:
    return error**2 / 2 if abs(error) <= delta else delta * (abs(error) - delta / 2)


def test_the_squared_loss_is_that_of_torch():
    expected = torch.nn.functional.mse_loss(ERRORS, torch.zeros(2, 4), reduction="none")
    assert torch.equal(SquaredLoss().losses(ERRORS), expected)


def test_each_run_has_the_huber_loss_of_its_own_delta():
    deltas = [1.0, 2.5]
    losses = HuberLoss(torch.tensor(deltas)).losses(ERRORS)
    for row, delta in enumerate(deltas):
        expected = [naive_huber(error, delta) for error in ERRORS[row].tolist()]
        assert losses[row].tolist() == pytest.approx(expected)
        torch.testing.assert_close(
            losses[row],
            torch.nn.functional.huber_loss(
                ERRORS[row], torch.zeros(4), reduction="none", delta=delta
            ),
        )


def test_the_slope_of_the_huber_loss_is_the_error_within_delta():
    errors = ERRORS.clone().requires_grad_()
    deltas = torch.tensor([1.0, 2.0])
    (slopes,) = torch.autograd.grad(HuberLoss(deltas).losses(errors).sum(), errors)
    torch.testing.assert_close(
        slopes, torch.maximum(torch.minimum(ERRORS, deltas[:, None]), -deltas[:, None])
    )


def test_a_retired_run_takes_its_delta_along():
    loss = HuberLoss(torch.tensor([1.0, 2.0, 3.0]))
    loss.retire(0)
    expected = [naive_huber(10.0, 3.0), naive_huber(10.0, 2.0)]
    assert loss.losses(torch.full((2, 1), 10.0))[:, 0].tolist() == expected
