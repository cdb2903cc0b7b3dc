"""Settings that are listed one by one."""

import pytest

from dqn_exp.core.errors import ConfigError
from dqn_exp.sweep.setting_rows import file_rows
from tests.command import table_of


def values_in(folder, *keys):
    return [tuple(row[key] for key in keys) for row in table_of(folder)]


def test_zip_pairs_values_and_crosses_them_with_seeds(command, tmp_path):
    pairs = ("agent.gamma=0.9,0.8", "agent.learning_rate=1e-3,1e-4")
    ended = command("-m", *pairs, "seed=range(2)", "hydra.sweeper.mode=zip", "hydra.sweep.dir=s")
    assert ended.status == 0, ended
    assert values_in(tmp_path / "s", "agent.gamma", "agent.learning_rate", "seed") == [
        *(("0.9", "0.001", "0"), ("0.9", "0.001", "1")),
        *(("0.8", "0.0001", "0"), ("0.8", "0.0001", "1")),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings.csv", 'agent.gamma, network.hidden_sizes\n0.9,"[8]"\n0.8,"[4,4]"\n'),
        (
            "settings.yaml",
            "- {agent.gamma: 0.9, network.hidden_sizes: [8]}\n"
            "- {agent.gamma: 0.8, network.hidden_sizes: [4, 4]}\n",
        ),
    ],
)
def test_a_file_lists_settings(name, text, command, tmp_path):
    (tmp_path / name).write_text(text)
    ended = command("-m", "seed=3,5", f"hydra.sweeper.settings={name}", "hydra.sweep.dir=s")
    assert ended.status == 0, ended
    keys = ("agent.gamma", "network.hidden_sizes", "seed")
    found = [tuple(one.replace(" ", "") for one in row) for row in values_in(tmp_path / "s", *keys)]
    assert found == [
        *(("0.9", "[8]", "3"), ("0.9", "[8]", "5")),
        *(("0.8", "[4,4]", "3"), ("0.8", "[4,4]", "5")),
    ]


def test_a_setting_of_a_file_is_checked_as_any_other(command, tmp_path):
    (tmp_path / "s.csv").write_text("agent.gamma\n0.9\n1.5\n")
    ended = command("-m", "hydra.sweeper.settings=s.csv", "hydra.sweep.dir=s")
    assert ended.status == 2 and not (tmp_path / "s").exists()
    assert "agent.gamma: expected at most 1, got 1.5. (job 1: agent.gamma=1.5)" in ended.err


def test_an_empty_cell_leaves_the_key_out(tmp_path):
    (tmp_path / "s.csv").write_text("agent.gamma,agent.epsilon\n0.9,\n,0.1\n")
    rows, keys = file_rows(str(tmp_path / "s.csv"), [])
    assert rows == [["agent.gamma=0.9"], ["agent.epsilon=0.1"]]
    assert keys == ["agent.gamma", "agent.epsilon"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent.gamma\n0.9,3\n", "expected as many values in each line as in the first one."),
        ("agent.gamma,agent.epsilon\n0.9\n", "expected as many values in each line"),
        ("agent.gamma\n", "hydra.sweeper.settings: expected settings in .*, got none."),
        ("seed\n3\n", "seed: set by the command and in .*; remove one."),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text, message, tmp_path):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        file_rows(str(tmp_path / "s.csv"), ["seed"])
