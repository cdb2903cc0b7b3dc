"""Runs with images: both engines, and a run alone, among others and resumed."""

import numpy as np
import pytest

from dqn_exp.agent.native.tasks import help_with
from dqn_exp.config.schema import Config
from dqn_exp.files import run_record
from dqn_exp.files.checkpoint import NEWEST, load_checkpoint
from dqn_exp.files.filmstrip_file import read_filmstrip, write_filmstrip
from dqn_exp.files.result import read_result
from dqn_exp.training import build_native, helpers
from tests import image_envs
from tests.conftest import make_config, results_of
from tests.resuming import check_resumed
from tests.stepping import tick
from tests.training.test_population import check_staggered, make_bare_trainer

image_envs.gymnasium.spec("Pictures-v0")  # Registered by the import.

pytestmark = pytest.mark.xdist_group("images")  # They share compiled code.

SMALL = {
    "env__id": "Pictures-v0",
    "agent__batch_size": 8,
    "agent__learning_starts": 30,
    "agent__train_every": 2,
    "agent__epsilon": 0.2,
    "buffer__capacity": 90,
    "checkpoint__every_steps": 37,
    "eval__every_steps": 90,
    "eval__episodes": 2,
    "trainer__total_steps": 150,
}
CONV = {"network__convolutions": [[16, 3, 1]], "network__hidden_sizes": []}
DEEP = {"network__convolutions": [[16, 3, 1], [32, 2, 1]], "network__hidden_sizes": [20]}
ODD = {"env__kwargs": {"shape": [9, 11], "is_binary": True}, "env__frame_stack": 3}
ZEROS = {"env__frame_padding": "zeros"}


def make_run(*options: str, **overrides: object) -> Config:
    network = [] if any(one.startswith("network=") for one in options) else ["network=conv"]
    chosen = {"engine": "native", **SMALL, **overrides}
    return make_config(*network, *options, **chosen)


RAINBOW = ("agent/value=categorical", "agent/target=double", "buffer=prioritized")
RAINBOW_KEYS = {"agent__n_step": 3, "network__dueling": True, "network__noisy": True}
AGENTS = {
    "no hidden layer": ((), CONV),
    "two convolutions, stack": ((), {**DEEP, **ODD, **ZEROS}),
    "stride": ((), {"network__convolutions": [[32, 3, 2]], "env__frame_stack": 2}),
    "no convolutions": (("network=mlp",), {"env__frame_stack": 4, **ZEROS}),
    "rainbow": (RAINBOW, {**DEEP, **RAINBOW_KEYS}),
    "quantiles": (("agent/value=quantile",), {**CONV, "agent__value__num_quantiles": 5}),
}
SHORT = ("two convolutions, stack",)
each = pytest.mark.parametrize(
    "name",
    [name if name in SHORT else pytest.param(name, marks=pytest.mark.slow) for name in AGENTS],
)


def make_population(count: int, engine: str, **overrides: object) -> list[Config]:
    # Compiled code is that of "two convolutions, stack", which takes seconds to compile.
    options = ("buffer=prioritized",) if engine == "torch" else ()
    return make_others(count, engine, *options, **overrides)


def make_others(count: int, engine: str, *options: str, **overrides: object) -> list[Config]:
    overrides = {"network__activation": "tanh", **overrides}
    return [
        make_run(
            *options,
            engine=engine,
            seed=seed,
            agent__gamma=0.9 + 0.01 * seed,
            buffer__capacity=60 + 20 * (seed % 3),
            **{"trainer__total_steps": 150 - 11 * (seed % 4), **DEEP, **ODD, **overrides},
        )
        for seed in range(count)
    ]


@pytest.mark.parametrize("engine", ["native", pytest.param("torch", marks=pytest.mark.slow)])
def test_a_run_alone_is_the_same_among_others_and_on_several_threads(train, engine):
    together = train(make_population(7, engine, num_threads=4), "together")
    for row in (0, 4):
        config = make_population(7, engine, num_threads=4)[row]
        assert results_of(train([config], f"alone {row}")[0]) == results_of(together[row])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_run_of_rainbow_alone_is_the_same_among_others(train, engine):
    configs = make_others(5, engine, *RAINBOW, **RAINBOW_KEYS)
    together = train(configs, "together")
    for row in (0, 3):
        assert results_of(train([configs[row]], f"alone {row}")[0]) == results_of(together[row])


@each
def test_updates_of_compiled_code_are_those_of_torch(tmp_path, name):
    options, keys = AGENTS[name]
    # With ReLU, a unit at the edge of 0 may be on one side here and on the other there.
    own = {**keys, "network__activation": "tanh", "agent__epsilon": 1.0}
    # Small steps: random pictures with random rewards are no stable task.
    own |= {"agent__learning_rate": 3e-4, "agent__gamma": 0.9}
    trainers = []
    for engine in ("torch", "native"):
        configs = [
            make_run(*options, **own, engine=engine, seed=seed, agent__train_every=10_000)
            for seed in (1, 2)
        ]
        trainers.append(make_bare_trainer(configs, tmp_path / engine))
    for trainer in trainers:
        for _ in range(149):  # Exploration is the same, so the buffers are as well.
            tick(trainer)
    steps = np.array([149, 149])
    # Sampling by priority: a position next to the end of a transition may lie in the next one.
    for _ in range(100 if "buffer=prioritized" in options else 300):
        for trainer in trainers:
            assert not trainer._engine.learn(np.array([True, True]), steps).any()
    theirs, ours = (trainer._agent.online for trainer in trainers)
    for run in range(2):
        difference = float((ours[run] - theirs[run]).norm() / theirs[run].norm())
        assert difference < 1e-5, difference
    buffers = [trainer._engine.buffer.state_dict(0) for trainer in trainers]
    for key in ("marks", "previous", "next", "values"):
        one, other = (np.asarray(state["frames"][key]) for state in buffers)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", [pytest.param("native", marks=pytest.mark.slow), "torch"])
def test_frames_are_stored_as_whole_observations_would_be(train, engine):
    """An environment that returns vectors has the same numbers, stored twice."""
    images, vectors = (
        make_run("network=mlp", engine=engine, env__kwargs={"is_vector": is_vector})
        for is_vector in (False, True)
    )
    (first,), (second,) = train([images], "images"), train([vectors], "vectors")
    for name in ("episodes.csv", "evaluations.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.parametrize(("num_runs", "num_threads"), [(1, 3), (2, 4)])
def test_helpers_of_runs_with_large_images_change_nothing(
    train, monkeypatch, num_runs, num_threads
):
    helped, found = [], []

    def note_help(spec, memory):
        helped.append(memory.numbers.ctypes.data)
        help_with(spec, memory)

    monkeypatch.setattr(build_native, "SHARED_ABOVE", 100)
    monkeypatch.setattr(helpers, "help_with", note_help)
    for count in (1, num_threads):
        before = len(helped)
        folders = train(make_population(num_runs, "native", num_threads=count), str(count))
        assert (len(helped) > before + 1) == (count > 1)  # Once to compile it.
        states = [load_checkpoint(folder / NEWEST).state for folder in folders]
        found.append([state["engine"]["agent"]["online"].numpy().tobytes() for state in states])
        found.append([
            (folder / file).read_bytes()
            for folder in folders
            for file in ("episodes.csv", "evaluations.csv")
        ])  # fmt: skip
    assert found[:2] == found[2:] and len(found[1]) == 2 * num_runs
    assert len(set(helped)) == num_runs  # Each thread has helpers.


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_run_that_is_killed_or_interrupted_ends_with_the_same_bytes(tmp_path, engine):
    check_resumed(make_population(3, engine), tmp_path, seed=5, latest_kill=120)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "engine"),
    [(env, engine) for env in ("minatar", "atari") for engine in ("native", "torch")],
)
def test_a_game_that_is_killed_or_interrupted_ends_with_the_same_bytes(tmp_path, env, engine):
    own = {"minatar": {}, "atari": {"network__convolutions": [[16, 8, 8]]}}[env]
    games = {key: value for key, value in SMALL.items() if key != "env__id"}
    configs = [
        make_config(
            *(f"env={env}", "network=conv", "buffer=prioritized"),
            **{**games, "engine": engine, "seed": seed, "agent__n_step": 3, **own},
        )
        for seed in range(3)
    ]
    check_resumed(configs, tmp_path, seed=6, latest_kill=120)


def test_frames_of_the_newest_evaluation_are_kept(train):
    (directory,) = train([make_run(engine="torch", **CONV, env__frame_stack=3)], "run")
    found = read_filmstrip(directory)
    assert found is not None and found.step == SMALL["trainer__total_steps"]
    table = (directory / "evaluations.csv").read_text().splitlines()
    *_, seed, _, length = table[-2].split(",")  # The first of two episodes.
    assert 1 <= len(found.frames) <= int(length)
    first, _ = image_envs.gymnasium.make("Pictures-v0").reset(seed=int(seed))
    np.testing.assert_array_equal(found.frames[0], first)


def test_a_run_whose_frames_cannot_be_written_fails_alone(train, monkeypatch):
    def write(directory, content):
        if directory.name == "1":
            raise OSError(28, "No space left on device")
        write_filmstrip(directory, content)

    monkeypatch.setattr(run_record, "write_filmstrip", write)
    configs = [make_run(engine="torch", seed=seed, **CONV) for seed in range(3)]
    results = [read_result(directory) for directory in train(configs, "runs")]
    assert [result.status for result in results] == ["completed", "failed", "completed"]
    assert "No space left on device" in results[1].error


def test_runs_at_different_steps_go_on_as_they_would_alone(tmp_path):
    configs = make_population(4, "torch", trainer__total_steps=100_000)
    check_staggered(configs, tmp_path, starts=[0, 13, 50, 90])
