"""Progress of all jobs of a sweep."""

import math
from types import SimpleNamespace

import pytest

from dqn_exp.files.result import Result
from dqn_exp.sweep.sweep_progress import SweepProgress
from dqn_exp.training.progress import ProgressSnapshot


class Shown:
    next_update = 0.0

    def __init__(self):
        self.snapshots = []

    def update(self, snapshot):
        self.snapshots.append(snapshot)

    def close(self):
        self.snapshots.append("closed")


def job(num, total_steps=100, total_episodes=None):
    trainer = SimpleNamespace(total_steps=total_steps, total_episodes=total_episodes)
    return SimpleNamespace(num=num, checked=SimpleNamespace(trainer=trainer))


def result(status, steps, episodes=0):
    return Result(status, 0, "abc", steps=steps, episodes=episodes)


def test_a_population_of_this_process_is_a_part_of_the_sweep():
    shown, results = Shown(), {0: result("completed", 100), 1: result("pruned", 40)}
    progress = SweepProgress(shown, results)
    progress.num_jobs = 10
    part = progress.part([job(2), job(3)])
    assert part.next_update == shown.next_update
    part.update(ProgressSnapshot(0.5, 2, 2, run_steps=60, mean_return=7.0, is_evaluating=True))
    # Two of ten have ended, and two are half done.
    assert shown.snapshots == [ProgressSnapshot(0.3, 2, 10, 200, 7.0, is_evaluating=True)]
    part.close()
    assert shown.snapshots[-1] != "closed"
    progress.close()
    assert shown.snapshots[-1] == "closed"


def test_runs_of_workers_count_by_the_budget_that_is_nearer():
    shown = Shown()
    results = {0: result("completed", 100), 1: result("running", 50), 2: result("running", 10, 8)}
    progress = SweepProgress(shown, results)
    progress.num_jobs = 5
    progress.update([job(1), job(2, total_episodes=10), job(3)])
    (snapshot,) = shown.snapshots
    assert snapshot.share == pytest.approx((1 + 0.5 + 0.8 + 0) / 5)
    assert snapshot[1:4] == (3, 5, 160) and math.isnan(snapshot.mean_return)


def test_runs_of_workers_show_what_their_newest_evaluations_returned():
    shown = Shown()
    results = {num: result("running", 50) for num in range(4)} | {4: result("completed", 100)}
    for num, value in {1: 100.0, 2: 40.0, 4: 1.0}.items():
        results[num].eval_return_mean = value
    SweepProgress(shown, results).update([job(num) for num in range(5)])
    (snapshot,) = shown.snapshots
    assert snapshot.mean_return == 70.0 and snapshot.return_of == "evaluation"
