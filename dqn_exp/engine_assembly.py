"""From the configs of N runs to their engine."""

import numpy as np

from dqn_exp.torch_engine import Roles, TorchEngine  # isort: skip  (To be imported before torch.)
import torch

from dqn_exp import native_network
from dqn_exp.agent import Agent
from dqn_exp.buffer import Buffer, PrioritizedBuffer, UniformBuffer
from dqn_exp.columns import (
    Configs,
    device,
    floats,
    ints,
    make_schedule,
    make_stream,
    tensor,
    values,
)
from dqn_exp.cores import num_cores
from dqn_exp.gymnasium_env import EnvShape
from dqn_exp.native_engine import NativeEngine
from dqn_exp.native_layers import ACTIVATIONS
from dqn_exp.native_learning import Rules
from dqn_exp.network import QNetwork
from dqn_exp.normalization import NoNormalization, Normalization, RunningNormalization
from dqn_exp.optimizer import Adam, Optimizer, RMSProp
from dqn_exp.random_streams import Stream
from dqn_exp.schedule import Schedule
from dqn_exp.schema import CategoricalConfig, QuantileConfig
from dqn_exp.td_target import (
    GreedyTarget,
    MunchausenTarget,
    RewardRule,
    TargetRule,
    reward_factors,
)
from dqn_exp.value import (
    CategoricalValue,
    HuberLoss,
    QuantileValue,
    ScalarValue,
    SquaredLoss,
    Value,
)
from dqn_exp.weights import NoisyWeights, PlainWeights, init_scales

COMPILED = (QNetwork, UniformBuffer, PrioritizedBuffer, Adam, ScalarValue, GreedyTarget)
"""What there is compiled code for; what is derived from them is something else."""


def make_engine(
    configs: Configs, shape: EnvShape, buffer: UniformBuffer
) -> NativeEngine | TorchEngine:
    """Builds what acts and learns, on a buffer that others write to."""
    if configs[0].engine == "native":
        return _make_native_engine(configs, shape, buffer)
    return _make_torch_engine(configs, shape, buffer)


def _make_native_engine(configs: Configs, shape: EnvShape, buffer: UniformBuffer) -> NativeEngine:
    first = configs[0]
    network = make_network(configs, shape, 1)
    agent = _make_agent(configs, _make_parameters(configs, network), shape.num_actions)
    optimizer, value = _make_optimizer(configs, network.num_parameters), make_value(configs)
    _check_known(network, buffer, optimizer, value, _make_target_rule(configs, value))
    assert isinstance(optimizer, Adam)
    return NativeEngine(
        agent=agent,
        network=network,
        value=value,
        layers=native_network.make_network(
            network.layers, ACTIVATIONS[first.network.activation], first.network.dueling
        ),
        rules=Rules(
            factors=reward_factors(floats(configs, "agent.gamma"), first.agent.n_step),
            reward_limits=floats(configs, "agent.reward_clip").astype(np.float32),
            huber_deltas=floats(configs, "agent.huber_delta").astype(np.float32),
            is_double=first.agent.double,
            is_huber=first.agent.loss == "huber",
        ),
        optimizer=optimizer,
        learning_rate=_make_learning_rate(configs),
        buffer=buffer,
        seeds=[config.seed for config in configs],
        batch_size=first.agent.batch_size,
        gradient_steps=first.agent.gradient_steps,
        max_grad_norm=floats(configs, "agent.max_grad_norm").astype(np.float32),
        num_threads=first.num_threads or num_cores(),
    )


def _check_known(*parts: object) -> None:
    """Raises ValueError for a part that compiled code would silently compute as another one."""
    for part in parts:
        if type(part) not in COMPILED:
            raise ValueError(
                f"engine: expected parts that engine=native knows, found {type(part).__name__}; "
                "name its key in reasons_against_native of dqn_exp/engine_choice.py, or set "
                "engine=torch."
            )


def _make_torch_engine(configs: Configs, shape: EnvShape, buffer: Buffer) -> TorchEngine:
    first = configs[0]
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
            floats(configs, "agent.gamma"),
            tensor(configs, "agent.reward_clip"),
            first.agent.n_step,
            device(configs),
        ),
        target_rule=_make_target_rule(configs, value),
        optimizer=_make_optimizer(configs, agent.online.shape[1]),
        learning_rate=_make_learning_rate(configs),
        buffer=buffer,
        sampling=make_stream(configs, Stream.SAMPLING, first.agent.batch_size),
        batch_size=first.agent.batch_size,
        gradient_steps=first.agent.gradient_steps,
        max_grad_norm=tensor(configs, "agent.max_grad_norm"),
        num_threads=first.num_threads or num_cores(),
    )


def _make_parameters(configs: Configs, network: QNetwork) -> torch.Tensor:
    parameters = network.init_parameters([config.seed for config in configs])
    if configs[0].network.noisy:
        scales = init_scales(network.layers, floats(configs, "network.noisy_sigma"))
        parameters = torch.cat([parameters, scales], 1)
    return parameters.to(device(configs))


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
    return RunningNormalization(len(configs), shape.num_features, device(configs))


def make_value(configs: Configs) -> Value:
    """Builds the meaning of outputs."""
    agent = configs[0].agent
    delta = tensor(configs, "agent.huber_delta")
    match agent.value:
        case CategoricalConfig(num_atoms=num_atoms):
            ends = ("agent.value.v_min", "agent.value.v_max")
            return CategoricalValue(num_atoms, *(tensor(configs, end) for end in ends))
        case QuantileConfig(num_quantiles=num_quantiles):
            return QuantileValue(num_quantiles, delta)
        case _:
            loss = SquaredLoss() if agent.loss == "mse" else HuberLoss(delta)
            return ScalarValue(loss, device(configs))


def _make_target_rule(configs: Configs, value: Value) -> TargetRule:
    if not configs[0].agent.munchausen:
        return GreedyTarget(value, configs[0].agent.double)
    return MunchausenTarget(
        tensor(configs, "agent.munchausen_scale"),
        tensor(configs, "agent.munchausen_temperature"),
        tensor(configs, "agent.munchausen_clip"),
    )


def _make_optimizer(configs: Configs, num_parameters: int) -> Optimizer:
    epsilon = floats(configs, "agent.optimizer.epsilon")
    if configs[0].agent.optimizer.kind == "rmsprop":
        decay = floats(configs, "agent.optimizer.decay")
        return RMSProp(decay, epsilon, num_parameters, device(configs))
    weight_decay = floats(configs, "agent.optimizer.weight_decay")
    return Adam(epsilon, weight_decay, num_parameters, device(configs))


def _make_agent(configs: Configs, parameters: torch.Tensor, num_actions: int) -> Agent:
    return Agent(
        parameters=parameters,
        num_actions=num_actions,
        exploration=make_stream(configs, Stream.EXPLORATION, 2),
        epsilon=make_schedule(configs, "epsilon", start="epsilon_start", end="epsilon"),
        gamma=floats(configs, "agent.gamma"),
        bootstrap_truncated=np.array(values(configs, "agent.bootstrap_truncated")),
        learning_starts=ints(configs, "agent.learning_starts"),
        train_every=ints(configs, "agent.train_every"),
        # A soft update is one after every update, by a share of the way; a copy goes all of it.
        target_update_period=ints(configs, "agent.target_update_period", if_null=1),
        target_update_tau=floats(configs, "agent.target_update_tau", if_null=1.0),
    )


def _make_learning_rate(configs: Configs) -> Schedule:
    return make_schedule(configs, "learning_rate", start="learning_rate", end="learning_rate_end")
