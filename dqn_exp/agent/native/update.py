"""One gradient update of one run, in compiled code."""

from typing import Any

import numpy as np

from dqn_exp.agent.native import tasks
from dqn_exp.agent.native.backward import backward
from dqn_exp.agent.native.inputs import prepare_inputs, read_observations
from dqn_exp.agent.native.memory import Memory, output_of
from dqn_exp.agent.native.mlp import forward_taken
from dqn_exp.agent.native.noise import complete_gradient, learning_weights
from dqn_exp.agent.native.optimizers import limit_norm, move_target, prepare_step
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.agent.native.targets import set_targets
from dqn_exp.agent.native.values import bounded, compute_loss
from dqn_exp.buffer import sum_tree
from dqn_exp.buffer.priorities import mass_of, sample_part
from dqn_exp.core import philox
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel
from dqn_exp.core.random_streams import Stream
from dqn_exp.core.schedule import value_at
from dqn_exp.core.vector import item, prefetch

SAMPLING = int(Stream.SAMPLING)
ZERO, ONE = np.float32(0), np.float32(1)


@kernel
def make_update(spec: Static, stores: Stores, record: Any, run: int, memory: Memory) -> None:
    """Makes one update of a run with a batch that it samples.

    Args:
        spec: of the agent.
        stores: of all runs.
        record: numbers of the run.
        run: its row.
        memory: of the thread, with the packed parameters of the run.
    """
    draw_batch(spec, stores, record, run, memory)
    update_from_batch(spec, stores, record, run, memory)
    prioritize(spec, stores, record, run, memory)


@kernel
def _leave_alone(_spec: Static, _memory: Memory) -> None:
    pass


@chosen
def begin_work(spec: Spec) -> Any:
    """Calls the helpers of an update, if it may have any."""
    return tasks.call_helpers if spec.has_convolutions else _leave_alone


@chosen
def end_work(spec: Spec) -> Any:
    """Dismisses the helpers of an update."""
    return tasks.dismiss_helpers if spec.has_convolutions else _leave_alone


@kernel
def update_from_batch(spec: Static, stores: Stores, record: Any, run: int, memory: Memory) -> None:
    """Makes one update of a run with the batch in `memory.sampled`."""
    count, size = len(memory.sampled), memory.at.num_trained
    begin_work(spec, memory)
    prepare_inputs(spec, stores, run, memory)
    _read_batch(stores, record, memory)
    set_targets(spec, stores, record, memory)
    read_observations(spec, stores, record, memory, stores.layout.observation)
    weights = learning_weights(spec, record, memory)
    forward_taken(spec, memory, weights, memory.actions, count)
    record.loss = _differentiate_loss(spec, stores, record, run, memory)
    backward(spec, memory, weights, count)
    complete_gradient(spec, record, memory)
    tasks.compute_parts(spec, memory, tasks.SQUARES)
    record.grad_norm = limit_norm(memory, record.max_grad_norm)
    prepare_step(spec, memory, record, schedule_of(record.learning_rate, record.step))
    tasks.compute_parts(spec, memory, tasks.STEP)
    end_work(spec, memory)
    record.updates += 1
    if record.updates % record.target_update_period == 0:
        tau = record.target_update_tau
        move_target(memory.numbers, memory.at.target, memory.at.online, size, tau)


@kernel
def _read_batch(stores: Stores, record: Any, memory: Memory) -> None:
    """Writes the actions, rewards and discounts of a batch to the memory."""
    storage, layout, numbers = stores.storage, stores.layout, memory.numbers
    for b in range(len(memory.sampled)):
        row = item(memory.sampled, b)
        place = row * layout.width
        memory.actions[b] = int(item(storage, place + layout.action))
        numbers[memory.at.discounts + b] = item(storage, place + layout.discount)
        numbers[memory.at.rewards + b] = reward_of(stores, record, row)


@kernel
def _differentiate_loss(
    spec: Static, stores: Stores, record: Any, run: int, memory: Memory
) -> np.float32:
    """Writes the deltas of the outputs; returns the mean loss, by importance weight."""
    numbers, count = memory.numbers, len(memory.sampled)
    mean, share = ZERO, ONE / np.float32(count)
    for b in range(count):
        place, factor = (
            output_of(memory, b, memory.actions[b]),
            numbers[memory.at.factors + b] * share,
        )
        loss, prediction, error, priority = compute_loss(spec, memory, record, b, place, factor)
        numbers[memory.at.priorities + b] = priority
        stores.errors[run, b], stores.predictions[run, b] = error, prediction
        mean += loss * factor
    return mean


@kernel
def fill_numbers(record: Any, memory: Memory) -> None:
    """Writes the random numbers of the next batch."""
    count = len(memory.sampled)
    philox.fill(memory.random, count, record.seed, SAMPLING, record.updates * count)


@kernel
def _draw_uniformly(_spec: Static, stores: Stores, record: Any, _run: int, memory: Memory) -> None:
    fill_numbers(record, memory)
    offset, size, width = record.offset, record.size, stores.layout.width
    for b in range(len(memory.sampled)):
        row = offset + philox.to_range(item(memory.random, b), size)
        memory.sampled[b] = row
        prefetch(stores.storage, row * width)
        prefetch(stores.storage, row * width + width - 1)


@kernel
def _draw_by_priority(_spec: Static, stores: Stores, record: Any, run: int, memory: Memory) -> None:
    """Samples one transition from each of B equal parts of the total."""
    fill_numbers(record, memory)
    nodes, levels, least, count = stores.nodes, stores.levels, np.inf, len(memory.sampled)
    for b in range(count):
        share = (b + philox.to_unit(memory.random[b])) / count
        leaf = sample_part(nodes, levels, run, share * record.total_mass, record.size)
        least = min(least, mass_of(nodes, levels, run, leaf))
        memory.sampled[b] = record.offset + leaf
    importance = schedule_of(record.importance_exponent, record.step)
    for b in range(count):
        mass = mass_of(nodes, levels, run, memory.sampled[b] - record.offset)
        memory.numbers[memory.at.factors + b] = (least / mass) ** importance


@chosen
def draw_batch(spec: Spec) -> Any:
    """Samples the rows of a batch, with their importance weights."""
    return _draw_by_priority if spec.is_prioritized else _draw_uniformly


@kernel
def _keep_priorities(
    _spec: Static, _stores: Stores, _record: Any, _run: int, _memory: Memory
) -> None:
    pass


@kernel
def _prioritize(_spec: Static, stores: Stores, record: Any, run: int, memory: Memory) -> None:
    for b in range(len(memory.sampled)):
        priority = np.float64(memory.numbers[memory.at.priorities + b]) + record.priority_epsilon
        if not priority <= record.max_priority:
            record.max_priority = priority
        leaf, mass = memory.sampled[b] - record.offset, priority**record.priority_exponent
        record.total_mass = sum_tree.put(stores.nodes, stores.levels, run, leaf, mass)
    record.max_mass = record.max_priority**record.priority_exponent


@chosen
def prioritize(spec: Spec) -> Any:
    """Updates the priorities of a batch."""
    return _prioritize if spec.is_prioritized else _keep_priorities


@kernel
def schedule_of(schedule: Any, step: int) -> float:
    """Returns the value of a schedule at a step."""
    return value_at(
        schedule.start, schedule.end, schedule.decay_steps, schedule.is_exponential, step
    )


@kernel
def reward_of(stores: Stores, record: Any, row: int) -> np.float32:
    """Returns the reward of a transition: those of its steps, clipped and discounted."""
    layout, total, factor = stores.layout, ZERO, 1.0
    first = row * layout.width + layout.rewards
    for step in range(layout.width - layout.rewards):
        total += np.float32(factor) * bounded(
            item(stores.storage, first + step), record.reward_limit
        )
        factor *= record.gamma
    return total
