"""Sweeps become jobs."""

import pytest

from dqn_exp.sweep.setting_rows import number_or_text
from tests.command import table_of


def test_keys_of_one_option_are_left_out_of_jobs_with_others(command, tmp_path):
    sweep = ("agent/value=scalar,quantile", "agent.value.num_quantiles=4,8", "engine=torch")
    assert command("-m", *sweep, "hydra.sweep.dir=s").status == 0
    rows = [
        (row["agent/value"], row["agent.value.num_quantiles"]) for row in table_of(tmp_path / "s")
    ]
    assert rows == [("scalar", ""), ("quantile", "4"), ("quantile", "8")]
    single = ("buffer=uniform,prioritized", "buffer.priority_exponent=0.25", "engine=torch")
    assert command("-m", *single, "hydra.sweep.dir=t").status == 0
    assert [row["dir"] for row in table_of(tmp_path / "t")] == [
        "0_buffer=uniform", "1_buffer=prioritized",
    ]  # fmt: skip
    page = (tmp_path / "t/1_buffer=prioritized/.hydra/config.yaml").read_text()
    assert "priority_exponent: 0.25" in page


def test_directories_of_many_jobs_sort(command, tmp_path):
    assert (
        command("-m", "seed=range(11)", "trainer.total_steps=20", "hydra.sweep.dir=s").status == 0
    )
    names = [row["dir"] for row in table_of(tmp_path / "s")]
    assert names[0] == "00_seed=0" and names == sorted(names)


def test_a_swept_recipe_cannot_select_a_launcher(command, tmp_path):
    folder = tmp_path / "mine/experiment"
    folder.mkdir(parents=True)
    head = "# @package _global_\n"
    (folder / "a.yaml").write_text(head + "{}\n")
    (folder / "b.yaml").write_text(
        head + "defaults:\n  - override /hydra/launcher: population_processes\n"
    )
    ended = command("--config-dir", "mine", "-m", "experiment=a,b", "hydra.sweep.dir=s")
    assert ended.status == 2 and not (tmp_path / "s").exists()
    assert "hydra/launcher: a swept recipe selects population_processes, but the" in ended.err


def test_a_recipe_needs_its_first_line(command, tmp_path):
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/x.yaml").write_text("agent: {gamma: 0.9}\n")
    ended = command("--config-dir", "mine", "experiment=x")
    path = tmp_path / "mine/experiment/x.yaml"
    line = f"experiment=x: the first line of {path} must be: # @package _global_"
    assert ended.status == 2 and ended.err.strip() == line


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ("seed=0,1", "seed=2,3"),
            "seed: expected all values of a swept key at once, got seed=0,1",
        ),
        (
            ("seed=0,0,1",),
            "seed: expected different values, got 0 several times in seed=0,0,1: its",
        ),
        (
            ("agent.target_update_period=10,20,10.0",),
            "agent.target_update_period: expected different values, got 10 several times",
        ),
        (
            ("hydra.sweeper.mode=zip", "agent.gamma=0.9,0.90", "agent.epsilon=0.1,1e-1"),
            "hydra.sweeper.mode=zip: agent.gamma=0.9 agent.epsilon=0.1 occurs several times",
        ),
        (
            ("hydra.sweeper.settings=5",),
            "hydra.sweeper.settings: expected the name of a file, got 5.",
        ),
        (
            ("experiment=smoke,book_sweep",),
            "hydra/sweeper: a swept recipe declares a sweep over agent.gamma, agent.ep",
        ),
        (
            ("experiment=smoke,search_cartpole",),
            "hydra/sweeper: a swept recipe declares hydra/sweeper=search. Train it in a sweep",
        ),
    ],
)
def test_values_are_given_once(command, tmp_path, overrides, line):
    ended = command("-m", *overrides, "hydra.sweep.dir=s")
    assert ended.status == 2 and ended.err.splitlines()[-1].startswith(line), ended
    assert not (tmp_path / "s").exists()


def test_keys_of_a_kind_belong_to_all_options_of_that_kind(command, tmp_path):
    sweep = (
        "network=mlp,conv,minatar",
        "network.convolutions=[[2,3,1]]",
        "network.hidden_sizes=[4]",
    )
    game = ("env=minatar", "env.game=breakout", "env.max_episode_steps=20")
    assert command("-m", *sweep, *game, "engine=torch", "hydra.sweep.dir=s").status == 0
    pages = [
        (tmp_path / "s" / row["dir"] / ".hydra/config.yaml").read_text()
        for row in table_of(tmp_path / "s")
    ]
    assert ["convolutions" in page for page in pages] == [False, True, True]
    assert all("- - 2\n    - 3\n    - 1\n" in page for page in pages[1:])


@pytest.mark.parametrize(
    ("one", "two", "are_equal"),
    [
        *(("10", "10.0", True), ("1e3", "1_000", True), ("a", "a", True), ("nan", "nan", True)),
        *(("9007199254740992", "9007199254740993", False), ("0.1", "0.10001", False)),
    ],
)
def test_values_are_equal_if_they_are_the_samenumber_or_text(one, two, are_equal):
    assert (number_or_text(one) == number_or_text(two)) == are_equal


def test_a_forced_value_replaces_the_declared_ones(command, tmp_path):
    declared = "hydra.sweeper.params={agent.gamma: '0.9,0.95', agent.epsilon: '0.1,0.2'}"
    ended = command("-m", declared, "++agent.gamma=0.98", "engine=torch", "hydra.sweep.dir=s")
    assert ended.status == 0, ended
    assert [row["agent.epsilon"] for row in table_of(tmp_path / "s")] == ["0.1", "0.2"]
    pages = [path.read_text() for path in (tmp_path / "s").glob("*/.hydra/config.yaml")]
    assert all("gamma: 0.98" in page for page in pages)


def test_a_value_for_one_option_of_a_zipped_group_is_no_pair(command, tmp_path):
    pairs = ("buffer=uniform,prioritized", "agent.gamma=0.9,0.99", "buffer.capacity=500")
    ended = command("-m", "hydra.sweeper.mode=zip", *pairs, "engine=torch", "hydra.sweep.dir=s")
    assert ended.status == 0, ended
    found = [(row["buffer"], row["agent.gamma"]) for row in table_of(tmp_path / "s")]
    assert found == [("uniform", "0.9"), ("prioritized", "0.99")]


def test_pairs_may_share_values(command, tmp_path):
    pairs = ("agent.gamma=0.9,0.9,0.99", "agent.epsilon=0.1,0.2,0.2", "engine=torch")
    assert command("-m", "hydra.sweeper.mode=zip", *pairs, "hydra.sweep.dir=s").status == 0
    assert len(table_of(tmp_path / "s")) == 3
