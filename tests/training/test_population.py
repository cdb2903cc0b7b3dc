"""A run is the same, bit for bit, whatever it is trained with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.files.result import Result
from dqn_exp.files.run_record import RunRecord
from dqn_exp.training.build_trainer import make_trainer
from dqn_exp.training.progress import NoProgress
from dqn_exp.training.trainer import Trainer
from tests import probes
from tests.conftest import make_config, results_of, some_of, train_in_folders
from tests.stepping import tick

SHORT = {
    "agent__learning_starts": 40,
    "agent__batch_size": 16,
    "trainer__total_steps": 150,
    "eval__every_steps": 60,
    "eval__episodes": 3,
    "env__max_episode_steps": 30,
    "log__every_steps": 50,
}


def make_runs(count: int, **overrides: object) -> list[Config]:
    """Runs that differ in everything in which the runs of a population may."""
    gammas, epsilons, rates = (0.9, 0.98, 0.99), (0.0, 0.05, 0.3), (1e-3, 2e-3, 5e-3)
    return [
        make_config(
            **{
                **SHORT,
                "seed": 1_000 + i,
                "agent__gamma": gammas[i % 3],
                "agent__epsilon": epsilons[i // 3 % 3],
                "agent__epsilon_start": 0.5 if i % 2 else None,
                "agent__epsilon_decay_steps": 70 if i % 2 else None,
                "agent__learning_rate": rates[i // 2 % 3],
                "agent__max_grad_norm": (None, 0.5, 10.0)[i % 3],
                "agent__target_update_period": None if i % 5 == 4 else 1 + i % 7,
                "agent__target_update_tau": 0.01 if i % 5 == 4 else None,
                "agent__learning_starts": 40 + i % 4 * 9,
                "agent__train_every": 1 + i % 3,
                "agent__bootstrap_truncated": i % 2 == 0,
                "buffer__capacity": (60, 100, 1_000)[i % 3] + 20,
                "trainer__total_steps": 150 - 11 * (i % 4),
                "trainer__total_episodes": None if i % 6 else 9,
                **overrides,
            }
        )
        for i in range(count)
    ]


NETWORKS = (
    *(([128], "mse"), ([128], "huber"), ([256, 256], "mse"), ([33], "mse"), ([10, 7], "mse")),
)


@pytest.mark.parametrize(
    ("num_threads", "network"),
    some_of(
        [
            *((1, ([10, 7], "mse")), (2, ([33], "mse"))),
            (4, ([128], "mse")),
        ],
        [1, 2, 4],
        NETWORKS,
    ),
    ids=str,
)
@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_run_alone_equals_the_same_run_in_a_population(train, num_threads, network, engine):
    hidden_sizes, loss = network
    options = {"num_threads": num_threads, "network__hidden_sizes": hidden_sizes}
    options |= {"engine": engine}
    options |= {"agent__loss": loss, "network__activation": "relu" if loss == "mse" else "tanh"}
    configs = make_runs(32, **options)
    among_32 = train(configs, "32")
    for name, rows in {
        "1": [5],
        "another 1": [5],
        "2": [31, 5],
        "7": [0, 1, 2, 5, 8, 13, 30],
    }.items():
        for folder, row in zip(train([configs[row] for row in rows], name), rows, strict=True):
            assert results_of(folder) == results_of(among_32[row])


@pytest.mark.parametrize(
    ("hidden_sizes", "env", "option"),
    some_of(
        [
            ([7, 1], "CartPole-v0", "agent/value=scalar"),
        ],
        [[1], [7, 1], [1, 9], [128]],
        ["CartPole-v0", "ProbeObservationReward-v0"],
        ["agent/value=scalar", "agent/value=quantile"],
    ),
)
def test_the_same_holds_for_layers_of_one_unit_and_for_one_action(train, hidden_sizes, env, option):
    probes.register()
    runs = make_runs(5, network__hidden_sizes=hidden_sizes, env__id=env)
    if option.endswith("quantile"):
        quantile = {"kind": "quantile", "num_quantiles": 1}
        changed = {"value": quantile, "loss": "quantile_huber"}
        runs = [
            to_config({**values, "engine": "auto", "agent": {**values["agent"], **changed}})
            for values in (run.model_dump() for run in runs)
        ]
    together = train(runs, "together")
    for row in (1, 4):
        assert results_of(train([runs[row]], f"alone {row}")[0]) == results_of(together[row])


@pytest.mark.parametrize(
    "env",
    [
        pytest.param("Acrobot-v1", marks=pytest.mark.slow),
        pytest.param("MountainCar-v0", marks=pytest.mark.slow),
        "ProbeWalk-v0",
    ],
)
def test_the_same_holds_for_other_environments(train, env):
    probes.register()
    configs = make_runs(5, env__id=env)
    together = train(configs, "together")
    for row in (0, 3):
        assert results_of(train([configs[row]], f"alone {row}")[0]) == results_of(together[row])


def test_poisoning_one_run_changes_no_byte_of_the_others(train):
    healthy = make_runs(7)
    poisoned = list(healthy)
    # A learning rate that sends the parameters beyond all numbers at the first updates.
    poisoned[3] = make_runs(7, agent__learning_rate=1e30, agent__loss="mse")[3]
    folders = train(poisoned, "poisoned")
    for row, folder in enumerate(train(healthy, "healthy")):
        if row != 3:
            assert results_of(folder) == results_of(folders[row])
    assert '"status": "diverged"' in (folders[3] / "result.json").read_text()
    assert not (folders[3] / "checkpoint.pt").exists()


@pytest.mark.parametrize("learning_rate", [1e4, 1e6, 1e8])
def test_a_run_that_diverges_does_so_alone_as_among_others(train, learning_rate):
    # Numbers grow beyond all bounds over some updates, also in ticks in which only others learn.
    configs = make_runs(8, agent__loss="mse", trainer__total_episodes=None)
    wild = {"agent__learning_rate": learning_rate, "agent__loss": "mse"}
    for row in (0, 2, 3, 6):
        configs[row] = make_runs(8, **wild, trainer__total_episodes=None)[row]
    together = train(configs, "together")
    statuses = set()
    for row, config in enumerate(configs):
        (alone,) = train([config], f"alone {row}")
        assert results_of(alone) == results_of(together[row])
        first, second = (
            json.loads((folder / "result.json").read_text()) for folder in (alone, together[row])
        )
        for result in (first, second):
            del result["seconds"]
        assert first == second
        statuses.add(first["status"])
    assert "completed" in statuses


def test_two_seeds_differ_in_every_random_stream(train, tmp_path):
    configs = [make_config(**SHORT, seed=seed, engine="torch") for seed in (1, 2)]
    trainer = make_bare_trainer(configs, tmp_path)
    assert not np.array_equal(trainer._episodes.observations[0], trainer._episodes.observations[1])
    agent, engine = trainer._agent, trainer._engine
    assert not torch.equal(agent.online[0], agent.online[1])
    rows, start = np.arange(2), np.zeros(2, dtype=np.int64)
    for stream in (agent.exploration, engine._sampling, trainer._episodes._seeds):
        first, second = stream.read(rows, start)
        assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("count", "num_threads", "hidden_sizes"),
    [(1, 1, [128]), (2, 2, [256, 256]), (7, 4, [128]), (7, 2, [256, 256]), (32, 2, [128])],
)
@pytest.mark.parametrize("engine", ["native", "torch"])
def test_runs_that_stand_at_different_steps_go_on_as_they_would_alone(
    tmp_path, count, num_threads, hidden_sizes, engine
):
    endless = {"trainer__total_steps": 100_000, "trainer__total_episodes": None}
    options = {"num_threads": num_threads, "network__hidden_sizes": hidden_sizes}
    configs = make_runs(count, **options, **endless, engine=engine)
    check_staggered(configs, tmp_path, starts=[13 * row % 160 for row in range(count)])


def test_a_serial_environment_is_brought_back_by_its_actions(tmp_path):
    probes.register()
    config = make_config(**SHORT, env__id="ProbeWalk-v0")
    first = make_bare_trainer([config], tmp_path / "first")
    for _ in range(77):
        tick(first)
    second = make_bare_trainer([config], tmp_path / "second")
    second.load_state_dict(0, first.state_dict(0))
    for trainer in (first, second):
        for _ in range(40):
            tick(trainer)
    assert_equal_states(first.state_dict(0), second.state_dict(0))


def make_bare_trainer(configs: list[Config], folder: Path) -> Trainer:
    records = []
    for index, config in enumerate(configs):
        directory = folder / str(index)
        directory.mkdir(parents=True)
        result = Result("running", config.seed, config.hash())
        values = config.model_dump()
        values["log"]["tensorboard"] = False
        records.append(RunRecord(directory, result, values))
    return make_trainer(
        configs,
        records,
        on_end=lambda: None,
        progress=NoProgress(),
        should_stop=lambda: False,
    )


def check_staggered(configs: list[Config], folder: Path, starts: list[int]) -> None:
    """Runs that join a population at different steps go on in it as they would alone."""
    alone = [make_bare_trainer([config], folder / f"alone {i}") for i, config in enumerate(configs)]
    together = make_bare_trainer(configs, folder / "together")
    for row, (trainer, start) in enumerate(zip(alone, starts, strict=True)):
        for _ in range(start):
            tick(trainer)
        together.load_state_dict(row, trainer.state_dict(0))
    for trainer in (together, *alone):
        for _ in range(60):
            tick(trainer)
    for row, trainer in enumerate(alone):
        assert_equal_states(trainer.state_dict(0), together.state_dict(row))


def assert_equal_states(first: object, second: object) -> None:
    if isinstance(first, dict):
        assert isinstance(second, dict) and first.keys() == second.keys()
        for key in first:
            assert_equal_states(first[key], second[key])
    else:
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_a_run_that_is_stopped_before_its_first_checkpoint_begins_again(tmp_path, monkeypatch):
    config = make_config("experiment=smoke", trainer__total_steps=200, engine="torch")
    folders = [tmp_path / "stopped", tmp_path / "alone"]
    for folder in folders:
        folder.mkdir()

    def stop(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunRecord, "save", stop)
        train_in_folders([config], folders[:1])
    found = json.loads((folders[0] / "result.json").read_text())
    assert (found["status"], found["steps"], found["updates"]) == ("interrupted", 0, 0)
    for folder in folders:
        train_in_folders([config], [folder])
    assert results_of(folders[0]) == results_of(folders[1])


def test_a_run_alone_is_the_same_where_wrappers_carry_statistics(train):
    configs = [
        make_config(
            "experiment=smoke",
            seed=every,
            env__id="tests.odd_envs:with_statistics",
            trainer__total_steps=300,
            eval__every_steps=every,
            eval__episodes=3,
            engine="torch",
        )
        for every in (50, 75)
    ]
    together = train(configs, "together")
    (alone,) = train(configs[1:2], "alone")
    assert results_of(together[1]) == results_of(alone)
