import numpy as np
import pytest
import torch

from dqn_exp.core.per_run import NEVER, PerRunState, is_due


class Counters(PerRunState):
    rows = ("identity", "numbers", "tensor")
    saved = ("numbers", "tensor")

    def __init__(self, count: int) -> None:
        self.identity = np.arange(count)
        self.numbers = np.arange(count) * 10.0
        self.tensor = torch.arange(2 * count).reshape(count, 2)


def test_a_period_is_due_when_a_multiple_has_been_passed():
    for period in (1, 2, 3, 10):
        for previous in range(25):
            for step in range(5):
                current = previous + step
                passed = any(count % period == 0 for count in range(previous + 1, current + 1))
                due = is_due(np.array([previous]), np.array([current]), np.array([period]))
                assert due.tolist() == [passed]


def test_never_is_never_due():
    assert not is_due(np.array([0]), np.array([2**62]), np.array([NEVER])).any()


def test_each_run_has_its_own_period():
    due = is_due(np.array([9, 9, 4]), np.array([10, 10, 5]), np.array([5, 4, 5]))
    assert due.tolist() == [True, False, True]


def test_a_retired_run_gives_its_row_to_the_last_one():
    state = Counters(5)
    remaining = [0, 1, 2, 3, 4]
    for row in (1, 3, 0, 1, 0):
        state.retire(row)
        remaining[row] = remaining[-1]
        remaining.pop()
        assert state.identity.tolist() == remaining
        assert state.numbers.tolist() == [10.0 * run for run in remaining]
        assert state.tensor.tolist() == [[2 * run, 2 * run + 1] for run in remaining]


def test_saved_rows_are_copies_and_come_back():
    state, other = Counters(3), Counters(3)
    saved = state.state_dict(2)
    state.numbers[2] = -1.0
    state.tensor[2] = -1
    assert saved["numbers"] == 20.0 and saved["tensor"].tolist() == [4, 5]
    other.load_state_dict(0, saved)
    assert other.numbers.tolist() == [20.0, 10.0, 20.0]
    assert other.identity.tolist() == [0, 1, 2]


def test_a_state_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"state of Counters: expected \['numbers', 'tensor'\]"):
        Counters(2).load_state_dict(0, {"numbers": 1.0})
