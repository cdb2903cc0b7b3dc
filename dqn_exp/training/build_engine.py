"""Assembly of the engine of a population from N configs."""

from dataclasses import replace

import numpy as np
import torch

from dqn_exp.agent.dqn import Agent, AgentHyperparameters
from dqn_exp.agent.engine_state import EngineParts, UpdateSettings
from dqn_exp.agent.losses import HuberLoss, SquaredLoss
from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.normalization import NoNormalization, Normalization, RunningNormalization
from dqn_exp.agent.optimizer import Adam, Optimizer, RMSProp
from dqn_exp.agent.td_target import (
    DoubleTarget,
    GreedyTarget,
    MunchausenTarget,
    RewardRule,
    TargetRule,
)
from dqn_exp.agent.torch_engine import Roles, TorchEngine
from dqn_exp.agent.value import CategoricalValue, QuantileValue, ScalarValue, Value
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.config.agent_schema import (
    AdamConfig,
    CategoricalConfig,
    ConvConfig,
    CustomNetworkConfig,
    CustomTargetConfig,
    MunchausenTargetConfig,
    QuantileConfig,
    RMSPropConfig,
)
from dqn_exp.config.fields import Decay
from dqn_exp.config.per_run_arrays import (
    Configs,
    sections,
    to_bools,
    to_floats,
    to_ints,
    to_tensor,
)
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.core.machine import num_cores
from dqn_exp.core.random_streams import RandomStream, Stream
from dqn_exp.core.schedule import Schedule
from dqn_exp.env.arguments import EnvShape
from dqn_exp.network.base import Network
from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import ImageShape
from dqn_exp.network.mlp import MLP
from dqn_exp.network.noisy import NoisyWeights, PlainWeights, init_scales
from dqn_exp.network.parallel import ParallelConvNet
from dqn_exp.training.build_native import make_native_engine
from dqn_exp.training.custom import make_custom


def make_engine(
    configs: Configs, shape: EnvShape, buffer: UniformBuffer
) -> NativeEngine | TorchEngine:
    """Builds the engine of runs of equal structure, on a given buffer."""
    value = make_value(configs)
    network = make_network(configs, shape, value.num_outputs)
    agent = _make_agent(configs, _make_parameters(configs, network), shape.num_actions)
    parts = EngineParts(
        agent=agent,
        network=network,
        value=value,
        optimizer=_make_optimizer(configs, agent.online.shape[1]),
        buffer=buffer,
        normalization=make_normalization(configs, shape),
        learning_rate=_make_learning_rate(configs),
    )
    if configs[0].engine == "native":
        return make_native_engine(
            configs, parts, make_target_rule(configs, value), _update_settings(configs)
        )
    return _make_torch_engine(configs, parts)


def _make_torch_engine(configs: Configs, parts: EngineParts) -> TorchEngine:
    first, device = configs[0], _device(configs)
    target_rule = make_target_rule(configs, parts.value)
    num_threads = first.num_threads or num_cores()
    if isinstance(parts.network, ConvNet) and device.type == "cpu":
        parts = replace(parts, network=ParallelConvNet(parts.network, num_threads))
        num_threads = 1
    elif device.type == "cuda":
        make_deterministic()
    return TorchEngine(
        parts,
        _update_settings(configs),
        roles=_make_roles(configs, parts.network, target_rule),
        reward_rule=RewardRule(
            to_floats(config.agent.gamma for config in configs),
            to_tensor((config.agent.reward_clip for config in configs), device),
            first.agent.n_step,
            device,
        ),
        target_rule=target_rule,
        sampling=make_stream(configs, Stream.SAMPLING, first.agent.batch_size),
        num_threads=num_threads,
    )


def make_deterministic() -> None:
    """Lets convolutions on a GPU sum in a fixed order, with all 24 bits of single precision."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False


def make_network(configs: Configs, shape: EnvShape, num_outputs: int) -> Network:
    """Builds the network that maps observations to `num_outputs` (K) per action."""
    section = configs[0].network
    if isinstance(section, CustomNetworkConfig):
        network: Network = make_custom(
            "network.target",
            section,
            shape.num_features,
            section.hidden_sizes,
            shape.num_actions,
            num_outputs=num_outputs,
            activation=section.activation,
            dueling=section.dueling,
        )
        return network
    if isinstance(section, ConvConfig):
        assert shape.frames is not None
        return ConvNet(
            image_of(shape.frames),
            [(filters, size, stride) for filters, size, stride in section.convolutions],
            section.hidden_sizes,
            shape.num_actions,
            num_outputs=num_outputs,
            activation=section.activation,
            dueling=section.dueling,
        )
    return MLP(
        shape.num_features,
        section.hidden_sizes,
        shape.num_actions,
        num_outputs=num_outputs,
        activation=section.activation,
        dueling=section.dueling,
    )


def image_of(frames: FrameFormat) -> ImageShape:
    """Returns the shape of observations that are stacks of frames."""
    return ImageShape(frames.height, frames.width, frames.channels * frames.stack)


def make_normalization(configs: Configs, shape: EnvShape) -> Normalization:
    """Builds the normalization of observations."""
    if not configs[0].agent.normalize_observations:
        return NoNormalization()
    return RunningNormalization(len(configs), shape.num_features, _device(configs))


def make_value(configs: Configs) -> Value:
    """Builds the interpretation of the outputs."""
    agent, device = configs[0].agent, _device(configs)
    delta = to_tensor((config.agent.huber_delta for config in configs), device)
    match agent.value:
        case CategoricalConfig(num_atoms=num_atoms):
            values = sections((config.agent.value for config in configs), CategoricalConfig)
            v_min = to_tensor((value.v_min for value in values), device)
            v_max = to_tensor((value.v_max for value in values), device)
            return CategoricalValue(num_atoms, v_min, v_max)
        case QuantileConfig(num_quantiles=num_quantiles):
            return QuantileValue(num_quantiles, delta)
        case _:
            loss = SquaredLoss() if agent.loss == "mse" else HuberLoss(delta)
            return ScalarValue(loss, device)


def make_target_rule(configs: Configs, value: Value) -> TargetRule:
    """Builds the rule that targets follow."""
    target = configs[0].agent.target
    if isinstance(target, CustomTargetConfig):
        rule: TargetRule = make_custom("agent.target.target", target, value)
        return rule
    match target.kind:
        case "double":
            return DoubleTarget(value)
        case "munchausen":
            device = _device(configs)
            targets = sections((config.agent.target for config in configs), MunchausenTargetConfig)
            return MunchausenTarget(
                to_tensor((target.scale for target in targets), device),
                to_tensor((target.temperature for target in targets), device),
                to_tensor((target.clip for target in targets), device),
            )
        case _:
            return GreedyTarget(value)


def make_stream(configs: Configs, stream: Stream, width: int) -> RandomStream:
    """Returns a random stream per run, with `width` numbers per index."""
    return RandomStream([config.seed for config in configs], stream, width)


def _make_parameters(configs: Configs, network: Network) -> torch.Tensor:
    parameters = network.layout.init_parameters([config.seed for config in configs])
    if configs[0].network.noisy:
        sigma = to_floats(config.network.noisy_sigma for config in configs)
        parameters = torch.cat([parameters, init_scales(network.layout, sigma)], 1)
    return parameters.to(_device(configs))


def _make_roles(configs: Configs, network: Network, target_rule: TargetRule) -> Roles:
    seeds, plain = [config.seed for config in configs], PlainWeights(network.layout)
    if not configs[0].network.noisy:
        return Roles(plain, plain, plain, plain)
    acting, learning, target, choosing = (
        NoisyWeights(network.layout, seeds, stream)
        for stream in (
            Stream.NOISE_OF_ACTING,
            Stream.NOISE_OF_LEARNING,
            Stream.NOISE_OF_TARGET,
            Stream.NOISE_OF_CHOICE,
        )
    )
    return Roles(acting, learning, target, choosing if target_rule.uses_online else plain)


def _make_optimizer(configs: Configs, num_parameters: int) -> Optimizer:
    device = _device(configs)
    if isinstance(configs[0].agent.optimizer, RMSPropConfig):
        rmsprop = sections((config.agent.optimizer for config in configs), RMSPropConfig)
        decay = to_floats(section.decay for section in rmsprop)
        # Gradients are those of the mean loss, which is smaller by the batch size.
        scale = configs[0].agent.batch_size ** 2
        epsilon = to_floats(section.variance_epsilon for section in rmsprop) / scale
        return RMSProp(decay, epsilon, num_parameters, device)
    adam = sections((config.agent.optimizer for config in configs), AdamConfig)
    epsilon = to_floats(section.epsilon for section in adam)
    weight_decay = to_floats(section.weight_decay for section in adam)
    return Adam(epsilon, weight_decay, num_parameters, device)


def _make_agent(configs: Configs, parameters: torch.Tensor, num_actions: int) -> Agent:
    agents = [config.agent for config in configs]
    return Agent(
        parameters,
        num_actions,
        make_stream(configs, Stream.EXPLORATION, 2),
        AgentHyperparameters(
            epsilon=_make_epsilon(configs),
            gamma=to_floats(agent.gamma for agent in agents),
            bootstrap_truncated=to_bools(agent.bootstrap_truncated for agent in agents),
            learning_starts=to_ints(agent.learning_starts for agent in agents),
            train_every=to_ints(agent.train_every for agent in agents),
            # A soft update follows every gradient update; a copy has the step size 1.
            target_update_period=to_ints((agent.target_update_period for agent in agents), 1),
            target_update_tau=to_floats((agent.target_update_tau for agent in agents), 1.0),
        ),
    )


def _make_epsilon(configs: Configs) -> Schedule:
    agents = [config.agent for config in configs]
    return _make_schedule(
        [agent.epsilon if agent.epsilon_start is None else agent.epsilon_start for agent in agents],
        [agent.epsilon for agent in agents],
        [agent.epsilon_decay_steps for agent in agents],
        [agent.epsilon_decay for agent in agents],
    )


def _make_learning_rate(configs: Configs) -> Schedule:
    agents = [config.agent for config in configs]
    return _make_schedule(
        [agent.learning_rate for agent in agents],
        [
            agent.learning_rate if agent.learning_rate_end is None else agent.learning_rate_end
            for agent in agents
        ],
        [agent.learning_rate_decay_steps for agent in agents],
        [agent.learning_rate_decay for agent in agents],
    )


def _make_schedule(
    starts: list[float], ends: list[float], decay_steps: list[int | None], decays: list[Decay]
) -> Schedule:
    is_exponential = to_bools(decay == "exponential" for decay in decays)
    return Schedule(to_floats(starts), to_floats(ends), to_ints(decay_steps, 1), is_exponential)


def _update_settings(configs: Configs) -> UpdateSettings:
    first = configs[0].agent
    limits = to_floats(config.agent.max_grad_norm for config in configs)
    return UpdateSettings(first.batch_size, first.gradient_steps, limits.astype(np.float32))


def _device(configs: Configs) -> torch.device:
    return torch.device(configs[0].device)
