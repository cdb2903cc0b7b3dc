import json

import pytest

from dqn_exp.core.errors import EpisodeError
from dqn_exp.files.failed_episode import (
    FailedEpisode,
    load_failed_episode,
    replay_advice,
    save_failed_episode,
)


def test_an_episode_comes_back(tmp_path):
    assert replay_advice(tmp_path) == ""
    error = EpisodeError("it broke", 7, [0, 1])
    error.episode = "training episode 3"
    save_failed_episode(tmp_path, {"id": "A-v0"}, error)
    expected = FailedEpisode({"id": "A-v0"}, "training episode 3", "it broke", 7, [0, 1])
    assert load_failed_episode(tmp_path) == expected
    assert replay_advice(tmp_path).endswith(" --failed")


def test_what_is_missing_or_damaged_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"^--failed: expected a run whose environment failed"):
        load_failed_episode(tmp_path)
    (tmp_path / "failed_episode.json").write_text(json.dumps({"seed": 3}))
    with pytest.raises(ValueError, match="expected an episode"):
        load_failed_episode(tmp_path)
