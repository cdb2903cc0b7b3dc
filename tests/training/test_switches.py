"""Ingredients together: they learn, and a run is the same whatever it is trained with."""

import json

import numpy as np
import pytest
import torch

from dqn_exp.config.agent_schema import MunchausenTargetConfig
from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.checkpoint import NEWEST, load_checkpoint
from dqn_exp.network.mlp import MLP
from tests import probes
from tests.conftest import COMPILES_ALL, results_of, some_of
from tests.stepping import tick
from tests.switches import ALL, COMPILED, COVERING, PLAIN, POSSIBLE_PAIRS, RAINBOW, Switches
from tests.training.test_population import assert_equal_states, check_staggered, make_bare_trainer
from tests.training.test_probes import CASES, PROBE

probes.register()

OTHERS = [switches for switches in ALL if switches not in COVERING]

each = pytest.mark.parametrize(
    "switches",
    [*COVERING, *(pytest.param(switches, marks=pytest.mark.slow) for switches in OTHERS)],
    ids=str,
)


def values_of(config: Config, parameters: torch.Tensor, num_actions: int, seen: list[float]):
    """What a trained network takes an observation for."""
    value = config.agent.value
    num_outputs = getattr(value, "num_atoms", getattr(value, "num_quantiles", 1))
    network = MLP(1, [16], num_actions, num_outputs=num_outputs, dueling=config.network.dueling)
    views = network.layout.views(parameters[None])
    outputs = network.forward(views, torch.tensor([[seen]]))[0, 0]
    if value.kind == "categorical":
        support = torch.linspace(value.v_min, value.v_max, num_outputs)
        return (outputs.softmax(1) * support).sum(1).numpy()
    return outputs.mean(1).numpy()


def truth_of(config: Config, name: str, expected: list[float]) -> list[float]:
    """The value of a probe, which Munchausen adds a bonus to.

    With one action the log-probability is 0. With two, of which one is right, the policy is all
    but certain, so the wrong one has the least log-probability that counts.
    """
    if isinstance(config.agent.target, MunchausenTargetConfig) and len(expected) == 2:
        wrong = config.agent.target.scale * config.agent.target.clip
        return [q if q > 0 else q + wrong for q in expected]
    return expected


def test_every_possible_pair_of_switches_is_covered():
    covered = set().union(*(switches.pairs() for switches in COVERING))
    assert covered == POSSIBLE_PAIRS and len(COVERING) < 15
    assert len(ALL) == 3 * 2 * 2 * 2 * 2 * 2 + 2 * 2 * 2


DELAYED, ACTIONS = (
    next(case for case in CASES if case[0] == name)
    for name in ("DelayedReward", "ObservationActionReward")
)
"""The probes that need all that the others need: a target of values, and the right action."""

TAUGHT = [
    *((one, DELAYED) for one in COVERING if one.target != "munchausen"),
    *((one, ACTIONS) for one in COVERING if one.target == "munchausen" or one is RAINBOW),
]


@pytest.mark.parametrize(
    ("switches", "case"),
    some_of(TAUGHT, ALL, CASES),
    ids=lambda one: one[0] if one in CASES else str(one),
)
def test_every_probe_is_learned(train, switches, case):
    name, num_actions, truth = case
    options = {"env__id": f"Probe{name}-v0", "network__noisy_sigma": 0.1, **PROBE}
    if switches == RAINBOW and not COMPILES_ALL:  # Another environment needs code of its own.
        options["engine"] = "torch"
    configs = [switches.config(seed=seed, **options) for seed in range(2)]
    for folder, config in zip(train(configs, name), configs, strict=True):
        parameters = load_checkpoint(folder / NEWEST).state["engine"]["agent"]["online"]
        for observation, expected in truth:
            found = values_of(config, parameters, num_actions, observation)
            wanted = truth_of(config, name, expected)
            np.testing.assert_allclose(found, wanted, atol=0.1)


SMOKE = {
    "agent__learning_starts": 40,
    "agent__batch_size": 13,
    "network__hidden_sizes": [20],
    "trainer__total_steps": 120,
    "eval__every_steps": 60,
    "eval__episodes": 2,
    "env__max_episode_steps": 30,
    "log__every_steps": 50,
}


def make_runs(switches: Switches, count: int, **overrides) -> list[Config]:
    """Runs that differ in what the ingredients let differ."""
    runs = []
    for i in range(count):
        own = {
            "seed": 500 + i,
            "agent__gamma": (0.9, 0.99)[i % 2],
            "agent__epsilon": (0.0, 0.2)[i % 2],
            "agent__epsilon_start": (1.0, None)[i // 2 % 2],
            "agent__epsilon_decay_steps": (70, None)[i // 2 % 2],
            "agent__epsilon_decay": ("linear", "exponential")[i == 1],
            "agent__learning_rate_end": (1e-4, None)[i % 2],
            "agent__learning_rate_decay_steps": (90, None)[i % 2],
            "agent__learning_rate_decay": ("exponential", "linear")[i % 4 > 0],
            "agent__reward_clip": (None, 0.5)[i // 2 % 2],
            "agent__train_every": 1 + i % 2,
            "network__noisy_sigma": (0.5, 0.1, 0.0)[i % 3],
            "buffer__capacity": (50, 200, 64)[i % 3],
            "trainer__total_steps": 120 - 7 * (i % 3),
            "trainer__total_episodes": (None, 5)[i == 1],
        }
        if switches.target == "munchausen":
            own["agent__target__temperature"] = (0.03, 0.3)[i % 2]
            own["agent__target__scale"] = (0.9, 0.5, 0.0)[i % 3]
        if switches.buffer == "prioritized":
            own["buffer__priority_exponent"] = (0.5, 1.0, 0.0, 0.6, 0.3)[i % 5]
            own["buffer__priority_epsilon"] = (1e-6, 0.1, 1e-3)[i % 3]
            own["buffer__importance_exponent"] = (0.4, 1.0, 0.0)[i % 3]
            own["buffer__importance_exponent_decay_steps"] = (60, 1_000)[i % 2]
        if switches.value == "categorical":
            own["agent__value__v_min"] = (0.0, -3.0)[i % 2]
            own["agent__value__v_max"] = (50.0, 20.0, 7.0)[i % 3]
        runs.append(switches.config(**{**SMOKE, **own, **overrides}))
    return runs


@each
def test_a_run_alone_equals_the_same_run_in_a_population(train, switches):
    configs = make_runs(switches, 7)
    together = train(configs, "together")
    for row in (0, 3, 6):
        (alone,) = train([configs[row]], f"alone {row}")
        assert results_of(alone) == results_of(together[row])
        statuses = [json.loads((d / "result.json").read_text()) for d in (alone, together[row])]
        assert [s["status"] for s in statuses] == ["completed"] * 2
        assert statuses[0]["updates"] == statuses[1]["updates"] > 10


@each
def test_a_poisoned_neighbor_changes_nothing(train, switches):
    healthy, poisoned = make_runs(switches, 4), make_runs(switches, 4)
    poisoned[1] = make_runs(switches, 4, agent__learning_rate=1e30)[1]
    folders = train(poisoned, "poisoned")
    for row, folder in enumerate(train(healthy, "healthy")):
        if row != 1:
            assert results_of(folder) == results_of(folders[row])
    assert json.loads((folders[1] / "result.json").read_text())["status"] == "diverged"


@each
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_stays_with_its_run(tmp_path, switches, poison):
    configs = make_runs(switches, 4, trainer__total_steps=10_000, trainer__total_episodes=None)
    trainer, twin = (make_bare_trainer(configs, tmp_path / name) for name in ("a", "b"))
    for number in range(80):
        for each_trainer in (trainer, twin):
            tick(each_trainer)
        if number == 60:
            buffer = trainer._engine.buffer
            ring = slice(buffer.offsets[1], buffer.offsets[1] + buffer.sizes[1])
            buffer.storage[ring, -1] = poison
    # An infinite return is the greatest that a distribution of fixed returns knows.
    is_bounded = switches.value == "categorical" and poison == float("inf")
    assert (1 in trainer._records.runs) == is_bounded
    for row, run in enumerate(trainer._records.runs):
        if run != 1:
            assert_equal_states(trainer.state_dict(row), twin.state_dict(run))


@each
def test_runs_at_different_steps_go_on_as_they_would_alone(tmp_path, switches):
    configs = make_runs(switches, 3, trainer__total_steps=10_000, trainer__total_episodes=None)
    check_staggered(configs, tmp_path, starts=[0, 37, 74])


@pytest.mark.parametrize("switches", COMPILED, ids=str)
def test_compiled_code_gives_a_run_the_same_bits_on_any_number_of_threads(train, switches):
    folders = [
        train(make_runs(switches, 6, num_threads=count), f"{count} threads") for count in (1, 2, 4)
    ]
    for same_run in zip(*folders, strict=True):
        first, *others = (load_checkpoint(folder / NEWEST).state for folder in same_run)
        for state in others:
            assert_equal_states(first, state)


@pytest.mark.parametrize(
    ("optimizer", "normalize"),
    some_of([("adam", False), ("rmsprop", True)], ["adam", "rmsprop"], [False, True]),
)
def test_the_same_holds_for_optimizers_and_normalization(train, optimizer, normalize):
    # Each optimizer needs code of its own.
    engine = "native" if optimizer == "adam" or COMPILES_ALL else "torch"
    configs = [
        to_config(
            {
                **run.model_dump(),
                "engine": engine,
                "agent": {
                    **run.model_dump()["agent"],
                    "normalize_observations": normalize,
                    "optimizer": {
                        "kind": "adam",
                        "epsilon": 10.0 ** -(i + 2),
                        "weight_decay": decay,
                    }
                    if optimizer == "adam"
                    else {"kind": "rmsprop", "decay": 0.9 + 0.01 * i, "variance_epsilon": 2.0},
                },
            }
        )
        for i, (run, decay) in enumerate(
            zip(make_runs(PLAIN, 5), (0.0, 0.1, 0.0, 0.01, 1.0), strict=True)
        )
    ]
    together = train(configs, "together")
    for row in (0, 2, 3):
        (alone,) = train([configs[row]], f"alone {row}")
        assert results_of(alone) == results_of(together[row])


@pytest.mark.parametrize(
    ("options", "overrides", "reason"),
    [
        ((), {"agent__n_step": 3}, "every step in between would need a log-probability"),
        (("agent/value=categorical",), {}, "not defined for a distribution"),
        (("agent/value=quantile",), {}, "not defined for a distribution"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_reason(options, overrides, reason):
    from tests.conftest import MUNCHAUSEN, config_values

    values = config_values(*options, agent__target=MUNCHAUSEN, **overrides)
    with pytest.raises(ConfigError, match=f"agent/target=munchausen: expected agent.*{reason}"):
        to_config(values)
