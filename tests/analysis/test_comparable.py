"""Runs that can be compared, and those that cannot."""

import pytest

from dqn_exp.analysis.ranking import RANKINGS
from dqn_exp.analysis.report import write_report
from dqn_exp.core.errors import ConfigError
from tests.sweep_files import lines_of, read_groups, report_of, rows_of, write_single, write_sweep


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("env.id", ["CartPole-v1", "Acrobot-v1"]),
        ("trainer.total_steps", [100, 200]),
        ("eval.episodes", [5, 10]),
        ("eval.every_steps", [50, 100]),
        ("eval.seed", [0, 1]),
        ("env.max_episode_steps", [200, 500]),
    ],
)
def test_runs_of_other_conditions_have_a_ranking_of_their_own(tmp_path, key, values):
    swept = {key: values, "agent.gamma": [0.9, 0.98], "seed": [0, 1]}
    write_sweep(
        tmp_path / "s", swept, lambda v: {100: 100 * v["agent.gamma"] + 50 * (v[key] == values[0])}
    )
    groups = read_groups(tmp_path / "s")
    name = "env.id" if key == "env.id" else key.rsplit(".", 1)[-1]
    assert [group.label for group in groups] == [f"{name}={value}" for value in values]
    for group in groups:
        assert group.keys == ["agent.gamma"] and len(group.settings) == 2
        assert group.settings[0].values == {"agent.gamma": "0.98"}


def test_a_report_ranks_runs_of_other_conditions_apart(tmp_path):
    values = ["CartPole-v0", "Acrobot-v1"]
    swept = {"env.id": values, "agent.gamma": [0.9, 0.98], "seed": [0, 1]}
    write_sweep(
        tmp_path / "s",
        swept,
        lambda v: {100: 100 * v["agent.gamma"] + 50 * (v["env.id"] == values[0])},
    )
    report_of([tmp_path / "s"])
    rows = rows_of(tmp_path / "s")
    assert [(row["group"], row["agent.gamma"], row["rank"]) for row in rows] == [
        (f"env.id={value}", gamma, rank)
        for value in values
        for gamma, rank in (("0.98", "1"), ("0.9", "2"))
    ]
    found = {path.name for path in (tmp_path / "s/report/plots").iterdir()}
    assert {"group1_curves.svg", "group2_curves.svg"} <= found and "curves.svg" not in found
    assert lines_of(tmp_path / "s").count("The best of 2 settings is gamma=0.98") == 2


def test_a_comparison_does_not_rank_runs_of_different_budgets_either(tmp_path):
    write_single(tmp_path / "a", {100: 5.0}, trainer__total_steps=100)
    write_single(tmp_path / "b", {900: 500.0}, trainer__total_steps=900)
    write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "c", compares=True)
    text = (tmp_path / "c/report.md").read_text()
    assert "The best" not in text
    assert "## total_steps=100" in text and "## total_steps=900" in text


def test_keys_that_make_no_difference_to_returns_do_not_divide(tmp_path):
    swept = {"num_threads": [1, 2], "env.frame_stack": [1, 4], "seed": [0, 1]}
    write_sweep(tmp_path / "s", swept, lambda v: {100: 5.0})
    (group,) = read_groups(tmp_path / "s")
    assert group.label == "" and len(group.settings) == 4


def test_a_key_that_tells_directories_apart_has_no_sensitivity(tmp_path):
    for name, gamma in (("a", 0.9), ("b", 0.98)):
        swept = {"agent.epsilon": [0.1, 0.2], "seed": [0, 1]}
        write_sweep(tmp_path / name, swept, lambda v: {100: 5.0 + v["seed"]}, agent__gamma=gamma)
    write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "c", compares=True)
    found = {path.stem for path in (tmp_path / "c/plots").iterdir()}
    assert found == {"settings", "curves", "profiles", "sensitivity_epsilon"}


def test_the_threshold_is_that_of_the_environment_also_where_a_module_registers_it(tmp_path):
    for name, found in (
        ("CartPole-v1", 475.0),
        ("gymnasium.envs.classic_control:CartPole-v1", 475.0),
        ("gymnasium.envs.classic_control:CartPoleEnv", None),
        ("nowhere:CartPole-v7", None),
    ):
        write_single(tmp_path / name, {100: 5.0}, env__id=name)
        (group,) = read_groups(tmp_path / name)
        assert group.threshold == found


def test_a_ranking_by_steps_needs_a_threshold(tmp_path):
    write_sweep(tmp_path / "s", {"agent.gamma": [0.9, 0.98]}, lambda v: {100: 5.0}, env__id="A-v0")
    with pytest.raises(ConfigError, match="Set it with --threshold"):
        read_groups(tmp_path / "s", ranking=RANKINGS["steps"])
    (group,) = read_groups(tmp_path / "s", ranking=RANKINGS["steps"], threshold=4.0)
    assert group.threshold == 4
