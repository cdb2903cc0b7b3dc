import numpy as np
import pytest

from dqn_exp.training.trained_policy import load_trained_policy
from tests.stepping import tick
from tests.switches import COVERING
from tests.training.test_population import make_bare_trainer


@pytest.mark.parametrize("switches", COVERING, ids=str)
@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"network__activation": "tanh", "agent__normalize_observations": True, "engine": "torch"},
    ],
    ids=["plain", "normalized"],
)
def test_what_is_read_back_is_the_greedy_policy_of_the_run(tmp_path, switches, overrides):
    settings = {"agent__learning_starts": 30, "agent__batch_size": 8, "buffer__capacity": 200}
    configs = [
        switches.config(seed=seed, network__hidden_sizes=[12], **settings, **overrides)
        for seed in range(2)
    ]
    trainer = make_bare_trainer(configs, tmp_path)
    for _ in range(60):
        tick(trainer)
    seen = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    for run in range(2):
        assert not trainer._save([run])
        found = load_trained_policy(tmp_path / str(run)).q_values(seen)
        with trainer._engine.policy(np.array([run])) as policy:
            np.testing.assert_array_equal(found.argmax(1), policy(seen[None])[0])
        assert found.shape == (300, 2) and len(np.unique(found)) > 300


def test_a_directory_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a checkpoint of dqn_exp"):
        load_trained_policy(tmp_path)
