import pickle

import pytest

from dqn_exp.core.errors import ConfigError, EpisodeError, describe_error, last_line_of


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


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(ConfigError(["a: wrong.", "b: wrong."])))
    assert str(error) == "a: wrong.\nb: wrong." and error.problems == ["a: wrong.", "b: wrong."]
    episode = pickle.loads(pickle.dumps(EpisodeError("it broke", 7, [0, 1])))
    assert (episode.reason, episode.seed, episode.actions) == ("it broke", 7, [0, 1])


def test_an_error_of_an_episode_tells_where_it_came():
    error = EpisodeError("it broke", 7, [0, 1])
    error.episode = "training episode 3"
    assert describe_error(error) == "it broke, at step 2 of training episode 3 (seed 7)"
    error.actions = []
    assert describe_error(error) == "it broke, at the reset of training episode 3 (seed 7)"
