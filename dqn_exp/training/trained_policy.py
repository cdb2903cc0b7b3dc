"""The policy that a run has learned, read from its directory."""

from pathlib import Path
from typing import NamedTuple

import torch

from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.random_streams import evaluation_seeds
from dqn_exp.env.rollout import QValues, fps_of, make_visible, play
from dqn_exp.env.video import Gif
from dqn_exp.files.checkpoint import BEST, NEWEST, load_checkpoint
from dqn_exp.training.build_engine import make_network, make_normalization, make_value
from dqn_exp.training.preflight import evaluation_env, shape_of


class TrainedPolicy(NamedTuple):
    """The greedy policy of a run.

    Attributes:
        config: of the run.
        step: of its newest checkpoint.
        q_values: values of the greedy policy, without noise.
    """

    config: Config
    step: int
    q_values: QValues


def film_episode(directory: Path) -> Gif:
    """Returns a video of the first evaluation episode of a run, played again.

    Raises:
        ValueError: As `load_trained_policy` does, or if the environment cannot be rendered.
    """
    config, _, q_values = load_trained_policy(directory)
    visible = make_visible(evaluation_env(config), "rgb_array")
    gif, seeds = Gif(fps_of(visible)), evaluation_seeds(config.eval.seed, 1).tolist()
    try:
        for _ in play(visible, q_values, seeds, [gif]):
            pass
    finally:
        visible.close()
    return gif


def load_trained_policy(directory: Path, *, is_best: bool = False) -> TrainedPolicy:
    """Returns the greedy policy of a run.

    Args:
        directory: of the run.
        is_best: whether it is that of the best evaluation instead of the newest checkpoint.

    Raises:
        ValueError: If the run has no checkpoint, or its environment cannot be made.
        ConfigError: If the config of the checkpoint is invalid for this version.
    """
    checkpoint = load_checkpoint(directory / (BEST if is_best else NEWEST))
    config, engine = to_config({**checkpoint.config, "device": "cpu"}), checkpoint.state["engine"]
    shape = shape_of(config)
    value = make_value([config])
    network = make_network([config], shape, value.num_outputs)
    normalization = make_normalization([config], shape)
    if "normalization" in engine:
        normalization.load_state_dict(0, engine["normalization"])
    views = network.layout.views(engine["agent"]["online"][None])

    def q_values(observations: Float32Array) -> Float32Array:
        inputs = normalization.normalize(torch.from_numpy(observations)[None])
        with torch.no_grad():
            found: Float32Array = value.means(network.forward(views, inputs))[0].numpy()
        return found

    return TrainedPolicy(config, int(checkpoint.state["steps"]), q_values)
