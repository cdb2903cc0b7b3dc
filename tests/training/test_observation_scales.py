import numpy as np
import pytest
import torch

from dqn_exp.training import observation_scales
from dqn_exp.training.observation_scales import LEAST_ROWS, ScaleCheck, note_on_scales
from tests.conftest import make_config
from tests.training.test_population import make_bare_trainer

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


def test_the_note_comes_once_when_enough_is_stored(tmp_path, caplog):
    trainer = make_bare_trainer([make_config(engine="torch")], tmp_path)
    buffer = trainer._engine.buffer
    buffer.storage[:, :4] = torch.from_numpy(RANDOM.random((len(buffer.storage), 4)))
    buffer.storage[:, 0] *= 1e6
    check = ScaleCheck(buffer, True)
    for size, count in ((LEAST_ROWS - 1, 0), (LEAST_ROWS, 1), (LEAST_ROWS, 1)):
        buffer.sizes[0] = size
        check.check(0)
        assert len(caplog.messages) == count
    ScaleCheck(buffer, False).check(0)
    assert len(caplog.messages) == 1 and "very different scales" in caplog.text


@pytest.mark.parametrize("is_normalized", [False, True])
def test_training_looks_at_them_unless_they_are_normalized(
    train, monkeypatch, caplog, is_normalized
):
    monkeypatch.setattr(observation_scales, "LARGEST_RATIO", 1.0)
    config = make_config(
        engine="torch", agent__normalize_observations=is_normalized, trainer__total_steps=200,
        log__every_steps=100, eval__episodes=1, agent__learning_starts=150,
    )  # fmt: skip
    train([config], "run")
    assert ("very different scales" in caplog.text) != is_normalized
