"""Keys in which runs differ, and their values."""

from dqn_exp.analysis.swept_keys import sort_values
from tests.sweep_files import SWEPT, read_settings, returns_of, write_single, write_sweep


def test_further_directories_give_further_seeds_and_settings(tmp_path):
    write_sweep(tmp_path / "a", SWEPT, returns_of)
    more = {"agent.gamma": [0.99], "agent.epsilon": [0.05], "seed": [5, 6]}
    write_sweep(tmp_path / "b", more, returns_of)
    keys, settings = read_settings(tmp_path / "a", tmp_path / "b")
    assert keys == ["agent.gamma", "agent.epsilon"]
    assert sorted(len(setting.scores) for setting in settings) == [5] * 5 + [7]
    write_single(tmp_path / "c", {300: 1.0}, agent__target={"kind": "double"})
    keys, settings = read_settings(tmp_path / "a", tmp_path / "c")
    assert keys == ["agent.gamma", "agent.epsilon", "agent.target.kind"] and len(settings) == 7


def test_compared_directories_are_told_apart_by_what_is_different_in_their_names(tmp_path):
    one = {"agent.gamma": [0.9, 0.99], "seed": [0, 1]}
    for name in ("x/s", "y/s"):
        write_sweep(tmp_path / name, one, lambda values: {300: 100 * values["agent.gamma"]})
    write_single(tmp_path / "z", {300: 1.0}, agent__target={"kind": "double"})
    keys, settings = read_settings(
        tmp_path / "x/s", tmp_path / "y/s", tmp_path / "z", names_sources=True
    )
    # That one is double is told by its name: none of the directories differs in it.
    assert keys == ["source", "agent.gamma"] and len(settings) == 5
    assert {setting.values["source"] for setting in settings} == {"x/s", "y/s", "z"}
    assert settings[-1].label == "z, gamma=0.98"


def test_values_are_in_the_order_of_numbers_where_they_are_numbers():
    assert sort_values(["10", "9", "1e-3", "9"]) == ["1e-3", "9", "10"]
    assert sort_values(["b", "10", "9"]) == ["10", "9", "b"]
