"""Search spaces in Hydra's override grammar."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from dqn_exp.core.errors import ConfigError
from dqn_exp.search.space import read_space


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("interval(0.9,0.99)", FloatDistribution(0.9, 0.99)),
        ("interval(1,2)", FloatDistribution(1.0, 2.0)),
        ("tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("int(interval(1,200))", IntDistribution(1, 200)),
        ("tag(log,int(interval(1,200)))", IntDistribution(1, 200, log=True)),
        # As in Hydra, the end of a range is not one of its values.
        ("range(1,10)", IntDistribution(1, 9)),
        ("range(10,31,5)", IntDistribution(10, 30, step=5)),
        ("tag(log,range(1,9))", IntDistribution(1, 8, log=True)),
        ("range(0.0,1.0,0.25)", FloatDistribution(0.0, 0.75, step=0.25)),
        ("choice(32,64)", CategoricalDistribution(["32", "64"])),
        ("choice([64],[64,64])", CategoricalDistribution(["[64]", "[64,64]"])),
        ("true,false", CategoricalDistribution(["True", "False"])),
    ],
)
def test_a_range_is_a_distribution(text, distribution):
    space = read_space({}, [f"some.key={text}", "other=3"])
    assert space.distributions == {"some.key": distribution} and space.fixed == ["other=3"]


def test_the_command_replaces_what_a_recipe_declares():
    declared = {"a": "interval(0,1)", "b": "interval(0,1)"}
    space = read_space(declared, ["a=0.5", "b=choice(1,2)"])
    assert space.fixed == ["a=0.5"] and list(space.distributions) == ["b"]
    forced = read_space(declared, ["++a=0.5"])
    assert forced.fixed == ["++a=0.5"] and list(forced.distributions) == ["b"]


def test_overrides_read_back_as_the_same_numbers():
    space = read_space({}, ["a=interval(0,1)", "b=choice([1,2],[3])"])
    value = 0.1 + 0.2
    assert space.overrides({"a": value, "b": "[1,2]"}, 7) == [f"a={value!r}", "b=[1,2]", "seed=7"]


def test_a_new_key_keeps_its_plus():
    space = read_space({}, ["+env.kwargs.size=interval(0,1)"])
    assert list(space.distributions) == ["env.kwargs.size"]
    assert space.overrides({"env.kwargs.size": 0.5}, 7) == ["+env.kwargs.size=0.5", "seed=7"]


def test_corners_have_each_end_and_each_choice():
    space = read_space({}, ["a=interval(0,1)", "b=choice(1,2,3)"])
    assert [tuple(one.values()) for one in space.corners()] == [
        *((0.0, "1"), (1.0, "1"), (0.0, "2"), (0.0, "3"))
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a=3"], "hydra/sweeper=search: expected a range to search, .* got none."),
        (["a=tag(log,interval(0,1))"], r"a: expected 0 < low <= high, got a=tag\(log,interval"),
        (["a=interval(2,1)"], r"a: expected low <= high, got a=interval\(2,1\)."),
        (["a=tag(log,choice(1,2))"], r"a: expected tag\(log, ...\) around interval"),
        (["a=tag(big,interval(0,1))"], "expected tag.log, .* got the tag big"),
        (["a=tag(log,range(10,31,5))"], r"a: expected a step of 1 with tag\(log"),
        (["a=interval(0,1)", "++seed=range(3)"], "seed: .* set hydra.sweeper.seeds instead."),
        (["a=interval(0,1)", "seed=range(3)"], "seed: .* set hydra.sweeper.seeds instead."),
        (["a=interval(0,1)", "seed=3"], "seed: .* set hydra.sweeper.seeds instead."),
    ],
)
def test_what_cannot_be_searched_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        read_space({}, arguments)
