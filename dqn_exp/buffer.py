"""Replay buffers of all runs in one array, each a ring of its own capacity."""

from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.per_run import PerRunState
from dqn_exp.random_streams import to_range
from dqn_exp.replay import (
    Priorities,
    prioritize_all,
    sample_all_by_priority,
    store,
    take_places,
    write_rows,
)
from dqn_exp.schedule import Schedule
from dqn_exp.sum_tree import SumTree
from dqn_exp.transition import Transition, row_width, unpack

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Sample(NamedTuple):
    """What a batch consists of.

    rows: `[N, B]` rows of `storage`.
    weights: `[N, B]`, or of a shape that is broadcast to it: the factors of the losses.
    """

    rows: Ints
    weights: Tensor


class Buffer(Protocol):
    """Keeps transitions and samples them."""

    sizes: Ints

    def add(self, runs: Ints, transition: Transition) -> None:
        """Stores transitions `[M]` of runs `[M]`, which ascend; several of a run are in order."""
        ...

    def sample(self, numbers: npt.NDArray[np.uint32], steps: Ints) -> Sample:
        """Samples with random numbers `[N, B]`, the runs standing at their own steps `[N]`."""
        ...

    def read(self, rows: Ints) -> Transition:
        """Returns the transitions in rows `[N, B]`."""
        ...

    def spread(self, runs: Ints, count: int) -> Ints:
        """Returns rows `[M, count]` of transitions of runs `[M]`, evenly spread over all."""
        ...

    def peek(self, run: int, most: int) -> Transition:
        """Returns transitions of a run as they lie: all of them or, evenly spread, `most`."""
        ...

    def prioritize(self, rows: Ints, priorities: Tensor, learning: Bools) -> None:
        """Takes notice of how much there was to learn, for the runs `[N]` that have learned."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out, as `PerRunState.retire` does."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what training has made of one run."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned."""
        ...


class UniformBuffer(PerRunState):
    """Keeps the newest transitions of each run and samples them uniformly, with replacement.

    Self-Improving Reactive Agents Based On Reinforcement Learning, Planning and Teaching,
    https://doi.org/10.1007/BF00992699.

    The rings lie one behind the other in `storage` `[sum of C, 2 * D + 2 + n]`: the transitions of
    run `i` are rows `offsets[i]` to `offsets[i] + sizes[i]`. A retired run's ring stays unused.
    """

    rows: ClassVar[tuple[str, ...]] = ("_capacities", "offsets", "_positions", "sizes")
    saved: ClassVar[tuple[str, ...]] = ("_positions", "sizes")

    def __init__(
        self, capacities: Ints, num_features: int, n_step: int, device: torch.device
    ) -> None:
        """Args: `capacities` `[N]`, at least n, D, n, and where the transitions are stored."""
        self._num_features = num_features
        self._capacities = capacities.copy()
        self.offsets = np.cumsum(capacities) - capacities
        self._positions = np.zeros_like(capacities)
        self.sizes = np.zeros_like(capacities)
        width = row_width(num_features, n_step)
        self.storage = torch.zeros(int(capacities.sum()), width, device=device)
        # What compiled code writes to, where it can.
        self._memory = self.storage.numpy() if device.type == "cpu" else None
        self._even_weights = torch.ones(1, 1, device=device)

    def add(self, runs: Ints, transition: Transition) -> None:
        """Stores transitions; the oldest of a full ring are overwritten.

        Args:
            runs: `[M]`, ascending, each at most n times.
            transition: of leading shape `[M]`, contiguous arrays of float32, but int64 actions and
                float64 discounts; those of a run in their order.
        """
        self._place(runs, transition)

    def sample(self, numbers: npt.NDArray[np.uint32], steps: Ints) -> Sample:
        """Samples with random numbers `[N, B]`.

        A run without transitions gets the row at its offset.
        """
        rows = to_range(numbers, self.sizes[:, None]) + self.offsets[:, None]
        return Sample(rows, self._even_weights)

    def read(self, rows: Ints) -> Transition:
        """Returns the transitions in rows `[N, B]` of `storage`."""
        packed = self.storage.index_select(0, self._to_device(rows.ravel()))
        return unpack(packed.view(*rows.shape, self.storage.shape[1]), self._num_features)

    def prioritize(self, rows: Ints, priorities: Tensor, learning: Bools) -> None:
        """Takes no notice: all transitions are alike."""

    def spread(self, runs: Ints, count: int) -> Ints:
        """Returns rows `[M, count]` of transitions of runs `[M]`, evenly spread over all."""
        places: Ints = np.arange(count) * self.sizes[runs, None] // count
        return places + self.offsets[runs, None]

    def peek(self, run: int, most: int) -> Transition:
        """Returns transitions of a run as they lie: all of them or, evenly spread, `most`."""
        begin, size = int(self.offsets[run]), int(self.sizes[run])
        stride = max(1, -(-size // most))
        return unpack(self.storage[begin : begin + size : stride], self._num_features)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what one run's ring holds and where it stands."""
        held = self.storage[self._ring(run)][: self.sizes[run]].clone()
        return {**super().state_dict(run), "transitions": held}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Restores one run's ring; raises ValueError if it cannot be one of this capacity."""
        ring, held = self.storage[self._ring(run)], state["transitions"]
        size, position = int(state["sizes"]), int(state["_positions"])
        is_possible = position == size if size < len(ring) else position < size == len(ring)
        if held.shape != (size, ring.shape[1]) or not is_possible:
            raise ValueError(
                f"state of {type(self).__name__}: expected at most {len(ring)} transitions of "
                f"{ring.shape[1]} numbers, got {tuple(held.shape)} with {size} up to {position}."
            )
        ring[:size] = held
        super().load_state_dict(run, {k: v for k, v in state.items() if k != "transitions"})

    def _place(self, runs: Ints, transition: Transition) -> Ints:
        places = np.empty(len(runs), dtype=np.int64)
        rings = (self.offsets, self._capacities, self._positions, self.sizes)
        if self._memory is not None:
            store(self._memory, *rings, places, runs, *transition)
        else:
            take_places(runs, *rings, places)
            staged = np.empty((len(runs), self.storage.shape[1]), dtype=np.float32)
            write_rows(staged, np.arange(len(runs)), *transition)
            self.storage[self._to_device(places)] = torch.from_numpy(staged).to(self.storage.device)
        return places

    def _ring(self, run: int) -> slice:
        return slice(self.offsets[run], self.offsets[run] + self._capacities[run])

    def _to_device(self, rows: Ints) -> Tensor:
        return torch.from_numpy(rows).to(self.storage.device)


class PrioritizedBuffer(UniformBuffer):
    """Samples transitions in proportion to a power of how much there was to learn from them.

    Prioritized Experience Replay, https://arxiv.org/abs/1511.05952, the proportional variant: a
    batch of B has one transition of each B-th of the total; new transitions have the greatest
    priority that the run has met; the losses are weighted against the bias, relative to the
    greatest weight of the batch.
    """

    rows = (*UniformBuffer.rows, "_exponent", "_smallest", "_greatest", "_greatest_mass")
    saved = (*UniformBuffer.saved, "_greatest", "_greatest_mass")

    def __init__(
        self,
        capacities: Ints,
        num_features: int,
        n_step: int,
        device: torch.device,
        *,
        priority_exponent: npt.NDArray[np.float64],
        smallest_priority: npt.NDArray[np.float64],
        importance_exponent: Schedule,
    ) -> None:
        """Args, besides those of `UniformBuffer`.

        priority_exponent: `[N]`, in [0, 1]; 0 makes all transitions alike.
        smallest_priority: `[N]`, positive, added to each priority.
        importance_exponent: in [0, 1]; 1 takes the whole bias away.
        """
        super().__init__(capacities, num_features, n_step, device)
        self._exponent = priority_exponent.copy()
        self._smallest = smallest_priority.copy()
        self._greatest = np.ones(len(capacities))
        self._greatest_mass = self._greatest.copy()
        self._importance_exponent = importance_exponent
        self.tree = SumTree(capacities)

    def add(self, runs: Ints, transition: Transition) -> None:
        """Stores transitions, as `UniformBuffer.add` does, with the greatest priority."""
        leaves = self._place(runs, transition) - self.offsets[runs]
        self.tree.put(runs, leaves, self._greatest_mass[runs])

    def sample(self, numbers: npt.NDArray[np.uint32], steps: Ints) -> Sample:
        """Samples with random numbers `[N, B]`, the runs standing at their own steps `[N]`."""
        leaves = np.empty(numbers.shape, dtype=np.int64)
        weights = np.empty(numbers.shape, dtype=np.float32)
        importance = self.importance(steps)
        sample_all_by_priority(numbers, self.sizes, self.priorities, importance, leaves, weights)
        return Sample(
            leaves + self.offsets[:, None], torch.from_numpy(weights).to(self.storage.device)
        )

    def prioritize(self, rows: Ints, priorities: Tensor, learning: Bools) -> None:
        """Gives the transitions in rows `[N, B]` of the runs that have learned new priorities."""
        leaves = rows - self.offsets[:, None]
        prioritize_all(self.priorities, learning, leaves, priorities.float().cpu().numpy())

    @property
    def priorities(self) -> Priorities:
        """What sampling knows of the priorities."""
        return Priorities(
            self.tree.nodes,
            self.tree.offsets,
            self.tree.totals,
            self._exponent,
            self._smallest,
            self._greatest,
            self._greatest_mass,
        )

    def importance(self, steps: Ints) -> npt.NDArray[np.float64]:
        """Returns the exponents `[N]` of the weights, the runs standing at `steps` `[N]`."""
        return self._importance_exponent.value(steps)

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        super().retire(run)
        self.tree.retire(run)
        self._importance_exponent.retire(run)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what one run's ring holds, its masses, and where it stands."""
        leaves = np.arange(self.sizes[run])
        masses = self.tree.masses(np.full_like(leaves, run), leaves)
        return {**super().state_dict(run), "masses": masses}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Restores one run's ring; raises ValueError if it cannot be one of this capacity."""
        super().load_state_dict(run, {k: v for k, v in state.items() if k != "masses"})
        leaves = np.arange(self._capacities[run])
        masses = np.zeros(len(leaves))
        masses[: self.sizes[run]] = state["masses"]
        self.tree.put(np.full_like(leaves, run), leaves, masses)
