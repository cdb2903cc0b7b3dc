"""Configs as a trainer."""

import numpy as np

from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.core.random_streams import evaluation_seeds
from tests.conftest import make_config
from tests.training.test_population import make_bare_trainer


def test_periods_and_budgets_are_those_of_each_run(tmp_path):
    configs = [
        make_config(
            trainer__total_steps=90,
            log__every_steps=7,
            eval__every_steps=None,
            checkpoint__every_steps=None,
        ),
        make_config(
            trainer__total_steps=None, trainer__total_episodes=5, checkpoint__every_steps=11
        ),
    ]
    timetable = make_bare_trainer(configs, tmp_path)._timetable
    for steps, episodes, logged, evaluated, saved, over in (
        (7, 0, [True, False], [False, False], [False, False], [False, False]),
        (11, 0, [False, False], [False, False], [False, True], [False, False]),
        (90, 4, [False, False], [False, False], [False, False], [True, False]),
        (101, 5, [False, False], [False, False], [False, False], [True, True]),
    ):
        now = np.full(2, steps)
        due = timetable.due(now - 1, now, np.full(2, episodes))
        found = [mask.tolist() for mask in (due.logged, due.evaluated, due.saved, due.over)]
        assert found == [logged, evaluated, saved, over], steps


def test_buffers_have_the_capacities_and_exponents_of_each_run(tmp_path):
    configs = [
        make_config(
            "buffer=prioritized", buffer__capacity=capacity, buffer__priority_exponent=exponent
        )
        for capacity, exponent in ((600, 0.5), (700, 0.7))
    ]
    buffer = make_bare_trainer(configs, tmp_path)._engine.buffer
    assert isinstance(buffer, PrioritizedBuffer)
    assert buffer.capacities.tolist() == [600, 700]
    assert buffer.priorities.exponents.tolist() == [0.5, 0.7]
    np.testing.assert_allclose(buffer.importance_exponent.value(np.zeros(2, dtype=np.int64)), 0.4)


def test_evaluations_have_the_seeds_of_their_configs(tmp_path):
    configs = [make_config(eval__seed=seed, eval__episodes=3) for seed in (5, 6)]
    found = make_bare_trainer(configs, tmp_path)._evaluation.seeds
    np.testing.assert_array_equal(found, [evaluation_seeds(seed, 3) for seed in (5, 6)])
