"""The best settings of a sweep are trained again with fresh seeds."""

import json
import sys

import pytest

from dqn_exp import confirm
from dqn_exp.env import registry
from dqn_exp.sweep.confirm import _fresh_seeds, choose_settings
from tests.command import files_below, table_of
from tests.sweep_files import SWEPT, returns_of, write_sweep


@pytest.fixture
def confirmed(calling):
    return calling(confirm.main)


def test_fresh_seeds_are_trained_as_a_sweep_of_their_own(command, confirmed, resumed, tmp_path):
    sweep = ("agent.gamma=0.9,0.5,0.8", "seed=2,4", "hydra.sweep.dir=s")
    assert command("-m", *sweep).status == 0
    before = files_below(tmp_path / "s")
    ended = confirmed("s", "--top", "2", "--seeds", "3")
    assert ended.status == 0, ended
    assert "Confirming 2 settings with 3 fresh seeds." in ended.out
    rows = table_of(tmp_path / "s/confirmation")
    assert [row["seed"] for row in rows] == ["5", "6", "7"] * 2
    assert len({row["agent.gamma"] for row in rows}) == 2
    assert {row["status"] for row in rows} == {"completed"}
    for row in rows:
        folder = tmp_path / "s/confirmation" / row["dir"]
        assert json.loads((folder / "result.json").read_text())["seed"] == int(row["seed"])
        assert f"gamma: {row['agent.gamma']}" in (folder / ".hydra/config.yaml").read_text()
    after = files_below(tmp_path / "s")
    assert {name: after[name] for name in before} == before
    # It is resumed as any sweep, and not begun twice.
    assert "6 of 6 runs completed." in resumed("s/confirmation").out
    again = confirmed("s")
    assert again.status == 2 and "expected no earlier confirmation" in again.err


def test_environments_of_config_dir_are_found(command, confirmed, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/confirmed_envs.py").write_text(
        "from gymnasium.envs.classic_control import CartPoleEnv as Mine\n"
    )
    own = ("--config-dir", "mine", "env.id=confirmed_envs:Mine", "engine=torch")
    assert command(*own, "-m", "seed=0,1", "hydra.sweep.dir=s").status == 0
    monkeypatch.setattr(sys, "path", [one for one in sys.path if "mine" not in one])
    registry._import.cache_clear()
    sys.modules.pop("confirmed_envs")
    ended = confirmed("s", "--top", "1", "--seeds", "2")
    assert ended.status == 0, ended


def test_a_confirmed_run_is_the_one_that_a_command_trains(command, confirmed, tmp_path):
    sweep = ("agent.gamma=0.9,0.5", "seed=0,1", "hydra.sweep.dir=s")
    assert command("-m", *sweep).status == 0
    ended = confirmed("s", "--top", "1", "--seeds", "1")
    assert ended.status == 0
    (row,) = table_of(tmp_path / "s/confirmation")
    gamma = f"agent.gamma={row['agent.gamma']}"
    assert ended.out.splitlines()[-1].endswith(f", 1 seed: gamma={row['agent.gamma']}")
    assert command(gamma, "seed=2", "hydra.run.dir=alone").status == 0
    for name in ("episodes.csv", "evaluations.csv"):
        folder = tmp_path / "s/confirmation" / row["dir"]
        assert (folder / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_settings_are_chosen_by_the_statistic_of_a_search(tmp_path):
    def returns(values):
        return {100: 50.0 if values["agent.gamma"] == 0.5 else 100.0 * (values["seed"] > 0)}

    write_sweep(tmp_path, {"agent.gamma": [0.5, 0.9], "seed": [0, 1, 2, 3]}, returns)
    for statistic, gamma in ((None, "0.9"), ("iqm", "0.9"), ("min", "0.5")):
        (chosen,) = choose_settings(tmp_path, 1, statistic)
        assert chosen.values["agent.gamma"] == gamma


def test_settings_of_different_environments_take_turns(tmp_path):
    swept = {"env.id": ["CartPole-v1", "Acrobot-v1"], "agent.gamma": [0.5, 0.9], "seed": [0, 1]}
    write_sweep(tmp_path, swept, lambda v: {100: 90.0 if "Cart" in v["env.id"] else -80.0})
    chosen = choose_settings(tmp_path, 2, None)
    found = {one.runs[0].config["env.id"] for one in chosen}
    assert found == {"CartPole-v1", "Acrobot-v1"}


def test_what_cannot_be_confirmed_is_refused(command, confirmed, tmp_path):
    assert command("-m", "agent.learning_rate=1e29,1e30", "hydra.sweep.dir=none").status == 1
    (tmp_path / "empty").mkdir()
    assert command("-m", "seed=0,1", "hydra.sweep.dir=good").status == 0
    before = files_below(tmp_path)
    for arguments, message in (
        (("none",), "expected a setting whose runs have all completed."),
        (("empty",), "expected the directory of a run or of a sweep"),
        (("none", "agent.gamma=0.5"), "agent.gamma: would change the results"),
        (("none", "trainer.total_steps=999"), "trainer.total_steps"),
        (("none", "--top", "0"), "expected an integer of at least 1, got 0"),
        (("good", "device=cuda:99"), "device: expected a device of this machine"),
    ):
        ended = confirmed(*arguments)
        assert ended.status == 2 and message in ended.err, ended
    assert files_below(tmp_path) == before


def test_seeds_are_fresh_also_where_the_largest_was_used():
    assert _fresh_seeds({0, 7, 3}, 3) == [8, 9, 10]
    assert _fresh_seeds({0, 2**63 - 3}, 2) == [2**63 - 2, 2**63 - 1]
    assert _fresh_seeds({0, 2, 2**63 - 1}, 3) == [1, 3, 4]


def test_the_best_settings_are_chosen(tmp_path):
    from dqn_exp.analysis.summary import ranked_settings

    write_sweep(tmp_path / "s", SWEPT, returns_of)
    values = [one.values for one in ranked_settings(tmp_path / "s")]
    assert values[0] == {"agent.gamma": "0.99", "agent.epsilon": "0.05"}
    assert len(values) == 6
