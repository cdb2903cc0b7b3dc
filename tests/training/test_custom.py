"""Networks, target rules, buffers, environments, metrics and callbacks of the user's modules."""

import sys

import gymnasium
import numpy as np
import pytest
import torch

import dqn_exp
from dqn_exp.agent.td_target import GreedyTarget
from dqn_exp.buffer.base import Buffer
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.files.checkpoint import NEWEST, load_checkpoint
from dqn_exp.network.mlp import MLP
from dqn_exp.training.preflight import check_config
from tests.conftest import make_config, train_in_folders
from tests.files.test_run_record import load_events

HERE = "tests.training.test_custom"
SMALL = {
    "engine": "torch",
    "trainer__total_steps": 200,
    "trainer__total_episodes": None,
    "agent__learning_starts": 50,
    "eval__every_steps": 100,
    "eval__episodes": 2,
    "network__hidden_sizes": [8],
}
TOLD: list[tuple] = []


class SameMLP(MLP):
    pass


class WrongShape(MLP):
    def forward(self, parameters, observations):
        return super().forward(parameters, observations)[:, :, :1]


class SameTarget(GreedyTarget):
    pass


class SameBuffer(UniformBuffer):
    pass


class PlainBuffer:
    """Has what the interface of buffers names, and nothing else."""

    def __init__(self, *arguments, **named):
        self._inner = UniformBuffer(*arguments, **named)
        self.sizes = self._inner.sizes
        for name in vars(Buffer):
            if not name.startswith("_"):
                setattr(self, name, getattr(self._inner, name))


class Failing:
    def __init__(self, *arguments, **named):
        raise RuntimeError("not today")


def make_env(length=20):
    return gymnasium.make("CartPole-v1", max_episode_steps=length)


def mean_value(given):
    return given.q_values.mean()


def failing_metric(given):
    raise RuntimeError("not today")


def exiting_metric(given):
    sys.exit(3)


class Recorder(dqn_exp.Callback):
    def on_episode(self, run, step, return_, length):
        TOLD.append((run.directory.name, "episode", step, return_, length))

    def on_evaluation(self, run, step, returns):
        TOLD.append((run.directory.name, "evaluation", step, float(returns.mean())))

    def on_end(self, run, status):
        TOLD.append((run.directory.name, "end", status))


class Clumsy(dqn_exp.Callback):
    def on_episode(self, run, step, return_, length):
        TOLD.append("clumsy")
        raise RuntimeError("not today")


def tables_of(folder) -> list[bytes]:
    return [(folder / f"{name}.csv").read_bytes() for name in ("episodes", "evaluations")]


def train(folder, *options, **overrides):
    configs = [make_config(*options, **{**SMALL, **overrides}, seed=seed) for seed in (0, 1)]
    folders = [folder / str(seed) for seed in (0, 1)]
    for one in folders:
        one.mkdir(parents=True)
    results = train_in_folders(configs, folders)
    assert [result.status for result in results] == ["completed"] * 2
    return folders


@pytest.mark.parametrize(
    ("option", "key", "name"),
    [
        ("network=custom", "network__target", "SameMLP"),
        ("agent/target=custom", "agent__target__target", "SameTarget"),
        ("buffer=custom", "buffer__target", "SameBuffer"),
        ("buffer=custom", "buffer__target", "PlainBuffer"),
    ],
)
def test_a_component_that_changes_nothing_has_the_results_of_that_of_the_package(
    tmp_path, option, key, name
):
    own = train(tmp_path / "own", option, **{key: f"{HERE}:{name}"})
    other = train(tmp_path / "other")
    for one, two in zip(own, other, strict=True):
        assert tables_of(one) == tables_of(two)
        states = [load_checkpoint(folder / NEWEST).state for folder in (one, two)]
        assert torch.equal(*(state["engine"]["agent"]["online"] for state in states))


@pytest.mark.parametrize(
    ("option", "key", "path", "said"),
    [
        ("network=custom", "network__target", f"{HERE}:Nothing", "network.target: tests.training"),
        ("network=custom", "network__target", "no_module:X", "network.target: importing no_module"),
        ("network=custom", "network__target", f"{HERE}:Failing", "RuntimeError: not today"),
        ("network=custom", "network__target", f"{HERE}:WrongShape", "expected outputs of shape"),
        ("agent/target=custom", "agent__target__target", f"{HERE}:Failing", "agent.target.target:"),
        ("buffer=custom", "buffer__target", f"{HERE}:Failing", "buffer.target: creating"),
        (None, "callbacks", [f"{HERE}:SameMLP"], "expected a subclass of dqn_exp.Callback"),
        (None, "callbacks", [f"{HERE}:Nothing"], "callbacks: tests.training.test_custom has no"),
        (None, "log__metrics", [f"{HERE}:HERE"], "log.metrics: expected a function"),
        (
            None,
            "log__metrics",
            [f"{HERE}:mean_value", f"{HERE}:mean_value"],
            "expected one me",
        ),
    ],
)
def test_what_is_wrong_with_a_component_is_said_before_anything_trains(option, key, path, said):
    options = [option] if option else []
    (problem,) = check_config(make_config(*options, **{**SMALL, key: path}))
    assert said in problem and "\n" not in problem


def test_an_environment_is_a_callable(tmp_path):
    folders = train(
        tmp_path, env__id=f"{HERE}:make_env", env__max_episode_steps=None, env__kwargs={"length": 7}
    )
    lengths = [
        int(row.split(",")[3]) for row in (folders[0] / "episodes.csv").read_text().split()[1:]
    ]
    assert max(lengths) == 7


def test_metrics_are_logged_and_an_error_ends_only_the_metric(tmp_path, caplog):
    paths = [f"{HERE}:{name}" for name in ("mean_value", "failing_metric", "exiting_metric")]
    folders = train(tmp_path, log__metrics=paths, log__every_steps=100, log__tensorboard=True)
    events = load_events(folders[1])
    assert [one.step for one in events.Scalars("custom/mean_value")] == [100, 200]
    assert np.isfinite(events.Scalars("custom/mean_value")[-1].value)
    assert "custom/failing_metric" not in events.Tags()["scalars"]
    assert "Metric failing_metric raised RuntimeError: not today" in caplog.text
    assert "Metric exiting_metric raised SystemExit: 3" in caplog.text


def test_training_leaves_the_threads_of_torch_as_they_were(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        train(tmp_path, engine="torch")
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_callbacks_are_told_what_the_files_hold_and_an_error_ends_only_the_callback(
    tmp_path, caplog
):
    TOLD.clear()
    folders = train(tmp_path, callbacks=[f"{HERE}:Recorder", f"{HERE}:Clumsy"])
    assert TOLD.count("clumsy") == 2 and "Clumsy.on_episode raised RuntimeError" in caplog.text
    for folder in folders:
        told = [one[1:] for one in TOLD if one[0] == folder.name]
        rows = [row.split(",") for row in (folder / "episodes.csv").read_text().split()[1:]]
        episodes = [("episode", int(r[0]), float(r[2]), int(r[3])) for r in rows]
        assert [one for one in told if one[0] == "episode"] == episodes and episodes
        assert [one[1] for one in told if one[0] == "evaluation"] == [100, 200]
        assert told[-1] == ("end", "completed")
    plain = train(tmp_path / "plain")
    assert [tables_of(one) for one in plain] == [tables_of(one) for one in folders]


def test_objects_of_python_are_named_by_their_import_paths(tmp_path):
    settings = {
        "experiment": "smoke",
        "env.id": make_env,
        "env.max_episode_steps": None,
        "network": "custom",
        "network.target": SameMLP,
        "callbacks": [Recorder],
        "trainer.total_steps": 100,
        "report": False,
    }
    TOLD.clear()
    results = dqn_exp.train(settings, directory=tmp_path / "r", quiet=True)
    assert results.runs["network.target"].tolist() == [f"{HERE}:SameMLP"]
    assert TOLD[-1] == ("r", "end", "completed")
