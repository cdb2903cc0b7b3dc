import numpy as np
import pytest
import torch

from dqn_exp.agent.losses import HuberLoss, SquaredLoss
from dqn_exp.agent.value import CategoricalValue, Distribution, QuantileValue, ScalarValue

ERRORS = torch.tensor([[-3.0, -1.0, -0.2, 0.0], [0.5, 1.0, 2.0, 40.0]])
N, B = 3, 6


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
    value = ScalarValue(HuberLoss(torch.tensor([1.0, 2.0, 3.0])), torch.device("cpu"))
    value.retire(0)
    outputs, zeros = torch.full((2, 1, 1), 10.0), torch.zeros(2, 1, 1)
    losses = value.compute_loss(outputs, Distribution(zeros, torch.ones(1, 1, 1))).losses
    assert losses[:, 0].tolist() == [naive_huber(10.0, 3.0), naive_huber(10.0, 2.0)]


def test_a_scalar_output_is_the_value_and_its_error_the_priority():
    value = ScalarValue(SquaredLoss(), torch.device("cpu"))
    outputs, atoms = (torch.randn(N, B, 1, generator=generator(seed)) for seed in (0, 1))
    judgment = value.compute_loss(outputs, Distribution(atoms, torch.ones(1, 1, 1)))
    errors = (outputs - atoms)[..., 0]
    assert torch.equal(judgment.predictions, outputs[..., 0])
    assert torch.equal(judgment.td_errors, errors)
    assert torch.equal(judgment.priorities, errors.abs())
    assert torch.equal(judgment.losses, errors**2)
    assert torch.equal(value.means(outputs[:, :, None])[..., 0], outputs[..., 0])


ENDS = [(-10.0, 10.0), (0.0, 100.0), (-1.0, 3.5)]
NUM_ATOMS = 11


def make_categorical() -> CategoricalValue:
    least, greatest = (torch.tensor(ends) for ends in zip(*ENDS, strict=True))
    return CategoricalValue(NUM_ATOMS, least, greatest)


def naive_projection(
    least: float, greatest: float, num_atoms: int, atoms: list[float], probabilities: list[float]
) -> list[float]:
    """Algorithm 1 of the paper, which as printed loses the mass that falls on an atom."""
    width = (greatest - least) / (num_atoms - 1)
    projected = [0.0] * num_atoms
    for atom, probability in zip(atoms, probabilities, strict=True):
        place = (min(max(atom, least), greatest) - least) / width
        lower, upper = int(np.floor(place)), int(np.ceil(place))
        if lower == upper:
            projected[lower] += probability
        else:
            projected[lower] += probability * (upper - place)
            projected[upper] += probability * (place - lower)
    return projected


def make_targets(run: int) -> torch.Tensor:
    """Atoms `[B, K]` inside, on the own atoms, on the edges, beyond them, and all in one place."""
    least, greatest = ENDS[run]
    support = torch.linspace(least, greatest, NUM_ATOMS, dtype=torch.float64)
    inside = least + (greatest - least) * torch.rand(NUM_ATOMS, generator=generator(run))
    terminal = torch.full((NUM_ATOMS,), 0.3 * least + 0.7 * greatest)
    rows = [support, inside, support + greatest, support - greatest, terminal, support * 0.9]
    return torch.stack([row.float() for row in rows])


def test_the_projection_is_that_of_the_paper():
    value = make_categorical()
    atoms = torch.stack([make_targets(run) for run in range(N)])
    probabilities = torch.rand(N, B, NUM_ATOMS, generator=generator()).softmax(-1)
    projected = value.project(Distribution(atoms, probabilities))
    for run in range(N):
        for row in range(B):
            expected = naive_projection(
                *ENDS[run], NUM_ATOMS, atoms[run, row].tolist(), probabilities[run, row].tolist()
            )
            assert projected[run, row].tolist() == pytest.approx(expected, abs=2e-5)
    torch.testing.assert_close(projected.sum(-1), torch.ones(N, B))


def test_mass_on_the_edges_and_of_a_terminal_state_is_kept():
    value = make_categorical()
    places = torch.tensor([[-10.0, 10.0, 99.0, -99.0, 0.0, 9.0]])
    atoms = places[:, :, None].expand(1, B, NUM_ATOMS).clone()
    value.retire(2)
    value.retire(1)
    probabilities = torch.full((1, B, NUM_ATOMS), 1 / NUM_ATOMS)
    projected = value.project(Distribution(atoms, probabilities))[0]
    wanted = torch.zeros(B, NUM_ATOMS)
    wanted[0, 0] = wanted[1, 10] = wanted[2, 10] = wanted[3, 0] = wanted[4, 5] = 1.0
    wanted[5, 9] = wanted[5, 10] = 0.5
    torch.testing.assert_close(projected, wanted)


def test_categorical_means_and_losses_are_those_of_the_definition():
    value, outputs = make_categorical(), torch.randn(N, B, NUM_ATOMS, generator=generator())
    atoms = torch.stack([make_targets(run) for run in range(N)])
    probabilities = torch.rand(N, B, NUM_ATOMS, generator=generator(1)).softmax(-1)
    judgment = value.compute_loss(outputs, Distribution(atoms, probabilities))
    means = value.means(outputs[:, :, None])[..., 0]
    for run in range(N):
        support = np.linspace(*ENDS[run], NUM_ATOMS)
        for row in range(B):
            predicted = outputs[run, row].double().softmax(0).numpy()
            wanted = np.array(
                naive_projection(
                    *ENDS[run],
                    NUM_ATOMS,
                    atoms[run, row].tolist(),
                    probabilities[run, row].tolist(),
                )
            )
            loss = -sum(m * np.log(p) for m, p in zip(wanted, predicted, strict=True))
            present = wanted > 0
            divergence = (wanted * np.log(np.where(present, wanted, 1) / predicted))[present].sum()
            mean = (support * predicted).sum()
            assert means[run, row].item() == pytest.approx(mean, rel=1e-4, abs=1e-4)
            assert judgment.predictions[run, row].item() == pytest.approx(mean, rel=1e-4, abs=1e-4)
            assert judgment.losses[run, row].item() == pytest.approx(loss, rel=1e-4)
            assert judgment.priorities[run, row].item() == pytest.approx(divergence, abs=1e-4)
            error = mean - (support * wanted).sum()
            assert judgment.td_errors[run, row].item() == pytest.approx(error, abs=1e-2)


def test_some_runs_have_their_own_support():
    value, outputs = make_categorical(), torch.randn(N, 2, 4, NUM_ATOMS, generator=generator())
    everything = value.means(outputs)
    some = value.means(outputs[[2, 0]], np.array([2, 0]))
    assert torch.equal(some, everything[[2, 0]])


DELTAS = [1.0, 0.3, 2.0]
NUM_QUANTILES = 5


def naive_quantile_huber(predicted: list[float], atoms: list[float], delta: float) -> float:
    """The double sum: over the quantiles, the mean over the atoms of the target."""
    total = 0.0
    for number, quantile in enumerate(predicted):
        level = (2 * number + 1) / (2 * len(predicted))
        for atom in atoms:
            error = atom - quantile
            total += abs(level - (error < 0)) * naive_huber(error, delta) / delta / len(atoms)
    return total


def test_the_quantile_loss_is_the_double_sum():
    value = QuantileValue(NUM_QUANTILES, torch.tensor(DELTAS))
    outputs, atoms = (
        scale * torch.randn(N, B, NUM_QUANTILES, generator=generator(seed))
        for seed, scale in ((0, 1.0), (1, 2.0))
    )
    judgment = value.compute_loss(outputs, Distribution(atoms, torch.ones(1, 1, 1)))
    for run in range(N):
        for row in range(B):
            pair = outputs[run, row].tolist(), atoms[run, row].tolist()
            expected = naive_quantile_huber(*pair, DELTAS[run])
            assert judgment.losses[run, row].item() == pytest.approx(expected, rel=1e-5)
            error = np.mean(pair[0]) - np.mean(pair[1])
            assert judgment.td_errors[run, row].item() == pytest.approx(error, abs=1e-6)
    torch.testing.assert_close(judgment.predictions, outputs.mean(-1))
    torch.testing.assert_close(judgment.priorities, judgment.td_errors.abs())


def test_the_gradient_of_the_quantile_loss_is_that_of_its_definition():
    value = QuantileValue(NUM_QUANTILES, torch.tensor(DELTAS))
    outputs = torch.randn(N, B, NUM_QUANTILES, generator=generator()).requires_grad_()
    atoms = 2 * torch.randn(N, B, NUM_QUANTILES, generator=generator(1))
    weights = torch.rand(N, B, generator=generator(2))
    losses = value.compute_loss(outputs, Distribution(atoms, torch.ones(1, 1, 1))).losses
    (found,) = torch.autograd.grad((losses * weights).sum(), outputs)
    levels = (torch.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES
    errors = atoms[:, :, None] - outputs[..., None]
    plain = torch.stack(
        [
            torch.nn.functional.huber_loss(
                errors[run], torch.zeros_like(errors[run]), reduction="none", delta=delta
            )
            / delta
            for run, delta in enumerate(DELTAS)
        ]
    )
    expected_losses = ((levels[:, None] - (errors < 0).float()).abs() * plain).mean(3).sum(2)
    (expected,) = torch.autograd.grad((expected_losses * weights).sum(), outputs)
    torch.testing.assert_close(found, expected)


def test_quantiles_settle_at_those_of_the_target():
    """Of a uniform distribution on [0, 8], learned from samples of it."""
    value = QuantileValue(4, torch.tensor([0.01]))
    outputs = torch.zeros(1, 1, 4, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], lr=0.05)
    samples = 8 * torch.rand(1, 1, 2_000, generator=generator())
    for _ in range(500):
        optimizer.zero_grad()
        value.compute_loss(
            outputs, Distribution(samples, torch.ones(1, 1, 1))
        ).losses.sum().backward()
        optimizer.step()
    assert outputs[0, 0].tolist() == pytest.approx([1.0, 3.0, 5.0, 7.0], abs=0.3)
