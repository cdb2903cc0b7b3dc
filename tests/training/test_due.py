import numpy as np
import pytest

from dqn_exp.core.per_run import NEVER
from dqn_exp.training.due import Timetable


def make_timetable(**changes) -> Timetable:
    values = {
        "total_steps": [100, NEVER],
        "total_episodes": [NEVER, 5],
        "stop_at_return": [np.inf, 7.5],
        "log_every": [10, 7],
        "evaluate_every": [25, NEVER],
        "checkpoint_every": [NEVER, 30],
    }
    return Timetable(**{name: np.array(changes.get(name, values[name])) for name in values})


def test_a_period_is_due_when_a_multiple_of_it_has_been_passed():
    timetable, episodes = make_timetable(), np.array([0, 0])
    for before in range(0, 95, 3):
        steps = np.array([before + 3, before + 3])
        due = timetable.due(steps - 3, steps, episodes)
        for row, periods in enumerate(((10, 25, NEVER), (7, NEVER, 30))):
            expected = [any(s % p == 0 for s in range(before + 1, before + 4)) for p in periods]
            assert [due.logged[row], due.evaluated[row], due.saved[row]] == expected


def test_a_run_is_over_at_either_budget():
    timetable = make_timetable()
    steps, episodes = np.array([99, 10**9]), np.array([10**9, 4])
    assert timetable.is_over(steps, episodes).tolist() == [False, False]
    assert timetable.is_over(steps + 1, episodes + 1).tolist() == [True, True]


@pytest.mark.parametrize("steps", [[0, 0], [3, 5], [24, 29], [99, 6], [10, 13]])
def test_nothing_is_due_before_the_steps_that_it_says(steps):
    timetable, steps = make_timetable(), np.array(steps)
    counts = timetable.next_due(steps) - steps
    for further in range(1, counts.max() + 1):
        due = timetable.due(steps + further - 1, steps + further, np.zeros(2, np.int64))
        for row in range(2):
            assert any(flags[row] for flags in due) == (further == counts[row]) or (
                further > counts[row]
            )


def test_the_share_of_the_budget_that_is_nearer_to_its_end_counts():
    shares = make_timetable(total_episodes=[10, 5]).shares_done(np.array([50, 9]), np.array([1, 2]))
    assert shares.tolist() == pytest.approx([0.5, 0.4])


def test_retired_runs_leave_the_timetable():
    timetable = make_timetable()
    timetable.retire(0)
    assert timetable.next_due(np.array([0])).tolist() == [7]


def test_a_run_stops_at_its_return():
    timetable, rows = make_timetable(), np.array([0, 1])
    assert timetable.is_good(rows, np.array([1e9, 7.5])).tolist() == [False, True]
    assert timetable.is_good(rows[1:], np.array([7.49])).tolist() == [False]
    assert timetable.is_good(rows, np.array([np.nan, np.nan])).tolist() == [False, False]
