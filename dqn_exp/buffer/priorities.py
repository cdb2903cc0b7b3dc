"""Compiled kernels of prioritized replay: sampling by priority, and updates of priorities."""

from typing import NamedTuple

import numpy as np

from dqn_exp.buffer import sum_tree
from dqn_exp.core import philox
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray, UInt32Array
from dqn_exp.core.jit import cached_jit, exact_kernel


class Priorities(NamedTuple):
    """Priorities of all runs; the mass of a transition is a power of its priority.

    Attributes:
        nodes: of the sum trees of all runs, see `sum_tree`.
        offsets: `[N, H]` first node of each level of each tree.
        totals: `[N]` sums of the masses.
        exponents: `[N]` of the priorities.
        epsilons: `[N]` added to each priority.
        max_priorities: `[N]` largest priorities so far.
        max_masses: `[N]` masses of these.
    """

    nodes: Float64Array
    offsets: IntArray
    totals: Float64Array
    exponents: Float64Array
    epsilons: Float64Array
    max_priorities: Float64Array
    max_masses: Float64Array


@exact_kernel
def sample_by_priority(
    numbers: UInt32Array,
    size: int,
    priorities: Priorities,
    run: int,
    importance: float,
    leaves: IntArray,
    weights: Float32Array,
) -> None:
    """Samples one transition from each of B equal parts of the total, with importance weights.

    Args:
        numbers: `[B]` random numbers.
        size: transitions stored.
        priorities: of all runs.
        run: row of the run.
        importance: exponent of the weights.
        leaves: `[B]`, written; 0 where there is no transition.
        weights: `[B]`, written, relative to the largest of the batch.
    """
    count, least = len(leaves), np.inf
    offsets = priorities.offsets[run]
    first = offsets[-1]
    for b in range(count):
        share = (b + philox.to_unit(numbers[b])) / count
        leaf = sum_tree.find(priorities.nodes, offsets, share * priorities.totals[run])
        leaves[b] = min(leaf, max(size - 1, 0))
        least = min(least, priorities.nodes[first + leaves[b]])
    # The size of the buffer and the total are the same for the whole batch, and cancel.
    for b in range(count):
        weights[b] = (least / priorities.nodes[first + leaves[b]]) ** importance


@exact_kernel
def prioritize(priorities: Priorities, run: int, leaves: IntArray, errors: Float32Array) -> None:
    """Updates the priorities of `leaves [B]` of a run to the magnitudes of `errors [B]`."""
    exponent, epsilon = priorities.exponents[run], priorities.epsilons[run]
    for b in range(len(leaves)):
        priority = abs(np.float64(errors[b])) + epsilon
        if not priority <= priorities.max_priorities[run]:
            priorities.max_priorities[run] = priority
        priorities.totals[run] = sum_tree.put(
            priorities.nodes, priorities.offsets[run], leaves[b], priority**exponent
        )
    priorities.max_masses[run] = priorities.max_priorities[run] ** exponent


@cached_jit
def sample_all_by_priority(
    numbers: UInt32Array,
    sizes: IntArray,
    priorities: Priorities,
    importance: Float64Array,
    leaves: IntArray,
    weights: Float32Array,
) -> None:
    """Calls `sample_by_priority` for all runs, with arrays `[N, ...]`."""
    for run in range(len(sizes)):
        sample_by_priority(
            numbers[run], sizes[run], priorities, run, importance[run], leaves[run], weights[run]
        )


@cached_jit
def prioritize_all(
    priorities: Priorities, learning: BoolArray, leaves: IntArray, errors: Float32Array
) -> None:
    """Calls `prioritize` for the runs `[N]` that learn, with arrays `[N, B]`."""
    for run in range(len(learning)):
        if learning[run]:
            prioritize(priorities, run, leaves[run], errors[run])
