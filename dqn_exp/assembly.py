"""From the configs of N runs to the parts of one population."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from dqn_exp.engine_assembly import make_engine  # isort: skip  (To be imported before torch.)
from dqn_exp.buffer import PrioritizedBuffer, UniformBuffer
from dqn_exp.checkpoint import save_checkpoint
from dqn_exp.columns import Configs, device, floats, ints, make_stream, values
from dqn_exp.env import make_environments
from dqn_exp.episodes import Episodes
from dqn_exp.evaluation import Evaluation
from dqn_exp.gymnasium_env import EnvShape, describe
from dqn_exp.n_step import NStep
from dqn_exp.outcome import Environments
from dqn_exp.progress import Progress
from dqn_exp.random_streams import Stream, evaluation_seeds
from dqn_exp.recorder import RunRecord
from dqn_exp.schedule import Schedule
from dqn_exp.schema import UniformConfig
from dqn_exp.trainer import Trainer


def make_trainer(
    configs: Configs,
    records: Sequence[RunRecord],
    *,
    on_end: Callable[[], None],
    progress: Progress,
    should_stop: Callable[[], bool],
) -> Trainer:
    """Builds a population of runs with equal structure."""
    env = configs[0].env
    settings = (env.max_episode_steps, env.kwargs or {})
    shape = describe(env.id, *settings)
    make_envs = partial(_make_envs, env.id, *settings)
    buffer = _make_buffer(configs, shape)
    engine = make_engine(configs, shape, buffer)

    def save(row: int, run: int, is_last: bool) -> None:
        content = {
            "config": configs[run].model_dump(),
            "records": records[run].state_dict(),
            "state": trainer.state_dict(row),
        }
        save_checkpoint(records[run].directory, content, keeps_previous=not is_last)

    trainer = Trainer(
        agent=engine.agent,
        engine=engine,
        n_step=NStep(len(configs), shape.num_features, configs[0].agent.n_step),
        buffer=buffer,
        episodes=Episodes(
            make_envs(len(configs)), make_stream(configs, Stream.EPISODES, 2), len(configs)
        ),
        evaluation=Evaluation(
            np.stack([evaluation_seeds(c.eval.seed, c.eval.episodes) for c in configs]),
            make_envs,
            gamma=floats(configs, "agent.gamma"),
            reward_limits=floats(configs, "agent.reward_clip"),
            bootstrap_truncated=np.array(values(configs, "agent.bootstrap_truncated")),
        ),
        records=records,
        save=save,
        on_end=on_end,
        progress=progress,
        should_stop=should_stop,
        total_steps=ints(configs, "trainer.total_steps"),
        total_episodes=ints(configs, "trainer.total_episodes"),
        log_every=ints(configs, "log.every_steps"),
        evaluate_every=ints(configs, "eval.every_steps"),
        checkpoint_every=ints(configs, "checkpoint.every_steps"),
    )
    return trainer


def _make_envs(
    env_id: str, max_episode_steps: int | None, kwargs: dict[str, Any], count: int
) -> Environments:
    return make_environments(env_id, count, max_episode_steps, kwargs)


def _make_buffer(configs: Configs, shape: EnvShape) -> UniformBuffer:
    size = (ints(configs, "buffer.capacity"), shape.num_features, configs[0].agent.n_step)
    if isinstance(configs[0].buffer, UniformConfig):
        return UniformBuffer(*size, device(configs))
    return PrioritizedBuffer(
        *size,
        device(configs),
        priority_exponent=floats(configs, "buffer.priority_exponent"),
        smallest_priority=floats(configs, "buffer.smallest_priority"),
        importance_exponent=Schedule(
            floats(configs, "buffer.importance_exponent"),
            floats(configs, "buffer.importance_exponent_end"),
            ints(configs, "buffer.importance_exponent_steps"),
            np.zeros(len(configs), dtype=np.bool_),
        ),
    )
