"""Inputs of the network of one run: observations, normalized or not, in compiled code.

The equations are those of `agent.normalization`, against which they are tested.
"""

import math
from typing import Any

import numpy as np

from dqn_exp.agent.native.layout import INPUTS
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.agent.normalization import CLIP, VARIANCE_EPSILON
from dqn_exp.buffer import frame_reading
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, fill, item, load, load_some, store_some
from dqn_exp.core.vector_functions import bounded

LIMIT = np.float32(CLIP)


@kernel
def _leave(_spec: Static, _memory: Memory, _feature: int, values: Any) -> Any:
    return values


@kernel
def _normalize(_spec: Static, memory: Memory, feature: int, values: Any) -> Any:
    shifts = load(memory.numbers, memory.at.shifts + feature)
    scales = load(memory.numbers, memory.at.scales + feature)
    return bounded((values - shifts) * scales, fill(-LIMIT), fill(LIMIT))


@chosen
def inputs_of(spec: Spec) -> Any:
    """Returns the inputs of the network for a vector of features of an observation."""
    return _normalize if spec.is_normalized else _leave


@kernel
def read_observation(
    spec: Static, memory: Memory, row: int, numbers: Float32Array, place: int, count: int
) -> None:
    """Writes an observation to a row of the units.

    Args:
        spec: of the agent.
        memory: of the thread.
        row: of the units.
        numbers: an array with the observation.
        place: of the observation in the array, as if it were flat.
        count: D.
    """
    to = memory.at.units + row * memory.layers[0, INPUTS]
    for feature in range(0, count, LANES):
        size = min(LANES, count - feature)
        values = load_some(numbers, place + feature, size)
        store_some(memory.numbers, to + feature, inputs_of(spec, memory, feature, values), size)


@kernel
def _read_current(
    spec: Static,
    _stores: Stores,
    _record: Any,
    memory: Memory,
    observations: Float32Array,
    run: int,
) -> None:
    count = observations.shape[1]
    read_observation(spec, memory, 0, observations, run * count, count)


@kernel
def _read_current_frames(
    _spec: Static,
    stores: Stores,
    record: Any,
    memory: Memory,
    observations: Float32Array,
    run: int,
) -> None:
    _read_stack(stores, record, memory, 0, observations[run, 0])


@chosen
def read_current(spec: Spec) -> Any:
    """Writes a run's observation among `[N, D]` to the first row of the units."""
    return _read_current_frames if spec.stores_frames else _read_current


@kernel
def _read_stack(stores: Stores, record: Any, memory: Memory, row: int, slot: np.float32) -> None:
    """Writes the observation whose newest frame is in a slot to a row of the units."""
    to = memory.at.units + row * memory.layers[0, INPUTS]
    frames, layout, first = stores.frames, stores.frame_layout, record.first_slot
    frame_reading.read_observation(frames, layout, first, int(slot), memory.numbers, to)


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
def _read_vectors(spec: Static, stores: Stores, _record: Any, memory: Memory, first: int) -> None:
    storage, layout = stores.storage, stores.layout
    for b in range(len(memory.sampled)):
        place = memory.sampled[b] * layout.width + first
        read_observation(spec, memory, b, storage, place, layout.num_features)


@kernel
def _read_frames(_spec: Static, stores: Stores, record: Any, memory: Memory, first: int) -> None:
    storage, layout = stores.storage, stores.layout
    for b in range(len(memory.sampled)):
        place = memory.sampled[b] * layout.width + first
        _read_stack(stores, record, memory, b, item(storage, place))


@chosen
def read_observations(spec: Spec) -> Any:
    """Writes the observations of a batch, from an offset in its transitions, to the units."""
    return _read_frames if spec.stores_frames else _read_vectors
