"""The state of a population as compiled code takes it, in the memory of its owners."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types
from numba.experimental import structref

from dqn_exp.agent.native.network import MLPShape, Workspace
from dqn_exp.agent.native.targets import Batch, Rules
from dqn_exp.agent.native.views import unowned
from dqn_exp.agent.optimizer import AdamState
from dqn_exp.buffer.priorities import Priorities
from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray, UInt32Array
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.core.transition import TransitionLayout


class Parameters(NamedTuple):
    """Online and target parameters of all runs, and how they are updated.

    Attributes:
        online: `[N, P]`.
        target: `[N, P]`.
        updates: `[N]` made so far.
        periods: `[N]` updates between two updates of the target.
        taus: `[N]` step sizes of an update of the target.
        norm_limits: `[N]` limits of the norm of the gradient.
    """

    online: Float32Array
    target: Float32Array
    updates: IntArray
    periods: IntArray
    taus: Float64Array
    norm_limits: Float32Array


class BufferState(NamedTuple):
    """Replay buffers of all runs.

    Attributes:
        storage: `[sum of C, width]` stored transitions.
        layout: of a row of the storage.
        offsets: `[N]` first rows of the rings.
        sizes: `[N]` transitions stored.
        is_prioritized: whether sampling uses priorities.
    """

    storage: Float32Array
    layout: TransitionLayout
    offsets: IntArray
    sizes: IntArray
    is_prioritized: bool


class Sampled(NamedTuple):
    """Sampled batches of all runs.

    Attributes:
        seeds: `[N]` of the runs.
        leaves: `[N, B]` places in the rings.
        weights: `[N, B]` factors of the losses.
        numbers: `[N, B]` random numbers.
    """

    seeds: npt.NDArray[np.uint64]
    leaves: IntArray
    weights: Float32Array
    numbers: UInt32Array


class Newest(NamedTuple):
    """Diagnostics of the newest updates.

    Attributes:
        losses: `[N]`.
        norms: `[N]` norms of the gradients, before clipping.
        errors: `[N, B]` TD errors.
        predictions: `[N, B]` values of the actions taken.
    """

    losses: Float32Array
    norms: Float32Array
    errors: Float32Array
    predictions: Float32Array


class Parts(NamedTuple):
    """Everything that acting and learning read and write.

    Workspaces and batches have the thread axis first, all others the run axis.
    """

    network: MLPShape
    rules: Rules
    parameters: Parameters
    adam: AdamState
    buffer: BufferState
    priorities: Priorities
    sampled: Sampled
    newest: Newest
    workspaces: Workspace
    batches: Batch


@structref.register
class PopulationType(types.StructRef):  # type: ignore[misc]
    """Type of a `Population` in compiled code."""


class Population(structref.StructRefProxy):  # type: ignore[misc]
    """The parts as one object, which is much cheaper to pass than all their arrays."""


structref.define_proxy(Population, PopulationType, Parts._fields)


@cached_jit
def make_population(parts: Parts) -> Population:
    """Wraps the parts in one object."""
    return Population(
        parts.network,
        parts.rules,
        parts.parameters,
        parts.adam,
        parts.buffer,
        parts.priorities,
        parts.sampled,
        parts.newest,
        parts.workspaces,
        parts.batches,
    )


@kernel
def parts_of(population: Population) -> Parts:
    """Returns the parts of a population, without reference counts."""
    return Parts(
        unowned(population.network),
        unowned(population.rules),
        unowned(population.parameters),
        unowned(population.adam),
        unowned(population.buffer),
        unowned(population.priorities),
        unowned(population.sampled),
        unowned(population.newest),
        unowned(population.workspaces),
        unowned(population.batches),
    )
