"""Storing of the steps of one run in its replay buffer, in compiled code.

The transitions are those of `buffer.n_step`, against which they are tested.
"""

from typing import Any, NamedTuple

from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.buffer import sum_tree
from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel


class Waiting(NamedTuple):
    """Steps of all runs that wait for the following ones, see `buffer.n_step`.

    Attributes:
        observations: `[N, n, D]`.
        actions: `[N, n]`.
        rewards: `[N, n]`.
        discounts: `[N, n]`.
    """

    observations: Float32Array
    actions: IntArray
    rewards: Float32Array
    discounts: Float64Array


@kernel
def remember(
    spec: Static,
    stores: Stores,
    waiting: Waiting,
    record: Any,
    run: int,
    observations: Float32Array,
    following: Float32Array,
    ended: bool,
) -> None:
    """Adds the step in `record`, and stores the transitions that are now complete.

    Args:
        spec: of the agent.
        stores: of all runs.
        waiting: of all runs.
        record: of the run, with the action, reward and discount of the step.
        run: its row.
        observations: `[N, D]` before the step.
        following: `[N, D]` after the step.
        ended: whether the episode ended.
    """
    n_step = record.n_step
    place = (record.begin + record.count) % n_step
    for feature in range(observations.shape[1]):
        waiting.observations[run, place, feature] = observations[run, feature]
    waiting.actions[run, place] = record.action
    waiting.rewards[run, place] = record.reward
    waiting.discounts[run, place] = record.discount
    record.count += 1
    while record.count == n_step or (ended and record.count > 0):
        _store_oldest(spec, stores, waiting, record, run, following)
        record.begin = (record.begin + 1) % n_step
        record.count -= 1


@kernel
def _store_oldest(
    spec: Static,
    stores: Stores,
    waiting: Waiting,
    record: Any,
    run: int,
    following: Float32Array,
) -> None:
    """Stores the transition of the oldest waiting step to the newest observation."""
    storage, layout = stores.storage, stores.layout
    leaf, begin, discount = record.position, record.begin, 1.0
    row = (record.offset + leaf) * layout.width
    for feature in range(layout.num_features):
        storage[row + layout.observation + feature] = waiting.observations[run, begin, feature]
        storage[row + layout.next_observation + feature] = following[run, feature]
    for step in range(record.n_step):
        place = (begin + step) % record.n_step
        exists = step < record.count
        reward = waiting.rewards[run, place]
        storage[row + layout.rewards + step] = reward if exists else 0.0
        discount *= waiting.discounts[run, place] if exists else 1.0
    storage[row + layout.action] = waiting.actions[run, begin]
    storage[row + layout.discount] = discount
    record.position = (leaf + 1) % record.capacity
    record.size = min(record.size + 1, record.capacity)
    prioritize_new(spec, stores, record, run, leaf)


@kernel
def _do_nothing(_spec: Static, _stores: Stores, _record: Any, _run: int, _leaf: int) -> None:
    pass


@kernel
def _give_largest(_spec: Static, stores: Stores, record: Any, run: int, leaf: int) -> None:
    record.total_mass = sum_tree.put(stores.nodes, stores.levels, run, leaf, record.max_mass)


@chosen
def prioritize_new(spec: Spec) -> Any:
    """Gives a new transition the largest priority of the run so far."""
    return _give_largest if spec.is_prioritized else _do_nothing
