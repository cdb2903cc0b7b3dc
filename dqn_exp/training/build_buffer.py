"""Assembly of the replay buffer of a population from N configs."""

import numpy as np
import torch

from dqn_exp.buffer.frame_store import FrameStore
from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.config.per_run_arrays import Configs, sections, to_floats, to_ints
from dqn_exp.config.schema import CustomBufferConfig, PrioritizedConfig
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.schedule import Schedule
from dqn_exp.core.transition import make_layout
from dqn_exp.env.arguments import EnvShape
from dqn_exp.training.custom import make_custom


def make_buffer(configs: Configs, shape: EnvShape) -> UniformBuffer:
    """Builds the replay buffer of runs of equal structure."""
    capacities = to_ints(config.buffer.capacity for config in configs)
    n_step, device, frames = configs[0].agent.n_step, torch.device(configs[0].device), None
    layout = make_layout(shape.num_stored, n_step)
    if shape.frames is not None:
        frames = FrameStore(capacities, shape.frames, n_step, device)
    section = configs[0].buffer
    if isinstance(section, CustomBufferConfig):
        custom: UniformBuffer = make_custom(
            "buffer.target", section, capacities, layout, device, frames
        )
        if frames is not None and getattr(custom, "frames", None) is None:
            raise ConfigError([_no_frames(section.target, configs[0].env.id)])
        return custom
    if section.kind == "uniform":
        return UniformBuffer(capacities, layout, device, frames)
    buffers = sections((config.buffer for config in configs), PrioritizedConfig)
    return PrioritizedBuffer(
        capacities,
        layout,
        device,
        frames,
        priority_exponent=to_floats(buffer.priority_exponent for buffer in buffers),
        priority_epsilon=to_floats(buffer.priority_epsilon for buffer in buffers),
        importance_exponent=Schedule(
            to_floats(buffer.importance_exponent for buffer in buffers),
            to_floats(buffer.importance_exponent_end for buffer in buffers),
            to_ints(buffer.importance_exponent_decay_steps for buffer in buffers),
            np.zeros(len(buffers), dtype=np.bool_),
        ),
    )


def _no_frames(target: str, env_id: str) -> str:
    return (
        f"buffer.target: expected a buffer that stores frames, as UniformBuffer does, since the "
        f"observations of {env_id} are images, got {target}."
    )
