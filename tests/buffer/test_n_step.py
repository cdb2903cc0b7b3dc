from itertools import product

import numpy as np
import pytest

from dqn_exp.buffer.n_step import NStep
from dqn_exp.core.transition import Transition

GAMMA = 0.9
Step = tuple[int, float, float, bool]
"""Index of the observation, reward, discount, and whether the episode ends with it."""


def make_steps(ends: list[tuple[int, bool]], total: int) -> list[Step]:
    """Steps of episodes with some lengths, which terminate or are truncated."""
    steps: list[Step] = []
    for length, terminated in ends:
        for k in range(length):
            is_last = k == length - 1
            discount = 0.0 if is_last and terminated else GAMMA
            steps.append((len(steps), len(steps) + 0.5, discount, is_last))
    while len(steps) < total:
        steps.append((len(steps), len(steps) + 0.5, GAMMA, False))
    return steps[:total]


def brute_force(steps: list[Step], n: int) -> list[tuple]:
    """What should be stored, from the definition: for every step, forward until n or the end."""
    expected = []
    for begin in range(len(steps)):
        rewards, discount = [], 1.0
        for k in range(begin, min(begin + n, len(steps))):
            rewards.append(steps[k][1])
            discount *= steps[k][2]
            if steps[k][3]:
                break
        if len(rewards) == n or steps[k][3]:
            padded = rewards + [0.0] * (n - len(rewards))
            expected.append((begin, padded, discount, steps[k][0] + 0.25))
    return expected


def push_all(n_step: NStep, runs_of_steps: list[list[Step]]) -> list[list[tuple]]:
    found: list[list[tuple]] = [[] for _ in runs_of_steps]
    for steps in zip(*runs_of_steps, strict=True):
        index, reward, discount, ended = (np.array(column) for column in zip(*steps, strict=True))
        step = Transition(index[:, None], index + 7, reward[:, None], discount, index[:, None])
        # The next observation of a step is told from the first one of the next episode.
        runs, known = n_step.push(step._replace(next_observation=index[:, None] + 0.25), ended)
        assert (np.diff(runs) >= 0).all()
        for run, *fields in zip(runs, *known, strict=True):
            observation, action, rewards, discount, after = fields
            assert action == observation[0] + 7
            found[run].append((int(observation[0]), rewards.tolist(), discount, after[0]))
    return found


def check(found: list[tuple], expected: list[tuple]) -> None:
    assert [row[0] for row in found] == [row[0] for row in expected]
    for (_, rewards, discount, after), (_, *wanted) in zip(found, expected, strict=True):
        assert rewards == wanted[0] and after == wanted[2]
        assert discount == pytest.approx(wanted[1], abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_every_position_of_termination_and_truncation(n):
    """All pairs of episode lengths up to 2 n + 1, each ending both ways, as runs side by side."""
    lengths, total = range(1, 2 * n + 2), 5 * n + 6
    cases = [
        make_steps([(first, is_first_end), (second, is_second_end)], total)
        for first, second in product(lengths, lengths)
        for is_first_end, is_second_end in product((True, False), repeat=2)
    ]
    n_step = NStep(len(cases), 1, n)
    for steps, found in zip(cases, push_all(n_step, cases), strict=True):
        check(found, brute_force(steps, n))


def test_all_tail_transitions_of_an_episode_are_kept():
    for terminated in (True, False):
        (found,) = push_all(NStep(1, 1, 5), [make_steps([(3, terminated)], 3)])
        assert [row[0] for row in found] == [0, 1, 2]
        assert [row[3] for row in found] == [2.25, 2.25, 2.25]
        futures = [0.0] * 3 if terminated else [GAMMA**3, GAMMA**2, GAMMA]
        assert [row[2] for row in found] == pytest.approx(futures)


def test_a_retired_run_takes_its_waiting_steps_along_and_a_saved_one_brings_them_back():
    cases = [make_steps([(4, bool(run % 2))], 12) for run in range(3)]
    n_step = NStep(3, 1, 3)
    early = push_all(n_step, [steps[:2] for steps in cases])
    other = NStep(2, 1, 3)
    other.load_state_dict(1, n_step.state_dict(1))
    n_step.retire(0)
    late = push_all(n_step, [steps[2:] for steps in (cases[2], cases[1])])
    check(early[2] + late[0], brute_force(cases[2], 3))
    check(early[1] + late[1], brute_force(cases[1], 3))
    restored = push_all(other, [steps[2:] for steps in (cases[0], cases[1])])
    check(early[1] + restored[1], brute_force(cases[1], 3))
