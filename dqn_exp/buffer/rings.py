"""Compiled kernels that store transitions in the ring buffers of all runs."""

from typing import NamedTuple

from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.jit import cached_jit
from dqn_exp.core.transition import Transition, TransitionLayout


class Rings(NamedTuple):
    """Ring buffers of all runs in one storage.

    Attributes:
        offsets: `[N]` first rows of the rings.
        capacities: `[N]` rows of the rings.
        positions: `[N]` next places in the rings.
        sizes: `[N]` transitions stored.
    """

    offsets: IntArray
    capacities: IntArray
    positions: IntArray
    sizes: IntArray


@cached_jit
def store(
    storage: Float32Array,
    layout: TransitionLayout,
    rings: Rings,
    places: IntArray,
    runs: IntArray,
    transition: Transition,
) -> None:
    """Writes transitions to the next places in the rings of their runs.

    Args:
        storage: `[sum of C, width]` of all rings, written.
        layout: of a row of the storage.
        rings: positions and sizes are updated.
        places: `[M]`, written: rows of the transitions in the storage.
        runs: `[M]` runs of the transitions; those of a run are in order.
        transition: of leading shape `[M]`.
    """
    take_places(rings, places, runs)
    write_rows(storage, layout, places, transition)


@cached_jit
def take_places(rings: Rings, places: IntArray, runs: IntArray) -> None:
    """Takes the next place in the ring of its run for each transition, as `store` does."""
    for i in range(len(runs)):
        run = runs[i]
        places[i] = rings.offsets[run] + rings.positions[run]
        rings.positions[run] = (rings.positions[run] + 1) % rings.capacities[run]
        rings.sizes[run] = min(rings.sizes[run] + 1, rings.capacities[run])


@cached_jit
def write_rows(
    storage: Float32Array, layout: TransitionLayout, rows: IntArray, transition: Transition
) -> None:
    """Packs transitions `[M]` into `rows [M]` of the storage; `unpack` reads them."""
    for i in range(len(rows)):
        packed = storage[rows[i]]
        for feature in range(layout.num_features):
            packed[layout.observation + feature] = transition.observation[i, feature]
            packed[layout.next_observation + feature] = transition.next_observation[i, feature]
        packed[layout.action] = transition.action[i]
        packed[layout.discount] = transition.discount[i]
        for step in range(transition.rewards.shape[1]):
            packed[layout.rewards + step] = transition.rewards[i, step]
