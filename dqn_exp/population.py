"""From the configs of N runs to the parts of one population, and its training."""

import json
import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dqn_exp.torch_engine import TorchEngine  # isort: skip  (It must be imported before torch.)
import torch
import yaml

from dqn_exp import __version__
from dqn_exp.agent import Agent
from dqn_exp.buffer import UniformBuffer
from dqn_exp.checkpoint import save_checkpoint
from dqn_exp.config import Config
from dqn_exp.env import EnvShape, describe, make_environments
from dqn_exp.evaluation import Evaluation
from dqn_exp.interruption import deferred_interrupts
from dqn_exp.network import QNetwork
from dqn_exp.optimizer import Adam
from dqn_exp.per_run import NEVER
from dqn_exp.progress import Progress, make_progress
from dqn_exp.random_streams import RandomStream, Stream, evaluation_seeds
from dqn_exp.recorder import Result, RunRecord, Status
from dqn_exp.schedule import LinearSchedule
from dqn_exp.trainer import Trainer
from dqn_exp.value import HuberLoss, Loss, SquaredLoss

log = logging.getLogger(__name__)

LIBRARIES = ("torch", "gymnasium", "numpy")


@dataclass(frozen=True)
class Run:
    """One run to be trained.

    directory: exists, and belongs to this run alone.
    hparams: the run's columns in TensorBoard's table of hyperparameters.
    """

    config: Config
    directory: Path
    hparams: Mapping[str, Any]


def train_population(runs: Sequence[Run], tell: Callable[[Sequence[Result]], None]) -> list[Result]:
    """Trains runs of equal structure as one set of tensors and leaves their files.

    Args:
        runs: at least one.
        tell: called with all results, in the order of `runs`, at the start and whenever runs
            have ended.

    Returns:
        The results, in the order of `runs`. A run that fails or diverges is one of them.

    Raises:
        KeyboardInterrupt: after the interrupted runs' files have been written.
    """
    records: list[RunRecord] = []
    progress = make_progress(runs[0].config.log.progress)
    with deferred_interrupts() as interruption:
        try:
            for run in runs:
                records.append(_make_record(run))
            tell([record.result for record in records])
            _train(
                [run.config for run in runs],
                records,
                on_end=lambda: tell([record.result for record in records]),
                progress=progress,
                should_stop=lambda: interruption.is_asked,
            )
        except Exception as error:
            log.exception("The population has failed.")
            _finish_running(records, "failed", f"{type(error).__name__}: {error}")
            if len(records) < len(runs):
                raise
        except KeyboardInterrupt:  # The user has asked twice, and does not wait for the step.
            _finish_running(records, "interrupted", None)
            raise
        finally:
            progress.close()
            tell([record.result for record in records])
    if interruption.is_asked:
        raise KeyboardInterrupt
    return [record.result for record in records]


def check_machine(config: Config) -> list[str]:
    """Returns what is wrong with a config on this machine: its environment or device."""
    return list(_machine_problems(json.dumps(config.env.model_dump()), config.device))


@cache
def _machine_problems(env: str, device: str) -> tuple[str, ...]:
    # The jobs of a sweep mostly share an environment, and making one may be slow.
    problems = []
    try:
        settings = json.loads(env)
        describe(settings["id"], settings["max_episode_steps"], settings["kwargs"] or {})
    except ValueError as error:
        problems.append(str(error))
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        problems.append(f"device: expected a device of this machine, got {device!r}: {reason}")
    return tuple(problems)


def make_trainer(
    configs: Sequence[Config],
    records: Sequence[RunRecord],
    *,
    on_end: Callable[[], None],
    progress: Progress,
    should_stop: Callable[[], bool],
) -> Trainer:
    """Builds a population of runs with equal structure."""
    first = configs[0]
    env = first.env
    shape = describe(env.id, env.max_episode_steps, env.kwargs or {})
    make_envs = partial(
        make_environments,
        env.id,
        max_episode_steps=env.max_episode_steps,
        kwargs=env.kwargs or {},
    )
    buffer = UniformBuffer(
        _ints([config.buffer.capacity for config in configs]),
        shape.num_features,
        torch.device(first.device),
    )
    engine = _make_engine(configs, shape, buffer)

    def save(row: int, run: int) -> None:
        online, step = engine.agent.online[row], int(trainer.steps[row])
        save_checkpoint(records[run].directory, step, configs[run].model_dump(), online)

    trainer = Trainer(
        agent=engine.agent,
        engine=engine,
        buffer=buffer,
        environments=make_envs(count=len(configs)),
        seeds=RandomStream([config.seed for config in configs], Stream.EPISODES, 2),
        evaluation=Evaluation(
            np.stack([evaluation_seeds(c.eval.seed, c.eval.episodes) for c in configs]),
            lambda count: make_envs(count=count),
        ),
        records=records,
        save=save,
        on_end=on_end,
        progress=progress,
        should_stop=should_stop,
        total_steps=_ints([config.trainer.total_steps for config in configs]),
        total_episodes=_ints([config.trainer.total_episodes for config in configs]),
        log_every=_ints([config.log.every_steps for config in configs]),
        evaluate_every=_ints([config.eval.every_steps for config in configs]),
        checkpoint_every=_ints([config.checkpoint.every_steps for config in configs]),
    )
    return trainer


def _train(configs: Sequence[Config], records: Sequence[RunRecord], **arguments: Any) -> None:
    trainer = make_trainer(configs, records, **arguments)
    try:
        trainer.train()
    except Exception as error:
        trainer.abort(f"{type(error).__name__}: {error}")
        raise
    finally:
        trainer.close()


@cache
def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "dqn_exp": __version__, **libraries}


def _make_record(run: Run) -> RunRecord:
    config = run.config
    result = Result("running", config.seed, config.hash(), versions=_versions())
    record = RunRecord(run.directory, result, config.log.tensorboard)
    hparams = {
        key: value if isinstance(value, bool | int | float) else str(value)
        for key, value in run.hparams.items()
    }
    record.describe(yaml.safe_dump(config.model_dump(), sort_keys=False), hparams)
    return record


def _finish_running(records: Sequence[RunRecord], status: Status, error: str | None) -> None:
    for record in records:
        if record.result.status == "running":
            record.finish(status, error)


def _make_engine(configs: Sequence[Config], shape: EnvShape, buffer: UniformBuffer) -> TorchEngine:
    first, device = configs[0], torch.device(configs[0].device)
    seeds = [config.seed for config in configs]
    network = QNetwork(
        shape.num_features, first.network.hidden_sizes, shape.num_actions, first.network.activation
    )
    limits = [np.inf if c.agent.max_grad_norm is None else c.agent.max_grad_norm for c in configs]
    return TorchEngine(
        agent=_make_agent(configs, network.init_parameters(seeds).to(device), shape.num_actions),
        network=network,
        loss=_make_loss(configs, device),
        optimizer=Adam(
            np.array([config.agent.learning_rate for config in configs]),
            network.num_parameters,
            device,
        ),
        buffer=buffer,
        sampling=RandomStream(seeds, Stream.SAMPLING, first.agent.batch_size),
        batch_size=first.agent.batch_size,
        gradient_steps=first.agent.gradient_steps,
        max_grad_norm=torch.tensor(limits, dtype=torch.float32, device=device),
        num_threads=first.num_threads or _num_cores(),
    )


def _num_cores() -> int:
    # Only some systems tell which cores this process may use.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _make_loss(configs: Sequence[Config], device: torch.device) -> Loss:
    if configs[0].agent.loss == "mse":
        return SquaredLoss()
    deltas = [config.agent.huber_delta for config in configs]
    return HuberLoss(torch.tensor(deltas, dtype=torch.float32, device=device))


def _make_agent(configs: Sequence[Config], parameters: torch.Tensor, num_actions: int) -> Agent:
    agents = [config.agent for config in configs]
    starts = [a.epsilon if a.epsilon_start is None else a.epsilon_start for a in agents]
    return Agent(
        parameters=parameters,
        num_actions=num_actions,
        exploration=RandomStream([config.seed for config in configs], Stream.EXPLORATION, 2),
        epsilon=LinearSchedule(
            np.array(starts),
            np.array([a.epsilon for a in agents]),
            np.array([a.epsilon_decay_steps or 1 for a in agents]),
        ),
        gamma=np.array([a.gamma for a in agents]),
        bootstrap_truncated=np.array([a.bootstrap_truncated for a in agents]),
        learning_starts=_ints([a.learning_starts for a in agents]),
        train_every=_ints([a.train_every for a in agents]),
        # A soft update is one after every update, by a share of the way; a copy goes all of it.
        target_update_period=_ints([a.target_update_period or 1 for a in agents]),
        target_update_tau=np.array([a.target_update_tau or 1.0 for a in agents]),
    )


def _ints(values: Sequence[int | None]) -> npt.NDArray[np.int64]:
    return np.array([NEVER if value is None else value for value in values], dtype=np.int64)
