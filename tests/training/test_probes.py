"""Learning where the truth is known, each time another thing that can fail."""

import numpy as np
import pytest
import torch

from dqn_exp.files.checkpoint import NEWEST, load_checkpoint
from dqn_exp.network.mlp import MLP
from tests import probes
from tests.conftest import make_config

GAMMA = 0.5

# Name, actions, and what Q of every action must be for some observations.
CASES = [
    ("ConstantReward", 1, [([0.0], [1.0])]),
    ("ObservationReward", 1, [([-1.0], [-1.0]), ([1.0], [1.0])]),
    ("DelayedReward", 1, [([0.0], [GAMMA]), ([1.0], [1.0])]),
    ("ActionReward", 2, [([0.0], [-1.0, 1.0])]),
    ("ObservationActionReward", 2, [([-1.0], [1.0, -1.0]), ([1.0], [-1.0, 1.0])]),
]


PROBE = {
    "env__max_episode_steps": None,
    "agent__gamma": GAMMA,
    "agent__epsilon": 0.5,
    "agent__learning_rate": 5e-3,
    "agent__learning_starts": 64,
    "agent__batch_size": 32,
    "network__hidden_sizes": [16],
    "trainer__total_steps": 1_000,
    "eval__every_steps": None,
}


@pytest.mark.parametrize(("name", "num_actions", "truth"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_values_are_within_a_tenth_of_the_truth(train, name, num_actions, truth, loss):
    probes.register()
    settings = {"env__id": f"Probe{name}-v0", "agent__loss": loss, **PROBE}
    soft = {"agent__target_update_period": None, "agent__target_update_tau": 0.05}
    configs = [
        make_config(**settings, seed=0),
        make_config(**settings, seed=1, agent__max_grad_norm=10.0),
        make_config(**(settings | soft), seed=2),
    ]
    network = MLP(1, [16], num_actions)
    for folder in train(configs, "runs"):
        state = load_checkpoint(folder / NEWEST).state
        online = network.layout.views(state["engine"]["agent"]["online"][None])
        for observation, expected in truth:
            values = network.forward(online, torch.tensor([[observation]]))
            np.testing.assert_allclose(values[0, 0, :, 0].numpy(), expected, atol=0.1)
