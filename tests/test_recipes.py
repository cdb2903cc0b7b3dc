"""Every recipe can be composed, tells its source and command, and trains."""

import re

import pytest
import yaml

from dqn_exp.config.conf_dir import conf_dir
from tests.command import run_here, table_of
from tests.conftest import make_config

RECIPES = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))

SINGLE = {
    "double": {"agent.target.kind": "double"},
    "dueling": {"network.dueling": True},
    "n_step": {"agent.n_step": 3},
    "prioritized": {"buffer.kind": "prioritized"},
    "noisy": {"network.noisy": True},
    "c51": {"agent.value.kind": "categorical"},
    "qr_dqn": {"agent.value.kind": "quantile"},
    "munchausen": {"agent.target.kind": "munchausen"},
}

RAINBOW = ("double", "dueling", "n_step", "prioritized", "noisy", "c51")

WITHOUT = {
    "double": {"agent.target.kind": "greedy"},
    "dueling": {"network.dueling": False},
    "n_step": {"agent.n_step": 1},
    "priorities": {"buffer.kind": "uniform"},
    "noise": {"network.noisy": False},
    "distribution": {"agent.value.kind": "scalar"},
}

SWITCHES = {key: None for switch in SINGLE.values() for key in switch}


def switches_of(*options: str) -> dict[str, object]:
    values = make_config(*options).hyperparameters()
    return {key: values[key] for key in SWITCHES}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_tells_its_command(recipe):
    text = (conf_dir() / "experiment" / f"{recipe}.yaml").read_text()
    assert re.search(rf"#   python -m dqn_exp.train .*experiment={recipe}\b", text)
    assert "https://" in text or recipe == "smoke"
    make_config(f"experiment={recipe}")


@pytest.mark.parametrize("recipe", SINGLE)
def test_the_recipe_of_an_ingredient_has_that_ingredient_alone(recipe):
    assert switches_of(f"experiment={recipe}") == switches_of() | SINGLE[recipe]


def test_rainbow_is_its_ingredients_together_and_each_can_be_taken_out():
    rainbow = switches_of("experiment=rainbow")
    expected = switches_of()
    for ingredient in RAINBOW:
        expected |= SINGLE[ingredient]
    assert rainbow == expected
    options = {path.stem for path in (conf_dir() / "without").glob("*.yaml")}
    assert options == {"nothing", *WITHOUT}
    for option, switch in WITHOUT.items():
        assert switches_of("experiment=rainbow", f"without={option}") == rainbow | switch
    assert switches_of("experiment=rainbow", "without=nothing") == rainbow


def test_taking_the_noise_out_brings_random_actions_back():
    assert make_config("experiment=rainbow").agent.epsilon == 0
    agent = make_config("experiment=rainbow", "without=noise").agent
    assert agent.epsilon_start == 1 and agent.epsilon > 0


def test_one_line_trains_the_ablation(tmp_path, monkeypatch, capsys):
    short = (
        *("trainer.total_steps=80", "agent.learning_starts=40", "agent.batch_size=8"),
        *("eval.episodes=1", "eval.every_steps=null", "network.hidden_sizes=[8]", "seed=0,1"),
    )
    ended = run_here(
        ["-m", "experiment=ablation", *short, "num_threads=1", "engine=torch", "hydra.sweep.dir=s"],
        tmp_path, monkeypatch, capsys,
    )  # fmt: skip
    assert ended.status == 0, ended
    rows = table_of(tmp_path / "s")
    assert [row["status"] for row in rows] == ["completed"] * 14
    assert {row["without"] for row in rows} == {"nothing", *WITHOUT}
    for row in rows:
        text = (tmp_path / "s" / row["dir"] / ".hydra" / "config.yaml").read_text()
        network = yaml.safe_load(text)["network"]
        assert network["noisy"] == (row["without"] != "noise")
        assert network["dueling"] == (row["without"] != "dueling")
