"""A replay buffer with uniform sampling."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from dqn_exp.buffer.base import Sample
from dqn_exp.buffer.frame_kernels import NONE
from dqn_exp.buffer.frame_store import FrameStore
from dqn_exp.buffer.rings import Rings, store, take_places, write_rows
from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray, UInt8Array, UInt32Array
from dqn_exp.core.devices import to_device, to_host
from dqn_exp.core.per_run import PerRunState
from dqn_exp.core.random_streams import to_range
from dqn_exp.core.transition import Transition, TransitionLayout, unpack


class UniformBuffer(PerRunState):
    """Stores the newest transitions of each run and samples them uniformly, with replacement.

    Self-Improving Reactive Agents Based On Reinforcement Learning, Planning and Teaching,
    https://doi.org/10.1007/BF00992699.

    Each run has a ring of its own capacity. The rings lie one after the other in `storage`
    `[sum of C, width]`: the transitions of run `i` are rows `offsets[i]` to
    `offsets[i] + sizes[i]`. The ring of a retired run stays unused.
    """

    rows: ClassVar[tuple[str, ...]] = ("capacities", "offsets", "positions", "sizes")
    saved: ClassVar[tuple[str, ...]] = ("positions", "sizes")

    def __init__(
        self,
        capacities: IntArray,
        layout: TransitionLayout,
        device: torch.device,
        frames: FrameStore | None = None,
    ) -> None:
        """Creates empty rings.

        Args:
            capacities: `[N]`, each at least n.
            layout: of a stored transition.
            device: where transitions are stored.
            frames: of the observations, which are then the slots of their newest frames.
        """
        self.layout, self.frames = layout, frames
        self.capacities = capacities.copy()
        self.offsets = np.cumsum(capacities) - capacities
        # Of all rings, also those of retired runs.
        self._starts = self.offsets.copy()
        self._frame_starts = None if frames is None else frames.offsets.copy()
        self.positions = np.zeros_like(capacities)
        self.sizes = np.zeros_like(capacities)
        self.storage = torch.zeros(int(capacities.sum()), layout.width, device=device)
        # Shares the memory of the storage, for compiled code; CUDA memory cannot be shared.
        self._host_storage = self.storage.numpy() if device.type == "cpu" else None
        self._equal_weights = torch.ones(1, 1, device=device)

    def add(self, runs: IntArray, transition: Transition) -> None:
        """Stores transitions; the oldest of a full ring are overwritten.

        Args:
            runs: `[M]`, ascending, each at most n times.
            transition: of leading shape `[M]`, contiguous arrays of float32, except int64 actions
                and float64 discounts; those of a run in their order.
        """
        self._place(runs, transition)

    def sample(self, numbers: UInt32Array, steps: IntArray) -> Sample:
        """Samples with random numbers `[N, B]`; a run without transitions gets its first row."""
        rows = to_range(numbers, self.sizes[:, None]) + self.offsets[:, None]
        return Sample(rows, self._equal_weights)

    def read(self, rows: IntArray) -> Transition:
        """Returns the transitions in rows `[N, B]` of the storage."""
        packed = self.storage.index_select(0, to_device(rows.ravel(), self.storage.device))
        stored = unpack(packed.view(*rows.shape, self.layout.width), self.layout)
        if self.frames is None or self._frame_starts is None:
            return stored
        firsts = self._frame_starts[np.searchsorted(self._starts, rows, side="right") - 1]
        # One transfer for both: a second one would wait until the first frames are copied.
        slots = torch.cat((stored.observation, stored.next_observation), -1).cpu().numpy()
        observation, following = (
            self.frames.read(firsts, newest)
            for newest in np.moveaxis(slots.astype(np.int64), -1, 0)
        )
        return stored._replace(observation=observation, next_observation=following)

    def inputs(self, observations: Float32Array) -> Float32Array:
        """Returns the observations `[N, D]` that the runs' current observations stand for."""
        if self.frames is None:
            return observations
        slots = observations[:, 0].astype(np.int64)
        found: Float32Array = self.frames.read(self.frames.offsets, slots).cpu().numpy()
        return found

    def add_frames(self, runs: IntArray, frames: UInt8Array, is_first: BoolArray) -> Float32Array:
        """Stores the next frames of runs.

        Args:
            runs: `[M]`.
            frames: `[M, H * W * c]`.
            is_first: `[M]` whether the frame begins an episode.

        Returns:
            `[M, 1]` observations, as they are stored in transitions.
        """
        assert self.frames is not None
        slots = self.frames.add(runs, frames, is_first, self._oldest(runs))
        return slots[:, None].astype(np.float32)

    def prioritize(self, rows: IntArray, priorities: Tensor, learning: BoolArray) -> None:
        """Does nothing: all transitions have the same probability."""

    def spread(self, runs: IntArray, count: int) -> IntArray:
        """Returns rows `[M, count]` evenly spaced over the transitions of runs `[M]`."""
        places: IntArray = np.arange(count) * self.sizes[runs, None] // count
        return places + self.offsets[runs, None]

    def peek(self, run: int, limit: int) -> Transition:
        """Returns all transitions of a run or, evenly spaced, about `limit` of them."""
        begin, size = int(self.offsets[run]), int(self.sizes[run])
        stride = max(1, -(-size // limit))
        return unpack(self.storage[begin : begin + size : stride], self.layout)

    def retire(self, run: int) -> None:
        """Removes a run; the last row replaces it."""
        super().retire(run)
        if self.frames is not None:
            self.frames.retire(run)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns the transitions of one run, their frames, and the position in its ring.

        On the CPU, transitions and frames are not copied: they are valid until more are added.
        """
        held = to_host(self.storage[self._ring(run)][: self.sizes[run]])
        state = {**super().state_dict(run), "transitions": held}
        return state if self.frames is None else {**state, "frames": self.frames.state_dict(run)}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Restores the ring of one run.

        Raises:
            ValueError: If the state does not fit a ring of this capacity.
        """
        of_frames = () if self.frames is None else ("frames",)
        self._check_names(state, {*self.saved, "transitions", *of_frames})
        ring, held = self.storage[self._ring(run)], state["transitions"]
        size, position = int(state["sizes"]), int(state["positions"])
        fits = position == size if size < len(ring) else position < size == len(ring)
        if held.shape != (size, ring.shape[1]) or not fits:
            raise ValueError(
                f"state of {type(self).__name__}: expected at most {len(ring)} transitions of "
                f"{ring.shape[1]} numbers, got {tuple(held.shape)} with size {size} and position "
                f"{position}."
            )
        if self.frames is not None:
            self.frames.load_state_dict(run, state["frames"])
        ring[:size] = held
        self._load_rows(run, state)

    def _place(self, runs: IntArray, transition: Transition) -> IntArray:
        """Stores transitions `[M]`; returns their rows `[M]` of the storage."""
        places = np.empty(len(runs), dtype=np.int64)
        rings = Rings(self.offsets, self.capacities, self.positions, self.sizes)
        if self._host_storage is not None:
            store(self._host_storage, self.layout, rings, places, runs, transition)
        else:
            take_places(rings, places, runs)
            staged = np.empty((len(runs), self.layout.width), dtype=np.float32)
            write_rows(staged, self.layout, np.arange(len(runs)), transition)
            device = self.storage.device
            self.storage[to_device(places, device)] = to_device(staged, device)
        return places

    def _oldest(self, runs: IntArray) -> IntArray:
        """Returns the oldest observations `[M]` that are needed, `NONE` if all are."""
        is_full = self.sizes[runs] == self.capacities[runs]
        if not is_full.any():
            return np.full(len(runs), NONE)
        rows = to_device(self.offsets[runs] + self.positions[runs], self.storage.device)
        oldest = self.storage[rows, self.layout.observation].cpu().numpy().astype(np.int64)
        return np.where(is_full, oldest, NONE)

    def _ring(self, run: int) -> slice:
        return slice(self.offsets[run], self.offsets[run] + self.capacities[run])
