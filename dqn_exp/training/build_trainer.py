"""Assembly of a population from N configs."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from dqn_exp.agent.engine import Engine
from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.buffer.n_step import NStep
from dqn_exp.config.per_run_arrays import Configs, to_bools, to_floats, to_ints
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.core.jit import announced_compilation
from dqn_exp.core.machine import num_cores
from dqn_exp.core.random_streams import Stream, evaluation_seeds
from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.env.make import make_vector_env
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.files.run_record import RunRecord
from dqn_exp.training.build_buffer import make_buffer
from dqn_exp.training.build_engine import make_engine, make_stream
from dqn_exp.training.compiled_evaluation import CompiledEvaluation
from dqn_exp.training.components import Components
from dqn_exp.training.custom_metrics import CustomMetrics
from dqn_exp.training.due import Timetable
from dqn_exp.training.episodes import Episodes
from dqn_exp.training.evaluation import Evaluation
from dqn_exp.training.lockstep import LockStep
from dqn_exp.training.monitor import NO_MONITOR, Monitor
from dqn_exp.training.players import CompiledPlayer, Player, PythonPlayer
from dqn_exp.training.preflight import evaluation_env, training_env, try_evaluation
from dqn_exp.training.progress import Progress
from dqn_exp.training.segments import Segments
from dqn_exp.training.stretch import Stepper
from dqn_exp.training.trainer import Trainer


def make_trainer(
    configs: Configs,
    records: Sequence[RunRecord],
    *,
    on_end: Callable[[], None],
    progress: Progress,
    should_stop: Callable[[], bool],
    monitor: Monitor = NO_MONITOR,
) -> Trainer:
    """Builds a population of runs of equal structure; the arguments are those of `Trainer`."""
    count, num_threads = len(configs), configs[0].num_threads or num_cores()
    env = make_vector_env(training_env(configs[0]), count, returns_frames=True)
    buffer = make_buffer(configs, env.shape)
    engine = make_engine(configs, env.shape, buffer)
    n_step = NStep(count, env.shape.num_stored, configs[0].agent.n_step)
    episodes = Episodes(env, make_stream(configs, Stream.EPISODES, 1), count, buffer)
    if isinstance(engine, NativeEngine):
        player = _make_player(engine, n_step, episodes, num_threads)
        stepper: Stepper = Segments(engine, player, num_threads)
    else:
        stepper = LockStep(engine.agent, engine, n_step, buffer, episodes)
    is_compiled = isinstance(engine, NativeEngine) and _has_compiled_evaluation(configs)
    kind = CompiledEvaluation if is_compiled else Evaluation
    evaluation = _make_evaluation(kind, configs, env.shape.frames)
    return Trainer(
        Components(
            agent=engine.agent,
            engine=engine,
            stepper=stepper,
            n_step=n_step,
            buffer=buffer,
            normalization=engine.normalization,
            episodes=episodes,
            evaluation=evaluation,
            compile=partial(_compile, engine, stepper, evaluation, should_stop),
            checks_scales=env.shape.frames is None and not configs[0].agent.normalize_observations,
            custom_metrics=CustomMetrics(configs[0].log.metrics),
        ),
        records,
        _make_timetable(configs),
        on_end=on_end,
        progress=progress,
        should_stop=should_stop,
        monitor=monitor,
    )


def _compile(
    engine: Engine, stepper: Stepper, evaluation: Evaluation, should_stop: Callable[[], bool]
) -> None:
    """Compiles or loads the code of the native engine, unless it should stop before."""
    if isinstance(engine, NativeEngine) and isinstance(stepper, Segments):
        with announced_compilation(should_stop) as is_free:
            if is_free:
                stepper.compile()
                evaluation.compile(engine)


def _make_player(
    engine: NativeEngine, n_step: NStep, episodes: Episodes, num_threads: int
) -> Player:
    if isinstance(episodes.env, ClassicControlVectorEnv):
        return CompiledPlayer(engine, n_step, episodes, episodes.env, num_threads)
    assert isinstance(episodes.env, SerialVectorEnv)
    return PythonPlayer(engine, n_step, episodes, episodes.env, num_threads)


def _make_timetable(configs: Configs) -> Timetable:
    return Timetable(
        total_steps=to_ints(config.trainer.total_steps for config in configs),
        total_episodes=to_ints(config.trainer.total_episodes for config in configs),
        stop_at_return=np.array(
            [
                np.inf if config.trainer.stop_at_return is None else config.trainer.stop_at_return
                for config in configs
            ]
        ),
        log_every=to_ints(config.log.every_steps for config in configs),
        evaluate_every=to_ints(config.eval.every_steps for config in configs),
        checkpoint_every=to_ints(config.checkpoint.every_steps for config in configs),
    )


def _has_compiled_evaluation(configs: Configs) -> bool:
    env = make_vector_env(evaluation_env(configs[0]), 1)
    env.close()
    return isinstance(env, ClassicControlVectorEnv)


def _make_evaluation(
    kind: type[Evaluation], configs: Configs, frames: FrameFormat | None
) -> Evaluation:
    return kind(
        np.stack([evaluation_seeds(config.eval.seed, config.eval.episodes) for config in configs]),
        partial(make_vector_env, evaluation_env(configs[0])),
        gamma=to_floats(config.agent.gamma for config in configs),
        reward_limits=to_floats(config.agent.reward_clip for config in configs),
        bootstrap_truncated=to_bools(config.agent.bootstrap_truncated for config in configs),
        frames=frames,
        reuses_env=try_evaluation(configs[0]).is_function,
    )
