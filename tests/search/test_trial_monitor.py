"""Reports of a trial's evaluations, and its pruning."""

import numpy as np
import pytest
from optuna.trial import TrialState

from dqn_exp.search.study import Budget, open_study
from dqn_exp.search.trial_monitor import TrialPlan
from tests.search.test_study import ask, options

BUDGET = Budget(10, 90, 2)
SEEDS = 3


def plan_of(folder, number, chosen):
    runs = [folder / f"{number}-{seed}" for seed in range(SEEDS)]
    return TrialPlan(folder, chosen, BUDGET, number, runs, range(SEEDS))


def evaluate(monitor, step, values):
    for seed, value in enumerate(values):
        monitor.add_evaluation(seed, step, np.array([value - 1.0, value + 1.0]))


def trial_with(folder, chosen, values_by_step):
    """Trains a trial, as it were; returns its number and monitor."""
    study = open_study(folder, chosen, BUDGET)
    number = ask(study).number
    monitor = plan_of(folder, number, chosen).make_monitor()
    for step, values in values_by_step.items():
        evaluate(monitor, step, values)
    return number, monitor


def stored(folder, number, chosen):
    return open_study(folder, chosen, BUDGET).trials[number].intermediate_values


def test_a_value_is_reported_once_all_seeds_are_there(tmp_path):
    chosen = options(seeds=SEEDS, pruner="none")
    number, monitor = trial_with(tmp_path, chosen, {})
    monitor.add_evaluation(0, 10, np.array([1.0, 3.0]))
    monitor.add_evaluation(2, 10, np.array([6.0, 6.0]))
    assert stored(tmp_path, number, chosen) == {}
    monitor.add_evaluation(1, 10, np.array([0.0, 2.0]))
    # The IQM of three values is their mean.
    assert stored(tmp_path, number, chosen) == {10: 3.0}


def test_the_worse_trial_is_pruned_with_all_its_runs(tmp_path):
    chosen = options(seeds=SEEDS)
    _, good = trial_with(tmp_path, chosen, {10: [8, 9, 10], 30: [8, 9, 10]})
    _, bad = trial_with(tmp_path, chosen, {10: [1, 2, 3]})
    assert list(good.pruned) == [] and list(bad.pruned) == [0, 1, 2]


def test_the_last_evaluation_prunes_nothing(tmp_path):
    chosen = options(seeds=SEEDS, pruner="median")
    trial_with(tmp_path, chosen, {90: [8, 9, 10]})
    number, bad = trial_with(tmp_path, chosen, {90: [1, 2, 3]})
    assert list(bad.pruned) == [] and stored(tmp_path, number, chosen) == {}


@pytest.mark.parametrize("pruner", ["halving", "hyperband", "median", "wilcoxon"])
def test_a_decision_is_the_same_however_often_it_is_asked_for(pruner, tmp_path):
    chosen = options(seeds=SEEDS, pruner=pruner)
    rng = np.random.default_rng(5)
    decisions = []
    for _ in range(14):
        number, monitor = trial_with(tmp_path, chosen, {})
        level = rng.uniform(0, 10)
        for step in (10, 20, 30, 40):
            evaluate(monitor, step, level + rng.uniform(0, 1, SEEDS))
            # Opened again, as after the process was killed, before or after it acted.
            again = plan_of(tmp_path, number, chosen).make_monitor()
            assert list(again.pruned) == list(monitor.pruned)
            decisions.append(bool(monitor.pruned))
            if monitor.pruned:
                break
        state = TrialState.PRUNED if monitor.pruned else TrialState.COMPLETE
        value = None if monitor.pruned else level
        open_study(tmp_path, chosen, BUDGET).tell(number, value, state=state)
    assert 0 < sum(decisions) < len(decisions)


def test_evaluations_of_an_earlier_process_count(tmp_path):
    chosen = options(seeds=SEEDS, pruner="none")
    study = open_study(tmp_path, chosen, BUDGET)
    number = ask(study).number
    plan = plan_of(tmp_path, number, chosen)
    for seed in (0, 1):
        plan.runs[seed].mkdir()
        rows = f"10,0,5,{seed}.0,9\n10,1,7,{seed + 2}.0,9\n20,0,5,1.0,9\n"  # 20 is cut off.
        (plan.runs[seed] / "evaluations.csv").write_text(f"step,episode,seed,return,length\n{rows}")
    resumed = plan._replace(trained=[2]).make_monitor()
    resumed.add_evaluation(0, 10, np.array([5.0, 7.0]))
    assert stored(tmp_path, number, chosen) == {10: pytest.approx((1 + 2 + 6) / 3)}
    resumed.add_evaluation(0, 20, np.array([5.0, 7.0]))
    assert stored(tmp_path, number, chosen).keys() == {10}
