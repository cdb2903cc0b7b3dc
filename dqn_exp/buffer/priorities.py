"""Compiled kernels of prioritized replay: sampling by priority, and updates of priorities.

The native engine updates priorities in `agent/native/update.py` and gives new transitions theirs
in `agent/native/remember.py`.
"""

from typing import NamedTuple

import numpy as np

from dqn_exp.buffer import sum_tree
from dqn_exp.core import philox
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray, UInt32Array
from dqn_exp.core.jit import cached_jit, kernel


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


@kernel
def sample_part(
    nodes: Float64Array, offsets: IntArray, run: int, position: float, size: int
) -> int:
    """Returns the leaf at a position of the total; 0 if there is no transition."""
    return min(sum_tree.find(nodes, offsets, run, position), max(size - 1, 0))


@kernel
def mass_of(nodes: Float64Array, offsets: IntArray, run: int, leaf: int) -> float:
    """Returns the mass of a leaf."""
    mass: float = nodes[offsets[run, offsets.shape[1] - 1] + leaf]
    return mass


@cached_jit
def sample_all_by_priority(
    numbers: UInt32Array,
    sizes: IntArray,
    priorities: Priorities,
    importance: Float64Array,
    leaves: IntArray,
    weights: Float32Array,
) -> None:
    """Samples one transition from each of B equal parts of each total, with importance weights.

    Args:
        numbers: `[N, B]` random numbers.
        sizes: `[N]` transitions stored.
        priorities: of all runs.
        importance: `[N]` exponents of the weights.
        leaves: `[N, B]`, written; 0 where there is no transition.
        weights: `[N, B]`, written, relative to the largest of the batch.
    """
    nodes, offsets = priorities.nodes, priorities.offsets
    for run in range(len(sizes)):
        count, least = numbers.shape[1], np.inf
        for b in range(count):
            share = (b + philox.to_unit(numbers[run, b])) / count
            total, size = priorities.totals[run], sizes[run]
            leaf = sample_part(nodes, offsets, run, share * total, size)
            leaves[run, b] = leaf
            least = min(least, mass_of(nodes, offsets, run, leaf))
        # The size of the buffer and the total are the same for the whole batch, and cancel.
        for b in range(count):
            ratio = least / mass_of(nodes, offsets, run, leaves[run, b])
            weights[run, b] = ratio ** importance[run]


@cached_jit
def prioritize_all(
    priorities: Priorities, learning: BoolArray, leaves: IntArray, errors: Float32Array
) -> None:
    """Updates priorities of the runs `[N]` that learn to the magnitudes of errors `[N, B]`."""
    for run in range(len(learning)):
        if not learning[run]:
            continue
        exponent, epsilon = priorities.exponents[run], priorities.epsilons[run]
        for b in range(leaves.shape[1]):
            priority = abs(np.float64(errors[run, b])) + epsilon
            if not priority <= priorities.max_priorities[run]:
                priorities.max_priorities[run] = priority
            priorities.totals[run] = sum_tree.put(
                priorities.nodes, priorities.offsets, run, leaves[run, b], priority**exponent
            )
        priorities.max_masses[run] = priorities.max_priorities[run] ** exponent
