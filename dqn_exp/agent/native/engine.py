"""The native engine: acts and learns in compiled code on the CPU.

It computes multi-layer perceptrons with scalar values, on the same state as the torch engine.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numba
import numpy as np
from torch import Tensor

from dqn_exp.agent.engine import Policy
from dqn_exp.agent.engine_state import EngineParts, EngineState, UpdateSettings
from dqn_exp.agent.native.network import INPUTS, MLPShape, make_workspaces
from dqn_exp.agent.native.population import act, learn
from dqn_exp.agent.native.state import (
    BufferState,
    Newest,
    Parameters,
    Parts,
    Sampled,
    make_population,
)
from dqn_exp.agent.native.targets import Rules, make_batches
from dqn_exp.agent.optimizer import Adam
from dqn_exp.buffer.priorities import Priorities
from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.buffer.rings import write_rows
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core import jit
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.transition import Transition


class NativeEngine(EngineState):
    """Acts and learns for all runs of a population, each run on one thread at a time."""

    rows = (
        *("_seeds", "_max_grad_norm", "_factors", "_reward_limits", "_huber_deltas"),
        *("_leaves", "_weights", "_numbers", "_actions"),
        *EngineState.rows,
    )
    parts = (*EngineState.parts, "value")

    optimizer: Adam
    buffer: UniformBuffer

    def __init__(
        self,
        parts: EngineParts,
        updates: UpdateSettings,
        *,
        shape: MLPShape,
        rules: Rules,
        seeds: Sequence[int],
        num_threads: int,
    ) -> None:
        """Binds the parts and compiles the code that they need.

        Args:
            parts: hold the state that the engine works on; the optimizer is Adam.
            updates: how updates are made.
            shape: of the network.
            rules: how targets and losses are computed.
            seeds: of the N runs.
            num_threads: limit of threads.
        """
        super().__init__(parts, updates.batch_size)
        jit.announce_compilation("population")
        count, batch_size = len(self.agent.online), updates.batch_size
        self._shape, self._rules = shape, rules
        self._gradient_steps = updates.gradient_steps
        self._max_grad_norm = updates.max_grad_norm
        self._factors, self._reward_limits = rules.factors, rules.reward_limits
        self._huber_deltas = rules.huber_deltas
        self._seeds = np.array(seeds, dtype=np.uint64)
        self._leaves = np.zeros((count, batch_size), dtype=np.int64)
        self._weights = np.ones((count, batch_size), dtype=np.float32)
        self._numbers = np.zeros((count, batch_size), dtype=np.uint32)
        self._actions = np.zeros((count, 1), dtype=np.int64)
        self._num_threads = jit.num_threads(num_threads)
        self._batches = make_batches(self._num_threads, batch_size)
        self._num_rows = batch_size  # Observations that the workspaces have room for.
        self._bind()
        self._compile()

    def act(self, observations: Float32Array, steps: IntArray) -> IntArray:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`.

        The next call overwrites them.
        """
        act(
            self._threads,
            self._population,
            self._runs,
            observations[:, None],
            self.agent.epsilon.value(steps),
            steps,
            self._actions,
        )
        return self._actions[:, 0]

    @contextmanager
    def policy(self, runs: IntArray) -> Iterator[Policy]:
        """Provides the current greedy policies of runs `[M]`."""
        epsilon, steps = np.zeros(len(runs)), np.zeros_like(runs)

        def policy(observations: Float32Array) -> IntArray:
            actions: IntArray = np.zeros(observations.shape[:2], dtype=np.int64)
            if actions.shape[1] > self._num_rows:
                self._num_rows = actions.shape[1]
                self._bind()
            act(self._threads, self._population, runs, observations, epsilon, steps, actions)
            return actions

        yield policy

    def learn(self, learning: BoolArray, steps: IntArray) -> BoolArray:
        """Makes the updates of the learning runs that are due, as `TorchEngine.learn` does."""
        rates = self.learning_rate.value(steps)
        importance = rates
        if isinstance(self.buffer, PrioritizedBuffer):
            importance = self.buffer.importance(steps)
        updates, diverged = self._gradient_steps, np.empty_like(learning)
        learn(
            self._threads, self._population, learning, rates, importance, updates, False, diverged
        )
        return diverged

    def learn_from(
        self, batch: Transition, weights: Tensor, rates: Float64Array, learning: BoolArray
    ) -> tuple[BoolArray, Tensor]:
        """Makes one update with a given batch, as `TorchEngine.learn_from` does."""
        count, size = self._leaves.shape
        storage = np.zeros((count * size, self.buffer.layout.width), dtype=np.float32)
        kinds = (np.float32, np.int64, np.float32, np.float64, np.float32)
        fields = (
            field.flatten(0, 1).numpy().astype(kind)
            for field, kind in zip(batch, kinds, strict=True)
        )
        write_rows(storage, self.buffer.layout, np.arange(count * size), Transition(*fields))
        self._leaves[:] = np.arange(size)
        self._weights[:] = weights
        buffer = self._parts.buffer._replace(storage=storage, offsets=np.arange(count) * size)
        population = make_population(self._parts._replace(buffer=buffer))
        diverged = np.empty_like(learning)
        learn(self._threads, population, learning, rates, rates, 1, True, diverged)
        self._weights[:] = 1.0
        return ~diverged, self.td_errors.abs()

    def retire(self, run: int) -> None:
        """Removes a run; the last row replaces it."""
        super().retire(run)
        self._bind()

    def _compile(self) -> None:
        """Compiles or loads the code before the wall time of the runs begins."""
        steps = np.zeros_like(self._runs)
        num_features = int(self._shape.layers[0, INPUTS])
        self.act(np.zeros((len(steps), num_features), dtype=np.float32), steps)
        self.learn(np.zeros(len(steps), dtype=np.bool_), steps)  # No run learns.

    def _bind(self) -> None:
        """Collects the arrays for compiled code, which share the memory of the parts."""
        self._runs = np.arange(len(self._seeds))
        self._threads = max(1, min(self._num_threads, len(self._runs)))
        numba.set_num_threads(self._threads)
        self._rules = self._rules._replace(
            factors=self._factors,
            reward_limits=self._reward_limits,
            huber_deltas=self._huber_deltas,
        )
        self._parts = Parts(
            self._shape,
            self._rules,
            self._parameters(),
            self.optimizer.state,
            self._buffer_state(),
            self.buffer.priorities
            if isinstance(self.buffer, PrioritizedBuffer)
            else no_priorities(),
            Sampled(self._seeds, self._leaves, self._weights, self._numbers),
            Newest(*(getattr(self, name).numpy() for name in EngineState.rows)),
            make_workspaces(self._shape, self._num_threads, self._num_rows),
            self._batches,
        )
        self._population = make_population(self._parts)

    def _parameters(self) -> Parameters:
        agent = self.agent
        return Parameters(
            agent.online.numpy(),
            agent.target.numpy(),
            agent.updates,
            agent.target_update_period,
            agent.target_update_tau,
            self._max_grad_norm,
        )

    def _buffer_state(self) -> BufferState:
        buffer = self.buffer
        is_prioritized = isinstance(buffer, PrioritizedBuffer)
        storage = buffer.storage.numpy()
        return BufferState(storage, buffer.layout, buffer.offsets, buffer.sizes, is_prioritized)


def no_priorities() -> Priorities:
    """Returns empty priorities, for uniform sampling."""
    none = np.zeros(0)
    return Priorities(none, np.zeros((0, 0), dtype=np.int64), none, none, none, none, none)
