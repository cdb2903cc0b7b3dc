import pytest

from dqn_exp.core.errors import ConfigError, describe_error, last_line_of


def test_a_config_error_has_a_line_per_problem():
    error = ConfigError(["a: wrong.", "b: wrong."])
    assert str(error) == "a: wrong.\nb: wrong." and error.problems == ["a: wrong.", "b: wrong."]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("first\nValueError: second\nthird"), "ValueError: second"),
        (ValueError("first\nsecond"), "second"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_the_last_line_that_mentions_an_error_is_taken(error, expected):
    assert last_line_of(error) == expected


def test_an_error_is_described_in_one_line():
    assert describe_error(OSError("disk full")) == "OSError: disk full"
