"""What a report says of the best setting."""

import re

import numpy as np
import pytest
from scipy import stats

from dqn_exp.analysis.aggregates import make_curve
from dqn_exp.analysis.ranking import RANKINGS
from tests.analysis.test_statistics import naive_mann_whitney_p
from tests.sweep_files import lines_of, read_settings, report_of, rows_of, write_sweep

pytestmark = pytest.mark.usefixtures("without_plots")

SCORES = {0.9: [10, 20, 30, 40, 50], 0.98: [45, 60, 70, 80, 200], 0.99: [5, 20, 35, 42, 44]}


def test_what_is_said_of_the_best_is_what_its_numbers_say(tmp_path):
    swept = {"agent.gamma": list(SCORES), "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda v: {100: float(SCORES[v["agent.gamma"]][v["seed"]])})
    report_of([tmp_path / "s"])
    text, rows = lines_of(tmp_path / "s"), rows_of(tmp_path / "s")
    assert [row["agent.gamma"] for row in rows] == ["0.98", "0.99", "0.9"]
    best = SCORES[0.98]
    for gamma in (0.99, 0.9):
        wins = np.mean([(a > b) + 0.5 * (a == b) for a in best for b in SCORES[gamma]])
        assert f"- over gamma={gamma}: {wins:.2f} [" in text
    share = 100 * float(rows[0]["probability_of_being_best"])
    assert f"It ranks first in {share:.0f}% of resamples" in text and share > 90
    alone = stats.norm.isf(naive_mann_whitney_p(best, SCORES[0.99]) / 2)
    p = stats.studentized_range.sf(np.sqrt(2) * alone, 3, np.inf)
    test = f"(Mann-Whitney p = {p:.2g}, adjusted for the choice among 3 settings)."
    assert p < 0.05 and test in text and "not significant" not in text
    assert re.search(rf"- over gamma=0.99: 1.00 \[.*\], p = {p:.2g}\n", text)


def test_settings_that_cannot_be_told_apart_are_not_told_apart(tmp_path):
    scores = {0.9: [10, 20, 30, 40, 50], 0.98: [15, 25, 35, 45, 55]}
    swept = {"agent.gamma": list(scores), "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda v: {100: float(scores[v["agent.gamma"]][v["seed"]])})
    report_of([tmp_path / "s"])
    assert "the difference is not significant (Mann-Whitney p = 0.69)" in lines_of(tmp_path / "s")
    few = {"agent.gamma": list(SCORES), "seed": range(3)}
    write_sweep(tmp_path / "t", few, lambda v: {100: 100 * v["agent.gamma"] + v["seed"] / 10})
    report_of([tmp_path / "t"])
    # All pairs are won, and yet three seeds tell nothing beyond chance.
    assert "1.00 [0.50, 1.00]; the difference is not significant" in lines_of(tmp_path / "t")
    assert "ranks first" not in lines_of(tmp_path / "t")


def test_ties_and_different_environments_have_no_winner(tmp_path):
    swept = {"agent.gamma": [0.9, 0.98, 0.99], "seed": [0, 1]}
    write_sweep(tmp_path / "s", swept, lambda v: {100: 9.0 if v["agent.gamma"] < 0.99 else 8.0})
    report_of([tmp_path / "s"])
    said = "Of 3 settings, 2 are equally good, with a final return of 9 [9, 9]: gamma=0.9; gamma="
    assert said in lines_of(tmp_path / "s")
    envs = {"env.id": ["CartPole-v1", "Acrobot-v1"], "seed": [0, 1]}
    write_sweep(tmp_path / "e", envs, lambda v: {100: 9.0 if "Cart" in v["env.id"] else -80.0})
    report_of([tmp_path / "e"])
    text = lines_of(tmp_path / "e")
    assert "The final return of all runs is 9 [9, 9] (IQM over 2 seeds)." in text
    assert "The final return of all runs is -80 [-80, -80] (IQM over 2 seeds)." in text
    assert "The best" not in text and "## env.id=Acrobot-v1" in text


def test_a_saturated_return_is_called_so(tmp_path):
    scores = {0.9: [9, 9, 9, 9, 1], 0.98: [9, 9, 9, 9, 5], 0.99: [3, 3, 3, 3, 3]}
    swept = {"agent.gamma": list(scores), "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda v: {100: float(scores[v["agent.gamma"]][v["seed"]])})
    report_of([tmp_path / "s"])
    text = lines_of(tmp_path / "s")
    assert "The best of 3 settings is gamma=0.98, with a final return of 9 [" in text
    assert "The final return is saturated: 2 settings tie for the highest IQM" in text
    assert [row["rank"] for row in rows_of(tmp_path / "s")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "best"),
    [("iqm", "0.9"), ("area", "0.98"), ("steps", "0.99"), ("min", "0.98")],
)
def test_other_rankings_have_other_winners(tmp_path, name, best):
    curves = {
        0.9: lambda seed: {100: 0.0, 200: 0.0, 300: 0.0 if seed == 4 else 90.0},
        0.98: lambda seed: {100: 50.0, 200: 50.0, 300: 50.0 + seed + 2 * (seed == 4)},
        0.99: lambda seed: {100: 60.0, 200: 0.0, 300: 10.0},
    }
    swept = {"agent.gamma": list(curves), "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda v: curves[v["agent.gamma"]](v["seed"]))
    report_of([tmp_path / "s"], threshold=55.0, rank_by=name)
    assert rows_of(tmp_path / "s")[0]["agent.gamma"] == best
    ranking = RANKINGS[name]
    said = f"The best of 3 settings is gamma={best}, with {ranking.article} {ranking.phrase} of "
    assert said in lines_of(tmp_path / "s")
    # The best one beats the others by what it is ranked by.
    if name == "area":
        assert "- over gamma=0.9: 1.00 [" in lines_of(tmp_path / "s")


def test_a_best_setting_whose_runs_have_failed_is_told_so(tmp_path):
    def status(values) -> str:
        return "diverged" if values["agent.gamma"] == 0.9 and values["seed"] else "completed"

    write_sweep(
        tmp_path / "s",
        {"agent.gamma": [0.9, 0.98], "seed": range(4)},
        lambda values: {
            50: 9e9 if status(values) == "diverged" else 1.0,
            100: 200.0 if values["agent.gamma"] == 0.9 else 100.0,
        },
        status,
    )
    report_of([tmp_path / "s"])
    text = lines_of(tmp_path / "s")
    assert "The best of 2 settings is gamma=0.9, with a final return of 200 (one seed)" in text
    assert "3 of its 4 runs failed or have not ended, and are not counted." in text
    setting = read_settings(tmp_path / "s")[1][0]
    assert make_curve(setting).returns.value.max() == 200  # What has diverged is not in it.


def test_settings_with_one_run_are_among_those_that_the_best_was_chosen_from(tmp_path):
    gammas = [round(0.01 * k, 2) for k in range(1, 33)]

    def returns(values):
        place = gammas.index(values["agent.gamma"])
        if place >= 2 and values["seed"]:
            return None
        return {100: 100.0 * (2 - place) + values["seed"] if place < 2 else 1.0}

    write_sweep(tmp_path / "s", {"agent.gamma": gammas, "seed": range(5)}, returns)
    report_of([tmp_path / "s"])
    text = lines_of(tmp_path / "s")
    assert "the difference is not significant (Mann-Whitney p = " in text
    assert "adjusted for the choice among 32 settings)" in text
