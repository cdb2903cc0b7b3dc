"""The best settings of a sweep in a few lines."""

from dqn_exp.analysis.summary import best_lines, ranked_settings
from tests.sweep_files import SWEPT, returns_of, write_sweep


def test_three_settings_are_told_with_their_intervals(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    head, *lines = best_lines(tmp_path / "s")
    assert head == "Best settings by the IQM of their final returns, with 95% intervals:"
    settings = ranked_settings(tmp_path / "s")
    assert len(lines) == 3 and len(settings) == 6
    for rank, (line, setting) in enumerate(zip(lines, settings, strict=False), 1):
        value, low, high = (f"{float(one):.4g}" for one in setting.iqm)
        assert line == f"  {rank}. {value} ({low} to {high}), 5 seeds: {setting.label}"


def test_a_line_says_how_many_runs_its_value_is_of(tmp_path):
    def status(values):
        return "diverged" if values["seed"] == 1 else "completed"

    swept = {"agent.epsilon": [0.1, 0.2], "seed": range(3)}
    write_sweep(tmp_path / "s", swept, lambda values: {100: 9.0 - values["agent.epsilon"]}, status)
    _, first, second = best_lines(tmp_path / "s")
    assert first.endswith(", 2 of 3 seeds: epsilon=0.1")
    assert second.endswith(", 2 of 3 seeds: epsilon=0.2")


def test_a_single_setting_is_not_ranked(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0, 1]}, lambda values: {100: 1.0})
    assert list(best_lines(tmp_path / "s")) == []


def test_ties_are_broken_by_the_worst_run_then_by_the_area(tmp_path):
    finals = {
        "0.1": [500, 500, 500, 500, 100],
        "0.2": [500, 500, 500, 500, 200],
        "0.3": [500, 500, 500, 500, 200],
    }
    early = {"0.1": 500.0, "0.2": 20.0, "0.3": 30.0}

    def returns(values):
        name = str(values["agent.epsilon"])
        return {50: early[name], 100: float(finals[name][values["seed"]])}

    swept = {"agent.epsilon": [0.1, 0.2, 0.3], "seed": range(5)}
    write_sweep(tmp_path / "s", swept, returns)
    ranked = [one.values["agent.epsilon"] for one in ranked_settings(tmp_path / "s")]
    assert ranked == ["0.3", "0.2", "0.1"]


def test_a_pruned_setting_has_no_rank(tmp_path):
    def status(values):
        is_pruned = values["agent.epsilon"] == 0.1 and values["seed"] > 0
        return "pruned" if is_pruned else "completed"

    swept = {"agent.epsilon": [0.1, 0.2], "seed": range(3)}
    write_sweep(tmp_path / "s", swept, lambda values: {100: 9.0 - values["agent.epsilon"]}, status)
    (setting,) = ranked_settings(tmp_path / "s")
    assert setting.values == {"agent.epsilon": "0.2"}
