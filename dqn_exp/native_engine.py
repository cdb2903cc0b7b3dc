"""The native engine: acts and learns in compiled code on the CPU, on the state of the torch engine.

It computes multi-layer perceptrons whose outputs are values.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp import compiled
from dqn_exp.agent import Agent, Policy
from dqn_exp.buffer import PrioritizedBuffer, UniformBuffer
from dqn_exp.engine_state import EngineState
from dqn_exp.native_learning import Rules, make_batches
from dqn_exp.native_network import INPUTS, Network, make_memories
from dqn_exp.native_population import (
    Figures,
    Parameters,
    Parts,
    Replay,
    Sampled,
    act,
    learn,
    make_population,
)
from dqn_exp.network import QNetwork
from dqn_exp.normalization import NoNormalization
from dqn_exp.optimizer import Adam
from dqn_exp.replay import Priorities, write_rows
from dqn_exp.schedule import Schedule
from dqn_exp.transition import Transition
from dqn_exp.value import Value

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class NativeEngine(EngineState):
    """Acts and learns for all runs of a population, one run a thread at a time."""

    rows = (
        *("_seeds", "_max_grad_norm", "_factors", "_reward_limits", "_huber_deltas"),
        *("_leaves", "_weights", "_numbers", "_actions"),
        *EngineState.rows,
    )

    def __init__(
        self,
        *,
        agent: Agent,
        network: QNetwork,
        value: Value,
        layers: Network,
        rules: Rules,
        optimizer: Adam,
        learning_rate: Schedule,
        buffer: UniformBuffer,
        seeds: Sequence[int],
        batch_size: int,
        gradient_steps: int,
        max_grad_norm: Floats,
        num_threads: int,
    ) -> None:
        """Args: the parts, on whose state it works, and numbers.

        layers: the network as compiled code knows it.
        seeds: of the N runs.
        batch_size: B.
        gradient_steps: updates each time a run learns.
        max_grad_norm: `[N]` limits of the gradient's norm, infinite for none.
        num_threads: the most threads that may be used.
        """
        super().__init__(agent, network, value, optimizer, buffer, NoNormalization(), learning_rate)
        compiled.tell_of_compiling("native_population")
        count = len(agent.online)
        self._layers, self._rules = layers, rules
        self._adam, self._ring = optimizer, buffer
        self._gradient_steps = gradient_steps
        self._max_grad_norm = max_grad_norm
        self._factors, self._reward_limits = rules.factors, rules.reward_limits
        self._huber_deltas = rules.huber_deltas
        self._seeds = np.array(seeds, dtype=np.uint64)
        self._leaves = np.zeros((count, batch_size), dtype=np.int64)
        self._weights = np.ones((count, batch_size), dtype=np.float32)
        self._numbers = np.zeros((count, batch_size), dtype=np.uint32)
        self._actions = np.zeros((count, 1), dtype=np.int64)
        self._losses, self._norms = torch.full((2, count), torch.nan)
        self._errors, self._predictions = torch.full((2, count, batch_size), torch.nan)
        self._num_threads = compiled.num_threads(num_threads)
        self._batches = make_batches(self._num_threads, batch_size)
        self._num_rows = batch_size  # Observations that there is memory for.
        self._bind()
        self._compile()

    def act(self, observations: Floats, steps: Ints) -> Ints:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`.

        They are overwritten by the next call.
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
    def policy(self, runs: Ints) -> Iterator[Policy]:
        """Gives the greedy policies of runs `[M]` as they are now."""
        never, steps = np.zeros(len(runs)), np.zeros_like(runs)

        def policy(observations: Floats) -> Ints:
            actions: Ints = np.zeros(observations.shape[:2], dtype=np.int64)
            if actions.shape[1] > self._num_rows:
                self._num_rows = actions.shape[1]
                self._bind()
            act(self._threads, self._population, runs, observations, never, steps, actions)
            return actions

        yield policy

    def learn(self, learning: Bools, steps: Ints) -> Bools:
        """Lets the runs `[N]` marked in `learning` learn; returns which have diverged.

        The runs stand at their own `steps` `[N]`. A run diverges when its loss is not finite. Its
        parameters are then of no use.
        """
        rates = self.learning_rate.value(steps)
        importance = rates
        if isinstance(self._ring, PrioritizedBuffer):
            importance = self._ring.importance(steps)
        updates, diverged = self._gradient_steps, np.empty_like(learning)
        learn(
            self._threads, self._population, learning, rates, importance, updates, False, diverged
        )
        return diverged

    def learn_from(
        self, batch: Transition, weights: Tensor, rates: npt.NDArray[np.float64], learning: Bools
    ) -> tuple[Bools, Tensor]:
        """Makes one update with a given batch, as `TorchEngine.learn_from` does."""
        count, size = self._leaves.shape
        rows = np.arange(count * size)
        storage = np.zeros((len(rows), self._parts.replay.storage.shape[1]), dtype=np.float32)
        kinds = (np.float32, np.int64, np.float32, np.float64, np.float32)
        fields = (
            field.flatten(0, 1).numpy().astype(kind)
            for field, kind in zip(batch, kinds, strict=True)
        )
        write_rows(storage, rows, *fields)
        self._leaves[:] = np.arange(size)
        self._weights[:] = weights
        offsets = np.arange(count) * size
        replay = self._parts.replay._replace(storage=storage, offsets=offsets)
        population = make_population(*self._parts._replace(replay=replay))
        diverged = np.empty_like(learning)
        learn(self._threads, population, learning, rates, rates, 1, True, diverged)
        self._weights[:] = 1.0
        return ~diverged, self._errors.abs()

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        super().retire(run)
        self._bind()

    def _compile(self) -> None:
        """Compiles what acts and learns, or loads it: the time of the runs does not count that."""
        steps = np.zeros_like(self._runs)
        num_features = int(self._layers.layers[0, INPUTS])
        self.act(np.zeros((len(steps), num_features), dtype=np.float32), steps)
        self.learn(np.zeros(len(steps), dtype=np.bool_), steps)  # Nobody learns.

    def _bind(self) -> None:
        """Makes what compiled code is given: arrays that share the memory of the parts."""
        self._runs = np.arange(len(self._seeds))
        self._threads = max(1, min(self._num_threads, len(self._runs)))
        numba.set_num_threads(self._threads)
        self._rules = self._rules._replace(
            factors=self._factors,
            reward_limits=self._reward_limits,
            huber_deltas=self._huber_deltas,
        )
        agent, ring = self.agent, self._ring
        figures = (self._losses, self._norms, self._errors, self._predictions)
        is_prioritized = isinstance(ring, PrioritizedBuffer)
        self._parts = Parts(
            self._layers,
            self._rules,
            Parameters(
                agent.online.numpy(),
                agent.target.numpy(),
                agent.updates,
                agent.target_update_period,
                agent.target_update_tau,
                self._max_grad_norm,
            ),
            self._adam.state,
            Replay(ring.storage.numpy(), ring.offsets, ring.sizes, is_prioritized),
            ring.priorities if isinstance(ring, PrioritizedBuffer) else no_priorities(),
            Sampled(self._seeds, self._leaves, self._weights, self._numbers),
            Figures(*(figure.numpy() for figure in figures)),
            make_memories(self._layers, self._num_threads, self._num_rows),
            self._batches,
        )
        self._population = make_population(*self._parts)


def no_priorities() -> Priorities:
    """Returns what stands where transitions are sampled uniformly."""
    none = np.zeros(0)
    return Priorities(none, np.zeros((0, 0), dtype=np.int64), none, none, none, none, none)
