"""From the configs of N runs to the parts of one population."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from dqn_exp.torch_engine import Roles, TorchEngine  # isort: skip  (To be imported before torch.)
import torch

from dqn_exp import native_network
from dqn_exp.agent import Agent
from dqn_exp.buffer import Buffer, PrioritizedBuffer, UniformBuffer
from dqn_exp.checkpoint import save_checkpoint
from dqn_exp.cores import num_cores
from dqn_exp.env import make_environments
from dqn_exp.episodes import Episodes
from dqn_exp.evaluation import Evaluation
from dqn_exp.gymnasium_env import EnvShape, describe
from dqn_exp.n_step import NStep
from dqn_exp.native_engine import NativeEngine
from dqn_exp.native_layers import ACTIVATIONS
from dqn_exp.native_learning import Rules
from dqn_exp.network import QNetwork
from dqn_exp.normalization import NoNormalization, Normalization, RunningNormalization
from dqn_exp.optimizer import Adam, Optimizer, RMSProp
from dqn_exp.outcome import Environments
from dqn_exp.per_run import NEVER
from dqn_exp.progress import Progress
from dqn_exp.random_streams import RandomStream, Stream, evaluation_seeds
from dqn_exp.recorder import RunRecord
from dqn_exp.schedule import Schedule
from dqn_exp.schema import CategoricalConfig, Config, QuantileConfig, UniformConfig
from dqn_exp.td_target import (
    GreedyTarget,
    MunchausenTarget,
    RewardRule,
    TargetRule,
    reward_factors,
)
from dqn_exp.trainer import Trainer
from dqn_exp.value import (
    CategoricalValue,
    HuberLoss,
    QuantileValue,
    ScalarValue,
    SquaredLoss,
    Value,
)
from dqn_exp.weights import NoisyWeights, PlainWeights, init_scales

Configs = Sequence[Config]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
    engine = _make_engine(configs, shape, buffer)

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
            make_envs(len(configs)), _make_stream(configs, Stream.EPISODES, 2), len(configs)
        ),
        evaluation=Evaluation(
            np.stack([evaluation_seeds(c.eval.seed, c.eval.episodes) for c in configs]), make_envs
        ),
        records=records,
        save=save,
        on_end=on_end,
        progress=progress,
        should_stop=should_stop,
        total_steps=_ints(configs, "trainer.total_steps"),
        total_episodes=_ints(configs, "trainer.total_episodes"),
        log_every=_ints(configs, "log.every_steps"),
        evaluate_every=_ints(configs, "eval.every_steps"),
        checkpoint_every=_ints(configs, "checkpoint.every_steps"),
    )
    return trainer


def _make_envs(
    env_id: str, max_episode_steps: int | None, kwargs: dict[str, Any], count: int
) -> Environments:
    return make_environments(env_id, count, max_episode_steps, kwargs)


def _make_engine(
    configs: Configs, shape: EnvShape, buffer: UniformBuffer
) -> NativeEngine | TorchEngine:
    if configs[0].engine == "native":
        return _make_native_engine(configs, shape, buffer)
    return _make_torch_engine(configs, shape, buffer)


def _make_native_engine(configs: Configs, shape: EnvShape, buffer: UniformBuffer) -> NativeEngine:
    first = configs[0]
    network = make_network(configs, shape, 1)
    agent = _make_agent(configs, _make_parameters(configs, network), shape.num_actions)
    optimizer = _make_optimizer(configs, network.num_parameters)
    assert isinstance(optimizer, Adam)
    return NativeEngine(
        agent=agent,
        network=native_network.make_network(
            network.layers, ACTIVATIONS[first.network.activation], first.network.dueling
        ),
        rules=Rules(
            factors=reward_factors(_floats(configs, "agent.gamma"), first.agent.n_step),
            reward_limits=_floats(configs, "agent.reward_clip").astype(np.float32),
            huber_deltas=_floats(configs, "agent.huber_delta").astype(np.float32),
            is_double=first.agent.double,
            is_huber=first.agent.loss == "huber",
        ),
        optimizer=optimizer,
        learning_rate=_make_learning_rate(configs),
        buffer=buffer,
        seeds=[config.seed for config in configs],
        batch_size=first.agent.batch_size,
        gradient_steps=first.agent.gradient_steps,
        max_grad_norm=_floats(configs, "agent.max_grad_norm").astype(np.float32),
        num_threads=first.num_threads or num_cores(),
    )


def _make_torch_engine(configs: Configs, shape: EnvShape, buffer: Buffer) -> TorchEngine:
    first, device = configs[0], _device(configs)
    value = make_value(configs)
    network = make_network(configs, shape, value.num_outputs)
    agent = _make_agent(configs, _make_parameters(configs, network), shape.num_actions)
    return TorchEngine(
        agent=agent,
        network=network,
        roles=_make_roles(configs, network),
        normalization=make_normalization(configs, shape),
        value=value,
        reward_rule=RewardRule(
            _floats(configs, "agent.gamma"),
            _tensor(configs, "agent.reward_clip"),
            first.agent.n_step,
            device,
        ),
        target_rule=_make_target_rule(configs, value),
        optimizer=_make_optimizer(configs, agent.online.shape[1]),
        learning_rate=_make_learning_rate(configs),
        buffer=buffer,
        sampling=_make_stream(configs, Stream.SAMPLING, first.agent.batch_size),
        batch_size=first.agent.batch_size,
        gradient_steps=first.agent.gradient_steps,
        max_grad_norm=_tensor(configs, "agent.max_grad_norm"),
        num_threads=first.num_threads or num_cores(),
    )


def _make_parameters(configs: Configs, network: QNetwork) -> torch.Tensor:
    parameters = network.init_parameters([config.seed for config in configs])
    if configs[0].network.noisy:
        scales = init_scales(network.layers, _floats(configs, "network.noisy_sigma"))
        parameters = torch.cat([parameters, scales], 1)
    return parameters.to(_device(configs))


def _make_roles(configs: Configs, network: QNetwork) -> Roles:
    seeds, plain = [config.seed for config in configs], PlainWeights(network.layers)
    if not configs[0].network.noisy:
        return Roles(plain, plain, plain, plain)
    acting, learning, target, choosing = (
        NoisyWeights(network.layers, seeds, stream)
        for stream in (
            Stream.NOISE_OF_ACTING,
            Stream.NOISE_OF_LEARNING,
            Stream.NOISE_OF_TARGET,
            Stream.NOISE_OF_CHOICE,
        )
    )
    # Where nothing is chosen with the online network, noise for it would be drawn in vain.
    return Roles(acting, learning, target, choosing if configs[0].agent.double else plain)


def make_network(configs: Configs, shape: EnvShape, num_outputs: int) -> QNetwork:
    """Builds the network that maps observations to `num_outputs` (K) per action."""
    settings = configs[0].network
    return QNetwork(
        shape.num_features,
        settings.hidden_sizes,
        shape.num_actions,
        num_outputs=num_outputs,
        activation=settings.activation,
        dueling=settings.dueling,
    )


def make_normalization(configs: Configs, shape: EnvShape) -> Normalization:
    """Builds what stands between observations and networks."""
    if not configs[0].agent.normalize_observations:
        return NoNormalization()
    return RunningNormalization(len(configs), shape.num_features, _device(configs))


def make_value(configs: Configs) -> Value:
    """Builds the meaning of outputs."""
    agent = configs[0].agent
    delta = _tensor(configs, "agent.huber_delta")
    match agent.value:
        case CategoricalConfig(num_atoms=num_atoms):
            ends = ("agent.value.v_min", "agent.value.v_max")
            return CategoricalValue(num_atoms, *(_tensor(configs, end) for end in ends))
        case QuantileConfig(num_quantiles=num_quantiles):
            return QuantileValue(num_quantiles, delta)
        case _:
            loss = SquaredLoss() if agent.loss == "mse" else HuberLoss(delta)
            return ScalarValue(loss, _device(configs))


def _make_target_rule(configs: Configs, value: Value) -> TargetRule:
    if not configs[0].agent.munchausen:
        return GreedyTarget(value, configs[0].agent.double)
    return MunchausenTarget(
        _tensor(configs, "agent.munchausen_scale"),
        _tensor(configs, "agent.munchausen_temperature"),
        _tensor(configs, "agent.munchausen_clip"),
    )


def _make_optimizer(configs: Configs, num_parameters: int) -> Optimizer:
    epsilon = _floats(configs, "agent.optimizer.epsilon")
    if configs[0].agent.optimizer.kind == "rmsprop":
        decay = _floats(configs, "agent.optimizer.decay")
        return RMSProp(decay, epsilon, num_parameters, _device(configs))
    weight_decay = _floats(configs, "agent.optimizer.weight_decay")
    return Adam(epsilon, weight_decay, num_parameters, _device(configs))


def _make_buffer(configs: Configs, shape: EnvShape) -> UniformBuffer:
    size = (_ints(configs, "buffer.capacity"), shape.num_features, configs[0].agent.n_step)
    if isinstance(configs[0].buffer, UniformConfig):
        return UniformBuffer(*size, _device(configs))
    return PrioritizedBuffer(
        *size,
        _device(configs),
        priority_exponent=_floats(configs, "buffer.priority_exponent"),
        smallest_priority=_floats(configs, "buffer.smallest_priority"),
        importance_exponent=Schedule(
            _floats(configs, "buffer.importance_exponent"),
            _floats(configs, "buffer.importance_exponent_end"),
            _ints(configs, "buffer.importance_exponent_steps"),
            np.zeros(len(configs), dtype=np.bool_),
        ),
    )


def _make_agent(configs: Configs, parameters: torch.Tensor, num_actions: int) -> Agent:
    return Agent(
        parameters=parameters,
        num_actions=num_actions,
        exploration=_make_stream(configs, Stream.EXPLORATION, 2),
        epsilon=_make_schedule(configs, "epsilon", start="epsilon_start", end="epsilon"),
        gamma=_floats(configs, "agent.gamma"),
        bootstrap_truncated=np.array(_values(configs, "agent.bootstrap_truncated")),
        learning_starts=_ints(configs, "agent.learning_starts"),
        train_every=_ints(configs, "agent.train_every"),
        # A soft update is one after every update, by a share of the way; a copy goes all of it.
        target_update_period=_ints(configs, "agent.target_update_period", if_null=1),
        target_update_tau=_floats(configs, "agent.target_update_tau", if_null=1.0),
    )


def _make_learning_rate(configs: Configs) -> Schedule:
    return _make_schedule(configs, "learning_rate", start="learning_rate", end="learning_rate_end")


def _make_schedule(configs: Configs, name: str, start: str, end: str) -> Schedule:
    # Where the other end is null, the value is what it is from the beginning to the end.
    always = _floats(configs, f"agent.{name}")
    starts, ends = (
        np.where(np.isinf(given), always, given)
        for given in (_floats(configs, f"agent.{key}") for key in (start, end))
    )
    decays = np.array(_values(configs, f"agent.{name}_decay")) == "exponential"
    return Schedule(starts, ends, _ints(configs, f"agent.{name}_decay_steps", if_null=1), decays)


def _make_stream(configs: Configs, stream: Stream, width: int) -> RandomStream:
    return RandomStream([config.seed for config in configs], stream, width)


def _device(configs: Configs) -> torch.device:
    return torch.device(configs[0].device)


def _values(configs: Configs, key: str) -> list[Any]:
    return [attrgetter(key)(config) for config in configs]


def _ints(configs: Configs, key: str, if_null: int = NEVER) -> Ints:
    values = (if_null if value is None else value for value in _values(configs, key))
    return np.fromiter(values, np.int64)


def _floats(configs: Configs, key: str, if_null: float = np.inf) -> Floats:
    values = (if_null if value is None else value for value in _values(configs, key))
    return np.fromiter(values, np.float64)


def _tensor(configs: Configs, key: str) -> torch.Tensor:
    return torch.from_numpy(_floats(configs, key)).float().to(_device(configs))
