import numpy as np
import pytest

from dqn_exp.core.schedule import Schedule


def naive_value(
    start: float, end: float, decay_steps: int, is_exponential: bool, step: int
) -> float:
    if step >= decay_steps:
        return end
    if is_exponential:
        return start * (end / start) ** (step / decay_steps)
    return start + (end - start) * step / decay_steps


def make_schedule(*settings: tuple[float, float, int, bool]) -> Schedule:
    return Schedule(*(np.array(column) for column in zip(*settings, strict=True)))


SETTINGS = [
    (1.0, 0.1, 100, False),
    (0.5, 0.0, 7, False),
    (0.2, 0.2, 1, False),
    (0.0, 1.0, 33, False),
    (1.0, 0.01, 120, True),
    (1e-5, 1e-2, 9, True),
    (0.3, 0.3, 50, True),
]


def test_each_run_follows_its_own_curve_at_its_own_step():
    settings = SETTINGS
    schedule = make_schedule(*settings)
    generator = np.random.default_rng(0)
    for _ in range(100):
        steps = generator.integers(0, 150, len(settings))
        expected = [naive_value(*s, step) for s, step in zip(settings, steps, strict=True)]
        assert schedule.value(steps) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("is_exponential", [False, True])
def test_a_decay_is_not_constant_and_its_ends_are_exact(is_exponential):
    schedule = make_schedule((1.0, 0.05, 1_000, is_exponential))
    values = [schedule.value(np.array([step]))[0] for step in (0, 250, 500, 1_000, 10**9)]
    assert values[0] == 1.0 and values[-2] == values[-1] == 0.05
    assert values[:3] == sorted(values[:3], reverse=True) and len(set(values[:4])) == 4


def test_a_constant_is_exact_at_every_step():
    schedule = make_schedule((0.01, 0.01, 1, False))
    assert {float(schedule.value(np.array([step]))[0]) for step in range(100)} == {0.01}


def test_a_value_does_not_depend_on_the_neighbors():
    for count in (1, 2, 3, 7):
        for first in range(len(SETTINGS) - count + 1):
            some = slice(first, first + count)
            for step in (0, 1, 6, 33, 10**6):
                alone = make_schedule(*SETTINGS[some]).value(np.full(count, step))
                together = make_schedule(*SETTINGS).value(np.full(len(SETTINGS), step))
                assert alone.tolist() == together[some].tolist()


def test_a_long_exponential_decay_is_exact():
    schedule = make_schedule((1.0, 1e-4, 10**9, True))
    for step in (1, 12_345, 10**8, 10**9 - 1):
        expected = naive_value(1.0, 1e-4, 10**9, True, step)
        assert schedule.value(np.array([step]))[0] == pytest.approx(expected, rel=1e-12)
