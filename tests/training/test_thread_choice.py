"""The choice of a number of threads by measurement."""

import pytest

from dqn_exp.training.thread_choice import NUM_STRETCHES, NUM_TRIALS, ThreadChoice


def used(choice: ThreadChoice, rates: dict[int, float], count: int) -> list[int]:
    found = []
    for _ in range(count):
        found.append(choice.num_threads)
        choice.note(rates[choice.num_threads])
    return found


@pytest.mark.parametrize("fastest", [1, 4])
def test_the_faster_number_of_threads_is_used_after_both_were_tried(fastest):
    rates = {1: 10.0, 4: 10.0, fastest: 20.0}
    found = used(ThreadChoice(4), rates, NUM_STRETCHES)
    assert found[: 2 * NUM_TRIALS] == [1, 4] * NUM_TRIALS
    assert set(found[2 * NUM_TRIALS :]) == {fastest}


def test_the_numbers_are_tried_again():
    choice = ThreadChoice(2)
    used(choice, {1: 20.0, 2: 10.0}, NUM_STRETCHES)
    assert used(choice, {1: 10.0, 2: 20.0}, 2 * NUM_TRIALS + 1)[-1] == 2


def test_one_thread_needs_no_choice():
    assert used(ThreadChoice(1), {1: 1.0}, 10) == [1] * 10
