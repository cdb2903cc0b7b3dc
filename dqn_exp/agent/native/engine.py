"""The native engine: acts and learns in compiled code on the CPU.

It computes multi-layer perceptrons and convolutions, on the same state as the torch engine.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dqn_exp.agent.engine import Policy
from dqn_exp.agent.engine_state import EngineParts, EngineState, UpdateSettings
from dqn_exp.agent.native.entries import act, act_greedily, learn, learn_given
from dqn_exp.agent.native.memory import Memory, make_memory
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.agent.normalization import RunningNormalization
from dqn_exp.buffer.frame_kernels import NO_FRAMES, NO_LAYOUT
from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.buffer.rings import write_rows
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.core.transition import Transition
from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import Convolution
from dqn_exp.network.layers import Linear
from dqn_exp.network.mlp import MLP


class NativeEngine(EngineState):
    """State of all runs that compiled code advances.

    Attributes:
        is_shared: whether several threads should compute an update.

    `act`, `learn` and `learn_from` make single steps, for comparisons with the torch engine.
    """

    rows = ("constants", *EngineState.rows)
    parts = (*EngineState.parts, "value")

    network: MLP | ConvNet
    buffer: UniformBuffer
    optimizer: Any

    def __init__(
        self,
        parts: EngineParts,
        updates: UpdateSettings,
        *,
        spec: Spec,
        constants: dict[str, Any],
        record_type: np.dtype[Any],
        is_shared: bool,
    ) -> None:
        """Binds the parts.

        Args:
            parts: hold the state that the engine works on.
            updates: how updates are made.
            spec: choices of the agent.
            constants: `[N]` hyperparameters of the runs, by the fields of their records.
            record_type: type of the records.
            is_shared: whether several threads should compute an update.
        """
        super().__init__(parts, updates.batch_size)
        self.spec, self._batch_size = Static(spec), updates.batch_size
        self._is_dueling, self._is_noisy = spec.is_dueling, spec.is_noisy
        self.is_shared = is_shared
        self._is_scalar = spec.value == "scalar"
        self.constants = np.zeros(len(self.agent.online), dtype=record_type)
        for name, values in constants.items():
            self.constants[name] = values
        self.constants["num_actions"] = self.agent.num_actions
        self.constants["gradient_steps"] = updates.gradient_steps
        self.constants["max_grad_norm"] = updates.max_grad_norm
        self.memory = self.make_memory()

    def make_memory(self) -> Memory:
        """Allocates the memory of a thread."""
        layers: Sequence[Linear | Convolution] = self.network.layers
        return make_memory(
            layers,
            num_outputs=None if self._is_scalar else self.value.num_outputs,
            is_dueling=self._is_dueling,
            num_rows=self._batch_size,
            batch_size=self._batch_size,
            num_copies=2 if self._is_noisy else 1,
        )

    def act(self, observations: Float32Array, steps: IntArray) -> IntArray:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`."""
        actions: IntArray = np.zeros(len(steps), dtype=np.int64)
        records = self.load(steps)
        act(self.spec, self.stores(), records, self.memory, observations, actions)
        self.store(records)
        return actions

    @contextmanager
    def policy(self, runs: IntArray) -> Iterator[Policy]:
        """Provides the current greedy policies of runs `[M]`."""
        records, stores = self.constants, self.stores()

        def policy(observations: Float32Array) -> IntArray:
            actions: IntArray = np.zeros(observations.shape[:2], dtype=np.int64)
            act_greedily(self.spec, stores, records, self.memory, runs, observations, actions)
            return actions

        yield policy

    def compile_policy(self) -> None:
        """Compiles or loads the code of policies before the wall time of the runs begins."""
        with self.policy(np.zeros(1, dtype=np.int64)) as policy:
            policy(np.zeros((1, 1, self.network.num_features), dtype=np.float32))

    def learn(self, learning: BoolArray, steps: IntArray) -> BoolArray:
        """Makes the updates of the learning runs that are due, as `TorchEngine.learn` does."""
        records, diverged = self.load(steps), np.empty_like(learning)
        learn(self.spec, self.stores(), records, self.memory, learning, diverged)
        self.store(records)
        return diverged

    def learn_from(
        self, batch: Transition, weights: Tensor, rates: Float64Array, learning: BoolArray
    ) -> tuple[BoolArray, Tensor]:
        """Makes one update with a given batch, as `TorchEngine.learn_from` does."""
        count, size = self.td_errors.shape
        storage = np.zeros((count * size, self.buffer.layout.width), dtype=np.float32)
        kinds = (np.float32, np.int64, np.float32, np.float64, np.float32)
        fields = (
            field.flatten(0, 1).numpy().astype(kind)
            for field, kind in zip(batch, kinds, strict=True)
        )
        write_rows(storage, self.buffer.layout, np.arange(count * size), Transition(*fields))
        records = self.load(np.zeros(count, dtype=np.int64))
        for name in ("start", "end"):
            records["learning_rate"][name] = rates
        stores = self.stores()._replace(storage=storage.ravel())
        factors = np.ascontiguousarray(weights.expand(count, size).numpy())
        priorities = np.zeros_like(factors)
        learn_given(self.spec, stores, records, self.memory, learning, factors, priorities)
        first = int(self.memory.at.factors)
        self.memory.numbers[first : first + size] = 1.0
        self.store(records)
        return np.isfinite(records["loss"]), torch.from_numpy(priorities)

    def load(self, steps: IntArray) -> Any:
        """Returns records of all runs at their own steps `[N]`."""
        records, self._loaded = self.constants.copy(), self._state()
        records["step"] = steps
        for name, values in self._loaded.items():
            records[name] = values
        # An entry that is not written, such as at an evaluation, leaves its distance behind.
        records["target_distance"] = np.nan
        return records

    def store(self, records: Any) -> None:
        """Takes over what compiled code has changed in the records that were loaded last."""
        for name, values in self._loaded.items():
            values[:] = records[name]

    def stores(self) -> Stores:
        """Returns the arrays of all runs, in the memory of their owners."""
        agent, optimizer, buffer = self.agent, self.optimizer, self.buffer
        nodes, levels = np.zeros(0), np.zeros((0, 0), dtype=np.int64)
        if isinstance(buffer, PrioritizedBuffer):
            nodes, levels = buffer.tree.nodes, buffer.tree.offsets
        means = variances = np.zeros((0, 0))
        if isinstance(self.normalization, RunningNormalization):
            means, variances = self.normalization.means, self.normalization.variances
        return Stores(
            online=_flat(agent.online),
            target=_flat(agent.target),
            first=_flat(optimizer.exp_avg),
            second=_flat(optimizer.exp_avg_sq),
            storage=_flat(buffer.storage),
            layout=buffer.layout,
            nodes=nodes,
            levels=levels,
            means=means,
            variances=variances,
            errors=self.td_errors.numpy(),
            predictions=self.predictions.numpy(),
            frames=NO_FRAMES if buffer.frames is None else buffer.frames.arrays,
            frame_layout=NO_LAYOUT if buffer.frames is None else buffer.frames.layout,
        )

    def _state(self) -> dict[str, Any]:
        """Returns the arrays `[N]` of what training changes, by the fields of the records."""
        buffer, optimizer = self.buffer, self.optimizer
        found = {
            "updates": self.agent.updates,
            "position": buffer.positions,
            "size": buffer.sizes,
            "loss": self.losses.numpy(),
            "grad_norm": self.grad_norms.numpy(),
            "target_distance": self.target_distances,
        }
        if isinstance(self.normalization, RunningNormalization):
            found["num_observed"] = self.normalization.counts
        for name in ("beta1_power", "beta2_power"):
            if hasattr(optimizer, name):
                found[name] = getattr(optimizer, name)
        if isinstance(buffer, PrioritizedBuffer):
            found["total_mass"] = buffer.tree.totals
            found["max_priority"], found["max_mass"] = buffer.max_priority, buffer.max_mass
        return found


def _flat(tensor: Tensor) -> Float32Array:
    flat: Float32Array = tensor.numpy().reshape(-1)
    return flat
