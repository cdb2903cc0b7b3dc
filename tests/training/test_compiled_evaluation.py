"""Evaluation in compiled code against evaluation step by step."""

import numpy as np
import pytest

from dqn_exp.training.compiled_evaluation import CompiledEvaluation
from dqn_exp.training.evaluation import Evaluation
from tests.conftest import make_config
from tests.training.test_population import make_bare_trainer


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1"])
def test_episodes_are_those_of_evaluation_step_by_step(tmp_path, env_id):
    """There are more episodes than rows of the memory, and runs differ in what they count."""
    configs = [
        make_config(
            engine="native",
            seed=seed,
            env__id=env_id,
            env__max_episode_steps=60,
            eval__episodes=40,
            eval__seed=seed,
            agent__batch_size=8,
            agent__gamma=0.9 + 0.04 * seed,
            agent__reward_clip=0.5 if seed else None,
            agent__bootstrap_truncated=seed != 1,
        )
        for seed in range(3)
    ]
    trainer = make_bare_trainer(configs, tmp_path)
    compiled, engine = trainer._evaluation, trainer._engine
    assert isinstance(compiled, CompiledEvaluation)
    general = Evaluation(
        compiled.seeds,
        compiled._make_env,
        gamma=compiled._gamma,
        reward_limits=compiled._reward_limits,
        bootstrap_truncated=compiled._bootstrap_truncated,
    )
    for runs in ([0, 1, 2], [2], [2, 0]):
        found = compiled.evaluate(engine, np.array(runs))
        expected = general.evaluate(engine, np.array(runs))
        for ours, theirs in zip(found[:-1], expected[:-1], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert found.errors == {}
