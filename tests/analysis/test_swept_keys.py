"""Keys in which runs differ, and their values."""

from dqn_exp.analysis.swept_keys import sort_values
from dqn_exp.files.job_list import JobEntry, begin_job_list
from tests.conftest import config_values
from tests.sweep_files import (
    SWEPT,
    read_settings,
    returns_of,
    write_run,
    write_single,
    write_sweep,
)


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


def write_targets(folder, names, *, tells=True):
    """Writes a sweep over an option of a group, whose name is no key of a config."""
    entries = []
    for number, name in enumerate(names):
        texts = {"agent/target": name, "seed": str(number)} if tells else {"seed": str(number)}
        config = config_values(agent__target={"kind": name}, seed=number)
        entries.append(JobEntry(number, f"{number}", f"{number}", [], texts, {}, config))
        write_run(folder / f"{number}", {300: 1.0 + number}, seed=number)
    begin_job_list(folder, {}, entries)


def test_settings_are_the_same_whether_or_not_a_directory_tells_the_option_of_a_group(tmp_path):
    write_targets(tmp_path / "a", ["greedy", "double", "double", "greedy"])
    keys, settings = read_settings(tmp_path / "a")
    assert keys == ["agent/target"] and sorted(len(one.scores) for one in settings) == [2, 2]
    write_targets(tmp_path / "b", ["double", "greedy", "greedy", "double"], tells=False)
    keys, settings = read_settings(tmp_path / "a", tmp_path / "b")
    assert keys == ["agent.target.kind"] and [len(one.scores) for one in settings] == [4, 4]


def test_a_number_is_one_value_however_it_was_written(tmp_path):
    for name, steps in (("a", 300), ("b", 300.0), ("c", 300.5)):
        write_single(tmp_path / name, {300: 1.0}, agent__max_grad_norm=steps)
    keys, settings = read_settings(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert keys == ["agent.max_grad_norm"]
    assert sorted(one.values["agent.max_grad_norm"] for one in settings) == ["300", "300.5"]
    assert settings[0].num_repeated + settings[1].num_repeated == 1
