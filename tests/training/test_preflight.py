"""Checks of configs with their environments and this machine."""

import numpy as np
import pytest

from dqn_exp.buffer.sum_tree import SumTree
from dqn_exp.env.trial import try_env
from dqn_exp.sweep.launcher import group_jobs
from dqn_exp.training import preflight
from dqn_exp.training.memory_estimate import estimate_memory, to_text
from dqn_exp.training.preflight import (
    check_config,
    evaluation_env,
    memory_of,
    notes_on,
    shape_of,
    training_env,
    try_config,
    try_evaluation,
    with_engine,
)
from tests import image_envs, odd_envs
from tests.conftest import make_config

image_envs.gymnasium.spec("Pictures-v0")  # Registered by the import.

IMAGES = {"env__id": "Pictures-v0"}


def test_evaluations_are_bounded_where_nothing_else_bounds_them():
    endless = make_config(env__id="OddEndless-v0", eval__max_episode_steps=70)
    assert training_env(endless).max_episode_steps is None
    assert evaluation_env(endless).max_episode_steps == 70
    (note,) = notes_on(endless)
    assert "evaluation episodes are cut off after 70 steps (eval.max_episode_steps)" in note
    limited = make_config(env__id="OddCorridor-v0", eval__max_episode_steps=7)
    assert evaluation_env(limited).max_episode_steps == 20 and list(notes_on(limited)) == []


def test_problems_of_an_environment_are_those_of_its_trial():
    assert check_config(make_config()) == []
    (problem,) = check_config(make_config(env__id="OddFourValues-v0"))
    assert "got 4 values" in problem
    with pytest.raises(ValueError, match="got 4 values"):
        shape_of(make_config(env__id="OddFourValues-v0"))


def test_what_does_not_depend_on_the_machine_is_checked_for_other_machines_too():
    for options, overrides, key in (
        (("network=conv",), {}, "network"),
        (("network=conv",), {**IMAGES, "buffer__capacity": 8_000_001}, "buffer.capacity"),
        ((), {**IMAGES, "agent__normalize_observations": True}, "agent.normalize_observations"),
        (("buffer=custom",), {"buffer__target": "tests.odd_envs:Nothing"}, "buffer.target"),
    ):
        config = make_config(*options, **overrides)
        (problem,) = check_config(config, is_remote=True)
        assert problem.startswith(f"{key}: ") and check_config(config) == [problem]
    elsewhere = make_config(device="cuda", buffer__capacity=2 * 10**9)
    assert check_config(elsewhere, is_remote=True) == []


def test_a_custom_buffer_that_stores_no_frames_is_refused_for_images():
    config = make_config(
        "buffer=custom", buffer__target="tests.training.test_custom:PlainBuffer", **IMAGES
    )
    (problem,) = check_config(config)
    assert problem.startswith("buffer.target: expected a buffer that stores frames")
    own = "tests.training.test_custom:SameBuffer"
    assert check_config(make_config("buffer=custom", buffer__target=own, **IMAGES)) == []


def test_zeros_pad_only_images_that_may_be_zero():
    own = {"env__id": "tests.odd_envs:HighImages", "env__frame_padding": "zeros"}
    (problem,) = check_config(make_config("network=conv", **own, env__frame_stack=2))
    assert problem.startswith("env.frame_padding: expected first, got zeros: the observations of")


def test_the_environment_of_evaluations_is_tried_once_and_compared(monkeypatch):
    wide = make_config(**IMAGES, eval__env_kwargs={"shape": [5, 6, 2]})
    (problem,) = check_config(wide)
    assert problem == (
        "eval.env_kwargs: expected an environment like that of training, with images of 6x5x2 with "
        "values from 0 to 255 and 3 actions, got one with images of 5x6x2 with values from 0 to "
        "255 and 3 actions."
    )
    (problem,) = check_config(make_config(**IMAGES, eval__env_kwargs={"is_binary": True}))
    assert "got one with images of 6x5x2 with values from 0 to 1" in problem
    tried = []
    monkeypatch.setattr(preflight, "try_env", lambda env: tried.append(env) or try_env(env))
    for seed in range(3):
        config = make_config(seed=seed, **IMAGES, eval__env_kwargs={"shape": [6, 5, 2, 1][:3]})
        assert check_config(config) == []
    assert len(tried) <= 2


def test_evaluations_in_an_environment_that_keeps_state_are_noted():
    name = "tests.odd_envs:perhaps_with_statistics"
    config = make_config(env__id=name, eval__env_kwargs={"normalizes": True})
    assert try_config(config).is_function and not try_evaluation(config).is_function
    assert any("led to other observations" in note for note in notes_on(config))


def test_a_class_that_is_defined_again_is_tried_again(monkeypatch):
    config = make_config(env__id="tests.odd_envs:Again")
    for kind, num_features in (("Corridor", 3), ("Several", 5)):
        monkeypatch.setattr(odd_envs, "Again", getattr(odd_envs, kind), raising=False)
        assert shape_of(config).num_features == num_features


def test_a_limit_of_the_environment_itself_is_one():
    config = make_config(env__id="tests.odd_envs:with_statistics")
    assert not any("no registered time limit" in note for note in notes_on(config))
    name = "tests.odd_envs:with_statistics"
    notes = list(notes_on(make_config(env__id=name, env__max_episode_steps=501)))
    assert notes[-1] == (
        f"{name} ends its episodes after 500 steps itself: the limit of 501 steps "
        "(env.max_episode_steps) has no effect."
    )


def test_a_learning_rate_that_ends_early_is_told():
    changed = {"agent__learning_rate_end": 1e-5, "agent__learning_rate_decay_steps": 100}
    (note,) = notes_on(make_config(**changed, trainer__total_steps=5_000))
    assert note.startswith("The learning rate stays 1e-05 from step 100 to 5,000 (agent.learning")
    assert list(notes_on(make_config(**changed, trainer__total_steps=100))) == []


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"buffer__capacity": 2_000_000_000}, "buffer.capacity"),
        ({"network__hidden_sizes": [65_536, 65_536, 65_536]}, "network.hidden_sizes"),
        ({"agent__batch_size": 500_000_000, "buffer__capacity": 500_000_000}, "agent.batch_size"),
    ],
)
def test_what_cannot_fit_is_refused_with_the_key_that_makes_it(overrides, key):
    (problem,) = check_config(make_config(engine="torch", **overrides))
    assert problem.startswith(f"{key}: the run needs about ") and "may be used: " in problem


def test_the_estimate_is_that_of_a_naive_count():
    config = make_config(buffer__capacity=1_000, network__hidden_sizes=[64], agent__n_step=3)
    estimate = estimate_memory(config, shape_of(config))
    assert estimate.buffer == 1_000 * (4 + 4 + 1 + 1 + 3) * 4
    assert estimate.parameters == (4 * 64 + 64 + 64 * 2 + 2) * 7 * 4
    assert memory_of(config) == sum(estimate)
    assert [to_text(size) for size in (2**20, 3 * 2**30, 2**41)] == [
        "1.0 MiB",
        "3.0 GiB",
        "2.0 TiB",
    ]


@pytest.mark.parametrize("capacity", [1, 8, 9, 1_000, 70_000])
def test_priorities_are_estimated_as_they_are_stored(capacity):
    keys = {"buffer__capacity": capacity, "agent__batch_size": 1, "agent__learning_starts": 0}
    plain, prioritized = (
        estimate_memory(config, shape_of(config)).buffer
        for config in (make_config(**keys), make_config("buffer=prioritized", **keys))
    )
    assert prioritized - plain == SumTree(np.array([capacity])).nodes.nbytes


def test_a_sweep_that_does_not_fit_is_split(caplog):
    class Job:
        def __init__(self, capacity: int) -> None:
            self.checked, self.environment = make_config(buffer__capacity=capacity), {}

    jobs = [Job(10_000 if index else 20_000) for index in range(6)]
    usable = 2.5 * memory_of(jobs[0].checked)
    with caplog.at_level("INFO"):
        groups = list(group_jobs(jobs, None, 1, usable))
    assert [len(group) for group in groups] == [2, 2, 2]
    assert "6 runs would take about" in caplog.text and "at most 2 train at once" in caplog.text
    assert [len(group) for group in group_jobs(jobs, None, 1, 1.0)] == [1] * 6


def test_the_engine_is_chosen_for_the_observations_and_the_outputs(monkeypatch):
    config = make_config().model_copy(update={"engine": "auto"})
    assert with_engine(config).engine == "native"
    wide = preflight.try_config(config)._replace(shape=preflight.EnvShape(28_224, 2))
    monkeypatch.setattr(preflight, "try_config", lambda _: wide)
    assert with_engine(config).engine == "torch"
