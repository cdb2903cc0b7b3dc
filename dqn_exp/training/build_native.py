"""Assembly of the native engine from N configs."""

from typing import Any

import numpy as np

from dqn_exp.agent.engine_state import EngineParts, UpdateSettings
from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.native.memory import CLOSED
from dqn_exp.agent.native.records import to_records
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.optimizer import Adam, RMSProp
from dqn_exp.agent.td_target import (
    DoubleTarget,
    GreedyTarget,
    MunchausenTarget,
    TargetRule,
)
from dqn_exp.agent.value import CategoricalValue, QuantileValue, ScalarValue
from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.config.agent_schema import (
    MunchausenTargetConfig,
)
from dqn_exp.config.per_run_arrays import (
    Configs,
    sections,
    to_bools,
    to_floats,
    to_ints,
)
from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import Convolution
from dqn_exp.network.mlp import MLP
from dqn_exp.training.segment import RECORD

COMPILED = (
    *(MLP, ConvNet, UniformBuffer, PrioritizedBuffer, Adam, RMSProp),
    *(ScalarValue, CategoricalValue, QuantileValue),
    *(GreedyTarget, DoubleTarget, MunchausenTarget),
)
"""Classes that compiled code supports; their subclasses are not among them."""

SHARED_ABOVE = 4_096
"""Features of an observation above which threads share the updates of a run."""


def make_native_engine(
    configs: Configs, parts: EngineParts, target_rule: TargetRule, updates: UpdateSettings
) -> NativeEngine:
    """Builds the engine in compiled code, on given parts.

    Raises:
        ValueError: If compiled code does not support the class of a part.
    """
    first = configs[0]
    _check_support(parts.network, parts.buffer, parts.optimizer, parts.value, target_rule)
    assert isinstance(parts.network, MLP | ConvNet)
    assert isinstance(parts.buffer, UniformBuffer)
    layers = parts.network.layers
    has_convolutions = any(isinstance(layer, Convolution) for layer in layers)
    spec = Spec(
        activation=first.network.activation,
        is_deep=len(layers) > 2,
        is_dueling=first.network.dueling,
        is_noisy=first.network.noisy,
        is_normalized=first.agent.normalize_observations,
        value=first.agent.value.kind,
        loss=first.agent.loss,
        target=first.agent.target.kind,
        optimizer=first.agent.optimizer.kind,
        is_prioritized=first.buffer.kind == "prioritized",
        stores_frames=parts.buffer.frames is not None,
        has_convolutions=has_convolutions,
    )
    return NativeEngine(
        parts,
        updates,
        spec=spec,
        constants=_constants(configs, parts),
        record_type=RECORD,
        is_shared=has_convolutions
        and parts.network.num_features > SHARED_ABOVE
        and updates.batch_size < CLOSED,  # A task may be a row.
    )


def _constants(configs: Configs, parts: EngineParts) -> dict[str, Any]:
    """Returns the hyperparameters of compiled code, by the fields of its records."""
    agent, buffer = parts.agent, parts.buffer
    assert isinstance(buffer, UniformBuffer)
    found = {
        "seed": np.array([config.seed for config in configs], dtype=np.uint64),
        "gamma": to_floats(config.agent.gamma for config in configs),
        "bootstrap_truncated": to_bools(config.agent.bootstrap_truncated for config in configs),
        "learning_starts": to_ints(config.agent.learning_starts for config in configs),
        "train_every": to_ints(config.agent.train_every for config in configs),
        "target_update_period": agent.target_update_period,
        "target_update_tau": agent.target_update_tau,
        "reward_limit": to_floats(config.agent.reward_clip for config in configs),
        "huber_delta": to_floats(config.agent.huber_delta for config in configs),
        "n_step": configs[0].agent.n_step,
        "offset": buffer.offsets,
        "capacity": buffer.capacities,
        "first_slot": 0 if buffer.frames is None else buffer.frames.offsets,
        "epsilon": to_records(agent.epsilon),
        "learning_rate": to_records(parts.learning_rate),
    }
    if isinstance(parts.optimizer, Adam):
        found["optimizer_epsilon"] = parts.optimizer.epsilon
        found["weight_decay"] = parts.optimizer.weight_decay
    if isinstance(parts.optimizer, RMSProp):
        found["optimizer_epsilon"] = parts.optimizer.epsilon
        found["optimizer_share"] = parts.optimizer.step_size
    if isinstance(parts.value, CategoricalValue):
        found["v_min"], found["v_max"] = parts.value.v_min, parts.value.v_max
    if isinstance(configs[0].agent.target, MunchausenTargetConfig):
        targets = sections((config.agent.target for config in configs), MunchausenTargetConfig)
        for name in ("scale", "temperature", "clip"):
            found[name] = to_floats(getattr(target, name) for target in targets)
    if isinstance(buffer, PrioritizedBuffer):
        found["priority_exponent"] = buffer.priority_exponent
        found["priority_epsilon"] = buffer.priority_epsilon
        found["importance_exponent"] = to_records(buffer.importance_exponent)
    return found


def _check_support(*parts: object) -> None:
    """Raises ValueError for a part that compiled code would silently compute as another one."""
    for part in parts:
        if type(part) not in COMPILED:
            raise ValueError(
                f"engine: expected parts that engine=native supports, found {type(part).__name__}; "
                "name its key in reasons_against_native of dqn_exp/config/engine_choice.py, or set "
                "engine=torch."
            )
