"""What a run has learned, read back from its directory."""

from pathlib import Path
from typing import NamedTuple

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
from dqn_exp.movie import Gif
from dqn_exp.playing import QValues, fps_of, make_visible, play
from dqn_exp.random_streams import evaluation_seeds
from dqn_exp.schema import Config


class Trained(NamedTuple):
    """What a run has learned.

    config: of the run.
    step: at which its newest checkpoint was written.
    q_values: of the greedy policy, without noise.
    """

    config: Config
    step: int
    q_values: QValues


def film_episode(directory: Path) -> Gif:
    """Returns a film of the first episode of a run's evaluations, played anew.

    Raises:
        ValueError: as `load_trained` does, and if there can be no pictures.
    """
    config, _, q_values = load_trained(directory)
    env = config.env
    visible = make_visible(env.id, env.max_episode_steps, env.kwargs or {}, "rgb_array")
    gif, seeds = Gif(fps_of(visible)), evaluation_seeds(config.eval.seed, 1).tolist()
    try:
        for _ in play(visible, q_values, seeds, [gif]):
            pass
    finally:
        visible.close()
    return gif


def load_q_values(directory: Path) -> QValues:
    """Returns the values that a run has learned, as `load_trained` does."""
    return load_trained(directory).q_values


def load_trained(directory: Path) -> Trained:
    """Returns what a run has learned: the greedy policy of its newest checkpoint.

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

    return Trained(config, int(content["state"]["trainer"]["steps"]), q_values)
