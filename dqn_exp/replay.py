"""Rings of transitions and their priorities, in compiled code, one run at a time."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp import philox, sum_tree
from dqn_exp.compiled import entry, exact_kernel

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.uint32]


class Priorities(NamedTuple):
    """What sampling in proportion to priorities knows; a mass is a priority to its exponent.

    nodes: of the trees of all runs, see `sum_tree`.
    offsets: `[N, H]` where the levels of each tree begin.
    totals: `[N]` of the masses.
    exponents: `[N]` of priorities.
    smallest: `[N]` added to each priority.
    greatest: `[N]` priorities met so far.
    greatest_masses: `[N]` the masses of these.
    """

    nodes: Doubles
    offsets: Ints
    totals: Doubles
    exponents: Doubles
    smallest: Doubles
    greatest: Doubles
    greatest_masses: Doubles


@exact_kernel
def sample_uniformly(numbers: Numbers, size: int, leaves: Ints) -> None:
    """Makes of `numbers [B]` as many `leaves [B]` of `[0, size)`; 0 where there are none."""
    for b in range(len(leaves)):
        leaves[b] = philox.to_range(numbers[b], size)


@exact_kernel
def sample_by_priority(
    numbers: Numbers,
    size: int,
    priorities: Priorities,
    run: int,
    importance: float,
    leaves: Ints,
    weights: Floats,
) -> None:
    """Samples one transition of each B-th of the total, and weights them against the bias.

    Args:
        numbers: `[B]` random ones.
        size: transitions that there are.
        priorities: of all runs.
        run: row of the run.
        importance: exponent of the weights.
        leaves: `[B]`, written; 0 where there is no transition.
        weights: `[B]`, written, relative to the greatest of the batch.
    """
    count, least = len(leaves), np.inf
    offsets = priorities.offsets[run]
    first = offsets[-1]
    for b in range(count):
        share = (b + philox.to_unit(numbers[b])) / count
        leaf = sum_tree.find(priorities.nodes, offsets, share * priorities.totals[run])
        leaves[b] = min(leaf, max(size - 1, 0))
        least = min(least, priorities.nodes[first + leaves[b]])
    # The size of the buffer and the total are the same for all of a batch.
    for b in range(count):
        weights[b] = (least / priorities.nodes[first + leaves[b]]) ** importance


@exact_kernel
def prioritize(priorities: Priorities, run: int, leaves: Ints, errors: Floats) -> None:
    """Gives `leaves [B]` of a run the priorities that `errors [B]`, in their magnitude, mean."""
    exponent, smallest = priorities.exponents[run], priorities.smallest[run]
    for b in range(len(leaves)):
        priority = abs(np.float64(errors[b])) + smallest
        if not priority <= priorities.greatest[run]:
            priorities.greatest[run] = priority
        priorities.totals[run] = sum_tree.put(
            priorities.nodes, priorities.offsets[run], leaves[b], priority**exponent
        )
    priorities.greatest_masses[run] = priorities.greatest[run] ** exponent


@entry
def sample_all_by_priority(
    numbers: Numbers,
    sizes: Ints,
    priorities: Priorities,
    importance: Doubles,
    leaves: Ints,
    weights: Floats,
) -> None:
    """Does `sample_by_priority` for all runs: arrays `[N, ...]`."""
    for run in range(len(sizes)):
        sample_by_priority(
            numbers[run], sizes[run], priorities, run, importance[run], leaves[run], weights[run]
        )


@entry
def prioritize_all(
    priorities: Priorities, learning: npt.NDArray[np.bool_], leaves: Ints, errors: Floats
) -> None:
    """Does `prioritize` for the runs `[N]` that learn: arrays `[N, B]`."""
    for run in range(len(learning)):
        if learning[run]:
            prioritize(priorities, run, leaves[run], errors[run])


@entry
def store(
    storage: Floats,
    offsets: Ints,
    capacities: Ints,
    positions: Ints,
    sizes: Ints,
    places: Ints,
    runs: Ints,
    observation: Floats,
    action: Ints,
    rewards: Floats,
    discount: Doubles,
    next_observation: Floats,
) -> None:
    """Writes each of some transitions to the next place in the ring of its run.

    Args:
        storage: of all rings, written.
        offsets: `[N]` where the rings begin.
        capacities: `[N]` of the rings.
        positions: `[N]` of the next places, in place.
        sizes: `[N]` how many places are taken, in place.
        places: `[M]`, written: where in the storage the transitions are now.
        runs: `[M]` that they belong to; transitions of a run are in order.
        observation: `[M, D]`; this and the others are the fields of the transitions.
        action: `[M]`.
        rewards: `[M, n]`.
        discount: `[M]`.
        next_observation: `[M, D]`.
    """
    take_places(runs, offsets, capacities, positions, sizes, places)
    write_rows(storage, places, observation, action, rewards, discount, next_observation)


@entry
def take_places(
    runs: Ints, offsets: Ints, capacities: Ints, positions: Ints, sizes: Ints, places: Ints
) -> None:
    """Takes the next place in the ring of its run for each of some transitions, as `store` does."""
    for i in range(len(runs)):
        run = runs[i]
        places[i] = offsets[run] + positions[run]
        positions[run] = (positions[run] + 1) % capacities[run]
        sizes[run] = min(sizes[run] + 1, capacities[run])


@entry
def write_rows(
    storage: Floats,
    rows: Ints,
    observation: Floats,
    action: Ints,
    rewards: Floats,
    discount: Doubles,
    next_observation: Floats,
) -> None:
    """Packs transitions `[M]` into `rows [M]` of the storage, to be read with `unpack`."""
    count, num_features = observation.shape
    for i in range(count):
        packed = storage[rows[i]]
        for feature in range(num_features):
            packed[feature] = observation[i, feature]
            packed[num_features + feature] = next_observation[i, feature]
        packed[2 * num_features] = action[i]
        packed[2 * num_features + 1] = discount[i]
        for step in range(rewards.shape[1]):
            packed[2 * num_features + 2 + step] = rewards[i, step]
