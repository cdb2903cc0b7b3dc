import time

import numpy as np
import pytest

from dqn_exp.training.checkpoint_schedule import TIME_SHARE, CheckpointSchedule, TimeBudget


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(time, "perf_counter", lambda: Clock.now)
    return Clock


@pytest.mark.parametrize("cost", [0.001, 0.03, 2.0])
def test_what_is_bounded_takes_its_share_of_the_time_and_no_more(clock, cost):
    clock.now = 40 * cost  # The first time, nobody knows yet what it costs.
    begin, bound, count = clock.now, TimeBudget(0.05), 0
    clock.now += 40 * cost
    while clock.now - begin < 1_000 * cost:
        clock.now += cost / 10
        if bound.allows:
            with bound.measured():
                clock.now += cost
            count += 1
            assert count * cost <= 0.05 * (clock.now - begin)
    assert count >= 48


def test_runs_are_saved_when_due_and_in_turn_when_there_is_no_time_for_all(clock):
    saved: list[int] = []
    schedule = CheckpointSchedule(4)
    assert list(schedule.due_rows()) == []
    for _ in range(2_000):
        clock.now += 1.0
        schedule.mark_due(np.array([True, True, True, False]))
        for row in schedule.due_rows():
            if row != 2:  # Run 2 is not worth it.
                saved.append(row)
                clock.now += 1.0
    counts = np.bincount(saved, minlength=4)
    # Run 3 was never due; no run waits for the others for ever.
    assert counts[2] == counts[3] == 0 and abs(counts[0] - counts[1]) <= 1
    assert TIME_SHARE * 0.9 <= counts.sum() / clock.now <= TIME_SHARE


def test_a_retired_run_takes_its_turn_along(clock):
    schedule = CheckpointSchedule(3)
    clock.now += 1_000.0
    schedule.mark_due(np.array([False, True, True]))
    schedule.retire(0)
    assert list(schedule.due_rows()) == [0, 1]
    schedule.mark_due(np.array([True, False]))
    assert list(schedule.due_rows()) == [0] and list(schedule.due_rows()) == []
