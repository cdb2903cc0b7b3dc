"""Settings of Python as overrides."""

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from dqn_exp.api.overrides import interval, to_overrides
from dqn_exp.core.errors import ConfigError


@pytest.mark.parametrize(
    "value",
    [
        *(0.99, 1e-5, 3, True, None, "cpu", "my module, 1='x'", "null", "0.5", "a=b", "", "ü"),
        *([64, 64], [], {"size": 4, "map_name": "4x4"}, "ALE/Pong-v5", "my_module:MyEnv-v0"),
        *(["a b", None], {"nested": {"a": [1.5]}}),
        *("C:\\runs", "x\ny", "it's", "a\\'b", "end\\", 'say "no"', "a\\\\"),
    ],
)
def test_hydra_reads_the_value_that_was_given(value):
    (override,) = to_overrides({"some.key": value})
    (parsed,) = OverridesParser.create().parse_overrides([override])
    found = parsed.value()
    assert (found == value and type(found) is type(value)) or str(found) == str(value)
    if isinstance(value, str):
        assert str(found) == value and not isinstance(found, int | float | bool | None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(3), [0, 1, 2]),
        ([0.9, 0.99], [0.9, 0.99]),
        (np.array([1e-3, 1e-2]), [1e-3, 1e-2]),
        ([[64], [128, 64]], [[64], [128, 64]]),
        (["a b", "c"], ["a b", "c"]),
        ([5], [5]),
        ([None, 10.0], [None, 10.0]),
        (["null", None], ["null", None]),
    ],
)
def test_several_values_are_a_sweep(values, expected):
    (override,) = to_overrides({"some.key": values}, sweeps=True)
    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert parsed.is_sweep_override()
    found = [getattr(one, "text", one) for one in parsed.value().list]
    assert found == expected


def test_ranges_of_a_search():
    assert interval(1e-4, 1e-2, log=True) == "tag(log,interval(0.0001,0.01))"
    assert interval(1, 100, integer=True) == "int(interval(1,100))"
    space = {"agent.gamma": interval(0.9, 1.0), "env.id": "choice_of_mine"}
    assert to_overrides(space, sweeps=True) == [
        "agent.gamma=interval(0.9,1.0)",
        "env.id=choice_of_mine",
    ]


def test_what_is_no_setting_is_refused():
    with pytest.raises(TypeError, match=r"expected a mapping such as .* got str"):
        to_overrides("seed=1")
    with pytest.raises(TypeError, match=r"agent\.gamma: expected a number"):
        to_overrides({"agent.gamma": object()})
    with pytest.raises(TypeError, match="at the top level of a module"):
        to_overrides({"env.id": lambda: None})
    with pytest.raises(ConfigError, match="seed: expected at least one value"):
        to_overrides({"seed": []}, sweeps=True)
    assert to_overrides(["seed=1"]) == ["seed=1"]
