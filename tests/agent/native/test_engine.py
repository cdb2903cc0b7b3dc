"""The native engine against the torch engine, update for update and in what it promises."""

from itertools import product

import numpy as np
import pytest
import torch

from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.torch_engine import TorchEngine
from dqn_exp.config.engine_choice import explain_engine
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.transition import Transition
from dqn_exp.network.mlp import MLP
from dqn_exp.training import build_engine as engine_assembly
from dqn_exp.training.trainer import Trainer
from tests.conftest import MUNCHAUSEN, make_config
from tests.training.test_population import assert_equal_states, make_bare_trainer

NUM_UPDATES = 1_000
LEVELS = {
    "network__activation": ["relu", "tanh"],
    "network__hidden_sizes": [[], [8], [9, 6]],
    "network__dueling": [False, True],
    "agent__target": [{"kind": "greedy"}, {"kind": "double"}],
    "agent__n_step": [1, 3],
    "agent__loss": ["mse", "huber"],
    "agent__max_grad_norm": [None, 0.5],
    "agent__target_update_tau": [None, 0.02],
    "buffer": ["uniform", "prioritized"],
}
ALL = [dict(zip(LEVELS, levels, strict=True)) for levels in product(*LEVELS.values())]
AT_THE_EDGE = (
    ("relu", [9, 6], False, {"kind": "double"}, 3, "mse", None, 0.02, "uniform"),
    ("relu", [9, 6], False, {"kind": "double"}, 3, "huber", None, 0.02, "prioritized"),
)
"""With the data of all others, a sum that goes into a ReLU unit is next to 0 in these combinations:
9e-9 in update 821 of the first one. The parameters of the engines differ by 1e-7 there, so that the
unit is on for one of them and off for the other whatever computes it. They are given data of which
none does that."""


def make_trainers(tmp_path, switches: dict, count: int = 2, **settings) -> list[Trainer]:
    """The same runs, on torch and on compiled code."""
    own = {"agent__batch_size": 8, "buffer__capacity": 200, "agent__learning_starts": 0}
    period = None if switches.get("agent__target_update_tau") else 10
    own |= {"agent__target_update_period": period, **switches, **settings}
    options = (f"buffer={own.pop('buffer', 'uniform')}", *own.pop("options", ()))
    trainers = []
    for engine in ("torch", "native"):
        configs = [
            make_config(
                *options,
                engine=engine,
                seed=seed,
                agent__gamma=0.95 + 0.01 * seed,
                agent__learning_rate=1e-3 * (1 + seed),
                **own,
            )
            for seed in range(count)
        ]
        trainers.append(make_bare_trainer(configs, tmp_path / engine))
    assert isinstance(trainers[0]._engine, TorchEngine)
    assert isinstance(trainers[1]._engine, NativeEngine)
    return trainers


def fill(
    trainers: list[Trainer],
    n_step: int,
    num_features: int = 4,
    size: int = 200,
    num_actions: int = 2,
    seed: int = 0,
) -> None:
    """Gives the buffers the same transitions."""
    generator = np.random.default_rng(seed)
    count = len(trainers[0]._records.runs)
    for _ in range(size):
        transition = Transition(
            observation=generator.normal(size=(count, num_features)).astype(np.float32),
            action=generator.integers(0, num_actions, count),
            rewards=generator.normal(size=(count, n_step)).astype(np.float32),
            discount=0.97 * (generator.random(count) < 0.9),
            next_observation=generator.normal(size=(count, num_features)).astype(np.float32),
        )
        for trainer in trainers:
            trainer._engine.buffer.add(np.arange(count), transition)


def differences(trainers: list[Trainer]) -> list[float]:
    """By how much parameters and target parameters differ, over their norms."""
    first, second = (trainer._agent for trainer in trainers)
    return [
        float((ours[run] - theirs[run]).norm() / theirs[run].norm())
        for theirs, ours in ((first.online, second.online), (first.target, second.target))
        for run in range(len(ours))
    ]


def check_equal(tmp_path, switches: dict) -> None:
    trainers = make_trainers(tmp_path, switches)
    n_step, batch_size = switches.get("agent__n_step", 1), switches.get("agent__batch_size", 8)
    is_at_the_edge = tuple(switches.values()) in AT_THE_EDGE
    num_actions = trainers[0]._agent.num_actions
    fill(trainers, n_step, num_actions=num_actions, seed=2 if is_at_the_edge else 0)
    learning, steps = np.array([True, True]), np.array([100, 200])
    buffer, rates = trainers[0]._engine.buffer, trainers[0]._engine.learning_rate.value(steps)
    generator = np.random.default_rng(0)
    for _ in range(NUM_UPDATES):
        # The same batch for both: next to an end, a position may lie in the next transition.
        rows, weights = buffer.sample(
            generator.integers(0, 2**32, (2, batch_size), np.uint32), steps
        )
        for trainer in trainers:
            batch = trainer._engine.buffer.read(rows)
            finite, priorities = trainer._engine.learn_from(batch, weights, rates, learning)
            trainer._engine.buffer.prioritize(rows, priorities, learning)
            assert finite.all()
    assert max(differences(trainers)) < 1e-5
    figures = [trainer._engine.diagnostics(slice(None)) for trainer in trainers]
    for theirs, ours in zip(*figures, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("switches", ALL, ids=lambda s: "-".join(map(str, s.values())))
def test_a_thousand_updates_are_those_of_torch_for_every_combination(tmp_path, switches):
    check_equal(tmp_path, switches)


NINE = {"env__id": "tests.probes:ProbeManyActions-v0", "env__max_episode_steps": None}
C51 = {"options": ("agent/value=categorical",), "agent__loss": "cross_entropy"}
QR_DQN = {"options": ("agent/value=quantile",), "agent__loss": "quantile_huber"}
RMSPROP = {"options": ("agent/optimizer=rmsprop",)}
NOISY = {"network__noisy": True}
DOUBLE = {"agent__target": {"kind": "double"}}
OTHERS = {
    "clipped": {"agent__reward_clip": 0.2},
    "decaying": {"agent__optimizer__weight_decay": 1.0},
    "linear": {"agent__loss": "huber", "agent__huber_delta": 0.3},
    "nine actions": NINE,
    "nine actions, dueling": {**NINE, "network__dueling": True},
    "c51": C51,
    "c51, dueling, double": {**C51, **DOUBLE, "network__dueling": True},
    "qr_dqn": QR_DQN,
    "qr_dqn, dueling, double, linear": {
        **QR_DQN, **DOUBLE, "network__dueling": True, "agent__huber_delta": 0.1
    },
    "munchausen": {"agent__target": MUNCHAUSEN},
    "rmsprop": RMSPROP,
    "normalized": {"agent__normalize_observations": True},
    "noisy": NOISY,
    "noisy, double, clipped gradient": {**NOISY, **DOUBLE, "agent__max_grad_norm": 0.5},
    "munchausen, rmsprop, clipped, linear, soft": {
        **RMSPROP, "agent__target": MUNCHAUSEN, "agent__reward_clip": 0.2, "agent__loss": "huber",
        "agent__target_update_tau": 0.02, "network__hidden_sizes": [],
    },
    "rainbow": {
        **C51, **DOUBLE, **NOISY, "network__dueling": True, "agent__n_step": 3,
        "buffer": "prioritized",
    },
    "all else": {
        **QR_DQN, **NOISY, "agent__normalize_observations": True, "network__dueling": True,
        "agent__huber_delta": 0.1, "agent__target_update_tau": 0.05,
    },
}  # fmt: skip


SHORT = ("munchausen, rmsprop, clipped, linear, soft", "rainbow")


@pytest.mark.parametrize(
    "name",
    [name if name in SHORT else pytest.param(name, marks=pytest.mark.slow) for name in OTHERS],
)
def test_a_thousand_updates_are_those_of_torch_with_what_is_not_a_switch(tmp_path, name):
    network = {"network__hidden_sizes": [9, 6], "network__activation": "tanh"}
    check_equal(tmp_path, {**network, **OTHERS[name]})


@pytest.mark.slow
@pytest.mark.parametrize("dueling", [False, True])
def test_a_thousand_updates_are_those_of_torch_at_full_size_where_nothing_is_cut_off(
    tmp_path, dueling
):
    """With ReLU a unit at the edge of 0 may be on one side here and on the other there."""
    sizes = {"network__hidden_sizes": [128], "agent__batch_size": 64}
    check_equal(tmp_path, {"network__activation": "tanh", "network__dueling": dueling, **sizes})


DUELING_DOUBLE = {**DOUBLE, "network__dueling": True}


@pytest.mark.slow
@pytest.mark.parametrize("switches", [{}, DUELING_DOUBLE])
@pytest.mark.parametrize("hidden_sizes", [[128], [64, 32]])
def test_each_of_a_thousand_updates_is_that_of_torch_at_full_size(tmp_path, switches, hidden_sizes):
    """Each from the same state: a unit at the edge of 0 has no part in the next comparison."""
    sizes = {"network__hidden_sizes": hidden_sizes, "agent__batch_size": 64}
    trainers = make_trainers(tmp_path, switches, **sizes)
    fill(trainers, 1)
    learning, steps = np.array([True, True]), np.array([100, 200])
    worst = 0.0
    for _ in range(NUM_UPDATES):
        for run in range(2):
            trainers[1]._engine.load_state_dict(run, trainers[0]._engine.state_dict(run))
        for trainer in trainers:
            trainer._engine.learn(learning, steps)
        worst = max(worst, *differences(trainers))
    # The step of a parameter whose gradient is next to nothing may be anything up to the rate.
    assert worst < 1e-4
    assert np.median(differences(trainers)) < 1e-6


with_shared_code = pytest.mark.xdist_group("prioritized")  # They share compiled code.


@with_shared_code
def test_both_engines_save_the_same_and_go_on_from_each_other(tmp_path):
    trainers = make_trainers(tmp_path, {"buffer": "prioritized"})
    fill(trainers, 1)
    learning, steps = np.array([True, True]), np.array([100, 200])
    torch_engine, native = (trainer._engine for trainer in trainers)
    for _ in range(20):
        native.learn(learning, steps)
    for run in range(2):
        torch_engine.load_state_dict(run, native.state_dict(run))
        assert_equal_states(torch_engine.state_dict(run), native.state_dict(run))
    for _ in range(20):
        torch_engine.learn(learning, steps)
    for run in range(2):
        native.load_state_dict(run, torch_engine.state_dict(run))
        assert_equal_states(torch_engine.state_dict(run), native.state_dict(run))
    for trainer in trainers:
        trainer._engine.learn(learning, steps)
    assert max(differences(trainers)) < 1e-6


@with_shared_code
def test_a_run_that_does_not_learn_stays_as_it_is(tmp_path):
    _, trainer = make_trainers(tmp_path, {"buffer": "prioritized"})
    fill([trainer], 1)
    before = trainer._engine.state_dict(1)
    trainer._engine.learn(np.array([True, False]), np.array([100, 100]))
    assert_equal_states(before, trainer._engine.state_dict(1))
    assert trainer._agent.updates.tolist() == [1, 0]


@with_shared_code
@pytest.mark.parametrize("num_threads", [1, 2, 3])
@pytest.mark.parametrize("steps_each", [1, 3])
def test_whatever_others_do_a_run_that_learns_does_the_same(tmp_path, num_threads, steps_each):
    settings = {
        "buffer": "prioritized",
        "num_threads": num_threads,
        "agent__gradient_steps": steps_each,
    }
    trainer, twin = (make_trainers(tmp_path / name, settings, 5)[1] for name in ("a", "b"))
    fill([trainer, twin], 1)
    everyone, steps = np.ones(5, dtype=np.bool_), np.full(5, 100)
    some = np.array([False, True, False, False, True])
    for _ in range(3):
        trainer._engine.learn(some, steps)
        twin._engine.learn(everyone, steps)
    assert trainer._agent.updates.tolist() == [0, 3 * steps_each, 0, 0, 3 * steps_each]
    for run in np.flatnonzero(some):
        assert_equal_states(trainer._engine.state_dict(run), twin._engine.state_dict(run))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_told_also_where_the_next_one_is(tmp_path):
    settings = {"agent__loss": "huber", "agent__gradient_steps": 8, "agent__batch_size": 2}
    trainers = make_trainers(tmp_path, settings, count=1)
    fill(trainers, 1)
    everyone, told = np.ones(1, dtype=np.bool_), []
    for trainer in trainers:
        trainer._engine.buffer.storage[:10, -1] = torch.inf
    for step in range(100, 140):
        trainers[1]._engine.load_state_dict(0, trainers[0]._engine.state_dict(0))
        before = trainers[0]._engine.state_dict(0)
        told.append([bool(t._engine.learn(everyone, np.array([step]))[0]) for t in trainers])
        before["agent"]["updates"] = trainers[0]._agent.updates[0]
        trainers[0]._engine.load_state_dict(0, before)
    assert {tuple(pair) for pair in told} == {(True, True), (False, False)}


@with_shared_code
def test_a_poisoned_batch_is_told_and_harms_no_other_run(tmp_path):
    switches = {"buffer": "prioritized"}
    trainer, twin = (make_trainers(tmp_path / name, switches, count=3)[1] for name in ("a", "b"))
    fill([trainer, twin], 1)
    begin = trainer._engine.buffer.offsets[1]
    trainer._engine.buffer.storage[begin : begin + 200, -1] = torch.nan
    everyone, steps = np.ones(3, dtype=np.bool_), np.zeros(3, dtype=np.int64)
    assert trainer._engine.learn(everyone, steps).tolist() == [False, True, False]
    assert twin._engine.learn(everyone, steps).tolist() == [False, False, False]
    for run in (0, 2):
        assert torch.equal(trainer._agent.online[run], twin._agent.online[run])


def test_the_policies_of_both_engines_agree_also_for_more_episodes_than_a_batch(tmp_path):
    trainers = make_trainers(tmp_path, {"network__hidden_sizes": [16, 5]}, count=3)
    observations = np.random.default_rng(0).normal(size=(2, 300, 4)).astype(np.float32)
    actions = []
    for trainer in trainers:
        with trainer._engine.policy(np.array([2, 0])) as policy:
            actions.append(policy(observations))
    assert (actions[0] != actions[1]).mean() < 0.005 and len(np.unique(actions[0])) == 2


def test_random_actions_are_those_of_the_torch_engine(tmp_path):
    trainers = make_trainers(tmp_path, {"agent__epsilon": 1.0}, count=3)
    observations = np.zeros((3, 4), dtype=np.float32)
    for step in range(50):
        steps = np.array([step, 3 * step, 10**6 + step])
        first, second = (trainer._engine.act(observations, steps) for trainer in trainers)
        np.testing.assert_array_equal(first, second)


def test_what_it_does_not_support_is_told_and_left_to_torch():
    assert make_config(device="cuda").engine == "torch"
    with pytest.raises(ConfigError, match="expected torch or auto with device=cuda"):
        make_config(engine="native", device="cuda")


def test_a_part_that_it_would_compute_as_another_one_is_told(tmp_path, monkeypatch):
    class EvenNetwork(MLP):
        pass

    monkeypatch.setattr(engine_assembly, "MLP", EvenNetwork)
    with pytest.raises(ValueError, match="found EvenNetwork"):
        make_bare_trainer([make_config(engine="native")], tmp_path)
    make_bare_trainer([make_config(engine="torch")], tmp_path / "torch")


def test_the_log_says_which_engine_and_why():
    line = "Engine native: compiled code supports this agent and is faster."
    assert explain_engine(make_config(), 4, 2) == line
    line = "Engine torch: compiled code does not support device=cuda."
    assert explain_engine(make_config(device="cuda"), 4, 2) == line
    line = explain_engine(make_config(engine="torch"), 4, 2)
    assert line.startswith("Engine torch, as configured; engine=auto would select native:")


def test_the_choice_of_engine_depends_on_structure_alone():
    for overrides in (
        {},
        {"num_threads": 1},
        {"num_threads": 64},
        {"seed": 7},
        {"agent__gamma": 0},
    ):
        assert make_config(**overrides).engine == "native"
    assert make_config(network__hidden_sizes=[4_096, 4_096]).engine == "torch"
    assert make_config(network__hidden_sizes=[4_096]).engine == "torch"


def test_gradients_next_to_nothing_make_no_large_steps_with_a_tiny_epsilon(tmp_path):
    settings = {"agent__optimizer__epsilon": 1e-20, "agent__max_grad_norm": 1e-15}
    trainers = make_trainers(tmp_path, {}, **settings)
    fill(trainers, 1)
    for trainer in trainers:
        before = trainer._agent.online.clone()
        trainer._engine.learn(np.array([True, True]), np.array([100, 200]))
        assert 0 < float((trainer._agent.online - before).abs().max()) < 2e-3  # The rate.
    assert max(differences(trainers)) < 1e-6
