"""Ingredients together: they learn, and a run is the same whatever it is trained with."""

import json

import numpy as np
import pytest
import torch

from dqn_exp.checkpoint import load_checkpoint
from dqn_exp.config import to_config
from dqn_exp.errors import ConfigError
from dqn_exp.layers import to_views
from dqn_exp.network import QNetwork
from dqn_exp.schema import Config
from tests import probes
from tests.conftest import results_of
from tests.switches import ALL, COVERING, POSSIBLE_PAIRS, Switches
from tests.test_population import assert_equal_states, make_bare_trainer
from tests.test_probes import CASES, GAMMA, PROBE

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
    network = QNetwork(
        1, [16], num_actions, num_outputs=num_outputs, dueling=config.network.dueling
    )
    views = to_views(parameters[None], network.layers)
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
    if config.agent.munchausen and len(expected) == 2:
        wrong = config.agent.munchausen_scale * config.agent.munchausen_clip
        return [q if q > 0 else q + wrong for q in expected]
    return expected


def test_every_possible_pair_of_switches_is_covered():
    covered = set().union(*(switches.pairs() for switches in COVERING))
    assert covered == POSSIBLE_PAIRS and len(COVERING) < 15
    assert len(ALL) == 3 * 2 * 2 * 2 * 2 * 2 + 2 * 2 * 2


@each
def test_every_probe_is_learned(train, switches):
    for name, num_actions, truth in CASES:
        options = {"env__id": f"Probe{name}-v0", "network__noisy_sigma": 0.1, **PROBE}
        configs = [switches.config(seed=seed, **options) for seed in range(2)]
        for folder, config in zip(train(configs, name), configs, strict=True):
            parameters = load_checkpoint(folder)["online"]
            for observation, expected in truth:
                found = values_of(config, parameters, num_actions, observation)
                wanted = truth_of(config, name, expected)
                np.testing.assert_allclose(found, wanted, atol=0.1, err_msg=name)
