"""What a run has learned, read back from its directory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dqn_exp.engine_assembly import (  # isort: skip  (To be imported before torch.)
    make_network,
    make_normalization,
    make_value,
)
import torch

from dqn_exp.checkpoint import NEWEST, load_checkpoint
from dqn_exp.config import to_config
from dqn_exp.gymnasium_env import describe
from dqn_exp.layers import to_views

QValues = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Maps observations `[E, D]`, as an environment gives them, to values Q `[E, A]`."""


def load_q_values(directory: Path) -> QValues:
    """Returns the values that a run has learned: of the greedy policy, without noise.

    Args:
        directory: of the run.

    Raises:
        ValueError: if it has no checkpoint, or its environment is not there.
        ConfigError: if the config of the checkpoint is not one of this version.
    """
    content = load_checkpoint(directory / NEWEST)
    config, engine = to_config({**content["config"], "device": "cpu"}), content["state"]["engine"]
    env = config.env
    shape = describe(env.id, env.max_episode_steps, env.kwargs or {})
    value = make_value([config])
    network = make_network([config], shape, value.num_outputs)
    normalization = make_normalization([config], shape)
    normalization.load_state_dict(0, engine["normalization"])
    # Behind the weights lie the scales of their noise, where there is any.
    views = to_views(engine["agent"]["online"][None], network.layers)

    def q_values(observations: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        seen = normalization.normalize(torch.from_numpy(observations)[None])
        with torch.no_grad():
            found: npt.NDArray[np.float32] = value.means(network.forward(views, seen))[0].numpy()
        return found

    return q_values
