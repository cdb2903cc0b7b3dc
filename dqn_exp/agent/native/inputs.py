"""Inputs of the network of one run: observations, normalized or not, in compiled code.

The equations are those of `agent.normalization`, against which they are tested.
"""

import math
from typing import Any

import numpy as np

from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.agent.normalization import CLIP, VARIANCE_EPSILON
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel

LIMIT = np.float32(CLIP)


@kernel
def _leave(_spec: Static, _memory: Memory, _feature: int, value: np.float32) -> np.float32:
    return value


@kernel
def _normalize(_spec: Static, memory: Memory, feature: int, value: np.float32) -> np.float32:
    numbers = memory.numbers
    found = (value - numbers[memory.at.shifts + feature]) * numbers[memory.at.scales + feature]
    if found > LIMIT:
        return LIMIT
    return -LIMIT if found < -LIMIT else found


@chosen
def input_of(spec: Spec) -> Any:
    """Returns the input of the network for a feature of an observation."""
    return _normalize if spec.is_normalized else _leave


@kernel
def _observe_nothing(
    _spec: Static, _stores: Stores, _record: Any, _run: int, _observations: Float32Array
) -> None:
    pass


@kernel
def _observe(
    _spec: Static, stores: Stores, record: Any, run: int, observations: Float32Array
) -> None:
    record.num_observed += 1
    share = 1.0 / record.num_observed
    for feature in range(observations.shape[1]):
        value, mean = np.float64(observations[run, feature]), stores.means[run, feature]
        difference = value - mean
        mean += difference * share
        variance = stores.variances[run, feature]
        stores.means[run, feature] = mean
        stores.variances[run, feature] += (difference * (value - mean) - variance) * share


@chosen
def observe_statistics(spec: Spec) -> Any:
    """Updates the statistics of a run with a training observation of `[N, D]`."""
    return _observe if spec.is_normalized else _observe_nothing


@kernel
def _prepare_nothing(_spec: Static, _stores: Stores, _run: int, _memory: Memory) -> None:
    pass


@kernel
def _prepare(_spec: Static, stores: Stores, run: int, memory: Memory) -> None:
    for feature in range(stores.means.shape[1]):
        memory.numbers[memory.at.shifts + feature] = stores.means[run, feature]
        variance = stores.variances[run, feature] + VARIANCE_EPSILON
        memory.numbers[memory.at.scales + feature] = 1.0 / math.sqrt(variance)


@chosen
def prepare_inputs(spec: Spec) -> Any:
    """Writes the statistics of a run to the memory."""
    return _prepare if spec.is_normalized else _prepare_nothing


@kernel
def read_observations(spec: Static, stores: Stores, memory: Memory, first: int) -> None:
    """Writes the observations of a batch, from an offset in its transitions, to the units."""
    storage, layout, place = stores.storage, stores.layout, memory.at.units
    for b in range(len(memory.leaves)):
        row = memory.leaves[b] * layout.width + first
        for feature in range(layout.num_features):
            value = storage[row + feature]
            memory.numbers[place] = input_of(spec, memory, feature, value)
            place += 1
