import numpy as np
import torch

from dqn_exp.agent.normalization import NoNormalization, RunningNormalization


def make_observed(count: int, steps: int) -> tuple[RunningNormalization, np.ndarray]:
    generator = np.random.default_rng(0)
    scales = 10.0 ** np.arange(-1, 2)
    seen = (generator.normal(3.0, 2.0, (steps, count, 3)) * scales).astype(np.float32)
    normalization = RunningNormalization(count, 3, torch.device("cpu"))
    for observations in seen:
        normalization.observe(observations)
    return normalization, seen


def test_mean_and_variance_are_those_of_all_that_a_run_has_observed():
    for steps in (1, 2, 500):
        normalization, seen = make_observed(4, steps)
        np.testing.assert_allclose(normalization.means, seen.mean(0, dtype=np.float64), rtol=1e-9)
        variances = seen.var(0, dtype=np.float64)
        np.testing.assert_allclose(normalization.variances, variances, rtol=1e-9, atol=1e-12)


def test_observations_are_normalized_run_by_run():
    normalization, seen = make_observed(4, 500)
    batch = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)) * 5
    found = normalization.normalize(batch).numpy()
    some = normalization.normalize(batch[[2, 0]], np.array([2, 0])).numpy()
    for run in range(4):
        mean, std = seen[:, run].mean(0, dtype=np.float64), seen[:, run].std(0, dtype=np.float64)
        expected = ((batch[run].numpy() - mean) / std).clip(-10, 10)
        np.testing.assert_allclose(found[run], expected, rtol=1e-3)
    assert np.abs(found).max() == 10
    np.testing.assert_array_equal(some, found[[2, 0]])


def test_normalizing_changes_nothing_that_was_learned():
    normalization, _ = make_observed(2, 50)
    before = [normalization.state_dict(run) for run in range(2)]
    normalization.normalize(torch.full((2, 5, 3), 1e6))
    for run in range(2):
        after = normalization.state_dict(run)
        assert all(np.array_equal(before[run][name], after[name]) for name in after)


def test_a_feature_that_never_changes_becomes_zero():
    normalization = RunningNormalization(1, 2, torch.device("cpu"))
    for value in range(10):
        normalization.observe(np.array([[7.0, value]], dtype=np.float32))
    found = normalization.normalize(torch.tensor([[[7.0, 4.5]]]))
    assert found.tolist() == [[[0.0, 0.0]]]


def test_without_normalization_observations_are_as_they_are():
    batch = torch.randn(2, 3, 4)
    assert NoNormalization().normalize(batch) is batch
    assert NoNormalization().state_dict(0) == {}
