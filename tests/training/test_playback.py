"""Episodes of a run, played again."""

import csv

import pytest

from dqn_exp.training.playback import PlaybackRequest, play_back
from tests.conftest import make_config, train_in_folders


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    config = make_config(trainer__total_steps=200, eval__episodes=3, env__max_episode_steps=40)
    train_in_folders([config], [folder])
    return folder


def test_the_final_evaluation_is_played_again(trained):
    step, episodes = play_back(PlaybackRequest(trained))
    with (trained / "evaluations.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["step"] == str(step)]
    found = [(str(one.seed), one.return_, str(one.length)) for one in episodes]
    assert step == 200
    assert found == [(row["seed"], float(row["return"]), row["length"]) for row in rows]


def test_the_number_and_the_seed_of_episodes_can_be_chosen(trained):
    _, first = play_back(PlaybackRequest(trained, episodes=5, seed=1))
    _, second = play_back(PlaybackRequest(trained, episodes=5, seed=2))
    seeds = [one.seed for one in first], [one.seed for one in second]
    assert len(seeds[0]) == len(seeds[1]) == 5 and not set(seeds[0]) & set(seeds[1])


def test_films_exist_once_all_episodes_are_played(trained, tmp_path):
    request = PlaybackRequest(trained, episodes=2, video=tmp_path / "a.mp4", gif=tmp_path / "a.gif")
    _, episodes = play_back(request)
    next(episodes)
    assert not request.video.exists() and not request.gif.exists()
    next(episodes)
    assert next(episodes, None) is None
    assert request.video.exists() and request.gif.exists()


def test_a_directory_without_a_policy_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a checkpoint"):
        play_back(PlaybackRequest(tmp_path))
