import numpy as np
import pytest

from dqn_exp.schedule import LinearSchedule


def naive_value(start: float, end: float, decay_steps: int, step: int) -> float:
    return end if step >= decay_steps else start + (end - start) * step / decay_steps


def make_schedule(*settings: tuple[float, float, int]) -> LinearSchedule:
    start, end, decay_steps = zip(*settings, strict=True)
    return LinearSchedule(np.array(start), np.array(end), np.array(decay_steps))


def test_each_run_follows_its_own_line_at_its_own_step():
    settings = [(1.0, 0.1, 100), (0.5, 0.0, 7), (0.2, 0.2, 1), (0.0, 1.0, 33)]
    schedule = make_schedule(*settings)
    generator = np.random.default_rng(0)
    for _ in range(100):
        steps = generator.integers(0, 150, 4)
        expected = [naive_value(*s, step) for s, step in zip(settings, steps, strict=True)]
        assert schedule.value(steps) == pytest.approx(expected, abs=1e-12)


def test_a_decay_is_not_constant_and_its_ends_are_exact():
    schedule = make_schedule((1.0, 0.05, 1_000))
    values = [schedule.value(np.array([step]))[0] for step in (0, 250, 500, 1_000, 10**9)]
    assert values[0] == 1.0 and values[-2] == values[-1] == 0.05
    assert values[:3] == sorted(values[:3], reverse=True) and len(set(values[:4])) == 4


def test_a_constant_is_exact_at_every_step():
    schedule = make_schedule((0.01, 0.01, 1))
    assert {float(schedule.value(np.array([step]))[0]) for step in range(100)} == {0.01}
