import pytest
import torch

from dqn_exp.agent.losses import HuberLoss, QuantileHuber, SquaredLoss


def naive_huber(error: float, delta: float) -> float:
    return 0.5 * error**2 if abs(error) <= delta else delta * (abs(error) - 0.5 * delta)


def naive_quantile_huber(outputs, atoms, levels, delta) -> float:
    """Equation 10 of Distributional Reinforcement Learning with Quantile Regression."""
    total = 0.0
    for output, level in zip(outputs, levels, strict=True):
        for atom in atoms:
            error = float(atom - output.detach())
            weight = abs(float(level) - (error < 0))
            total += weight * naive_huber(error, delta) / delta / len(atoms)
    return total


def test_losses_of_errors_are_those_of_their_definitions():
    errors = torch.tensor([[-3.0, -0.5, 0.0, 0.2], [1.0, -2.0, 0.1, 5.0]])
    assert torch.equal(SquaredLoss().losses(errors), errors * errors)
    deltas = [1.0, 0.3]
    found = HuberLoss(torch.tensor(deltas)).losses(errors)
    expected = [[naive_huber(float(e), d) for e in row] for row, d in zip(errors, deltas)]  # noqa: B905
    torch.testing.assert_close(found, torch.tensor(expected))


def test_a_retired_run_takes_its_delta_along():
    loss = HuberLoss(torch.tensor([1.0, 0.3, 2.0]))
    loss.retire(1)
    errors = torch.full((2, 1), 9.0)
    assert loss.losses(errors)[:, 0].tolist() == [naive_huber(9, 1), naive_huber(9, 2)]


@pytest.mark.parametrize("deltas", [[1.0, 1.0], [0.2, 3.0]])
def test_the_quantile_loss_and_its_gradient_are_those_of_the_definition(deltas):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 3, 5, generator=generator, dtype=torch.double, requires_grad=True)
    atoms = torch.randn(2, 3, 4, generator=generator, dtype=torch.double)
    levels = (torch.arange(5, dtype=torch.double) + 0.5) / 5
    delta = torch.tensor(deltas, dtype=torch.double)[:, None, None, None]
    losses = QuantileHuber.apply(outputs, atoms, levels, delta)
    for run in range(2):
        for i in range(3):
            expected = naive_quantile_huber(outputs[run, i], atoms[run, i], levels, deltas[run])
            assert float(losses[run, i].detach()) == pytest.approx(expected)
    torch.autograd.gradcheck(lambda x: QuantileHuber.apply(x, atoms, levels, delta), (outputs,))
