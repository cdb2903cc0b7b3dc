import copy
from typing import Any

import pytest

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.config.messages import known_keys, suggest
from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from tests.conftest import config_values, make_config


def problems_of(**overrides: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_config(**overrides)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_whole_floats_are_integers_and_others_are_not():
    config = make_config(buffer__capacity=1e5, trainer__total_steps=2e4, seed=3.0)
    assert (config.buffer.capacity, config.trainer.total_steps, config.seed) == (100_000, 20_000, 3)
    assert problems_of(buffer__capacity=1.5) == ["buffer.capacity: expected an integer, got 1.5."]


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("agent__gamma", 1.5, "agent.gamma: expected at most 1, got 1.5."),
        ("agent__gamma", "high", "agent.gamma: expected a number, got 'high'."),
        ("agent__gamma", float("nan"), "agent.gamma: expected a finite number, got nan."),
        ("agent__learning_rate", 0, "agent.learning_rate: expected more than 0, got 0."),
        ("agent__epsilon", -0.1, "agent.epsilon: expected at least 0, got -0.1."),
        ("agent__batch_size", 0, "agent.batch_size: expected at least 1, got 0."),
        (
            "agent__target_update_period",
            0,
            "agent.target_update_period: expected at least 1, got 0.",
        ),
        ("seed", -1, "seed: expected at least 0, got -1."),
        ("num_threads", 0, "num_threads: expected at least 1, got 0."),
        ("trainer__total_steps", 0, "trainer.total_steps: expected at least 1, got 0."),
        ("eval__episodes", 0, "eval.episodes: expected at least 1, got 0."),
        ("log__every_steps", 0, "log.every_steps: expected at least 1, got 0."),
        ("log__progress", "maybe", "log.progress: expected true or false, got 'maybe'."),
        (
            "network__activation",
            "gelu",
            "network.activation: expected 'relu' or 'tanh', got 'gelu'.",
        ),
        ("engine", "numpy", "engine: expected 'auto', 'native' or 'torch', got 'numpy'."),
        (
            "agent__loss",
            "mes",
            "agent.loss: expected 'mse', 'huber', 'cross_entropy' or 'quantile_huber', got 'mes'.",
        ),
        ("agent__batch_size", True, "agent.batch_size: expected an integer, got true."),
        (
            "agent__bootstrap_truncated",
            1,
            "agent.bootstrap_truncated: expected true or false, got 1.",
        ),
        ("agent", 3, "agent: expected a group of keys, got 3."),
        (
            "network__hidden_sizes",
            128,
            "network.hidden_sizes: expected a list, got 128. A list with one value: network.hidden_sizes=[128]",
        ),
        ("network__hidden_sizes", [0], "network.hidden_sizes.0: expected at least 1, got 0."),
        ("env__kwargs", 1, "env.kwargs: expected a group of keys, got 1."),
        ("env__id", 1, "env.id: expected a string, got 1."),
        ("agent__gama", 0.9, "agent.gama: unknown key. Did you mean agent.gamma?"),
        ("gamma", 0.9, "gamma: unknown key. Did you mean agent.gamma?"),
        ("seeds", 1, "seeds: unknown key. Did you mean seed?"),
        ("agent__zzz", 1, "agent.zzz: unknown key. List the keys with --cfg job."),
    ],
)
def test_each_problem_is_one_line_that_names_the_key(key, value, line):
    assert problems_of(**{key: value}) == [line]


@pytest.mark.parametrize(
    ("overrides", "beginning"),
    [
        ({"agent__batch_size": 101, "buffer__capacity": 100, "agent__learning_starts": 9}, "agent.batch_size: expected at most"),
        ({"agent__learning_starts": 10_000}, "agent.learning_starts: expected less than"),
        ({"agent__target_update_tau": 0.1}, "agent.target_update_period, agent.target_update_tau:"),
        ({"agent__target_update_period": None}, "agent.target_update_period, agent.target_update_tau:"),
        ({"agent__epsilon_start": 1.0}, "agent.epsilon_start, agent.epsilon_decay_steps:"),
        ({"agent__epsilon_decay_steps": 10}, "agent.epsilon_start, agent.epsilon_decay_steps:"),
        ({"agent__learning_rate_end": 1e-4}, "agent.learning_rate_end, agent.learning_rate_decay_steps: expected both"),
        (
            {"agent__epsilon": 0.0, "agent__epsilon_start": 1.0, "agent__epsilon_decay_steps": 9, "agent__epsilon_decay": "exponential"},
            "agent.epsilon_decay: expected linear where agent.epsilon or agent.epsilon_start is 0, got exponential",
        ),
        ({"agent__epsilon_decay": "exponential"}, "agent.epsilon_decay: expected linear, got exponential without agent.epsilon_start"),
        ({"agent__learning_rate": 1e300}, "agent.learning_rate: expected a magnitude from 1e-30 to 1e30, got 1e+300."),
        ({"agent__loss": "cross_entropy"}, "agent.loss: expected mse or huber with agent/value=scalar, got cross_entropy."),
        (
            {"agent__n_step": 200, "buffer__capacity": 100, "agent__learning_starts": 9},
            "agent.n_step: expected at most buffer.capacity, which is 100, got 200.",
        ),
        ({"trainer__total_steps": None}, "trainer.total_steps, trainer.total_episodes:"),
    ],
)  # fmt: skip
def test_contradictions_are_problems(overrides, beginning):
    (line,) = problems_of(**overrides)
    assert line.startswith(beginning)


@pytest.mark.parametrize(
    ("options", "overrides", "line"),
    [
        (("agent/value=categorical",), {"agent__value__v_min": 100.0}, "agent.value.v_min: expected less than agent.value.v_max, which is 100.0, by more than 0.0001 of it, got 100.0."),
        (("agent/value=categorical",), {"agent__value__num_atoms": 1}, "agent.value.num_atoms: expected at least 2, got 1."),
        (("agent/value=categorical",), {"agent__loss": "huber"}, "agent.loss: expected cross_entropy with agent/value=categorical, got huber. The options of agent/value set both."),
        (("agent/value=quantile",), {"agent__value__num_atoms": 3}, "agent.value.num_atoms: unknown key. It belongs to agent/value=categorical."),
        ((), {"buffer__priority_exponent": 0.5}, "buffer.priority_exponent: unknown key. It belongs to buffer=prioritized."),
        (("buffer=prioritized",), {"buffer__priority_exponent": 1.5}, "buffer.priority_exponent: expected at most 1, got 1.5."),
        (("buffer=prioritized",), {"buffer__priority_exponnt": 1.5}, "buffer.priority_exponnt: unknown key. Did you mean buffer.priority_exponent?"),
        ((), {"buffer__kind": "oldest"}, "buffer.kind: expected 'uniform' or 'prioritized' or 'custom', got 'oldest'."),
        ((), {"agent__value": "categorical"}, "agent.value: expected a group of keys, got 'categorical'. Select it with agent/value=categorical."),
        ((), {"agent__optimizer__decay": 0.9}, "agent.optimizer.decay: unknown key. It belongs to agent/optimizer=rmsprop."),
    ],
)  # fmt: skip
def test_keys_of_options_are_told_with_the_option(options, overrides, line):
    with pytest.raises(ConfigError) as caught:
        make_config(*options, **overrides)
    assert caught.value.problems == [line]


def test_a_kind_of_another_option_lacks_that_options_keys():
    lines = problems_of(buffer__kind="prioritized")
    assert len(lines) == 5 and all("It belongs to buffer=prioritized." in line for line in lines)


def test_all_problems_are_told_at_once():
    lines = problems_of(agent__gamma=2, agent__gama=1, seed=-1, env={})
    assert len(lines) == 9
    assert "env.id: missing; expected a value for this key." in lines


def remove(values: dict[str, Any], key: str) -> None:
    *groups, name = key.split(".")
    for group in groups:
        values = values[group]
    del values[name]


OPTIONS = [
    (),
    ("buffer=prioritized", "agent/value=categorical", "agent/optimizer=rmsprop"),
    ("agent/value=quantile", "agent/target=munchausen", "network=conv"),
    ("agent/target=custom", "network=custom", "buffer=custom"),
]


CUSTOM = dict.fromkeys(("agent__target__target", "network__target", "buffer__target"), "m:C")


def test_no_key_is_missing_without_being_told():
    found = set()
    for options in OPTIONS:
        for key, option in known_keys().items():
            if option and option not in options and not (options == () and option.endswith("adam")):
                continue
            changed = config_values(*options, **CUSTOM if "network=custom" in options else {})
            remove(changed, key)
            with pytest.raises(ConfigError, match=rf"^{key}: missing"):
                to_config(changed)
            found.add(key)
    assert found == set(known_keys())


def test_every_option_of_every_group_makes_a_config():
    groups = (
        "agent",
        "agent/target",
        "agent/value",
        "agent/optimizer",
        "network",
        "buffer",
        "env",
        "without",
    )
    options = [(g, path.stem) for g in groups for path in (conf_dir() / g).glob("*.yaml")]
    assert len(options) >= 18
    for group, option in options:
        # The import path of a custom component has no default.
        key = f"{group}.target".replace("/", "__").replace(".", "__")
        make_config(f"{group}={option}", **({key: "m:C"} if option == "custom" else {}))


def test_building_a_config_leaves_the_values_unchanged():
    values = config_values()
    before = copy.deepcopy(values)
    to_config(values)
    assert values == before


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("agent.gama", "agent.gamma"),
        ("agnet", "agent"),
        ("epsilon", "agent.epsilon"),
        ("agent.capacity", "buffer.capacity"),
        ("trainer.steps", "trainer.total_steps"),
        ("bufer.capacity", "buffer.capacity"),
        ("value", "agent/value=categorical or agent/value=quantile or agent/value=scalar"),
        ("optimizer", "agent/optimizer=adam or agent/optimizer=rmsprop"),
    ],
)
def test_the_nearest_known_key_is_suggested(wrong, right):
    assert suggest(wrong) == f" Did you mean {right}?"
