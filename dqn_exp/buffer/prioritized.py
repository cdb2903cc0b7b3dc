"""A replay buffer with prioritized sampling."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dqn_exp.buffer.base import Sample
from dqn_exp.buffer.frame_store import FrameStore
from dqn_exp.buffer.priorities import Priorities, prioritize_all, sample_all_by_priority
from dqn_exp.buffer.sum_tree import SumTree
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.arrays import BoolArray, Float64Array, IntArray, UInt32Array
from dqn_exp.core.devices import to_device
from dqn_exp.core.schedule import Schedule
from dqn_exp.core.transition import Transition, TransitionLayout


class PrioritizedBuffer(UniformBuffer):
    """Samples transitions in proportion to a power of their priorities.

    Prioritized Experience Replay, https://arxiv.org/abs/1511.05952, the proportional variant. A
    batch has one transition from each of B equal parts of the total. New transitions get the
    largest priority of the run so far. Importance weights correct the bias, relative to the
    largest weight of the batch.
    """

    rows = (
        *UniformBuffer.rows,
        "priority_exponent",
        "priority_epsilon",
        "max_priority",
        "max_mass",
    )
    saved = (*UniformBuffer.saved, "max_priority", "max_mass")
    parts = ("tree", "importance_exponent")

    def __init__(
        self,
        capacities: IntArray,
        layout: TransitionLayout,
        device: torch.device,
        frames: FrameStore | None = None,
        *,
        priority_exponent: Float64Array,
        priority_epsilon: Float64Array,
        importance_exponent: Schedule,
    ) -> None:
        """Creates empty rings.

        Args:
            capacities: `[N]`, each at least n.
            layout: of a stored transition.
            device: where transitions are stored.
            frames: of the observations, as in `UniformBuffer`.
            priority_exponent: `[N]`, in [0, 1]; 0 samples uniformly.
            priority_epsilon: `[N]`, positive, added to each priority.
            importance_exponent: in [0, 1]; 1 corrects the whole bias.
        """
        super().__init__(capacities, layout, device, frames)
        self.priority_exponent = priority_exponent.copy()
        self.priority_epsilon = priority_epsilon.copy()
        self.max_priority = np.ones(len(capacities))
        self.max_mass = self.max_priority.copy()
        self.importance_exponent = importance_exponent
        self.tree = SumTree(capacities)

    def add(self, runs: IntArray, transition: Transition) -> None:
        """Stores transitions with the largest priority, as `UniformBuffer.add` does."""
        leaves = self._place(runs, transition) - self.offsets[runs]
        self.tree.put(runs, leaves, self.max_mass[runs])

    def sample(self, numbers: UInt32Array, steps: IntArray) -> Sample:
        """Samples with random numbers `[N, B]` at the runs' own steps `[N]`."""
        leaves = np.empty(numbers.shape, dtype=np.int64)
        weights = np.empty(numbers.shape, dtype=np.float32)
        importance = self.importance_exponent.value(steps)
        sample_all_by_priority(numbers, self.sizes, self.priorities, importance, leaves, weights)
        return Sample(leaves + self.offsets[:, None], to_device(weights, self.storage.device))

    def prioritize(self, rows: IntArray, priorities: Tensor, learning: BoolArray) -> None:
        """Updates the priorities of the transitions in rows `[N, B]` of the runs that learned."""
        leaves = rows - self.offsets[:, None]
        prioritize_all(self.priorities, learning, leaves, priorities.float().cpu().numpy())

    @property
    def priorities(self) -> Priorities:
        """The priorities as compiled code takes them, in the memory of this object."""
        return Priorities(
            self.tree.nodes,
            self.tree.offsets,
            self.tree.totals,
            self.priority_exponent,
            self.priority_epsilon,
            self.max_priority,
            self.max_mass,
        )

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns the transitions of one run, their masses, and the position in its ring."""
        leaves = np.arange(self.sizes[run])
        masses = self.tree.masses(np.full_like(leaves, run), leaves)
        return {**super().state_dict(run), "masses": masses}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Restores the ring of one run.

        Raises:
            ValueError: If the state does not fit a ring of this capacity.
        """
        super().load_state_dict(run, {k: v for k, v in state.items() if k != "masses"})
        leaves = np.arange(self.capacities[run])
        masses = np.zeros(len(leaves))
        masses[: self.sizes[run]] = state["masses"]
        self.tree.put(np.full_like(leaves, run), leaves, masses)
