import re
import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException

from dqn_exp.sweep.hydra_messages import explain, explain_twice


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Could not override 'agent.gama'.\nKey 'gama'", "agent.gama: unknown key. Did you mean"),
        (
            "Could not override 'hydra.launcher.num_wrokers'.",
            "hydra.launcher.num_wrokers: unknown key of hydra/launcher=population, whose keys are ",
        ),
        (
            "Could not append to config. An item is already at 'agent.gamma'.\n...",
            "+agent.gamma: the key already exists. Leave out the +: agent.gamma=VALUE",
        ),
        (
            "Could not delete from config. 'agent.epsilon_start' does not exist.",
            "~agent.epsilon_start: agent.epsilon_start is already null. Remove this override.",
        ),
        ("Could not delete from config. 'agent.foo' does not exist.", "agent.foo: unknown key."),
        (
            "Could not override 'env.kwargs.gravity'.\nKey",
            "env.kwargs.gravity: unknown key. A new key of a mapping needs a +: +env.kwargs.",
        ),
        (
            "Multiple values for experiment. To override",
            "+experiment=NAME: the group experiment has an option already, which this",
        ),
        (
            "Cannot find primary config 'foo'. Check",
            "--config-name=foo: no such config exists. Recipes are selected with experiment=NAME.",
        ),
        ("Ambiguous value for argument 'seed=1,2'\n1. ...", "seed=1,2: several values; add -m"),
        (
            "Ambiguous value for argument 'agent.gamma=0,99'\n1. ...",
            "agent.gamma=0,99: these are two values, 0 and 99. Add -m to sweep over them; a "
            "decimal number is written agent.gamma=0.99",
        ),
        (
            "Could not override 'hydra.verbos'.",
            "hydra.verbos: unknown key of Hydra. Did you mean hydra.verbose? List its keys with",
        ),
        ("Sweep parameters 'seed=1,2' requires --multirun", "seed=1,2: several values; add -m"),
        ("  anything else \n", "anything else"),
    ],
)  # fmt: skip
def test_messages_of_hydra_are_told_in_the_words_of_this_project(text, told):
    assert explain(HydraException(text)).startswith(told)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("agent.gamma", "agent.gamma: expected key=value."),
        (
            "agent.gamma:0.9",
            "agent.gamma:0.9: expected an = in place of the colon. Write agent.gamma=0.9",
        ),
        ("agent.gamma==0.9", "agent.gamma: expected a single =. Write agent.gamma=0.9"),
        ("hydra.run.dir=o/lr=1", "needs quotes of its own: 'hydra.run.dir=\"o/lr=1\"'"),
        ('env.kwargs={"a": 3}', "keys of a mapping take no quotes. Write 'env.kwargs={a: 3}'"),
        (
            "env.kwargs={a=3, b=4}",
            "space after the keys of a mapping. Write 'env.kwargs={a: 3, b: 4}'",
        ),
        (
            "network.hidden_sizes=[1,2",
            "the . in .1,2 is not closed. Write, .*, 'network.hidden_sizes=.1,2.'",
        ),
        ("seed=range(3", r"the . in range.3 is not closed. Write, .*, 'seed=range\(3\)'"),
        (
            "agent.gamma='0.9",
            "a quote is not closed in '0.9. Numbers and names need none: agent.gamma=0.9",
        ),
        ("seed=1,", "the value ends with a comma. Leave it out: seed=1"),
        (
            "${seed}=1",
            "${seed}=1: expected a key before the =, such as agent.gamma, got '${seed}'.",
        ),
        ("seed=choice()", "seed: choice() has no values. List some: -m 'seed=choice(A,B)'"),
        (
            "agent.gamma=0.9;seed=1",
            "unexpected ; in 0.9;seed=1. Separate overrides with a space: agent.gamma=0.9 seed=1",
        ),
        (
            "agent.gamma=[0.9",
            "not closed. Write agent.gamma=0.9 or, for a list, 'agent.gamma=[0.9]'",
        ),
    ],
)
def test_syntax_errors_show_what_to_type(override, told):
    with pytest.raises(OverrideParseException) as caught:
        OverridesParser.create().parse_overrides([override])
    message = explain(caught.value)
    key = override.partition("=")[0].partition(":")[0]
    assert message.startswith(key) and "\n" not in message and "hydra.cc" not in message
    if ".*" in told:
        assert re.search(told, message)
    else:
        assert told in message


@pytest.mark.parametrize(
    "remedy", ["'hydra.run.dir=\"o/lr=1\"'", "'env.kwargs={a: 3, b: 4}'", "'seed=range(3)'"]
)
def test_what_is_to_be_typed_can_be_parsed(remedy):
    OverridesParser.create().parse_override(remedy.strip("'"))


def test_a_blank_after_a_comma_is_joined(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train", "agent.gamma=0.9,", "0.99"])
    with pytest.raises(OverrideParseException) as caught:
        OverridesParser.create().parse_overrides(["agent.gamma=0.9,"])
    told = explain(caught.value)
    assert told.endswith("Leave out the space, and add -m: -m agent.gamma=0.9,0.99")


def test_keys_that_are_given_twice_are_told():
    assert explain_twice(["seed=1", "-m", "agent.gamma=0.9", "seed=2"]) == [
        "seed is given 2 times; the last value is used: seed=2"
    ]
    assert explain_twice(["seed=1", "eval.seed=1"]) == []
    # The sweep says what it expects.
    assert explain_twice(["-m", "seed=1,2", "seed=3"]) == []
    assert len(explain_twice(["network.hidden_sizes=[1,2]", "network.hidden_sizes=[3]"])) == 1


def test_a_group_without_an_option_is_named(monkeypatch):
    error = HydraException("Config group override must be a string or a list. Got NoneType")
    monkeypatch.setattr(sys, "argv", ["train", "report=false", "experiment=null", "seed=1"])
    assert explain(error).startswith("experiment=null: expected the name of an option")
