"""Segments: whatever their length, and on however many threads, a run computes the same."""

import pytest

from dqn_exp.files.checkpoint import NEWEST, load_checkpoint
from dqn_exp.training import segments
from tests import probes
from tests.conftest import make_config, results_of, train_in_folders
from tests.training.test_population import assert_equal_states

probes.register()

SETTINGS = {
    "agent__learning_starts": 30,
    "agent__batch_size": 8,
    "buffer__capacity": 120,
    "env__max_episode_steps": 25,
    "eval__every_steps": 90,
    "eval__episodes": 2,
    "log__every_steps": 40,
    "network__hidden_sizes": [12],
    "trainer__total_steps": 300,
}


def train(folder, count: int, **overrides):
    folders = [folder / str(index) for index in range(count)]
    for one in folders:
        one.mkdir(parents=True)
    configs = [make_config(**{**SETTINGS, "seed": seed}, **overrides) for seed in range(count)]
    results = train_in_folders(configs, folders)
    assert [result.status for result in results] == ["completed"] * count
    return [dict(results_of(one)) for one in folders]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "ProbeWalk-v0"])
@pytest.mark.parametrize(("seconds", "most_finished"), [(0.0, 1_024), (0.003, 1_024), (0.1, 1)])
def test_the_length_of_segments_changes_nothing(
    tmp_path, monkeypatch, env_id, seconds, most_finished
):
    own = {"env__id": env_id, "num_threads": 2}
    expected = train(tmp_path / "expected", 3, **own)
    monkeypatch.setattr(segments, "SECONDS", seconds)
    monkeypatch.setattr(segments, "MAX_FINISHED", most_finished)
    assert train(tmp_path / "found", 3, **own) == expected


@pytest.mark.parametrize("num_threads", [2, 4])
@pytest.mark.parametrize("env_id", ["CartPole-v1", "ProbeWalk-v0"])
def test_the_number_of_threads_changes_nothing(tmp_path, env_id, num_threads):
    own = {"env__id": env_id, "agent__n_step": 3}
    expected = train(tmp_path / "one", 5, num_threads=1, **own)
    found = train(tmp_path / "several", 5, num_threads=num_threads, **own)
    for ours, theirs in zip(found, expected, strict=True):
        # A checkpoint has the config too, and with it the number of threads.
        del ours["checkpoint.pt"], theirs["checkpoint.pt"]
        assert ours == theirs and len(ours) == 2
    for run in range(5):
        states = [
            load_checkpoint(tmp_path / name / str(run) / NEWEST).state
            for name in ("one", "several")
        ]
        assert_equal_states(*states)


def test_a_compiled_environment_and_its_python_object_train_the_same(tmp_path):
    expected = train(tmp_path / "compiled", 2)
    # An additional keyword argument leads to the environment of Gymnasium itself.
    found = train(tmp_path / "python", 2, env__kwargs={"render_mode": None})
    for ours, theirs in zip(found, expected, strict=True):
        for name in ("episodes.csv", "evaluations.csv"):
            assert ours[name] == theirs[name]
