import numpy as np

from dqn_exp.training.observation_scales import note_on_scales

RANDOM = np.random.default_rng(0)


def test_features_of_very_different_scales_are_named():
    rows = (RANDOM.random((200, 3)) * [1.0, 0.0, 2e4]).astype(np.float32)
    note = note_on_scales(rows)
    assert "feature 2 is 5.9" in note and "feature 0 is 0.2" in note
    assert "agent.normalize_observations=true" in note


def test_features_that_never_change_and_moderate_scales_are_fine():
    rows = (RANDOM.random((200, 3)) * [1.0, 0.0, 5e3] + 1e6).astype(np.float32)
    assert note_on_scales(rows[:, :2]) is None
    assert note_on_scales((RANDOM.random((200, 2)) * [1.0, 5e3]).astype(np.float32)) is None
