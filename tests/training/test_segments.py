"""Segments: whatever their length, and on however many threads, a run computes the same."""

import json

import pytest

from dqn_exp.files.checkpoint import NEWEST, load_checkpoint
from dqn_exp.training import segment, segments, turns
from tests import odd_envs, probes
from tests.conftest import make_config, results_of, train_in_folders
from tests.stepping import tick
from tests.training.test_population import assert_equal_states, make_bare_trainer

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
    for name in ("SECONDS", "LEAST_SECONDS"):
        monkeypatch.setattr(segments, name, seconds)
    monkeypatch.setattr(segments, "SECONDS_PER_BYTE", 0.0)
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


def test_environments_that_play_elsewhere_play_at_once(tmp_path):
    log = odd_envs.Elsewhere.log
    log.clear()
    train(tmp_path, 2, env__id="OddElsewhere-v0", num_threads=1)
    kinds = [entry.split()[0] for entry in log]
    first = kinds.index("begin")  # A trial of the environment comes before.
    assert kinds[first : first + 4 * 90] == ["begin", "begin", "step", "step"] * 90


def make(folder, count: int, **overrides):
    configs = [make_config(**{**SETTINGS, "seed": seed, **overrides}) for seed in range(count)]
    return make_bare_trainer(configs, folder)


def test_an_environment_that_cannot_be_reset_fails_its_run_also_after_compiling(
    tmp_path, monkeypatch
):
    reset, answers = probes.Walk.reset, iter([True, False])

    def reset_later(self, **options):
        if next(answers, False) is False:
            return reset(self, **options)
        failed.append(self)
        raise RuntimeError("the simulator has not started")

    failed, stepped, step = [], set(), probes.Walk.step

    def note_step(self, action):
        stepped.add(self)
        return step(self, action)

    monkeypatch.setattr(probes.Walk, "reset", reset_later)
    monkeypatch.setattr(probes.Walk, "step", note_step)
    trainer = make(tmp_path, 2, env__id="ProbeWalk-v0", engine="native")
    trainer.train()
    results = [json.loads((tmp_path / f"{run}/result.json").read_text()) for run in range(2)]
    assert [result["status"] for result in results] == ["failed", "completed"]
    assert "the simulator has not started" in results[0]["error"]
    assert stepped and not stepped.intersection(failed)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "ProbeWalk-v0"])
def test_nothing_is_left_to_compile_when_training_begins(tmp_path, monkeypatch, env_id):
    called = set()

    def listen(module, name):
        kernel = getattr(module, name)

        def listening(*arguments):
            called.add(name)
            return kernel(*arguments)

        monkeypatch.setattr(module, name, listening)

    listen(turns, "play")
    listen(segment, "advance")
    trainer = make(tmp_path, 1, env__id=env_id, engine="native")
    before = trainer.state_dict(0)
    trainer._compile()
    assert called == ({"advance"} if env_id == "CartPole-v1" else {"play"})
    assert_equal_states(before, trainer.state_dict(0))


def test_segments_are_short_where_there_are_many_runs_and_end_where_learning_begins(
    tmp_path, monkeypatch
):
    never_due = dict.fromkeys(("log__every_steps", "trainer__total_steps"), 10_000)
    never_due |= dict.fromkeys(("eval__every_steps", "checkpoint__every_steps"))
    sizes = {"agent__learning_starts": 9_000, "buffer__capacity": 9_500}
    trainer = make(tmp_path, 50, engine="native", **sizes, **never_due)
    ends, player, speeds = [], trainer._stepper._player, trainer._stepper._speeds
    advance = player.advance

    def listening(records, runs, worker):
        ends.append(int(records["until"][runs[0]]))
        advance(records, runs, worker)

    monkeypatch.setattr(player, "advance", listening)
    monkeypatch.setattr(speeds, "note", lambda is_learning, speed: None)
    monkeypatch.setattr(segments, "SECONDS", 0.01)
    trainer.advance()
    assert ends[0] == 2  # For two milliseconds, at 1,000 steps a second.
    speeds._known[False] = 1e9
    ends.clear()
    trainer.advance()
    assert ends[0] == 9_001  # The first update, however fast the steps before are.


def test_segments_of_large_networks_are_longer_than_it_takes_to_change_runs(tmp_path):
    trainer = make(tmp_path, 2, engine="native")
    stepper = trainer._stepper
    assert stepper._num_bytes == 2 * 4 * 4 * trainer._agent.online.shape[1]  # There and back.
    assert stepper._lengths(2, 2, 2) == pytest.approx((0.02, 0.1))
    assert stepper._lengths(100, 100, 2) == (0.002, 0.1)
    stepper._num_bytes = 3e6
    assert stepper._lengths(10, 10, 2) == pytest.approx((0.03, 0.15))
    assert stepper._lengths(10, 5, 2) == pytest.approx((0.06, 0.15))
    assert stepper._lengths(100, 100, 2) == pytest.approx((0.02, 1.0))  # The longest stretch.


def test_rates_are_compared_only_where_as_many_runs_learn_as_before(tmp_path, monkeypatch):
    trainer = make(tmp_path, 2, env__id="ProbeWalk-v0", engine="native")
    player, noted = trainer._stepper._player, []
    monkeypatch.setattr(player, "note_rate", lambda rate: noted.append(rate))
    for _ in range(35):
        before = len(noted)
        tick(trainer)
        # More than 30 stored transitions, already when the step began.
        assert (len(noted) > before) == bool((trainer._engine.buffer.sizes > 31).all())
    assert noted
